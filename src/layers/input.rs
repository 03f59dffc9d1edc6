//! `InputLayer`: the input of a network.

use super::{Arity, BuildContext, Entry, Layer, Work};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::Shape;
use crate::json::{Object, count};
use serde_json::{Map, Value, json};
use std::sync::Arc;

pub(super) const ENTRY: Entry = Entry {
    class: "InputLayer",
    arity: Arity::Zero,
    keys: &["batch_shape", "shape", "sparse", "ragged", "optional"],
    read,
};

/// The layer: the shape of a sample.
#[derive(Debug)]
pub struct Input(Shape);

impl Input {
    /// For samples of a shape of rank 1 to 3.
    pub fn new(dims: &[usize]) -> Result<Self> {
        if !(1..=3).contains(&dims.len()) {
            return Err(Error::new(ErrorKind::Shape, "samples of a rank that is not supported")
                .expected("1, 2 or 3 sizes, without the batch")
                .found(format_args!("{dims:?}")));
        }
        Ok(Input(Shape::new(dims)?))
    }
}

fn read(config: &Object<'_>) -> Result<Arc<dyn Layer>> {
    for key in ["sparse", "ragged", "optional"] {
        config.idle(key, |value| value == false, "false")?;
    }
    let sizes = |value: &[Value]| value.iter().map(count).collect::<Option<Vec<_>>>();
    let dims = match config.has("shape") {
        true => config.get("shape", "[height, width, channels]", |value| sizes(value.as_array()?))?,
        false => {
            config.get("batch_shape", "[null, height, width, channels]", |value| match &value.as_array()?[..] {
                [Value::Null, dims @ ..] => sizes(dims),
                _ => None,
            })?
        }
    };
    Ok(Arc::new(Input::new(&dims)?))
}

impl Layer for Input {
    fn class(&self) -> &'static str {
        ENTRY.class
    }

    fn config(&self) -> Map<String, Value> {
        let batch = std::iter::once(Value::Null).chain(self.0.dims().iter().map(|&dim| json!(dim)));
        Map::from_iter([("batch_shape".to_string(), batch.collect())])
    }

    fn output(&self, _: &[&Shape]) -> Result<Shape> {
        Ok(self.0.clone())
    }

    fn build(&self, _: &BuildContext<'_>) -> Result<Box<dyn Work>> {
        Err(Error::internal("an input is built"))
    }
}
