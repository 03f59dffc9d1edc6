//! The speed of each kernel on one thread, relative to the machine's limits: `cargo bench`.
//!
//! Compute-bound kernels are compared with the machine's float32 peak, measured in the same run by independent fused
//! multiply-adds that stay in registers; memory-bound kernels with a measured copy. Times are medians; on a shared
//! machine compare the percentages, not the times. The number after a name is the nonzero share of the layer's input
//! (dense) or of the gradient of its output (convolution). Rates count all products, including those that skipped zeros
//! or Winograd's method save. `MNIST_ISA` selects the instruction set.

use mnist::kernels::conv2d::winograd::Winograd;
use mnist::kernels::conv2d::{ConvShape, Finish};
use mnist::kernels::dense::{self, Backward, Part, Scratch};
use mnist::kernels::depthwise::Depthwise;
use mnist::kernels::window::{Axis, Padding, Window};
use mnist::kernels::{AdamStep, Columns, Update, rows};

mod machine;
use machine::{Floats, Machine, numbers, time, zeros};

/// Whether a kernel's name contains all the words of the command line.
fn wanted(name: &str) -> bool {
    std::env::args().skip(1).filter(|word| !word.starts_with('-')).all(|word| name.contains(&*word))
}

/// Noise with only a share of nonzeros, like the output of relu.
fn thinned(n: usize, density: f32) -> Floats {
    let (mut numbers, chances) = (numbers(n), numbers(n + 1));
    for (x, chance) in numbers.iter_mut().zip(&chances[1..]) {
        *x = if chance + 0.5 < density { *x } else { 0.0 };
    }
    numbers
}

/// Prints a kernel's rate, and its percentage of the machine's limit.
trait Report {
    fn compute(&self, name: &str, flop: f64, task: impl FnMut());
    fn memory(&self, name: &str, bytes: f64, task: impl FnMut());
}

impl Report for Machine {
    fn compute(&self, name: &str, flop: f64, task: impl FnMut()) {
        if !wanted(name) {
            return;
        }
        let rate = flop / time(task);
        println!("{name:44} {:8.0} GFLOP/s  {:4.0} % of peak", rate / 1e9, 100.0 * rate / self.flops);
    }

    fn memory(&self, name: &str, bytes: f64, task: impl FnMut()) {
        if !wanted(name) {
            return;
        }
        let rate = bytes / time(task);
        println!("{name:44} {:8.1} GB/s     {:4.0} % of a copy", rate / 1e9, 100.0 * rate / self.bandwidth);
    }
}

