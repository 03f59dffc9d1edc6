//! Losses and metrics whose numbers Keras has recorded (`tests/keras/README.md`), computed here: steps of training, results
//! of metrics, and what histories hold.

use super::compile::{CompileOptions, Compiled};
use super::keras_tests::data;
use super::{History, Model};
use crate::data::Dataset;
use crate::error::{ErrorKind, Result};
use crate::graph::keras;
use crate::json::Named;
use crate::losses::{self, TargetKind};
use crate::metrics::{self, Outcome, Truth};
use crate::optimizers;
use crate::train::{EvaluateOptions, FitOptions, Output, Verbose};
use safetensors::{Dtype, SafeTensors};
use serde_json::{Value, json};

/// The tolerance, relative to the largest value of the array.
const NEAR: f64 = 1e-5;

/// Cases whose training is not determined in single precision: a probability of 1 - 1e-7 has a slope of 1e7, and the
/// next float32 above it none; with weights of 60 the rounding of a gradient shows in the result.
const UNDETERMINED: [&str; 2] = ["binary_focal_unfused_saturated", "categorical_saturated"];

/// Cases that are errors, though the class is known: k above the number of classes, several values for one, a class
/// without a weight.
const REFUSED: [&str; 5] = ["top_5", "sparse_top_5", "precision_thresholds", "R2Score_each", "fit_class_weight_some"];

/// The table, and the arrays.
struct Recorded<'a> {
    tensors: SafeTensors<'a>,
    failures: Vec<String>,
    compared: usize,
}

/// Labels or targets.
enum Expected {
    Labels(Vec<u32>),
    Values(Vec<f32>, Vec<usize>),
}

