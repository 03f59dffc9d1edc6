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

    /// With inputs that are at least a sixteenth apart from each other, as far as they meet: no step of a test makes another
    /// of them the greatest.
    fn spread(mut self) -> Self {
        for (input, x) in self.x.iter_mut().enumerate() {
            let count = x.len();
            // A prime that does not divide the count goes through all of its numbers.
            let step = [97, 89, 83].into_iter().find(|step| count % step != 0).unwrap_or(1);
            for (i, x) in x.iter_mut().enumerate() {
                *x = ((i * step + input * 5) % count) as f32 / 8.0 - count as f32 / 16.0 + input as f32 / 16.0;
            }
        }
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
        .into_iter()
        .chain(Case::pools())
        .chain(Case::merges())
        .chain(Case::normalizations())
        .chain(Case::others())
        .collect()
    }

    fn pools() -> Vec<Self> {
        let pool =
            |batch, class: &str, config: &str, input: &[usize]| Case::new(batch, class, config, &[input]).spread();
        let mut all = vec![
            pool(33, "MaxPooling2D", "{}", &[4, 4, 1]),
            pool(2, "MaxPooling2D", "{padding: 'same'}", &[26, 27, 16]),
            pool(1, "AveragePooling2D", "{}", &[2, 2, 33]),
            pool(2, "GlobalMaxPooling1D", "{}", &[5, 17]),
            pool(33, "GlobalAveragePooling1D", "{keepdims: true}", &[1, 1]),
            pool(2, "GlobalMaxPooling2D", "{keepdims: true}", &[4, 3, 33]),
            pool(3, "GlobalAveragePooling2D", "{}", &[5, 3, 16]),
            pool(2, "MaxPooling1D", "{pool_size: 3, strides: 2}", &[8, 3]),
            pool(2, "AveragePooling1D", "{strides: 5, padding: 'same'}", &[9, 17]),
        ];
        for class in ["MaxPooling2D", "AveragePooling2D"] {
            all.push(pool(1, class, "{pool_size: 1}", &[1, 1, 3]));
            all.push(pool(2, class, "{pool_size: [3, 2], strides: [5, 4]}", &[4, 5, 3]));
            for remainder in 0..3 {
                let config = "{pool_size: 2, strides: 3, padding: 'same'}";
                all.push(pool(2, class, config, &[6 + remainder, 8 - remainder, 3]));
                let config = "{pool_size: [4, 3], strides: [3, 1], padding: 'same'}";
                all.push(pool(1, class, config, &[5 + remainder, 4, 1]));
            }
        }
        all
    }

    fn merges() -> Vec<Self> {
        let mut all = Vec::new();
        for class in ["Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"] {
            all.push(Case::new(3, class, "{}", &[&[5, 3, 17], &[5, 3, 17]]).spread());
            all.push(Case::new(33, class, "{}", &[&[2, 3], &[1, 3]]).spread());
            if class != "Subtract" {
                all.push(Case::new(2, class, "{}", &[&[3, 1, 2], &[3, 4, 2], &[2]]).spread());
            }
        }
        all.push(Case::new(33, "Concatenate", "{}", &[&[2, 3, 1], &[2, 3, 16], &[2, 3, 3]]));
        all.push(Case::new(2, "Concatenate", "{axis: 1}", &[&[2, 3], &[1, 3]]));
        all.push(Case::new(1, "Concatenate", "{axis: -2}", &[&[2, 40, 33], &[2, 80, 33]]));
        all
    }

    fn normalizations() -> Vec<Self> {
        let case = |batch, class: &str, config: &str, input: &[usize]| Case::new(batch, class, config, &[input]);
        let (batch, layer, group) = ("BatchNormalization", "LayerNormalization", "GroupNormalization");
        vec![
            case(33, batch, "{}", &[3]),
            case(5, batch, "{center: false, epsilon: 0.1}", &[1, 1, 17]),
            case(4, batch, "{scale: false}", &[3, 2, 1]),
            case(1, batch, "{}", &[5, 4, 16]),
            case(70, batch, "{scale: false, center: false}", &[2, 3, 3]),
            case(6, batch, "{axis: 1}", &[3, 2, 5]),
            case(40, batch, "{}", &[8, 8, 33]),
            case(1, layer, "{}", &[3]),
            case(33, layer, "{epsilon: 0.1}", &[2, 17]),
            case(3, layer, "{scale: false}", &[2, 3, 16]),
            case(2, layer, "{axis: [1, 2], center: false}", &[5, 3]),
            case(3, layer, "{axis: 1}", &[4, 3, 2]),
            case(2, group, "{groups: 1}", &[3, 2, 3]),
            case(33, group, "{groups: 8}", &[2, 2, 16]),
            case(3, group, "{groups: -1, scale: false, center: false}", &[3, 4, 3]),
            case(2, group, "{groups: 3}", &[33]),
            case(2, group, "{groups: 2, axis: 1}", &[4, 3, 3]),
        ]
    }

    fn others() -> Vec<Self> {
        let case = |batch, class: &str, config: &str, input: &[usize]| Case::new(batch, class, config, &[input]);
        vec![
            case(3, "Dropout", "{rate: 0.4}", &[5, 3, 17]),
            case(33, "Dropout", "{rate: 0.5, seed: 3}", &[33]),
            case(2, "Dropout", "{rate: 1}", &[3]),
            case(3, "SpatialDropout2D", "{rate: 0.3}", &[3, 2, 16]),
            case(3, "GaussianNoise", "{stddev: 0.2}", &[4, 3]),
            case(33, "Permute", "{dims: [2, 1]}", &[3, 5]),
            case(2, "Permute", "{dims: [3, 1, 2]}", &[4, 33, 40]),
            case(33, "ZeroPadding2D", "{padding: [[1, 0], [2, 3]]}", &[1, 1, 1]),
            case(2, "ZeroPadding2D", "{padding: [0, 2]}", &[4, 3, 17]),
            case(1, "Cropping2D", "{cropping: [[1, 0], [2, 3]]}", &[2, 6, 3]),
            case(33, "Cropping2D", "{cropping: 1}", &[3, 4, 2]),
            case(2, "UpSampling2D", "{size: [3, 1]}", &[2, 3, 17]),
            case(33, "UpSampling2D", "{size: [2, 3], interpolation: 'bilinear'}", &[1, 3, 2]),
            case(2, "UpSampling2D", "{size: 4, interpolation: 'bilinear'}", &[3, 2, 16]),
            case(2, "Rescaling", "{scale: -0.5, offset: 2}", &[5, 3, 400]),
            case(3, "Normalization", "{mean: [1, 2, 3], variance: [0.5, 4, 1]}", &[2, 3]),
            case(3, "Normalization", "{axis: 1, mean: 1, variance: [0.5, 4], invert: true}", &[2, 3]),
            case(3, "LeakyReLU", "{}", &[40, 5, 33]).spread(),
            case(3, "ELU", "{alpha: 0.7}", &[5, 3]),
            case(33, "PReLU", "{}", &[17]).spread(),
            case(5, "PReLU", "{shared_axes: [1, 2]}", &[3, 2, 16]).spread(),
            case(70, "PReLU", "{shared_axes: [2]}", &[3, 2]).spread(),
            case(3, "Softmax", "{axis: 1}", &[3, 2, 5]),
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
        Case::new(2, "MaxPooling2D", "{pool_size: 3, strides: 2}", &[&[7, 5, 3]]).after_relu(),
        Case::new(2, "AveragePooling1D", "{padding: 'same'}", &[&[7, 3]]).after_relu(),
        Case::new(2, "GlobalMaxPooling2D", "{}", &[&[3, 2, 5]]).after_relu(),
        Case::new(2, "GlobalAveragePooling1D", "{}", &[&[3, 5]]).after_relu(),
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
        let all = case.passes(Isa::PORTABLE, 1);
        let (x, y) = ([&case.x[0][..]], all.y);
        let mut dx = vec![f32::NAN; case.x[0].len()];
        let mut weights: Vec<Weight<'_>> = w.iter_mut().map(|w| Weight { w, update: None }).collect();
        let pass = Pass { x: &x, y: &y, dz: &case.dy, dx: &mut [Some(&mut dx)], gated: true };
        work.backward(&Step { seed: 0, number: 0 }, &mut weights, pass).unwrap();
        assert!(case.x[0].iter().zip(&dx).all(|(&x, &dx)| x != 0.0 || dx == 0.0), "{}", case.text);
        let gated = all.dx[0].iter().zip(&case.x[0]).map(|(&dx, &x)| if x > 0.0 { dx } else { 0.0 });
        assert!(gated.eq(dx.iter().copied()), "{}", case.text);
        assert!(case.x[0].contains(&0.0) && w == case.weights, "a frozen layer stays as it is");
    }
}

