//! The static library in programs: alone, and beside another one that is written in Rust and has its own runtime.
#![cfg(target_os = "linux")]

mod programs;

use programs::{ROOT, compiler, libraries, run, stdout};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The system libraries that it needs.
const SYSTEM: [&str; 7] = ["-lgcc_s", "-lutil", "-lrt", "-lpthread", "-lm", "-ldl", "-lc"];

fn library() -> PathBuf {
    libraries().join("libmnist.a")
}

/// Compiles a C program of `tests`, links it to `libraries` in their order, and runs it.
fn links_and_runs(folder: &Path, source: &str, libraries: &[&Path], flags: &[&str]) {
    let program = folder.join("program");
    let mut command = compiler(source);
    command.arg("-D_POSIX_C_SOURCE=200809L").arg("-o").arg(&program).arg(Path::new(ROOT).join("tests").join(source));
    run(command.args(libraries).args(flags).args(SYSTEM));
    run(&mut Command::new(&program));
    assert!(!stdout(Command::new("readelf").arg("-d").arg(&program)).contains("libmnist"));
}

/// Another static library, compiled by the Rust version of this test.
fn other(folder: &Path, flags: &[&str]) -> PathBuf {
    let library = folder.join("libother.a");
    let mut command = Command::new(std::env::var("RUSTC").unwrap_or("rustc".into()));
    command.args(["--edition=2024", "--crate-type=staticlib", "-Copt-level=2", "-o"]).arg(&library).args(flags);
    run(command.arg(Path::new(ROOT).join("tests/beside/other.rs")));
    library
}

#[test]
fn by_itself() {
    let folder = tempfile::tempdir().unwrap();
    links_and_runs(folder.path(), "c/threads.c", &[&library()], &[]);
}

/// The library as built by cargo must come first, because it contains an allocator, and the other one must have no link-time optimization.
#[test]
fn beside_another_rust_library() {
    let folder = tempfile::tempdir().unwrap();
    let other = other(folder.path(), &[]);
    links_and_runs(folder.path(), "beside/both.c", &[&library(), &other], &[]);
}

/// The installed library hides its Rust runtime.
#[test]
fn beside_any_other_rust_library_in_both_orders() {
    let folder = tempfile::tempdir().unwrap();
    let alone = folder.path().join("libmnist.a");
    std::fs::copy(library(), &alone).unwrap();
    run(Command::new(Path::new(ROOT).join("packaging/alone")).arg(&alone));
    let symbols =
        stdout(Command::new("nm").args(["--defined-only", "--extern-only", "--format=just-symbols"]).arg(&alone));
    assert!(symbols.contains("mnist_model_fit\n"), "{symbols}");
    assert_eq!(symbols.lines().find(|line| !["", "mnist.o:"].contains(line) && !line.starts_with("mnist_")), None);
    for flags in [&[][..], &["-Clto=fat"]] {
        let other = other(folder.path(), flags);
        links_and_runs(folder.path(), "beside/both.c", &[&alone, &other], &[]);
        links_and_runs(folder.path(), "beside/both.c", &[&other, &alone], &["-Wl,--gc-sections"]);
    }
}
