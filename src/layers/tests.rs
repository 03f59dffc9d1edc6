//! Every layer's gradients against candle's autograd and against finite differences.

use super::*;
use crate::graph::{Graph, Shape};
use crate::kernels::numbers;
use candle_core::{Device, Tensor, Var};

/// A layer with numbers in it.
struct Case {
    spec: LayerSpec,
    batch: usize,
    x: Vec<f32>,
    kernel: Vec<f32>,
    bias: Vec<f32>,
    /// The gradient to the layer's output, after its activation.
    dy: Vec<f32>,
}

impl Case {
    fn new(
        batch: usize,
        input: [usize; 3],
        call: impl Fn(&mut Graph, crate::graph::Tensor) -> crate::graph::Tensor,
    ) -> Self {
        let mut graph = Graph::new();
        let x = graph.input(input[0], input[1], input[2]).unwrap();
        let y = call(&mut graph, x);
        let spec = graph.chain(x, y).unwrap().pop().unwrap();
        let [kernel, bias] = spec.parameters().try_into().unwrap();
        let len = |shape: &[usize]| shape.iter().product();
        // As if out of relu: a third of the inputs is exactly 0.
        let x = numbers(1, batch * spec.input.len()).into_iter().map(|x| (x + 0.3).max(0.0)).collect();
        Case {
            batch,
            x,
            kernel: numbers(2, len(&kernel.shape)),
            bias: numbers(3, len(&bias.shape)),
            dy: numbers(4, batch * spec.output.len()),
            spec,
        }
    }

    fn conv2d(batch: usize, input: [usize; 3], filters: usize, kernel: usize, activation: Activation) -> Self {
        Case::new(batch, input, |graph, x| graph.conv2d(x, filters, kernel, activation).unwrap())
    }

    /// With a gradient of which three quarters are zero.
    fn thinned(mut self) -> Self {
        for (dy, chance) in self.dy.iter_mut().zip(numbers(5, self.batch * self.spec.output.len())) {
            *dy = if chance < -0.5 { *dy } else { 0.0 };
        }
        self
    }

    fn dense(batch: usize, inputs: usize, units: usize, activation: Activation) -> Self {
        Case::new(batch, [1, 1, inputs], |graph, x| {
            let x = graph.flatten(x).unwrap();
            graph.dense(x, units, activation).unwrap()
        })
    }

    fn all() -> Vec<Self> {
        use Activation::{Linear, Relu};
        vec![
            Case::conv2d(1, [1, 1, 1], 1, 1, Linear),
            Case::conv2d(1, [1, 1, 3], 7, 1, Relu),
            Case::conv2d(2, [5, 9, 3], 7, 5, Relu),
            Case::conv2d(3, [7, 6, 2], 16, 3, Linear),
            Case::conv2d(33, [4, 5, 1], 32, 2, Relu),
            // With 16 channels each backward pass has two roads: one of them both ways, then the other, then one each.
            Case::conv2d(5, [8, 20, 16], 48, 3, Linear),
            Case::conv2d(5, [8, 20, 16], 48, 3, Relu).thinned(),
            Case::conv2d(5, [8, 20, 16], 48, 3, Relu),
            Case::conv2d(34, [6, 5, 32], 20, 5, Linear).thinned(),
            Case::dense(1, 1, 1, Linear),
            Case::dense(1, 7, 10, Relu),
            Case::dense(3, 800, 5, Relu),
            Case::dense(32, 49, 33, Linear),
            Case::dense(40, 1600, 16, Relu),
        ]
    }

    fn how(&self, isa: Isa) -> Use {
        Use { isa, threads: 1, batch: self.batch, training: true, input_gradient: true }
    }

    fn output(&self, isa: Isa) -> Vec<f32> {
        let mut y = vec![f32::NAN; self.batch * self.spec.output.len()];
        let mut layer = build(&self.spec, self.how(isa)).unwrap().unwrap();
        layer.forward(&[&self.kernel, &self.bias], &self.x, &mut y).unwrap();
        y
    }

    /// The gradients to input, kernel and bias.
    fn gradients(&self, isa: Isa) -> [Vec<f32>; 3] {
        let mut layer = build(&self.spec, self.how(isa)).unwrap().unwrap();
        let y = self.output(isa);
        let relu = self.spec.activation() == Activation::Relu;
        let dz: Vec<f32> = self.dy.iter().zip(&y).map(|(&dy, &y)| if relu && y <= 0.0 { 0.0 } else { dy }).collect();
        let (mut kernel, mut bias) = (self.kernel.clone(), self.bias.clone());
        let mut moments =
            [vec![0.0; kernel.len()], vec![0.0; kernel.len()], vec![0.0; bias.len()], vec![0.0; bias.len()]];
        let mut dx = vec![f32::NAN; self.x.len()];
        // With beta_1 = 0 the first moment is the gradient itself; with a learning rate of 0 the weights stay.
        let adam = AdamStep::new(0.0, 0.0, 0.999, 1e-7, 1);
        let [km, kv, bm, bv] = &mut moments;
        let mut weights = [Trained { w: &mut kernel, m: km, v: kv }, Trained { w: &mut bias, m: bm, v: bv }];
        layer.backward(&mut weights, Backward { x: &self.x, dz: &dz, dx: Some(&mut dx), gated: false, adam }).unwrap();
        assert!(kernel == self.kernel && bias == self.bias);
        let [km, _, bm, _] = moments;
        [dx, km, bm]
    }