/// The passes of a convolution, one image at a time. Winograd's rate counts the products of the direct sum, so it can
/// exceed the peak.
fn convolution(machine: &Machine, name: &str, size: ConvShape) {
    let isa = machine.isa;
    let (image, kernel, bias) = (numbers(size.input_len()), numbers(size.kernel_len()), numbers(size.filters));
    let flop = 2.0 * (size.out_height() * size.out_width() * size.kernel_len()) as f64;
    let (mut output, mut to_input) = (zeros(size.output_len()), zeros(size.input_len()));
    let gradient = numbers(size.output_len());
    let mut turned_kernel = zeros(kernel.len());
    size.turn(isa, &kernel, &mut turned_kernel);

    let mut packed = zeros(size.packed_len(isa));
    size.pack(isa, &kernel, &mut packed);
    let finish = Finish::Bias { bias: &bias, relu: true };
    machine
        .compute(&format!("{name} forward, direct"), flop, || size.forward(isa, &image, &packed, finish, &mut output));

    let turned = size.turned();
    let (mut packed, mut halo) = (zeros(turned.packed_len(isa)), zeros(size.halo_len()));
    turned.pack(isa, &turned_kernel, &mut packed);
    machine.compute(&format!("{name} to the input, direct"), flop, || {
        size.fill_halo(&gradient, &mut halo);
        turned.forward(isa, &halo, &packed, Finish::Gate(Some(&image)), &mut to_input);
    });

    if Winograd::is_worthwhile(&size) {
        let pass = Winograd::forward_of(&size);
        let (mut transformed, mut scratch) = (zeros(pass.transformed_len(isa)), zeros(pass.scratch_len(isa)));
        pass.transform_kernel(isa, &kernel, &mut transformed);
        machine.compute(&format!("{name} forward, Winograd"), flop, || {
            pass.run(isa, &image, &transformed, finish, &mut output, &mut scratch);
        });
        let pass = Winograd::input_gradient_of(&size);
        let (mut transformed, mut scratch) = (zeros(pass.transformed_len(isa)), zeros(pass.scratch_len(isa)));
        pass.transform_kernel(isa, &turned_kernel, &mut transformed);
        machine.compute(&format!("{name} to the input, Winograd"), flop, || {
            pass.run(isa, &gradient, &transformed, Finish::Gate(Some(&image)), &mut to_input, &mut scratch);
        });
    }

    let stride = size.filters.next_multiple_of(isa.lanes());
    let (mut padded, mut sum) = (zeros(gradient.len() / size.filters * stride), zeros(kernel.len()));
    rows::pad_rows(&gradient, size.filters, &mut padded, stride);
    machine.compute(&format!("{name} to the kernel"), flop, || {
        size.kernel_gradient(isa, &image, &padded, stride, &mut sum)
    });
    if Winograd::kernel_gradient_is_worthwhile(&size, 1) {
        let pass = Winograd::kernel_gradient_of(&size);
        let mut scratch = zeros(pass.kernel_gradient_scratch(isa));
        machine.compute(&format!("{name} to the kernel, Winograd"), flop, || {
            pass.add_kernel_gradient(isa, &image, &gradient, &mut sum, &mut scratch);
        });
    }
    let Ok(mut scratch) = size.zeros_scratch() else { return };
    for density in [0.15, 0.5, 1.0] {
        if !size.can_skip_zeros() {
            break;
        }
        let gradient = thinned(gradient.len(), density);
        machine.compute(&format!("{name} to the kernel, {density}"), flop, || {
            size.kernel_gradient_of_nonzero(isa, &image, &gradient, &mut sum, &mut scratch)
        });
        machine.compute(&format!("{name} to the input, {density}"), flop, || {
            size.input_gradient_of_nonzero(isa, &gradient, &kernel, Some(&image), &mut to_input)
        });
    }
}

/// The pass to the input of a 3 x 3 convolution with strides of 2 and padding, one image at a time.
fn strided(machine: &Machine, name: &str, side: usize, channels: usize, filters: usize) {
    let axis = Axis::new(side, 3, 2, 1, Padding::Same).expect("a window that fits");
    let (size, isa) = (ConvShape::of(Window { rows: axis, columns: axis }, channels, filters, 1), machine.isa);
    let (gradient, kernel) = (numbers(size.output_len()), numbers(size.kernel_len()));
    let (mut turned, mut packed) = (zeros(kernel.len()), zeros(size.turned().packed_len(isa)));
    size.turn(isa, &kernel, &mut turned);
    size.turned().pack(isa, &turned, &mut packed);
    let (gate, mut to_input) = (numbers(size.unpadded_len()), zeros(size.unpadded_len()));
    let flop = 2.0 * (size.out_height() * size.out_width() * size.kernel_len()) as f64;
    machine.compute(&format!("{name} to the input"), flop, || {
        size.input_gradient_strided(isa, &gradient, &packed, Finish::Gate(Some(&gate)), &mut to_input);
    });
}

