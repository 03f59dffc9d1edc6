//! A network at work on a batch, with all the memory that takes.
//!
//! ```text
//!   input --op 0--> values --op 1--> values ... --> output          forward
//!             gradients <--op 1-- gradients ... <-- loss            backward, the weights going along
//! ```
//!
//! What is done in which order, and which memory holds what, says the [`Plan`]. Made once a fit; a model keeps the ones
//! that predictions used for the next prediction.

use super::parameters::Parameters;
use super::plan::{Life, Op, Plan, Purpose, slots};
use crate::error::{At, Error, Result};
use crate::graph::{Architecture, LayerSpec, Shape};
use crate::kernels::softmax::{self, Score};
use crate::kernels::{Isa, Update, elementwise};
use crate::layers::elementwise::CHUNK;
use crate::layers::parallel::{Chunks, for_each};
use crate::layers::{Parameter, Pass, Regularizer, Role, Site, Step, Weight, Work};
use crate::memory::{self, Buffer};
use crate::optimizers::Optimizer;
use std::ops::Range;

/// A network for batches up to a size.
pub struct Network {
    batch: usize,
    threads: usize,
    isa: Isa,
    plan: Plan,
    works: Vec<Worker>,
    /// Of each value, the buffer that holds it, and its length for a sample.
    held: Vec<Held>,
    values: Vec<Buffer>,
    gradients: Vec<Buffer>,
    /// Gradients on their way to a value that has some already.
    more: Buffer,
    parameters: Vec<Learned>,
    /// Gradients that are kept, laid out as the parameters; empty when none is.
    stored: Buffer,
}

/// A layer, or an activation, at work.
struct Worker {
    work: Box<dyn Work>,
    name: String,
    /// Its parameters, as indices.
    parameters: Range<usize>,
    /// Whether it has moving statistics to move.
    moves: bool,
    /// For each of its inputs, where the gradient goes.
    targets: Vec<Target>,
    /// A normalization that is part of its weights.
    folded: Option<Folded>,
}

/// A normalization that is folded into the weights of the layer below it, and these.
struct Folded {
    epsilon: f64,
    /// The normalization's parameters, as indices.
    gamma: Option<usize>,
    beta: Option<usize>,
    mean: usize,
    variance: usize,
    kernel: Buffer,
    bias: Buffer,
}

/// Where the gradient to a worker's input goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    /// It is not wanted.
    None,
    /// To the value's own buffer: it is the first.
    Value,
    /// To so many floats a sample from here on in `more`, to be added to what the value has.
    More(usize),
}

/// A value's memory.
#[derive(Clone, Copy, Debug)]
struct Held {
    len: usize,
    values: usize,
    gradients: usize,
}

/// A parameter and what becomes of its gradient.
#[derive(Clone, Debug)]
struct Learned {
    name: &'static str,
    range: Range<usize>,
    regularizer: Regularizer,
    /// Whether the optimizer changes it.
    trainable: bool,
    /// How many steps of the plan use it.
    uses: usize,
}

/// What an optimizer is about to do.
pub struct Optimize<'a> {
    /// The optimizer.
    pub optimizer: &'a dyn Optimizer,
    /// The learning rate of this step.
    pub rate: f64,
    /// The step's number, from 1.
    pub number: u64,
    /// The parameters' moments, each laid out as the parameters.
    pub slots: &'a mut [Buffer],
}

impl Network {
    /// The network of an architecture for at most `batch` samples on a pool of `threads`.
    pub fn new(
        architecture: &Architecture,
        parameters: &Parameters,
        isa: Isa,
        threads: usize,
        batch: usize,
        purpose: Purpose<'_>,
    ) -> Result<Self> {
        let plan = Plan::new(architecture, purpose);
        let learned = learned(architecture, parameters, &plan, purpose);
        let builder = Builder { architecture, parameters, isa, threads, batch, purpose, plan: &plan };
        let mut works = plan.ops.iter().enumerate().map(|op| builder.worker(op)).collect::<Result<Vec<_>>>()?;
        let more = assign_targets(&plan, &mut works);
        let (value_slots, value_lens) = match purpose.training {
            true => slots(&always(&plan)),
            false => slots(&plan.lives()),
        };
        let gradient_lives = if purpose.training { plan.gradient_lives() } else { Vec::new() };
        let (gradient_slots, gradient_lens) = slots(&gradient_lives);
        let held = plan.values.iter().enumerate().map(|(i, value)| Held {
            len: value.shape.len(),
            values: value_slots[i],
            gradients: gradient_slots.get(i).copied().unwrap_or(usize::MAX),
        });
        let more = {
            let _part = memory::part("the layers' gradients");
            Buffer::zeros(batch.saturating_mul(more)).at("the layers' gradients")?
        };
        let values = buffers(batch, &value_lens, &makers(&plan, &works, &value_slots)).at("the layers' outputs")?;
        let names = makers(&plan, &works, &gradient_slots);
        let gradients = buffers(batch, &gradient_lens, &names).at("the layers' gradients")?;
        Ok(Network {
            batch,
            threads,
            isa,
            held: held.collect(),
            works,
            values,
            gradients,
            more,
            parameters: learned,
            stored: Buffer::default(),
            plan,
        })
    }

