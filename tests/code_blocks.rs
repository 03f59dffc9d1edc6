//! Tests that every code block of the README and the other pages is compiled or run: here, or by a test that a table below names. An
//! unknown block fails. Then either write it as one that runs here, or add the test that runs it to a table.
#![cfg(target_os = "linux")]

mod fragments;
mod header;
mod markdown;
mod programs;

use fragments::Fragments;
use markdown::{Block, blocks, pages};
use programs::ROOT;
use std::path::Path;
use std::process::Command;

/// Blocks that another test extracts from the page and runs: the page; the section, or the fence's info string (`*`: any with a
/// label, as in "sh install"); and the test.
const ELSEWHERE: &[(&str, &str, &str)] = &[
    ("README.md", "## Install and link", "tests/install/readme"),
    ("docs/embedding.md", "*", "tests/docs.rs"),
    ("docs/machines.md", "*", "examples/mpi/check"), // but neither Slurm nor Docker
    ("docs/packages.md", "*", "tests/packages/common.sh"),
    ("python/README.md", "python", "tests/wheel/run"),
];

/// Commands that occur in no script literally: the command or its beginning, the file that does the same, and the text in that file.
const COMMANDS: &[(&str, &str, &str)] = &[
    // README.md
    ("make -C examples run", "tests/all", "tutorial tutorial_static"),
    // docs/
    ("find_package(mnist 0.1 REQUIRED)", "tests/install/CMakeLists.txt", "find_package(mnist"),
    ("make -C examples predict", "tests/all", "./build/predict_digits"),
    ("make -C examples speedrun", "tests/all", "./build/speedrun --seeds"),
    ("examples/build/speedrun --choose examples/data/mnist.npz", "examples/speedrun.c", "\"--choose\""), // an hour
    ("make -C examples small", "tests/all", "./build/small"),
    ("packaging/ports/run --tests --table all", "packaging/ports/run", "--table"), // hours
    ("make -C examples browser", "examples/studio/test/browser", "make -C ../.. browser"),
    ("python3 -m http.server -d examples/build/browser 8000", "examples/studio/test/browser.js", "http.createServer"),
    ("rustup target add wasm32-wasip1", "packaging/ports/setup", "wasm32-wasip1"),
    ("rustup target add x86_64-pc-windows-gnu", "packaging/ports/setup", "x86_64-pc-windows-gnu"),
    ("make TARGET=x86_64-pc-windows-gnu", "tests/install/windows", "make --no-print-directory TARGET=$target"),
    (
        "make TARGET=x86_64-pc-windows-gnu install PREFIX=$HOME/mnist-windows",
        "tests/install/windows",
        "packaging/place install",
    ),
    ("make TARGET=x86_64-pc-windows-gnu dist", "tests/install/windows", "packaging/dist"),
    ("x86_64-w64-mingw32-gcc program.c -Iinclude", "tests/install/windows", "$machine-gcc"),
    ("pkg-config --cflags --libs mnist", "tests/install/windows", "pkg-config"),
    ("cargo bench --bench network", "tests/all", "cargo clippy --release --all-targets"), // minutes; compiled there
    // python/README.md
    ("pip install libmnist-", "tests/wheel/run", "install \"$wheel\""),
    // examples/languages/README.md
    ("./run", "tests/all", "languages/run --install"),
    ("./run --install", "tests/all", "languages/run --install"),
    ("pip install numpy && cd python", "examples/languages/run", "pip\" install -q numpy"),
    ("cd node && npm install", "examples/languages/run", "(cd node && npm install"),
    ("cd go && LD_LIBRARY_PATH=../../build go run .", "examples/languages/run", "go_program="),
    ("apt install libjna-java && cd java", "examples/languages/run", "libjna-java"),
    ("cd luajit", "examples/languages/run", "luajit_program="),
    // examples/studio/README.md
    (
        "apt install libcpp-httplib-dev nlohmann-json3-dev pkg-config",
        "examples/studio/test/run",
        "libcpp-httplib-dev nlohmann-json3-dev pkg-config",
    ),
    ("make -C examples studio", "examples/studio/test/run", "make -C ../.. build/studio"),
];

/// Output: the beginning of the block, the program that prints it, and text in that program.
const OUTPUTS: &[(&str, &str, &str)] = &[
    (
        "MNIST_ERROR_NETWORK: rank 1: key fit.plan.seed",
        "tests/c/machines/differences.h",
        "rank 1: key fit.plan.seed: differs from rank 0: expected 5, found 6",
    ),
    ("MNIST_ERROR_NETWORK: layer dense: rank 0 of 4", "tests/machines.rs", "a_rank_that_is_lost_is_named"),
    ("the model    97", "examples/c_file.c", "c_file_accuracy"),
    ("avx512, one thread: peak", "benches/machine/mod.rs", ", one thread: peak"),
    (
        "conv2d_1 of the trained network, outputs up to",
        "benches/winograd.rs",
        "conv2d_1 of the trained network, outputs up to",
    ),
];

