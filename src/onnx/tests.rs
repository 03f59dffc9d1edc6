use super::proto::*;
use super::{read, write};
use crate::error::ErrorKind;
use crate::graph::{Graph, keras};
use crate::model::Model;
use prost::Message;
use prost::bytes::Bytes;
use serde_json::json;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/interop/onnx")
}

fn predict(model: &Model, x: &[f32]) -> Vec<f32> {
    let samples = x.len() / model.input_shape().len();
    let mut y = vec![f32::NAN; samples * model.output_len()];
    model.predict(x, samples, &mut y).unwrap();
    y
}

fn check_near(a: &[f32], b: &[f32], what: &str) {
    assert_eq!(a.len(), b.len(), "{what}");
    let off = a.iter().zip(b).map(|(a, b)| (a - b).abs() / b.abs().max(1.0)).fold(0f32, f32::max);
    assert!(off < 1e-5, "{what}: off by {off}");
}

/// A layer of its own on samples of a shape, its weights as they are at first.
fn single(class: &str, config: serde_json::Value, dims: &[usize]) -> Model {
    let mut config = config;
    config["name"] = json!("it");
    let network = json!({
        "class_name": "Sequential",
        "config": { "name": "one", "layers": [
            { "class_name": "InputLayer", "config": { "name": "x", "batch_shape": std::iter::once(json!(null)).chain(dims.iter().map(|d| json!(d))).collect::<Vec<_>>() } },
            { "class_name": class, "config": config },
        ] },
    });
    let keras::Network { graph, input, output, .. } = keras::read(&network).unwrap();
    Model::new(&graph, input, output, "one").unwrap()
}

#[test]
fn what_is_written_is_read_and_computes_the_same() {
    let image: &[usize] = &[6, 5, 3];
    let cases = [
        (
            "Conv2D",
            json!({ "filters": 4, "kernel_size": 3, "padding": "same", "strides": 2, "activation": "relu" }),
            image,
        ),
        ("Conv2D", json!({ "filters": 6, "kernel_size": [2, 3], "groups": 3, "use_bias": false }), image),
        ("Conv1D", json!({ "filters": 4, "kernel_size": 3, "padding": "causal", "dilation_rate": 2 }), &[9, 2]),
        ("Conv2DTranspose", json!({ "filters": 2, "kernel_size": 3, "strides": 2, "padding": "same" }), image),
        ("Conv2DTranspose", json!({ "filters": 2, "kernel_size": 2, "strides": 3 }), image),
        ("DepthwiseConv2D", json!({ "kernel_size": 3, "depth_multiplier": 2, "activation": "gelu" }), image),
        ("SeparableConv2D", json!({ "filters": 5, "kernel_size": 3, "activation": "silu" }), image),
        ("BatchNormalization", json!({ "axis": 1 }), image),
        ("LayerNormalization", json!({}), image),
        ("MaxPooling2D", json!({ "padding": "same" }), image),
        ("AveragePooling2D", json!({ "pool_size": 3, "strides": 2, "padding": "same" }), image),
        ("GlobalAveragePooling2D", json!({ "keepdims": true }), image),
        ("Cropping2D", json!({ "cropping": [[1, 0], [2, 1]] }), image),
        ("ZeroPadding2D", json!({ "padding": [[1, 0], [2, 1]] }), image),
        ("UpSampling2D", json!({ "size": [2, 3], "interpolation": "bilinear" }), image),
        ("Permute", json!({ "dims": [3, 1, 2] }), image),
        ("PReLU", json!({ "shared_axes": [1, 2], "alpha_initializer": "ones" }), image),
        ("Softmax", json!({ "axis": 1 }), image),
        ("Dense", json!({ "units": 4, "activation": "softmax" }), image),
        ("Dropout", json!({ "rate": 0.5 }), image),
        ("RandomFlip", json!({}), image),
        ("Rescaling", json!({ "scale": 2.0, "offset": -1.0 }), image),
    ];
    for (class, config, dims) in cases {
        let model = single(class, config, dims);
        let x: Vec<f32> = (0..2 * model.input_shape().len()).map(|i| ((i * 37 % 101) as f32 - 50.0) / 25.0).collect();
        let again = read(&write(&model).unwrap()).unwrap_or_else(|error| panic!("{class}: {error}"));
        assert_eq!(again.input_shape(), model.input_shape(), "{class}");
        check_near(&predict(&again, &x), &predict(&model, &x), class);
    }
}