    /// Gets ready to learn by an optimizer: memory for gradients that have to be kept.
    pub fn prepare(&mut self, optimizer: &dyn Optimizer, len: usize) -> Result<()> {
        let fused = optimizer.fused(0.0, 1).is_some();
        if self.parameters.iter().any(|parameter| parameter.is_stored(fused)) {
            let _part = memory::part("the gradients");
            self.stored = Buffer::zeros(len).at("the gradients")?;
        }
        Ok(())
    }

    /// Whether it serves batches of `batch` samples on `threads` threads.
    pub fn serves(&self, batch: usize, threads: usize) -> bool {
        self.batch >= batch && self.threads == threads
    }

    /// The most samples it takes at once.
    pub fn batch(&self) -> usize {
        self.batch
    }

    fn input_len(&self) -> usize {
        self.held[0].len
    }

    fn classes(&self) -> usize {
        self.held[self.plan.output].len
    }

    /// The output's values for the last `samples` samples that went through.
    fn output(&mut self, samples: usize) -> &mut [f32] {
        let Held { len, values, .. } = self.held[self.plan.output];
        &mut self.values[values][..samples * len]
    }

    /// Takes `x` (`[B, input]`) through the layers. A softmax that is left out ([`Purpose::logits`]) is.
    fn forward(&mut self, step: &Step, weights: &[f32], x: &[f32]) -> Result<()> {
        let samples = x.len() / self.input_len();
        let Network { plan, works, held, values, parameters, .. } = self;
        for (op, worker) in plan.ops.iter().zip(works) {
            let slot = held[op.output].values;
            let mut y = std::mem::take(&mut values[slot]);
            let inputs: Vec<&[f32]> = op.inputs.iter().map(|&input| value(input, held, values, x, samples)).collect();
            let of = |index: usize| &weights[parameters[index].range.clone()];
            let mut own: Vec<&[f32]> = worker.parameters.clone().map(of).collect();
            if let Some(folded) = &mut worker.folded {
                own = folded.fold(&own, of);
            }
            let done = worker.work.forward(step, &own, &inputs, &mut y[..samples * held[op.output].len]);
            values[slot] = y;
            done.at(format_args!("layer {}", worker.name))?;
        }
        Ok(())
    }

    /// The output for `x`, probabilities where the model ends in softmax, into `out` (`[B, output]`).
    pub fn predict(&mut self, weights: &[f32], x: &[f32], out: &mut [f32]) -> Result<()> {
        if self.plan.output == 0 {
            out.copy_from_slice(x);
            return Ok(());
        }
        self.forward(&PREDICTING, weights, x)?;
        let (softmax, classes, samples) = (self.plan.softmax, self.classes(), x.len() / self.input_len());
        out.copy_from_slice(self.output(samples));
        if softmax {
            softmax::softmax(out, classes);
        }
        Ok(())
    }

    /// How good the output for `x` is, against `labels`. What was taken for what is added to `counts`, `[classes, classes]`,
    /// if that is wanted. The loss has in it what regularizers add for each sample.
    pub fn score(
        &mut self,
        step: &Step,
        weights: &[f32],
        x: &[f32],
        labels: &[u32],
        counts: Option<&mut [u64]>,
    ) -> Result<Score> {
        self.forward(step, weights, x)?;
        let classes = self.classes();
        let penalty = self.penalty(weights);
        let logits = self.output(labels.len());
        if let Some(counts) = counts {
            softmax::confusion(logits, labels, classes, counts);
        }
        let Score { loss, correct } = softmax::score(logits, labels, classes);
        Ok(Score { loss: loss + penalty * labels.len() as f64, correct })
    }

