//! Every layer against finite differences, against candle's autograd where it has the layer, and against itself on other
//! instruction sets and numbers of threads. Keras's own numbers are in `tests/keras.rs`.

use super::*;
use crate::json::{self, Named, Object};
use crate::kernels::numbers;
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

/// The gradients to input, kernel and bias by candle, of a plain convolution or a dense layer.
fn candle(case: &Case) -> Option<Vec<Vec<f32>>> {
    let config = case.layer.config();
    let plain = |key: &str, value: &str| config.get(key).is_none_or(|found| found.to_string() == value);
    if !["Conv2D", "Dense"].contains(&case.layer.class())
        || !(plain("strides", "[1,1]")
            && plain("padding", "\"valid\"")
            && plain("dilation_rate", "[1,1]")
            && plain("groups", "1"))
    {
        return None;
    }
    let gradients = || -> candle_core::Result<Vec<Vec<f32>>> {
        let tensor = |values: &[f32], dims: &[usize]| Var::from_vec(values.to_vec(), dims, &Device::Cpu);
        let dims = |shape: &Shape| [&[case.batch], shape.dims()].concat();
        let shapes: Vec<&Shape> = case.inputs.iter().collect();
        let parameters = case.layer.parameters(&shapes);
        let (x, w) = (tensor(&case.x[0], &dims(&case.inputs[0]))?, tensor(&case.weights[0], &parameters[0].shape)?);
        let z = match case.layer.class() {
            "Conv2D" => {
                // candle has [N, C, H, W] and [F, C, k, k].
                let (x, w) = (x.permute((0, 3, 1, 2))?.contiguous()?, w.permute((3, 2, 0, 1))?.contiguous()?);
                x.conv2d(&w, 0, 1, 1, 1)?.permute((0, 2, 3, 1))?
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

#[test]
fn the_gradient_is_zero_where_relu_gave_zero() {
    for case in [
        Case::new(2, "Dense", "{units: 3}", &[&[20]]).after_relu(),
        Case::new(2, "Conv2D", "{filters: 3, kernel_size: 2}", &[&[5, 4, 3]]).after_relu(),
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
        let (x, y) = ([&case.x[0][..]], vec![0.0; case.dy.len()]);
        let mut dx = vec![f32::NAN; case.x[0].len()];
        let mut weights: Vec<Weight<'_>> = w.iter_mut().map(|w| Weight { w, update: None }).collect();
        let pass = Pass { x: &x, y: &y, dz: &case.dy, dx: &mut [Some(&mut dx)], gated: true };
        work.backward(&Step { seed: 0, number: 0 }, &mut weights, pass).unwrap();
        assert!(case.x[0].iter().zip(&dx).all(|(&x, &dx)| (x == 0.0) == (dx == 0.0)), "{}", case.text);
        assert!(case.x[0].contains(&0.0) && w == case.weights, "a frozen layer stays as it is");
    }
}
