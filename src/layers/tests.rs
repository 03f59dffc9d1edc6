//! Every layer against finite differences, against candle's autograd where it has the layer, and against itself on other
//! instruction sets and numbers of threads. Keras's own numbers are in `tests/keras.rs`.

use super::*;
use crate::json::{self, Named, Object};
use crate::kernels::numbers;
use crate::kernels::window::{Axis, Padding};
use candle_core::{Device, Tensor, Var};

/// A layer with numbers in it.
struct Case {
    layer: std::sync::Arc<dyn Layer>,
    batch: usize,
    inputs: Vec<Shape>,
    output: Shape,
    x: Vec<Vec<f32>>,
    weights: Vec<Vec<f32>>,
    roles: Vec<Role>,
    /// The gradient to the layer's output, before its activation.
    dy: Vec<f32>,
    text: String,
}

/// What a layer gives, and the gradients to its inputs and its trainable parameters.
#[derive(Debug, PartialEq)]
struct Passes {
    y: Vec<f32>,
    dx: Vec<Vec<f32>>,
    dw: Vec<Vec<f32>>,
}

impl Case {
    fn new(batch: usize, class: &str, config: &str, inputs: &[&[usize]]) -> Self {
        let value = json::parse(config).unwrap();
        let object = Object::root(&value).unwrap();
        let entry = entry(&Named::of(class, object.clone(), String::new())).unwrap();
        let layer = read(entry, &object).unwrap();
        let inputs: Vec<Shape> = inputs.iter().map(|dims| Shape::new(dims).unwrap()).collect();
        let shapes: Vec<&Shape> = inputs.iter().collect();
        let output = layer.output(&shapes).unwrap();
        let parameters = layer.parameters(&shapes);
        // Not on a corner of relu or a maximum: numbers that differ.
        let x = (1..).zip(&inputs).map(|(seed, shape)| numbers(seed, batch * shape.len())).collect();
        let weight = |(seed, parameter): (u64, &Parameter)| {
            let len = parameter.shape.iter().product();
            // A moving variance is above 0.
            numbers(10 + seed, len)
                .into_iter()
                .map(|w| if parameter.role == Role::State { w + 2.0 } else { w })
                .collect()
        };
        Case {
            weights: (0..).zip(&parameters).map(weight).collect(),
            roles: parameters.iter().map(|parameter| parameter.role).collect(),
            dy: numbers(99, batch * output.len()),
            text: format!("{class} {config} {inputs:?}"),
            layer,
            batch,
            inputs,
            output,
            x,
        }
    }

    /// As if out of relu: a third of the inputs is exactly 0.
    fn after_relu(mut self) -> Self {
        self.x.iter_mut().flatten().for_each(|x| *x = (*x + 0.3).max(0.0));
        self
    }

    /// With a gradient of which three quarters are zero.
    fn thinned(mut self) -> Self {
        for (dy, chance) in self.dy.iter_mut().zip(numbers(5, self.batch * self.output.len())) {
            *dy = if chance < -0.5 { *dy } else { 0.0 };
        }
        self
    }

    fn all() -> Vec<Self> {
        [Case::simple(), Case::convolutions(), Case::other_convolutions()].into_iter().flatten().collect()
    }