/// What layers in training make of an input of ones: a layer, its number, a step of the network, and how many samples.
fn of_ones(class: &str, config: &str, dims: &[usize], number: u64, step: Step, batch: usize) -> Vec<f32> {
    let case = Case::new(batch, class, config, &[dims]);
    let shapes: Vec<&Shape> = case.inputs.iter().collect();
    let site = Site {
        inputs: &shapes,
        output: &case.output,
        isa: Isa::PORTABLE,
        threads: 1,
        batch,
        training: true,
        trainable: true,
        gradients: &[true],
        relu: false,
        number,
    };
    let (x, mut y) = (vec![1.0; batch * case.output.len()], vec![0.0; batch * case.output.len()]);
    case.layer.build(&site).unwrap().forward(&step, &[], &[&x], &mut y).unwrap();
    y
}

#[test]
fn what_is_random_follows_from_seed_layer_step_and_sample() {
    let dims = [4, 4, 64];
    for (class, setting) in [("Dropout", "rate"), ("SpatialDropout2D", "rate"), ("GaussianNoise", "stddev")] {
        let config = format!("{{{setting}: 0.5}}");
        let of = |number, seed, step, batch| of_ones(class, &config, &dims, number, Step { seed, number: step }, batch);
        let first = of(1, 2, 3, 2);
        assert_eq!(of(1, 2, 3, 2), first);
        assert_eq!(of(1, 2, 3, 5)[..first.len()], first, "a sample's numbers are those of its place, in any batch");
        let (a, b) = first.split_at(first.len() / 2);
        assert_ne!(a, b, "another sample");
        for other in [of(0, 2, 3, 2), of(1, 0, 3, 2), of(1, 2, 0, 2)] {
            assert_ne!(other, first, "another layer, seed or step");
        }
        let seeded = format!("{{{setting}: 0.5, seed: 2}}");
        assert_eq!(of_ones(class, &seeded, &dims, 1, Step { seed: 9, number: 3 }, 2), first, "a seed of its own");
    }
}