    /// What regularizers add to the loss.
    fn penalty(&self, weights: &[f32]) -> f64 {
        let regular = self.parameters.iter().filter(|parameter| parameter.regularizer.is_some());
        regular.map(|parameter| parameter.regularizer.penalty(&weights[parameter.range.clone()])).sum()
    }

    /// The rest of a step of training whose forward pass was that of [`score`](Self::score), for the same weights, `x` and
    /// `labels`: backward, moving statistics, the weights and their moments one step on.
    pub fn learn(
        &mut self,
        step: &Step,
        w: &mut [f32],
        x: &[f32],
        labels: &[u32],
        mut optimize: Optimize<'_>,
    ) -> Result<()> {
        let samples = labels.len();
        if self.plan.wants_gradient(self.plan.output) {
            let Held { len, values, gradients } = self.held[self.plan.output];
            let gradient = &mut self.gradients[gradients][..samples * len];
            gradient.copy_from_slice(&self.values[values][..samples * len]);
            softmax::crossentropy_gradient(gradient, labels, len);
            if self.plan.values[self.plan.output].gated {
                gate(self.isa, &self.values[values][..samples * len], gradient);
            }
        }
        self.move_statistics(w, &mut optimize)?;
        let mut begun = vec![false; self.parameters.len()];
        for op in (0..self.plan.ops.len()).rev() {
            self.step_back(op, step, w, x, samples, &mut optimize, &mut begun)?;
        }
        self.take_stored(w, &mut optimize);
        Ok(())
    }

    /// Moves moving statistics on, in the order of the calls: a layer that is called twice moves its own twice.
    fn move_statistics(&mut self, w: &mut [f32], optimize: &mut Optimize<'_>) -> Result<()> {
        let Network { works, parameters, .. } = self;
        for worker in works.iter_mut().filter(|worker| worker.moves) {
            let mut lent = Lent::new(&parameters[worker.parameters.clone()], optimize, w, &mut []);
            worker.work.update_state(&mut lent.without_updates())?;
        }
        Ok(())
    }

    /// The way back through an op.
    #[allow(clippy::too_many_arguments)] // a step's state, handed on as it is
    fn step_back(
        &mut self,
        index: usize,
        step: &Step,
        w: &mut [f32],
        x: &[f32],
        samples: usize,
        optimize: &mut Optimize<'_>,
        begun: &mut [bool],
    ) -> Result<()> {
        let Network { plan, works, held, values, gradients, more, parameters, stored, isa, .. } = self;
        let (op, worker) = (&plan.ops[index], &mut works[index]);
        if !op.learns {
            return Ok(());
        }
        let range = worker.parameters.clone();
        let mut lent = Lent::new(&parameters[range.clone()], optimize, w, stored);
        let mut weights = lent.weights(&mut begun[range]);
        let Held { len, gradients: slot, .. } = held[op.output];
        let dz = std::mem::take(&mut gradients[slot]);
        let mut own: Vec<Buffer> = Vec::new();
        for (&input, _) in op.inputs.iter().zip(&worker.targets).filter(|(_, target)| **target == Target::Value) {
            own.push(std::mem::take(&mut gradients[held[input].gradients]));
        }
        let inputs: Vec<&[f32]> = op.inputs.iter().map(|&input| value(input, held, values, x, samples)).collect();
        let y = value(op.output, held, values, x, samples);
        let mut rest = &mut more[..];
        let mut buffers = own.iter_mut();
        let mut dx: Vec<Option<&mut [f32]>> = Vec::new();
        for (&input, target) in op.inputs.iter().zip(&worker.targets) {
            let len = samples * held[input].len;
            dx.push(match target {
                Target::None => None,
                Target::Value => buffers.next().map(|buffer| &mut buffer[..len]),
                Target::More(_) => {
                    let (part, after) = std::mem::take(&mut rest).split_at_mut(len);
                    rest = after;
                    Some(part)
                }
            });
        }
        let gated = worker.work.gates() && op.inputs.first().is_some_and(|&input| plan.values[input].gated);
        let pass = Pass { x: &inputs, y, dz: &dz[..samples * len], dx: &mut dx, gated };
        worker.work.backward(step, &mut weights, pass).at(format_args!("layer {}", worker.name))?;
        drop(weights);
        gradients[slot] = dz;
        let mut own = own.into_iter();
        for (&input, _) in op.inputs.iter().zip(&worker.targets).filter(|(_, target)| **target == Target::Value) {
            gradients[held[input].gradients] = own.next().unwrap_or_default();
        }
        let mut at = 0;
        for (&input, target) in op.inputs.iter().zip(&worker.targets) {
            if let Target::More(_) = target {
                let len = samples * held[input].len;
                add(*isa, &more[at..at + len], &mut gradients[held[input].gradients][..len]);
                at += len;
            }
        }
        // What came out of a fused relu: whoever could has left its zeros out; for the others it is done here.
        for &input in &op.inputs {
            let Held { len, values: slot, gradients: gradient } = held[input];
            let last = plan.values[input].takers.iter().find(|&&taker| plan.ops[taker].learns) == Some(&index);
            if plan.values[input].gated && last && plan.wants_gradient(input) && !all_gate(plan, works, input) {
                gate(*isa, &values[slot][..samples * len], &mut gradients[gradient][..samples * len]);
            }
        }
        Ok(())
    }

