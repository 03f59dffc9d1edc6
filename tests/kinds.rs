//! Files of the wrong kind: for every file and every reader, the message names the kind of the file and the expected kind.

mod files;

use files::trained::{self, data, model};
use files::{Member, gzip, idx, npy, safetensors, zip};
use mnist::data::{Dataset, Npz, load_data};
use mnist::model::Model;
use mnist::{Error, ErrorKind};
use std::path::Path;

/// Kinds of files, by their name in messages.
fn kinds() -> Vec<(&'static str, Vec<u8>)> {
    let html = "<!DOCTYPE html>\n<html><head><title>404</title></head></html>\n";
    let utf16 = |start: [u8; 2], text: &str, big: bool| {
        let units = text.encode_utf16().flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() });
        start.into_iter().chain(units).collect::<Vec<u8>>()
    };
    let member = |name: &str| Member::new(name, false, b"content");
    let padded = |at: usize, mark: &[u8]| [&vec![b'x'; at][..], mark, &vec![0; 512]].concat();
    let lfs = "version https://git-lfs.github.com/spec/v1\noid sha256:4665bb\nsize 11490434\n";
    let tar = padded(257, b"ustar\x0000");
    vec![
        ("a web page (HTML)", html.into()),
        ("a web page (HTML)", [b"\xef\xbb\xbf", html.as_bytes()].concat()),
        ("a web page (HTML)", [b"\r\n \t\n", html.as_bytes()].concat()),
        ("a web page (HTML)", utf16([0xff, 0xfe], html, false)),
        ("a web page (HTML)", utf16([0xfe, 0xff], html, true)),
        ("a web page (HTML)", b"<?xml version=\"1.0\"?>\n<html xmlns=\"\"></html>".to_vec()),
        ("an XML document", b"<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>".to_vec()),
        ("a Git LFS pointer", lfs.into()),
        ("a single NumPy array (.npy)", npy("|u1", "(2, 2, 2)", &[1; 8])),
        ("an HDF5 file (.h5", b"\x89HDF\r\n\x1a\n\0\0\0\0\0\x08\x08\0\x04\0\x10\0".to_vec()),
        ("a Keras model (.keras)", zip(&[member("metadata.json"), member("config.json"), member("model.weights.h5")])),
        ("a PyTorch file", zip(&[member("archive/data.pkl"), member("archive/data/0"), member("archive/version")])),
        ("a PyTorch file", b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.".to_vec()),
        ("a zip archive without arrays", zip(&[member("readme.txt")])),
        ("a Python pickle", b"\x80\x02}q\0X\x01\0\0\0aq\x01K\x01s.".to_vec()),
        ("a Python pickle", b"\x80\x04\x95\x0a\0\0\0\0\0\0\0}\x94\x8c\x01a\x94K\x01s.".to_vec()),
        ("a Python pickle", b"(dp0\nVa\np1\nI1\ns.".to_vec()),
        ("a Python pickle", b"((cnumpy.core.multiarray\n_reconstruct\np1\n".to_vec()),
        ("a Python pickle", gzip(b"\x80\x02((cnumpy.core.multiarray\n_reconstruct\nq\x01")),
        ("zlib data", b"\x78\x9c\x4b\x4c\x4a\x06\0".to_vec()),
        ("a gzip file", gzip(&gzip(&idx(&[2, 1, 1], &[1, 2])))),
        ("a web page (HTML)", gzip(html.as_bytes())),
        ("a tar archive", gzip(&tar)),
        ("a single NumPy array (.npy)", gzip(&npy("|u1", "(2, 2, 2)", &[1; 8]))),
        ("a tar archive", tar),
        ("an xz file", b"\xfd7zXZ\0\0\x04\xe6\xd6\xb4\x46".to_vec()),
        ("a bzip2 file", b"BZh91AY&SY\0\x01\x02".to_vec()),
        ("a Zstandard file", b"\x28\xb5\x2f\xfd\x24\x05\x29\0\0hello".to_vec()),
        ("a PNG picture", b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec()),
        ("a JPEG picture", b"\xff\xd8\xff\xe0\0\x10JFIF\0".to_vec()),
        ("JSON text", b"{\"a\": [1, 2, 3], \"b\": \"a longer text of JSON\"}".to_vec()),
        ("JSON text", b"\n  [[0, 1], [2, 3]]\n".to_vec()),
        ("text that begins `404: Not Found`", b"404: Not Found".to_vec()),
        ("an ONNX model", b"\x08\x08\x12\x07pytorch\x1a\x052.1.0:\x0c".to_vec()),
        ("zeros", vec![0; 100]),
        ("the file is empty", Vec::new()),
    ]
}

