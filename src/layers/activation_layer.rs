//! `Activation`: an activation as a layer of its own.

use super::{Activation, Arity, BuildContext, Config, Entry, Layer, Work};
use crate::error::{Error, Result};
use crate::graph::Shape;
use crate::json::Object;
use serde_json::{Map, Value};
use std::sync::Arc;

pub(super) const ENTRY: Entry = Entry { class: "Activation", arity: Arity::One, keys: &["activation"], read };

#[derive(Debug)]
struct ActivationLayer(Activation);

fn read(config: &Object<'_>) -> Result<Arc<dyn Layer>> {
    config.get("activation", "an activation's name", |value| (!value.is_null()).then_some(()))?;
    Ok(Arc::new(ActivationLayer(Activation::read(config, "activation")?)))
}

impl Layer for ActivationLayer {
    fn class(&self) -> &'static str {
        ENTRY.class
    }

    fn config(&self) -> Map<String, Value> {
        Config::new().activation(self.0).done()
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape> {
        Ok(inputs[0].clone())
    }

    fn is_view(&self, _: bool) -> bool {
        true
    }

    fn activation(&self) -> Activation {
        self.0
    }

    fn build(&self, _: &BuildContext<'_>) -> Result<Box<dyn Work>> {
        Err(Error::internal("an activation is no layer's work"))
    }
}
