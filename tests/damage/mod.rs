//! A valid file damaged by every single change, and the results of loading it.

pub mod tensors;

use crate::files::npy;
use crate::files::verdict::{check_error, check_memory, measured};
use mnist::Result;
use mnist::data::Dataset;
use std::path::{Path, PathBuf};

/// All files with one change to `file`: a changed byte, a changed field of two, four or eight bytes, truncation at each length, and
/// of the parts that end at `ends` one removed, repeated, or swapped with another.
pub fn of<'a>(file: &'a [u8], ends: &'a [usize]) -> impl Iterator<Item = Vec<u8>> + 'a {
    let bytes = (0..file.len()).flat_map(|at| {
        let byte = file[at];
        [byte ^ 1, byte ^ 0x80, byte ^ 0x20, byte.wrapping_add(1), 0, 0xff].map(|byte| replace(file, at, &[byte]))
    });
    let fields = [2, 4, 8].into_iter().flat_map(move |width| {
        let values = [0, u64::MAX, file.len() as u64, 1 << (8 * width - 1)];
        (0..file.len().saturating_sub(width)).flat_map(move |at| {
            let little = values.map(|value| replace(file, at, &value.to_le_bytes()[..width]));
            let big = values.map(|value| replace(file, at, &value.to_be_bytes()[8 - width..]));
            little.into_iter().chain(big)
        })
    });
    let cuts = (0..file.len()).map(|len| file[..len].to_vec());
    bytes.chain(fields).chain(cuts).chain(moved(file, ends)).filter(move |damaged| damaged != file)
}

fn replace(file: &[u8], at: usize, bytes: &[u8]) -> Vec<u8> {
    [&file[..at], bytes, &file[at + bytes.len()..]].concat()
}

fn moved(file: &[u8], ends: &[usize]) -> Vec<Vec<u8>> {
    let ends = ends.iter().copied().chain([file.len()]);
    let parts: Vec<&[u8]> = ends.scan(0, |start, end| Some(&file[std::mem::replace(start, end)..end])).collect();
    let mut all = Vec::new();
    for i in 0..parts.len() {
        all.push([&parts[..i], &parts[i + 1..]].concat().concat());
        all.push([&parts[..=i], &parts[i..]].concat().concat());
        for j in i + 1..parts.len() {
            let mut other = parts.clone();
            other.swap(i, j);
            all.push(other.concat());
        }
    }
    all
}

/// A folder in memory, if there is one, because thousands of files are written and synced.
pub fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// Damaged files, each loaded once.
pub struct Trials {
    what: &'static str,
    folder: tempfile::TempDir,
    /// The memory limit of a load, and per byte of the file.
    promised: (usize, usize),
    tried: usize,
    loaded: usize,
}

impl Trials {
    pub fn new(what: &'static str, fixed: usize, per_byte: usize) -> Self {
        Trials { what, folder: folder(), promised: (fixed, per_byte), tried: 0, loaded: 0 }
    }

    /// The path of another file in the folder of the damaged files.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Lets `task` load `file`; it returns the content or a valid error.
    pub fn load<R>(&mut self, file: &[u8], task: impl FnOnce(&Path) -> Result<R>) -> Result<R> {
        let path = self.path("damaged");
        std::fs::write(&path, file).unwrap();
        let (result, most) = measured(|| task(&path));
        check_memory(most, self.promised.0 + self.promised.1 * file.len());
        self.tried += 1;
        self.loaded += usize::from(result.is_ok());
        result.inspect_err(check_error)
    }

    /// Prints the counts; there must be at least `least` files, of which some are refused and some load.
    pub fn report(&self, least: usize) {
        let Trials { what, tried, loaded, .. } = self;
        println!("{what}: {tried} damaged files tried, {} refused, {loaded} loaded as what they say", tried - loaded);
        assert!(*tried >= least && *loaded > 0 && loaded < tried, "{tried} tried, {loaded} loaded");
    }
}

/// The content of a dataset.
#[derive(Clone, Debug, PartialEq)]
pub struct Content {
    pub shape: Vec<usize>,
    pub pixels: Vec<f32>,
    pub labels: Vec<u32>,
}

pub fn content(data: Dataset) -> Content {
    let len = data.image_shape().iter().product();
    let mut pixels = vec![0.0; data.len() * len];
    pixels.chunks_exact_mut(len).enumerate().for_each(|(i, image)| data.image(i, image).unwrap());
    Content { shape: data.shape(), pixels, labels: data.labels().unwrap().to_vec() }
}

pub fn contents((train, test): (Dataset, Dataset)) -> [Content; 2] {
    [content(train), content(test)]
}

/// The arrays of a small archive.
pub fn arrays() -> Vec<(&'static str, Vec<u8>)> {
    let floats: Vec<u8> = [0.5f32, -1.0, 2.0, 1e9].iter().flat_map(|value| value.to_le_bytes()).collect();
    vec![
        ("x_train.npy", npy("|u1", "(3, 2, 2)", &[3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8])),
        ("y_train.npy", npy("|u1", "(3,)", &[1, 0, 2])),
        ("x_test.npy", npy("<f4", "(2, 2, 1, 1)", &floats)),
        ("y_test.npy", npy("<i8", "(2, 1)", &[0; 16])),
    ]
}
