//! NaN and infinity, and the host's floating-point settings.

mod programs;

use programs::{program, stdout};
use std::process::Command;

#[test]
fn a_fit_that_diverges_says_where_and_keeps_good_weights() {
    let folder = tempfile::tempdir().unwrap();
    print!("{}", stdout(Command::new(program(folder.path(), "numbers.c")).arg(folder.path())));
}
