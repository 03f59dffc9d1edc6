//! Every call of the interface that opens a path, with all kinds of paths and in every state of the host.

mod files;
mod header;
mod programs;

use files::{Member, idx, npy, zip};
use header::Header;
use programs::{program, program_with, run, stdout};
use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A folder with the valid files, which another user may read.
fn folder() -> (tempfile::TempDir, PathBuf) {
    let temporary = tempfile::tempdir().unwrap();
    let open = || std::os::unix::fs::PermissionsExt::from_mode(0o755);
    let folder = temporary.path().join("files");
    std::fs::create_dir(&folder).unwrap();
    [temporary.path(), &folder].iter().for_each(|path| std::fs::set_permissions(path, open()).unwrap());
    let (pixels, labels) = ([7; 12 * 4], [1; 12]);
    let arrays = ["x_train", "y_train", "x_test", "y_test"].map(|name| {
        let array = match name.starts_with('x') {
            true => npy("|u1", "(12, 2, 2)", &pixels),
            false => npy("|u1", "(12,)", &labels),
        };
        Member::new(&format!("{name}.npy"), true, &array)
    });
    std::fs::write(folder.join("arrays.npz"), zip(&arrays)).unwrap();
    std::fs::write(folder.join("images.idx"), idx(&[12, 2, 2], &pixels)).unwrap();
    std::fs::write(folder.join("labels.idx"), idx(&[12], &labels)).unwrap();
    std::fs::write(folder.join("table.csv"), "label,a,b\n1,2,3\n4,5,6\n").unwrap();
    (temporary, folder)
}

/// The program's list must contain every call of the header that opens a path.
#[test]
fn every_path_of_the_header_is_tried() {
    let header = Header::committed();
    let structs = header.structs.iter().map(|found| (&found.name, &found.fields));
    let functions = header.functions.iter().map(|found| (&found.name, &found.parameters));
    let paths = structs.chain(functions).flat_map(|(owner, places)| {
        let paths = places.iter().filter(|place| place.name.contains("path") || place.name.contains("file"));
        paths.map(move |place| format!("{owner} {}", place.name))
    });
    let (temporary, _) = folder();
    let text = stdout(Command::new(program(temporary.path(), "paths.c")).args([".", "list"]));
    let listed: BTreeSet<_> = text.lines().map(String::from).collect();
    assert_eq!(paths.collect::<BTreeSet<_>>(), listed, "tests/c/paths.h");
}

#[test]
fn whatever_a_path_leads_to() {
    let (temporary, folder) = folder();
    print!("{}", stdout(Command::new(program(temporary.path(), "paths.c")).arg(&folder)));
}

#[test]
fn no_file_gets_a_standard_descriptor() {
    let (temporary, folder) = folder();
    let flag = ["-D_DEFAULT_SOURCE"]; // usleep
    let mut command = Command::new(program_with(temporary.path(), "closed.c", &flag));
    command.arg(&folder).env("MALLOC_ARENA_MAX", "1"); // with more of them glibc's `free` opens a file of /proc
    let text = stdout(&mut command);
    print!(
        "{}",
        text.lines().filter(|line| line.contains("checks")).map(|line| format!("{line}\n")).collect::<String>()
    );
}

#[test]
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn what_a_signal_interrupts_is_taken_up_again() {
    let (temporary, folder) = folder();
    let program = program_with(temporary.path(), "interrupted.c", &["-Wno-pedantic", "-ldl"]);
    let text = stdout(Command::new(&program).arg(&folder));
    println!("{}", text.lines().rev().take(2).collect::<Vec<_>>().join("; "));

    // More output than a pipe can hold, with a reader that is slower than the fit.
    const EPOCHS: usize = 1500;
    let mut child = Command::new(program).arg(&folder).arg(EPOCHS.to_string()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut out, mut text) = (child.stdout.take().unwrap(), Vec::new());
    let mut piece = [0; 512];
    loop {
        let n = out.read(&mut piece).unwrap();
        text.extend_from_slice(&piece[..n]);
        if n == 0 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert!(child.wait().unwrap().success());
    let text = String::from_utf8(text).unwrap();
    assert!(text.len() > 1 << 17, "{}", text.len());
    let lines: Vec<_> = text.lines().collect();
    for epoch in 0..EPOCHS {
        assert_eq!(lines[2 * epoch], format!("Epoch {}/{EPOCHS}", epoch + 1));
        let line = lines[2 * epoch + 1];
        assert!(line.starts_with("8/8 - ") && line.contains("val_accuracy: "), "epoch {epoch}: {line}");
    }
    assert!(lines[2 * EPOCHS].starts_with("Model: "), "{}", lines[2 * EPOCHS]);
}

/// A single mounted file, as in containers.
#[test]
#[cfg(target_os = "linux")]
fn a_file_that_is_mounted_is_found_before_the_first_step() {
    let (temporary, folder) = folder();
    let (program, at) = (program(temporary.path(), "paths.c"), |name: &str| folder.join(name));
    std::fs::write(at("source"), "mine").unwrap();
    std::fs::write(at("mounted"), "").unwrap();
    let mount = Command::new("mount").arg("--bind").args([at("source"), at("mounted")]).output();
    if !mount.is_ok_and(|output| output.status.success()) {
        println!("no right to mount a file here: not tried");
        return;
    }
    let output = Command::new(program).args([&folder, Path::new("mounted")]).output().unwrap();
    run(Command::new("umount").arg(at("mounted")));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(std::fs::read(at("source")).unwrap(), b"mine");
}