    fn simple() -> Vec<Self> {
        let conv = |batch, config: &str, input: [usize; 3]| Case::new(batch, "Conv2D", config, &[&input]).after_relu();
        let dense = |batch, config: &str, input: &[usize]| Case::new(batch, "Dense", config, &[input]).after_relu();
        vec![
            conv(1, "{filters: 1, kernel_size: 1}", [1, 1, 1]),
            conv(1, "{filters: 7, kernel_size: 1}", [1, 1, 3]),
            conv(2, "{filters: 7, kernel_size: 5}", [5, 9, 3]),
            conv(3, "{filters: 16, kernel_size: 3, use_bias: false}", [7, 6, 2]),
            conv(33, "{filters: 32, kernel_size: 2}", [4, 5, 1]),
            // With 16 channels each backward pass has two roads: one of them both ways, then the other, then one each.
            conv(5, "{filters: 48, kernel_size: 3}", [8, 20, 16]),
            conv(5, "{filters: 48, kernel_size: 3}", [8, 20, 16]).thinned(),
            conv(34, "{filters: 20, kernel_size: 5}", [6, 5, 32]).thinned(),
            dense(1, "{units: 1}", &[1]),
            dense(1, "{units: 10}", &[7]),
            dense(3, "{units: 5, use_bias: false}", &[800]),
            dense(32, "{units: 33}", &[49]),
            dense(40, "{units: 16}", &[1600]),
            dense(3, "{units: 4}", &[5, 6, 7]),
            Case::new(2, "ReLU", "{max_value: 0.6, negative_slope: 0.1, threshold: 0.2}", &[&[3, 4, 5]]),
        ]
    }

    /// `Conv2D` with strides, padding, dilation and groups.
    fn convolutions() -> Vec<Self> {
        let conv = |batch, config: &str, input: [usize; 3]| Case::new(batch, "Conv2D", config, &[&input]).after_relu();
        let mut all = vec![
            conv(1, "{filters: 5, kernel_size: 3, padding: 'same'}", [1, 1, 3]),
            conv(3, "{filters: 4, kernel_size: [2, 5], padding: 'SAME', strides: [2, 3]}", [5, 8, 3]),
            conv(2, "{filters: 3, kernel_size: [3, 1]}", [6, 4, 2]),
            conv(2, "{filters: 3, kernel_size: 5, padding: 'same', use_bias: false}", [2, 3, 2]),
            conv(2, "{filters: 3, kernel_size: 2, strides: 4}", [4, 5, 2]),
            conv(2, "{filters: 3, kernel_size: 2, strides: 18446744073709551615}", [4, 5, 2]),
            conv(2, "{filters: 3, kernel_size: 2, strides: 5, padding: 'same'}", [3, 4, 2]),
            conv(2, "{filters: 17, kernel_size: 3, dilation_rate: 2}", [7, 8, 3]),
            conv(3, "{filters: 4, kernel_size: [2, 3], dilation_rate: [1, 3], padding: 'same'}", [5, 9, 2]),
            conv(2, "{filters: 2, kernel_size: 3, dilation_rate: 9, padding: 'same'}", [3, 4, 2]),
            conv(2, "{filters: 2, kernel_size: [1, 3], dilation_rate: [18446744073709551615, 1]}", [3, 4, 2]),
            conv(2, "{filters: 6, kernel_size: 3, groups: 2}", [5, 6, 4]),
            conv(3, "{filters: 33, kernel_size: 3, groups: 3, padding: 'same', strides: 2}", [5, 6, 6]),
            conv(2, "{filters: 34, kernel_size: 2, groups: 17, dilation_rate: 2}", [4, 5, 17]),
            conv(2, "{filters: 32, kernel_size: 3, groups: 2, padding: 'same'}", [4, 4, 32]),
            // Of one pixel: as a dense layer for each.
            conv(33, "{filters: 17, kernel_size: 1}", [3, 2, 33]),
            conv(3, "{filters: 17, kernel_size: 1, strides: 2}", [5, 5, 16]),
            conv(3, "{filters: 33, kernel_size: 1, padding: 'same'}", [3, 5, 16]).thinned(),
            conv(2, "{filters: 8, kernel_size: 1, groups: 2}", [3, 5, 4]),
            // Winograd's filtering; leaving zeros out; one after the other.
            conv(5, "{filters: 16, kernel_size: 3, padding: 'same'}", [6, 7, 16]),
            conv(2, "{filters: 20, kernel_size: 3, padding: 'same'}", [5, 4, 17]),
            conv(5, "{filters: 48, kernel_size: 3, padding: 'same'}", [8, 20, 16]).thinned(),
            conv(34, "{filters: 20, kernel_size: 5, padding: 'same'}", [6, 5, 32]).thinned(),
            conv(3, "{filters: 4, kernel_size: [2, 4], padding: 'same'}", [5, 4, 16]).thinned(),
            conv(34, "{filters: 3, kernel_size: 2, padding: 'same', strides: 2}", [3, 5, 1]),
        ];
        // Every remainder.
        for (size, kernel) in [(4, 2), (4, 3), (5, 2), (5, 3), (6, 2), (6, 3), (6, 4)] {
            for (stride, padding) in [(2, "valid"), (3, "valid"), (1, "same"), (2, "same"), (3, "same")] {
                let config = format!("{{filters: 3, kernel_size: {kernel}, strides: {stride}, padding: '{padding}'}}");
                all.push(conv(2, &config, [size, size + 1, 2]));
            }
        }
        all
    }

