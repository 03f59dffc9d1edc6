//! What a whole model of Keras 2 says of itself.

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

/// The model that the file's root group describes.
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

/// The JSON that an attribute is; `None` where there is none of that name.
fn json_of(root: &Group<'_, '_>, name: &str) -> Result<Option<Value>> {
    let Some(texts) = root.texts(name)? else { return Ok(None) };
    parse(texts.concat().as_bytes()).map(Some).at(format_args!("attribute {name}"))
}

/// A training_config as Keras 3 would say it.
fn compile_config(training: Value) -> Value {
    let Value::Object(mut map) = training else { return json!({}) };
    if let Some(optimizer) = map.remove("optimizer_config") {
        map.insert("optimizer".to_string(), optimizer);
    }
    let mut compile = Value::Object(map);
    modern_compile(&mut compile);
    compile
}

/// Makes of a model that Keras 2 serialised what Keras 3 would say; what that said stays as it is.
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

/// A layer likewise; gives the shape that a sequential model's first layer has for its input.
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

/// How a model was compiled likewise.
fn modern_compile(compile: &mut Value) {
    if let Some(Value::Object(optimizer)) = compile.get_mut("optimizer") {
        modern_optimizer(optimizer);
    }
    // "auto" is the mean over the batch outside of a strategy for several machines.
    if let Some(Value::Object(config)) = compile.pointer_mut("/loss/config")
        && config.get("reduction") == Some(&json!("auto"))
    {
        config.remove("reduction");
    }
}

/// An optimizer likewise. Before Keras 2.11 its rate could shrink without a schedule, and before 2.3 it was called `lr`.
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