/// The files that the library reads, each of which is of the wrong kind for the other readers.
fn ours() -> [(&'static str, Vec<u8>); 5] {
    [
        ("a table in text (CSV)", b"label,pixel0,pixel1\n5,0,255\n4,1,2\n".to_vec()),
        ("an npz archive", trained::archive(true)),
        ("an IDX file", idx(&[2, 2, 2], &[7; 8])),
        ("an IDX file", gzip(&idx(&[2], &[1, 0]))),
        (
            "a safetensors file",
            safetensors("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", &[0; 4]),
        ),
    ]
}

/// All readers, with the kind that they expect and the message for their own kind.
fn loaders(path: &Path, folder: &Path) -> Vec<(&'static str, &'static str, Error)> {
    let good = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let archive = good("good.npz", &trained::archive(false));
    let (images, labels) = (good("images", &idx(&[2, 2, 2], &[7; 8])), good("labels", &idx(&[2], &[0, 1])));
    let small = model();
    let before = trained::weights(&small, &folder.join("before"));
    let (npz, idx, tensors) = ("an npz archive of arrays", "an IDX file", "a safetensors file");
    #[allow(unused_mut)] // without ONNX
    let mut found = vec![
        ("load_data", npz, load_data(Some(path)).unwrap_err()),
        ("npz", npz, Npz::open(path).err().expect("a refusal")),
        ("from_npz", npz, Dataset::from_npz(path, "x_train", "y_train").unwrap_err()),
        ("pair's images", npz, Dataset::from_npz_pair(path, "x_train", &archive, "y_train").unwrap_err()),
        ("pair's labels", npz, Dataset::from_npz_pair(&archive, "x_train", path, "y_train").unwrap_err()),
        ("IDX images", idx, Dataset::from_idx(path, &labels).unwrap_err()),
        ("IDX labels", idx, Dataset::from_idx(&images, path).unwrap_err()),
        ("table", "a table in text (CSV)", Dataset::from_csv(path, Some("label")).unwrap_err()),
        ("load_weights", tensors, small.load_weights(path).unwrap_err()),
        ("model_load", tensors, Model::load(path).err().expect("a refusal")),
        ("resume", tensors, trained::fit(&small, &data(), 1, (path, true), 1).expect_err("a refusal")),
    ];
    #[cfg(feature = "onnx")]
    found.push(("load_onnx", "an ONNX model", mnist::onnx::load(path).err().expect("a refusal")));
    assert!(trained::weights(&small, &folder.join("after")) == before, "weights have changed");
    found
}

/// Checks that an error names the file, the expected kind and the kind found.
fn check(who: &str, error: &Error, path: &Path, expected: &str, what: &str) {
    let text = error.to_string();
    files::verdict::check_error(error);
    assert_eq!(error.kind(), ErrorKind::Format, "{who}: {text}");
    assert!(text.starts_with(path.to_str().unwrap()), "{who}: {text}");
    assert!(text.contains(&format!("expected {expected}")) && text.contains(what), "{who}, {what}: {text}");
}

/// Kinds from which models and weights are read if the build includes them; these files are damaged.
const MODELS: [&str; 3] = ["an HDF5 file (.h5", "a Keras model (.keras)", "an ONNX model"];

/// Checks that an error names the file, and has the kind of a damaged file or of a build without the format.
fn check_model(who: &str, error: &Error, path: &Path) {
    let text = error.to_string();
    files::verdict::check_error(error);
    assert!(matches!(error.kind(), ErrorKind::Format | ErrorKind::Unsupported), "{who}: {text}");
    assert!(text.starts_with(path.to_str().unwrap()) && !text.contains("wrong kind"), "{who}: {text}");
}

#[test]
fn every_loader_names_every_kind_that_it_does_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wrong");
    let mut checked = 0;
    for (what, bytes) in kinds() {
        // Unchanged, and extended so that its first eight bytes can be the length of a header.
        let pad = if bytes.is_ascii() { b' ' } else { 0x55 };
        for padding in [0, 1 << 20] {
            if padding > 0 && (bytes.is_empty() || what.starts_with("zeros") || bytes.starts_with(&[0x1f, 0x8b])) {
                continue;
            }
            std::fs::write(&path, [&bytes[..], &vec![pad; padding]].concat()).unwrap();
            for (who, expected, error) in loaders(&path, folder.path()) {
                let models = ["load_weights", "model_load"].contains(&who) && MODELS.contains(&what);
                if models || (who, what) == ("load_onnx", "an ONNX model") {
                    check_model(who, &error, &path);
                } else {
                    check(who, &error, &path, expected, what);
                }
                checked += 1;
            }
        }
    }
    assert!(checked > 500, "{checked}");
}