impl Recorded<'_> {
    /// An array as float32, and its shape.
    fn array(&self, name: &str) -> Option<(Vec<f32>, Vec<usize>)> {
        let tensor = self.tensors.tensor(name).ok()?;
        let values = match tensor.dtype() {
            Dtype::F32 => tensor.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect(),
            Dtype::F64 => {
                let number = |b: &[u8]| f64::from_le_bytes(b.try_into().unwrap()) as f32;
                tensor.data().chunks_exact(8).map(number).collect()
            }
            Dtype::U8 => tensor.data().iter().map(|&byte| f32::from(byte)).collect(),
            other => panic!("{name}: {other:?}"),
        };
        Some((values, tensor.shape().to_vec()))
    }

    fn told(&self, name: &str) -> Expected {
        let (values, shape) = self.array(name).unwrap();
        match self.tensors.tensor(name).unwrap().dtype() {
            Dtype::U8 => Expected::Labels(values.iter().map(|&label| label as u32).collect()),
            _ => Expected::Values(values, shape),
        }
    }

    fn compare(&mut self, what: &str, found: &[f32], expected: &[f32]) {
        let largest =
            expected.iter().filter(|x| x.is_finite()).fold(1e-2, |most: f64, &x| most.max(f64::from(x).abs()));
        let near = |(&found, &expected): (&f32, &f32)| {
            let off = (f64::from(found) - f64::from(expected)).abs();
            found == expected || found.is_nan() && expected.is_nan() || off <= NEAR * largest
        };
        self.compared += 1;
        if found.len() != expected.len() || !found.iter().zip(expected).all(near) {
            let short = |list: &[f32]| format!("{:?}", &list[..list.len().min(8)]);
            self.failures.push(format!("{what}: {} for {}", short(found), short(expected)));
        }
    }

    /// The samples of a case, `x` and `y`, and their weights.
    fn dataset(&self, name: &str) -> Result<Dataset> {
        let (x, dims) = self.array(&format!("{name}/x")).unwrap();
        let dataset = match self.told(&format!("{name}/y")) {
            Expected::Labels(labels) => Dataset::from_f32(x, &dims, labels)?,
            Expected::Values(values, shape) => {
                let shape = if shape.len() > 1 { &shape[1..] } else { &[1] };
                Dataset::from_f32(x, &dims, vec![0; dims[0]])?.with_targets(values, shape)?
            }
        };
        match self.array(&format!("{name}/sample_weight")) {
            Some((weights, _)) => dataset.with_weights(weights),
            None => Ok(dataset),
        }
    }

    /// A case's model, compiled, with its weights.
    fn model(&self, case: &Value, metrics: &Value) -> Result<Model> {
        let name = case["name"].as_str().unwrap();
        let json: Value = serde_json::from_str(case["model"].as_str().unwrap()).unwrap();
        let keras::Network { graph, input, output, name: title } = keras::read(&json)?;
        let model = Model::new(&graph, input, output, &title)?;
        for weight in case["weights"].as_array().unwrap() {
            let weight = weight.as_str().unwrap();
            model.set_weight(weight, &self.array(&format!("{name}/weights/{weight}")).unwrap().0)?;
        }
        let optimizer = optimizers::read(&Named::read(&case["optimizer"], "optimizer".into())?)?;
        let loss = losses::read(&Named::read(&case["loss"], "loss".into())?)?;
        model.compile(&CompileOptions { optimizer, loss, metrics: metrics.clone() })?;
        Ok(model)
    }

    /// Five steps with a loss.
    fn steps(&mut self, case: &Value) -> Result<()> {
        let name = case["name"].as_str().unwrap();
        let model = self.model(case, &json!([]))?;
        let (data, expected) = (self.dataset(name)?, |what: &str| format!("{name}/{what}"));
        let mut predictions = vec![0.0; data.len() * model.output_len()];
        model.predict_dataset(&data, &mut predictions)?;
        let array = self.array(&expected("predictions")).unwrap().0;
        self.compare(&expected("predictions"), &predictions, &array);
        let quiet = &mut |_: &str| ();
        let evaluated = model.evaluate(&data, EvaluateOptions::new(Output::file(quiet)))?.metrics.loss;
        let array = self.array(&expected("evaluate")).unwrap().0;
        self.compare(&expected("evaluate"), &[evaluated as f32], &array);
        if UNDETERMINED.contains(&name) {
            return Ok(());
        }
        let batch = case["batch_size"].as_u64().unwrap() as usize;
        let mut losses = Vec::new();
        for step in 0..5 {
            let start = step * batch % (data.len() + 2);
            let one = data.slice(start, batch.min(data.len() - start))?;
            let mut options = FitOptions::new(Output::file(quiet));
            (options.batch_size, options.shuffle, options.verbose) = (batch, false, Verbose::Silent);
            options.class_weight = class_weight(case);
            losses.push(model.fit(&one, options)?.history.get("loss", 0)? as f32);
        }
        let array = self.array(&expected("losses")).unwrap().0;
        self.compare(&expected("losses"), &losses, &array);
        for weight in case["weights"].as_array().unwrap() {
            let weight = weight.as_str().unwrap();
            let array = self.array(&expected(&format!("after/{weight}"))).unwrap().0;
            let mut found = vec![0.0; array.len()];
            model.get_weight(weight, &mut found)?;
            self.compare(&expected(&format!("after/{weight}")), &found, &array);
        }
        Ok(())
    }

    /// A metric over three batches.
    fn metric(&mut self, case: &Value) -> Result<()> {
        let name = case["name"].as_str().unwrap();
        let (outputs, shape) = self.array(&format!("{name}/outputs")).unwrap();
        let (width, told) = (*shape.last().unwrap(), self.told(&format!("{name}/y")));
        let wants = if matches!(told, Expected::Labels(_)) { TargetKind::Labels } else { TargetKind::Values };
        let called = metrics::read(&json!([case["metric"]]), width, wants)?.remove(0);
        let each = shape[1..].iter().product::<usize>();
        let mut kept = vec![0.0; called.metric.kept(width)];
        let floats = match &told {
            Expected::Labels(labels) => labels.iter().map(|&label| label as f32).collect(),
            Expected::Values(values, _) => values.clone(),
        };
        let (batch, samples) = (case["batch_size"].as_u64().unwrap() as usize, shape[0]);
        for start in (0..samples).step_by(batch) {
            let end = samples.min(start + batch);
            let truth = match &told {
                Expected::Labels(labels) if width > 1 => Truth::Labels(&labels[start..end]),
                _ => Truth::Values(&floats[start * each..end * each]),
            };
            let y = &outputs[start * each..end * each];
            called.metric.add(&mut kept, &Outcome { y, width, truth, before: None });
        }
        let expected = self.array(&format!("{name}/result")).unwrap().0;
        self.compare(name, &[called.metric.result(&kept, width) as f32], &expected);
        if called.name != case["history_name"].as_str().unwrap() {
            self.failures.push(format!("{name}: called {}, not {}", called.name, case["history_name"]));
        }
        if called.metric.class() != case["class"].as_str().unwrap() {
            self.failures.push(format!("{name}: {}, not {}", called.metric.class(), case["class"]));
        }
        Ok(())
    }

    /// A fit, and its history.
    fn fit(&mut self, case: &Value) -> Result<()> {
        let name = case["name"].as_str().unwrap();
        let model = self.model(case, &case["metrics"])?;
        let data = self.dataset(name)?;
        let split = case["validation_split"].as_f64().unwrap();
        let backwards = reversed(&data)?;
        let quiet = &mut |_: &str| ();
        let mut options = FitOptions::new(Output::file(quiet));
        options.batch_size = case["batch_size"].as_u64().unwrap() as usize;
        options.epochs = case["epochs"].as_u64().unwrap() as usize;
        (options.shuffle, options.validation_split) = (false, split);
        options.validation_data = (split == 0.0).then_some(&backwards);
        options.class_weight = class_weight(case);
        let history: History = model.fit(&data, options)?.history;
        let recorded = case["history"].as_object().unwrap();
        let mut names: Vec<&String> = history.names().iter().collect();
        names.sort();
        if !names.iter().eq(&recorded.keys().collect::<Vec<_>>()) {
            self.failures
                .push(format!("{name}: a history of {names:?}, not {:?}", recorded.keys().collect::<Vec<_>>()));
        }
        for (metric, values) in recorded {
            let expected: Vec<f32> = values.as_array().unwrap().iter().map(|x| x.as_f64().unwrap() as f32).collect();
            let found: Result<Vec<f32>> =
                (0..expected.len()).map(|epoch| history.get(metric, epoch).map(|x| x as f32)).collect();
            self.compare(&format!("{name}: {metric}"), &found.unwrap_or_default(), &expected);
        }
        Ok(())
    }
}

