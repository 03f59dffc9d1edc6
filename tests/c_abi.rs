//! The library as C and C++ programs see it: its header, its symbols, and the programs in `tests/c`, compiled with warnings
//! as errors and linked to the library that this test run has built.

mod programs;

use programs::{ROOT, compiler, libraries, look_in, program, run, shared, stdout};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use zip::CompressionMethod;

#[test]
fn the_committed_header_is_what_the_sources_say() {
    let generated = include_str!(concat!(env!("OUT_DIR"), "/mnist.h"));
    let committed = std::fs::read_to_string(Path::new(ROOT).join("include/mnist.h")).unwrap();
    assert!(
        generated == committed,
        "include/mnist.h has drifted: MNIST_UPDATE_HEADER=1 cargo build brings it up to date"
    );
}

#[test]
fn the_header_compiles_alone() {
    let folder = tempfile::tempdir().unwrap();
    for (standard, file) in [("c99", "a.c"), ("c11", "b.c"), ("c++17", "c.cpp")] {
        let source = folder.path().join(file);
        std::fs::write(&source, "#include <mnist.h>\nint unused;\n").unwrap();
        let source = source.to_str().unwrap();
        run(compiler(source).arg(format!("-std={standard}")).args(["-c", source, "-o"]).arg(folder.path().join("o")));
    }
}

#[test]
#[cfg(target_os = "linux")]
fn the_shared_library_has_its_name_its_symbols_and_no_others() {
    let symbols = stdout(Command::new("nm").args(["-D", "--defined-only", "--format=posix"]).arg(shared()));
    let exported: std::collections::BTreeSet<_> = symbols.lines().filter_map(|line| line.split(' ').next()).collect();
    let header = std::fs::read_to_string(Path::new(ROOT).join("include/mnist.h")).unwrap();
    let declared: std::collections::BTreeSet<_> = header
        .lines()
        .filter(|line| !line.starts_with("//") && !line.starts_with("typedef"))
        .filter_map(|line| line.split_once('('))
        .filter_map(|(before, _)| before.rsplit([' ', '*']).next())
        .filter(|name| name.starts_with("mnist_"))
        .collect();
    assert_eq!(exported, declared);
    let dynamic = stdout(Command::new("readelf").arg("-d").arg(shared()));
    assert!(dynamic.contains("soname: [libmnist.so.0]"), "{dynamic}");
}

/// A cancelled thread ends by unwinding its stack from the end or the beginning of an exported function. Its frame must have no
/// personality routine ("P"): Rust's would end the process.
#[test]
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn a_cancelled_thread_can_leave_every_exported_function() {
    let symbols = stdout(Command::new("nm").args(["-D", "--defined-only", "--format=posix"]).arg(shared()));
    let address = |text: &str| u64::from_str_radix(text, 16).unwrap();
    let names: std::collections::HashMap<_, _> = symbols
        .lines()
        .map(|line| line.split(' ').collect::<Vec<_>>())
        .map(|fields| (address(fields[2]), fields[0]))
        .collect();
    let frames = stdout(Command::new("readelf").args(["--debug-dump=frames", "--wide"]).arg(shared()));
    let (mut kinds, mut seen) = (std::collections::HashMap::new(), 0);
    for block in frames.split("\n\n") {
        let fields: Vec<_> = block.split_whitespace().collect();
        if fields.get(3) == Some(&"CIE") {
            let kind = block.split("Augmentation:").nth(1).unwrap().split('"').nth(1).unwrap();
            kinds.insert(fields[0].to_string(), kind.to_string());
        } else if let Some(["FDE", cie, place]) = fields.get(3..6) {
            let start = address(place.trim_start_matches("pc=").split("..").next().unwrap());
            let Some(name) = names.get(&start) else { continue };
            let kind = &kinds[cie.trim_start_matches("cie=")];
            assert!(!kind.contains('P'), "{name}: {kind}");
            seen += 1;
        }
    }
    assert_eq!(seen, names.len());
}

