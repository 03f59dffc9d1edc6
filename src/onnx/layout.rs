//! Maps the axes of ONNX's tensors to this library's: a graph for `[N, C, H, W]` becomes a model for `[N, H, W, C]`.
//!
//! A value of a graph is one of this library's tensors with an order: for each of ONNX's axes the axis here. A
//! transpose only changes the order and is not a layer; a convolution needs the order in which the channels are the
//! last axis here, which most graphs have. An image that ONNX flattens is flattened in the order here, which is
//! remembered: the dense layer after it reorders the rows of its kernel. Only if nothing else works, values are moved
//! by `Permute`.
//!
//! ```text
//! PyTorch     x [N, C, H, W]                      ours [H, W, C], order 2 0 1     as a convolution wants it
//! TensorFlow  x [N, H, W, C]                      ours [H, W, C], order 0 1 2
//!             Transpose 0 3 1 2  [N, C, H, W]     the same tensor, order 2 0 1    as a convolution wants it
//!             Flatten            [N, C * H * W]   flattened as [H, W, C], image of order 2 0 1
//! ```

use super::constants::count;
use super::import::Reader;
use crate::error::{Error, ErrorKind, Result};
use crate::graph::Tensor;
use crate::memory;
use serde_json::json;

/// A value of the graph that depends on the input.
#[derive(Clone, Debug)]
pub struct Value {
    /// Its tensor in the network.
    pub tensor: Tensor,
    /// For each of ONNX's axes the axis of the tensor; without the batch, which is first in both.
    pub order: Vec<usize>,
    /// For a flattened image: the image's sizes in the network, and their order in ONNX if it differs.
    pub image: Option<(Vec<usize>, Vec<usize>)>,
    /// Whether all its values are 0 or more.
    pub positive: bool,
}

/// `values` of sizes `dims` transposed: new axis `i` is old axis `order[i]`.
pub fn permuted<T: Copy>(values: &[T], dims: &[usize], order: &[usize]) -> Result<Vec<T>> {
    let mut out = memory::reserve(values.len())?;
    if order.is_sorted() {
        out.extend_from_slice(values);
        return Ok(out);
    }
    // The stride of each old axis.
    let steps: Vec<usize> = (0..dims.len()).map(|axis| dims[axis + 1..].iter().product()).collect();
    let axes: Vec<(usize, usize)> = order.iter().map(|&axis| (dims[axis], steps[axis])).collect();
    let mut place = vec![0; axes.len()];
    let mut at = 0;
    for _ in 0..values.len() {
        out.push(values[at]);
        for (i, &(dim, step)) in axes.iter().enumerate().rev() {
            place[i] += 1;
            at += step;
            if place[i] < dim {
                break;
            }
            at -= dim * step;
            place[i] = 0;
        }
    }
    Ok(out)
}

/// The inverse order.
pub fn inverse(order: &[usize]) -> Vec<usize> {
    (0..order.len()).filter_map(|axis| order.iter().position(|&at| at == axis)).collect()
}

/// The order that a convolution over so many axes, including the channels, needs: channels last.
pub fn channels_last(rank: usize) -> Vec<usize> {
    with_last(rank, 0)
}

/// The order in which ONNX's axis `channels` is the last one here, and the others keep their order.
pub fn with_last(rank: usize, channels: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..rank - 1).collect();
    order.insert(channels, rank - 1);
    order
}

/// Whether elements of these sizes are in the same sequence in that order as in the tensor.
fn is_straight(dims: &[usize], order: &[usize]) -> bool {
    order.iter().copied().filter(|&axis| dims[axis] > 1).is_sorted()
}

impl Value {
    /// A value with ONNX's order.
    pub fn plain(tensor: Tensor, rank: usize) -> Self {
        Value { tensor, order: (0..rank).collect(), image: None, positive: false }
    }

    /// Another tensor with the same order.
    pub fn with(&self, tensor: Tensor) -> Self {
        Value { tensor, positive: false, ..self.clone() }
    }

    /// The axis here for ONNX's `axis`, which counts the batch or counts from the end.
    pub fn axis(&self, axis: i64) -> Result<usize> {
        let rank = self.order.len() as i64 + 1;
        let at = if axis < 0 { axis.saturating_add(rank) } else { axis };
        usize::try_from(at - 1).ok().and_then(|at| self.order.get(at).copied()).ok_or_else(|| {
            let error = Error::new(ErrorKind::Unsupported, "not an axis of a sample");
            error.expected(format_args!("1 to {}", rank - 1)).found(axis)
        })
    }
}

