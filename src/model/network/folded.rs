//! A batch normalization folded into the weights of the layer below it: in prediction it is a scale and a shift of each
//! channel.

use crate::error::{Error, Result};
use crate::graph::Architecture;
use crate::layers::Parameter;
use crate::memory::Buffer;
use crate::model::parameters::Parameters;

/// A folded normalization and the resulting weights.
pub struct Folded {
    epsilon: f64,
    /// The normalization's parameters, as indices.
    gamma: Option<usize>,
    beta: Option<usize>,
    mean: usize,
    variance: usize,
    kernel: Buffer,
    bias: Buffer,
}

impl Folded {
    /// The normalization of a call, folded into a layer whose parameters are `below`.
    pub fn new(architecture: &Architecture, parameters: &Parameters, below: &[Parameter], call: usize) -> Result<Self> {
        let layer = architecture.calls[call].layer;
        let (first, normalization) = (parameters.indices_of_layer(layer).start, &architecture.layers[layer]);
        let find = |name: &str| normalization.parameters.iter().position(|p| p.name == name).map(|i| first + i);
        let needed = |name: &str| find(name).ok_or_else(|| Error::internal("a normalization without statistics"));
        let len = |parameter: &Parameter| parameter.shape.iter().product();
        Ok(Folded {
            epsilon: normalization.layer.normalizes(&architecture.calls[call].output).unwrap_or_default(),
            gamma: find("gamma"),
            beta: find("beta"),
            mean: needed("moving_mean")?,
            variance: needed("moving_variance")?,
            kernel: Buffer::zeros(below.first().map_or(0, len))?,
            bias: Buffer::zeros(normalization.parameters.first().map_or(0, len))?,
        })
    }

    /// The layer's weights with the normalization in them: each channel of the kernel times its scale, and the shifted
    /// bias.
    pub fn fold<'a>(&'a mut self, own: &[&'a [f32]], of: impl Fn(usize) -> &'a [f32]) -> Vec<&'a [f32]> {
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
