//! Valid but unusual archives: supported members load, and the message for an unsupported member names the reason.

mod files;

use files::{Member, npy};
use mnist::ErrorKind;
use mnist::data::{Dataset, Npz};
use std::io::Write;
use std::path::Path;

fn write(folder: &Path, bytes: &[u8]) -> std::path::PathBuf {
    let path = folder.join("file.npz");
    std::fs::write(&path, bytes).unwrap();
    path
}

/// Sets the flags of all members in both of their headers.
fn flagged(mut file: Vec<u8>, flags: u8) -> Vec<u8> {
    for (mark, at) in [(b"PK\x03\x04", 6), (b"PK\x01\x02", 8)] {
        let places: Vec<_> = (0..file.len() - 10).filter(|&i| file[i..].starts_with(mark)).collect();
        places.into_iter().for_each(|i| file[i + at] = flags);
    }
    file
}

/// An array of a structured dtype.
fn fields() -> Vec<u8> {
    let text = "{'descr': [('a', '<i4'), ('b', '|u1')], 'fortran_order': False, 'shape': (2,), }\n";
    [b"\x93NUMPY\x01\x00", &(text.len() as u16).to_le_bytes()[..], text.as_bytes(), &[0; 10]].concat()
}

#[test]
fn a_member_that_nobody_asks_for_does_not_spoil_the_archive() {
    let folder = tempfile::tempdir().unwrap();
    let good = [
        Member::new("x.npy", true, &npy("|u1", "(2, 1, 2)", &[1, 2, 3, 4])),
        Member::new("y.npy", false, &npy(">i4", "(2,)", &[0, 0, 0, 3, 0, 0, 0, 9])),
    ];
    let array = |bytes: &[u8]| Member::new("z.npy", true, bytes);
    let packed = |method: u16| Member { method, ..Member::new("z.npy", false, b"whatever it is packed as") };
    let many = format!("({},)", vec!["1"; 99].join(","));
    let long = npy("|u1", &"1,".repeat(9000), &[]);
    let others = [
        (array(&fields()), Some(ErrorKind::Unsupported)),
        (array(b""), Some(ErrorKind::Format)),
        (array(b"no array at all"), Some(ErrorKind::Format)),
        (array(b"\x93NUMPY\x09\x00later"), Some(ErrorKind::Format)),
        (array(&npy("|u1", "(4,)", &[1; 4])[..30]), Some(ErrorKind::Format)),
        (array(&npy("|u1", &many, &[1])), Some(ErrorKind::Unsupported)),
        (array(&long), Some(ErrorKind::Format)),
        (packed(14), Some(ErrorKind::Unsupported)),
        (packed(99), Some(ErrorKind::Unsupported)),
        (Member { packed: vec![0xff; 9], ..array(&npy("|u1", "(4,)", &[1; 4])) }, Some(ErrorKind::Format)),
        (array(&npy("|O", "(2,)", b"\x80\x04K\x01.")), None),
        (array(&npy("<U3", "(2,)", &[0; 24])), None),
        (array(&npy("<M8[ns]", "(0,)", &[])), None),
        (array(&npy("|u1", "(0, 28, 28)", &[])), None),
        (array(&npy("|u1", "(4000000000, 1000)", &[])), None),
        (Member::new("folder/", false, b""), None),
        (Member::new("note.txt", true, b"a note"), None),
        (Member { crc: 7, ..array(&npy("|u1", "(4,)", &[1; 4])) }, None),
    ];
    for (other, kind) in others {
        for place in 0..3 {
            let mut members = good.to_vec();
            members.insert(place, other.clone());
            let path = write(folder.path(), &files::zip(&members));
            let data = Dataset::from_npz(&path, "x", "y").unwrap();
            assert_eq!((data.shape(), data.labels()), (vec![2, 1, 2], Some(&[3, 9][..])));
            let npz = Npz::open(&path).unwrap();
            assert_eq!((npz.shape("x").unwrap(), npz.shape("y").unwrap()), (&[2, 1, 2][..], &[2][..]));
            assert_eq!(npz.names().any(|name| name == "z"), other.name == "z.npy");
            if let Some(kind) = kind {
                for error in [npz.shape("z").unwrap_err(), Dataset::from_npz(&path, "z", "y").unwrap_err()] {
                    files::verdict::check_error(&error);
                    assert_eq!(error.kind(), kind, "{error}");
                    assert!(error.to_string().contains("file.npz: member z: "), "{error}");
                }
            }
        }
    }
}