impl Reader<'_> {
    /// A value's sizes in the network.
    pub fn sizes(&self, value: &Value) -> Result<Vec<usize>> {
        Ok(self.graph.shape(value.tensor)?.dims().to_vec())
    }

    /// Its sizes in ONNX, without the batch.
    pub fn dims(&self, value: &Value) -> Result<Vec<usize>> {
        let sizes = self.sizes(value)?;
        Ok(value.order.iter().map(|&axis| sizes[axis]).collect())
    }

    /// The value with ONNX's axes in this order; permuted if necessary.
    pub fn arrange(&mut self, value: &Value, order: &[usize]) -> Result<Value> {
        let value = self.unfolded(value)?;
        if value.order == order {
            return Ok(value);
        }
        let sizes = self.sizes(&value)?;
        let mut axes = vec![0; order.len()]; // for each new axis the old axis
        order.iter().zip(&value.order).for_each(|(&new, &old)| axes[new] = old);
        let tensor = match is_straight(&sizes, &axes) {
            true => self.reshaped(&value, &axes.iter().map(|&axis| sizes[axis]).collect::<Vec<_>>())?,
            false => {
                let dims: Vec<usize> = axes.iter().map(|axis| axis + 1).collect();
                self.layer("Permute", json!({ "dims": dims }), &[value.tensor], Vec::new())?
            }
        };
        Ok(Value { tensor, order: order.to_vec(), ..value })
    }

    /// The value with its axes in ONNX's order.
    pub fn straight(&mut self, value: &Value) -> Result<Value> {
        self.arrange(value, &(0..value.order.len()).collect::<Vec<_>>())
    }

    /// The same for a flattened image: a row in ONNX's order.
    fn unfolded(&mut self, value: &Value) -> Result<Value> {
        let Some((dims, order)) = &value.image else { return Ok(value.clone()) };
        let image = Value { tensor: self.reshaped(value, dims)?, order: order.clone(), image: None, ..value.clone() };
        let image = self.straight(&image)?;
        Ok(Value { tensor: self.layer("Flatten", json!({}), &[image.tensor], Vec::new())?, order: vec![0], ..image })
    }

    fn reshaped(&mut self, value: &Value, dims: &[usize]) -> Result<Tensor> {
        self.layer("Reshape", json!({ "target_shape": dims }), &[value.tensor], Vec::new())
    }

    /// The values with all axes in the first one's order.
    pub fn alike(&mut self, values: &[Value]) -> Result<Vec<Value>> {
        let first = values.first().ok_or_else(|| Error::internal("an invalid constant"))?;
        if values.iter().all(|value| (&value.order, &value.image) == (&first.order, &first.image)) {
            return Ok(values.to_vec());
        }
        if let Some(other) = values.iter().find(|value| value.order.len() != first.order.len()) {
            return Err(Error::new(ErrorKind::Unsupported, "values of different ranks")
                .expected(format_args!("rank {}", first.order.len() + 1))
                .found(other.order.len() + 1));
        }
        let order = first.order.clone();
        values.iter().map(|value| self.arrange(value, &order)).collect()
    }

    /// The value reshaped to other sizes in ONNX (without the batch).
    pub fn reshape(&mut self, value: &Value, dims: &[usize]) -> Result<Value> {
        let before = self.dims(value)?;
        if count(dims) != count(&before) {
            let error = Error::new(ErrorKind::Shape, "the shapes have different numbers of elements");
            return Err(error.expected(format_args!("{before:?}, or as many")).found(format_args!("{dims:?}")));
        }
        if before == dims {
            return Ok(value.clone());
        }
        if let Some((sizes, order)) = &value.image
            && order.iter().map(|&axis| sizes[axis]).eq(dims.iter().copied())
        {
            let tensor = self.reshaped(value, sizes)?;
            return Ok(Value { tensor, order: order.clone(), image: None, positive: value.positive });
        }
        let sizes = self.sizes(value)?;
        if dims.len() == 1 && value.image.is_none() {
            let tensor = self.layer("Flatten", json!({}), &[value.tensor], Vec::new())?;
            let image = (!is_straight(&sizes, &value.order)).then(|| (sizes, value.order.clone()));
            return Ok(Value { tensor, order: vec![0], image, positive: value.positive });
        }
        if dims.len() == before.len() && value.image.is_none() {
            // Only sizes of 1 have moved: the same tensor.
            let (mut real, mut ones) = (Vec::new(), Vec::new());
            value.order.iter().for_each(|&axis| if sizes[axis] > 1 { real.push(axis) } else { ones.push(axis) });
            let (mut real, mut ones) = (real.into_iter(), ones.into_iter());
            let next =
                |&dim: &usize| if dim > 1 { real.next().filter(|&axis| sizes[axis] == dim) } else { ones.next() };
            if let Some(order) = dims.iter().map(next).collect() {
                return Ok(Value { order, ..value.clone() });
            }
        }
        let value = self.straight(value)?;
        let tensor = self.reshaped(&value, dims)?;
        Ok(Value { order: (0..dims.len()).collect(), tensor, ..value })
    }
}
