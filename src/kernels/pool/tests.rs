use super::*;
use crate::kernels::numbers;
use crate::kernels::window::{Axis, Padding, small_axes};

/// Poolings of all kinds: every small window in turn down the rows and along a row, with odd numbers of channels.
fn sizes() -> Vec<Pool> {
    let axes: Vec<Axis> = small_axes().filter(|axis| axis.dilation == 1).collect();
    let window = |i: usize| Window { rows: axes[i], columns: axes[(i * 37 + 11) % axes.len()] };
    let mut sizes: Vec<Pool> =
        (0..axes.len()).map(|i| Pool { window: window(i), channels: [1, 3, 7, 17, 33, 70][i % 6] }).collect();
    for (height, width, padding) in [(26, 26, Padding::Valid), (5, 7, Padding::Valid), (5, 7, Padding::Same)] {
        let axis = |input| Axis::new(input, 2, 2, 1, padding).unwrap();
        sizes.push(Pool { window: Window { rows: axis(height), columns: axis(width) }, channels: 64 });
    }
    sizes
}

/// An image with many equal elements, as relu and few levels make them.
fn image(len: usize) -> Vec<f32> {
    numbers(1, len).iter().map(|x| (x * 4.0).round().max(-1.0)).collect()
}

/// Every pass on an instruction set: max, to its input (gated and not), average, to its input (gated and not).
fn all_passes(isa: Isa, size: Pool, x: &[f32]) -> [Vec<f32>; 6] {
    let dy = numbers(2, size.output_len());
    let (nan, nan_out) = (|| vec![f32::NAN; size.input_len()], || vec![f32::NAN; size.output_len()]);
    let (mut max, mut average) = (nan_out(), nan_out());
    size.max(isa, x, &mut max);
    size.average(isa, x, &mut average);
    let [mut to_max, mut to_max_gated, mut to_average, mut to_average_gated] = [nan(), nan(), nan(), nan()];
    size.max_gradient(isa, x, &max, &dy, false, &mut to_max);
    size.max_gradient(isa, x, &max, &dy, true, &mut to_max_gated);
    size.average_gradient(isa, &dy, None, &mut to_average);
    size.average_gradient(isa, &dy, Some(x), &mut to_average_gated);
    [max, to_max, to_max_gated, average, to_average, to_average_gated]
}

/// The same over all pixels.
fn all_global_passes(isa: Isa, channels: usize, x: &[f32]) -> [Vec<f32>; 6] {
    let dy = numbers(2, channels);
    let (nan, nan_out) = (|| vec![f32::NAN; x.len()], || vec![f32::NAN; channels]);
    let (mut max, mut average) = (nan_out(), nan_out());
    global_max(isa, x, &mut max);
    global_average(isa, x, &mut average);
    let [mut to_max, mut to_max_gated, mut to_average, mut to_average_gated] = [nan(), nan(), nan(), nan()];
    global_max_gradient(isa, x, &max, &dy, false, &mut to_max);
    global_max_gradient(isa, x, &max, &dy, true, &mut to_max_gated);
    global_average_gradient(isa, &dy, None, &mut to_average);
    global_average_gradient(isa, &dy, Some(x), &mut to_average_gated);
    [max, to_max, to_max_gated, average, to_average, to_average_gated]
}

/// The same by plain loops in double precision.
fn exact(size: Pool, x: &[f32]) -> [Vec<f64>; 6] {
    let (Window { rows, columns }, channels) = (size.window, size.channels);
    let dy = numbers(2, size.output_len());
    let [mut to_max, mut to_average] = [vec![0.0; x.len()], vec![0.0; x.len()]];
    let [mut max, mut average] = [Vec::new(), Vec::new()];
    for (y, w) in (0..rows.output()).flat_map(|y| (0..columns.output()).map(move |w| (y, w))) {
        for c in 0..channels {
            let places = (0..rows.size).flat_map(|i| (0..columns.size).map(move |j| (i, j)));
            let seen: Vec<usize> = places
                .map(|(i, j)| {
                    (
                        (y * rows.stride + i).wrapping_sub(rows.before),
                        (w * columns.stride + j).wrapping_sub(columns.before),
                    )
                })
                .filter(|&(i, j)| i < rows.input && j < columns.input)
                .map(|(i, j)| (i * columns.input + j) * channels + c)
                .collect();
            let best = seen.iter().copied().reduce(|best, i| if x[i] > x[best] { i } else { best }).unwrap();
            let dy = f64::from(dy[max.len()]);
            max.push(f64::from(x[best]));
            average.push(seen.iter().map(|&i| f64::from(x[i])).sum::<f64>() / seen.len() as f64);
            to_max[best] += dy;
            seen.iter().for_each(|&i| to_average[i] += dy / seen.len() as f64);
        }
    }
    let gate = |dx: &[f64]| dx.iter().zip(x).map(|(&dx, &x)| if x > 0.0 { dx } else { 0.0 }).collect();
    let (max_gated, average_gated) = (gate(&to_max), gate(&to_average));
    [max, to_max, max_gated, average, to_average, average_gated]
}

