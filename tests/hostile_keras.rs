//! Keras's files with every byte damaged, one at a time: each is refused with a message that names a part, or loads. None
//! causes a panic, and none makes its reader use more memory than promised.
#![cfg(feature = "keras")]

mod files;

use files::verdict::{check_error, check_memory, measured};
use mnist::Result;
use mnist::graph::Graph;
use mnist::keras_files::h5::{SIGNATURE, lookup3};
use mnist::layers::Activation;
use mnist::model::Model;
use std::path::Path;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// The memory limit for loading, and per byte of the file: decompressed it may be 1,032 times as long.
const FIXED: usize = 4 << 20;
const FILE: usize = 1 << 11;
/// The time limit for a load while other tests run.
const TIME: Duration = Duration::from_secs(5);

/// One test at a time, because memory is measured for the whole process.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn recorded(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/interop/keras").join(name)).unwrap()
}

/// The values with which a byte is replaced, one after the other.
fn changes(byte: u8) -> [u8; 2] {
    [!byte, byte.wrapping_add(8)]
}

/// The positions of bytes to change: not those surrounded by zeros.
fn places(file: &[u8]) -> impl Iterator<Item = usize> {
    let is_full = |&at: &usize| file[at.saturating_sub(8)..(at + 9).min(file.len())].iter().any(|&byte| byte != 0);
    (0..file.len()).filter(is_full)
}

/// A function that corrects the checksums of a damaged file.
type Mend = fn(&mut [u8]);

/// Loads the file with each byte changed in several ways, after correcting checksums with `mended`.
fn damage(name: &str, mend: Mend, load: &dyn Fn(&[u8]) -> Result<()>) -> [usize; 2] {
    let whole = recorded(name);
    load(&whole).unwrap_or_else(|error| panic!("{name}: {error}"));
    let (mut refused, mut loaded) = (0, 0);
    for at in places(&whole) {
        for byte in changes(whole[at]) {
            let mut damaged = whole.clone();
            damaged[at] = byte;
            mend(&mut damaged);
            let start = Instant::now();
            let (result, most) = measured(|| load(&damaged));
            check_memory(most, FIXED + FILE * damaged.len());
            assert!(start.elapsed() < TIME, "{name}: byte {at} as {byte} takes {:?}", start.elapsed());
            match result {
                Ok(()) => loaded += 1,
                Err(error) => {
                    check_error(&error);
                    refused += 1;
                }
            }
        }
    }
    assert!(refused > 100, "{name}: {refused}");
    [refused, loaded]
}

/// Prints the results for some files.
fn say(what: &str, counts: &[[usize; 2]]) {
    let [refused, loaded] = [0, 1].map(|i| counts.iter().map(|count| count[i]).sum::<usize>());
    println!("{what}: {} damaged files: {refused} refused, {loaded} loaded", refused + loaded);
}

fn whole_model(bytes: &[u8]) -> Result<()> {
    Model::load_memory(bytes).map(drop)
}

/// The network of `tests/interop/h5_forms.py`.
fn dense() -> Model {
    let mut graph = Graph::new();
    let x = graph.input(&[5]).unwrap();
    let y = graph.dense(x, 7, Activation::Linear).unwrap();
    Model::new(&graph, x, y, "dense").unwrap()
}

/// Leaves a file as it is.
fn leave(_: &mut [u8]) {}

/// Corrects the checksums of the superblock and of the object headers, if there are any.
fn mend(file: &mut [u8]) {
    let sum = |file: &mut [u8], at: usize, len: usize| {
        if let Some((body, sum)) = file.get_mut(at..at + len).and_then(|bytes| bytes.split_last_chunk_mut::<4>()) {
            *sum = lookup3(body).to_le_bytes();
        }
    };
    sum(file, 0, 48);
    for at in 48..file.len().saturating_sub(24) {
        if !file[at..].starts_with(b"OHDR") {
            continue;
        }
        let flags = file[at + 5];
        let width = 1 << (flags & 3);
        let before = 6 + if flags & 0x20 != 0 { 16 } else { 0 } + if flags & 0x10 != 0 { 4 } else { 0 };
        let len =
            file[at + before..].iter().take(width.min(2)).rev().fold(0, |len, &byte| len << 8 | usize::from(byte));
        sum(file, at, before + width + len + 4);
    }
}

#[test]
fn damaged_weights_are_refused_or_loaded() {
    let _turn = turn();
    let model = dense();
    let load = |bytes: &[u8]| model.load_weights_memory(bytes);
    let old = ["contiguous", "parts-gzip-shuffle", "growing", "compact", "ordered"].map(|form| (form, leave as Mend));
    let new = ["latest", "latest-compact"].map(|form| (form, mend as Mend));
    let all = old.into_iter().chain(new);
    let counts: Vec<_> = all.map(|(form, mend)| damage(&format!("forms/{form}.h5"), mend, &load)).collect();
    say("weights in HDF", &counts);
}

#[test]
fn damaged_models_in_hdf5_are_refused_or_loaded() {
    let _turn = turn();
    say("models in HDF", &["tiny.h5", "tiny.legacy.h5"].map(|name| damage(name, leave, &whole_model)));
}

#[test]
fn a_damaged_archive_is_refused_or_loaded() {
    let _turn = turn();
    say("models in archives", &[damage("tiny.keras", leave, &whole_model)]);
}

/// This library writes checksums in every header; they are corrected after a change.
#[test]
fn damage_in_what_is_written_here_is_refused_or_loaded() {
    let _turn = turn();
    let model = Model::load_memory(&recorded("tiny.keras")).unwrap();
    let file = model.saved_keras().unwrap();
    let at = file.all().windows(8).position(|bytes| bytes == SIGNATURE).unwrap();
    let end = file.all().windows(4).position(|bytes| bytes == b"PK\x01\x02").unwrap();
    let weights = &file.all()[at..end];
    for at in places(weights) {
        for byte in changes(weights[at]) {
            let mut damaged = weights.to_vec();
            damaged[at] = byte;
            mend(&mut damaged);
            let (result, most) = measured(|| model.load_weights_memory(&damaged));
            check_memory(most, FIXED + FILE * damaged.len());
            result.err().iter().for_each(check_error);
        }
    }
}