    /// The other layers of the kind.
    fn other_convolutions() -> Vec<Self> {
        let case = |class: &'static str| {
            move |batch, config: &str, input: &[usize]| Case::new(batch, class, config, &[input]).after_relu()
        };
        let (row, depthwise) = (case("Conv1D"), case("DepthwiseConv2D"));
        let (separable, transpose) = (case("SeparableConv2D"), case("Conv2DTranspose"));
        vec![
            row(1, "{filters: 1, kernel_size: 1}", &[1, 1]),
            row(33, "{filters: 5, kernel_size: [3]}", &[9, 3]),
            row(2, "{filters: 4, kernel_size: 4, strides: 2, padding: 'same', use_bias: false}", &[9, 3]),
            row(3, "{filters: 17, kernel_size: 3, padding: 'causal'}", &[8, 33]),
            row(2, "{filters: 3, kernel_size: 2, padding: 'causal', dilation_rate: 3}", &[8, 2]),
            row(2, "{filters: 3, kernel_size: 4, padding: 'causal', strides: 3}", &[8, 2]),
            row(2, "{filters: 3, kernel_size: 3, padding: 'causal'}", &[1, 2]),
            row(2, "{filters: 4, kernel_size: 3, groups: 2, dilation_rate: 2}", &[7, 4]),
            row(2, "{filters: 3, kernel_size: 2, strides: 5}", &[8, 2]),
            row(4, "{filters: 20, kernel_size: 3, padding: 'causal'}", &[20, 16]).thinned(),
            depthwise(1, "{kernel_size: 1}", &[1, 1, 1]),
            depthwise(1, "{kernel_size: 3, padding: 'same', depth_multiplier: 3}", &[1, 1, 3]),
            depthwise(33, "{kernel_size: 3}", &[4, 5, 3]),
            depthwise(2, "{kernel_size: 3, padding: 'same'}", &[5, 9, 33]),
            depthwise(2, "{kernel_size: [2, 3], padding: 'same', use_bias: false}", &[7, 6, 17]),
            depthwise(3, "{kernel_size: 3, strides: 2, padding: 'same', depth_multiplier: 2}", &[7, 6, 16]),
            depthwise(2, "{kernel_size: 2, strides: 3}", &[7, 8, 3]),
            depthwise(2, "{kernel_size: 2, strides: 9, padding: 'same'}", &[7, 8, 3]),
            depthwise(2, "{kernel_size: 3, dilation_rate: 2, padding: 'same'}", &[7, 4, 2]),
            depthwise(2, "{kernel_size: 3, dilation_rate: 2, strides: [2, 3], padding: 'same'}", &[7, 8, 2]),
            separable(1, "{filters: 1, kernel_size: 1}", &[1, 1, 1]),
            separable(33, "{filters: 4, kernel_size: 3}", &[4, 5, 3]),
            separable(2, "{filters: 17, kernel_size: 3, depth_multiplier: 2, padding: 'same'}", &[5, 6, 16]),
            separable(2, "{filters: 4, kernel_size: 2, strides: 2, padding: 'same', use_bias: false}", &[7, 6, 3]),
            separable(2, "{filters: 3, kernel_size: [3, 2], dilation_rate: 2}", &[7, 7, 2]),
            separable(3, "{filters: 33, kernel_size: 3, padding: 'same'}", &[5, 6, 16]).thinned(),
            transpose(1, "{filters: 1, kernel_size: 1}", &[1, 1, 1]),
            transpose(33, "{filters: 2, kernel_size: 3, strides: 2}", &[1, 1, 3]),
            transpose(2, "{filters: 3, kernel_size: 3, padding: 'same'}", &[3, 4, 17]),
            transpose(2, "{filters: 3, kernel_size: 3, strides: 2, padding: 'same'}", &[3, 4, 2]),
            transpose(2, "{filters: 17, kernel_size: 2, strides: 2, use_bias: false}", &[3, 2, 3]),
            transpose(2, "{filters: 2, kernel_size: 1, strides: 3}", &[3, 2, 2]),
            transpose(2, "{filters: 2, kernel_size: [4, 2], strides: [1, 3], padding: 'same'}", &[3, 4, 2]),
            transpose(2, "{filters: 2, kernel_size: 3, strides: 2, output_padding: 1}", &[3, 4, 2]),
            transpose(
                2,
                "{filters: 2, kernel_size: 3, strides: 3, output_padding: [2, 0], padding: 'same'}",
                &[3, 4, 2],
            ),
            transpose(2, "{filters: 3, kernel_size: 3, dilation_rate: 2}", &[3, 4, 2]),
            transpose(2, "{filters: 3, kernel_size: [3, 2], dilation_rate: [2, 1], padding: 'same'}", &[5, 4, 2]),
            // Winograd's filtering both ways; leaving zeros out.
            transpose(2, "{filters: 16, kernel_size: 3, padding: 'same'}", &[5, 6, 17]),
            transpose(2, "{filters: 32, kernel_size: 3}", &[4, 5, 16]),
            transpose(2, "{filters: 16, kernel_size: 2, padding: 'same'}", &[4, 5, 3]).with_few_inputs(),
        ]
    }

    /// As if out of a relu that let one in four through.
    fn with_few_inputs(mut self) -> Self {
        self.x.iter_mut().flatten().for_each(|x| *x = (*x - 0.5).max(0.0));
        self
    }

    fn passes(&self, isa: Isa, threads: usize) -> Passes {
        let shapes: Vec<&Shape> = self.inputs.iter().collect();
        let gradients = vec![true; shapes.len()];
        let site = Site {
            inputs: &shapes,
            output: &self.output,
            isa,
            threads,
            batch: self.batch,
            training: true,
            trainable: true,
            gradients: &gradients,
            relu: false,
            number: 3,
        };
        let step = Step { seed: 7, number: 11 };
        let mut work = self.layer.build(&site).unwrap();
        let mut y = vec![f32::NAN; self.batch * self.output.len()];
        let x: Vec<&[f32]> = self.x.iter().map(Vec::as_slice).collect();
        let weights: Vec<&[f32]> = self.weights.iter().map(Vec::as_slice).collect();
        let mut changed = self.weights.clone();
        let mut dw: Vec<Vec<f32>> = self.weights.iter().map(|w| vec![0.0; w.len()]).collect();
        let mut dx: Vec<Vec<f32>> = self.x.iter().map(|x| vec![f32::NAN; x.len()]).collect();
        work.forward(&step, &weights, &x, &mut y).unwrap();
        let all = changed.iter_mut().zip(&mut dw).zip(&self.roles);
        let mut learned: Vec<Weight<'_>> = all
            .map(|((w, gradient), role)| Weight {
                w,
                update: (*role == Role::Trainable).then_some(Update::Store { gradient, add: false }),
            })
            .collect();
        let mut to: Vec<Option<&mut [f32]>> = dx.iter_mut().map(|dx| Some(&mut dx[..])).collect();
        let pass = Pass { x: &x, y: &y, dz: &self.dy, dx: &mut to, gated: false };
        work.backward(&step, &mut learned, pass).unwrap();
        drop(learned);
        assert!(changed == self.weights, "{}: a gradient that is stored changes no weight", self.text);
        let dw = dw.into_iter().zip(&self.roles).filter(|(_, role)| **role == Role::Trainable).map(|(dw, _)| dw);
        Passes { y, dx, dw: dw.collect() }
    }

    /// `sum(y * dy)` in double precision, of a forward pass in single.
    fn objective(&self) -> f64 {
        let y = self.passes(Isa::PORTABLE, 1).y;
        y.iter().zip(&self.dy).map(|(&y, &dy)| f64::from(y) * f64::from(dy)).sum()
    }
}