#[test]
fn a_compression_or_an_encryption_that_is_not_there_is_told_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let images = npy("|u1", "(2, 1, 2)", &[1, 2, 3, 4]);
    let archive = |method: u16, extra: &[u8]| {
        let member = |name: &str, array: &[u8]| Member {
            method,
            extra: extra.to_vec(),
            ..Member::new(name, method == 8, array)
        };
        files::zip(&[member("x.npy", &images), member("y.npy", &npy("|u1", "(2,)", &[0; 2]))])
    };
    let aes = b"\x01\x99\x07\0\x02\0AE\x03\x08\0";
    let mut cases = vec![
        ("AES encryption".to_string(), flagged(archive(99, aes), 1)),
        ("AES encryption".to_string(), flagged(archive(99, b""), 1)),
        ("encryption with a password (ZipCrypto)".to_string(), flagged(archive(0, b""), 1)),
        ("encryption with a password (ZipCrypto)".to_string(), flagged(archive(8, b""), 1)),
        ("compression method 77".to_string(), archive(77, b"")),
    ];
    let methods = [
        (1, "Shrink"),
        (4, "Reduce"),
        (6, "Implode"),
        (9, "Deflate64"),
        (12, "bzip2"),
        (14, "LZMA"),
        (20, "Zstandard"),
        (93, "Zstandard"),
        (95, "xz"),
        (98, "PPMd"),
    ];
    cases.extend(methods.map(|(method, name)| (format!("{name} (compression method {method})"), archive(method, b""))));
    for (name, bytes) in cases {
        let path = write(folder.path(), &bytes);
        let error = Dataset::from_npz(&path, "x", "y").unwrap_err();
        let text = error.to_string();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{text}");
        let end = format!(
            "a member with an unsupported compression or encryption: expected stored or deflated, found {name}"
        );
        assert!(text.contains("file.npz: member ") && text.ends_with(&end), "{text}");
        assert_eq!(Npz::open(&path).unwrap().names().collect::<Vec<_>>(), ["x", "y"]);
    }
}

#[test]
fn images_and_labels_of_every_type_from_one_archive_or_two() {
    let folder = tempfile::tempdir().unwrap();
    let images = folder.path().join("k49-train-imgs.npz");
    std::fs::write(&images, files::zip(&[Member::new("arr_0.npy", true, &npy("|u1", "(2, 6)", &[9; 12]))])).unwrap();
    for (descr, one) in [
        ("|b1", vec![1]),
        ("|u1", vec![1]),
        ("|i1", vec![1]),
        ("<u2", vec![1, 0]),
        (">u2", vec![0, 1]),
        ("<i2", vec![1, 0]),
        (">i2", vec![0, 1]),
        ("<u4", vec![1, 0, 0, 0]),
        (">u4", vec![0, 0, 0, 1]),
        ("<i4", vec![1, 0, 0, 0]),
        (">i4", vec![0, 0, 0, 1]),
        ("<u8", vec![1, 0, 0, 0, 0, 0, 0, 0]),
        (">u8", vec![0, 0, 0, 0, 0, 0, 0, 1]),
        ("<i8", vec![1, 0, 0, 0, 0, 0, 0, 0]),
        (">i8", vec![0, 0, 0, 0, 0, 0, 0, 1]),
        (">f2", vec![0x3c, 0]),
        ("<f4", 1f32.to_le_bytes().to_vec()),
        (">f8", 1f64.to_be_bytes().to_vec()),
    ] {
        let array = |name: &str, shape: &str| Member::new(name, true, &npy(descr, shape, &one.repeat(2)));
        let labels = write(folder.path(), &files::zip(&[array("arr_0.npy", "(2,)"), array("x.npy", "(2, 1, 1)")]));
        let mut data = Dataset::from_npz_pair(&images, "arr_0", &labels, "arr_0").unwrap();
        assert_eq!((data.labels(), data.shape()), (Some(&[1, 1][..]), vec![2, 6]), "{descr}");
        data.reshape(&[3, 2]).unwrap();
        assert_eq!(data.image_shape(), [3, 2, 1]);
        let data = Dataset::from_npz(&labels, "x", "arr_0").unwrap();
        let mut pixel = [0.0];
        data.image(1, &mut pixel).unwrap();
        assert_eq!((pixel, data.labels()), ([1.0], Some(&[1, 1][..])), "{descr}");
    }
    let few = write(folder.path(), &files::zip(&[Member::new("arr_0.npy", true, &npy("|u1", "(3,)", &[0; 3]))]));
    let error = Dataset::from_npz_pair(&images, "arr_0", &few, "arr_0").unwrap_err();
    let text = error.to_string();
    assert!(error.kind() == ErrorKind::Shape && text.contains("k49-train-imgs.npz and "), "{text}");
}

#[test]
fn archives_of_more_members_than_16_bits_count() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let mut add = |name: &str, array: &[u8]| {
        writer.start_file(name, options).unwrap();
        writer.write_all(array).unwrap();
    };
    add("x.npy", &npy("|u1", "(2, 1, 2)", &[1, 2, 3, 4]));
    (0..66_000).for_each(|i| add(&format!("{i}.npy"), b""));
    add("y.npy", &npy("|u1", "(2,)", &[5, 6]));
    let archive = writer.finish().unwrap().into_inner();
    let prefixed = [&b"something before it"[..], &archive].concat();
    for sound in [&archive, &prefixed] {
        let path = write(folder.path(), sound);
        assert_eq!(Npz::open(&path).unwrap().names().len(), 66_002);
        assert_eq!(Dataset::from_npz(&path, "x", "y").unwrap().labels(), Some(&[5, 6][..]));
    }
    // The 64-bit record, its locator, and the 16-bit record that refers to them.
    let end = archive.len() - 22;
    for (at, what) in
        [(end - 20 + 8, "a locator"), (end - 76 + 40, "a size"), (end - 76 + 48, "a place"), (end - 76 + 4, "a length")]
    {
        let mut damaged = archive.clone();
        damaged[at] ^= 1;
        let error = Npz::open(&write(folder.path(), &damaged)).map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Format, "{what}: {error}");
    }
}
