//! Reads the description of a whole model of Keras 2.

use super::config::{self, Described};
use super::h5::Group;
use super::optimizer::shortest;
use super::parse;
use crate::error::{At, Error, ErrorKind, Result};
use crate::json::Object;
use serde_json::{Map, Value, json};

/// The attributes of the root group.
const MODEL: &str = "model_config";
const TRAINING: &str = "training_config";

/// Reads the model that the file's root group describes.
pub fn describe(root: &Group<'_, '_>) -> Result<Described> {
    let Some(mut model) = json_of(root, MODEL)? else {
        let error = Error::new(ErrorKind::Format, "not a whole model: at most weights");
        return Err(error.expected("a model_config").at(format_args!("attribute {MODEL}")));
    };
    modern(&mut model);
    let (name, architecture, order) = config::network(&model).at(format_args!("attribute {MODEL}"))?;
    let compiled = match json_of(root, TRAINING)? {
        Some(training) => {
            let training = compile_config(training);
            let compiled = Object::root(&training).and_then(|object| config::compiled(&object, &architecture));
            Some(compiled.at(format_args!("attribute {TRAINING}"))?)
        }
        None => None,
    };
    Ok(Described { name, architecture, order, compiled })
}

/// The JSON in an attribute; `None` if it does not exist.
fn json_of(root: &Group<'_, '_>, name: &str) -> Result<Option<Value>> {
    let Some(texts) = root.texts(name)? else { return Ok(None) };
    parse(texts.concat().as_bytes()).map(Some).at(format_args!("attribute {name}"))
}

/// Converts a training_config to Keras 3's form.
fn compile_config(training: Value) -> Value {
    let Value::Object(mut map) = training else { return json!({}) };
    if let Some(optimizer) = map.remove("optimizer_config") {
        map.insert("optimizer".to_string(), optimizer);
    }
    let mut compile = Value::Object(map);
    modern_compile(&mut compile);
    compile
}

/// Converts a model of Keras 2 to Keras 3's form; Keras 3's form does not change.
pub fn modern(model: &mut Value) {
    if let Some(compile) = model.get_mut("compile_config") {
        modern_compile(compile);
    }
    let Some(Value::Object(config)) = model.get_mut("config") else { return };
    let mut shape = None;
    for layer in config.get_mut("layers").and_then(Value::as_array_mut).into_iter().flatten() {
        let found = modern_layer(layer);
        shape = shape.or(found);
    }
    if let Some(shape) = shape {
        config.entry("build_input_shape").or_insert(shape);
    }
}

/// Converts a layer; returns the input shape in a sequential model's first layer.
fn modern_layer(layer: &mut Value) -> Option<Value> {
    let is = |class: &str| layer["class_name"] == class;
    let (is_input, is_norm) = (is("InputLayer"), is("BatchNormalization"));
    let mut shape = None;
    if let Some(Value::Object(config)) = layer.get_mut("config") {
        shape = config.remove("batch_input_shape");
        if let Some(shape) = shape.take_if(|_| is_input) {
            config.insert("batch_shape".to_string(), shape);
        }
        if let Some([axis]) = config.get("axis").filter(|_| is_norm).and_then(Value::as_array).map(Vec::as_slice) {
            let axis = axis.clone();
            config.insert("axis".to_string(), axis);
        }
    }
    for node in layer.get_mut("inbound_nodes").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(tensors) = node.as_array() {
            *node = call(tensors);
        }
    }
    shape
}

/// A call of a layer on tensors that are each `["conv2d", 0, 0, {}]`.
fn call(tensors: &[Value]) -> Value {
    let tensor = |tensor: &Value| {
        let history: Vec<Value> = tensor.as_array().into_iter().flatten().take(3).cloned().collect();
        json!({ "class_name": "__keras_tensor__", "config": { "keras_history": history } })
    };
    let args: Vec<Value> = tensors.iter().map(tensor).collect();
    let kwargs = tensors.iter().find_map(|tensor| tensor.get(3)).cloned().unwrap_or_else(|| json!({}));
    match args.len() {
        1 => json!({ "args": args, "kwargs": kwargs }),
        _ => json!({ "args": [args], "kwargs": kwargs }),
    }
}

/// Converts compile options.
fn modern_compile(compile: &mut Value) {
    if let Some(Value::Object(optimizer)) = compile.get_mut("optimizer") {
        modern_optimizer(optimizer);
    }
    // "auto" is the mean over the batch, except with a strategy for several machines.
    if let Some(Value::Object(config)) = compile.pointer_mut("/loss/config")
        && config.get("reduction") == Some(&json!("auto"))
    {
        config.remove("reduction");
    }
}

/// Converts an optimizer. Before Keras 2.11 it could have a decay of the learning rate without a schedule, and before
/// 2.3 the key was `lr`.
fn modern_optimizer(optimizer: &mut Map<String, Value>) {
    if let Some(class) = optimizer.get("class_name").and_then(Value::as_str).and_then(|c| c.strip_prefix("Custom>")) {
        let class = json!(class);
        optimizer.insert("class_name".to_string(), class);
    }
    let Some(Value::Object(config)) = optimizer.get_mut("config") else { return };
    config.remove("jit_compile");
    config.remove("is_legacy_optimizer");
    if let Some(rate) = config.remove("lr") {
        config.insert("learning_rate".to_string(), rate);
    }
    let Some(decay) = config.get("decay").and_then(Value::as_f64).filter(|decay| *decay >= 0.0) else { return };
    config.remove("decay");
    if decay > 0.0 {
        let rate = config.get("learning_rate").and_then(Value::as_f64).map(|rate| shortest(rate as f32));
        let settings = json!({ "initial_learning_rate": rate, "decay_steps": 1, "decay_rate": shortest(decay as f32) });
        let schedule = json!({ "class_name": "InverseTimeDecay", "config": settings });
        config.insert("learning_rate".to_string(), schedule);
    }
}