    /// The same by candle.
    fn candle(&self) -> candle_core::Result<[Vec<f32>; 3]> {
        let tensor = |values: &[f32], dims: &[usize]| Var::from_vec(values.to_vec(), dims, &Device::Cpu);
        let dims = |shape: &Shape| [&[self.batch], shape.dims()].concat();
        let [kernel, bias] = self.spec.parameters().try_into().unwrap();
        let (x, w) = (tensor(&self.x, &dims(&self.spec.input))?, tensor(&self.kernel, &kernel.shape)?);
        let b = tensor(&self.bias, &bias.shape)?;
        let z = match self.spec.kind {
            LayerKind::Conv2d { .. } => {
                // candle has [N, C, H, W] and [F, C, k, k].
                let (x, w) = (x.permute((0, 3, 1, 2))?.contiguous()?, w.permute((3, 2, 0, 1))?.contiguous()?);
                x.conv2d(&w, 0, 1, 1, 1)?.permute((0, 2, 3, 1))?.broadcast_add(&b)?
            }
            _ => x.matmul(&w)?.broadcast_add(&b)?,
        };
        let y = if self.spec.activation() == Activation::Relu { z.relu()? } else { z };
        let dy = Tensor::from_vec(self.dy.clone(), dims(&self.spec.output), &Device::Cpu)?;
        let gradients = (y * dy)?.sum_all()?.backward()?;
        let values = |var: &Var| gradients.get(var).expect("a gradient").flatten_all()?.to_vec1();
        Ok([values(&x)?, values(&w)?, values(&b)?])
    }

    /// `sum(y * dy)` in double precision, straight from the definitions.
    fn objective(&self, x: &[f32], kernel: &[f32], bias: &[f32]) -> f64 {
        let (input, output) = (self.spec.input.dims(), self.spec.output.dims());
        let mut total = 0.0;
        for b in 0..self.batch {
            let x = &x[b * self.spec.input.len()..][..self.spec.input.len()];
            for o in 0..self.spec.output.len() {
                let unit = o % bias.len();
                let mut z = f64::from(bias[unit]);
                let mut add = |i: usize, k: usize| z += f64::from(x[i]) * f64::from(kernel[k]);
                match (&self.spec.kind, input, output) {
                    (LayerKind::Conv2d { kernel_size: n, .. }, &[_, width, channels], &[_, out_width, _]) => {
                        let pixel = o / bias.len();
                        let (row, column) = (pixel / out_width, pixel % out_width);
                        for (i, j, c) in
                            (0..n * n * channels).map(|t| (t / channels / n, t / channels % n, t % channels))
                        {
                            add(
                                ((row + i) * width + column + j) * channels + c,
                                ((i * n + j) * channels + c) * bias.len() + unit,
                            );
                        }
                    }
                    _ => (0..x.len()).for_each(|i| add(i, i * bias.len() + unit)),
                }
                let y = if self.spec.activation() == Activation::Relu { z.max(0.0) } else { z };
                total += y * f64::from(self.dy[b * self.spec.output.len() + o]);
            }
        }
        total
    }
}

fn close(got: &[f32], expected: &[f32], what: &str, spec: &LayerSpec) {
    assert_eq!(got.len(), expected.len());
    let scale = expected.iter().fold(1f32, |m, x| m.max(x.abs()));
    for (i, (got, expected)) in got.iter().zip(expected).enumerate() {
        assert!((got - expected).abs() < 1e-5 * scale, "{what} {i} of {:?}: {got}, not {expected}", spec.kind);
    }
}

#[test]
fn gradients_are_candle_s() {
    for case in Case::all() {
        let expected = case.candle().unwrap();
        for isa in Isa::available() {
            let got = case.gradients(isa);
            for (i, what) in ["input", "kernel", "bias"].into_iter().enumerate() {
                close(&got[i], &expected[i], what, &case.spec);
            }
        }
    }
}

