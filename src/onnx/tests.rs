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

/// A single layer on samples of a shape, with its initial weights.
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
        ("ReLU", json!({ "max_value": 1.5, "negative_slope": 0.25, "threshold": 0.5 }), image),
        ("Flatten", json!({}), &[3, 8, 8]), // which might look like images of three channels
    ];
    let activations = [
        "celu",
        "elu",
        "exponential",
        "gelu",
        "hard_shrink",
        "hard_sigmoid",
        "hard_silu",
        "hard_tanh",
        "leaky_relu",
        "linear",
        "log_sigmoid",
        "log_softmax",
        "mish",
        "relu",
        "relu6",
        "selu",
        "sigmoid",
        "silu",
        "soft_shrink",
        "softmax",
        "softplus",
        "softsign",
        "sparse_plus",
        "sparse_sigmoid",
        "squareplus",
        "tanh",
        "tanh_shrink",
    ];
    let activations = activations.map(|name| ("Activation", json!({ "activation": name }), image));
    let cases = cases.into_iter().chain(activations);
    for (class, config, dims) in cases {
        let model = single(class, config.clone(), dims);
        let x: Vec<f32> = (0..2 * model.input_shape().len()).map(|i| ((i * 37 % 101) as f32 - 50.0) / 25.0).collect();
        let again = read(&write(&model).unwrap()).unwrap_or_else(|error| panic!("{class} {config}: {error}"));
        assert_eq!(again.input_shape(), model.input_shape(), "{class}");
        check_near(&predict(&again, &x), &predict(&model, &x), &format!("{class} {config}"));
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

fn entry(key: &str, value: &str) -> StringStringEntryProto {
    StringStringEntryProto { key: key.into(), value: value.into() }
}

/// A node `operator(inputs) -> output`.
fn node(operator: &str, inputs: &[&str], output: &str, ints: &[(&str, &[i64])]) -> NodeProto {
    let attribute = |&(name, ints): &(&str, &[i64])| AttributeProto {
        name: name.into(),
        ints: ints.to_vec(),
        i: ints.first().copied(),
        ..AttributeProto::default()
    };
    NodeProto {
        input: inputs.iter().map(|&name| name.into()).collect(),
        output: vec![output.into()],
        op_type: operator.into(),
        attribute: ints.iter().map(attribute).collect(),
        ..NodeProto::default()
    }
}

fn tensor(name: &str, dims: &[i64], data_type: i32) -> TensorProto {
    TensorProto { name: name.into(), dims: dims.to_vec(), data_type: Some(data_type), ..TensorProto::default() }
}

/// Distinct values.
fn floats(name: &str, dims: &[i64]) -> TensorProto {
    let len = dims.iter().product::<i64>();
    let values = (0..len).map(|i| (i * 7 % 11) as f32 / 4.0 - 1.0).collect();
    TensorProto { float_data: values, ..tensor(name, dims, element::FLOAT) }
}

fn ints(name: &str, values: &[i64]) -> TensorProto {
    TensorProto { int64_data: values.to_vec(), ..tensor(name, &[values.len() as i64], element::INT64) }
}

/// The file of a graph from `x`, samples of sizes `dims`, to `y`.
fn file(dims: &[i64], nodes: Vec<NodeProto>, initializers: Vec<TensorProto>) -> ModelProto {
    let sizes = dims.iter().map(|&dim| DimensionProto { value: Some(dim), param: None });
    let shape = TensorShapeProto { dim: std::iter::once(DimensionProto::default()).chain(sizes).collect() };
    let kind = TypeProto { tensor: Some(TensorTypeProto { elem_type: Some(element::FLOAT), shape: Some(shape) }) };
    let graph = GraphProto {
        node: nodes,
        initializer: initializers,
        input: vec![ValueInfoProto { name: "x".into(), kind: Some(kind) }],
        output: vec![ValueInfoProto { name: "y".into(), kind: None }],
        ..GraphProto::default()
    };
    ModelProto {
        graph: Some(graph),
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: Some(17) }],
        ..ModelProto::default()
    }
}

