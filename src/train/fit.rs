//! Fit: epochs of batches, each a step of the optimizer.

mod prepare;
mod several;

use super::checkpoint::{After, Checkpoints};
use super::class_weight::ClassWeight;
use super::evaluate::ScoredSamples;
use super::fit_callbacks::FitCallbacks;
use super::options::{Callbacks, Control, FitOptions, Progress};
use super::progress::{Output, ProgressLine, Verbose, epoch_header};
use super::step::{TrainingBatch, TrainingStep};
use super::stop::Stop;
use super::watch::{Divergence, EpochAndBatch, Watch};
use crate::callbacks::{self, Verdict};
use crate::data::{Batch, Dataset, Prefetch, order};
use crate::error::{At, Error, Result};
use crate::layers::Step;
use crate::machines::{Machines, Ranks};
use crate::model::network::{Network, Optimize};
use crate::model::pool::Pool;
use crate::model::scorer::Scorer;
use crate::model::state::{Moments, Plan, Position, State};
use crate::model::{Compiled, History, Logs, Model};
use prepare::watched;
use several::Missing;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// The result of a fit.
#[derive(Debug)]
pub struct Fitted {
    /// The metrics of each epoch, including one that was not completed.
    pub history: History,
    /// How it was stopped, if by one of [`Callbacks`] or by [`Model::cancel`]. (A fit that a configured callback ended,
    /// such as early stopping, succeeded: the [history](History::stopped) has the reason.)
    pub cancelled: Option<Stop>,
    /// The first value that was NaN or infinite, if there was one. A fit that stops there
    /// ([`FitOptions::terminate_on_nan`]) has not taken the step. The last good weights, those of at most 128 steps
    /// before, are restored and the optimizer state is discarded; if there are none, the weights are those from before
    /// the fit.
    pub diverged: Option<Divergence>,
}

impl Model {
    /// Trains on `data`, whose samples have the model's input shape `[H, W, C]` (or `[H, W]` for one channel).
    /// Continues from the current weights and optimizer state; or, with `resume`, from a checkpoint, and then ends with
    /// the same bits and the same history as the uninterrupted fit would. All arguments are checked, and the checkpoint
    /// is read, before anything changes. Exclusive; callbacks and writes happen on the calling thread, between steps.
    ///
    /// An optimizer that averages the weights (`use_ema`) replaces the weights by the averages when the fit ends or is
    /// stopped, as in Keras; a checkpoint holds both as they were, so that a fit can resume from it. Validation uses
    /// the weights, not the averages.
    ///
    /// A checkpoint that cannot be written later ends the fit with that error: the model keeps the trained weights, and
    /// the previous file stays.
    ///
    /// With a [communicator](FitOptions::communicator) several ranks train together, and each gets the weights that one
    /// alone would get. If they cannot continue together, all of them return an error.
    pub fn fit(&self, data: &Dataset, options: FitOptions<'_>) -> Result<Fitted> {
        let _session = self.exclusive()?;
        self.cancel.store(false, Ordering::Release); // from here on the fit can be cancelled
        self.forget_learner();
        let machines = options.communicator.map(Machines::new);
        let prepared = self.prepare_fit(data, options, machines.as_ref());
        let (mut fit, plan) = match &machines {
            None => prepared?,
            Some(machines) => several::compared(machines, prepared)?,
        };
        fit.start(plan)?;
        let ended = fit.run().and_then(|()| fit.complete_model());
        if ended.is_err() {
            fit.restore_good_weights()?;
        }
        ended?;
        fit.end()
    }
}

/// A running fit.
struct Fit<'m, 'o> {
    model: &'m Model,
    pool: Arc<Pool>,
    compiled: Compiled,
    seed: u64,
    network: Network,
    scorer: Scorer,
    prefetch: usize,
    class_weight: Option<ClassWeight>,
    train: Dataset,
    validation: Option<Dataset>,
    batch_size: usize,
    epochs: usize,
    shuffle: Option<u64>,
    verbose: Verbose,
    output: Output<'o>,
    hooks: Option<&'o mut dyn Callbacks>,
    callbacks: FitCallbacks,
    checkpoints: Option<Checkpoints>,
    /// The ranks, if the fit has a communicator.
    machines: Option<&'m Machines<'m>>,
    /// Whether checkpoints are written, by this rank or by rank 0; and whether the fit resumes from one.
    checkpointing: bool,
    resumes: bool,
    missing: Missing,
    /// An error that the other ranks do not know yet.
    failed: Result<()>,
    watch: Watch,
    /// The metrics of an epoch that was not completed.
    unfinished: Option<Logs>,
    /// How it was stopped by a hook or by [`Model::cancel`].
    stopped: Option<Stop>,
    /// The reason why a configured callback ended it.
    ended: Option<String>,
}

