//! Reads config.json: the network and its compile options.

use super::optimizer::shortest;
use crate::error::{At, Error, ErrorKind, Result, printable};
use crate::graph::{Architecture, keras};
use crate::json::Object;
use crate::losses;
use crate::model::compile::{CompileOptions, Compiled};
use crate::optimizers;
use serde_json::{Value, json};

/// The description of a model in a file.
pub struct Described {
    /// The model's name.
    pub name: String,
    /// Its network.
    pub architecture: Architecture,
    /// The layers in the file's order.
    pub order: Vec<usize>,
    /// Its compile options, if it was compiled.
    pub compiled: Option<Compiled>,
}

/// Reads a model as Keras 3 serializes it.
pub fn describe(value: &Value) -> Result<Described> {
    let root = Object::root(value)?;
    let (name, architecture, order) = network(value)?;
    let compiled = match root.value("compile_config") {
        Value::Object(config) if !config.is_empty() => Some(compiled(&root.object("compile_config")?, &architecture)?),
        _ => None,
    };
    Ok(Described { name, architecture, order, compiled })
}

/// The network: its name, its layers, and their order in files.
pub fn network(value: &Value) -> Result<(String, Architecture, Vec<usize>)> {
    let keras::Network { graph, input, output, name } = keras::read(value)?;
    let architecture = graph.architecture(input, output)?;
    let config = Object::root(value)?.object("config")?;
    let mut order = Vec::new();
    for layer in config.objects("layers")? {
        let key = if layer.has("name") { "name" } else { "config.name" };
        let name = layer.value("name").as_str().or(layer.value("config")["name"].as_str()).unwrap_or_default();
        let index = architecture.layer(name).ok_or_else(|| {
            let error = Error::new(ErrorKind::Unsupported, "a layer that the output does not depend on");
            layer.at_key(error.found(printable(name)), key)
        })?;
        order.push(index);
    }
    // A sequential model may have no input layer.
    let rest = (0..architecture.layers.len()).filter(|layer| !order.contains(layer)).collect::<Vec<_>>();
    Ok((name, architecture, [rest, order].concat()))
}

/// Keys of Keras's `compile` that affect only its speed.
const IDLE: &[&str] = &["run_eagerly", "steps_per_execution", "jit_compile", "auto_scale_loss"];

/// Reads a compile_config for a network.
pub fn compiled(config: &Object<'_>, architecture: &Architecture) -> Result<Compiled> {
    config.only(&[&["optimizer", "loss", "loss_weights", "metrics", "weighted_metrics"], IDLE].concat())?;
    config.idle("loss_weights", |_| false, "null")?;
    config.idle("weighted_metrics", |value| value.as_array().is_some_and(Vec::is_empty), "null")?;
    let tidy = json!({
        "optimizer": with_rate(config.value("optimizer")),
        "loss": plain(alone(config.value("loss"))),
        "metrics": match alone(config.value("metrics")) {
            Value::Null => json!([]),
            Value::Array(metrics) => metrics.iter().map(metric).collect(),
            other => other.clone(),
        },
    });
    let tidy = Object::of(&tidy, config.prefix().trim_end_matches('.'))?;
    let missing = |key: &str| tidy.at_key(Error::new(ErrorKind::Unsupported, "missing"), key);
    let options = CompileOptions {
        optimizer: optimizers::read(&tidy.named("optimizer")?.ok_or_else(|| missing("optimizer"))?)?,
        loss: losses::read(&tidy.named("loss")?.ok_or_else(|| missing("loss"))?)?,
        metrics: tidy.value("metrics").clone(),
    };
    Compiled::new(&options, architecture).at(format_args!("key {}", config.prefix().trim_end_matches('.')))
}

/// The value for the only output of a model: `[["accuracy"]]` and `{"dense": ["accuracy"]}` are `["accuracy"]`.
fn alone(value: &Value) -> &Value {
    match value {
        Value::Array(list) if list.len() == 1 => list.first().filter(|one| one.is_array()).unwrap_or(value),
        Value::Object(map) if map.len() == 1 => map.values().next().unwrap_or(value),
        _ => value,
    }
}

/// A loss or a metric that may have been given as a function: then this is the function's name.
fn plain(value: &Value) -> &Value {
    match value["class_name"] == "function" {
        true => &value["config"],
        false => value,
    }
}

/// The same for a metric, which may also wrap a function or a loss.
fn metric(value: &Value) -> Value {
    let mut metric = plain(value).clone();
    let function = plain(&metric["config"]["fn"]).clone();
    if metric["class_name"] == WRAPPER && function.is_string() {
        metric["class_name"] = function;
    }
    // The mean over the batch is the mean over the samples.
    if let Some(Value::Object(config)) = metric.get_mut("config") {
        config.remove("fn");
        if config.get("reduction").is_some_and(|reduction| reduction == "sum_over_batch_size") {
            config.remove("reduction");
        }
    }
    metric
}

/// The class of a metric that wraps a function.
pub const WRAPPER: &str = "MeanMetricWrapper";

/// An optimizer with its learning rate as the shortest decimal number: Keras writes the exact value of the float32.
fn with_rate(optimizer: &Value) -> Value {
    let mut optimizer = optimizer.clone();
    if let Some(rate) = optimizer.pointer_mut("/config/learning_rate")
        && let Some(number) = rate.as_f64().filter(|&number| f64::from(number as f32) == number)
    {
        *rate = json!(shortest(number as f32));
    }
    optimizer
}
