//! Fit: epochs of batches, each a step of the optimizer.

use super::evaluate::{Batch, Mean, Metrics, check_batch_size};
use super::history::{EpochMetrics, History};
use super::model::{Compiled, Model, Moments};
use super::network::Network;
use super::options::{AdamOptions, Callbacks, Control, FitOptions, Progress};
use super::pool::Pool;
use super::progress::{Output, ProgressLine, Verbose, epoch_header};
use crate::data::{Dataset, order};
use crate::error::{At, Error, ErrorKind, Result};
use crate::kernels::AdamStep;
use crate::kernels::softmax::Score;
use crate::layers::Trained;
use crate::memory::Buffer;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// What a fit has done.
#[derive(Debug)]
pub struct Fitted {
    /// The metrics of each epoch, the one that was cut short included.
    pub history: History,
    /// Whether it was stopped by a callback or by [`Model::cancel`].
    pub cancelled: bool,
}

impl Model {
    /// Trains on `data`, whose images are `[H, W, C]` as the model's input (or `[H, W]` for one channel). Goes on from
    /// the weights and the optimizer's state that an earlier fit has left. All arguments are checked before the first
    /// step. Exclusive; callbacks and writes happen on the calling thread, between steps.
    pub fn fit(&self, data: &Dataset, options: FitOptions<'_>) -> Result<Fitted> {
        let mut session = self.exclusive()?;
        let compiled = session.compiled.as_mut().ok_or_else(|| {
            Error::new(ErrorKind::State, "fit before compile").expected("a compiled model").at("model")
        })?;
        check_batch_size(options.batch_size)?;
        if options.epochs == 0 {
            return Err(Error::new(ErrorKind::InvalidArgument, "no epochs")
                .expected("1 or more")
                .found(0)
                .at("option `epochs`"));
        }
        self.check_data(data, "argument `dataset`")?;
        if let Some(validation) = options.validation_data {
            self.check_data(validation, "option `validation_data`")?;
        }
        let (train, validation) = split(data, &options)?;
        self.cancel.store(false, Ordering::Release);
        let mut fit = Fit::new(self, compiled, train, validation, options)?;
        fit.run()?;
        Ok(Fitted { history: fit.history, cancelled: fit.stopped })
    }
}

/// The samples to train on, and those to validate on: given as such, or the data's end.
fn split(data: &Dataset, options: &FitOptions<'_>) -> Result<(Dataset, Option<Dataset>)> {
    let share = options.validation_split;
    let error = |what| Error::new(ErrorKind::InvalidArgument, what).found(share).at("option `validation_split`");
    if !(0.0..1.0).contains(&share) {
        return Err(error("out of range").expected("0 or more and below 1"));
    }
    if options.validation_data.is_some() || share == 0.0 {
        return Ok((data.clone(), options.validation_data.cloned()));
    }
    let train = (data.len() as f64 * (1.0 - share)).floor() as usize;
    if train == 0 || train == data.len() {
        return Err(error("leaves no sample on one side").expected(format_args!("a share of {} samples", data.len())));
    }
    Ok((data.slice(0, train)?, Some(data.slice(train, data.len() - train)?)))
}

/// A fit under way.
struct Fit<'m, 'o> {
    model: &'m Model,
    pool: Arc<Pool>,
    adam: AdamOptions,
    accuracy: bool,
    moments: &'m mut Moments,
    network: Network,
    batch: Batch,
    train: Dataset,
    validation: Option<Dataset>,
    batch_size: usize,
    epochs: std::ops::Range<usize>,
    shuffle: Option<u64>,
    verbose: Verbose,
    output: Output<'o>,
    callbacks: Option<&'o mut dyn Callbacks>,
    history: History,
    stopped: bool,
}

impl<'m, 'o> Fit<'m, 'o> {
    fn new(
        model: &'m Model,
        compiled: &'m mut Compiled,
        train: Dataset,
        validation: Option<Dataset>,
        options: FitOptions<'o>,
    ) -> Result<Self> {
        let pool = model.pool()?;
        let batch_size = options.batch_size.min(train.len());
        let moments = match &mut compiled.moments {
            Some(moments) => moments,
            none => none.insert(Moments::new(model.parameters.len()).at("the optimizer's state")?),
        };
        Ok(Fit {
            network: model.network(&pool, batch_size, true)?,
            batch: Batch::new(model, batch_size)?,
            model,
            pool,
            adam: compiled.adam,
            accuracy: compiled.accuracy,
            moments,
            train,
            validation,
            batch_size,
            epochs: options.initial_epoch..options.epochs,
            shuffle: options.shuffle.then_some(options.seed),
            verbose: options.verbose,
            output: options.output,
            callbacks: options.callbacks,
            history: History::default(),
            stopped: false,
        })
    }

    fn run(&mut self) -> Result<()> {
        for epoch in self.epochs.clone() {
            self.epoch(epoch)?;
            if self.stopped {
                break;
            }
        }
        Ok(())
    }