impl<'m, 'o> Fit<'m, 'o> {
    fn new(
        model: &'m Model,
        compiled: Compiled,
        (train, validation): (Dataset, Option<Dataset>),
        class_weight: Option<ClassWeight>,
        options: FitOptions<'o>,
        callbacks: FitCallbacks,
        machines: Option<&'m Machines<'m>>,
    ) -> Result<Self> {
        let pool = model.pool()?;
        let batch_size = options.batch_size.min(train.len());
        let resumes = options.resumes();
        let watch = Watch::new(options.terminate_on_nan, watched(model, &options))?;
        let mut network = model.network(&pool, batch_size, true)?;
        network.prepare(&*compiled.optimizer, model.parameters.len())?;
        Ok(Fit {
            network,
            scorer: Scorer::new(&compiled, model.architecture.output(), batch_size)?,
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
            hooks: options.callbacks,
            callbacks,
            checkpointing: options.checkpoint.is_some(),
            resumes,
            checkpoints: match &options.checkpoint {
                Some(options) if machines.is_none_or(|machines| machines.rank() == 0) => {
                    Some(Checkpoints::new(options)?)
                }
                _ => None,
            },
            machines,
            missing: Missing::default(),
            failed: Ok(()),
            watch,
            unfinished: None,
            stopped: None,
            ended: None,
        })
    }

    /// Sets the model's position to the checkpoint's, or to the start of the plan. This is the first change to the
    /// model.
    fn start(&mut self, plan: Plan) -> Result<()> {
        let model = self.model;
        let resumed = match self.machines {
            Some(machines) if self.resumes => self.checkpoint_of_first(machines, &plan)?,
            _ => match self.checkpoints.as_mut().filter(|_| self.resumes) {
                Some(checkpoints) => checkpoints.read(model, &plan)?,
                None => None,
            },
        };
        if let Some(resumed) = resumed {
            if let Some(position) = resumed.position() {
                self.callbacks.restore(&position.callbacks).at("key fit").at("metadata model")?;
            }
            return resumed.apply(model);
        }
        let tally = self.scorer.tally()?;
        let mut state = model.state.write();
        if state.moments.slots.is_empty() {
            state.moments = Moments::new(&*self.compiled.optimizer, model.parameters.len())?;
        }
        state.position = Some(Position::start(plan, self.callbacks.names().clone(), tally));
        Ok(())
    }

    fn run(&mut self) -> Result<()> {
        let begun = self.callbacks.begin(self.model, &mut self.output);
        let begun = begun.map(|begun| self.heed(begun));
        self.fail_later(begun)?;
        while !self.is_over() {
            let (epoch, done) = self.position(|position| (position.epoch, position.batch))?;
            if epoch >= self.epochs {
                break;
            }
            self.epoch(epoch, done)?;
        }
        self.checkpoint(After::Fit)?;
        self.agree(None)
    }

    /// Whether no further step is to be taken.
    fn is_over(&self) -> bool {
        self.stopped.is_some() || self.ended.is_some() || !self.watch.may_go_on()
    }

    /// Applies the verdict of a configured callback.
    fn heed(&mut self, verdict: Verdict) {
        if let Verdict::Stop(reason) = verdict {
            self.ended.get_or_insert(reason);
        }
    }

