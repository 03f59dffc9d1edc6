//! How fast each kernel is on one thread, beside what the machine can do: `cargo bench`.
//!
//! Compute-bound kernels are set against the machine's float32 peak, measured in the same run by independent fused
//! multiply-adds that stay in registers; memory-bound ones against a measured copy. Times are
//! medians; on a shared machine look at the shares, not at the times. `MNIST_ISA` picks the instruction set.

use mnist::kernels::conv2d::winograd::Winograd;
use mnist::kernels::conv2d::{Conv2d, Finish};
use mnist::kernels::dense::{self, Backward, Part, Scratch};
use mnist::kernels::{AdamStep, Columns, Isa, peak, rows};
use std::hint::black_box;
use std::time::Instant;

/// The median time of a call in seconds: 15 times as many calls as take about 5 ms.
fn time(mut task: impl FnMut()) -> f64 {
    task();
    let start = Instant::now();
    task();
    let calls = (5e-3 / start.elapsed().as_secs_f64()).ceil().max(1.0) as usize;
    let mut times: Vec<f64> = (0..15)
        .map(|_| {
            let start = Instant::now();
            (0..calls).for_each(|_| task());
            start.elapsed().as_secs_f64() / calls as f64
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[7]
}

/// Whether a kernel's name has all the words of the command line in it.
fn wanted(name: &str) -> bool {
    std::env::args().skip(1).filter(|word| !word.starts_with('-')).all(|word| name.contains(&*word))
}

/// Numbers that look like noise, in [-0.5, 0.5).
fn numbers(n: usize) -> Vec<f32> {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32 - 0.5
    };
    (0..n).map(|_| next()).collect()
}

/// The same, but all except a share of them zero, as relu leaves them.
fn thinned(n: usize, density: f32) -> Vec<f32> {
    let (numbers, chances) = (numbers(n), numbers(n + 1));
    numbers.iter().zip(&chances[1..]).map(|(&x, chance)| if chance + 0.5 < density { x } else { 0.0 }).collect()
}

/// What the machine can do.
struct Machine {
    isa: Isa,
    /// Floating-point operations a second.
    flops: f64,
    /// Bytes read and written a second.
    bandwidth: f64,
}

impl Machine {
    fn measure(isa: Isa) -> Self {
        let mut flop = 0.0;
        let seconds = time(|| flop = black_box(peak::multiply_add(isa, black_box(100_000))).0);
        // Larger than any cache of the core's own.
        let (from, mut to) = (numbers(16 << 20), vec![0.0; 16 << 20]);
        let bandwidth = 8.0 * from.len() as f64 / time(|| black_box(&mut to).copy_from_slice(black_box(&from)));
        let flops = flop / seconds;
        Machine { isa, flops, bandwidth }
    }

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

/// The passes of a convolution, an image at a time. Winograd's rate counts the products of the direct sum, so that it
/// can pass the peak.
fn convolution(machine: &Machine, name: &str, size: Conv2d) {
    let isa = machine.isa;
    let (image, kernel, bias) = (numbers(size.input_len()), numbers(size.kernel_len()), numbers(size.filters));
    let flop = 2.0 * (size.out_height() * size.out_width() * size.kernel_len()) as f64;
    let (mut output, mut to_input) = (vec![0.0; size.output_len()], vec![0.0; size.input_len()]);
    let gradient = numbers(size.output_len());
    let mut turned_kernel = vec![0.0; kernel.len()];
    size.turn(isa, &kernel, &mut turned_kernel);

    let mut packed = vec![0.0; size.packed_len(isa)];
    size.pack(isa, &kernel, &mut packed);
    let finish = Finish::Bias { bias: &bias, relu: true };
    machine
        .compute(&format!("{name} forward, direct"), flop, || size.forward(isa, &image, &packed, finish, &mut output));

    let turned = size.turned();
    let (mut packed, mut halo) = (vec![0.0; turned.packed_len(isa)], vec![0.0; size.halo_len()]);
    turned.pack(isa, &turned_kernel, &mut packed);
    machine.compute(&format!("{name} to the input, direct"), flop, || {
        size.fill_halo(&gradient, &mut halo);
        turned.forward(isa, &halo, &packed, Finish::Gate(Some(&image)), &mut to_input);
    });

    if Winograd::pays(&size) {
        let pass = Winograd::forward_of(&size);
        let (mut transformed, mut scratch) = (vec![0.0; pass.transformed_len(isa)], vec![0.0; pass.scratch_len(isa)]);
        pass.transform_kernel(isa, &kernel, &mut transformed);
        machine.compute(&format!("{name} forward, Winograd"), flop, || {
            pass.run(isa, &image, &transformed, finish, &mut output, &mut scratch);
        });
        let pass = Winograd::input_gradient_of(&size);
        let (mut transformed, mut scratch) = (vec![0.0; pass.transformed_len(isa)], vec![0.0; pass.scratch_len(isa)]);
        pass.transform_kernel(isa, &turned_kernel, &mut transformed);
        machine.compute(&format!("{name} to the input, Winograd"), flop, || {
            pass.run(isa, &gradient, &transformed, Finish::Gate(Some(&image)), &mut to_input, &mut scratch);
        });
    }

    let stride = size.filters.next_multiple_of(isa.lanes());
    let (mut padded, mut sum) = (vec![0.0; gradient.len() / size.filters * stride], vec![0.0; kernel.len()]);
    rows::pad_rows(&gradient, size.filters, &mut padded, stride);
    machine.compute(&format!("{name} to the kernel"), flop, || {
        size.kernel_gradient(isa, &image, &padded, stride, &mut sum)
    });
    let Ok(mut scratch) = size.zeros_scratch() else { return };
    for density in [0.15, 0.3, 0.5] {
        if !size.may_leave_zeros_out() {
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

/// The passes of a dense layer on one thread, in parts of 768 rows as the layer has them.
fn dense_layer(machine: &Machine, name: &str, batch: usize, inputs: usize, units: usize, density: f32) {
    const PART: usize = 768;
    let isa = machine.isa;
    let (x, mut w, dz) = (thinned(batch * inputs, density), numbers(inputs * units), numbers(batch * units));
    let bytes = 4.0 * (inputs * units) as f64;
    let Ok(mut scratch) = Scratch::forward(isa, batch) else { return };
    let mut sums = vec![0.0; batch * units];
    machine.memory(&format!("{name} forward"), bytes, || {
        for first in (0..inputs).step_by(PART) {
            let rows = first * units..(first + PART).min(inputs) * units;
            dense::forward(isa, &x, inputs, first, &w[rows], &mut sums, &mut scratch);
        }
    });

    let wide = units.next_multiple_of(isa.lanes());
    let mut wide_dz = vec![0.0; batch * wide];
    rows::pad_rows(&dz, units, &mut wide_dz, wide);
    let adam = AdamStep::new(1e-3, 0.9, 0.999, 1e-7, 1);
    let all = Backward { x: &x, inputs, dz: &wide_dz, units, batch, gated: true, adam };
    let (mut m, mut v, mut dx) = (vec![0.0; w.len()], vec![0.0; w.len()], vec![0.0; x.len()]);
    let Ok(mut scratch) = Scratch::backward(batch) else { return };
    machine.memory(&format!("{name} backward and Adam"), 6.0 * bytes, || {
        let mut rest = Columns::new(&mut dx, batch, inputs);
        for first in (0..inputs).step_by(PART) {
            let rows = PART.min(inputs - first);
            let (columns, after) = rest.split_at(rows);
            rest = after;
            let at = first * units..(first + rows) * units;
            let part = Part { first, w: &mut w[at.clone()], m: &mut m[at.clone()], v: &mut v[at] };
            all.part(isa, part, Some(columns), &mut scratch);
        }
    });
}

fn main() {
    let isa = match Isa::choose() {
        Ok(isa) => isa,
        Err(error) => {
            eprintln!("{error}");
            std::process::exit(1);
        }
    };
    let machine = Machine::measure(isa);
    let (peak, copy) = (machine.flops / 1e9, machine.bandwidth / 1e9);
    println!("{}, one thread: peak {peak:.0} GFLOP/s, copy {copy:.1} GB/s (read and written)\n", isa.name());
    let conv = |height, channels, filters, kernel| Conv2d { height, width: height, channels, filters, kernel };
    convolution(&machine, "conv 28x28x1, 3x3, 32", conv(28, 1, 32, 3));
    convolution(&machine, "conv 26x26x32, 3x3, 64", conv(26, 32, 64, 3));
    convolution(&machine, "conv 32x32x3, 5x5, 16", conv(32, 3, 16, 5));
    convolution(&machine, "conv 28x28x16, 3x3, 96", conv(28, 16, 96, 3));
    for density in [0.0, 0.15, 0.5, 1.0] {
        dense_layer(&machine, &format!("dense 36864 to 128, batch 32, {density}"), 32, 36_864, 128, density);
    }
    for density in [0.0, 0.15, 0.5, 1.0] {
        dense_layer(&machine, &format!("dense 256 to 128, batch 32, cached, {density}"), 32, 256, 128, density);
    }
    for density in [0.0, 0.15, 0.5, 1.0] {
        dense_layer(&machine, &format!("dense 36864 to 128, batch 128, {density}"), 128, 36_864, 128, density);
    }
    for density in [0.0, 0.15, 0.5, 1.0] {
        dense_layer(&machine, &format!("dense 8192 to 512, batch 32, {density}"), 32, 8192, 512, density);
    }
}
