//! The same seed gives the same weights on any CPU: what `packaging/ports/run` tests on other processors and systems,
//! tested here with every instruction set and several numbers of threads. The program trains every layer, activation,
//! optimizer, schedule, loss and metric, and prints hashes; `packaging/ports/golden.txt` has the expected ones
//! (`MNIST_UPDATE_GOLDEN=1` writes it, for a version that rounds differently).

mod programs;

use programs::{ROOT, link, run, stdout};
use std::path::{Path, PathBuf};
use std::process::Command;

const PORTS: &str = "packaging/ports";

/// The program, ready to run in `folder`.
fn golden(folder: &Path) -> PathBuf {
    link(folder, &Path::new(ROOT).join(PORTS).join("golden.c"), &[])
}

fn expected() -> String {
    let file = Path::new(ROOT).join(PORTS).join("golden.txt");
    std::fs::read_to_string(file).unwrap().replace("\r\n", "\n")
}

fn train(program: &Path, folder: &Path, isa: &str, threads: usize) -> String {
    let data = Path::new(ROOT).join("examples/data/mnist.npz");
    let mut command = Command::new(program);
    stdout(command.arg("train").arg(data).arg(folder).arg(threads.to_string()).env("MNIST_ISA", isa))
}

fn available() -> Vec<&'static str> {
    mnist::kernels::Isa::available().map(mnist::kernels::Isa::name).collect()
}

/// Reports which lines differ.
fn same(found: &str, expected: &str, about: &str) {
    for (found, expected) in found.lines().zip(expected.lines()) {
        assert_eq!(found, expected, "{about}");
    }
    assert_eq!(found.lines().count(), expected.lines().count(), "{about}");
}

#[test]
fn every_layer_and_optimizer_comes_to_the_same_bits_on_any_instruction_set_and_threads() {
    let folder = tempfile::tempdir().unwrap();
    let program = golden(folder.path());
    let mut expected = expected();
    if std::env::var_os("MNIST_UPDATE_GOLDEN").is_some() {
        expected = train(&program, folder.path(), available()[0], 1);
        std::fs::write(Path::new(ROOT).join(PORTS).join("golden.txt"), &expected).unwrap();
    }
    for isa in available() {
        for threads in [1, 3, 64] {
            same(&train(&program, folder.path(), isa, threads), &expected, &format!("{isa}, {threads} threads"));
        }
    }
    let resumed = stdout(Command::new(&program).arg("resume").arg(folder.path()).arg("2"));
    assert_eq!(Some(resumed.trim_end()), expected.lines().last(), "resumed from a checkpoint");
}

#[test]
#[cfg(target_os = "linux")]
fn a_quota_of_half_a_core_changes_no_bit() {
    use std::fs;
    // The limits of control groups version 2, or of version 1.
    let kinds = [("/sys/fs/cgroup", "cpu.max", "50000 100000"), ("/sys/fs/cgroup/cpu", "cpu.cfs_quota_us", "50000")];
    let half_a_core = |(root, file, quota): (&str, &str, &str)| {
        let group = Path::new(root).join(format!("mnist-test-{}", std::process::id()));
        fs::create_dir(&group).ok()?;
        let limited = group.join(file).exists() && fs::write(group.join(file), quota).is_ok();
        if !limited {
            let _ = fs::remove_dir(&group);
        }
        limited.then_some(group)
    };
    let Some(group) = kinds.into_iter().find_map(half_a_core) else {
        println!("SKIPPED: no group of processes can be limited here");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let program = golden(folder.path());
    let script = "echo $$ > \"$1\"/cgroup.procs && shift && exec \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh"]).arg(&group).arg(&program).arg("train");
    command.arg(Path::new(ROOT).join("examples/data/mnist.npz")).arg(folder.path()).arg("0"); // one thread per core
    let output = run(&mut command);
    fs::remove_dir(&group).unwrap();
    same(&String::from_utf8(output.stdout).unwrap(), &expected(), "half a core");
}
