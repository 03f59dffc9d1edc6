//! What a reader may copy, examples, clients and the code of pages, takes a status below 0 for a failure, and nothing else: that of a
//! fit that was stopped, or has diverged, is above 0.

use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The files in some folders that end so.
fn files(folders: &[&str], endings: &[&str]) -> Vec<PathBuf> {
    let within = |folder: &&str| std::fs::read_dir(Path::new(ROOT).join(folder)).unwrap();
    let all = folders.iter().flat_map(within).map(|file| file.unwrap().path());
    all.filter(|path| endings.iter().any(|ending| path.extension().is_some_and(|found| found == *ending))).collect()
}

/// The calls with a status in a condition, each with what follows it: `mnist_model_fit(..., error)` and ` < 0`.
fn conditions(text: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    for line in text.lines().map(str::trim) {
        let joined =
            ["||", "&&", "if (", "failed = ", "int failed = ", "while ("].iter().any(|start| line.starts_with(start));
        let (Some(call), Some(end)) = (line.find("mnist_"), line.find("error)")) else { continue };
        if joined && call < end {
            found.push((line, &line[end + "error)".len()..]));
        }
    }
    found
}

#[test]
fn a_failure_is_a_status_below_0() {
    let mut sources = files(
        &["examples", "examples/languages", "examples/mpi", "examples/studio/test", "tests/install"],
        &["c", "h", "cpp"],
    );
    sources.extend(files(&[".", "docs"], &["md"]));
    let mut seen = 0;
    for source in &sources {
        let text = std::fs::read_to_string(source).unwrap();
        for (line, rest) in conditions(&text) {
            let rest = rest.trim_start_matches(')');
            assert!(rest.starts_with(" < 0") || rest.starts_with(" >= 0"), "{}: {line}", source.display());
            seen += 1;
        }
        let compared = ["!= MNIST_OK", "== MNIST_OK"].iter().find(|how| text.contains(*how));
        assert_eq!(compared, None, "{}", source.display());
    }
    assert!(sources.len() > 40 && seen > 25, "{} files, {seen} calls", sources.len());
}

#[test]
fn a_call_that_is_taken_for_true_is_found() {
    let text = "    int failed = mnist_a(x, error)\n        || mnist_b(error) < 0;\n    if ((status = mnist_c(error)) >= 0)\n    mnist_d(error);";
    let rests: Vec<_> = conditions(text).into_iter().map(|(_, rest)| rest).collect();
    assert_eq!(rests, ["", " < 0;", ") >= 0)"]);
}