#[test]
fn gradients_are_those_of_finite_differences() {
    const STEP: f32 = 1.0 / 1024.0;
    for case in Case::all().into_iter().filter(|case| case.x.len() < 2000 && case.batch < 30) {
        let gradients = case.gradients(Isa::PORTABLE);
        let scale = gradients.iter().flatten().fold(1f32, |m, x| m.max(x.abs()));
        // A few elements of each, spread over it.
        for (which, gradient) in gradients.iter().enumerate() {
            for i in (0..gradient.len()).step_by(gradient.len().div_ceil(6)) {
                let at = |sign: f32| {
                    let mut values = [case.x.clone(), case.kernel.clone(), case.bias.clone()];
                    values[which][i] += sign * STEP;
                    case.objective(&values[0], &values[1], &values[2])
                };
                let slope = (at(1.0) - at(-1.0)) / f64::from(2.0 * STEP);
                // Where a step crosses a relu's corner the slope is off by at most what crosses.
                let error = (f64::from(gradient[i]) - slope).abs();
                assert!(
                    error < 5e-3 * f64::from(scale),
                    "{which} {i} of {:?}: {} {slope}",
                    case.spec.kind,
                    gradient[i]
                );
            }
        }
    }
}

#[test]
fn every_instruction_set_gives_the_same_bits() {
    for case in Case::all() {
        let (output, gradients) = (case.output(Isa::PORTABLE), case.gradients(Isa::PORTABLE));
        for isa in Isa::available() {
            assert_eq!(case.output(isa), output, "{isa:?} {:?}", case.spec.kind);
            assert_eq!(case.gradients(isa), gradients, "{isa:?} {:?}", case.spec.kind);
        }
    }
}

#[test]
fn more_threads_than_images_give_the_same_bits() {
    for case in Case::all() {
        let mut y = vec![f32::NAN; case.batch * case.spec.output.len()];
        let how = Use { threads: 4 * case.batch, ..case.how(Isa::PORTABLE) };
        let mut layer = build(&case.spec, how).unwrap().unwrap();
        layer.forward(&[&case.kernel, &case.bias], &case.x, &mut y).unwrap();
        assert_eq!(y, case.output(Isa::PORTABLE), "{:?}", case.spec.kind);
    }
}

#[test]
fn the_gradient_is_zero_where_relu_gave_zero() {
    let case = Case::dense(2, 20, 3, Activation::Linear);
    let mut layer = build(&case.spec, case.how(Isa::PORTABLE)).unwrap().unwrap();
    let (mut kernel, mut bias) = (case.kernel.clone(), case.bias.clone());
    let (mut m, mut v, mut bm, mut bv) = (vec![0.0; 60], vec![0.0; 60], vec![0.0; 3], vec![0.0; 3]);
    let mut dx = vec![f32::NAN; 40];
    let mut weights =
        [Trained { w: &mut kernel, m: &mut m, v: &mut v }, Trained { w: &mut bias, m: &mut bm, v: &mut bv }];
    let adam = AdamStep::new(1e-3, 0.9, 0.999, 1e-7, 1);
    layer.backward(&mut weights, Backward { x: &case.x, dz: &case.dy, dx: Some(&mut dx), gated: true, adam }).unwrap();
    assert!(case.x.iter().zip(&dx).all(|(&x, &dx)| (x == 0.0) == (dx == 0.0)));
    assert!(case.x.contains(&0.0));
}

#[test]
fn activations_are_candle_s() {
    use candle_nn::{Activation as Candle, Module};
    type Function = fn(&Tensor) -> candle_core::Result<Tensor>;
    let functions: [(Activation, Function); 5] = [
        (Activation::Sigmoid, |x| Candle::Sigmoid.forward(x)),
        (Activation::Tanh, Tensor::tanh),
        (Activation::Elu, |x| Candle::Elu(1.0).forward(x)),
        (Activation::Gelu, |x| Candle::Gelu.forward(x)),
        (Activation::Swish, |x| Candle::Silu.forward(x)),
    ];
    let x: Vec<f32> = numbers(1, 10_000).into_iter().map(|x| 6.0 * x).collect();
    let dy = numbers(2, x.len());
    for (activation, function) in functions {
        let mut layer = build_activation(activation).unwrap();
        let (mut y, mut dx) = (vec![f32::NAN; x.len()], vec![f32::NAN; x.len()]);
        layer.forward(&[], &x, &mut y).unwrap();
        let adam = AdamStep::new(1e-3, 0.9, 0.999, 1e-7, 1);
        layer.backward(&mut [], Backward { x: &x, dz: &dy, dx: Some(&mut dx), gated: false, adam }).unwrap();

        let input = Var::from_vec(x.clone(), x.len(), &Device::Cpu).unwrap();
        let output = function(&input).unwrap();
        let weighted = (&output * Tensor::from_vec(dy.clone(), x.len(), &Device::Cpu).unwrap()).unwrap();
        let gradients = weighted.sum_all().unwrap().backward().unwrap();
        let expected = [output.to_vec1::<f32>().unwrap(), gradients.get(&input).unwrap().to_vec1().unwrap()];
        for (got, expected) in [&y, &dx].into_iter().zip(&expected) {
            for ((got, expected), x) in got.iter().zip(expected).zip(&x) {
                assert!((got - expected).abs() < 3e-6, "{activation:?} at {x}: {got}, not {expected}");
            }
        }
    }
}
