//! Functions that programs around the library use, called from C and C++ programs.

mod programs;

use programs::{program, stdout};
use std::process::Command;

#[test]
fn weights_by_name() {
    let folder = tempfile::tempdir().unwrap();
    print!("{}", stdout(&mut Command::new(program(folder.path(), "named_weights.c"))));
}

#[test]
fn the_confusion_matrix() {
    let folder = tempfile::tempdir().unwrap();
    print!("{}", stdout(&mut Command::new(program(folder.path(), "confusion.c"))));
}

#[test]
fn the_cpp_layer_over_them() {
    let folder = tempfile::tempdir().unwrap();
    print!("{}", stdout(&mut Command::new(program(folder.path(), "more.cpp"))));
}
