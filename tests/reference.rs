//! Tests of the reference (docs/Doxyfile): every function of the header has an example, and the examples run.
#![cfg(unix)]

mod header;
mod programs;

use header::Header;
use programs::{ROOT, link, stdout};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The C programs of a folder.
fn sources(folder: &str) -> Vec<PathBuf> {
    let files = std::fs::read_dir(Path::new(ROOT).join(folder)).unwrap().map(|file| file.unwrap().path());
    let mut sources: Vec<_> = files.filter(|path| path.extension().is_some_and(|extension| extension == "c")).collect();
    sources.sort();
    assert!(!sources.is_empty(), "{folder}");
    sources
}

/// Whether a program calls the function. Lines that begin with a comment do not count.
fn calls(text: &str, function: &str) -> bool {
    let code = text.lines().filter(|line| !line.trim_start().starts_with(['/', '*'])).collect::<Vec<_>>().join("\n");
    let word = |c: char| c == '_' || c.is_ascii_alphanumeric();
    code.match_indices(&format!("{function}(")).any(|(at, _)| !code[..at].ends_with(word))
}

#[test]
fn a_call_is_told_from_a_comment_and_a_longer_name() {
    assert!(calls("    x = f(1);\n", "f") && calls("f();", "f"));
    assert!(!calls("    /* f(1) */\n * f(2)\nff(3);\nx_f(4);\nf_x(5);\n", "f"));
}

#[test]
fn every_function_is_called_by_an_example() {
    let sources = [sources("examples/reference"), sources("examples")].concat();
    let texts: Vec<_> = sources.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let functions = Header::committed().functions;
    let without: Vec<_> = functions.iter().filter(|f| !texts.iter().any(|text| calls(text, &f.name))).collect();
    let without: Vec<_> = without.iter().map(|function| &function.name).collect();
    assert!(
        functions.len() > 100 && without.is_empty(),
        "no program in examples/ or examples/reference/ calls {without:?}"
    );
}

#[test]
fn the_programs_of_the_reference_run() {
    let data = Path::new(ROOT).join("examples/data/mnist.npz");
    for source in sources("examples/reference") {
        let folder = tempfile::tempdir().unwrap();
        let program = link(folder.path(), &source, &[]);
        let printed = stdout(Command::new(program).current_dir(folder.path()).arg(&data));
        assert!(!printed.contains("nan") && !printed.contains("(null)"), "{}: {printed}", source.display());
    }
}
