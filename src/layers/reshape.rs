//! `Reshape`: gives a sample another shape with the same values; a size of -1 is inferred.

use super::{Arity, BuildContext, Config, Entry, Layer, Work};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::Shape;
use crate::json::Object;
use serde_json::{Map, Value, json};
use std::sync::Arc;

pub(super) const ENTRY: Entry = Entry { class: "Reshape", arity: Arity::One, keys: &["target_shape"], read };

#[derive(Debug)]
struct Reshape {
    /// Its sizes; `None` for the inferred one.
    target: Vec<Option<usize>>,
}

fn read(config: &Object<'_>) -> Result<Arc<dyn Layer>> {
    let expected = "a list of whole numbers above 0, one of which may be -1";
    let target = config.get("target_shape", expected, |value| {
        let size = |value: &Value| match value.as_i64()? {
            -1 => Some(None),
            size => usize::try_from(size).ok().filter(|&size| size > 0).map(Some),
        };
        let sizes: Vec<Option<usize>> = value.as_array()?.iter().map(size).collect::<Option<_>>()?;
        (!sizes.is_empty() && sizes.iter().filter(|size| size.is_none()).count() < 2).then_some(sizes)
    })?;
    Ok(Arc::new(Reshape { target }))
}

impl Layer for Reshape {
    fn class(&self) -> &'static str {
        ENTRY.class
    }

    fn config(&self) -> Map<String, Value> {
        let sizes: Vec<Value> = self.target.iter().map(|size| size.map_or(json!(-1), |size| json!(size))).collect();
        Config::new().with("target_shape", sizes).done()
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape> {
        let known = self.target.iter().flatten().fold(1usize, |product, &size| product.saturating_mul(size));
        let left = inputs[0].len() / known;
        let dims: Vec<usize> = self.target.iter().map(|size| size.unwrap_or(left)).collect();
        match dims.iter().try_fold(1usize, |product, &size| product.checked_mul(size)) == Some(inputs[0].len()) {
            true => Shape::new(&dims),
            false => Err(Error::new(ErrorKind::Shape, "the shapes have different numbers of elements")
                .expected(format_args!("{} elements, those of {}", inputs[0].len(), inputs[0]))
                .found(format_args!("{dims:?}"))),
        }
    }

    fn is_view(&self, _: bool) -> bool {
        true
    }

    fn build(&self, _: &BuildContext<'_>) -> Result<Box<dyn Work>> {
        Err(Error::internal("a view is built"))
    }
}
