//! A model's parameters, all of them in one candle tensor.
//!
//! Each parameter begins on a cache line of the one allocation, and is a view of it where a tensor of its own shape is
//! wanted. The tensor's lock makes steps atomic: an optimizer step holds it for writing, a prediction for reading, so a
//! prediction sees the weights between two steps.

use crate::error::{Error, ErrorKind, Result};
use crate::graph::Architecture;
use crate::layers::Parameter;
use crate::memory::{Buffer, LINE, aligned_zeros};
use candle_core::{CpuStorage, Device, InplaceOp1, Layout, Storage, Tensor};
use std::cell::Cell;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

/// A parameter's name, shape and range.
#[derive(Clone, Debug)]
pub struct Entry {
    /// `layer/kernel` or `layer/bias`.
    pub name: String,
    /// In Keras's layout.
    pub shape: Vec<usize>,
    /// Its range in [`Parameters::read`]'s slice.
    pub range: Range<usize>,
}

/// All parameters of a model.
pub struct Parameters {
    tensor: Tensor,
    entries: Vec<Entry>,
    /// For each layer, its range of `entries`.
    layers: Vec<Range<usize>>,
    /// Whether only other ranks of a fit have some of the values. It changes only while the values are lent for writing.
    incomplete: AtomicBool,
}

impl Parameters {
    /// The initial parameters, each by its initializer, from `seed` and its number.
    pub fn new(architecture: &Architecture, seed: u64) -> Result<Self> {
        Parameters::filled(architecture, |values, parameter, stream| {
            parameter.initializer.fill(values, &parameter.shape, seed, stream);
        })
    }

    /// All of them zero.
    pub fn zeros(architecture: &Architecture) -> Result<Self> {
        Parameters::filled(architecture, |_, _, _| ())
    }

    /// The parameters filled by `fill`, which gets each one's slice (zeros), its description and its number.
    fn filled(architecture: &Architecture, fill: impl Fn(&mut [f32], &Parameter, u64)) -> Result<Self> {
        let (mut entries, mut ranges, mut end) = (Vec::new(), Vec::new(), 0usize);
        let too_large = || Error::new(ErrorKind::OutOfMemory, "the parameters exceed what memory can address");
        for layer in &architecture.layers {
            let first = entries.len();
            for parameter in &layer.parameters {
                let len: usize = parameter.shape.iter().product();
                let name = format!("{}/{}", layer.name, parameter.name);
                let next = end.checked_add(len).ok_or_else(too_large)?;
                entries.push(Entry { name, shape: parameter.shape.clone(), range: end..next });
                end = next.checked_next_multiple_of(LINE).ok_or_else(too_large)?;
            }
            ranges.push(first..entries.len());
        }
        let (mut storage, start) = aligned_zeros(end).map_err(|e| e.at("the model's parameters"))?;
        let parameters = architecture.layers.iter().flat_map(|layer| &layer.parameters);
        for (stream, (entry, parameter)) in (0..).zip(entries.iter().zip(parameters)) {
            let Range { start: first, end } = entry.range;
            fill(&mut storage[start + first..start + end], parameter, stream);
        }
        let len = storage.len();
        let tensor = Tensor::from_vec(storage, len, &Device::Cpu)?.narrow(0, start, end)?;
        Ok(Parameters { tensor, entries, layers: ranges, incomplete: AtomicBool::new(false) })
    }

    /// Every parameter, layer by layer.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The parameters of a layer, given by its index.
    pub fn of_layer(&self, layer: usize) -> &[Entry] {
        &self.entries[self.layers[layer].clone()]
    }

    /// Which of [`entries`](Self::entries) are a layer's.
    pub fn indices_of_layer(&self, layer: usize) -> Range<usize> {
        self.layers[layer].clone()
    }

    /// The number of floats that [`read`](Self::read) and [`write`](Self::write) pass.
    pub fn len(&self) -> usize {
        self.tensor.elem_count()
    }

    /// Sets whether only other ranks of a fit have some of the values. Called while the values are lent for writing.
    pub fn set_incomplete(&self, incomplete: bool) {
        self.incomplete.store(incomplete, Ordering::Relaxed);
    }

    /// Passes all values for reading; an optimizer step waits meanwhile. `State` if only other ranks have some of them.
    pub fn read<R>(&self, task: impl FnOnce(&[f32]) -> R) -> Result<R> {
        let (storage, layout) = self.tensor.storage_and_layout();
        if self.incomplete.load(Ordering::Relaxed) {
            let what = "during an epoch each rank of the fit has only a part of the weights";
            return Err(Error::new(ErrorKind::State, what).expected("a call between epochs"));
        }
        match &*storage {
            Storage::Cpu(storage) => Ok(task(part(storage.as_slice()?, layout)?)),
            _ => Err(Error::new(ErrorKind::Internal, "parameters outside of main memory")),
        }
    }

