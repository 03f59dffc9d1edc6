//! Writes the seed files: `seeds FOLDER` fills FOLDER/npz, FOLDER/idx and so on.

use mnist_fuzz::files::{Member, gzip, idx, npy, safetensors, zip};
use mnist_fuzz::{HDF5, trained};
use std::path::{Path, PathBuf};

fn main() -> std::io::Result<()> {
    let root = PathBuf::from(std::env::args_os().nth(1).expect("a folder as the argument"));
    let write = |target: &str, files: Vec<Vec<u8>>| {
        let folder = root.join(target);
        std::fs::create_dir_all(&folder)?;
        files.iter().enumerate().try_for_each(|(i, file)| std::fs::write(folder.join(format!("seed-{i}")), file))
    };
    write("npz", archives())?;
    let typed = |number: u8, width: usize| {
        let mut file = idx(&[1, 1, 2], &vec![0; 2 * width]);
        file[2] = number;
        file
    };
    let images = [
        idx(&[2, 1, 2], &[5, 6, 7, 8]),
        idx(&[1, 2, 2, 1], &[1; 4]),
        idx(&[0, 1, 1], &[]),
        idx(&[2, 3], &[1; 6]),
        typed(0x09, 1),
        typed(0x0b, 2),
        typed(0x0c, 4),
        typed(0x0d, 4),
        typed(0x0e, 8),
    ];
    write(
        "gzip",
        images.iter().map(|file| gzip(file)).chain([[gzip(&images[0][..9]), gzip(&images[0][9..])].concat()]).collect(),
    )?;
    // The target's input begins with the length of the image file, followed by both files.
    let pair = |images: &[u8], labels: &[u8]| [&[images.len() as u8], images, labels].concat();
    write("idx", images.iter().map(|file| pair(file, &idx(&[2], &[3, 9]))).collect())?;
    let tables = ["\0label,a\n1,2\n", "\x03a;\"label\"\r\n1;x\r\n\r\n0.5;y", "\x021\t2\n3\t4\n", "\x02\u{feff}a, b\n-1e2 ,7\n"];
    write("csv", tables.map(|table| table.as_bytes().to_vec()).into())?;
    let (weights, models) = tensors(&root);
    write("weights", weights)?;
    write("checkpoint", models.clone())?;
    write("model", models)?;
    let (forms, models) = keras()?;
    write("h5", forms)?;
    write("keras_file", models)?;
    write("onnx", onnx())?;
    let networks = networks();
    write("layer", networks.iter().map(|text| layer(text)).collect())?;
    write("network", networks.into_iter().map(String::into_bytes).collect())
}

/// Files written by h5py and Keras (weights in each form of HDF5, whole models of one small layer) and by this library.
fn keras() -> std::io::Result<(Vec<Vec<u8>>, Vec<Vec<u8>>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/interop/keras");
    let read = |folder: &Path, start: &str| {
        let paths = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
        let wanted = |path: &&PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(start));
        paths.iter().filter(wanted).map(std::fs::read).collect::<std::io::Result<Vec<_>>>()
    };
    let (mut forms, mut models) = (read(&folder.join("forms"), "")?, read(&folder, "tiny.")?);
    forms.extend(models.iter().filter(|file| file.starts_with(HDF5)).cloned());
    models.push(trained::model().saved_keras().expect("a small file").all().to_vec());
    Ok((forms, models))
}

/// Networks written by Keras, one for each layer class.
fn networks() -> Vec<String> {
    const RECORDED: &str = include_str!("../../tests/data/keras/layers.json");
    let recorded: serde_json::Value = serde_json::from_str(RECORDED).expect("the recorded cases");
    let cases = recorded["cases"].as_array().expect("a list of cases");
    let mut seen = std::collections::HashSet::new();
    let new = cases.iter().filter(|case| seen.insert(case["class"].to_string()));
    new.filter_map(|case| case["model"].as_str()).map(String::from).collect()
}

