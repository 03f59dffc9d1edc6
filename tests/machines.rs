//! Several ranks get the bits of one process. The ranks are threads and processes, connected by a communicator in shared memory
//! (`tests/c/hub.h`). The same over MPI: `examples/mpi/check`.

mod programs;

use programs::{ROOT, program_with, stdout};
use std::path::Path;
use std::process::Command;

/// Runs `tests/c/machines.c`, which prints what is wrong.
fn machines(arguments: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let program = program_with(folder.path(), "machines.c", &["-D_DEFAULT_SOURCE"]);
    let path = |text: &&str| if *text == "FOLDER" { folder.path().to_owned() } else { Path::new(text).to_owned() };
    println!("{}", stdout(Command::new(program).args(arguments.iter().map(path))));
}

#[test]
fn every_kind_of_network_gets_the_same_bits_on_any_number_of_ranks() {
    machines(&["bits"]);
}

#[test]
fn so_does_the_tutorial() {
    machines(&["tutorial", &format!("{ROOT}/examples/data/mnist.npz")]);
}

#[test]
fn ranks_that_differ_get_an_error_that_says_how() {
    machines(&["differ"]);
}

#[test]
fn a_rank_that_stops_or_fails_ends_the_fit_of_all() {
    machines(&["stop"]);
}

#[test]
fn a_rank_that_is_lost_is_named_and_the_fit_resumes_on_fewer() {
    machines(&["lost", "FOLDER"]);
}
