//! The effect of Winograd's method on accuracy: `cargo bench --bench winograd`.
//!
//! Trains the tutorial's network for an epoch, then predicts test digits twice, with the second convolution by Winograd's
//! method and by direct sums, and compares both with double precision.

use mnist::kernels::conv2d::Finish;
use mnist::kernels::conv2d::winograd::Winograd;
use mnist::kernels::dense::{self, Scratch};
use mnist::kernels::softmax::softmax;
use mnist::kernels::{Columns, Isa};
use std::error::Error;

mod machine;
mod tutorial;
use machine::zeros;
use tutorial::{CONV_1, CONV_2, INPUTS, Trained, UNITS, digits, of, train};

/// The number of digits to compare.
const DIGITS: usize = 10_000;

/// The second convolution's output before relu, in double precision.
fn exact(net: &Trained, a: &[f32]) -> Vec<f64> {
    let (width, channels, filters) = (CONV_2.width, CONV_2.channels, CONV_2.filters);
    let mut output: Vec<f64> = (0..CONV_2.output_len()).map(|i| f64::from(net.conv_2[1][i % filters])).collect();
    for (pixel, sums) in output.chunks_exact_mut(filters).enumerate() {
        let (y, x) = (pixel / CONV_2.out_width(), pixel % CONV_2.out_width());
        for (tap, kernel) in net.conv_2[0].chunks_exact(filters).enumerate() {
            let (i, j, c) = (tap / channels / 3, tap / channels % 3, tap % channels);
            let value = f64::from(a[((y + i) * width + x + j) * channels + c]);
            sums.iter_mut().zip(kernel).for_each(|(sum, &w)| *sum += value * f64::from(w));
        }
    }
    output
}

/// Both methods for the second convolution, with their memory.
struct Methods {
    isa: Isa,
    packed: machine::Floats,
    transformed: machine::Floats,
    scratch: machine::Floats,
}

impl Methods {
    fn new(isa: Isa, net: &Trained) -> Self {
        let pass = Winograd::forward_of(&CONV_2);
        let (mut packed, mut transformed) = (zeros(CONV_2.packed_len(isa)), zeros(pass.transformed_len(isa)));
        CONV_2.pack(isa, &net.conv_2[0], &mut packed);
        pass.transform_kernel(isa, &net.conv_2[0], &mut transformed);
        Methods { isa, packed, transformed, scratch: zeros(pass.scratch_len(isa)) }
    }

    /// The output by Winograd's method, and by direct sums.
    fn both(&mut self, net: &Trained, a: &[f32], relu: bool) -> [machine::Floats; 2] {
        let finish = Finish::Bias { bias: &net.conv_2[1], relu };
        let mut outputs = [zeros(CONV_2.output_len()), zeros(CONV_2.output_len())];
        let pass = Winograd::forward_of(&CONV_2);
        pass.run(self.isa, a, &self.transformed, finish, &mut outputs[0], &mut self.scratch);
        CONV_2.forward(self.isa, a, &self.packed, finish, &mut outputs[1]);
        outputs
    }
}

/// A digit's probabilities, computed from the second convolution's output.
fn probabilities(isa: Isa, net: &Trained, b: &[f32], scratch: &mut Scratch) -> [f32; 10] {
    let (mut sums, mut h, mut p) = ([0.0; UNITS], [0.0; UNITS], [0.0; 10]);
    let first = dense::Forward { x: b, inputs: INPUTS, w: &net.dense[0], units: UNITS };
    first.part(isa, 0..INPUTS, 0, Columns::new(&mut sums, 1, UNITS), scratch);
    dense::finish(isa, &sums, 1, 0, &net.dense[1], true, &mut h);
    let mut sums = [0.0; 10];
    let second = dense::Forward { x: &h, inputs: UNITS, w: &net.dense_1[0], units: 10 };
    second.part(isa, 0..UNITS, 0, Columns::new(&mut sums, 1, 10), scratch);
    dense::finish(isa, &sums, 1, 0, &net.dense_1[1], false, &mut p);
    softmax(&mut p, 10);
    p
}

fn best(p: &[f32; 10]) -> usize {
    (0..10).fold(0, |best, i| if p[i] > p[best] { i } else { best })
}

fn main() -> Result<(), Box<dyn Error>> {
    let isa = Isa::choose()?;
    let (data, test) = digits()?;
    let net = train(&data, 1800)?;
    let mut methods = Methods::new(isa, &net);
    let mut packed = zeros(CONV_1.packed_len(isa));
    CONV_1.pack(isa, &net.conv_1[0], &mut packed);
    let mut scratch = Scratch::forward(isa, 1)?;

    let (mut errors, mut largest, mut apart, mut others, mut right) = ([0f64; 2], 0f64, 0f32, 0, [0; 2]);
    let labels = test.labels().unwrap_or_default();
    let (mut x, mut a) = (zeros(CONV_1.input_len()), zeros(CONV_1.output_len()));
    for (digit, &label) in labels.iter().enumerate().take(DIGITS) {
        test.image(digit, &mut x)?;
        CONV_1.forward(isa, &x, &packed, Finish::Bias { bias: &net.conv_1[1], relu: true }, &mut a);
        if digit % 100 == 0 {
            let exact = exact(&net, of(&a, 0, CONV_2.input_len()));
            for (method, output) in methods.both(&net, &a, false).iter().enumerate() {
                let far = output.iter().zip(&exact).map(|(&got, exact)| (f64::from(got) - exact).abs());
                errors[method] = far.fold(errors[method], f64::max);
            }
            largest = exact.iter().fold(largest, |m, x| m.max(x.abs()));
        }
        let both = methods.both(&net, &a, true).map(|b| probabilities(isa, &net, &b, &mut scratch));
        apart = both[0].iter().zip(&both[1]).fold(apart, |m, (a, b)| m.max((a - b).abs()));
        others += usize::from(best(&both[0]) != best(&both[1]));
        (0..2).for_each(|method| right[method] += usize::from(best(&both[method]) == label as usize));
    }
    println!(
        "conv2d_1 of the trained network, outputs up to {largest:.1} (one unit in the last place there: {:.1e}):",
        ulp(largest)
    );
    for (method, name) in ["Winograd", "direct"].into_iter().enumerate() {
        let ulps = errors[method] / ulp(largest);
        println!(
            "  {name:8} largest error {:.1e}, {ulps:.1} units; {} of {DIGITS} digits right",
            errors[method], right[method]
        );
    }
    println!("  probabilities at most {apart:.1e} apart; {others} digits of {DIGITS} get another class");
    Ok(())
}

/// The distance between adjacent single-precision numbers of this size (ulp).
fn ulp(x: f64) -> f64 {
    let x = x as f32;
    f64::from(x.next_up() - x)
}