    /// Takes the step on parameters whose gradients were kept.
    fn take_stored(&mut self, w: &mut [f32], optimize: &mut Optimize<'_>) {
        let Network { isa, parameters, stored, .. } = self;
        let fused = optimize.optimizer.fused(0.0, 1).is_some();
        let kept = || parameters.iter().filter(|parameter| parameter.is_stored(fused));
        for parameter in kept().filter(|parameter| parameter.regularizer.is_some()) {
            let range = parameter.range.clone();
            parameter.regularizer.add_gradient(&w[range.clone()], &mut stored[range]);
        }
        let clipping = optimize.optimizer.clipping();
        if clipping.is_some() {
            let squares: Vec<f64> = kept().map(|parameter| square(&stored[parameter.range.clone()])).collect();
            let all = squares.iter().sum();
            for (parameter, square) in kept().zip(squares) {
                clipping.apply(&mut stored[parameter.range.clone()], square, all);
            }
        }
        for parameter in kept() {
            let range = parameter.range.clone();
            let slots = optimize.slots.iter_mut().map(|slot| &mut slot[range.clone()]).collect();
            let (optimizer, rate, number) = (optimize.optimizer, optimize.rate, optimize.number);
            let gradient = &stored[range.clone()];
            for_each(StepParts { w: &mut w[range], slots }, &|part, StepParts { w, mut slots }| {
                let gradient = &gradient[part * CHUNK..][..w.len()];
                optimizer.step(*isa, rate, number, gradient, w, &mut slots);
            });
        }
    }

    /// The first number on the way of the last forward pass, that of `x`, which is NaN or infinite: what holds it, and the
    /// number.
    pub fn first_not_finite(&self, weights: &[f32], x: &[f32]) -> Option<(String, f64)> {
        let bad = |values: &[f32]| values.iter().find(|value| !value.is_finite()).map(|&value| f64::from(value));
        let samples = x.len() / self.input_len();
        let layer = |(op, worker): (&Op, &Worker)| {
            let parameters = self.parameters[worker.parameters.clone()].iter();
            let mut parameters = parameters.map(|p| (p.name, bad(&weights[p.range.clone()])));
            let found = parameters.find_map(|(name, found)| Some((name, found?)));
            let Held { len, values, .. } = self.held[op.output];
            let (what, found) = found.or_else(|| Some(("output", bad(&self.values[values][..samples * len])?)))?;
            Some((format!("layer {}: {what}", worker.name), found))
        };
        let images = bad(x).map(|found| ("the images".to_string(), found));
        images.or_else(|| self.plan.ops.iter().zip(&self.works).find_map(layer))
    }
}