/// The passes of a dense layer on one thread, in parts of 576 rows as in the layer.
fn dense_layer(machine: &Machine, name: &str, batch: usize, inputs: usize, units: usize, density: f32) {
    const PART: usize = 576;
    let isa = machine.isa;
    let (x, mut w, dz) = (thinned(batch * inputs, density), numbers(inputs * units), numbers(batch * units));
    let bytes = 4.0 * (inputs * units) as f64;
    let Ok(mut scratch) = Scratch::forward(isa, batch) else { return };
    let mut sums = zeros(batch * units);
    machine.memory(&format!("{name} forward"), bytes, || {
        let all = dense::Forward { x: &x, inputs, w: &w, units };
        for first in (0..inputs).step_by(PART) {
            let sums = Columns::new(&mut sums, batch, units);
            all.part(isa, first..(first + PART).min(inputs), 0, sums, &mut scratch);
        }
    });

    let wide = units.next_multiple_of(isa.lanes());
    let mut packed_dz = zeros(batch * wide);
    dense::pack(isa, &dz, units, &mut packed_dz);
    let adam = AdamStep::new(1e-3, 0.9, 0.999, 1e-7, 1);
    let all = Backward { x: &x, inputs, dz: &packed_dz, units, batch, gated: true };
    let (mut m, mut v, mut dx) = (zeros(w.len()), zeros(w.len()), zeros(x.len()));
    let Ok(mut scratch) = Scratch::backward(batch) else { return };
    machine.memory(&format!("{name} backward and Adam"), 6.0 * bytes, || {
        let mut rest = Columns::new(&mut dx, batch, inputs);
        for first in (0..inputs).step_by(PART) {
            let rows = PART.min(inputs - first);
            let (columns, after) = rest.split_at(rows);
            rest = after;
            let at = first * units..(first + rows) * units;
            let update = Update::Adam { step: adam, m: &mut m[at.clone()], v: &mut v[at.clone()] };
            let part = Part { first, w: &mut w[at], update };
            all.part(isa, part, Some(columns), &mut scratch);
        }
    });
}

/// The passes of a depthwise 3 x 3 convolution with padding, one image at a time.
fn depthwise(machine: &Machine, name: &str, side: usize, channels: usize, stride: usize) {
    let axis = Axis::new(side, 3, stride, 1, Padding::Same).expect("a window that fits");
    let size = Depthwise { window: Window { rows: axis, columns: axis }, channels, multiplier: 1 };
    let isa = machine.isa;
    let (image, kernel, bias) = (numbers(size.input_len()), numbers(size.kernel_len()), numbers(channels));
    let gradient = numbers(size.output_len());
    let flop = 2.0 * (size.output_len() * 9) as f64;
    let (mut output, mut dx, mut sum) = (zeros(size.output_len()), zeros(size.input_len()), zeros(size.kernel_len()));
    let finish = Finish::Bias { bias: &bias, relu: true };
    machine.compute(&format!("{name}, forward"), flop, || {
        size.forward(isa, &image, &kernel, finish, &mut output, &mut []);
    });
    machine.compute(&format!("{name}, to the input"), flop, || {
        size.input_gradient(isa, &gradient, &kernel, None, &mut dx, &mut []);
    });
    machine.compute(&format!("{name}, to the kernel"), flop, || {
        size.kernel_gradient(isa, &image, &gradient, &mut sum, &mut []);
    });
}

fn main() -> mnist::Result<()> {
    let machine = Machine::measure()?;
    println!("{machine}\n");
    let conv = |height, channels, filters, kernel| ConvShape::new(height, height, channels, filters, [kernel; 2]);
    convolution(&machine, "conv 28x28x1, 3x3, 32", conv(28, 1, 32, 3));
    convolution(&machine, "conv 26x26x32, 3x3, 64", conv(26, 32, 64, 3));
    convolution(&machine, "conv 32x32x3, 5x5, 16", conv(32, 3, 16, 5));
    convolution(&machine, "conv 28x28x16, 3x3, 96", conv(28, 16, 96, 3));
    convolution(&machine, "conv 30x30x16, 3x3, 16", conv(30, 16, 16, 3));
    convolution(&machine, "conv 16x16x64, 3x3, 64", conv(16, 64, 64, 3));
    strided(&machine, "conv 28x28x16, 3x3, 32, stride 2", 28, 16, 32);
    strided(&machine, "conv 14x14x32, 3x3, 64, stride 2", 14, 32, 64);
    depthwise(&machine, "depthwise 28x28x16, stride 2", 28, 16, 2);
    depthwise(&machine, "depthwise 14x14x32, stride 1", 14, 32, 1);
    depthwise(&machine, "depthwise 14x14x64, stride 2", 14, 64, 2);
    let layers = [
        ("36864 to 128, batch 32", 32, 36_864, 128),
        ("36864 to 128, batch 128", 128, 36_864, 128),
        ("8192 to 512, batch 32", 32, 8192, 512),
        ("512 to 512, batch 128", 128, 512, 512),
    ];
    for (name, batch, inputs, units) in layers {
        for density in [0.15, 0.5, 1.0] {
            dense_layer(&machine, &format!("dense {name}, {density}"), batch, inputs, units, density);
        }
    }
    Ok(())
}
