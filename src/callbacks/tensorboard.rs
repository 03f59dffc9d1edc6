//! TensorBoard: writes scalars and histograms to event files, in `train/` and `validation/` of a folder.
//!
//! A fit that resumes from a checkpoint creates new files, as in TensorFlow: events after the checkpoint then exist
//! twice, with the same values.

use super::events::{EventFile, Message, histogram, now, scalar};
use super::{Callback, Entry, Host, LEARNING_RATE, Logs, Metric, Step, Verdict, learning_rate, set};
use crate::error::{At, Result};
use crate::files::{self, FilePath};
use crate::json::{Object, count};
use serde_json::{Map, Value, json};
use std::path::Path;

pub(super) const ENTRY: Entry = (
    "TensorBoard",
    &[
        "log_dir",
        "histogram_freq",
        "write_graph",
        "write_images",
        "write_steps_per_second",
        "update_freq",
        "profile_batch",
        "embeddings_freq",
        "embeddings_metadata",
    ],
    |config| Ok(Box::new(TensorBoard::read(config)?)),
);

#[derive(Debug)]
struct TensorBoard {
    /// The folder, created if necessary. Default: `logs`.
    log_dir: String,
    folder: FilePath,
    /// Epochs between two histograms of the weights; 0: none. Default: 0.
    histogram_freq: usize,
    /// Also writes the metrics so far after every so many batches; `None`: only after each epoch. Default: `epoch`.
    update_freq: Option<u64>,
    files: [Option<EventFile>; 2],
}

/// The subfolders, and their indices in `files`.
const SIDES: [&str; 2] = ["train", "validation"];
const TRAIN: usize = 0;
const VALIDATION: usize = 1;

impl TensorBoard {
    fn read(config: &Object<'_>) -> Result<Self> {
        config.idle("write_graph", Value::is_boolean, "true or false: no graph is written")?;
        config.idle("write_images", |value| value == false, "false")?;
        config.idle("write_steps_per_second", |value| value == false, "false")?;
        config.idle("profile_batch", |value| value == 0, "0")?;
        config.idle("embeddings_freq", |value| value == 0, "0")?;
        config.idle("embeddings_metadata", |_| false, "null")?;
        let freq = |value: &Value| match value {
            Value::String(text) => {
                [("epoch", None), ("batch", Some(1))].iter().find(|(name, _)| text == name).map(|(_, freq)| *freq)
            }
            batches => batches.as_u64().filter(|&batches| batches > 0).map(Some),
        };
        let log_dir = config.or("log_dir", "logs", "a folder's path", Value::as_str)?;
        Ok(TensorBoard {
            log_dir: log_dir.to_string(),
            folder: FilePath::of(Path::new(log_dir)).map_err(|error| config.at_key(error, "log_dir"))?,
            histogram_freq: config.or("histogram_freq", 0, "a whole number", count)?,
            update_freq: config.or("update_freq", None, "'epoch', 'batch' or a number of batches, 1 or more", freq)?,
            files: [None, None],
        })
    }

    /// Appends events to a subfolder's file, which is created for the first ones.
    fn append(&mut self, side: usize, events: &[Message]) -> Result<()> {
        let (Some(file), Some(name)) = (self.files.get_mut(side), SIDES.get(side)) else { return Ok(()) };
        if events.is_empty() {
            return Ok(());
        }
        let file = match file {
            Some(file) => file,
            None => file.insert(EventFile::begin(&self.folder.join(name)?, side)?),
        };
        file.append(events)
    }

    /// The events of the metrics, each named by `tag`.
    fn scalars<'a>(
        step: u64,
        logs: impl Iterator<Item = (&'a str, f64)>,
        tag: impl Fn(&str) -> String,
    ) -> Vec<Message> {
        let time = now();
        logs.map(|(name, value)| scalar(time, step, &tag(name), value)).collect()
    }

    /// The events of the weights' histograms.
    fn histograms(host: &dyn Host, step: u64) -> Result<Vec<Message>> {
        let (time, names, mut events) = (now(), host.named_weights(), Vec::new());
        host.weights(&mut |weights| {
            for (name, range) in &names {
                let values = weights.get(range.clone()).unwrap_or_default();
                events.push(histogram(time, step, &format!("{name}/histogram"), values));
            }
        })?;
        Ok(events)
    }
}

/// The training metrics, or the validation metrics under the training metrics' names.
fn of(logs: &Logs, side: usize) -> impl Iterator<Item = (&str, f64)> {
    logs.iter().filter_map(move |(name, value)| match name.strip_prefix("val_") {
        Some(name) => (side == VALIDATION).then_some((name, *value)),
        None => (side == TRAIN).then_some((name.as_str(), *value)),
    })
}

impl Callback for TensorBoard {
    fn class(&self) -> &'static str {
        "TensorBoard"
    }

    fn writes(&self) -> bool {
        true
    }

    fn config(&self) -> Map<String, Value> {
        Map::from_iter([
            ("log_dir".to_string(), json!(self.log_dir)),
            ("histogram_freq".to_string(), json!(self.histogram_freq)),
            ("update_freq".to_string(), self.update_freq.map_or(json!("epoch"), |batches| json!(batches))),
        ])
    }

    fn check(&mut self, _: &mut Vec<Metric>) -> Result<()> {
        self.folder.check_absolute()?;
        SIDES
            .iter()
            .try_for_each(|side| files::check_with_folders(&self.folder.join(side)?.join("events")?).at(&self.folder))
    }

    fn batch_end(&mut self, _: &mut dyn Host, at: Step, logs: &Logs) -> Result<Verdict> {
        if self.update_freq.is_some_and(|batches| at.number.is_multiple_of(batches)) {
            let events = Self::scalars(at.number, of(logs, TRAIN), |name| format!("batch_{name}"));
            self.append(TRAIN, &events)?;
        }
        Ok(Verdict::Continue)
    }

    fn epoch_end(&mut self, host: &mut dyn Host, epoch: usize, logs: &mut Logs) -> Result<Verdict> {
        let (step, tag) = (epoch as u64, |name: &str| format!("epoch_{name}"));
        let mut all = logs.clone();
        set(&mut all, LEARNING_RATE, learning_rate(host)?);
        let mut train = Self::scalars(step, of(&all, TRAIN), tag);
        if self.histogram_freq > 0 && epoch.is_multiple_of(self.histogram_freq) {
            train.extend(Self::histograms(host, step)?);
        }
        let by_steps = |name: &str| format!("evaluation_{name}_vs_iterations");
        let mut validation = Self::scalars(host.steps(), of(logs, VALIDATION), by_steps);
        validation.extend(Self::scalars(step, of(logs, VALIDATION), tag));
        self.append(TRAIN, &train)?;
        self.append(VALIDATION, &validation)?;
        Ok(Verdict::Continue)
    }
}
