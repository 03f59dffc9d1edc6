//! Fit: epochs of batches, each a step of the optimizer.

use super::checkpoint::{After, Checkpoints};
use super::evaluate::{check_batch_size, labelled};
use super::options::{Callbacks, Control, FitOptions, Progress};
use super::progress::{Output, ProgressLine, Verbose, epoch_header};
use super::watch::{Divergence, Place, Watch};
use crate::data::{Batch, Dataset, order};
use crate::error::{At, Error, ErrorKind, Result};
use crate::kernels::softmax::Score;
use crate::layers::Step;
use crate::memory::{self, Buffer};
use crate::model::CompileOptions;
use crate::model::Model;
use crate::model::history::{EpochMetrics, History};
use crate::model::network::{Network, Optimize};
use crate::model::pool::Pool;
use crate::model::score::{Mean, Metrics};
use crate::model::state::{Moments, Plan, Position, Samples, State};
use crate::optimizers::Optimizer;
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
    /// The first number that was NaN or infinite, if there was one. A fit that stops there
    /// ([`FitOptions::terminate_on_nan`]) has not taken the step. The model then has its last good weights again, those
    /// of at most 128 steps before, and the optimizer begins anew; without any such the weights are as before the fit.
    pub diverged: Option<Divergence>,
}

impl Model {
    /// Trains on `data`, whose images are `[H, W, C]` as the model's input (or `[H, W]` for one channel). Goes on from
    /// the weights and the optimizer's state that an earlier fit has left; or, when told to resume, from a checkpoint,
    /// and then ends with the same bits and the same history as the fit that wrote it would have. All arguments are
    /// checked, and the checkpoint is read, before anything is changed. Exclusive; callbacks and writes happen on the
    /// calling thread, between steps.
    ///
    /// A checkpoint that cannot be written later ends the fit with that error: the model keeps what it has learned until
    /// then, and the file is the one before.
    pub fn fit(&self, data: &Dataset, options: FitOptions<'_>) -> Result<Fitted> {
        let _session = self.exclusive()?;
        self.cancel.store(false, Ordering::Release); // from here on there is a fit to be cancelled
        let compiled = self.state.read().compiled.clone().ok_or_else(|| {
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
        let plan = plan(&train, validation.as_ref(), &options)?;
        let resume = options.checkpoint.as_ref().is_some_and(|checkpoint| checkpoint.resume);
        let (pool, batch) = (self.pool()?, options.batch_size.min(train.len()));
        let optimizer = &*compiled.optimizer;
        let build = |batch| self.build_fit(&pool, optimizer, (&train, validation.as_ref()), batch, &options);
        self.afford(batch, build).at("option `batch_size`")?;
        let mut fit = Fit::new(self, compiled, train, validation, options)?;
        fit.start(plan, resume)?;
        fit.run()?;
        fit.end()
    }

    /// Asks for what a fit will, to have it measured.
    fn build_fit(
        &self,
        pool: &Pool,
        optimizer: &dyn Optimizer,
        (train, validation): (&Dataset, Option<&Dataset>),
        batch: usize,
        options: &FitOptions<'_>,
    ) -> Result<()> {
        self.network(pool, batch, true)?.prepare(optimizer, self.parameters.len())?;
        {
            let _part = memory::part("the optimizer's state");
            let resume = options.checkpoint.as_ref().is_some_and(|checkpoint| checkpoint.resume);
            if resume || self.state.read().moments.slots.is_empty() {
                Moments::zeros(optimizer.slots().len(), self.parameters.len())?;
            }
            Buffer::zeros(if resume { self.parameters.len() } else { 0 })?;
        }
        {
            let _part = memory::part("a copy of the weights");
            Watch::new(options.terminate_on_nan, self.parameters.len())?;
        }
        {
            let _part = memory::part("the batch's images");
            Batch::new(train, batch)?;
            memory::reserve::<u32>(train.len())?;
        }
        let _part = memory::part("validation");
        validation.map_or(Ok(()), |data| self.build_score(pool, data, batch))
    }
}

/// What a fit that goes on from this one's checkpoint must have in common with it.
fn plan(train: &Dataset, validation: Option<&Dataset>, options: &FitOptions<'_>) -> Result<Plan> {
    Ok(Plan {
        data: Samples::of(train)?,
        validation: validation.map(Samples::of).transpose()?,
        batch_size: options.batch_size.min(train.len()),
        shuffle: options.shuffle,
        seed: options.seed,
        initial_epoch: options.initial_epoch,
    })
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
    optimizer: Arc<dyn Optimizer>,
    seed: u64,
    accuracy: bool,
    network: Network,
    batch: Batch,
    train: Dataset,
    validation: Option<Dataset>,
    batch_size: usize,
    epochs: usize,
    shuffle: Option<u64>,
    verbose: Verbose,
    output: Output<'o>,
    callbacks: Option<&'o mut dyn Callbacks>,
    checkpoints: Option<Checkpoints>,
    watch: Watch,
    /// The metrics of an epoch that was cut short.
    unfinished: Option<EpochMetrics>,
    stopped: bool,
}

impl<'m, 'o> Fit<'m, 'o> {
    fn new(
        model: &'m Model,
        compiled: CompileOptions,
        train: Dataset,
        validation: Option<Dataset>,
        options: FitOptions<'o>,
    ) -> Result<Self> {
        let pool = model.pool()?;
        let batch_size = options.batch_size.min(train.len());
        let mut network = model.network(&pool, batch_size, true)?;
        network.prepare(&*compiled.optimizer, model.parameters.len())?;
        Ok(Fit {
            network,
            batch: Batch::new(&train, batch_size)?.checked(Some(model.output_len())),
            model,
            pool,
            optimizer: compiled.optimizer,
            seed: options.seed,
            accuracy: compiled.accuracy,
            train,
            validation,
            batch_size,
            epochs: options.epochs,
            shuffle: options.shuffle.then_some(options.seed),
            verbose: options.verbose,
            output: options.output,
            callbacks: options.callbacks,
            checkpoints: options.checkpoint.as_ref().map(Checkpoints::new).transpose()?,
            watch: Watch::new(options.terminate_on_nan, model.parameters.len())?,
            unfinished: None,
            stopped: false,
        })
    }

    /// Puts the model where this fit begins: at the checkpoint, or at the start of the plan. The first change to it.
    fn start(&mut self, plan: Plan, resume: bool) -> Result<()> {
        let model = self.model;
        let resumed = match self.checkpoints.as_mut().filter(|_| resume) {
            Some(checkpoints) => checkpoints.read(model, &plan)?,
            None => None,
        };
        if let Some(resumed) = resumed {
            return resumed.apply(model);
        }
        let mut state = model.state.write();
        if state.moments.slots.is_empty() {
            state.moments = Moments::zeros(self.optimizer.slots().len(), model.parameters.len())?;
        }
        state.position = Some(Position::start(plan));
        Ok(())
    }

    fn run(&mut self) -> Result<()> {
        while !self.is_over() {
            let (epoch, done, mean) = self.position(|position| (position.epoch, position.batch, position.mean))?;
            if epoch >= self.epochs {
                break;
            }
            self.epoch(epoch, done, mean)?;
        }
        self.checkpoint(After::Fit)
    }

    /// Whether no further step is wanted.
    fn is_over(&self) -> bool {
        self.stopped || !self.watch.may_go_on()
    }

    /// What it has done. If it has diverged, the model gets its last good weights again.
    fn end(mut self) -> Result<Fitted> {
        let (history, last) = (self.history(), self.position(|position| position.last_step())?);
        let (model, network) = (self.model, &self.network);
        model.parameters.read(|weights| self.watch.weights(last, network, weights))?;
        let (diverged, good) = self.watch.end();
        if let Some(good) = good {
            let mut state = model.state.write();
            model.parameters.write(|all| all.copy_from_slice(&good))?;
            (state.moments, state.position) = (Moments::default(), None);
        }
        Ok(Fitted { history: history?, cancelled: self.stopped && diverged.is_none(), diverged })
    }

    /// Lends the position, which every fit has.
    fn position<R>(&self, task: impl FnOnce(&mut Position) -> R) -> Result<R> {
        let mut state = self.model.state.write();
        state.position.as_mut().map(task).ok_or_else(|| Error::internal("a fit without a position"))
    }

    /// The metrics of the epochs, the one that was cut short included.
    fn history(&self) -> Result<History> {
        let mut history = self.position(|position| position.history.copy())??;
        self.unfinished.into_iter().try_for_each(|metrics| history.push(metrics))?;
        Ok(history)
    }

    fn checkpoint(&mut self, event: After) -> Result<()> {
        let Some(checkpoints) = self.checkpoints.as_mut() else { return Ok(()) };
        let (watch, network) = (&mut self.watch, &self.network);
        checkpoints.after(event, self.model, |position, weights| {
            !watch.diverged() && watch.weights(position.last_step(), network, weights)
        })
    }

    /// An epoch, of which `done` batches with the scores `mean` are behind us when a fit goes on in its midst.
    fn epoch(&mut self, epoch: usize, done: usize, mean: Mean) -> Result<()> {
        let mut now = Epoch {
            start: Instant::now(),
            accuracy: self.accuracy,
            validated: false,
            progress: Progress {
                epoch,
                epochs: self.epochs,
                batch: 0,
                batches: self.train.len().div_ceil(self.batch_size),
                loss: f64::NAN,
                accuracy: f64::NAN,
                val_loss: f64::NAN,
                val_accuracy: f64::NAN,
                seconds: 0.0,
            },
        };
        if done > 0 {
            now.step(done - 1, mean.metrics());
        }
        self.call(|callbacks, progress| callbacks.on_epoch_begin(progress), &now.progress)?;
        if self.stopped {
            self.unfinished = (done > 0).then(|| now.end(None));
            return Ok(());
        }
        epoch_header(&mut self.output, self.verbose, epoch, self.epochs)?;
        let mut line = ProgressLine::new(self.verbose, done, now.progress.batches);
        self.batches(&mut now, &mut line, done)?;
        let validated = match self.validation.clone() {
            Some(data) if !self.is_over() => self.validate(&data, (epoch, now.progress.batch))?,
            _ => None,
        };
        let metrics = now.end(validated);
        match self.is_over() {
            true if now.progress.loss.is_nan() => return Ok(()), // not one step was taken
            true => self.unfinished = Some(metrics),
            false => self.position(|position| position.end_epoch(metrics))??,
        }
        line.finish(&mut self.output, now.progress.batch + 1, &now.shown(), now.progress.seconds)?;
        if !self.is_over() {
            self.call(|callbacks, progress| callbacks.on_epoch_end(progress), &now.progress)?;
            self.checkpoint(After::Epoch)?;
        }
        Ok(())
    }

    /// All batches of an epoch but the `done` first, or as many as there are before somebody says stop.
    fn batches(&mut self, now: &mut Epoch, line: &mut ProgressLine, done: usize) -> Result<()> {
        let order = order(self.train.len(), self.shuffle.map(|seed| (seed, now.progress.epoch)))?;
        for (batch, indices) in order.chunks(self.batch_size).enumerate().skip(done) {
            let Some(metrics) = self.step((now.progress.epoch, batch), indices)? else { break };
            now.step(batch, metrics);
            line.update(&mut self.output, batch + 1, &now.shown(), now.progress.seconds)?;
            self.call(|callbacks, progress| callbacks.on_batch_end(progress), &now.progress)?;
            if !self.stopped {
                self.checkpoint(After::Batch)?;
            }
            if self.is_over() {
                break;
            }
        }
        Ok(())
    }

    /// One step of the optimizer; gives the epoch's metrics so far, `None` if it was not to be taken. Whoever reads the
    /// weights or the state meanwhile waits for its end, so that nobody sees one without the other.
    fn step(&mut self, at: Place, indices: &[u32]) -> Result<Option<Metrics>> {
        self.batch.fill(&self.train, indices)?;
        let (x, labels) = labelled(&self.batch)?;
        let mut state = self.model.state.write();
        let State { moments: Moments { slots, steps }, position: Some(position), learning_rate, .. } = &mut *state
        else {
            return Err(Error::internal("a fit without a position"));
        };
        let (pool, network, watch) = (&self.pool, &mut self.network, &mut self.watch);
        let optimizer = &*self.optimizer;
        let (rate, number) = (learning_rate.unwrap_or(optimizer.learning_rate()), *steps + 1);
        let step = Step { seed: self.seed, number: *steps };
        let mut step = |w: &mut [f32]| -> Result<Option<Score>> {
            let score = network.score(&step, w, x, labels, None)?;
            if !watch.may_step(at, &score, network, w, x) {
                return Ok(None);
            }
            network.learn(&step, w, x, labels, Optimize { optimizer, rate, number, slots })?;
            Ok(Some(score))
        };
        let Some(score) = self.model.parameters.write(|w| pool.run(|| step(w)))?? else { return Ok(None) };
        *steps += 1;
        position.step(score, labels.len());
        Ok(Some(position.mean.metrics()))
    }

    /// The metrics on the validation data; `None` when stopped meanwhile.
    fn validate(&mut self, data: &Dataset, at: Place) -> Result<Option<Metrics>> {
        let model = self.model;
        let weights = model.parameters.snapshot()?;
        let going_on = || !model.cancel.load(Ordering::Acquire);
        let mean = model.score(&weights, data, self.batch_size, None, &mut |_| Ok(going_on()))?;
        self.stopped |= !going_on();
        let metrics = (!self.stopped).then(|| mean.metrics());
        metrics.iter().for_each(|metrics| self.watch.validated(at, metrics));
        Ok(metrics)
    }

    /// Calls back, then looks whether anybody wants to stop.
    fn call(&mut self, hook: impl FnOnce(&mut dyn Callbacks, &Progress) -> Control, progress: &Progress) -> Result<()> {
        if let Some(callbacks) = &mut self.callbacks {
            self.stopped |= hook(&mut **callbacks, progress) == Control::Stop;
            (self.output.check)()?;
        }
        self.stopped |= self.model.cancel.load(Ordering::Acquire);
        Ok(())
    }
}

/// An epoch under way.
struct Epoch {
    start: Instant,
    accuracy: bool,
    validated: bool,
    progress: Progress,
}

impl Epoch {
    /// After a batch, with the metrics up to it.
    fn step(&mut self, batch: usize, metrics: Metrics) {
        self.progress.batch = batch;
        self.progress.loss = metrics.loss;
        self.progress.accuracy = if self.accuracy { metrics.accuracy } else { f64::NAN };
        self.progress.seconds = self.start.elapsed().as_secs_f64();
    }

    /// Takes in what the validation found; gives the epoch's entry in the history.
    fn end(&mut self, validated: Option<Metrics>) -> EpochMetrics {
        let progress = &mut self.progress;
        progress.seconds = self.start.elapsed().as_secs_f64();
        self.validated = validated.is_some();
        if let Some(metrics) = validated {
            progress.val_loss = metrics.loss;
            progress.val_accuracy = if self.accuracy { metrics.accuracy } else { f64::NAN };
        }
        let Progress { loss, accuracy, val_loss, val_accuracy, .. } = *progress;
        let wanted = |value| self.accuracy.then_some(value);
        EpochMetrics {
            loss,
            accuracy: wanted(accuracy),
            val_loss: validated.map(|_| val_loss),
            val_accuracy: validated.and_then(|_| wanted(val_accuracy)),
        }
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