fn class_weight(case: &Value) -> Option<Vec<f32>> {
    Some(case["class_weight"].as_array()?.iter().map(|weight| weight.as_f64().unwrap() as f32).collect())
}

/// The same samples from the last to the first.
fn reversed(data: &Dataset) -> Result<Dataset> {
    let (dims, len) = (data.shape(), data.shape()[1..].iter().product::<usize>());
    let mut x = vec![0.0; data.len() * len];
    for (i, x) in x.chunks_exact_mut(len).enumerate() {
        data.image(data.len() - 1 - i, x)?;
    }
    let backwards =
        |values: &[f32], each: usize| -> Vec<f32> { values.chunks_exact(each).rev().flatten().copied().collect() };
    let labels = data.labels().map_or(vec![0; data.len()], |labels| labels.iter().rev().copied().collect());
    let mut all = Dataset::from_f32(x, &dims, labels)?;
    if let Some((values, shape)) = data.targets() {
        all = all.with_targets(backwards(values, shape.iter().product()), shape)?;
    }
    match data.weights() {
        Some(weights) => all.with_weights(backwards(weights, 1)),
        None => Ok(all),
    }
}

#[test]
fn losses_and_metrics_are_keras_s() {
    let bytes = std::fs::read(data("losses.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let table: Value = serde_json::from_slice(&std::fs::read(data("losses.json")).unwrap()).unwrap();
    let mut recorded = Recorded { tensors, failures: Vec::new(), compared: 0 };
    let mut unknown = Vec::new();
    let mut cases = 0;
    for key in ["losses", "metrics", "fits"] {
        for case in table[key].as_array().unwrap() {
            cases += 1;
            let done = match key {
                "losses" => recorded.steps(case),
                "metrics" => recorded.metric(case),
                _ => recorded.fit(case),
            };
            match done {
                Ok(()) => assert!(!REFUSED.contains(&case["name"].as_str().unwrap()), "{}", case["name"]),
                Err(_) if REFUSED.contains(&case["name"].as_str().unwrap()) => {}
                Err(error) if error.kind() == ErrorKind::Unsupported => {
                    unknown.push(format!("{}: {error}", case["name"]));
                }
                Err(error) => recorded.failures.push(format!("{}: {error}", case["name"])),
            }
        }
    }
    println!("{} of {cases} cases, {} arrays; not known: {unknown:#?}", cases - unknown.len(), recorded.compared);
    assert!(recorded.failures.is_empty(), "{} are off:\n{}", recorded.failures.len(), recorded.failures.join("\n"));
}

#[test]
fn what_was_compiled_comes_back_from_its_config() {
    let table: Value = serde_json::from_slice(&std::fs::read(data("losses.json")).unwrap()).unwrap();
    for case in table["fits"].as_array().unwrap() {
        let json: Value = serde_json::from_str(case["model"].as_str().unwrap()).unwrap();
        let keras::Network { graph, input, output, .. } = keras::read(&json).unwrap();
        let architecture = graph.architecture(input, output).unwrap();
        let optimizer = optimizers::read(&Named::read(&case["optimizer"], "optimizer".into()).unwrap()).unwrap();
        let loss = losses::read(&Named::read(&case["loss"], "loss".into()).unwrap()).unwrap();
        let options = CompileOptions { optimizer, loss, metrics: case["metrics"].clone() };
        let compiled = Compiled::new(&options, &architecture).unwrap();
        let object = compiled.config();
        let again = Compiled::from_config(&crate::json::Object::root(&object).unwrap(), &architecture).unwrap();
        assert_eq!((again.config(), again.names()), (object, compiled.names()), "{}", case["name"]);
    }
}