/// The same where the window is the image: equals share a maximum's gradient.
fn exact_global(size: Pool, x: &[f32]) -> [Vec<f64>; 6] {
    let [max, _, _, average, to_average, to_average_gated] = exact(size, x);
    let dy = numbers(2, size.channels);
    let share = |(i, &element): (usize, &f32)| {
        let channel = i % size.channels;
        let is_max = |x: &f32| f64::from(*x) == max[channel];
        let equals = x.iter().skip(channel).step_by(size.channels).filter(|x| is_max(x)).count();
        if is_max(&element) { f64::from(dy[channel]) / equals as f64 } else { 0.0 }
    };
    let to_max: Vec<f64> = x.iter().enumerate().map(share).collect();
    let gated = to_max.iter().zip(x).map(|(&dx, &x)| if x > 0.0 { dx } else { 0.0 }).collect();
    [max, to_max, gated, average, to_average, to_average_gated]
}

fn close(got: &[Vec<f32>; 6], exact: &[Vec<f64>; 6], what: &str) {
    for (pass, (got, exact)) in got.iter().zip(exact).enumerate() {
        assert_eq!(got.len(), exact.len());
        for (i, (&got, &exact)) in got.iter().zip(exact).enumerate() {
            let error = (f64::from(got) - exact).abs();
            assert!(error <= 1e-6 * exact.abs().max(1.0), "{what}, pass {pass}: element {i} is {got}, not {exact}");
        }
    }
}

#[test]
fn pooling_is_what_plain_loops_give() {
    for size in sizes() {
        let x = image(size.input_len());
        close(&all_passes(Isa::PORTABLE, size, &x), &exact(size, &x), &format!("{size:?}"));
    }
}

#[test]
fn pooling_over_all_pixels_is_what_plain_loops_give() {
    for (height, width, channels) in [(1, 1, 1), (5, 3, 7), (4, 4, 33), (7, 2, 70)] {
        let axis = |input| Axis::new(input, input, 1, 1, Padding::Valid).unwrap();
        let size = Pool { window: Window { rows: axis(height), columns: axis(width) }, channels };
        let x = image(size.input_len());
        close(&all_global_passes(Isa::PORTABLE, channels, &x), &exact_global(size, &x), &format!("{size:?}"));
        for isa in Isa::available() {
            let portable = all_global_passes(Isa::PORTABLE, channels, &x);
            assert_eq!(all_global_passes(isa, channels, &x), portable, "{isa:?} {size:?}");
        }
    }
}

#[test]
fn every_instruction_set_gives_the_same_bits() {
    for size in sizes() {
        let x = image(size.input_len());
        let portable = all_passes(Isa::PORTABLE, size, &x);
        for isa in Isa::available() {
            assert_eq!(all_passes(isa, size, &x), portable, "{isa:?} {size:?}");
        }
    }
}

/// A window of 2 x 2, wherever the NaN is in it; nine channels, so that a vector and the end of a row have one.
#[test]
fn what_is_no_number_in_a_window_is_none_in_the_output() {
    let axis = Axis::new(4, 2, 2, 1, Padding::Valid).unwrap();
    let size = Pool { window: Window { rows: axis, columns: axis }, channels: 9 };
    for isa in Isa::available() {
        for (channel, place) in [0, 8].into_iter().flat_map(|c| [0, 1, 4, 5].map(|p| (c, p))) {
            let mut x = numbers(3, size.input_len());
            x[place * 9 + channel] = f32::NAN;
            let [max, to_max, gated, average, ..] = all_passes(isa, size, &x);
            for y in [&max, &average] {
                let nan: Vec<usize> = (0..y.len()).filter(|&i| y[i].is_nan()).collect();
                assert_eq!(nan, [channel], "{isa:?}");
            }
            let dy = numbers(2, size.output_len())[channel];
            let window = |dx: &[f32]| [0, 1, 4, 5].map(|p| dx[p * 9 + channel]);
            assert_eq!(window(&to_max), [0, 1, 4, 5].map(|p| if p == place { dy } else { 0.0 }), "{isa:?}");
            assert_eq!(window(&gated), [0.0; 4], "{isa:?}");
            global_max(isa, &x.clone(), &mut x[..9]);
            assert!(x[channel].is_nan());
        }
    }
}

#[test]
fn the_lowest_numbers_win_over_padding() {
    let axis = Axis::new(3, 3, 1, 1, Padding::Same).unwrap();
    let size = Pool { window: Window { rows: axis, columns: axis }, channels: 1 };
    let mut y = [0.0; 9];
    size.max(Isa::PORTABLE, &[f32::NEG_INFINITY; 9], &mut y);
    assert_eq!(y, [f32::NEG_INFINITY; 9]);
}
