//! Compared with Keras for the numbers that Keras drew (`tests/keras/augmentation.py`); and properties of this
//! library's random numbers.

use super::*;
use crate::data::Dataset;
use crate::graph::Graph;
use crate::json::{self, Named};
use crate::kernels::{Isa, numbers};
use crate::layers::{self, Activation};
use crate::model::{CompileOptions, Model};
use crate::train::{Callbacks, CheckpointOptions, Control, FitOptions, Output, Progress};
use safetensors::SafeTensors;
use std::path::Path;

/// A case's arrays.
struct Arrays<'a> {
    tensors: &'a SafeTensors<'a>,
    case: &'a str,
}

impl Arrays<'_> {
    fn floats(&self, name: &str) -> Vec<f32> {
        let tensor = self.tensors.tensor(&format!("{}/{name}", self.case)).unwrap();
        tensor.data().as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
    }

    fn flags(&self, name: &str) -> Vec<bool> {
        let tensor = self.tensors.tensor(&format!("{}/{name}", self.case)).unwrap();
        tensor.data().iter().map(|&byte| byte == 1).collect()
    }
}

/// The changed pictures; `drawn` gives the numbers of each, and fills the scratch memory.
fn replay<A: Augmentation>(
    config: &Object<'_>,
    picture: Picture,
    x: &[f32],
    mut drawn: impl FnMut(usize, &mut [f32]) -> A::Drawn,
) -> Vec<f32> {
    let how = A::read(config).unwrap();
    let (mut scratch, mut y) = (vec![f32::NAN; how.scratch(picture)], vec![f32::NAN; x.len()]);
    let len = picture.pixels() * picture.channels;
    for (i, (x, y)) in x.chunks_exact(len).zip(y.chunks_exact_mut(len)).enumerate() {
        how.forward(picture, &drawn(i, &mut scratch), &mut scratch, x, y);
    }
    y
}