/// Python that needs other packages, and the test that runs it. Only its syntax is checked here.
const PYTHON: &[(&str, &str, &str)] =
    &[("from safetensors.torch import save_file", "tests/interop/pytorch.py", "save_file(")];

/// C that needs something of the reader's, such as a picture, and is therefore only compiled.
const COMPILED: &[&str] = &["uint8_t grey[300 * 200];", "extern const unsigned char digits[];"];

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(ROOT).join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn all_blocks() -> Vec<Block> {
    let name = |path: &Path| path.strip_prefix(ROOT).unwrap().to_str().unwrap().to_string();
    let pages = pages(Path::new(ROOT)).into_iter().map(|path| name(&path));
    let with_code = pages.filter(|page| page != "CHANGELOG.md"); // its lists are indented, and it has no code
    let blocks: Vec<_> = with_code.flat_map(|page| blocks(&page, &read(&page))).collect();
    assert!(blocks.len() > 80, "{} blocks", blocks.len());
    blocks
}

/// Whether the text has a row in the table. The file of the row must contain the row's text.
fn named(rows: &[(&str, &str, &str)], text: &str) -> bool {
    let row = rows.iter().filter(|(begin, ..)| text.starts_with(begin)).max_by_key(|(begin, ..)| begin.len());
    row.is_some_and(|(begin, file, words)| {
        assert!(
            read(file).contains(*words),
            "the table says that {file} runs `{begin}`, but it does not contain `{words}`"
        );
        true
    })
}

/// The commands of a shell block, without comments.
fn commands(text: &str) -> Vec<String> {
    let text = text.replace("\\\n", " ");
    let code = text.lines().map(|line| line.split("  #").next().unwrap().trim().trim_start_matches("$ "));
    let code = code.filter(|line| !line.is_empty() && !line.starts_with('#'));
    code.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// The text of `tests/all`, of the scripts that it runs, and of `.ci/run`.
fn scripts() -> Vec<String> {
    let all = read("tests/all");
    let script = |word: &str| !word.starts_with("target/") && executable(&Path::new(ROOT).join(word));
    let run = all.split_whitespace().filter(|word| word.contains('/') && script(word));
    let scripts: Vec<_> = run.map(read).chain([all.clone(), read(".ci/run")]).collect();
    assert!(scripts.len() > 10, "{} scripts", scripts.len());
    scripts
}

fn executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.is_file() && path.metadata().unwrap().permissions().mode() & 0o100 != 0
}

/// The reason why a command is not known to work; None if it is.
fn complaint(command: &str, scripts: &[String]) -> Option<String> {
    let words: Vec<_> = command.split(' ').collect();
    // Scripts that record Keras's results take minutes. They must exist and have the options.
    let script = Path::new(ROOT).join(words[0]);
    if words[0].starts_with("tests/keras/") {
        if !executable(&script) {
            return Some("there is no such script".to_string());
        }
        let text = std::fs::read_to_string(&script).unwrap();
        let options = words.iter().filter(|word| word.starts_with("--"));
        let unknown: Vec<_> = options.filter(|option| !text.contains(**option)).collect();
        return (!unknown.is_empty()).then(|| format!("{} has no {unknown:?}", words[0]));
    }
    for part in command.split(" && ").filter(|part| part.trim_start_matches("sudo ").starts_with("make")) {
        let dry = part.trim_start_matches("sudo ").replacen("make", "make --dry-run", 1);
        let output = Command::new("sh").args(["-c", &dry]).current_dir(ROOT).output().unwrap();
        if !output.status.success() {
            return Some(String::from_utf8_lossy(&output.stderr).into_owned());
        }
    }
    let known = scripts.iter().any(|text| text.contains(command)) || named(COMMANDS, command);
    (!known)
        .then(|| "no script runs it; if a test does the same, add it to COMMANDS in tests/code_blocks.rs".to_string())
}

/// Whether another test runs the block.
fn elsewhere(block: &Block) -> bool {
    let row = ELSEWHERE.iter().find(|(page, which, _)| {
        let labelled = *which == "*" && block.info.contains(' ');
        block.page == *page && (labelled || block.section == *which || block.info == *which)
    });
    row.is_some_and(|(page, _, test)| {
        assert!(
            read(test).contains(page),
            "the table says that {test} runs the blocks of {page}, but it does not contain that name"
        );
        true
    })
}

fn shell(block: &Block) -> bool {
    let starts = [
        "make",
        "cargo ",
        "cc ",
        "cd ",
        "./",
        "tests/",
        "packaging/",
        "rustup ",
        "apt ",
        "pip ",
        "sudo ",
        "python3 ",
        "# ",
    ];
    ["sh", "shell", "bash", "console"].contains(&block.language())
        || block.info.is_empty()
            && (starts.iter().any(|start| block.text.starts_with(start)) || block.text.contains("pkg-config"))
}