    /// The result. After a divergence the last good weights are restored.
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
                state.position = None; // it belongs to other weights
            }
            _ => {}
        }
        drop(state);
        if went_well {
            self.callbacks.end(model, &mut self.output)?;
        }
        Ok(Fitted { history: history?, cancelled: self.stopped.filter(|_| diverged.is_none()), diverged })
    }

    /// Passes the position, which every fit has, to `task`.
    fn position<R>(&self, task: impl FnOnce(&mut Position) -> R) -> Result<R> {
        let mut state = self.model.state.write();
        state.position.as_mut().map(task).ok_or_else(|| Error::internal("a fit without a position"))
    }

    /// The metrics of the epochs, including one that was not completed.
    fn history(&self) -> Result<History> {
        let mut history = self.position(|position| position.history.copy())??;
        self.unfinished.iter().try_for_each(|logs| history.push(logs))?;
        self.ended.iter().for_each(|reason| history.stop(reason.clone()));
        Ok(history)
    }

    fn write_checkpoint(&mut self, event: After) -> Result<()> {
        let Some(checkpoints) = self.checkpoints.as_mut() else { return Ok(()) };
        let (watch, network) = (&mut self.watch, &self.network);
        checkpoints.after(event, self.model, |position, weights| {
            !watch.diverged() && watch.weights(position.last_step(), network, weights)
        })
    }

    /// One epoch, from batch `done` on, which is not 0 when a fit resumes in the middle of the epoch.
    fn epoch(&mut self, epoch: usize, done: usize) -> Result<()> {
        let batches = self.position(|position| position.plan.batches())?;
        let accuracy = self.compiled.accuracy().map(|i| self.compiled.metrics[i].name.clone());
        let logs = Logs::new(self.callbacks.names().clone());
        let progress = Progress { epoch, epochs: self.epochs, batch: 0, batches, logs, accuracy, seconds: 0.0 };
        let mut now = Epoch { start: Instant::now(), progress, steps: 0 };
        if done > 0 {
            let results = self.position(|position| self.scorer.results(&position.tally))?;
            now.step(done - 1, &results);
        }
        let called = self.call("on_epoch_begin", |callbacks, progress| callbacks.on_epoch_begin(progress), &now);
        self.fail_later(called)?;
        self.agree(Some(&now))?;
        if self.stopped.is_some() {
            self.unfinished = (done > 0).then_some(now.progress.logs);
            return Ok(());
        }
        let written = epoch_header(&mut self.output, self.verbose, epoch, self.epochs);
        self.fail_later(written)?;
        let mut line = ProgressLine::new(self.verbose, done, batches);
        self.batches(&mut now, &mut line, done)?;
        let validates = self.position(|position| position.plan.validates(epoch))?;
        if let Some(data) = self.validation.clone().filter(|_| validates && !self.is_over()) {
            self.validate(&data, &mut now)?;
        }
        now.progress.seconds = now.start.elapsed().as_secs_f64();
        if now.progress.logs.get("loss").is_none() {
            return Ok(()); // no step was taken
        }
        let shown: Vec<_> = now.progress.logs.measured().collect();
        let written = line.finish(&mut self.output, now.progress.batch + 1, &shown, now.progress.seconds);
        self.fail_later(written)?;
        if self.is_over() {
            self.unfinished = Some(now.progress.logs);
            return Ok(());
        }
        self.complete_model()?;
        let verdict = self.callbacks.epoch_end(self.model, &mut self.output, epoch, &mut now.progress.logs);
        let verdict = verdict.map(|verdict| self.heed(verdict));
        self.fail_later(verdict)?;
        let kept = self.callbacks.keep()?;
        self.position(|position| {
            position.end_epoch(&now.progress.logs)?;
            position.callbacks = kept;
            Ok::<_, Error>(())
        })??;
        let called = self.call("on_epoch_end", |callbacks, progress| callbacks.on_epoch_end(progress), &now);
        self.fail_later(called)?;
        self.agree(Some(&now))?;
        self.checkpoint(After::Epoch)
    }

    /// All batches of an epoch after the first `done`, until the fit is stopped.
    fn batches(&mut self, now: &mut Epoch, line: &mut ProgressLine, done: usize) -> Result<()> {
        let (plan, epoch) = (self.position(|position| position.plan.clone())?, now.progress.epoch);
        let mut under_way: Option<(usize, Prefetch)> = None;
        for batch in done..plan.batches() {
            // An epoch is a pass over the samples, unless `steps_per_epoch` gives another length.
            let at = (epoch - plan.initial_epoch).saturating_mul(plan.batches()).saturating_add(batch);
            let pass = plan.initial_epoch.saturating_add(at / plan.pass());
            let (of, mut samples) = match under_way.take() {
                Some((of, samples)) if of == pass => (of, samples),
                _ => (pass, self.samples(pass, at % plan.pass() * self.batch_size)?),
            };
            let next = self.agree_on_batch(samples.next())?;
            let Some((indices, filled)) = next else { break };
            let Some(results) = self.step((epoch, batch), pass, &indices, filled)? else { break };
            under_way = Some((of, samples));
            now.step(batch, &results);
            let step = callbacks::Step { epoch, batch, number: at as u64 + 1 };
            if self.callbacks.need_weights(step) {
                self.complete_model()?;
            }
            let told = self.tell(now, line, step);
            self.fail_later(told)?;
            self.agree(Some(now))?;
            if self.stopped.is_none() {
                self.checkpoint(After::Batch)?;
            }
            if self.is_over() {
                break;
            }
        }
        Ok(())
    }

    /// The batches of a pass over the samples, from one of them on.
    fn samples(&self, pass: usize, start: usize) -> Result<Prefetch> {
        let mut order = order(self.train.len(), self.shuffle.map(|seed| (seed, pass)))?;
        order.drain(..start);
        let classes = self.compiled.classes(self.model.output_len());
        Ok(Prefetch::new(&self.train, order, self.batch_size, self.prefetch)?.checked(classes))
    }

    /// Shows a step's progress and calls the callbacks.
    fn tell(&mut self, now: &Epoch, line: &mut ProgressLine, step: callbacks::Step) -> Result<()> {
        let shown: Vec<_> = now.progress.logs.measured().collect();
        line.update(&mut self.output, step.batch + 1, &shown, now.progress.seconds)?;
        let verdict = self.callbacks.batch_end(self.model, &mut self.output, step, &now.progress.logs)?;
        self.heed(verdict);
        if self.checkpoints.is_some() {
            self.position(|position| self.callbacks.keep_states(&mut position.callbacks))?;
        }
        self.call("on_batch_end", |callbacks, progress| callbacks.on_batch_end(progress), now)
    }

    /// One optimizer step; returns the epoch's metrics so far, `None` if the step was not taken. Readers of weights and
    /// state wait until it ends, so that they see both of the same step.
    fn step(&mut self, at: EpochAndBatch, pass: usize, indices: &[u32], batch: &Batch) -> Result<Option<Vec<f64>>> {
        if self.watch.is_due() {
            self.complete_weights()?;
        }
        let (x, targets, samples) = (batch.x(), batch.targets(), indices.len());
        let counted = self.class_weight.as_mut().map(|weights| weights.of(targets));
        let weights = counted.or(batch.weights());
        let mut state = self.model.state.write();
        let State { moments: Moments { slots, steps }, position: Some(position), learning_rate, .. } = &mut *state
        else {
            return Err(Error::internal("a fit without a position"));
        };
        let divided = self.machines.is_some_and(|machines| machines.size() > 1) && self.network.divides_weights();
        let (network, scorer, watch) = (&mut self.network, &mut self.scorer, &mut self.watch);
        let optimizer = &*self.compiled.optimizer;
        let (rate, number) = (learning_rate.unwrap_or_else(|| optimizer.rate(*steps)), *steps + 1);
        let step = Step { epoch: pass as u64, samples: indices, ..Step::new(self.seed, *steps) };
        let step = TrainingStep { network, scorer, optimize: Optimize { optimizer, rate, number, slots }, step };
        let batch = TrainingBatch { x, samples, targets, weights };
        let sound = |loss: f64, network: &Network, w: &[f32]| watch.may_step(at, loss, network, w, x);
        let (tally, parameters) = (&mut position.tally, &self.model.parameters);
        let taken = match self.machines {
            None => parameters.write(|w| self.pool.run(|| step.take(w, batch, tally, sound)))??,
            Some(machines) => {
                self.missing.begin_step();
                let task = |w: &mut [f32]| {
                    parameters.set_incomplete(divided);
                    machines.run_on(&self.pool, |ranks| step.among(ranks, samples).take(w, batch, tally, sound))
                };
                let taken = parameters.write(task)???;
                self.missing.end_step(divided);
                taken
            }
        };
        if !taken {
            return Ok(None);
        }
        *steps += 1;
        position.batch += 1;
        Ok(Some(self.scorer.results(&position.tally)))
    }

    /// Puts the validation metrics into the epoch's, unless the fit is stopped meanwhile.
    fn validate(&mut self, data: &Dataset, now: &mut Epoch) -> Result<()> {
        self.complete_model()?;
        let model = self.model;
        let weights = model.parameters.snapshot()?;
        let samples = ScoredSamples { data, batch_size: self.batch_size, machines: self.machines };
        let alone = self.machines.is_none(); // several ranks stop together
        let going_on = || !alone || !model.cancel.load(Ordering::Acquire);
        let scored = model.score(&self.compiled, &weights, samples, None, &mut |_| Ok(going_on()));
        self.look_for_cancel(now);
        let mut results = Vec::new();
        let scored = scored.map(|scored| results = scored);
        self.fail_later(scored)?;
        self.agree(Some(now))?;
        if self.stopped.is_none() {
            now.progress.logs.measure(&results, true);
            self.watch.validated((now.progress.epoch, now.progress.batch), results[0]);
        }
        Ok(())
    }

    /// Calls the hook `name`, then checks whether the fit is to stop.
    fn call(
        &mut self,
        name: &'static str,
        hook: impl FnOnce(&mut dyn Callbacks, &Progress) -> Control,
        now: &Epoch,
    ) -> Result<()> {
        if let Some(callbacks) = &mut self.hooks {
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

/// A running epoch.
struct Epoch {
    start: Instant,
    progress: Progress,
    /// How many steps were taken in it.
    steps: usize,
}

impl Epoch {
    /// Updates the progress after a batch.
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
