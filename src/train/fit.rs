//! Fit: epochs of batches, each a step of the optimizer.

use super::checkpoint::{After, Checkpoints};
use super::class_weight::ClassWeight;
use super::evaluate::check_batch_size;
use super::looking_on::LookingOn;
use super::options::{Callbacks, Control, FitOptions, Progress};
use super::progress::{Output, ProgressLine, Verbose, epoch_header};
use super::step::{Lesson, Taker};
use super::stop::Stop;
use super::watch::{Divergence, Place, Watch};
use crate::callbacks::{self, Verdict};
use crate::data::{Batch, Dataset, Prefetch, order};
use crate::error::{At, Error, ErrorKind, Result};
use crate::layers::Step;
use crate::memory::{self, Buffer};
use crate::model::judge::Judge;
use crate::model::network::{Network, Optimize};
use crate::model::pool::Pool;
use crate::model::state::{Moments, Plan, Position, Samples, State};
use crate::model::{Compiled, History, Logs, Model};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// What a fit has done.
#[derive(Debug)]
pub struct Fitted {
    /// The metrics of each epoch, the one that was cut short included.
    pub history: History,
    /// How it was stopped, if one of [`Callbacks`] or [`Model::cancel`] has done so. (What a configured callback has ended,
    /// early stopping, say, has succeeded: the [history](History::stopped) tells why.)
    pub cancelled: Option<Stop>,
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
    /// An optimizer that averages the weights (`use_ema`) has the fit end, stopped or not, with the averages in the weights'
    /// place, as in Keras; a checkpoint has both as they were, so that a fit goes on from it. What is validated meanwhile are
    /// the weights.
    ///
    /// A checkpoint that cannot be written later ends the fit with that error: the model keeps what it has learned until
    /// then, and the file is the one before.
    pub fn fit(&self, data: &Dataset, options: FitOptions<'_>) -> Result<Fitted> {
        let _session = self.exclusive()?;
        self.cancel.store(false, Ordering::Release); // from here on there is a fit to be cancelled
        self.forget_learner();
        let compiled = self.state.read().compiled.clone().ok_or_else(|| {
            Error::new(ErrorKind::State, "fit before compile").expected("a compiled model").at("model")
        })?;
        check_batch_size(options.batch_size)?;
        let none = |what, option: &str| {
            let error = Error::new(ErrorKind::InvalidArgument, what).expected("1 or more").found(0);
            Err(error.at(format_args!("option `{option}`")))
        };
        match options {
            FitOptions { epochs: 0, .. } => return none("no epochs", "epochs"),
            FitOptions { validation_freq: 0, .. } => return none("no epochs between validations", "validation_freq"),
            FitOptions { steps_per_epoch: Some(0), .. } => return none("no steps in an epoch", "steps_per_epoch"),
            _ => (),
        }
        self.check_data(data, &compiled, "argument `dataset`")?;
        if let Some(validation) = options.validation_data {
            self.check_data(validation, &compiled, "option `validation_data`")?;
        }
        let class_weight = options.class_weight.as_deref();
        let class_weight = class_weight.map(|weights| ClassWeight::new(weights, data, self.architecture.output()));
        let class_weight = class_weight.transpose().at("option `class_weight`")?;
        let (train, validation) = split(data, &options)?;
        let looking_on = LookingOn::new(&options.callbacks_config, &compiled, validation.is_some())
            .map_err(Error::as_argument)
            .at("option `callbacks_config`")?;
        let plan = plan(&train, validation.as_ref(), &options, &looking_on)?;
        let resume = options.checkpoint.as_ref().is_some_and(|checkpoint| checkpoint.resume);
        let (pool, batch) = (self.pool()?, options.batch_size.min(train.len()));
        let copies = 2 * looking_on.copies(); // theirs, and the checkpoint's
        let build = |batch| {
            let _part = memory::part("the callbacks");
            (0..copies).try_for_each(|_| Buffer::zeros(self.parameters.len()).map(drop))?;
            drop(_part);
            self.build_fit(&pool, &compiled, (&train, validation.as_ref()), batch, &options)
        };
        self.afford(batch, build).at("option `batch_size`")?;
        let mut fit = Fit::new(self, compiled, (train, validation), class_weight, options, looking_on)?;
        fit.start(plan, resume)?;
        fit.run()?;
        fit.end()
    }