/// The files that `bad_input` opens.
fn damaged_files(folder: &Path) {
    let npy = |descr: &str, fortran: &str, shape: &str, data: &[u8]| {
        let text = format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n");
        [b"\x93NUMPY\x01\x00", &(text.len() as u16).to_le_bytes()[..], text.as_bytes(), data].concat()
    };
    let archive = |name: &str, images: Vec<u8>, labels: usize| {
        let mut writer = zip::ZipWriter::new(std::fs::File::create(folder.join(name)).unwrap());
        let options = zip::write::SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        for (name, bytes) in
            [("images.npy", images), ("labels.npy", npy("|u1", "False", &format!("({labels},)"), &vec![0; labels]))]
        {
            writer.start_file(name, options).unwrap();
            writer.write_all(&bytes).unwrap();
        }
        writer.finish().unwrap();
    };
    let images = |len| npy("|u1", "False", "(3, 2, 2)", &vec![7; len]);
    archive("good.npz", images(12), 3);
    archive("truncated.npz", images(9), 3);
    archive("dtype.npz", npy("<c8", "False", "(3, 2, 2)", &[0; 96]), 3);
    archive("fortran.npz", npy("|u1", "True", "(3, 2, 2)", &[0; 12]), 3);
    archive("row.npz", npy("|u1", "False", "(3, 6)", &(0..18).collect::<Vec<_>>()), 3);
    archive("huge.npz", npy("|u1", "False", "(1048576, 1024, 1024)", &[0; 12]), 3);
    archive("lengths.npz", images(12), 4);
    let idx = |name: &str, head: &[u32], data: &[u8]| {
        let head: Vec<u8> = head.iter().flat_map(|word| word.to_be_bytes()).collect();
        std::fs::write(folder.join(name), [&head, data].concat()).unwrap();
    };
    idx("images.idx", &[0x803, 3, 2, 2], &[1; 12]);
    idx("magic.idx", &[0x805, 3, 2, 2], &[1; 12]);
    idx("count.idx", &[0x803, 4, 2, 2], &[1; 12]);
    idx("labels.idx", &[0x801, 3], &[0; 3]);
    idx("more.idx", &[0x801, 4], &[0; 4]);
    std::fs::write(folder.join("empty"), b"").unwrap();
    let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![3, 3, 1, 4], &[0; 144]).unwrap();
    let file = safetensors::serialize([("conv2d/kernel", view)], None).unwrap();
    std::fs::write(folder.join("cut.safetensors"), &file[..file.len() - 20]).unwrap();
    let model = |name: &str, version: &str, description: &str| {
        let texts = [("format", "mnist-model"), ("version", version), ("model", description)];
        let texts = texts.map(|(key, text)| (key.to_string(), text.to_string())).into();
        let file = safetensors::serialize(Vec::<(&str, safetensors::tensor::TensorView)>::new(), Some(texts)).unwrap();
        std::fs::write(folder.join(name), file).unwrap();
    };
    model("newer.model", "3", "{}");
    model("text.model", "1", "a network");
    let layers = r#"{"class_name": "InputLayer", "name": "input_1", "shape": [1024, 1024, 1]},
        {"class_name": "Flatten", "name": "flatten"},
        {"class_name": "Dense", "name": "dense", "units": 1024, "activation": "softmax"}"#;
    let whole = format!(r#"{{"name": "model", "layers": [{layers}], "compile": null, "steps": 0, "fit": null}}"#);
    model("huge.model", "1", &whole);
}

#[test]
fn bad_input_is_a_status_and_a_message() {
    let folder = tempfile::tempdir().unwrap();
    damaged_files(folder.path());
    print!("{}", stdout(Command::new(program(folder.path(), "bad_input.c")).arg(folder.path())));
}

#[test]
fn text_on_stdout_stands_where_printf_would_put_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(program(folder.path(), "stdout.c"));
    let mut child = command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let _open = child.stdin.take(); // stays open, without data
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", output.status);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("before Model: \"model\"\n___"), "{text}");
    let fit = text.split("___\nbetween Epoch 1/2\n2/2 [====").nth(1).unwrap_or_else(|| panic!("{text}"));
    assert!(fit.contains("\nEpoch 2/2\n2/2 [====") && fit.contains("\nafter\n"), "{text}");
    assert!(!text.contains('\r'), "{text}");
}

#[test]
fn threads_callbacks_and_cancelling() {
    let folder = tempfile::tempdir().unwrap();
    print!("{}", stdout(&mut Command::new(program(folder.path(), "threads.c"))));
}

#[test]
fn objects_of_another_type_and_freed_ones_are_told() {
    let folder = tempfile::tempdir().unwrap();
    print!("{}", stdout(&mut Command::new(program(folder.path(), "handles.c"))));
}

#[test]
#[cfg(unix)]
fn forked_children_get_an_error_and_never_hang() {
    let folder = tempfile::tempdir().unwrap();
    print!("{}", stdout(&mut Command::new(program(folder.path(), "fork.c"))));
}

#[test]
fn a_small_stack_will_do() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(program(folder.path(), "small_stack.c"));
    print!("{}", stdout(command.arg(Path::new(ROOT).join("examples/data/mnist.npz")).arg(folder.path())));
}