/// The shape of the samples that the model takes.
fn input_of(file: &ModelProto) -> Vec<usize> {
    read(&file.encode_to_vec()).unwrap_or_else(|error| panic!("{error}")).input_shape().dims().to_vec()
}

#[test]
fn the_nearest_node_that_cares_says_which_axis_the_channels_are() {
    let conv = |x: &str| node("Conv", &[x, "w"], "y", &[]);
    let weights = |channels: i64| vec![floats("w", &[2, channels, 1, 1])];
    assert_eq!(input_of(&file(&[5, 6, 9], vec![conv("x")], weights(5))), [6, 9, 5]);
    let relu = vec![node("Relu", &["x"], "r", &[]), conv("r")];
    assert_eq!(input_of(&file(&[5, 6, 9], relu, weights(5))), [6, 9, 5]);
    let beside = vec![node("Shape", &["x"], "s", &[]), node("Reshape", &["x", "s"], "r", &[]), conv("r")];
    assert_eq!(input_of(&file(&[5, 6, 9], beside, weights(5))), [5, 6, 9]);
    let tensorflow = vec![node("Transpose", &["x"], "t", &[("perm", &[0, 3, 1, 2])]), conv("t")];
    assert_eq!(input_of(&file(&[3, 6, 9], tensorflow, weights(9))), [3, 6, 9]);
    let turned = vec![node("Transpose", &["x"], "t", &[("perm", &[0, 2, 3, 1])]), node("Flatten", &["t"], "y", &[])];
    assert_eq!(input_of(&file(&[9, 6, 3], turned, vec![])), [6, 3, 9]);
    // Without such a node, by the sizes, and by the file's metadata.
    let flat = |dims: &[i64]| file(dims, vec![node("Flatten", &["x"], "y", &[])], vec![]);
    assert_eq!(input_of(&flat(&[3, 6, 9])), [6, 9, 3]);
    assert_eq!(input_of(&flat(&[6, 9, 3])), [6, 9, 3]);
    assert_eq!(input_of(&flat(&[4, 4, 4])), [4, 4, 4]);
    assert_eq!(
        input_of(&ModelProto { metadata_props: vec![entry("layout", "channels_last")], ..flat(&[3, 6, 9]) }),
        [3, 6, 9]
    );
}

#[test]
fn rows_of_all_samples_that_are_multiplied_are_a_dense_layer() {
    let nodes = vec![
        node("Reshape", &["x", "rows"], "r", &[]),
        node("MatMul", &["r", "w"], "m", &[]),
        node("Reshape", &["m", "back"], "y", &[]),
    ];
    let weights = vec![ints("rows", &[-1, 3]), ints("back", &[-1, 2, 4]), floats("w", &[3, 4])];
    let model = read(&file(&[2, 3], nodes.clone(), weights.clone()).encode_to_vec()).unwrap();
    let x: Vec<f32> = (0..12).map(|i| i as f32 / 8.0).collect();
    let w = &weights[2].float_data;
    let expected: Vec<f32> = (0..16).map(|i| (0..3).map(|k| x[i / 4 * 3 + k] * w[k * 4 + i % 4]).sum()).collect();
    check_near(&predict(&model, &x), &expected, "rows");
    // Not if another operator comes between, which would see other axes.
    let mut other = nodes;
    other[2] = node("Softmax", &["m"], "y", &[("axis", &[1])]);
    let text = read(&file(&[2, 3], other, weights).encode_to_vec()).err().unwrap().to_string();
    assert!(text.contains("a shape that moves the batch"), "{text}");
}