    /// Asks for what a fit will, to have it measured.
    fn build_fit(
        &self,
        pool: &Pool,
        compiled: &Compiled,
        (train, validation): (&Dataset, Option<&Dataset>),
        batch: usize,
        options: &FitOptions<'_>,
    ) -> Result<()> {
        let optimizer = &*compiled.optimizer;
        self.network(pool, batch, true)?.prepare(optimizer, self.parameters.len())?;
        Judge::new(compiled, self.architecture.output(), batch)?.tally()?;
        {
            let _part = memory::part("the optimizer's state");
            let resume = options.checkpoint.as_ref().is_some_and(|checkpoint| checkpoint.resume);
            if resume || self.state.read().moments.slots.is_empty() {
                Moments::new(optimizer, self.parameters.len())?;
            }
            Buffer::zeros(if resume { self.parameters.len() } else { 0 })?;
        }
        {
            let _part = memory::part("a copy of the weights");
            Watch::new(options.terminate_on_nan, self.parameters.len())?;
        }
        {
            let _part = memory::part("the batch's images");
            (0..=options.prefetch.min(train.len())).try_for_each(|_| Batch::new(train, batch).map(drop))?;
            memory::reserve::<u32>(train.len())?;
        }
        let _part = memory::part("validation");
        validation.map_or(Ok(()), |data| self.build_score(pool, compiled, data, batch))
    }
}

