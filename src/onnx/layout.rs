//! How the axes of ONNX's tensors lie in this library's: a graph for `[N, C, H, W]` becomes a model for `[N, H, W, C]`.
//!
//! The values of a graph are tensors of ours together with an order: which of our axes each of ONNX's is. A transpose then
//! is another order and no layer; a convolution asks for the order in which the channels are our last axis, and finds it in
//! most graphs. An image that ONNX flattens is flattened in our order, which is remembered: a dense layer behind it gets the
//! rows of its kernel in that order. Only where nothing else will do are numbers moved, by `Permute`.
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
    /// What it is in the network.
    pub tensor: Tensor,
    /// Which of the tensor's axes each of ONNX's is; the batch, which comes first in both, is not counted.
    pub order: Vec<usize>,
    /// Of a row that is a flattened image: the image's sizes in the network, and their order in ONNX, where that is another.
    pub image: Option<(Vec<usize>, Vec<usize>)>,
    /// Whether no number of it is below 0.
    pub positive: bool,
}

/// `values` of sizes `dims` with their axes in another order: axis `i` is axis `order[i]` of before.
pub fn permuted<T: Copy>(values: &[T], dims: &[usize], order: &[usize]) -> Result<Vec<T>> {
    let mut out = memory::reserve(values.len())?;
    if order.is_sorted() {
        out.extend_from_slice(values);
        return Ok(out);
    }
    // From an element to the next one along each axis of before.
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

/// The order that takes an order back.
pub fn inverse(order: &[usize]) -> Vec<usize> {
    (0..order.len()).filter_map(|axis| order.iter().position(|&at| at == axis)).collect()
}

/// The order in which a convolution over so many axes, the channels among them, finds its image: the channels last.
pub fn channels_last(rank: usize) -> Vec<usize> {
    with_last(rank, 0)
}

/// The order in which ONNX's axis `channels` is our last one, and the others are as they are.
pub fn with_last(rank: usize, channels: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..rank - 1).collect();
    order.insert(channels, rank - 1);
    order
}

/// Whether elements of these sizes in that order lie one behind the other as they do in the tensor.
fn is_straight(dims: &[usize], order: &[usize]) -> bool {
    order.iter().copied().filter(|&axis| dims[axis] > 1).is_sorted()
}

impl Value {
    /// One whose axes are ONNX's.
    pub fn plain(tensor: Tensor, rank: usize) -> Self {
        Value { tensor, order: (0..rank).collect(), image: None, positive: false }
    }

    /// Another tensor of the same axes.
    pub fn with(&self, tensor: Tensor) -> Self {
        Value { tensor, positive: false, ..self.clone() }
    }

    /// Which of its axes ONNX's `axis` is, which counts the batch, or from the end.
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

    /// The value with ONNX's axes in an order, moved where they are in another.
    pub fn arrange(&mut self, value: &Value, order: &[usize]) -> Result<Value> {
        let value = self.unfolded(value)?;
        if value.order == order {
            return Ok(value);
        }
        let sizes = self.sizes(&value)?;
        let mut axes = vec![0; order.len()]; // which of the old axes each of the new ones is
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

    /// The value with its axes as ONNX has them.
    pub fn straight(&mut self, value: &Value) -> Result<Value> {
        self.arrange(value, &(0..value.order.len()).collect::<Vec<_>>())
    }

    /// The same without an image: a row in ONNX's order.
    fn unfolded(&mut self, value: &Value) -> Result<Value> {
        let Some((dims, order)) = &value.image else { return Ok(value.clone()) };
        let image = Value { tensor: self.reshaped(value, dims)?, order: order.clone(), image: None, ..value.clone() };
        let image = self.straight(&image)?;
        Ok(Value { tensor: self.layer("Flatten", json!({}), &[image.tensor], Vec::new())?, order: vec![0], ..image })
    }

    fn reshaped(&mut self, value: &Value, dims: &[usize]) -> Result<Tensor> {
        self.layer("Reshape", json!({ "target_shape": dims }), &[value.tensor], Vec::new())
    }

    /// Values whose axes are in one order: the first one's.
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

    /// The value under other sizes in ONNX (which do not count the batch), number for number.
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
            // Sizes of 1 have moved, and nothing else: the same tensor.
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
