//! `F1Score` and `FBetaScore`: precision and recall of each class in one number, `(1 + beta^2) * precision * recall /
//! (beta^2 * precision + recall)`, with 1e-7 added to the denominators.

use super::{Entry, Metric, Outcome, check_values};
use crate::error::{Error, ErrorKind, Result};
use crate::json::Object;
use crate::losses::{EPSILON, RowTarget, TargetKind};
use serde_json::{Map, Value, json};
use std::sync::Arc;

pub(super) const ENTRIES: &[Entry] = &[
    Entry { class: "F1Score", keys: &["average", "threshold"], read },
    Entry { class: "FBetaScore", keys: &["average", "threshold", "beta"], read },
];

/// How the classes' scores are averaged.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Average {
    /// Not: there is one class.
    None,
    /// Their mean.
    Macro,
    /// The score of all elements together.
    Micro,
    /// Their mean, weighted by each class's number of targets.
    Weighted,
}

const AVERAGES: [(&str, Average); 3] =
    [("macro", Average::Macro), ("micro", Average::Micro), ("weighted", Average::Weighted)];

fn read(entry: &'static Entry, config: &Object<'_>) -> Result<Arc<dyn Metric>> {
    let average = config.or("average", Average::None, "'macro', 'micro', 'weighted' or null", |value| match value {
        Value::Null => Some(Average::None),
        value => AVERAGES.iter().find(|(name, _)| value == name).map(|(_, average)| *average),
    })?;
    let threshold = config.or("threshold", None, "a number above 0 and up to 1, or null", |value| match value {
        Value::Null => Some(None),
        value => value.as_f64().filter(|&x| x > 0.0 && x <= 1.0).map(Some),
    })?;
    let beta = config.f64_or("beta", 1.0, "a number above 0", |beta| beta > 0.0)?;
    Ok(Arc::new(FScore { class: entry.class, average, threshold, beta }))
}

#[derive(Debug)]
struct FScore {
    class: &'static str,
    average: Average,
    /// Above it an element is predicted positive; `None`: if it is its row's largest.
    threshold: Option<f64>,
    beta: f64,
}

impl FScore {
    /// The score from true positives, false positives and false negatives.
    fn score(&self, hits: f64, alarms: f64, misses: f64) -> f64 {
        let (precision, recall) = (hits / (hits + alarms + EPSILON), hits / (hits + misses + EPSILON));
        let square = self.beta * self.beta;
        (1.0 + square) * precision * recall / (square * precision + recall + EPSILON)
    }
}

impl Metric for FScore {
    fn class(&self) -> &'static str {
        self.class
    }

    fn config(&self) -> Map<String, Value> {
        let average = AVERAGES.iter().find(|(_, average)| *average == self.average).map(|(name, _)| *name);
        let mut config = Map::new();
        config.insert("average".into(), json!(average));
        config.insert("threshold".into(), json!(self.threshold));
        if self.class == "FBetaScore" {
            config.insert("beta".into(), json!(self.beta));
        }
        config
    }

    fn check(&self, width: usize, targets: TargetKind) -> Result<()> {
        check_values(targets, width)?;
        match self.average == Average::None && width > 1 {
            true => Err(Error::new(ErrorKind::Unsupported, "a score for each class is not one number")
                .expected("'macro', 'micro' or 'weighted'")
                .found("null")
                .at("key average")),
            false => Ok(()),
        }
    }

    /// True positives, false positives and false negatives of each class.
    fn kept(&self, width: usize) -> usize {
        3 * width
    }

    fn add(&self, kept: &mut [f64], outcome: &Outcome<'_>) {
        for (truth, y) in outcome.rows() {
            let RowTarget::Values(values) = truth else { return };
            let most = y.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            for ((kept, &t), &y) in kept.chunks_exact_mut(3).zip(values).zip(y) {
                let found = match self.threshold {
                    Some(threshold) => y > threshold as f32,
                    None => y >= most && y.abs() > 1e-9,
                };
                let (found, t) = (f64::from(u8::from(found)), f64::from(t));
                kept[0] += found * t;
                kept[1] += found * (1.0 - t);
                kept[2] += (1.0 - found) * t;
            }
        }
    }

    fn result(&self, kept: &[f64], _: usize) -> f64 {
        let classes = || kept.chunks_exact(3).map(|kept| (self.score(kept[0], kept[1], kept[2]), kept[0] + kept[2]));
        let all = |i: usize| kept.chunks_exact(3).map(|kept| kept[i]).sum::<f64>();
        match self.average {
            Average::Micro => self.score(all(0), all(1), all(2)),
            Average::Weighted => {
                let support: f64 = classes().map(|(_, n)| n).sum();
                classes().map(|(score, n)| score * n).sum::<f64>() / (support + EPSILON)
            }
            _ => classes().map(|(score, _)| score).sum::<f64>() / classes().count() as f64,
        }
    }
}