#[test]
#[cfg(target_os = "linux")]
fn the_library_can_be_closed_and_opened_again_a_thousand_times() {
    let folder = tempfile::tempdir().unwrap();
    let (source, program) = (Path::new(ROOT).join("tests/c/unload.c"), folder.path().join("unload"));
    // dlsym's pointer is converted to a function pointer, which POSIX allows and ISO C does not.
    run(compiler("unload.c").arg("-Wno-pedantic").arg("-o").arg(&program).arg(source).args(["-ldl", "-lpthread"]));
    print!("{}", stdout(Command::new(program).arg(shared())));
}

#[test]
#[cfg(target_os = "linux")]
fn the_tutorial_s_fit_stays_below_200_mb() {
    let folder = tempfile::tempdir().unwrap();
    let (program, root) = (folder.path().join("fit"), Path::new(ROOT));
    run(compiler("fit.c")
        .arg("-o")
        .arg(&program)
        .arg(root.join("benches/peers/mnist_fit.c"))
        .arg(libraries().join("libmnist.a"))
        .args(["-lgcc_s", "-lutil", "-lrt", "-lpthread", "-lm", "-ldl", "-lc"]));
    let data = root.join("examples/data/mnist.npz");
    let text = stdout(Command::new(program).args(["--steps", "70", "--data"]).arg(data));
    let peak =
        text.split("\"peak_rss_mb\": ").nth(1).and_then(|rest| rest.trim_end().trim_end_matches('}').parse().ok());
    assert!(peak.is_some_and(|peak: u32| peak < 200), "{text}");
}

/// The weights after some steps, with the given number of threads and instruction set.
fn bits(program: &Path, threads: usize, isa: &str, size: &str, steps: usize) -> Vec<u8> {
    let path = program.with_file_name(format!("{threads}-{isa}-{size}"));
    let arguments = [&threads.to_string(), size, &steps.to_string()];
    run(Command::new(program).env("MNIST_ISA", isa).arg(&path).args(arguments));
    std::fs::read(path).unwrap()
}

#[test]
fn weights_have_the_same_bits_on_any_threads_and_instruction_set() {
    let folder = tempfile::tempdir().unwrap();
    let program = program(folder.path(), "bits.c");
    let has = |isa: &str| mnist::kernels::Isa::available().any(|available| available.name() == isa);
    let fast: Vec<_> = ["avx512", "avx2"].into_iter().filter(|isa| has(isa)).collect();
    let mut compared = 0;
    if let Some(&fastest) = fast.first() {
        let expected = bits(&program, 1, fastest, "tutorial", 50);
        for (threads, isa) in fast.iter().flat_map(|isa| [(1, *isa), (2, *isa), (3, *isa), (40, *isa)]) {
            assert!(bits(&program, threads, isa, "tutorial", 50) == expected, "{threads} threads, {isa}");
            compared += 1;
        }
    }
    // Multiply-adds in software are slow, so the portable path is tested on a smaller network of the same layers.
    let expected = bits(&program, 1, "portable", "small", 50);
    for (threads, isa) in fast.iter().chain(&["portable"]).flat_map(|isa| [(1, *isa), (2, *isa), (3, *isa)]) {
        assert!(bits(&program, threads, isa, "small", 50) == expected, "{threads} threads, {isa}, small");
        compared += 1;
    }
    println!("{compared} runs of 50 steps with the same bits");
}

#[test]
fn an_unknown_instruction_set_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let program = program(folder.path(), "bits.c");
    let output = Command::new(program).env("MNIST_ISA", "sse9").args(["w", "1", "small", "1"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("MNIST_ISA: unknown instruction set") && text.contains("found `sse9`"), "{text}");
}

#[test]
fn python_says_what_c_says() {
    if Command::new("python3").arg("--version").output().is_err() {
        println!("no python3 here: not compared");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| Path::new(ROOT).join(name).to_str().unwrap().to_string();
    let weights = folder.path().join("w");
    run(Command::new(program(folder.path(), "bits.c")).arg(&weights).args(["2", "tutorial", "3"]));
    let arguments = [weights.to_str().unwrap().to_string(), path("examples/data/mnist.npz"), "7".into(), "4".into()];
    let c = folder.path().join("predict");
    let source = path("examples/predict.c");
    run(compiler("predict.c").arg("-o").arg(&c).arg(source).arg(shared()).arg(look_in(folder.path())));
    let c = stdout(Command::new(c).args(&arguments));
    let python = stdout(
        Command::new("python3").arg(path("examples/predict.py")).args(&arguments).env("MNIST_LIBRARY", shared()),
    );
    assert_eq!(c, python);
    assert_eq!(c.matches("it says").count(), 4);
}