    fn epoch(&mut self, epoch: usize) -> Result<()> {
        let mut now = Epoch {
            start: Instant::now(),
            mean: Mean::default(),
            accuracy: self.accuracy,
            validated: false,
            progress: Progress {
                epoch,
                epochs: self.epochs.end,
                batch: 0,
                batches: self.train.len().div_ceil(self.batch_size),
                loss: f64::NAN,
                accuracy: f64::NAN,
                val_loss: f64::NAN,
                val_accuracy: f64::NAN,
                seconds: 0.0,
            },
        };
        self.call(|callbacks, progress| callbacks.on_epoch_begin(progress), &now.progress);
        if self.stopped {
            return Ok(());
        }
        epoch_header(&mut self.output, self.verbose, epoch, self.epochs.end);
        let mut line = ProgressLine::new(self.verbose, now.progress.batches);
        self.batches(&mut now, &mut line)?;
        let validated = match self.validation.clone() {
            Some(data) if !self.stopped => self.validate(&data)?,
            _ => None,
        };
        now.end(validated, &mut self.history);
        line.finish(&mut self.output, now.progress.batch + 1, &now.shown(), now.progress.seconds);
        if !self.stopped {
            self.call(|callbacks, progress| callbacks.on_epoch_end(progress), &now.progress);
        }
        Ok(())
    }

    /// All batches of an epoch, or as many as there are before somebody says stop.
    fn batches(&mut self, now: &mut Epoch, line: &mut ProgressLine) -> Result<()> {
        let order = order(self.train.len(), self.shuffle.map(|seed| (seed, now.progress.epoch)))?;
        for (batch, indices) in order.chunks(self.batch_size).enumerate() {
            let score = self.step(indices)?;
            now.step(batch, score, indices.len());
            line.update(&mut self.output, batch + 1, &now.shown(), now.progress.seconds);
            self.call(|callbacks, progress| callbacks.on_batch_end(progress), &now.progress);
            if self.stopped {
                break;
            }
        }
        Ok(())
    }

    /// One step of the optimizer. Whoever reads the weights meanwhile waits for its end.
    fn step(&mut self, indices: &[u32]) -> Result<Score> {
        let (x, labels) = self.batch.gather(&self.train, indices);
        let AdamOptions { learning_rate, beta_1, beta_2, epsilon } = self.adam;
        let Moments { m, v, steps } = &mut *self.moments;
        let (pool, network) = (&self.pool, &mut self.network);
        let adam = AdamStep::new(learning_rate, beta_1, beta_2, epsilon, *steps + 1);
        let score =
            self.model.parameters.write(|w| pool.run(|| network.train(Trained { w, m, v }, x, labels, adam)))??;
        *steps += 1;
        Ok(score)
    }

    /// The metrics on the validation data; `None` when stopped meanwhile.
    fn validate(&mut self, data: &Dataset) -> Result<Option<Metrics>> {
        let model = self.model;
        let weights = model.parameters.snapshot()?;
        let going_on = || !model.cancel.load(Ordering::Acquire);
        let mean = model.score(&weights, data, self.batch_size, &mut |_| going_on())?;
        self.stopped |= !going_on();
        Ok((!self.stopped).then(|| mean.metrics()))
    }

    /// Calls back, then looks whether anybody wants to stop.
    fn call(&mut self, hook: impl FnOnce(&mut dyn Callbacks, &Progress) -> Control, progress: &Progress) {
        if let Some(callbacks) = &mut self.callbacks {
            self.stopped |= hook(&mut **callbacks, progress) == Control::Stop;
        }
        self.stopped |= self.model.cancel.load(Ordering::Acquire);
    }
}

impl Moments {
    fn new(len: usize) -> Result<Self> {
        Ok(Moments { m: Buffer::zeros(len)?, v: Buffer::zeros(len)?, steps: 0 })
    }
}

/// An epoch under way.
struct Epoch {
    start: Instant,
    mean: Mean,
    accuracy: bool,
    validated: bool,
    progress: Progress,
}

impl Epoch {
    fn step(&mut self, batch: usize, score: Score, samples: usize) {
        self.mean.add(score, samples);
        let metrics = self.mean.metrics();
        self.progress.batch = batch;
        self.progress.loss = metrics.loss;
        self.progress.accuracy = if self.accuracy { metrics.accuracy } else { f64::NAN };
        self.progress.seconds = self.start.elapsed().as_secs_f64();
    }

    /// Takes in what the validation found, and notes the epoch in the history.
    fn end(&mut self, validated: Option<Metrics>, history: &mut History) {
        let progress = &mut self.progress;
        progress.seconds = self.start.elapsed().as_secs_f64();
        self.validated = validated.is_some();
        if let Some(metrics) = validated {
            progress.val_loss = metrics.loss;
            progress.val_accuracy = if self.accuracy { metrics.accuracy } else { f64::NAN };
        }
        let Progress { loss, accuracy, val_loss, val_accuracy, .. } = *progress;
        let wanted = |value| self.accuracy.then_some(value);
        history.push(EpochMetrics {
            loss,
            accuracy: wanted(accuracy),
            val_loss: validated.map(|_| val_loss),
            val_accuracy: validated.and_then(|_| wanted(val_accuracy)),
        });
    }

    /// The metrics that were measured, as the progress line shows them.
    fn shown(&self) -> Vec<(&'static str, f64)> {
        let Progress { loss, accuracy, val_loss, val_accuracy, .. } = self.progress;
        let all = [("loss", loss), ("accuracy", accuracy), ("val_loss", val_loss), ("val_accuracy", val_accuracy)];
        let wanted = |name: &str| self.validated || !name.starts_with("val_");
        let measured = |name: &str| self.accuracy || !name.ends_with("accuracy");
        all.into_iter().filter(|(name, _)| wanted(name) && measured(name)).collect()
    }
}
