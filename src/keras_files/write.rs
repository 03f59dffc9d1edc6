//! Writes a model as a `.keras` file.

use super::config::WRAPPER;
use super::h5::{self, Data, Node};
use super::{CONFIG, METADATA, WEIGHTS, layers, optimizer};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::names::snake_case;
use crate::model::Model;
use crate::model::compile::Compiled;
use crate::model::state::{Moments, State};
use crate::optimizers;
use serde_json::{Map, Value, json};
use std::io::{BufWriter, Seek, Write};
use zip::CompressionMethod::Stored;
use zip::write::SimpleFileOptions;
use zip::{System, ZipWriter};

/// The version of Keras whose format is written.
const VERSION: &str = "3.15.1";

/// Writes a model with `weights` and `state`.
pub fn write(model: &Model, weights: &[f32], state: &State, file: impl Write + Seek) -> Result<()> {
    let trainable = model.trainable();
    let empty;
    let mut children = vec![("layers".to_string(), layer_nodes(model, weights))];
    if let Some(compiled) = &state.compiled {
        let made = if state.moments.slots.is_empty() {
            empty = Moments::new(&*compiled.optimizer, weights.len())?;
            &empty.slots
        } else {
            &state.moments.slots
        };
        let (architecture, parameters) = (&model.architecture, &model.parameters);
        let node = optimizer::node(architecture, &trainable, parameters, state, &*compiled.optimizer, made);
        children.push(("optimizer".to_string(), node));
    }
    let metadata = json!({ "keras_version": VERSION }).to_string();
    let mut zip = ZipWriter::new(BufWriter::new(file));
    let large = weights.len().saturating_mul(8) > (1 << 30);
    // The zip's system field is always the same, so that the same model gives the same bytes.
    let options = SimpleFileOptions::default().compression_method(Stored).large_file(large).system(System::Unix);
    for (name, text) in [(METADATA, metadata), (CONFIG, config(model, state).to_string())] {
        zip.start_file(name, options).map_err(failed)?;
        zip.write_all(text.as_bytes())?;
    }
    zip.start_file(WEIGHTS, options).map_err(failed)?;
    h5::write(&Node::group(children), &mut zip)?;
    zip.finish().map_err(failed)?.flush()?;
    Ok(())
}

fn failed(error: zip::result::ZipError) -> Error {
    match error {
        zip::result::ZipError::Io(error) => Error::io(error),
        other => Error::new(ErrorKind::Internal, format!("zip: {other}")),
    }
}

/// The group of the layers that have weights.
fn layer_nodes<'n>(model: &Model, weights: &'n [f32]) -> Node<'n> {
    let order: Vec<usize> = (0..model.architecture.layers.len()).collect();
    let names = layers::names(&model.architecture, &order).into_iter().enumerate();
    let node = |(layer, name): (usize, String)| {
        let entries = model.parameters.of_layer(layer);
        let dataset = |entry: &crate::model::parameters::Entry| Node::Dataset {
            shape: entry.shape.clone(),
            data: Data::Floats(&weights[entry.range.clone()]),
        };
        let children = entries.iter().map(dataset).enumerate().map(|(i, node)| (i.to_string(), node)).collect();
        let vars = Node::Group { name: Some(model.architecture.layers[layer].name.clone()), children };
        (!entries.is_empty()).then(|| (name, Node::group(vec![("vars".to_string(), vars)])))
    };
    Node::group(names.filter_map(node).collect())
}

/// The content of config.json.
fn config(model: &Model, state: &State) -> Value {
    let mut config = model.config();
    config["module"] = json!("keras.src.models.functional");
    if let Some(compiled) = &state.compiled {
        config["compile_config"] = compile_config(compiled, state.learning_rate);
    }
    config
}

/// The compile options as Keras writes them. A learning rate that was set replaces the optimizer's.
fn compile_config(compiled: &Compiled, learning_rate: Option<f64>) -> Value {
    let config = compiled.config();
    let mut optimizer = optimizers::config(&*compiled.optimizer);
    if let Some(rate) = learning_rate {
        optimizer["config"]["learning_rate"] = json!(rate);
    }
    if optimizer["config"]["learning_rate"].is_object() {
        let schedule = optimizer["config"]["learning_rate"].take();
        optimizer["config"]["learning_rate"] = of_module(schedule, "keras.optimizers.schedules");
    }
    let metrics = config["metrics"].as_array().into_iter().flatten();
    json!({
        "optimizer": of_module(optimizer, "keras.optimizers"),
        "loss": of_module(config["loss"].clone(), "keras.losses"),
        "loss_weights": null,
        "metrics": metrics.map(metric).collect::<Vec<_>>(),
        "weighted_metrics": null,
        "run_eagerly": false,
        "steps_per_execution": 1,
        "jit_compile": false,
    })
}

/// The losses without a metric class in Keras.
const WRAPPED: [&str; 3] = ["Huber", "BinaryFocalCrossentropy", "CategoricalFocalCrossentropy"];

/// A metric; for such a loss one that wraps its function.
fn metric(metric: &Value) -> Value {
    let mut metric = metric.clone();
    if let Some(class) = metric["class_name"].as_str().filter(|class| WRAPPED.contains(class)).map(snake_case) {
        let function = json!({ "class_name": "function", "config": class });
        metric["config"]["fn"] = of_module(function, "builtins");
        metric["config"]["fn"]["registered_name"] = json!("function");
        metric["class_name"] = json!(WRAPPER);
    }
    of_module(metric, "keras.metrics")
}

/// An object as Keras 3 serializes it: with its module.
fn of_module(object: Value, module: &str) -> Value {
    let mut map = Map::from_iter([("module".to_string(), json!(module)), ("registered_name".to_string(), Value::Null)]);
    if let Value::Object(own) = object {
        map.extend(own);
    }
    Value::Object(map)
}