#[test]
fn files_made_elsewhere_give_onnxruntimes_numbers() {
    let mut files = 0;
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|name| name != "onnx") {
            continue;
        }
        let model = super::load(&path).unwrap_or_else(|error| panic!("{error}"));
        let bytes = std::fs::read(path.with_extension("bin")).unwrap();
        let numbers: Vec<f32> = bytes.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
        let (input, output) = (model.input_shape().len(), model.output_len());
        let (x, y) = numbers.split_at(numbers.len() / (input + output) * input);
        check_near(&predict(&model, x), y, &path.display().to_string());
        files += 1;
    }
    assert!(files >= 6, "{files}");
}

/// The file of a small network.
fn small() -> Vec<u8> {
    let mut graph = Graph::new();
    let x = graph.input(&[4, 4, 2]).unwrap();
    let y = graph.conv2d(x, 3, 3, crate::layers::Activation::Relu).unwrap();
    let y = graph.flatten(y).unwrap();
    let y = graph.dense(y, 2, crate::layers::Activation::Softmax).unwrap();
    write(&Model::new(&graph, x, y, "small").unwrap()).unwrap()
}

#[test]
fn damaged_files_are_errors() {
    let file = small();
    for len in 0..file.len() {
        assert!(read(&file[..len]).is_err(), "cut to {len}");
    }
    for at in 0..file.len() {
        for bit in [0, 3, 7] {
            let mut damaged = file.clone();
            damaged[at] ^= 1 << bit;
            if let Err(error) = read(&damaged) {
                assert_ne!(error.kind(), ErrorKind::Internal, "byte {at} bit {bit}: {error}");
            }
        }
    }
}

/// The message of the error for a file that is changed.
fn refused(change: impl FnOnce(&mut GraphProto)) -> String {
    let mut file = ModelProto::decode(&small()[..]).unwrap();
    change(file.graph.as_mut().unwrap());
    match read(&file.encode_to_vec()) {
        Ok(_) => "read".to_string(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn what_is_wrong_is_named() {
    let text = refused(|graph| graph.node[1].op_type = "Einsum".into());
    assert!(text.contains("(Einsum): an operator that is not supported: found Einsum"), "{text}");
    let text = refused(|graph| graph.node[1].domain = "com.microsoft".into());
    assert!(text.contains("found com.microsoft.Conv"), "{text}");
    let text = refused(|graph| graph.initializer[0].dims = vec![1 << 40, 1 << 40]);
    assert!(text.contains("sizes that are none"), "{text}");
    let text = refused(|graph| graph.initializer[0].raw_data = Some(Bytes::new()));
    assert!(text.contains("tensor ") && text.contains("another length"), "{text}");
    let text = refused(|graph| graph.input[0].kind = None);
    assert!(text.contains("input input_1: an input of unknown sizes"), "{text}");
    let text = refused(|graph| graph.node = vec![NodeProto::default(); 300_000]);
    assert!(text.contains("too many"), "{text}");
}

#[test]
fn files_of_tensors_lie_in_the_same_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.onnx");
    let with = |location: &str| {
        let mut file = ModelProto::decode(&small()[..]).unwrap();
        let tensor = &mut file.graph.as_mut().unwrap().initializer[0];
        std::fs::write(folder.path().join("data"), tensor.raw_data.take().unwrap()).unwrap();
        tensor.data_location = Some(EXTERNAL);
        let entry = |key: &str, value: &str| StringStringEntryProto { key: key.into(), value: value.into() };
        tensor.external_data = vec![entry("location", location), entry("offset", "0")];
        std::fs::write(&path, file.encode_to_vec()).unwrap();
        super::load(&path).map(|_| ()).map_err(|error| error.to_string())
    };
    with("data").unwrap();
    for away in ["../data", "/etc/passwd", "a/data", "..", "", "a\\data"] {
        let text = with(away).unwrap_err();
        assert!(text.contains("not the name of a file in the same folder"), "{text}");
    }
    assert!(with("none").unwrap_err().contains("none"));
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(folder.path().join("data"), folder.path().join("link")).unwrap();
        assert!(with("link").unwrap_err().contains("a symbolic link"));
    }
}