/// Those networks as ONNX files, and files from other programs.
fn onnx() -> Vec<Vec<u8>> {
    let written = networks().into_iter().filter_map(|text| {
        let network = mnist::graph::keras::read(&serde_json::from_str(&text).ok()?).ok()?;
        let model = mnist::model::Model::new(&network.graph, network.input, network.output, "seed").ok()?;
        mnist::onnx::write(&model).ok().filter(|file| file.len() < 16_384)
    });
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/interop/onnx");
    let made = std::fs::read_dir(folder).into_iter().flatten().filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let made = made.filter(|path| path.extension().is_some_and(|name| name == "onnx")).filter_map(|path| std::fs::read(path).ok());
    written.chain(made).collect()
}

/// The last layer of such a network: its class, a newline, its config.
fn layer(network: &str) -> Vec<u8> {
    let network: serde_json::Value = serde_json::from_str(network).expect("a network");
    let layer = network["config"]["layers"].as_array().and_then(|layers| layers.last()).expect("a layer");
    format!("{}\n{}", layer["class_name"].as_str().unwrap_or_default(), layer["config"]).into_bytes()
}

fn archives() -> Vec<Vec<u8>> {
    let labels = ["|i1", "<u2", "<i2", "<u4", "<i4", "<u8", "|b1", ">i4", ">u8", "<f2", ">f4", "<f8"].map(|descr| {
        let width = usize::from(descr.as_bytes()[2] - b'0');
        let array = npy(descr, "(1,)", &vec![0; width]);
        zip(&[
            Member::new("x_train.npy", true, &npy("<f8", "(1, 1, 1)", &[0; 8])),
            Member::new("y_train.npy", false, &array),
        ])
    });
    let version_2 = [
        b"\x93NUMPY\x02\0",
        &61u32.to_le_bytes()[..],
        b"{\"descr\": \">f4\", 'fortran_order': False, 'shape': (1, 1, 1)}\n",
        &[0; 4],
    ];
    let other = zip(&[Member::new("a.npy", true, &version_2.concat()), Member::new("note.txt", true, b"no array")]);
    let fortran = String::from_utf8_lossy(&npy(">i2", "(2, 3, 1)", &[])[10..]).replace("False", "True ");
    let fortran = [b"\x93NUMPY\x01\0", &(fortran.len() as u16).to_le_bytes()[..], fortran.as_bytes(), &[0; 12]];
    let fields = b"\x93NUMPY\x01\0\x3e\0{'descr': [('a', '<i4')], 'fortran_order': False, 'shape': (0,)}\n";
    let mixed = zip(&[
        Member::new("x_train.npy", true, &fortran.concat()),
        Member::new("fields.npy", true, fields),
        Member::new("y_train.npy", true, &npy("|u1", "(2,)", &[0, 1])),
    ]);
    [trained::archive(true), trained::archive(false), other, mixed].into_iter().chain(labels).collect()
}

/// Weights files, and model files before, during and after a fit.
fn tensors(folder: &Path) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let path = folder.join("model.tmp");
    let model = trained::model();
    let weights = trained::weights(&model, &path);
    model.save(&path).expect("a file");
    let untrained = std::fs::read(&path).expect("a file");
    let models = vec![untrained, trained::checkpoint(&path, 1), trained::checkpoint(&path, 5)];
    std::fs::remove_file(path).expect("it was there");
    let by_hand = safetensors(r#"{"a":{"dtype":"F64","shape":[2],"data_offsets":[0,16]}}"#, &[0; 16]);
    // The small model's weights in PyTorch's form: in single and in half precision.
    let pytorch = [("F32", 4), ("F16", 2)].map(|(dtype, width)| {
        let (mut header, mut end) = (Vec::new(), 0);
        for (name, shape, len) in
            [("0.bias", "[2]", 2), ("0.weight", "[2,1,2,2]", 8), ("fc.bias", "[3]", 3), ("fc.weight", "[3,24]", 72)]
        {
            let start = end;
            end += len * width;
            header.push(format!(r#""{name}":{{"dtype":"{dtype}","shape":{shape},"data_offsets":[{start},{end}]}}"#));
        }
        let data: Vec<u8> = (0..end).map(|i| (i % 61) as u8).collect();
        safetensors(&format!("{{{}}}", header.join(",")), &data)
    });
    ([vec![weights, by_hand, models[2].clone()], pytorch.to_vec()].concat(), models)
}
