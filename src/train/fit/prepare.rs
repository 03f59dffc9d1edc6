//! What a fit checks before it begins, and the memory that it allocates.

use super::Fit;
use crate::data::{Batch, Dataset};
use crate::error::{At, Error, ErrorKind, Result};
use crate::machines::{Machines, Ranks};
use crate::memory::{self, Buffer};
use crate::model::pool::Pool;
use crate::model::scorer::Scorer;
use crate::model::state::{Moments, Plan, Samples};
use crate::model::{Compiled, Model};
use crate::train::class_weight::ClassWeight;
use crate::train::evaluate::check_batch_size;
use crate::train::fit_callbacks::FitCallbacks;
use crate::train::options::FitOptions;
use crate::train::watch::Watch;

impl Model {
    /// Checks the arguments and allocates the memory of a fit. Changes nothing in the model.
    pub(super) fn prepare_fit<'f, 'o>(
        &'f self,
        data: &Dataset,
        options: FitOptions<'o>,
        machines: Option<&'f Machines<'f>>,
    ) -> Result<(Fit<'f, 'o>, Plan)> {
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
        let writes = machines.is_none_or(|machines| machines.rank() == 0);
        let callbacks = FitCallbacks::new(&options.callbacks_config, &compiled, validation.is_some(), writes)
            .map_err(Error::as_argument)
            .at("option `callbacks_config`")?;
        let plan = plan(&train, validation.as_ref(), &options, &callbacks)?;
        let (pool, batch) = (self.pool()?, options.batch_size.min(train.len()));
        let copies = 2 * callbacks.copies(); // theirs, and the checkpoint's
        let build = |batch| {
            let _part = memory::part("the callbacks");
            (0..copies).try_for_each(|_| Buffer::zeros(self.parameters.len()).map(drop))?;
            drop(_part);
            self.build_fit(&pool, &compiled, (&train, validation.as_ref()), batch, &options)
        };
        self.check_memory(batch, build).at("option `batch_size`")?;
        let fit = Fit::new(self, compiled, (train, validation), class_weight, options, callbacks, machines)?;
        Ok((fit, plan))
    }

    /// Allocates what a fit will, so that it can be measured.
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
        Scorer::new(compiled, self.architecture.output(), batch)?.tally()?;
        {
            let _part = memory::part("the optimizer's state");
            if options.resumes() || self.state.read().moments.slots.is_empty() {
                Moments::new(optimizer, self.parameters.len())?;
            }
            Buffer::zeros(if options.resumes() { self.parameters.len() } else { 0 })?;
        }
        {
            let _part = memory::part("a copy of the weights");
            Watch::new(options.terminate_on_nan, watched(self, options))?;
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

/// What a fit that resumes from this one's checkpoint must have in common with it.
fn plan(
    train: &Dataset,
    validation: Option<&Dataset>,
    options: &FitOptions<'_>,
    callbacks: &FitCallbacks,
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
        callbacks: callbacks.config(),
    })
}

/// The number of weights of which a fit keeps a copy.
pub(super) fn watched(model: &Model, options: &FitOptions<'_>) -> usize {
    if options.terminate_on_nan || options.communicator.is_some() { model.parameters.len() } else { 0 }
}

/// The training and validation samples; the latter are given, or the end of the data.
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
        return Err(error("leaves no samples for training or for validation")
            .expected(format_args!("a share of {} samples", data.len())));
    }
    Ok((data.slice(0, train)?, Some(data.slice(train, data.len() - train)?)))
}