impl Folded {
    /// The layer's weights with the normalization in them: each channel of the kernel times its scale, and the bias moved.
    fn fold<'a>(&'a mut self, own: &[&'a [f32]], of: impl Fn(usize) -> &'a [f32]) -> Vec<&'a [f32]> {
        let (mean, variance) = (of(self.mean), of(self.variance));
        let (gamma, beta) = (self.gamma.map(&of), self.beta.map(&of));
        let scale = |c: usize| {
            let deviation = (f64::from(variance[c]) + self.epsilon).sqrt();
            (f64::from(gamma.map_or(1.0, |gamma| gamma[c])) / deviation) as f32
        };
        let channels = mean.len();
        let scales: Vec<f32> = (0..channels).map(scale).collect();
        for (to, from) in self.kernel.chunks_exact_mut(channels).zip(own[0].chunks_exact(channels)) {
            to.iter_mut().zip(from.iter().zip(&scales)).for_each(|(to, (from, scale))| *to = from * scale);
        }
        for (c, to) in self.bias.iter_mut().enumerate() {
            let bias = own.get(1).map_or(0.0, |bias| bias[c]);
            *to = (bias - mean[c]) * scales[c] + beta.map_or(0.0, |beta| beta[c]);
        }
        vec![&self.kernel, &self.bias]
    }
}

/// The step of a network that does not train: nothing in it is random.
pub const PREDICTING: Step = Step { seed: 0, number: 0 };

/// The values of `input` for `samples` samples; value 0 is the network's input `x`.
fn value<'a>(input: usize, held: &[Held], values: &'a [Buffer], x: &'a [f32], samples: usize) -> &'a [f32] {
    match input {
        0 => x,
        _ => &values[held[input].values][..samples * held[input].len],
    }
}

/// Whether all that take a value leave out what relu made zero.
fn all_gate(plan: &Plan, works: &[Worker], value: usize) -> bool {
    plan.values[value].takers.iter().all(|&taker| works[taker].work.gates())
}

/// Memory for `batch` samples of each of `lens`, for which the layers of such names ask.
fn buffers(batch: usize, lens: &[usize], names: &[&str]) -> Result<Vec<Buffer>> {
    let buffer = |(&len, name): (&usize, &&str)| {
        let _part = memory::part(format_args!("layer {name}"));
        Buffer::zeros(batch.saturating_mul(len))
    };
    lens.iter().zip(names).map(buffer).collect()
}

/// Of each piece of memory, the name of the layer that gives the largest value in it.
fn makers<'a>(plan: &Plan, works: &'a [Worker], slots: &[usize]) -> Vec<&'a str> {
    let pieces = slots.iter().filter(|&&slot| slot != usize::MAX).max().map_or(0, |&last| last + 1);
    let largest = |piece: usize| {
        let held = plan.values.iter().zip(slots).filter(|(_, slot)| **slot == piece);
        held.map(|(value, _)| value).max_by_key(|value| value.shape.len()).and_then(|value| value.maker)
    };
    (0..pieces).map(|piece| largest(piece).map_or("", |maker| &works[maker].name)).collect()
}

/// Every value kept: a life from the first step to the last.
fn always(plan: &Plan) -> Vec<Life> {
    plan.lives().into_iter().map(|life| Life { start: 0, end: plan.ops.len(), ..life }).collect()
}

/// Adds `from` to `to`.
fn add(isa: Isa, from: &[f32], to: &mut [f32]) {
    for_each(Chunks::new(to, CHUNK), &|chunk, to| {
        let to = to.into_slice();
        elementwise::apply_with(isa, elementwise::Add, to, &from[chunk * CHUNK..][..to.len()]);
    });
}

/// Makes a gradient 0 where relu gave 0.
fn gate(isa: Isa, y: &[f32], gradient: &mut [f32]) {
    for_each(Chunks::new(gradient, CHUNK), &|chunk, gradient| {
        let gradient = gradient.into_slice();
        let y = &y[chunk * CHUNK..][..gradient.len()];
        elementwise::apply_with(isa, elementwise::WherePositive, gradient, y);
    });
}

/// The sum of a gradient's squares.
fn square(gradient: &[f32]) -> f64 {
    gradient.iter().map(|&g| f64::from(g) * f64::from(g)).sum()
}

