use super::*;
use crate::kernels::numbers;
use crate::kernels::window::{Axis, Padding, small_axes};

/// Every small window in turn down the rows and along a row, with odd numbers of channels and filters.
fn sizes() -> Vec<Depthwise> {
    let axes: Vec<Axis> = small_axes().collect();
    let window = |i: usize| Window { rows: axes[(i * 37 + 11) % axes.len()], columns: axes[i] };
    let counts = [(1, 1), (3, 1), (7, 2), (17, 1), (33, 1), (5, 3), (70, 1), (1, 4)];
    let size = |i: usize| Depthwise {
        window: window(i),
        channels: counts[i % counts.len()].0,
        multiplier: counts[i % counts.len()].1,
    };
    let mut sizes: Vec<Depthwise> = (0..axes.len()).map(size).collect();
    for (input, stride, padding) in [(28, 1, Padding::Same), (28, 2, Padding::Same), (27, 2, Padding::Valid)] {
        let axis = Axis::new(input, 3, stride, 1, padding).unwrap();
        sizes.push(Depthwise { window: Window { rows: axis, columns: axis }, channels: 44, multiplier: 1 });
    }
    sizes
}

/// Output, gradient to the input, gradient to the kernel of two images, on an instruction set.
fn all_passes(isa: Isa, size: Depthwise) -> [Vec<f32>; 3] {
    let (image, kernel, bias) =
        (numbers(1, size.input_len()), numbers(2, size.kernel_len()), numbers(3, size.filters()));
    let gradient = numbers(4, size.output_len());
    let mut scratch = vec![f32::NAN; size.scratch_len()];
    let mut output = vec![f32::NAN; size.output_len()];
    size.forward(isa, &image, &kernel, Finish::Bias { bias: &bias, relu: true }, &mut output, &mut scratch);
    let mut to_input = vec![f32::NAN; size.input_len()];
    size.input_gradient(isa, &gradient, &kernel, Some(&image), &mut to_input, &mut scratch);
    let mut to_kernel = vec![0.0; size.kernel_len()];
    size.kernel_gradient(isa, &image, &gradient, &mut to_kernel, &mut scratch);
    size.kernel_gradient(isa, &image, &gradient, &mut to_kernel, &mut scratch);
    [output, to_input, to_kernel]
}

/// The same by plain loops in double precision.
fn exact(size: Depthwise) -> [Vec<f64>; 3] {
    let wide = |x: Vec<f32>| -> Vec<f64> { x.into_iter().map(f64::from).collect() };
    let (image, kernel) = (wide(numbers(1, size.input_len())), wide(numbers(2, size.kernel_len())));
    let (bias, gradient) = (wide(numbers(3, size.filters())), wide(numbers(4, size.output_len())));
    let mut output: Vec<f64> = (0..size.output_len()).map(|i| bias[i % size.filters()]).collect();
    let (mut to_input, mut to_kernel) = (vec![0.0; image.len()], vec![0.0; kernel.len()]);
    let (Window { rows, columns }, filters) = (size.window, size.filters());
    let meets = |axis: Axis, output: usize, place: usize| {
        (output * axis.stride + place * axis.dilation).wrapping_sub(axis.before)
    };
    for (y, x) in (0..rows.output()).flat_map(|y| (0..columns.output()).map(move |x| (y, x))) {
        for (i, j) in (0..rows.size).flat_map(|i| (0..columns.size).map(move |j| (i, j))) {
            let (row, column) = (meets(rows, y, i), meets(columns, x, j));
            if row >= rows.input || column >= columns.input {
                continue;
            }
            for f in 0..filters {
                let at = (row * columns.input + column) * size.channels + f / size.multiplier;
                let (k, o) = ((i * columns.size + j) * filters + f, (y * columns.output() + x) * filters + f);
                output[o] += image[at] * kernel[k];
                to_input[at] += gradient[o] * kernel[k];
                to_kernel[k] += 2.0 * gradient[o] * image[at];
            }
        }
    }
    output.iter_mut().for_each(|y| *y = y.max(0.0));
    to_input.iter_mut().zip(&image).for_each(|(dx, &x)| *dx = if x > 0.0 { *dx } else { 0.0 });
    [output, to_input, to_kernel]
}

#[test]
fn passes_are_the_sums_they_should_be() {
    for size in sizes() {
        for (pass, (got, exact)) in all_passes(Isa::PORTABLE, size).iter().zip(&exact(size)).enumerate() {
            for (i, (&got, &exact)) in got.iter().zip(exact).enumerate() {
                let error = (f64::from(got) - exact).abs();
                assert!(error <= 3e-5 * exact.abs().max(1.0), "{size:?}, pass {pass}: {i} is {got}, not {exact}");
            }
        }
    }
}

#[test]
fn every_instruction_set_gives_the_same_bits() {
    for size in sizes() {
        let portable = all_passes(Isa::PORTABLE, size);
        for isa in Isa::available() {
            assert_eq!(all_passes(isa, size), portable, "{isa:?} {size:?}");
        }
    }
}