fn close(got: &[f32], expected: &[f32], tolerance: f32, what: &str) {
    assert_eq!(got.len(), expected.len());
    let scale = expected.iter().fold(1f32, |m, x| m.max(x.abs()));
    for (i, (got, expected)) in got.iter().zip(expected).enumerate() {
        assert!((got - expected).abs() < tolerance * scale, "{what}, element {i}: {got}, not {expected}");
    }
}

#[test]
fn gradients_are_those_of_finite_differences() {
    const STEP: f32 = 1.0 / 64.0;
    for mut case in Case::all().into_iter().filter(|case| case.batch * case.output.len() < 3000) {
        let Passes { dx, dw, .. } = case.passes(Isa::PORTABLE, 1);
        let trainable: Vec<usize> = (0..case.roles.len()).filter(|&i| case.roles[i] == Role::Trainable).collect();
        let scale = dx.iter().chain(&dw).flatten().fold(1f32, |m, x| m.max(x.abs()));
        // A few elements of each, spread over it.
        for (which, gradient) in dx.iter().chain(&dw).enumerate() {
            for i in (0..gradient.len()).step_by(gradient.len().div_ceil(6)) {
                let at = |case: &mut Case, sign: f32| {
                    let values = match which.checked_sub(dx.len()) {
                        None => &mut case.x[which],
                        Some(parameter) => &mut case.weights[trainable[parameter]],
                    };
                    let before = values[i];
                    values[i] += sign * STEP;
                    let found = case.objective();
                    match which.checked_sub(dx.len()) {
                        None => case.x[which][i] = before,
                        Some(parameter) => case.weights[trainable[parameter]][i] = before,
                    }
                    found
                };
                let slope = (at(&mut case, 1.0) - at(&mut case, -1.0)) / f64::from(2.0 * STEP);
                let error = (f64::from(gradient[i]) - slope).abs();
                assert!(error < 2e-2 * f64::from(scale), "{which} {i} of {}: {} {slope}", case.text, gradient[i]);
            }
        }
    }
}

