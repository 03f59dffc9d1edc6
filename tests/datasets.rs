//! Datasets from C programs: arrays of any type, targets, weights.

mod programs;

use programs::{program, stdout};
use std::process::Command;

#[test]
fn datasets() {
    let folder = tempfile::tempdir().unwrap();
    let mut program = Command::new(program(folder.path(), "data.c"));
    print!("{}", stdout(program.current_dir(folder.path())));
}

/// Two gigabytes of samples, as float32.
#[cfg(target_os = "linux")]
const SAMPLES: &str = "655360";

#[test]
#[cfg(target_os = "linux")]
fn samples_that_memory_may_not_hold_give_the_bits_of_those_that_it_does() {
    let folder = tempfile::tempdir().unwrap();
    let program = program(folder.path(), "source.c");
    let train = |how: &str| {
        let weights = folder.path().join(how);
        let text = stdout(Command::new(&program).args([how, SAMPLES]).arg(&weights));
        (text.lines().next().unwrap().to_string(), std::fs::read(weights).unwrap())
    };
    let expected = train("memory");
    for prefetch in ["0", "1", "5"] {
        let found = train(prefetch);
        assert_eq!(found.0, expected.0, "{prefetch} batches ahead");
        assert!(found.1 == expected.1, "{prefetch} batches ahead: other weights");
    }
}

#[test]
#[cfg(unix)]
fn a_source_that_fails_or_waits_leaves_the_model_whole() {
    let folder = tempfile::tempdir().unwrap();
    print!("{}", stdout(Command::new(program(folder.path(), "source.c")).arg("wrong")));
}
