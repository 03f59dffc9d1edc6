//! Compile and fit by Keras's names and configs, from a C program.

mod programs;

use programs::{program, stdout};
use std::process::Command;

#[test]
fn losses_metrics_schedules_weights_and_callbacks() {
    let folder = tempfile::tempdir().unwrap();
    let mut program = Command::new(program(folder.path(), "training.c"));
    print!("{}", stdout(program.current_dir(folder.path())));
}
