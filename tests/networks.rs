//! Networks by Keras's names and configs, from a C program.

mod programs;

use programs::{program, stdout};
use std::process::Command;

#[test]
fn networks_by_config() {
    let folder = tempfile::tempdir().unwrap();
    let mut program = Command::new(program(folder.path(), "graphs.c"));
    print!("{}", stdout(program.current_dir(folder.path())));
}
