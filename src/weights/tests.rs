//! Round trips of files, and invalid files.

use super::*;
use crate::error::ErrorKind;
use crate::files::Content;
use std::fs;
use std::io::{Cursor, Read, Seek};
use std::path::Path;

fn entry<'a>(name: &str, shape: &[usize], values: &'a [f32]) -> Entry<'a> {
    Entry { name: name.into(), shape: shape.to_vec(), values: Values::F32(values) }
}

fn save(path: &Path, entries: &[Entry]) -> Result<()> {
    save_with(path, &[("format", "mnist")], entries)
}

fn save_with(path: &Path, metadata: &[(&str, &str)], entries: &[Entry]) -> Result<()> {
    files::save(&FilePath::of(path)?, |out| write(out, metadata, entries))
}

fn wanted(tensors: &[(&str, &[usize])]) -> Vec<Expected> {
    let expected = |(name, shape): &(&str, &[usize])| Expected {
        name: name.to_string(),
        dtype: Dtype::F32,
        shape: shape.to_vec(),
    };
    tensors.iter().map(expected).collect()
}

/// Reads exactly the expected tensors.
fn parse<R: Read + Seek>(mut file: TensorFile<R>, expected: &[Expected]) -> Result<Vec<Vec<f32>>> {
    file.check(expected, |_| false)?;
    let tensor = |Expected { name, shape, .. }: &Expected| {
        let mut values = vec![0.0; shape.iter().product()];
        file.read_f32(name, &mut values).map(|()| values)
    };
    expected.iter().map(tensor).collect()
}

fn parse_bytes(bytes: &[u8], expected: &[Expected]) -> Result<Vec<Vec<f32>>> {
    TensorFile::new(Cursor::new(bytes), bytes.len() as u64).and_then(|file| parse(file, expected))
}

fn load(path: &Path, expected: &[Expected]) -> Result<Vec<Vec<f32>>> {
    let path = FilePath::of(path)?;
    Content::at(&path).and_then(open).and_then(|file| parse(file, expected)).at(&path)
}

fn sample_entries() -> [Entry<'static>; 2] {
    [
        entry("dense/kernel", &[2, 3], &[0.0, -1.5, f32::INFINITY, 1e-40, f32::MAX, -0.0]),
        entry("dense/bias", &[3], &[1.0, 2.0, 3.0]),
    ]
}

fn sample_wanted() -> Vec<Expected> {
    wanted(&[("dense/kernel", &[2, 3]), ("dense/bias", &[3])])
}

/// The bytes of a file of the sample.
fn sample_bytes() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    save(&path, &sample_entries()).unwrap();
    fs::read(path).unwrap()
}

/// A file with this header and so many bytes of data.
fn by_hand(header: &str, data_len: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.resize(bytes.len() + data_len, 0);
    bytes
}

fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn what_is_saved_comes_back_to_the_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    fs::write(&path, "old").unwrap();
    let entries = sample_entries();
    save(&path, &entries).unwrap();
    assert_eq!(names_in(folder.path()), ["w.safetensors"]);
    let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    let loaded = load(&path, &sample_wanted()).unwrap();
    assert_eq!(loaded.len(), 2);
    for (values, entry) in loaded.iter().zip(&entries) {
        let Values::F32(saved) = entry.values else { panic!() };
        assert_eq!(bits(values), bits(saved));
    }
}

#[test]
fn not_a_number_is_a_value_too() {
    let header = r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#; // 54 bytes: data starts unaligned
    let mut bytes = by_hand(header, 4);
    let data = bytes.len() - 4;
    bytes[data..].copy_from_slice(&f32::NAN.to_le_bytes());
    assert!(parse_bytes(&bytes, &wanted(&[("a", &[1])])).unwrap()[0][0].is_nan());
}

#[test]
fn a_save_that_fails_leaves_everything_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("taken")).unwrap();
    fs::write(folder.path().join("taken/inside"), "").unwrap();
    let error = save(&folder.path().join("taken"), &sample_entries()).unwrap_err();
    assert!(error.to_string().starts_with(&*folder.path().join("taken").to_string_lossy()), "{error}");
    let old = folder.path().join("old");
    fs::write(&old, "old").unwrap();
    let short = save(&old, &[entry("dense/bias", &[4], &[1.0])]).unwrap_err();
    assert_eq!(short.kind(), ErrorKind::Shape);
    let text = "old: tensor dense/bias: values and shape disagree: expected the elements of [4], found 1 values";
    assert!(short.to_string().ends_with(text), "{short}");
    let twice = save(&old, &[entry("a", &[1], &[1.0]), entry("a", &[1], &[1.0])]).unwrap_err();
    assert_eq!(twice.kind(), ErrorKind::InvalidArgument);
    assert_eq!(fs::read(&old).unwrap(), b"old");
    assert_eq!(names_in(folder.path()), ["old", "taken"]);
    assert_eq!(save(&folder.path().join("no/w"), &[]).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(save(Path::new(""), &[]).unwrap_err().kind(), ErrorKind::InvalidArgument);
}