#[test]
fn every_instruction_set_and_number_of_threads_gives_the_same_bits() {
    let bits = |passes: &Passes| -> Vec<u32> {
        let all = std::iter::once(&passes.y).chain(&passes.dx).chain(&passes.dw);
        all.flatten().map(|x| x.to_bits()).collect()
    };
    for case in Case::all() {
        let portable = bits(&case.passes(Isa::PORTABLE, 1));
        for isa in Isa::available() {
            assert_eq!(bits(&case.passes(isa, 1)), portable, "{isa:?} {}", case.text);
        }
        for threads in [2, 3, 4 * case.batch] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let found = pool.install(|| bits(&case.passes(Isa::PORTABLE, threads)));
            assert_eq!(found, portable, "{threads} threads, {}", case.text);
        }
    }
}

#[test]
fn gradients_are_candle_s() {
    for case in Case::all() {
        let Some(expected) = candle(&case) else { continue };
        for isa in Isa::available() {
            let got = case.passes(isa, 1);
            for (i, (got, expected)) in got.dx.iter().chain(&got.dw).zip(&expected).enumerate() {
                close(got, expected, 1e-5, &format!("{i} of {}", case.text));
            }
        }
    }
}

/// The gradients to input, kernel and bias by candle, of a dense layer or of a convolution that it can do.
fn candle(case: &Case) -> Option<Vec<Vec<f32>>> {
    let axes = match case.layer.class() {
        "Dense" => None,
        "Conv2D" => Some(candle_axes(case)?),
        _ => return None,
    };
    let gradients = || -> candle_core::Result<Vec<Vec<f32>>> {
        let tensor = |values: &[f32], dims: &[usize]| Var::from_vec(values.to_vec(), dims, &Device::Cpu);
        let dims = |shape: &Shape| [&[case.batch], shape.dims()].concat();
        let shapes: Vec<&Shape> = case.inputs.iter().collect();
        let parameters = case.layer.parameters(&shapes);
        let (x, w) = (tensor(&case.x[0], &dims(&case.inputs[0]))?, tensor(&case.weights[0], &parameters[0].shape)?);
        let z = match case.layer.class() {
            "Conv2D" => {
                // candle has [N, C, H, W] and [F, C, k, k].
                let (mut x, w) = (x.permute((0, 3, 1, 2))?.contiguous()?, w.permute((3, 2, 0, 1))?.contiguous()?);
                let axes = axes.iter().flatten().enumerate();
                for (i, axis) in axes.clone() {
                    x = x.pad_with_zeros(2 + i, axis.before, axis.after)?;
                }
                let groups = case.inputs[0].dims()[2] / parameters[0].shape[2];
                let (stride, dilation) = axes.last().map_or((1, 1), |(_, axis)| (axis.stride, axis.dilation));
                x.conv2d(&w, 0, stride, dilation, groups)?.permute((0, 2, 3, 1))?
            }
            _ => x.broadcast_matmul(&w)?,
        };
        let bias = case.weights.get(1).map(|bias| tensor(bias, &parameters[1].shape)).transpose()?;
        let y = match &bias {
            Some(bias) => z.broadcast_add(bias)?,
            None => z,
        };
        let dy = Tensor::from_vec(case.dy.clone(), dims(&case.output), &Device::Cpu)?;
        let gradients = (y * dy)?.sum_all()?.backward()?;
        let values = |var: &Var| gradients.get(var).expect("a gradient").flatten_all()?.to_vec1();
        [Some(&x), Some(&w), bias.as_ref()].into_iter().flatten().map(values).collect()
    };
    Some(gradients().unwrap())
}

