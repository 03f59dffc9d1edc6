//! `Flatten`: `[H, W, C]` to `[H * W * C]`, with the same values in the same order.

use super::{Arity, BuildContext, Entry, Layer, Work};
use crate::error::{Error, Result};
use crate::graph::Shape;
use crate::json::Object;
use serde_json::{Map, Value, json};
use std::sync::Arc;

pub(super) const ENTRY: Entry = Entry { class: "Flatten", arity: Arity::One, keys: &["data_format"], read };

/// The layer.
#[derive(Debug)]
pub struct Flatten;

fn read(_: &Object<'_>) -> Result<Arc<dyn Layer>> {
    Ok(Arc::new(Flatten))
}

impl Layer for Flatten {
    fn class(&self) -> &'static str {
        ENTRY.class
    }

    fn config(&self) -> Map<String, Value> {
        Map::from_iter([("data_format".to_string(), json!("channels_last"))])
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape> {
        Shape::new(&[inputs[0].len()])
    }

    fn is_view(&self, _: bool) -> bool {
        true
    }

    fn build(&self, _: &BuildContext<'_>) -> Result<Box<dyn Work>> {
        Err(Error::internal("a view is built"))
    }
}