/// What a fit that goes on from this one's checkpoint must have in common with it.
fn plan(
    train: &Dataset,
    validation: Option<&Dataset>,
    options: &FitOptions<'_>,
    looking_on: &LookingOn,
) -> Result<Plan> {
    Ok(Plan {
        data: Samples::of(train)?,
        validation: validation.map(Samples::of).transpose()?,
        batch_size: options.batch_size.min(train.len()),
        shuffle: options.shuffle,
        seed: options.seed,
        initial_epoch: options.initial_epoch,
        steps_per_epoch: options.steps_per_epoch,
        validation_freq: options.validation_freq,
        class_weight: options.class_weight.clone(),
        callbacks: looking_on.config(),
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
    compiled: Compiled,
    seed: u64,
    network: Network,
    judge: Judge,
    prefetch: usize,
    class_weight: Option<ClassWeight>,
    train: Dataset,
    validation: Option<Dataset>,
    batch_size: usize,
    epochs: usize,
    shuffle: Option<u64>,
    verbose: Verbose,
    output: Output<'o>,
    callbacks: Option<&'o mut dyn Callbacks>,
    looking_on: LookingOn,
    checkpoints: Option<Checkpoints>,
    watch: Watch,
    /// What was measured in an epoch that was cut short.
    unfinished: Option<Logs>,
    /// How somebody has stopped it.
    stopped: Option<Stop>,
    /// Why a configured callback has ended it.
    ended: Option<String>,
}

impl<'m, 'o> Fit<'m, 'o> {
    fn new(
        model: &'m Model,
        compiled: Compiled,
        (train, validation): (Dataset, Option<Dataset>),
        class_weight: Option<ClassWeight>,
        options: FitOptions<'o>,
        looking_on: LookingOn,
    ) -> Result<Self> {
        let pool = model.pool()?;
        let batch_size = options.batch_size.min(train.len());
        let mut network = model.network(&pool, batch_size, true)?;
        network.prepare(&*compiled.optimizer, model.parameters.len())?;
        Ok(Fit {
            network,
            judge: Judge::new(&compiled, model.architecture.output(), batch_size)?,
            prefetch: options.prefetch,
            class_weight,
            model,
            pool,
            compiled,
            seed: options.seed,
            train,
            validation,
            batch_size,
            epochs: options.epochs,
            shuffle: options.shuffle.then_some(options.seed),
            verbose: options.verbose,
            output: options.output,
            callbacks: options.callbacks,
            looking_on,
            checkpoints: options.checkpoint.as_ref().map(Checkpoints::new).transpose()?,
            watch: Watch::new(options.terminate_on_nan, model.parameters.len())?,
            unfinished: None,
            stopped: None,
            ended: None,
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
            if let Some(position) = resumed.position() {
                self.looking_on.restore(&position.callbacks).at("key fit").at("metadata model")?;
            }
            return resumed.apply(model);
        }
        let tally = self.judge.tally()?;
        let mut state = model.state.write();
        if state.moments.slots.is_empty() {
            state.moments = Moments::new(&*self.compiled.optimizer, model.parameters.len())?;
        }
        state.position = Some(Position::start(plan, self.looking_on.names().clone(), tally));
        Ok(())
    }

    fn run(&mut self) -> Result<()> {
        let begun = self.looking_on.begin(self.model, &mut self.output)?;
        self.heed(begun);
        while !self.is_over() {
            let (epoch, done) = self.position(|position| (position.epoch, position.batch))?;
            if epoch >= self.epochs {
                break;
            }
            self.epoch(epoch, done)?;
        }
        self.checkpoint(After::Fit)
    }

    /// Whether no further step is wanted.
    fn is_over(&self) -> bool {
        self.stopped.is_some() || self.ended.is_some() || !self.watch.may_go_on()
    }

    /// Takes in what a configured callback wants.
    fn heed(&mut self, verdict: Verdict) {
        if let Verdict::Stop(reason) = verdict {
            self.ended.get_or_insert(reason);
        }
    }

    /// What it has done. If it has diverged, the model gets its last good weights again.
    fn end(mut self) -> Result<Fitted> {
        let (history, last) = (self.history(), self.position(|position| position.last_step())?);
        let (model, network) = (self.model, &self.network);
        model.parameters.read(|weights| self.watch.weights(last, network, weights))?;
        let (diverged, good) = self.watch.end();
        let went_well = good.is_none();
        let mut state = model.state.write();
        match (good, self.compiled.optimizer.average()) {
            (Some(good), _) => {
                model.parameters.write(|all| all.copy_from_slice(&good))?;
                (state.moments, state.position) = (Moments::default(), None);
            }
            (None, Some(average)) if state.moments.steps > 0 => {
                let average = &mut state.moments.slots[average];
                model.parameters.write(|all| network.take_average(all, average))?;
                state.position = None; // it is that of other weights
            }
            _ => {}
        }
        drop(state);
        if went_well {
            self.looking_on.end(model, &mut self.output)?;
        }
        Ok(Fitted { history: history?, cancelled: self.stopped.filter(|_| diverged.is_none()), diverged })
    }

    /// Lends the position, which every fit has.
    fn position<R>(&self, task: impl FnOnce(&mut Position) -> R) -> Result<R> {
        let mut state = self.model.state.write();
        state.position.as_mut().map(task).ok_or_else(|| Error::internal("a fit without a position"))
    }

    /// What was measured in the epochs, the one that was cut short included.
    fn history(&self) -> Result<History> {
        let mut history = self.position(|position| position.history.copy())??;
        self.unfinished.iter().try_for_each(|logs| history.push(logs))?;
        self.ended.iter().for_each(|reason| history.stop(reason.clone()));
        Ok(history)
    }

    fn checkpoint(&mut self, event: After) -> Result<()> {
        let Some(checkpoints) = self.checkpoints.as_mut() else { return Ok(()) };
        let (watch, network) = (&mut self.watch, &self.network);
        checkpoints.after(event, self.model, |position, weights| {
            !watch.diverged() && watch.weights(position.last_step(), network, weights)
        })
    }

    /// An epoch, of which `done` batches are behind us when a fit goes on in its midst.
    fn epoch(&mut self, epoch: usize, done: usize) -> Result<()> {
        let batches = self.position(|position| position.plan.batches())?;
        let accuracy = self.compiled.accuracy().map(|i| self.compiled.metrics[i].name.clone());
        let logs = Logs::new(self.looking_on.names().clone());
        let progress = Progress { epoch, epochs: self.epochs, batch: 0, batches, logs, accuracy, seconds: 0.0 };
        let mut now = Epoch { start: Instant::now(), progress, steps: 0 };
        if done > 0 {
            let results = self.position(|position| self.judge.results(&position.tally))?;
            now.step(done - 1, &results);
        }
        self.call("on_epoch_begin", |callbacks, progress| callbacks.on_epoch_begin(progress), &now)?;
        if self.stopped.is_some() {
            self.unfinished = (done > 0).then_some(now.progress.logs);
            return Ok(());
        }
        epoch_header(&mut self.output, self.verbose, epoch, self.epochs)?;
        let mut line = ProgressLine::new(self.verbose, done, batches);
        self.batches(&mut now, &mut line, done)?;
        let validates = self.position(|position| position.plan.validates(epoch))?;
        if let Some(data) = self.validation.clone().filter(|_| validates && !self.is_over()) {
            self.validate(&data, &mut now)?;
        }
        now.progress.seconds = now.start.elapsed().as_secs_f64();
        if now.progress.logs.get("loss").is_none() {
            return Ok(()); // not one step was taken
        }
        let shown: Vec<_> = now.progress.logs.measured().collect();
        line.finish(&mut self.output, now.progress.batch + 1, &shown, now.progress.seconds)?;
        if self.is_over() {
            self.unfinished = Some(now.progress.logs);
            return Ok(());
        }
        let verdict = self.looking_on.epoch_end(self.model, &mut self.output, epoch, &mut now.progress.logs)?;
        self.heed(verdict);
        let kept = self.looking_on.keep()?;
        self.position(|position| {
            position.end_epoch(&now.progress.logs)?;
            position.callbacks = kept;
            Ok::<_, Error>(())
        })??;
        self.call("on_epoch_end", |callbacks, progress| callbacks.on_epoch_end(progress), &now)?;
        self.checkpoint(After::Epoch)
    }

    /// All batches of an epoch but the `done` first, or as many as there are before somebody says stop.
    fn batches(&mut self, now: &mut Epoch, line: &mut ProgressLine, done: usize) -> Result<()> {
        let (plan, epoch) = (self.position(|position| position.plan.clone())?, now.progress.epoch);
        let mut under_way: Option<(usize, Prefetch)> = None;
        for batch in done..plan.batches() {
            // A pass through the samples is an epoch, unless epochs are of another length.
            let at = (epoch - plan.initial_epoch).saturating_mul(plan.batches()).saturating_add(batch);
            let pass = plan.initial_epoch.saturating_add(at / plan.pass());
            let (of, mut samples) = match under_way.take() {
                Some((of, samples)) if of == pass => (of, samples),
                _ => (pass, self.samples(pass, at % plan.pass() * self.batch_size)?),
            };
            let Some((indices, filled)) = samples.next()? else { break };
            let Some(results) = self.step((epoch, batch), pass, &indices, filled)? else { break };
            under_way = Some((of, samples));
            now.step(batch, &results);
            let shown: Vec<_> = now.progress.logs.measured().collect();
            line.update(&mut self.output, batch + 1, &shown, now.progress.seconds)?;
            let step = callbacks::Step { epoch, batch, number: at as u64 + 1 };
            let verdict = self.looking_on.batch_end(self.model, &mut self.output, step, &now.progress.logs)?;
            self.heed(verdict);
            if self.checkpoints.is_some() {
                self.position(|position| self.looking_on.keep_states(&mut position.callbacks))?;
            }
            self.call("on_batch_end", |callbacks, progress| callbacks.on_batch_end(progress), now)?;
            if self.stopped.is_none() {
                self.checkpoint(After::Batch)?;
            }
            if self.is_over() {
                break;
            }
        }
        Ok(())
    }

    /// The batches of a pass through the samples, from one of these on.
    fn samples(&self, pass: usize, start: usize) -> Result<Prefetch> {
        let mut order = order(self.train.len(), self.shuffle.map(|seed| (seed, pass)))?;
        order.drain(..start);
        let classes = self.compiled.classes(self.model.output_len());
        Ok(Prefetch::new(&self.train, order, self.batch_size, self.prefetch)?.checked(classes))
    }

    /// One step of the optimizer; gives what was measured in the epoch so far, `None` if it was not to be taken. Whoever reads
    /// the weights or the state meanwhile waits for its end, so that nobody sees one without the other.
    fn step(&mut self, at: Place, pass: usize, indices: &[u32], batch: &Batch) -> Result<Option<Vec<f64>>> {
        let (x, told, samples) = (batch.x(), batch.truth(), indices.len());
        let counted = self.class_weight.as_mut().map(|weights| weights.of(told));
        let weights = counted.or(batch.weights());
        let mut state = self.model.state.write();
        let State { moments: Moments { slots, steps }, position: Some(position), learning_rate, .. } = &mut *state
        else {
            return Err(Error::internal("a fit without a position"));
        };
        let (network, judge, watch) = (&mut self.network, &mut self.judge, &mut self.watch);
        let optimizer = &*self.compiled.optimizer;
        let (rate, number) = (learning_rate.unwrap_or_else(|| optimizer.rate(*steps)), *steps + 1);
        let step = Step { seed: self.seed, number: *steps, epoch: pass as u64, samples: indices };
        let taker = Taker { network, judge, optimize: Optimize { optimizer, rate, number, slots }, step };
        let lesson = Lesson { x, samples, told, weights };
        let sound = |loss: f64, network: &Network, w: &[f32]| watch.may_step(at, loss, network, w, x);
        let take = |w: &mut [f32]| self.pool.run(|| taker.take(w, lesson, &mut position.tally, sound));
        if !self.model.parameters.write(take)?? {
            return Ok(None);
        }
        *steps += 1;
        position.batch += 1;
        Ok(Some(self.judge.results(&position.tally)))
    }

    /// Takes the metrics on the validation data into the epoch's, unless somebody says stop meanwhile.
    fn validate(&mut self, data: &Dataset, now: &mut Epoch) -> Result<()> {
        let model = self.model;
        let weights = model.parameters.snapshot()?;
        let going_on = || !model.cancel.load(Ordering::Acquire);
        let results = model.score(&self.compiled, &weights, data, self.batch_size, None, &mut |_| Ok(going_on()))?;
        self.look_for_cancel(now);
        if self.stopped.is_none() {
            now.progress.logs.measure(&results, true);
            self.watch.validated((now.progress.epoch, now.progress.batch), results[0]);
        }
        Ok(())
    }

    /// Calls back by the hook `name`, then looks whether anybody wants to stop.
    fn call(
        &mut self,
        name: &'static str,
        hook: impl FnOnce(&mut dyn Callbacks, &Progress) -> Control,
        now: &Epoch,
    ) -> Result<()> {
        if let Some(callbacks) = &mut self.callbacks {
            if hook(&mut **callbacks, &now.progress) == Control::Stop {
                self.stopped = Some(now.stopped_by(name));
            }
            (self.output.check)()?;
        }
        self.look_for_cancel(now);
        Ok(())
    }

    /// Whether somebody has cancelled the fit.
    fn look_for_cancel(&mut self, now: &Epoch) {
        if self.model.cancel.load(Ordering::Acquire) {
            self.stopped.get_or_insert_with(|| now.stopped_by("mnist_model_cancel"));
        }
    }
}

/// An epoch under way.
struct Epoch {
    start: Instant,
    progress: Progress,
    /// How many steps were taken in it.
    steps: usize,
}

impl Epoch {
    /// After a batch, with what was measured up to it.
    fn step(&mut self, batch: usize, results: &[f64]) {
        (self.progress.batch, self.steps) = (batch, batch + 1);
        self.progress.logs.measure(results, false);
        self.progress.seconds = self.start.elapsed().as_secs_f64();
    }

    /// How the fit is stopped here.
    fn stopped_by(&self, by: &'static str) -> Stop {
        Stop { epoch: self.progress.epoch, steps: self.steps, of: self.progress.batches, by }
    }
}