/// The windows of a convolution, where both axes have one stride, one dilation, and leave as much of the input over: candle's
/// way back knows but one number for both.
fn candle_axes(case: &Case) -> Option<[Axis; 2]> {
    let config = case.layer.config();
    let axis = |i: usize| {
        let number = |key: &str| usize::try_from(config[key][i].as_u64()?).ok();
        let padding = if config["padding"] == "same" { Padding::Same } else { Padding::Valid };
        let [size, stride, dilation] = [number("kernel_size")?, number("strides")?, number("dilation_rate")?];
        Axis::new(case.inputs[0].dims()[i], size, stride, dilation, padding)
    };
    let axes = [axis(0)?, axis(1)?];
    let same = |what: &dyn Fn(&Axis) -> usize| what(&axes[0]) == what(&axes[1]);
    let over = |axis: &Axis| axis.padded() - (axis.output() - 1) * axis.stride - axis.span();
    (same(&|axis| axis.stride) && same(&|axis| axis.dilation) && same(&over)).then_some(axes)
}

#[test]
fn the_gradient_is_zero_where_relu_gave_zero() {
    let case = |class: &str, config: &str, input: &[usize]| Case::new(2, class, config, &[input]).after_relu();
    for case in [
        case("Dense", "{units: 3}", &[20]),
        case("Conv2D", "{filters: 3, kernel_size: 2}", &[5, 4, 3]),
        case("Conv2D", "{filters: 3, kernel_size: 3, strides: 2, padding: 'same'}", &[5, 4, 3]),
        case("Conv2D", "{filters: 16, kernel_size: 3, padding: 'same'}", &[5, 4, 16]),
        case("Conv2D", "{filters: 16, kernel_size: 3, padding: 'same'}", &[5, 4, 16]).thinned(),
        case("Conv2D", "{filters: 16, kernel_size: 3}", &[5, 4, 16]).thinned(),
        case("Conv1D", "{filters: 3, kernel_size: 2, padding: 'causal'}", &[5, 3]),
        case("DepthwiseConv2D", "{kernel_size: 3, padding: 'same'}", &[5, 4, 17]),
        case("DepthwiseConv2D", "{kernel_size: 2, depth_multiplier: 2, strides: 2}", &[5, 4, 3]),
        case("SeparableConv2D", "{filters: 3, kernel_size: 2}", &[5, 4, 3]),
        case("Conv2DTranspose", "{filters: 3, kernel_size: 2, strides: 2}", &[5, 4, 3]),
        case("Conv2DTranspose", "{filters: 16, kernel_size: 3, padding: 'same'}", &[5, 4, 16]),
    ] {
        let shapes: Vec<&Shape> = case.inputs.iter().collect();
        let site = Site {
            inputs: &shapes,
            output: &case.output,
            isa: Isa::PORTABLE,
            threads: 1,
            batch: case.batch,
            training: true,
            trainable: false,
            gradients: &[true],
            relu: false,
            number: 0,
        };
        let mut work = case.layer.build(&site).unwrap();
        assert!(work.gates());
        let mut w = case.weights.clone();
        let (step, x, mut y) = (Step { seed: 0, number: 0 }, [&case.x[0][..]], vec![0.0; case.dy.len()]);
        work.forward(&step, &case.weights.iter().map(|w| &w[..]).collect::<Vec<_>>(), &x, &mut y).unwrap();
        let mut dx = vec![f32::NAN; case.x[0].len()];
        let mut weights: Vec<Weight<'_>> = w.iter_mut().map(|w| Weight { w, update: None }).collect();
        let pass = Pass { x: &x, y: &y, dz: &case.dy, dx: &mut [Some(&mut dx)], gated: true };
        work.backward(&step, &mut weights, pass).unwrap();
        let open = case.passes(Isa::PORTABLE, 1).dx.remove(0);
        let expected: Vec<f32> = x[0].iter().zip(open).map(|(&x, dx)| if x > 0.0 { dx } else { 0.0 }).collect();
        assert_eq!(dx, expected, "{}", case.text);
        assert!(case.x[0].contains(&0.0) && w == case.weights, "a frozen layer stays as it is");
    }
}