fn c_fragment(block: &Block) -> bool {
    block.language() == "c" || block.info.is_empty() && block.text.trim_end().ends_with(';') && !shell(block)
}

#[test]
fn every_command_is_one_that_a_test_runs() {
    let (scripts, mut wrong) = (scripts(), Vec::new());
    for block in all_blocks().iter().filter(|block| shell(block) && !elsewhere(block)) {
        for command in commands(&block.text) {
            wrong.extend(complaint(&command, &scripts).map(|why| format!("{}: `{command}`: {why}", block.place())));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_block_is_of_a_kind_that_is_tried() {
    let mut wrong = Vec::new();
    for block in all_blocks() {
        let text = block.text.trim_end();
        let known = match block.language() {
            _ if elsewhere(&block) => true,
            _ if shell(&block) || c_fragment(&block) => true, // the tests above and below
            "cpp" => true,
            "output" => block.page.starts_with("docs/tutorial"), // tests/tutorial.rs
            "python" => {
                named(PYTHON, text) && syntax("python3", &["-c", "import ast, sys; ast.parse(sys.stdin.read())"], text)
            }
            "json" | "json5" => json5::from_str::<serde_json::Value>(text).is_ok(),
            "cmake" => text.lines().all(|line| line.trim().is_empty() || named(COMMANDS, line)),
            _ => named(OUTPUTS, text),
        };
        if !known {
            wrong.push(format!("{}: a block of kind `{}`:\n{}", block.place(), block.info, block.text));
        }
    }
    assert!(wrong.is_empty(), "not tested, or wrong:\n{}", wrong.join("\n"));
}

/// Whether a program accepts the text on its standard input.
fn syntax(program: &str, arguments: &[&str], text: &str) -> bool {
    use std::io::Write;
    let Ok(mut child) = Command::new(program).args(arguments).stdin(std::process::Stdio::piped()).spawn() else {
        println!("no {program} here: not checked");
        return true;
    };
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    child.wait().unwrap().success()
}

#[test]
fn every_piece_of_c_and_cpp_runs() {
    let fragments = Fragments::new();
    let sources =
        ["tutorial.c", "predict.c", "minimal.c", "tutorial.cpp"].map(|name| read(&format!("examples/{name}")));
    for block in all_blocks() {
        let text = block.text.as_str();
        let whole = text.contains("int main(");
        if elsewhere(&block) || sources.iter().any(|source| source.contains(text)) {
            continue;
        }
        println!("{}", block.place()); // shown when it fails
        match block.language() {
            "cpp" if whole => fragments.run_program("cpp", text),
            "cpp" => fragments.run_cpp(text),
            "c" if whole => fragments.run_program("c", text),
            _ if !c_fragment(&block) => (),
            _ if COMPILED.iter().any(|part| text.contains(part)) => fragments.compile_c(text),
            _ => fragments.run_c(text),
        }
    }
}

#[test]
fn the_header_s_pieces_of_c_run() {
    let (header, fragments, mut pieces) = (read("include/mnist.h"), Fragments::new(), 0);
    let comments: String =
        header.lines().map(|line| format!("{}\n", line.trim_start().trim_start_matches("///"))).collect();
    for piece in comments.split("\n ```c\n").skip(1) {
        let text = piece.split("\n ```").next().unwrap();
        let text: String = text.lines().map(|line| format!("{}\n", line.strip_prefix(' ').unwrap_or(line))).collect();
        println!("{text}");
        match COMPILED.iter().any(|part| text.contains(part)) {
            true => fragments.compile_c(&text),
            false => fragments.run_c(&text),
        }
        pieces += 1;
    }
    assert!(pieces > 5, "{pieces}");
}

/// `cargo test` or a step of `tests/all` runs every test that the tables of promises name.
#[test]
fn every_promise_names_a_test_that_is_run() {
    let (all, mut tests) = (read("tests/all"), 0);
    for page in ["README.md", "docs/promises.md"].iter().filter(|page| Path::new(ROOT).join(page).exists()) {
        let text = read(page);
        for row in text.lines().filter(|line| line.starts_with('|') && line.contains("/")) {
            let cell = row.trim_end_matches([' ', '|']).rsplit('|').next().unwrap();
            let paths = cell
                .split('`')
                .skip(1)
                .step_by(2)
                .filter(|path| path.starts_with("tests/") || path.starts_with("src/"));
            for path in paths.filter(|path| !path.contains('*')) {
                let place = Path::new(ROOT).join(path);
                assert!(place.exists(), "{page}: there is no {path}");
                // What Keras did is recorded by scripts; the comparison is cargo's.
                let by_cargo = path.starts_with("tests/keras/") || !executable(&place);
                assert!(by_cargo || all.contains(path), "{page}: no step of tests/all runs {path}");
                tests += 1;
            }
        }
    }
    assert!(tests > 40, "{tests}");
}
