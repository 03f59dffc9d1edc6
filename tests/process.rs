//! The library inside a host process, and what the process can do to it: limits, signals, streams, other copies of the
//! library, more privileges than its user has. Forked children and cancelled threads are in `tests/hostile.rs` and
//! `tests/c_abi.rs`.
#![cfg(target_os = "linux")]

mod programs;

use programs::{ROOT, compiler, program, program_with, run, shared, stdout};
use std::path::Path;
use std::process::Command;

/// Compiles and runs a program of `tests/c`.
fn passes(source: &str) {
    let folder = tempfile::tempdir().unwrap();
    print!("{}", stdout(&mut Command::new(program_with(folder.path(), source, &["-ldl"]))));
}

#[test]
fn a_batch_that_nothing_can_hold_is_refused_with_one_that_fits() {
    passes("budget.c");
}

#[test]
fn without_threads_the_caller_s_will_do() {
    passes("no_threads.c");
}

#[test]
fn text_is_whole_whatever_interrupts_it() {
    passes("text.c");
}

#[test]
fn a_wide_stdout_is_an_error_and_not_silence() {
    passes("wide.c");
}

#[test]
fn an_object_of_another_copy_of_the_library_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let (source, program) = (Path::new(ROOT).join("tests/c/copies.c"), folder.path().join("copies"));
    let other = folder.path().join("another-name.so");
    std::fs::copy(shared(), &other).unwrap();
    // dlsym's pointer is converted to a function pointer, which POSIX allows and ISO C does not.
    run(compiler("copies.c").arg("-Wno-pedantic").arg("-o").arg(&program).arg(source).arg("-ldl"));
    let output = run(Command::new(program).arg(shared()).arg(other));
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn with_more_rights_than_its_user_the_environment_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let (source, shim) = (Path::new(ROOT).join("tests/c/getenv.c"), folder.path().join("getenv.so"));
    run(compiler("getenv.c").args(["-Wno-pedantic", "-shared", "-fPIC", "-o"]).arg(&shim).arg(source).arg("-ldl"));
    let mut command = Command::new(program_with(folder.path(), "privileged.c", &["-ldl"]));
    command.env("MNIST_ISA", "no such one").env("KERAS_HOME", folder.path()).env("LD_PRELOAD", shim);
    let text = String::from_utf8(run(&mut command).stderr).unwrap();
    let (before, after) = text.split_once("from here on it is believed\n").unwrap();
    // Rust's runtime reads RUST_BACKTRACE, which gives no privileges.
    let asked = before.lines().filter(|line| !line.starts_with("getenv RUST_"));
    assert_eq!(asked.collect::<Vec<_>>(), [""; 0]);
    assert!(after.contains("getenv MNIST_ISA"), "{text}");
}

#[test]
fn an_empty_variable_is_unset() {
    let folder = tempfile::tempdir().unwrap();
    let program = program(folder.path(), "bits.c");
    run(Command::new(program).env("MNIST_ISA", "").arg(folder.path().join("w")).args(["1", "small", "1"]));
}
