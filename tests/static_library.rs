//! The static library in programs: by itself, and beside another one that is written in Rust and has a runtime of its own.
#![cfg(target_os = "linux")]

mod programs;

use programs::{ROOT, compiler, libraries, run, stdout};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What it asks of the system.
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

/// A static library of somebody else, compiled by the Rust that runs this test.
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

#[test]
fn beside_another_rust_library_in_both_orders() {
    let folder = tempfile::tempdir().unwrap();
    let other = other(folder.path(), &[]);
    links_and_runs(folder.path(), "beside/both.c", &[&library(), &other], &[]);
    links_and_runs(folder.path(), "beside/both.c", &[&other, &library()], &[]);
}

/// One whose link-time optimization has made its runtime another one than ours, as `docs/embedding.md` says.
#[test]
fn beside_one_with_link_time_optimization_as_an_object_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let other = other(folder.path(), &["-Clto=fat"]);
    std::fs::copy(library(), folder.path().join("libmnist.a")).unwrap();
    let page = std::fs::read_to_string(Path::new(ROOT).join("docs/embedding.md")).unwrap();
    let is_recipe = |line: &&str| line.starts_with("ld -r ") || line.starts_with("objcopy ");
    let recipe: Vec<_> = page.lines().map(str::trim).filter(is_recipe).collect();
    assert_eq!(recipe.len(), 2, "{recipe:?}");
    run(Command::new("sh").current_dir(folder.path()).args(["-ec", &recipe.join("\n")]));
    let object = folder.path().join("mnist.o");
    for order in [[&*object, &*other], [&*other, &*object]] {
        links_and_runs(folder.path(), "beside/both.c", &order, &["-Wl,--gc-sections"]);
    }
}
