//! "Several machines, with the bits of one": ranks of one fit, as threads and as processes that a communicator in shared memory
//! connects (`tests/c/hub.h`). Over MPI: `examples/mpi/check`.

mod programs;

use programs::{ROOT, program_with, stdout};
use std::path::Path;
use std::process::Command;

/// Runs `tests/c/machines.c`, which says what is wrong.
fn machines(arguments: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let program = program_with(folder.path(), "machines.c", &["-D_DEFAULT_SOURCE"]);
    let path = |text: &&str| if *text == "FOLDER" { folder.path().to_owned() } else { Path::new(text).to_owned() };
    println!("{}", stdout(Command::new(program).args(arguments.iter().map(path))));
}

#[test]
fn any_network_comes_to_the_bits_of_one_machine_on_any_number_of_ranks() {
    machines(&["bits"]);
}

#[test]
fn so_does_the_tutorial() {
    machines(&["tutorial", &format!("{ROOT}/examples/data/mnist.npz")]);
}

#[test]
fn ranks_that_do_not_fit_the_same_say_what_differs() {
    machines(&["differ"]);
}

#[test]
fn what_one_rank_wants_all_do_after_the_same_step() {
    machines(&["stop"]);
}

#[test]
fn a_rank_that_is_lost_is_named_and_others_go_on_from_the_checkpoint() {
    machines(&["lost", "FOLDER"]);
}
