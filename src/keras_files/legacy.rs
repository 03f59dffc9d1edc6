//! What a whole model of Keras 2 says of itself.

use super::config::{self, Described};
use super::h5::Group;
use super::parse;
use crate::error::{At, Error, ErrorKind, Result};
use crate::json::Object;
use serde_json::{Value, json};

/// The attributes of the root group.
const MODEL: &str = "model_config";
const TRAINING: &str = "training_config";

/// The model that the file's root group describes.
pub fn describe(root: &Group<'_, '_>) -> Result<Described> {
    let Some(model) = json_of(root, MODEL)? else {
        let error = Error::new(ErrorKind::Format, "not a whole model: it has weights, if anything");
        return Err(error.expected("a model_config").at(format_args!("attribute {MODEL}")));
    };
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
fn compile_config(mut training: Value) -> Value {
    if let Some(map) = training.as_object_mut()
        && let Some(optimizer) = map.remove("optimizer_config")
    {
        map.insert("optimizer".to_string(), optimizer);
    }
    match training {
        Value::Object(_) => training,
        _ => json!({}),
    }
}