#[test]
fn doubles_come_back_beside_floats_and_the_same_entries_make_the_same_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w");
    let (loss, none) = ([0.1 + 0.2, f64::from_bits(0xfff8_0000_0000_0001), 5e-324], []);
    let double = |name: &str, values| Entry { name: name.into(), shape: vec![3], values: Values::F64(values) };
    let mut entries = vec![entry("a", &[1], &[1.0]), double("z", &loss), entry("empty", &[0, 7], &none)];
    save_with(&path, &[("a", "1"), ("b", "\"2\""), ("c", "3")], &entries).unwrap();
    let bytes = fs::read(&path).unwrap();
    let mut file = Content::at(&FilePath::of(&path).unwrap()).and_then(open).unwrap();
    let mut back = [0.0; 3];
    file.read_f64("z", &mut back).unwrap();
    assert_eq!(back.map(f64::to_bits), loss.map(f64::to_bits));
    assert_eq!((file.metadata("b"), file.metadata("d")), (Some("\"2\""), None));
    assert_eq!(file.read_f32("z", &mut [0.0; 3]).unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(file.read_f64("z", &mut [0.0; 2]).unwrap_err().kind(), ErrorKind::Shape);
    drop(file);
    entries.reverse();
    save_with(&path, &[("a", "1"), ("b", "\"2\""), ("c", "3")], &entries).unwrap();
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn what_is_no_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let missing = load(&folder.path().join("none"), &[]).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    let directory = load(folder.path(), &[]).unwrap_err();
    assert_eq!(directory.kind(), ErrorKind::Io);
    let text = format!("{}: cannot be read: expected a file, found a directory", folder.path().display());
    assert_eq!(directory.to_string(), text);
    let empty = folder.path().join("empty");
    fs::write(&empty, "").unwrap();
    let text = format!("{}: the file is empty: expected a safetensors file", empty.display());
    assert_eq!(load(&empty, &[]).unwrap_err().to_string(), text);
}

#[test]
fn tensors_that_do_not_fit_are_named() {
    use ErrorKind::{NotFound, Shape, Unsupported};
    let bytes = sample_bytes();
    let kernel: (&str, &[usize]) = ("dense/kernel", &[2, 3]);
    let cases = [
        (
            wanted(&[kernel, ("b", &[3])]),
            NotFound,
            "tensor b: missing tensor: expected F32 [3], found none of that name; the file has dense/bias, dense/kernel",
        ),
        (wanted(&[kernel]), Shape, "tensor dense/bias: unexpected tensor: expected none of that name, found F32 [3]"),
        (
            wanted(&[kernel, ("dense/bias", &[4])]),
            Shape,
            "tensor dense/bias: wrong shape: expected F32 [4], found F32 [3]",
        ),
    ];
    for (expected, kind, text) in cases {
        let error = parse_bytes(&bytes, &expected).unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (kind, text));
    }
    let double = by_hand(r#"{"a":{"dtype":"F64","shape":[2],"data_offsets":[0,16]}}"#, 16);
    let error = parse_bytes(&double, &wanted(&[("a", &[2])])).unwrap_err();
    let text = "tensor a: wrong dtype: expected F32 [2], found F64 [2]";
    assert_eq!((error.kind(), error.to_string().as_str()), (Unsupported, text));
}

#[test]
fn a_shortened_file_names_the_tensor_it_ends_in() {
    let bytes = sample_bytes(); // sorted by name: 12 bytes of bias, 24 of kernel
    for (missing, tensor) in [(1, "dense/kernel"), (24, "dense/kernel"), (25, "dense/bias"), (36, "dense/bias")] {
        let short = &bytes[..bytes.len() - missing];
        let error = parse_bytes(short, &sample_wanted()).unwrap_err();
        let text = format!("tensor {tensor}: the file ends inside it: found {} bytes", short.len());
        assert_eq!((error.kind(), error.to_string()), (ErrorKind::Format, text));
    }
    let error = parse_bytes(&bytes[..40], &sample_wanted()).unwrap_err();
    assert_eq!(error.to_string(), "the file ends inside its header: found 40 bytes");
    let mut long = bytes;
    long.push(0);
    let error = parse_bytes(&long, &sample_wanted()).unwrap_err();
    assert!(error.to_string().starts_with("the header's tensors do not end where the file ends"), "{error}");
}

#[test]
fn hostile_headers_are_refused() {
    let name = "\\u0000".repeat(5000);
    let cases = [
        by_hand("", 0),
        by_hand("{}", 4),
        by_hand(&format!(r#"{{"{name}":{{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}}}"#), 4),
        by_hand(r#"{"a":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,4398046511104]}}"#, 4),
        by_hand(r#"{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}"#, 0),
        by_hand(r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#, 4),
        [u64::MAX.to_le_bytes(), [b' '; 8]].concat(),
        [1_000_000_000u64.to_le_bytes(), [b' '; 8]].concat(),
    ];
    for bytes in cases {
        let text = parse_bytes(&bytes, &[]).unwrap_err().to_string();
        assert!(text.len() < 1000 && !text.contains('\0'), "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn damaged_files_never_panic(
        flips in proptest::collection::vec((0usize..1000, 1u8..), 0..4),
        cut in 0usize..1000,
    ) {
        let mut bytes = sample_bytes();
        let len = bytes.len();
        for (at, bits) in flips {
            bytes[at % len] ^= bits;
        }
        bytes.truncate(cut.max(1) % (len + 1));
        if let Ok(tensors) = parse_bytes(&bytes, &sample_wanted()) {
            proptest::prop_assert_eq!(tensors.iter().map(Vec::len).collect::<Vec<_>>(), [6, 3]);
        }
    }
}

#[test]
#[cfg(unix)]
fn only_files_are_replaced_and_links_are_followed() {
    use std::os::unix::net::UnixListener;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let _socket = UnixListener::bind(at("socket")).unwrap();
    for taken in [at("socket"), folder.path().to_path_buf()] {
        assert_eq!(save(&taken, &[]).unwrap_err().kind(), ErrorKind::Io);
        assert!(!std::fs::symlink_metadata(&taken).unwrap().is_file());
    }
    std::fs::write(at("real"), b"old").unwrap();
    std::os::unix::fs::symlink("real", at("link")).unwrap();
    save(&at("link"), &[]).unwrap();
    assert!(std::fs::symlink_metadata(at("link")).unwrap().is_symlink());
    assert_ne!(std::fs::read(at("real")).unwrap(), b"old");
}
