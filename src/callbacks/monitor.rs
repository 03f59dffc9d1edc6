//! A monitored metric: `monitor`, `mode` and `min_delta` of Keras's callbacks.

use super::{Logs, bits, from_bits, value};
use crate::error::{Error, ErrorKind, Result, one_of};
use crate::json::Object;
use serde_json::{Map, Value};

/// Whether lower or higher is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// Lower is better, as for a loss.
    Lower,
    /// Higher is better, as for an accuracy.
    Higher,
}

/// A metric of a fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its name in the history, `val_accuracy`.
    pub name: String,
    /// Whether lower or higher is better, if known.
    pub better: Option<Better>,
}

/// The monitored metric and its best value.
#[derive(Debug)]
pub struct Monitor {
    /// The metric's name. Default: `val_loss`.
    pub name: String,
    /// Whether lower or higher is better; `None`: Keras's `auto`, by the metric. Default: `auto`.
    mode: Option<Better>,
    /// The least improvement that counts. Default: 0, and 1e-4 for ReduceLROnPlateau.
    min_delta: f64,
    /// Whether lower or higher is better in this fit.
    better: Better,
    /// The best value so far.
    pub best: Option<f64>,
}

/// The modes' names.
const MODES: [(&str, Option<Better>); 3] =
    [("auto", None), ("min", Some(Better::Lower)), ("max", Some(Better::Higher))];

impl Monitor {
    /// Reads `monitor`, `mode` and `min_delta`, if present.
    pub fn read(config: &Object<'_>, min_delta: f64) -> Result<Self> {
        let mode = |value: &Value| MODES.iter().find(|(name, _)| value == name).map(|(_, mode)| *mode);
        Ok(Monitor {
            name: config.or("monitor", "val_loss", "a metric's name", Value::as_str)?.to_string(),
            mode: config.or("mode", None, "auto, min or max", mode)?,
            min_delta: config.or("min_delta", min_delta, "a number", Value::as_f64)?.abs(),
            better: Better::Lower,
            best: None,
        })
    }

    /// `monitor` and `mode`.
    pub fn config(&self) -> Map<String, Value> {
        let mode = MODES.iter().find(|(_, mode)| *mode == self.mode).map_or("auto", |(name, _)| name);
        Map::from_iter([("monitor".to_string(), self.name.as_str().into()), ("mode".to_string(), mode.into())])
    }

    /// The same with `min_delta`.
    pub fn config_with_delta(&self) -> Map<String, Value> {
        let mut config = self.config();
        config.insert("min_delta".into(), self.min_delta.into());
        config
    }

    /// Finds the metric among those of the fit.
    pub fn check<'a>(&mut self, metrics: impl Iterator<Item = &'a Metric> + Clone) -> Result<()> {
        let Some(metric) = metrics.clone().find(|metric| metric.name == self.name) else {
            let error = Error::new(ErrorKind::NotFound, "not measured in this fit");
            return Err(error.expected(one_of(metrics.map(|metric| &metric.name))).found(&self.name).at("key monitor"));
        };
        self.better = self.mode.or(metric.better).ok_or_else(|| {
            let error = Error::new(
                ErrorKind::InvalidArgument,
                format!("it is not known whether a higher or a lower {} is better", self.name),
            );
            error.expected("min or max").found("auto").at("key mode")
        })?;
        Ok(())
    }

    /// Its value in an epoch; `None` if it was not measured.
    pub fn value(&self, logs: &Logs) -> Option<f64> {
        value(logs, &self.name)
    }

    /// Whether `value` is better than another by more than `min_delta`, in single precision, as Keras compares.
    pub fn improves(&self, value: f64, on: Option<f64>) -> bool {
        on.is_none_or(|on| match self.better {
            Better::Lower => ((value + self.min_delta) as f32) < on as f32,
            Better::Higher => ((value - self.min_delta) as f32) > on as f32,
        })
    }

    /// The best of a state.
    pub fn state(&self) -> (String, Value) {
        ("best".to_string(), self.best.map_or(Value::Null, bits))
    }

    /// Takes it back.
    pub fn restore(&mut self, state: &Object<'_>) -> Result<()> {
        self.best = from_bits(state, "best")?;
        Ok(())
    }
}