    /// A snapshot of all values, taken between two steps.
    pub fn snapshot(&self) -> Result<Buffer> {
        let mut copy = Buffer::zeros(self.len()).map_err(|e| e.at("a copy of the weights"))?;
        self.read(|all| copy.copy_from_slice(all))?;
        Ok(copy)
    }

    /// Passes all values for writing; readers wait meanwhile.
    pub fn write<R>(&self, task: impl FnOnce(&mut [f32]) -> R) -> Result<R> {
        let write = Write { task: Cell::new(Some(task)), result: Cell::new(None) };
        self.tensor.inplace_op1(&write)?;
        write.result.take().ok_or_else(|| Error::new(ErrorKind::Internal, "candle did not run an in-place operation"))
    }
}

/// The one in-place operation: whatever the caller does with the values.
struct Write<F, R> {
    task: Cell<Option<F>>,
    result: Cell<Option<R>>,
}

impl<R, F: FnOnce(&mut [f32]) -> R> InplaceOp1 for Write<F, R> {
    fn name(&self) -> &'static str {
        "write-parameters"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> candle_core::Result<()> {
        let CpuStorage::F32(values) = storage else { candle_core::bail!("parameters are float32") };
        let (start, end) = bounds(layout)?;
        if let Some(task) = self.task.take() {
            self.result.set(Some(task(&mut values[start..end])));
        }
        Ok(())
    }
}

fn bounds(layout: &Layout) -> candle_core::Result<(usize, usize)> {
    match layout.contiguous_offsets() {
        Some(bounds) => Ok(bounds),
        None => candle_core::bail!("parameters are contiguous"),
    }
}

fn part<'a>(values: &'a [f32], layout: &Layout) -> Result<&'a [f32]> {
    let (start, end) = bounds(layout)?;
    Ok(&values[start..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Graph;
    use crate::layers::Activation;

    fn parameters(seed: u64) -> Parameters {
        let mut graph = Graph::new();
        let x = graph.input(&[28, 28, 1]).unwrap();
        let y = graph.conv2d(x, 7, 3, Activation::Relu).unwrap();
        let y = graph.flatten(y).unwrap();
        let y = graph.dense(y, 10, Activation::Softmax).unwrap();
        Parameters::new(&graph.architecture(x, y).unwrap(), seed).unwrap()
    }

    #[test]
    fn glorot_limits_and_streams() {
        let (a, b) = (parameters(0), parameters(1));
        let names: Vec<_> = a.entries().iter().map(|e| e.name.as_str()).collect();
        assert_eq!(names, ["conv2d/kernel", "conv2d/bias", "dense/kernel", "dense/bias"]);
        let values = |p: &Parameters, i: usize| p.read(|all| all[p.entries()[i].range.clone()].to_vec()).unwrap();
        for (i, limit) in [(0, 6.0 / (9.0 + 63.0)), (2, 6.0 / (26.0 * 26.0 * 7.0 + 10.0))] {
            let (values, limit) = (values(&a, i), f32::sqrt(limit));
            let largest = values.iter().fold(0f32, |m, x| m.max(x.abs()));
            let mean = values.iter().sum::<f32>() / values.len() as f32;
            assert!(largest <= limit && largest > 0.9 * limit, "{largest} {limit}");
            assert!(mean.abs() < 0.3 * limit, "{mean}");
        }
        assert!(values(&a, 1).iter().chain(&values(&a, 3)).all(|&x| x == 0.0));
        assert_ne!(values(&a, 2), values(&b, 2), "another seed, other weights");
        assert_eq!(values(&a, 2), values(&parameters(0), 2));
        assert_eq!(values(&a, 0)[..2].iter().map(|x| x.to_bits()).collect::<Vec<_>>(), [1035397755, 1039611562]);
    }

    #[test]
    fn each_parameter_starts_on_a_line_and_writes_stay() {
        let p = parameters(0);
        p.write(|all| all[p.entries()[3].range.start] = 5.0).unwrap();
        p.read(|all| {
            assert_eq!(all[p.entries()[3].range.start], 5.0);
            assert!(p.entries().iter().all(|e| (all[e.range.clone()].as_ptr() as usize).is_multiple_of(64)));
        })
        .unwrap();
    }
}