#[test]
fn what_is_random_has_its_rate_mean_and_deviation() {
    let step = Step { seed: 1, number: 2 };
    for rate in [0.1, 0.5, 0.75] {
        let y = of_ones("Dropout", &format!("{{rate: {rate}}}"), &[100, 100], 0, step, 20);
        let dropped = y.iter().filter(|&&y| y == 0.0).count() as f64 / y.len() as f64;
        assert!((dropped - rate).abs() < 0.005, "{dropped} of {rate}"); // five deviations
        assert!(y.iter().all(|&y| y == 0.0 || f64::from(y) * (1.0 - rate) - 1.0 < 1e-6));
        let y = of_ones("SpatialDropout2D", &format!("{{rate: {rate}}}"), &[2, 1, 10_000], 0, step, 20);
        let (top, bottom): (Vec<f32>, Vec<f32>) = y
            .chunks_exact(20_000)
            .flat_map(|image| image[..10_000].iter().copied().zip(image[10_000..].iter().copied()))
            .unzip();
        assert_eq!(top, bottom, "channels as a whole");
        let dropped = top.iter().filter(|&&y| y == 0.0).count() as f64 / top.len() as f64;
        assert!((dropped - rate).abs() < 0.005, "{dropped} of {rate}");
    }
    let y = of_ones("GaussianNoise", "{stddev: 0.3}", &[100, 100], 0, step, 20);
    let mean = y.iter().map(|&y| f64::from(y)).sum::<f64>() / y.len() as f64;
    let deviation = (y.iter().map(|&y| (f64::from(y) - mean).powi(2)).sum::<f64>() / y.len() as f64).sqrt();
    assert!((mean - 1.0).abs() < 0.004 && (deviation - 0.3).abs() < 0.003, "{mean} {deviation}");
}

#[test]
fn nothing_is_random_in_inference() {
    for (class, config) in
        [("Dropout", "{rate: 0.4}"), ("SpatialDropout2D", "{rate: 0.4}"), ("GaussianNoise", "{stddev: 1}")]
    {
        let case = Case::new(1, class, config, &[&[2, 2, 3]]);
        assert!(case.layer.is_view(false) && !case.layer.is_view(true));
    }
    assert!(Case::new(1, "Dropout", "{rate: 0}", &[&[3]]).layer.is_view(true));
}