/// The parameters, and what is to become of each.
fn learned(architecture: &Architecture, parameters: &Parameters, plan: &Plan, purpose: Purpose<'_>) -> Vec<Learned> {
    let uses = |layer: usize| {
        let own = plan.ops.iter().filter(|op| op.activation.is_none());
        own.filter(|op| architecture.calls[op.call].layer == layer).count()
    };
    let of_layer = |(index, layer): (usize, &LayerSpec)| {
        let (trainable, uses) = (purpose.trainable[index], uses(index));
        let pairs = layer.parameters.iter().zip(parameters.of_layer(index));
        let one = move |(parameter, entry): (&Parameter, &super::parameters::Entry)| Learned {
            name: parameter.name,
            range: entry.range.clone(),
            // What is frozen adds nothing to the loss, as in Keras.
            regularizer: if trainable { parameter.regularizer } else { Regularizer::NONE },
            trainable: trainable && parameter.role == Role::Trainable,
            uses,
        };
        pairs.map(one).collect::<Vec<_>>()
    };
    architecture.layers.iter().enumerate().flat_map(of_layer).collect()
}

impl Learned {
    /// Whether its gradient has to be kept, by an optimizer whose step is `fused` or not.
    fn is_stored(&self, fused: bool) -> bool {
        self.trainable && (!fused || self.regularizer.is_some() || self.uses > 1)
    }
}

/// Makes the workers of a plan.
struct Builder<'a> {
    architecture: &'a Architecture,
    parameters: &'a Parameters,
    isa: Isa,
    threads: usize,
    batch: usize,
    purpose: Purpose<'a>,
    plan: &'a Plan,
}

impl Builder<'_> {
    fn worker(&self, (index, op): (usize, &Op)) -> Result<Worker> {
        let call = &self.architecture.calls[op.call];
        let spec = &self.architecture.layers[call.layer];
        let _part = memory::part(format_args!("layer {}", spec.name));
        let inputs: Vec<&Shape> = match op.activation {
            // An activation's input has its output's shape, whatever it had when it was made.
            Some(_) => vec![&call.output],
            None => call.inputs.iter().map(|&input| &self.architecture.calls[input].output).collect(),
        };
        let gradients: Vec<bool> =
            op.inputs.iter().map(|&input| self.purpose.training && self.plan.wants_gradient(input)).collect();
        let site = Site {
            inputs: &inputs,
            output: &call.output,
            isa: self.isa,
            threads: self.threads,
            batch: self.batch,
            training: self.purpose.training,
            trainable: self.purpose.trainable[call.layer],
            gradients: &gradients,
            relu: op.relu,
            number: index as u64,
        };
        let work = match op.activation {
            Some(activation) => {
                activation.build(&site).and_then(|work| work.ok_or_else(|| Error::internal("linear is computed")))
            }
            None => spec.layer.build(&site),
        };
        let parameters = match op.activation {
            Some(_) => 0..0,
            None => self.parameters.indices_of_layer(call.layer),
        };
        let states = spec.parameters.iter().any(|parameter| parameter.role == Role::State);
        Ok(Worker {
            work: work.at(format_args!("layer {}", spec.name))?,
            name: spec.name.clone(),
            moves: states && op.activation.is_none() && site.learns(),
            parameters,
            targets: Vec::new(),
            folded: op.folded.map(|call| self.folded(spec, call)).transpose()?,
        })
    }

    /// The normalization of a call, to be folded into a layer.
    fn folded(&self, spec: &LayerSpec, call: usize) -> Result<Folded> {
        let layer = self.architecture.calls[call].layer;
        let (first, normalization) = (self.parameters.indices_of_layer(layer).start, &self.architecture.layers[layer]);
        let find = |name: &str| normalization.parameters.iter().position(|p| p.name == name).map(|i| first + i);
        let needed = |name: &str| find(name).ok_or_else(|| Error::internal("a normalization without statistics"));
        let len = |parameter: &Parameter| parameter.shape.iter().product();
        let kernel = spec.parameters.first().map_or(0, len);
        Ok(Folded {
            epsilon: normalization.layer.normalizes(&self.architecture.calls[call].output).unwrap_or_default(),
            gamma: find("gamma"),
            beta: find("beta"),
            mean: needed("moving_mean")?,
            variance: needed("moving_variance")?,
            kernel: Buffer::zeros(kernel)?,
            bias: Buffer::zeros(normalization.parameters.first().map_or(0, len))?,
        })
    }
}