#[test]
fn pictures_become_what_keras_makes_of_them() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/keras");
    let table: Value = serde_json::from_slice(&std::fs::read(data.join("augmentation.json")).unwrap()).unwrap();
    let bytes = std::fs::read(data.join("augmentation.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let mut off = Vec::new();
    for case in table["cases"].as_array().unwrap() {
        let (name, class) = (case["name"].as_str().unwrap(), case["class"].as_str().unwrap());
        let arrays = Arrays { tensors: &tensors, case: name };
        let dims: Vec<usize> = serde_json::from_value(case["input"].clone()).unwrap();
        let picture = Picture { height: dims[0], width: dims[1], channels: dims[2] };
        let (config, x) = (Object::root(&case["config"]).unwrap(), arrays.floats("x"));
        let found = match class {
            "RandomFlip" => {
                let flips = arrays.flags("flips");
                replay::<flip::RandomFlip>(&config, picture, &x, |i, _| flips[i])
            }
            "RandomContrast" => {
                let factors = arrays.floats("factors");
                replay::<color::RandomContrast>(&config, picture, &x, |i, _| factors[i])
            }
            "RandomErasing" => {
                let (applies, bounds) = (arrays.flags("applies"), arrays.floats("bounds"));
                replay::<erasing::RandomErasing>(&config, picture, &x, |i, _| {
                    let [left, right, top, bottom] = bounds[4 * i..][..4].try_into().unwrap();
                    let (rows, columns) =
                        (erasing::between(top, bottom, picture.height), erasing::between(left, right, picture.width));
                    applies[i].then_some(erasing::Erased { rows, columns })
                })
            }
            "RandomElasticTransform" => {
                let (applies, fields) = (arrays.flags("applies"), arrays.floats("fields"));
                let (right, down) = fields.split_at(fields.len() / 2);
                let (factor, pixels) = (case["config"]["scale"][0].as_f64().unwrap() as f32, picture.pixels());
                replay::<elastic::RandomElasticTransform>(&config, picture, &x, |i, scratch| {
                    scratch[..pixels].copy_from_slice(&right[i * pixels..][..pixels]);
                    scratch[pixels..][..pixels].copy_from_slice(&down[i * pixels..][..pixels]);
                    applies[i].then_some(factor)
                })
            }
            // There is but one number that they can draw.
            _ => train(class, &case["config"].to_string(), &dims, &x, &Step::new(0, 0), 1),
        };
        let errors = found.iter().zip(arrays.floats("output")).map(|(found, expected)| (found - expected).abs());
        let (at, error) = errors.enumerate().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
        if error.is_nan() || error > 1e-5 {
            off.push(format!("{name}: element {at} is {}, off by {error}", found[at]));
        }
    }
    assert!(off.is_empty(), "{}", off.join("\n"));
}

fn layer(class: &str, config: &str) -> Arc<dyn Layer> {
    let value = json::parse(config).unwrap();
    let object = Object::root(&value).unwrap();
    layers::read(layers::entry(&Named::of(class, object.clone(), String::new())).unwrap(), &object).unwrap()
}

/// What a layer in training makes of `x`.
fn train(class: &str, config: &str, dims: &[usize], x: &[f32], step: &Step, threads: usize) -> Vec<f32> {
    let (layer, shape) = (layer(class, config), Shape::new(dims).unwrap());
    let output = layer.output(&[&shape]).unwrap();
    let context = BuildContext {
        inputs: &[&shape],
        output: &output,
        isa: Isa::PORTABLE,
        threads,
        batch: x.len() / shape.len(),
        training: true,
        trainable: true,
        gradients: &[false],
        relu: false,
        number: 5,
    };
    let mut y = vec![f32::NAN; x.len()];
    layer.build(&context).unwrap().forward(step, &[], &[x], &mut y).unwrap();
    y
}

/// A kind of each, that does something to nearly every picture.
const ALL: [(&str, &str); 8] = [
    ("RandomBrightness", "{factor: 0.2, value_range: [-2, 2]}"),
    ("RandomContrast", "{factor: 0.5, value_range: [-2, 2]}"),
    ("RandomElasticTransform", "{factor: [1, 1], scale: [0.75, 1], value_range: [-2, 2]}"),
    ("RandomErasing", "{factor: [1, 1], scale: [0.2, 0.5], value_range: [-2, 2]}"),
    ("RandomFlip", "{}"),
    ("RandomRotation", "{factor: 0.1}"),
    ("RandomTranslation", "{height_factor: 0.2, width_factor: 0.2, fill_mode: 'constant'}"),
    ("RandomZoom", "{height_factor: 0.3}"),
];

#[test]
fn a_sample_s_picture_follows_from_seed_layer_epoch_and_index() {
    let (dims, len) = ([28, 28, 1], 784);
    let samples: Vec<u32> = (0..24).map(|i| i * 37 % 101).collect();
    let x = numbers(1, samples.len() * len);
    for (class, config) in ALL {
        let of = |step: &Step, x: &[f32]| train(class, config, &dims, x, step, 1);
        let step = Step { epoch: 2, samples: &samples, ..Step::new(1, 8) };
        let all = of(&step, &x);
        assert!(all.iter().all(|y| y.is_finite()));
        for (i, &sample) in samples.iter().enumerate() {
            // Alone in another step's batch, at another place.
            let step = Step { number: 80 + i as u64, samples: &[sample], ..step };
            assert_eq!(of(&step, &x[i * len..][..len]), all[i * len..][..len], "{class}");
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        assert_eq!(pool.install(|| train(class, config, &dims, &x, &step, 3)), all, "{class} on three threads");
        let seeded = format!("{{seed: 1, {}", &config[1..]);
        let other = Step { seed: 9, ..step };
        assert_eq!(train(class, &seeded, &dims, &x, &other, 1), all, "{class}: a seed of its own");
        for other in [other, Step { epoch: 3, ..step }, Step { samples: &[], ..step }, Step::new(1, 8)] {
            let found = of(&other, &x);
            let unknown = Step { epoch: 77, ..other };
            assert_eq!(other.samples.is_empty(), of(&unknown, &x) == found, "{class}: an epoch of samples");
            assert_ne!(found, all, "{class}: another seed, epoch, or sample");
        }
    }
}

/// The pictures of a layer's first `count` samples, each an `x`.
fn drawn(class: &str, config: &str, dims: &[usize], x: &[f32], count: u32) -> Vec<f32> {
    let samples: Vec<u32> = (0..count).collect();
    train(class, config, dims, &x.repeat(count as usize), &Step { samples: &samples, ..Step::new(2, 0) }, 1)
}

/// The fraction for which it is true.
fn rate<T>(all: &[T], so: impl Fn(&T) -> bool) -> f64 {
    all.iter().filter(|x| so(x)).count() as f64 / all.len() as f64
}

/// Makes sure that numbers lie between two, spread evenly: a tenth of them in each tenth.
fn assert_even(found: &[f64], [low, high]: [f64; 2], what: &str) {
    for tenth in 0..10 {
        let share = rate(found, |&x| ((x - low) / (high - low) * 10.0).floor() == f64::from(tenth));
        assert!((share - 0.1).abs() < 0.015, "{what}: {share} in tenth {tenth}"); // five deviations
    }
}

#[test]
fn what_is_drawn_is_spread_evenly() {
    const COUNT: u32 = 10_000;
    let flipped = drawn("RandomFlip", "{mode: 'vertical'}", &[2, 1, 1], &[0.0, 1.0], COUNT);
    let share = rate(flipped.as_chunks::<2>().0, |&pixels| pixels == [1.0, 0.0]);
    assert!((share - 0.5).abs() < 0.025, "{share}");

    let double = |all: Vec<f32>| all.into_iter().map(f64::from).collect::<Vec<f64>>();
    let found = drawn("RandomBrightness", "{factor: [-0.1, 0.3], value_range: [0, 10]}", &[1, 1, 1], &[5.0], COUNT);
    assert_even(&double(found), [4.0, 8.0], "brightness");
    let found = drawn("RandomContrast", "{factor: [0.5, 0.9], value_range: [-9, 9]}", &[2, 1, 1], &[-1.0, 1.0], COUNT);
    let found: Vec<f32> = found.into_iter().skip(1).step_by(2).collect();
    assert_even(&double(found), [0.5, 1.9], "contrast");
    // A slope shows how far a picture was moved.
    let slope: Vec<f32> = (0..50).map(|i| i as f32).collect();
    let how = "{height_factor: 0, width_factor: [-0.2, 0.4]}";
    let found = drawn("RandomTranslation", how, &[1, 50, 1], &slope, COUNT);
    let moved: Vec<f32> = found.as_chunks::<50>().0.iter().map(|row| 25.0 - row[25]).collect();
    assert_even(&double(moved), [-10.0, 20.0], "translation");
    let found = drawn("RandomZoom", "{height_factor: [-0.5, 0.25], width_factor: 0}", &[50, 1, 1], &slope, COUNT);
    let zoomed: Vec<f32> = found.as_chunks::<50>().0.iter().map(|column| column[25] - column[24]).collect();
    assert_even(&double(zoomed), [0.5, 1.25], "zoom");
    let plane: Vec<f32> = (0..81).map(|i| (i % 9) as f32).collect();
    let found = drawn("RandomRotation", "{factor: 0.05}", &[9, 9, 1], &plane, COUNT);
    // Of a slope to the right, the pixels above and below the middle show the sine.
    let turned = found.as_chunks::<81>().0.iter().map(|x| f64::from((x[31] - x[49]) / 2.0).asin());
    assert_even(&turned.collect::<Vec<f64>>(), [-0.05, 0.05].map(|x| x * std::f64::consts::TAU), "rotation");
}

#[test]
fn what_is_erased_or_distorted_has_its_chance_and_size() {
    const COUNT: u32 = 2000;
    let x = vec![5.0; 400];
    let config = "{factor: [0.2, 0.6], scale: [0.1, 0.3], value_range: [0, 1]}";
    let found = drawn("RandomErasing", config, &[20, 20, 1], &x, COUNT);
    let erased: Vec<f64> = found.as_chunks::<400>().0.iter().map(|picture| rate(picture, |&x| x != 5.0)).collect();
    let share = rate(&erased, |&share| share > 0.0);
    assert!((share - 0.4).abs() < 0.055, "{share}");
    assert!(erased.iter().all(|&share| share == 0.0 || (0.05..0.37).contains(&share)));
    let noise: Vec<f32> = found.into_iter().filter(|&x| x != 5.0).collect();
    // Half of a normal distribution is below 0; above 1 is what is more than a deviation away.
    assert!((rate(&noise, |&x| x == 0.0) - 0.5).abs() < 0.02 && (rate(&noise, |&x| x == 1.0) - 0.1587).abs() < 0.02);

    let x: Vec<f32> = (0..784).map(|i| (i % 28) as f32).collect();
    let config = "{factor: [0.5, 0.5], scale: [1, 1]}";
    let found = drawn("RandomElasticTransform", config, &[28, 28, 1], &x, COUNT);
    let pictures = found.as_chunks::<784>().0;
    let share = rate(pictures, |picture| picture[..] != x[..]);
    assert!((share - 0.5).abs() < 0.056, "{share}");
    // In the middle, a slope to the right shows how far a pixel was moved: by sigma 1.4, alpha 2.8, and by what a Gaussian
    // leaves of a deviation, 1 / (2 sigma sqrt(pi)).
    let moved =
        pictures.iter().filter(|picture| picture[..] != x[..]).map(|picture| f64::from(picture[406]) - x[406] as f64);
    let square = moved.clone().map(|by| by * by).sum::<f64>() / moved.count() as f64;
    assert!((square.sqrt() - 2.8 / (2.0 * std::f64::consts::PI.sqrt())).abs() < 0.06, "{}", square.sqrt());
}

#[test]
fn in_inference_and_with_nothing_to_draw_nothing_is_done() {
    for (class, config) in ALL {
        let layer = layer(class, config);
        assert!(layer.is_view(false) && !layer.is_view(true), "{class}");
    }
    for (class, config) in [
        ("RandomElasticTransform", "{factor: 0}"),
        ("RandomElasticTransform", "{scale: 0}"),
        ("RandomErasing", "{factor: 0}"),
        ("RandomRotation", "{factor: 0}"),
        ("RandomTranslation", "{height_factor: 0, width_factor: 0}"),
        ("RandomZoom", "{height_factor: 0}"),
    ] {
        assert!(layer(class, config).is_view(true), "{class}");
    }
}

/// A network whose first layers change its images, or the same without them.
fn network(augmented: bool) -> Model {
    let mut graph = Graph::new();
    let input = graph.input(&[12, 10, 1]).unwrap();
    let kinds = ALL.iter().filter(|_| augmented);
    let x = kinds.fold(input, |x, (class, config)| graph.add(layer(class, config), None, true, &[x]).unwrap());
    let y = graph.conv2d(x, 2, 3, Activation::Relu).unwrap();
    let y = graph.flatten(y).unwrap();
    let y = graph.dense(y, 3, Activation::Softmax).unwrap();
    let model = Model::new(&graph, input, y, "m").unwrap();
    model.compile(&CompileOptions::default()).unwrap();
    model
}

/// Stops a fit after so many batches.
struct StopAfter(usize);

impl Callbacks for StopAfter {
    fn on_batch_end(&mut self, _: &Progress) -> Control {
        self.0 -= 1;
        if self.0 == 0 { Control::Stop } else { Control::Continue }
    }
}

/// Fits it, and gives the weights' file.
fn fit(model: &Model, folder: &Path, checkpoint: Option<&Path>, batches: usize) -> Vec<u8> {
    let pixels = (0..30 * 120u32).map(|i| (i * i % 251) as u8).collect();
    let data = Dataset::from_u8(pixels, &[30, 12, 10], (0..30).map(|i| i % 3).collect()).unwrap();
    let (write, mut stop) = (&mut |_: &str| (), StopAfter(batches));
    let mut options = FitOptions::new(Output::file(write));
    (options.batch_size, options.epochs) = (8, 3);
    options.callbacks = Some(&mut stop);
    let of = |path: &Path| CheckpointOptions { path: path.into(), batches: 0, epochs: 0, seconds: 0.0, resume: true };
    options.checkpoint = checkpoint.map(of);
    model.fit(&data, options).unwrap();
    model.save_weights(&folder.join("weights")).unwrap();
    std::fs::read(folder.join("weights")).unwrap()
}

#[test]
fn a_fit_has_the_same_bits_on_any_threads_and_resumed_and_predictions_leave_images_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (folder, checkpoint) = (folder.path(), folder.path().join("c"));
    let model = network(true);
    model.set_threads(1).unwrap();
    let expected = fit(&model, folder, None, 99);
    assert_ne!(fit(&network(false), folder, None, 99), expected);
    let others = network(true);
    others.set_threads(3).unwrap();
    assert_eq!(fit(&others, folder, None, 99), expected);
    // In the midst of the second epoch.
    assert_ne!(fit(&network(true), folder, Some(&checkpoint), 6), expected);
    assert_eq!(fit(&network(true), folder, Some(&checkpoint), 99), expected);

    let (plain, x) = (network(false), numbers(1, 5 * 120));
    plain.load_weights(&folder.join("weights")).unwrap();
    let predict = |model: &Model| {
        let mut y = vec![f32::NAN; 5 * 3];
        model.predict(&x, 5, &mut y).unwrap();
        y
    };
    assert_eq!(predict(&model), predict(&plain));
}

/// For a look: `cargo test --release --lib -- --ignored --nocapture how_long_a_pass_takes`.
#[test]
#[ignore = "a measurement"]
fn how_long_a_pass_takes() {
    let (dims, samples) = ([28, 28, 1], 256);
    let x = numbers(1, samples * 784);
    let mut y = vec![0.0; x.len()];
    let best = |task: &mut dyn FnMut()| {
        let time = |_| {
            let start = std::time::Instant::now();
            task();
            start.elapsed().as_secs_f64()
        };
        (0..30).map(time).fold(f64::INFINITY, f64::min) / samples as f64
    };
    let copy = best(&mut || std::hint::black_box(&mut y).copy_from_slice(std::hint::black_box(&x)));
    println!("a copy: {:.3} us a picture", copy * 1e6);
    for (class, config) in ALL {
        let took = best(&mut || drop(std::hint::black_box(train(class, config, &dims, &x, &Step::new(1, 1), 1))));
        println!("{class}: {:.2} us a picture, {:.0} copies", took * 1e6, took / copy);
    }
}