#[test]
fn a_relu_that_is_taken_over_is_a_relu() {
    for case in Case::all().into_iter().filter(|case| case.layer.fuses_relu()) {
        let shapes: Vec<&Shape> = case.inputs.iter().collect();
        let site = Site {
            inputs: &shapes,
            output: &case.output,
            isa: Isa::PORTABLE,
            threads: 1,
            batch: case.batch,
            training: false,
            trainable: true,
            gradients: &[false],
            relu: true,
            number: 0,
        };
        let (step, mut y) = (Step { seed: 0, number: 0 }, vec![f32::NAN; case.dy.len()]);
        let [x, weights] = [&case.x, &case.weights].map(|all| all.iter().map(|x| &x[..]).collect::<Vec<_>>());
        case.layer.build(&site).unwrap().forward(&step, &weights, &x, &mut y).unwrap();
        let expected: Vec<f32> = case.passes(Isa::PORTABLE, 1).y.into_iter().map(|y| y.max(0.0)).collect();
        assert_eq!(y, expected, "{}", case.text);
    }
}

#[test]
fn a_config_comes_back_from_what_it_writes() {
    for case in Case::all() {
        let config = serde_json::Value::Object(case.layer.config());
        let object = Object::root(&config).unwrap();
        let entry = entry(&Named::of(case.layer.class(), object.clone(), String::new())).unwrap();
        let again = read(entry, &object).unwrap_or_else(|error| panic!("{}: {error}", case.text));
        assert_eq!(serde_json::Value::Object(again.config()), config);
        assert!(config.as_object().unwrap().keys().all(|key| entry.keys.contains(&key.as_str())), "{}", case.text);
    }
}