#[test]
fn a_layer_normalization_that_is_spelled_out_is_one() {
    let axes: &[(&str, &[i64])] = &[("axes", &[-1])];
    let nodes = vec![
        node("ReduceMean", &["x"], "mean", axes),
        node("Sub", &["x", "mean"], "d", &[]),
        node("Pow", &["d", "two"], "d2", &[]),
        node("ReduceMean", &["d2"], "variance", axes),
        node("Add", &["variance", "epsilon"], "v", &[]),
        node("Sqrt", &["v"], "s", &[]),
        node("Div", &["d", "s"], "n", &[]),
        node("Mul", &["n", "gamma"], "g", &[]),
        node("Add", &["g", "beta"], "y", &[]),
    ];
    let one = |name: &str, value: f32| TensorProto { float_data: vec![value], ..tensor(name, &[], element::FLOAT) };
    let weights = vec![one("two", 2.0), one("epsilon", 1e-3), floats("gamma", &[4]), floats("beta", &[4])];
    let model = read(&file(&[4], nodes.clone(), weights.clone()).encode_to_vec()).unwrap();
    assert_eq!(model.layers().last().map(|layer| layer.layer.class()), Some("LayerNormalization"));
    let x = [1.0f32, -2.0, 0.5, 4.0];
    let mean = x.iter().sum::<f32>() / 4.0;
    let deviation = (x.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>() / 4.0 + 1e-3).sqrt();
    let (gamma, beta) = (&weights[2].float_data, &weights[3].float_data);
    let expected: Vec<f32> = (0..4).map(|i| (x[i] - mean) / deviation * gamma[i] + beta[i]).collect();
    check_near(&predict(&model, &x), &expected, "spelled out");
    let mut other = nodes;
    other[2].input[0] = "x".into();
    let text = read(&file(&[4], other, weights).encode_to_vec()).err().unwrap().to_string();
    assert!(text.contains("(ReduceMean): a reduction of other axes"), "{text}");
}

#[test]
fn parts_of_shapes_are_numpys() {
    let part = |start: i64, end: i64, step: i64| {
        let nodes = vec![
            node("Slice", &["all", "start", "end", "axes", "step"], "s", &[]),
            node("Concat", &["batch", "s"], "shape", &[("axis", &[0])]),
            node("Reshape", &["x", "shape"], "y", &[]),
        ];
        let numbers = [("start", start), ("end", end), ("axes", 0), ("step", step)];
        let rest = numbers.map(|(name, value)| ints(name, &[value]));
        let all = [vec![ints("all", &[2, 3, 4]), ints("batch", &[-1])], rest.to_vec()].concat();
        let model = read(&file(&[24], nodes, all).encode_to_vec()).map_err(|error| error.to_string())?;
        Ok::<_, String>(model.layers().last().map(|layer| layer.name.clone()).unwrap_or_default())
    };
    for (start, end, step) in [(0, 3, 1), (-3, i64::MAX, 1), (2, i64::MIN, -1), (-1, -4, -1), (i64::MAX, -5, -1)] {
        part(start, end, step).unwrap_or_else(|error| panic!("{start}, {end}, {step}: {error}"));
    }
    for (start, end, step) in [(0, 2, 1), (2, 0, -1), (2, -1, -1), (0, 3, 2), (0, 3, 0), (3, 0, 1)] {
        part(start, end, step).expect_err("another number of elements");
    }
}

#[test]
fn files_of_the_most_nodes_are_read_in_time() {
    let nodes = |count: usize, operator: &str| -> Vec<NodeProto> {
        let name = |i: usize| if i == count { "y".to_string() } else { format!("v{i}") };
        let first = node(operator, &["x"], &name(1), &[]);
        let others = (2..=count).map(|i| node(operator, &[&name(i - 1)], &name(i), &[]));
        std::iter::once(first).chain(others).collect()
    };
    let start = std::time::Instant::now();
    read(&file(&[4], nodes(40_000, "Identity"), vec![]).encode_to_vec()).unwrap();
    read(&file(&[4], nodes(9_000, "Relu"), vec![]).encode_to_vec()).unwrap();
    assert!(read(&file(&[4], nodes(40_001, "Identity"), vec![]).encode_to_vec()).is_err());
    assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
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
    // The last part, the metadata, may be missing.
    let bare = ModelProto { metadata_props: Vec::new(), ..ModelProto::decode(&file[..]).unwrap() }.encoded_len();
    for len in 0..bare {
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
    assert!(text.contains("invalid sizes"), "{text}");
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
