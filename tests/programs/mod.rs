//! Programs in C and C++ for the tests: compiled, linked to the library that this test run has built, and run.

#![allow(dead_code)] // each test uses a part of it

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The package's folder.
pub const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The folder into which cargo has put the shared and static library, next to this program.
pub fn libraries() -> PathBuf {
    std::env::current_exe().unwrap().parent().unwrap().to_path_buf()
}

/// The shared library.
pub fn shared() -> PathBuf {
    libraries().join(if cfg!(target_os = "macos") { "libmnist.dylib" } else { "libmnist.so" })
}

/// Runs a command and returns its output; the test fails unless it succeeds.
pub fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{out}{err}", output.status);
    output
}

/// Runs a command and returns its stdout; the test fails unless it succeeds.
pub fn stdout(command: &mut Command) -> String {
    String::from_utf8(run(command).stdout).unwrap()
}

/// The compiler for a source file, with warnings as errors.
pub fn compiler(source: &str) -> Command {
    let cpp = source.ends_with(".cpp") || source.ends_with(".hpp");
    let variable = if cpp { "CXX" } else { "CC" };
    let mut command = Command::new(std::env::var(variable).unwrap_or(if cpp { "c++".into() } else { "cc".into() }));
    command.args(["-O1", "-g", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I"]).arg(Path::new(ROOT).join("include"));
    command.args(if cpp { ["-std=c++17", "-Wshadow"] } else { ["-std=c99", "-Wstrict-prototypes"] });
    command
}

/// Compiles a program of `tests/c` against the shared library, into `folder`.
pub fn program(folder: &Path, source: &str) -> PathBuf {
    program_with(folder, source, &[])
}

/// The same, with more compiler flags.
pub fn program_with(folder: &Path, source: &str, arguments: &[&str]) -> PathBuf {
    let flags = [&["-D_POSIX_C_SOURCE=200809L"], arguments, &["-lm", "-lpthread"]].concat();
    link(folder, &Path::new(ROOT).join("tests/c").join(source), &flags)
}

/// Compiles a program against the shared library, into `folder`.
pub fn link(folder: &Path, source: &Path, flags: &[&str]) -> PathBuf {
    let program = folder.join(source.file_name().unwrap()).with_extension("");
    // The soname, which the program needs at run time.
    let _ = std::os::unix::fs::symlink(shared(), folder.join("libmnist.so.0"));
    let mut command = compiler(source.to_str().unwrap());
    let more = std::env::var("MNIST_TEST_CFLAGS").unwrap_or_default();
    command.args(more.split_whitespace());
    run(command.arg("-o").arg(&program).arg(source).arg(shared()).arg(look_in(folder)).args(flags));
    if let Ok(runner) = std::env::var("MNIST_TEST_RUNNER") {
        behind(&runner, &program);
    }
    program
}

/// Replaces the program by a script that runs it with `runner`, for example valgrind.
fn behind(runner: &str, program: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let bare = program.with_extension("bare");
    std::fs::rename(program, &bare).unwrap();
    std::fs::write(program, format!("#!/bin/sh\nexec {runner} '{}' \"$@\"\n", bare.display())).unwrap();
    std::fs::set_permissions(program, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Whether the programs run under a memory checker that reports accesses to freed memory (`tests/memory`).
pub fn watched() -> bool {
    ["MNIST_TEST_CFLAGS", "MNIST_TEST_RUNNER"].iter().any(|name| std::env::var_os(name).is_some())
}

/// The linker's option for a program that searches for its libraries in `folder` first: before the folders that cargo sets in the
/// environment, which may contain a library from another build.
pub fn look_in(folder: &Path) -> OsString {
    let mut option =
        OsString::from(if cfg!(target_os = "linux") { "-Wl,--disable-new-dtags,-rpath," } else { "-Wl,-rpath," });
    option.push(folder);
    option
}
