//! Whole models in files, from C programs: saved during a fit, resumed from, and written when writing fails or the process
//! is killed.

mod programs;

use programs::{program, run, stdout};
use std::io::Read;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

#[test]
fn whole_models_and_fits_that_go_on_from_them() {
    let folder = tempfile::tempdir().unwrap();
    print!("{}", stdout(Command::new(program(folder.path(), "models.c")).arg(folder.path())));
}

#[test]
fn models_and_weights_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    print!("{}", stdout(Command::new(program(folder.path(), "memory.c")).arg(folder.path())));
}

#[test]
fn a_write_that_fails_leaves_the_old_file_and_what_was_learned() {
    let folder = tempfile::tempdir().unwrap();
    let program = program(folder.path(), "writes.c");
    let files = folder.path().join("files");
    std::fs::create_dir(&files).unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755); // the program reads it as another user
    std::fs::set_permissions(folder.path(), open).unwrap();
    print!("{}", stdout(Command::new(program).arg(files)));
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_leaves_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    let (program, disk) = (program(folder.path(), "writes.c"), folder.path().join("disk"));
    std::fs::create_dir(&disk).unwrap();
    let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=128k", "none"]).arg(&disk).output();
    if !mount.is_ok_and(|output| output.status.success()) {
        println!("no right to mount a small disk here: not tried (a failing write is, in writes.c)");
        return;
    }
    let output = Command::new(program).arg(&disk).arg("full").output();
    run(Command::new("umount").arg(&disk));
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The names of the temporary files in a folder.
fn temporaries(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".tmp")).collect()
}

/// Starts `killed` and waits until its fit begins; returns the epoch and batch from which it resumes.
fn start_killed(
    program: &Path,
    checkpoint: &Path,
    batches: &str,
    kind: &[&str],
) -> (std::process::Child, (usize, usize)) {
    let mut command = Command::new(program);
    command.arg(checkpoint).arg(batches).arg(checkpoint.with_file_name("weights")).args(kind);
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut line = Vec::new();
    let out = child.stdout.as_mut().unwrap();
    while line.last() != Some(&b'\n') {
        let mut byte = [0];
        assert_eq!(out.read(&mut byte).unwrap(), 1, "it ended at {line:?}");
        line.push(byte[0]);
    }
    let line = String::from_utf8(line).unwrap();
    let numbers: Vec<usize> = line.split_whitespace().skip(1).map(|word| word.parse().unwrap()).collect();
    (child, (numbers[0], numbers[1]))
}

#[test]
#[cfg(unix)]
fn killed_fifty_times_a_fit_ends_with_the_same_bits() {
    killed_fifty_times(&[], 1000, 4);
}

#[test]
#[cfg(unix)]
fn killed_fifty_times_a_fit_with_all_that_has_to_be_remembered_does_too() {
    killed_fifty_times(&["everything"], 120, 6);
}

/// Kills a fit of the given kind repeatedly; the fit has at least the given number of epochs and metrics.
#[cfg(unix)]
fn killed_fifty_times(kind: &[&str], epochs: usize, metrics: usize) {
    let folder = tempfile::tempdir().unwrap();
    let program = program(folder.path(), "killed.c");
    let at = |name: &str| folder.path().join("files").join(name);
    std::fs::create_dir(at("")).unwrap();
    let expected = stdout(Command::new(&program).args(["-", "0"]).arg(at("expected")).args(kind));

    let (mut random, mut before, mut inside_an_epoch, mut inside_a_write) = (1u64, (0, 0), 0, 0);
    for kill in 0..50 {
        let (mut child, place) = start_killed(&program, &at("checkpoint"), "1", kind);
        assert!(place >= before, "kill {kill}: back from {before:?} to {place:?}");
        before = place;
        inside_an_epoch += usize::from(place.1 > 0);
        random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        std::thread::sleep(Duration::from_micros((random >> 33) % 40_000));
        assert!(child.try_wait().unwrap().is_none(), "kill {kill}: it has ended before");
        child.kill().unwrap(); // SIGKILL
        child.wait().unwrap();
        let left = temporaries(&at(""));
        assert!(left.len() <= 1, "{left:?}");
        inside_a_write += left.len();
    }
    let (child, place) = start_killed(&program, &at("checkpoint"), "1000", kind);
    let rest = child.wait_with_output().unwrap();
    assert!(rest.status.success());
    println!("50 kills, {inside_a_write} of them inside a write; at {place:?} in the end");
    assert!(
        place > (0, 0) && inside_an_epoch > 10 && inside_a_write > 0,
        "{place:?} {inside_an_epoch} {inside_a_write}"
    );
    let of_an_epoch = |line: &&str| line.len() == metrics * 17;
    let history = |text: &str| text.lines().filter(of_an_epoch).map(String::from).collect::<Vec<_>>();
    assert!(history(&expected).len() >= epochs);
    assert!(history(&String::from_utf8(rest.stdout).unwrap()) == history(&expected), "another history");
    let bytes = |name: &str| std::fs::read(at(name)).unwrap();
    assert!(bytes("weights") == bytes("expected"), "other weights");
    assert!(temporaries(&at("")).is_empty());
    // A fit that has ended resumes with nothing to do and prints the same.
    let again = stdout(Command::new(&program).arg(at("checkpoint")).arg("1").arg(at("again")).args(kind));
    assert!(!again.starts_with("at") && history(&again) == history(&expected));
    assert!(bytes("again") == bytes("expected"));
}