/// Says of each worker where its inputs' gradients go: on the way back, the first one to a value writes, later ones are
/// added. Gives how many floats a sample the latter take at most.
fn assign_targets(plan: &Plan, works: &mut [Worker]) -> usize {
    let mut begun = vec![false; plan.values.len()];
    let mut most = 0;
    for (op, worker) in plan.ops.iter().zip(works).rev() {
        let mut more = 0;
        for &input in &op.inputs {
            let wanted = op.learns && plan.wants_gradient(input);
            worker.targets.push(match (wanted, wanted && std::mem::replace(&mut begun[input], true)) {
                (false, _) => Target::None,
                (true, false) => Target::Value,
                (true, true) => {
                    let at = more;
                    more += plan.values[input].shape.len();
                    Target::More(at)
                }
            });
        }
        most = most.max(more);
    }
    most
}

/// A layer's parameters with what the optimizer needs for them, cut out of the whole.
struct Lent<'a> {
    parts: Vec<Part<'a>>,
    step: Option<crate::kernels::AdamStep>,
}

struct Part<'a> {
    learned: &'a Learned,
    w: &'a mut [f32],
    slots: Vec<&'a mut [f32]>,
    stored: &'a mut [f32],
}

impl<'a> Lent<'a> {
    fn new(parameters: &'a [Learned], optimize: &'a mut Optimize<'_>, w: &'a mut [f32], stored: &'a mut [f32]) -> Self {
        let step = optimize.optimizer.fused(optimize.rate, optimize.number);
        let mut w = Cut::new(w);
        let mut slots: Vec<Cut<'a>> = optimize.slots.iter_mut().map(|slot| Cut::new(slot)).collect();
        let mut stored = Cut::new(stored);
        let parts = parameters.iter().map(|learned| Part {
            learned,
            w: w.take(&learned.range),
            slots: slots.iter_mut().map(|slot| slot.take(&learned.range)).collect(),
            stored: match learned.is_stored(step.is_some()) && !stored.rest.is_empty() {
                true => stored.take(&learned.range),
                false => &mut [],
            },
        });
        Lent { parts: parts.collect(), step }
    }

    /// The parameters, whose gradients are nobody's business.
    fn without_updates(&mut self) -> Vec<Weight<'_>> {
        self.parts.iter_mut().map(|part| Weight { w: part.w, update: None }).collect()
    }

    /// The parameters as a layer takes them; `begun` says of each whether it has a gradient in this step already.
    fn weights(&mut self, begun: &mut [bool]) -> Vec<Weight<'_>> {
        let step = self.step;
        self.parts.iter_mut().zip(begun).map(|(part, begun)| part.weight(step, begun)).collect()
    }
}

impl Part<'_> {
    fn weight(&mut self, step: Option<crate::kernels::AdamStep>, begun: &mut bool) -> Weight<'_> {
        let update = match (self.learned.trainable, step) {
            (false, _) => None,
            (true, fused) if self.learned.is_stored(fused.is_some()) => {
                let add = std::mem::replace(begun, true);
                Some(Update::Store { gradient: self.stored, add })
            }
            (true, Some(step)) => match &mut self.slots[..] {
                [m, v] => Some(Update::Adam { step, m, v }),
                _ => None,
            },
            (true, None) => None,
        };
        Weight { w: self.w, update }
    }
}

/// Pieces of a slice, each further on than the one before.
struct Cut<'a> {
    rest: &'a mut [f32],
    at: usize,
}

impl<'a> Cut<'a> {
    fn new(rest: &'a mut [f32]) -> Self {
        Cut { rest, at: 0 }
    }

    fn take(&mut self, range: &Range<usize>) -> &'a mut [f32] {
        let (_, from) = std::mem::take(&mut self.rest).split_at_mut(range.start - self.at);
        let (part, after) = from.split_at_mut(range.len());
        (self.rest, self.at) = (after, range.end);
        part
    }
}

/// Weights and moments in chunks.
struct StepParts<'a> {
    w: &'a mut [f32],
    slots: Vec<&'a mut [f32]>,
}

impl crate::layers::parallel::Parts for StepParts<'_> {
    fn count(&self) -> usize {
        self.w.len().div_ceil(CHUNK)
    }

    fn split_at(self, part: usize) -> (Self, Self) {
        let at = (part * CHUNK).min(self.w.len());
        let (w, more) = self.w.split_at_mut(at);
        let (slots, rest) = self.slots.into_iter().map(|slot| slot.split_at_mut(at)).unzip();
        (StepParts { w, slots }, StepParts { w: more, slots: rest })
    }
}