#[test]
fn configs_come_back() {
    for case in Case::all() {
        let config = case.layer.config();
        let value = Value::Object(config.clone());
        let object = Object::root(&value).unwrap();
        let entry = entry(&Named::of(case.layer.class(), object.clone(), String::new())).unwrap();
        assert_eq!(read(entry, &object).unwrap().config(), config, "{}", case.text);
    }
}

#[test]
fn what_does_not_fit_is_named() {
    let message = |class: &str, config: &str, inputs: &[&[usize]]| {
        let value = json::parse(config).unwrap();
        let object = Object::root(&value).unwrap();
        let entry = entry(&Named::of(class, object.clone(), String::new())).unwrap();
        let inputs: Vec<Shape> = inputs.iter().map(|dims| Shape::new(dims).unwrap()).collect();
        let shapes: Vec<&Shape> = inputs.iter().collect();
        read(entry, &object).and_then(|layer| layer.output(&shapes)).unwrap_err().to_string()
    };
    for (class, config, inputs, expected) in [
        ("MaxPooling2D", "{pool_size: 3}", &[&[4, 2, 1][..]][..], "a pool_size from 1 to 2, found 3"),
        ("MaxPooling2D", "{}", &[&[4, 2]], "expected [height, width, channels], found [4, 2]"),
        ("MaxPooling1D", "{}", &[&[4, 2, 1]], "expected [steps, channels], found [4, 2, 1]"),
        ("GlobalMaxPooling2D", "{data_format: 'channels_first'}", &[&[4, 2, 1]], "expected channels_last"),
        ("Add", "{}", &[&[4, 2], &[4, 3]], "expected [4, 2], or 1 in the place of a size, found [4, 3]"),
        ("Subtract", "{}", &[&[4], &[4], &[4]], "wrong number of inputs: expected two, found 3"),
        ("Concatenate", "{}", &[&[4, 2], &[3, 3]], "expected [4, 2] but for axis -1, found [3, 3]"),
        (
            "Concatenate",
            "{axis: 3}",
            &[&[4, 2], &[4, 2]],
            "no such axis: expected 1 to 2, or -2 to -1, of [4, 2], found 3",
        ),
        ("Concatenate", "{axis: 0}", &[&[4], &[4]], "key axis: wrong value"),
        ("LayerNormalization", "{axis: [1, 2]}", &[&[4, 2, 3]], "expected one axis, or all from one on"),
        ("LayerNormalization", "{rms_scaling: true}", &[&[4]], "key rms_scaling: not supported"),
        (
            "GroupNormalization",
            "{}",
            &[&[4, 2, 3]],
            "the groups do not divide the channels: expected a divisor of 3, found 32",
        ),
        ("BatchNormalization", "{renorm: true}", &[&[4]], "key renorm: not supported"),
        ("Dropout", "{rate: 1.5}", &[&[4]], "key rate: wrong value: expected a number from 0 to 1"),
        ("Dropout", "{rate: 0.5, noise_shape: [1]}", &[&[4]], "key noise_shape: not supported"),
        ("Reshape", "{target_shape: [-1, 3]}", &[&[4, 2]], "expected 8 elements, those of [4, 2], found [2, 3]"),
        ("Reshape", "{target_shape: [-1, -1]}", &[&[4, 2]], "key target_shape: wrong value"),
        ("Permute", "{dims: [1, 1]}", &[&[4, 2]], "key dims: wrong value: expected the axes from 1 on, each once"),
        ("Permute", "{dims: [2, 1]}", &[&[4]], "wrong rank: expected 2 axes, found [4]"),
        ("Cropping2D", "{cropping: [[1, 1], [0, 0]]}", &[&[2, 2, 1]], "nothing is left of the image"),
        ("UpSampling2D", "{interpolation: 'bicubic'}", &[&[2, 2, 1]], "expected nearest or bilinear"),
        ("UpSampling2D", "{size: 100000}", &[&[2, 2, 1]], "too many elements"),
        ("Normalization", "{}", &[&[2]], "key mean: missing key"),
        ("Normalization", "{mean: [1, 2], variance: 1}", &[&[3]], "wrong number of means: expected 3, or one, found 2"),
        ("PReLU", "{shared_axes: [3]}", &[&[2, 2]], "no such axis: expected 1 to 2, of [2, 2], found 3"),
        ("LeakyReLU", "{negative_slope: -1}", &[&[2, 2]], "key negative_slope: wrong value"),
    ] {
        let found = message(class, config, inputs);
        assert!(found.contains(expected), "{class}: {found}");
    }
}