#[test]
fn windows_that_do_not_fit_are_refused() {
    let message = |class: &str, config: &str, input: &[usize]| {
        let value = json::parse(config).unwrap();
        let object = Object::root(&value).unwrap();
        let layer = read(entry(&Named::of(class, object.clone(), String::new())).unwrap(), &object);
        let input = Shape::new(input).unwrap();
        layer.and_then(|layer| layer.output(&[&input])).unwrap_err().to_string()
    };
    let image = [5, 6, 4];
    for (class, config, expected) in [
        (
            "Conv2D",
            "{filters: 2, kernel_size: 3, strides: [1, 2], dilation_rate: [2, 1]}",
            "key dilation_rate: strides",
        ),
        ("Conv2DTranspose", "{filters: 2, kernel_size: 3, strides: 2, dilation_rate: 2}", "key dilation_rate: strides"),
        ("Conv2D", "{filters: 2, kernel_size: 3, dilation_rate: 3}", "does not fit its input"),
        (
            "Conv2D",
            "{filters: 2, kernel_size: 3, dilation_rate: 9223372036854775807, padding: 'same'}",
            "too many elements",
        ),
        ("Conv2D", "{filters: 2, kernel_size: [1, 6148914691236517206], padding: 'same'}", "too many elements"),
        ("Conv2D", "{filters: 2, kernel_size: 3, groups: 3}", "channels of the input are not divided by the groups"),
        ("Conv2D", "{filters: 6, kernel_size: 3, groups: 4}", "filters are not divided by the groups"),
        ("Conv2D", "{filters: 6, kernel_size: 3, padding: 'causal'}", "expected valid or same"),
        ("Conv1D", "{filters: 6, kernel_size: 3}", "expected [steps, channels]"),
        (
            "DepthwiseConv2D",
            "{kernel_size: 3, strides: [1, 2]}",
            "key strides: a depthwise convolution whose strides differ",
        ),
        ("DepthwiseConv2D", "{kernel_size: 3, depth_multiplier: 18446744073709551615}", "too many elements"),
        ("DepthwiseConv2D", "{kernel_size: 7}", "does not fit its input"),
        ("SeparableConv2D", "{filters: 1, kernel_size: 7}", "does not fit its input"),
        ("SeparableConv2D", "{filters: 1, kernel_size: 1, depth_multiplier: 4294967296}", "too many elements"),
        ("Conv2DTranspose", "{filters: 2, kernel_size: 3, output_padding: 1}", "key output_padding: wrong value"),
        (
            "Conv2DTranspose",
            "{filters: 2, kernel_size: 2, strides: 2, output_padding: 0, padding: 'same'}",
            "no output has",
        ),
        ("Conv2DTranspose", "{filters: 2, kernel_size: 2, strides: 9223372036854775807}", "no output has"),
        ("Conv2DTranspose", "{filters: 2, kernel_size: 2, strides: 4294967296}", "too many elements"),
        ("Conv2DTranspose", "{filters: 2, kernel_size: 4294967296}", "too many elements"),
    ] {
        let found = message(class, config, &image);
        assert!(found.contains(expected), "{class} {config}: {found}");
    }
    assert!(
        message("Conv1D", "{filters: 6, kernel_size: 3, dilation_rate: 2, padding: 'cause'}", &[3, 1])
            .contains("expected valid or same or causal")
    );
}