#[test]
fn what_one_loader_reads_another_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wrong");
    for (what, bytes) in ours() {
        std::fs::write(&path, bytes).unwrap();
        let named = |who: &str, expected: &str, result: Result<(), Error>| {
            if !expected.starts_with(what) {
                check(who, &result.unwrap_err(), &path, expected, what);
            }
        };
        named("npz", "an npz archive", Npz::open(&path).map(drop));
        named("load_data", "an npz archive", load_data(Some(&path)).map(drop));
        named("images", "an IDX file", Dataset::from_idx(&path, &path).map(drop));
        named("table", "a table in text (CSV)", Dataset::from_csv(&path, Some("label")).map(drop));
        named("load_weights", "a safetensors file", model().load_weights(&path));
        named("model_load", "a safetensors file", Model::load(&path).map(drop));
        #[cfg(feature = "onnx")]
        named("load_onnx", "an ONNX model", mnist::onnx::load(&path).map(drop));
    }
}

#[test]
fn what_is_damaged_is_not_called_another_kind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut");
    for (what, bytes) in ours() {
        std::fs::write(&path, &bytes[..bytes.len() - 3]).unwrap();
        let error = match what {
            "an npz archive" => Npz::open(&path).err().unwrap(),
            "an IDX file" => Dataset::from_idx(&path, &path).unwrap_err(),
            "a table in text (CSV)" => Dataset::from_csv(&path, Some("label")).unwrap_err(),
            _ => Model::load(&path).err().unwrap(),
        };
        let text = error.to_string();
        assert!(error.kind() == ErrorKind::Format && !text.contains("wrong kind"), "{text}");
    }
    // Bytes of no known kind.
    std::fs::write(&path, [0xa5; 100]).unwrap();
    for (who, _, error) in loaders(&path, folder.path()) {
        let text = error.to_string();
        assert!(error.kind() == ErrorKind::Format && !text.contains("wrong kind"), "{who}: {text}");
    }
}

#[test]
fn a_name_that_is_not_there_is_answered_with_those_that_are() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let text = |bytes: &[u8], task: &dyn Fn(&Path) -> Option<Error>| {
        std::fs::write(&path, bytes).unwrap();
        let error = task(&path).expect("a refusal");
        files::verdict::check_error(&error);
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        error.to_string()
    };
    let arrays = |path: &Path| Dataset::from_npz(path, "x", "y").err();
    let four = text(&trained::archive(true), &arrays);
    assert!(four.ends_with("no such array: expected one of x_train, y_train, x_test, y_test, found `x`"), "{four}");
    let none = text(&zip(&[]), &arrays);
    assert!(none.ends_with("no such array: expected no name: there are none, found `x`"), "{none}");
    let names: Vec<_> = (0..1000).map(|i| format!("{i}\u{7}{}", "n".repeat(99))).collect();
    let members: Vec<_> = names.iter().map(|name| Member::new(&format!("{name}.npy"), true, b"")).collect();
    let many = text(&zip(&members), &arrays);
    assert!(many.contains("expected one of 0\\u{7}nn") && many.contains(" more, found `x`"), "{many}");

    let weights = |path: &Path| model().load_weights(path).err();
    let entries: Vec<_> = names
        .iter()
        .map(|name| format!(r#"{:?}:{{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}"#, name.replace('\u{7}', "_")))
        .collect();
    let other = text(&safetensors(&format!("{{{}}}", entries.join(",")), &[]), &weights);
    assert!(other.contains("missing tensor") && other.contains("the file has ") && other.contains(" more"), "{other}");
    let one = safetensors(r#"{"other/kernel":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, &[0; 4]);
    assert!(text(&one, &weights).ends_with("found none of that name; the file has other/kernel"));
    assert!(text(&safetensors("{}", &[]), &weights).ends_with("the file has nothing"));
}
