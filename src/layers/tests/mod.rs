//! Every layer against finite differences, against candle's autograd where it has the layer, and against itself on other
//! instruction sets and numbers of threads. Keras's own numbers are in `train/keras_tests.rs`.

mod candle;
mod cases;
mod random;
mod refusals;

use super::*;
use crate::json::{self, Named, Object};
use crate::kernels::numbers;

/// The step for random numbers.
const NUMBER: u64 = 3;
const STEP: Step<'static> = Step::new(7, 11);

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

    /// Like outputs of relu: a third of the inputs is exactly 0.
    fn after_relu(mut self) -> Self {
        self.x.iter_mut().flatten().for_each(|x| *x = (*x + 0.3).max(0.0));
        self
    }

    /// With inputs that differ by at least a sixteenth within a window: no finite difference changes the maximum.
    fn spread(mut self) -> Self {
        for (input, x) in self.x.iter_mut().enumerate() {
            let count = x.len();
            // A prime that does not divide the count visits all numbers.
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

    /// As if out of a relu that let one in four through.
    fn with_few_inputs(mut self) -> Self {
        self.x.iter_mut().flatten().for_each(|x| *x = (*x - 0.5).max(0.0));
        self
    }

    fn passes(&self, isa: Isa, threads: usize) -> Passes {
        let shapes: Vec<&Shape> = self.inputs.iter().collect();
        let gradients = vec![true; shapes.len()];
        let context = BuildContext {
            inputs: &shapes,
            output: &self.output,
            isa,
            threads,
            batch: self.batch,
            training: true,
            trainable: true,
            gradients: &gradients,
            relu: false,
            number: NUMBER,
        };
        let step = STEP;
        let mut work = self.layer.build(&context).unwrap();
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

#[test]
fn gradients_are_those_of_finite_differences() {
    const CHANGE: f32 = 1.0 / 64.0;
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
                    values[i] += sign * CHANGE;
                    let found = case.objective();
                    match which.checked_sub(dx.len()) {
                        None => case.x[which][i] = before,
                        Some(parameter) => case.weights[trainable[parameter]][i] = before,
                    }
                    found
                };
                let slope = (at(&mut case, 1.0) - at(&mut case, -1.0)) / f64::from(2.0 * CHANGE);
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
fn the_gradient_is_zero_where_relu_gave_zero() {
    let case = |class: &str, config: &str, input: &[usize]| Case::new(2, class, config, &[input]).after_relu();
    for case in [
        case("Dense", "{units: 3}", &[20]),
        case("MaxPooling2D", "{pool_size: 3, strides: 2}", &[7, 5, 3]),
        case("AveragePooling2D", "{padding: 'same'}", &[5, 4, 3]),
        case("GlobalMaxPooling2D", "{}", &[5, 4, 3]),
        case("GlobalAveragePooling1D", "{}", &[3, 5]),
        case("Dropout", "{rate: 0.3}", &[30, 5]),
        case("SpatialDropout2D", "{rate: 0.3}", &[3, 2, 17]),
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
        let context = BuildContext {
            inputs: &shapes,
            output: &case.output,
            isa: Isa::PORTABLE,
            threads: 1,
            batch: case.batch,
            training: true,
            trainable: false,
            gradients: &[true],
            relu: false,
            number: NUMBER,
        };
        let mut work = case.layer.build(&context).unwrap();
        assert!(work.gates());
        let mut w = case.weights.clone();
        let (step, x, mut y) = (STEP, [&case.x[0][..]], vec![0.0; case.dy.len()]);
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
        let context = BuildContext {
            inputs: &shapes,
            output: &case.output,
            isa: Isa::PORTABLE,
            threads: 1,
            batch: case.batch,
            training: true,
            trainable: true,
            gradients: &[false],
            relu: true,
            number: 0,
        };
        let (step, mut y) = (Step::new(0, 0), vec![f32::NAN; case.dy.len()]);
        let [x, weights] = [&case.x, &case.weights].map(|all| all.iter().map(|x| &x[..]).collect::<Vec<_>>());
        case.layer.build(&context).unwrap().forward(&step, &weights, &x, &mut y).unwrap();
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
fn every_layer_is_tried_on_other_machines() {
    for entry in LAYERS.iter().filter(|entry| entry.class != "InputLayer") {
        assert!(crate::golden::holds(entry.class), "{}", entry.class);
    }
}
