//! Datasets as a C program sees them: arrays of any type, targets, weights.

mod programs;

use programs::{program, stdout};
use std::process::Command;

#[test]
fn datasets() {
    let folder = tempfile::tempdir().unwrap();
    let mut program = Command::new(program(folder.path(), "data.c"));
    print!("{}", stdout(program.current_dir(folder.path())));
}
