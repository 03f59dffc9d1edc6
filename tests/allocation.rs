//! Refused memory and threads: the result is a status, never an abort. The programs replace the C library's `malloc` and
//! similar functions. One request in thirteen is refused; `MNIST_TEST_EACH_REQUEST=1 cargo test --release --test allocation`
//! refuses each of them, which takes long.
#![cfg(all(target_os = "linux", target_env = "gnu", feature = "reserve"))]

mod programs;

use programs::{ROOT, program, stdout};
use std::io::Write;
use std::path::Path;
use std::process::Command;

/// An array of bytes of the given shape, in numpy's format.
fn npy(shape: &str, bytes: &[u8]) -> Vec<u8> {
    let text = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}\n");
    [b"\x93NUMPY\x01\x00", &(text.len() as u16).to_le_bytes()[..], text.as_bytes(), bytes].concat()
}

/// The files that `allocation` reads.
fn files(folder: &Path) {
    let pixels: Vec<u8> = (0..40 * 64u32).map(|i| (i * i % 251) as u8).collect();
    let labels: Vec<u8> = (0..40).map(|i| i % 10).collect();
    let mut npz = zip::ZipWriter::new(std::fs::File::create(folder.join("data.npz")).unwrap());
    for (name, array) in [
        ("x_train.npy", npy("(40, 8, 8)", &pixels)),
        ("y_train.npy", npy("(40,)", &labels)),
        ("x_test.npy", npy("(10, 8, 8)", &pixels[640..1280])),
        ("y_test.npy", npy("(10,)", &labels[..10])),
    ] {
        npz.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        npz.write_all(&array).unwrap();
    }
    npz.finish().unwrap();
    let idx = |head: &[u32], data: &[u8]| {
        [&head.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<_>>(), data].concat()
    };
    let file = std::fs::File::create(folder.join("images.idx.gz")).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(file, flate2::Compression::default());
    gzip.write_all(&idx(&[0x803, 3, 2, 2], &[7; 12])).unwrap();
    gzip.finish().unwrap();
    std::fs::write(folder.join("labels.idx"), idx(&[0x801, 3], &[1, 2, 3])).unwrap();
    std::fs::write(folder.join("table.csv"), "y,a,b\none,2,3\ntwo,0.5,6\none,7,8\n").unwrap();
}

/// Refuses a program's requests one after the other; `how` is `once` or `on`.
fn refuse(threads: &str, how: &str) {
    let folder = tempfile::tempdir().unwrap();
    files(folder.path());
    let mut command = Command::new(program(folder.path(), "allocation.c"));
    command.arg(folder.path()).args([threads, how]).env("RUST_BACKTRACE", "0");
    print!("{}", stdout(&mut command));
}

#[test]
fn requests_refused_by_themselves() {
    refuse("1", "once");
}

#[test]
fn requests_refused_by_themselves_with_two_threads() {
    refuse("2", "once");
}

#[test]
fn requests_refused_and_all_that_follow() {
    refuse("1", "on");
}

#[test]
fn requests_refused_and_all_that_follow_with_two_threads() {
    refuse("2", "on");
}

#[test]
fn little_address_space() {
    let folder = tempfile::tempdir().unwrap();
    let data = Path::new(ROOT).join("examples/data/mnist.npz");
    print!("{}", stdout(Command::new(program(folder.path(), "limit.c")).arg(data).arg(folder.path())));
}
