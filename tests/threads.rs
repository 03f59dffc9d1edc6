//! Many threads at once, in C programs.

mod programs;

use programs::{program, stdout};
use std::process::Command;

#[test]
fn who_asks_beside_a_fit_is_told_of_one_whole_step() {
    let folder = tempfile::tempdir().unwrap();
    print!("{}", stdout(Command::new(program(folder.path(), "readers.c")).arg(folder.path()).arg("100")));
}

#[test]
fn models_that_train_at_once_share_nothing() {
    let folder = tempfile::tempdir().unwrap();
    print!("{}", stdout(Command::new(program(folder.path(), "apart.c")).arg(folder.path()).arg("20")));
}
