use super::*;
use crate::kernels::window::{Padding, small_axes};
use crate::kernels::{numbers, rows};

const PLAIN: [ConvShape; 6] = [
    ConvShape::new(1, 1, 1, 1, [1, 1]),
    ConvShape::new(3, 3, 3, 7, [3, 3]),
    ConvShape::new(9, 5, 2, 16, [5, 5]),
    ConvShape::new(12, 31, 1, 33, [3, 3]),
    ConvShape::new(6, 30, 5, 96, [2, 2]),
    ConvShape::new(28, 28, 4, 64, [3, 3]),
];

/// Channels, filters and groups.
const COUNTS: [(usize, usize, usize); 9] =
    [(1, 1, 1), (3, 7, 1), (7, 3, 1), (4, 6, 2), (17, 33, 1), (33, 17, 1), (6, 9, 3), (34, 36, 2), (5, 5, 5)];

/// The plain ones, and every small window in turn down the rows and along a row.
fn sizes() -> Vec<ConvShape> {
    let axes: Vec<Axis> = small_axes().collect();
    let mut sizes = PLAIN.to_vec();
    for (i, &columns) in axes.iter().enumerate() {
        let (window, (channels, filters, groups)) =
            (Window { rows: axes[(i * 37 + 11) % axes.len()], columns }, COUNTS[i % COUNTS.len()]);
        sizes.push(ConvShape::of(window, channels, filters, groups));
    }
    for (stride, dilation, groups) in [(1, 1, 1), (2, 1, 1), (1, 2, 2), (3, 1, 4)] {
        let axis = |input, size| Axis::new(input, size, stride, dilation, Padding::Same).unwrap();
        sizes.push(ConvShape::of(Window { rows: axis(15, 3), columns: axis(30, 2) }, 20, 72, groups));
    }
    sizes
}

/// Calls `visit` with the indices of image, kernel and output element of every product.
fn products(size: ConvShape, mut visit: impl FnMut(usize, usize, usize)) {
    let (channels, filters, [kh, kw]) = (size.group_channels(), size.group_filters(), size.kernel_size);
    for (y, x) in (0..size.out_height()).flat_map(|y| (0..size.out_width()).map(move |x| (y, x))) {
        for (i, j) in (0..kh).flat_map(|i| (0..kw).map(move |j| (i, j))) {
            let row = y * size.strides[0] + i * size.dilation[0];
            let pixel = row * size.width + x * size.strides[1] + j * size.dilation[1];
            for (c, f) in (0..channels).flat_map(|c| (0..size.filters).map(move |f| (c, f))) {
                let image = pixel * size.channels + f / filters * channels + c;
                let weight = ((i * kw + j) * channels + c) * size.filters + f;
                visit(image, weight, (y * size.out_width() + x) * size.filters + f);
            }
        }
    }
}

fn close(got: &[f32], exact: &[f64], what: &str) {
    assert_eq!(got.len(), exact.len(), "{what}");
    for (i, (&got, &exact)) in got.iter().zip(exact).enumerate() {
        let error = (f64::from(got) - exact).abs();
        assert!(error <= 1e-5 * exact.abs().max(1.0), "{what}: element {i} is {got}, not {exact}");
    }
}

/// An image with padding of zeros.
fn image(size: ConvShape) -> Vec<f32> {
    let mut image = vec![0.0; size.input_len()];
    let unpadded = numbers(1, size.unpadded_len());
    // In two bands of rows.
    size.fill_padded(&unpadded, 0..size.height / 2, &mut image);
    size.fill_padded(&unpadded, size.height / 2..size.height, &mut image);
    let mut again = vec![f32::NAN; unpadded.len()];
    size.read_padded(&image, &mut again);
    assert_eq!(again, unpadded, "{size:?}");
    image
}

/// Output, gradient to the kernel, gradient to the input by the pass for strides, and by that for none where there is none.
fn all_passes(isa: Isa, size: ConvShape) -> Vec<Vec<f32>> {
    let (image, unpadded) = (image(size), numbers(1, size.unpadded_len()));
    let (kernel, bias) = (numbers(2, size.kernel_len()), numbers(3, size.filters));
    let gradient = numbers(4, size.output_len());

    let mut packed = vec![f32::NAN; size.packed_len(isa)];
    size.pack(isa, &kernel, &mut packed);
    let mut output = vec![f32::NAN; size.output_len()];
    size.forward(isa, &image, &packed, Finish::Bias { bias: &bias, relu: false }, &mut output);

    let stride = size.group_filters().next_multiple_of(isa.lanes());
    let mut padded = vec![f32::NAN; size.output_len() / size.group_filters() * stride];
    rows::pad_rows(&gradient, size.group_filters(), &mut padded, stride);
    let mut to_kernel = vec![0.0; size.kernel_len()];
    size.kernel_gradient(isa, &image, &padded, stride, &mut to_kernel);

    let turned = size.turned();
    let (mut packed, mut kernel_turned) = (vec![f32::NAN; turned.packed_len(isa)], vec![f32::NAN; kernel.len()]);
    size.turn(isa, &kernel, &mut kernel_turned);
    turned.pack(isa, &kernel_turned, &mut packed);
    let mut to_input = vec![f32::NAN; size.unpadded_len()];
    size.input_gradient_strided(isa, &gradient, &packed, Finish::Gate(Some(&unpadded)), &mut to_input);
    let mut results = vec![output, to_kernel, to_input];
    if size.strides == [1, 1] {
        let mut halo = vec![0.0; size.halo_len()];
        size.fill_halo(&gradient, &mut halo);
        let mut to_input = vec![f32::NAN; size.unpadded_len()];
        turned.forward(isa, &halo, &packed, Finish::Gate(Some(&unpadded)), &mut to_input);
        results.push(to_input);
    }
    results
}

#[test]
fn passes_are_the_sums_they_should_be() {
    for size in sizes() {
        let (image, bias) = (image(size), numbers(3, size.filters));
        let (kernel, gradient) = (numbers(2, size.kernel_len()), numbers(4, size.output_len()));
        let mut output: Vec<f64> = (0..size.output_len()).map(|i| f64::from(bias[i % size.filters])).collect();
        let (mut to_padded, mut to_kernel) = (vec![0.0; image.len()], vec![0.0; kernel.len()]);
        products(size, |i, k, o| {
            output[o] += f64::from(image[i]) * f64::from(kernel[k]);
            to_padded[i] += f64::from(gradient[o]) * f64::from(kernel[k]);
            to_kernel[k] += f64::from(gradient[o]) * f64::from(image[i]);
        });
        // Of the gradient to the padded image, what is not padding.
        let Edges { top, bottom, left, right } = size.padding;
        let pixels = (top..size.height - bottom).flat_map(|y| (left..size.width - right).map(move |x| (y, x)));
        let elements =
            pixels.flat_map(|(y, x)| (0..size.channels).map(move |c| (y * size.width + x) * size.channels + c));
        let to_input: Vec<f64> = elements.map(|i| if image[i] > 0.0 { to_padded[i] } else { 0.0 }).collect();
        let got = all_passes(Isa::PORTABLE, size);
        close(&got[0], &output, &format!("output of {size:?}"));
        close(&got[1], &to_kernel, &format!("gradient to the kernel of {size:?}"));
        for got in &got[2..] {
            close(got, &to_input, &format!("gradient to the input of {size:?}"));
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

/// The pass for strides and that over a haloed gradient form the same chains, but for products with zeros.
#[test]
fn both_passes_to_the_input_give_the_same_bits() {
    for size in sizes() {
        if let [.., strided, haloed] = &all_passes(Isa::PORTABLE, size)[2..] {
            assert_eq!(strided, haloed, "{size:?}");
        }
    }
}

#[test]
fn a_window_is_that_of_its_convolution() {
    for columns in small_axes() {
        let rows = Axis::new(9, 3, 2, 2, Padding::Same).unwrap();
        let size = ConvShape::of(Window { rows, columns }, 1, 1, 1);
        assert_eq!(size.window(), Window { rows, columns });
        assert_eq!([size.out_height(), size.out_width()], [rows.output(), columns.output()]);
        assert_eq!(
            size.rows_under(size.out_height()).next_multiple_of(size.strides[0]),
            size.height.next_multiple_of(2)
        );
    }
}

/// In bands of rows the passes forward give the same: each band is an image of its own.
#[test]
fn bands_of_rows_are_images() {
    let axis = |input| Axis::new(input, 3, 2, 1, Padding::Same).unwrap();
    let (isa, size) = (Isa::PORTABLE, ConvShape::of(Window { rows: axis(14), columns: axis(9) }, 4, 6, 2));
    let (image, kernel) = (image(size), numbers(2, size.kernel_len()));
    let mut packed = vec![0.0; size.packed_len(isa)];
    size.pack(isa, &kernel, &mut packed);
    let (mut whole, mut bands) = (vec![f32::NAN; size.output_len()], vec![f32::NAN; size.output_len()]);
    size.forward(isa, &image, &packed, Finish::Gate(None), &mut whole);
    let (row, out_row) = (size.width * size.channels, size.out_width() * size.filters);
    for (i, band) in bands.chunks_mut(3 * out_row).enumerate() {
        let height = size.rows_under(band.len() / out_row);
        let image = &image[i * 3 * size.strides[0] * row..][..height * row];
        ConvShape { height, ..size }.forward(isa, image, &packed, Finish::Gate(None), band);
    }
    assert_eq!(bands, whole);
}

#[test]
fn relu_ends_the_forward_pass() {
    let size = ConvShape::new(2, 2, 1, 2, [1, 1]);
    for isa in Isa::available() {
        let mut packed = vec![0.0; size.packed_len(isa)];
        size.pack(isa, &[1.0, -1.0], &mut packed);
        let mut output = [f32::NAN; 8];
        let finish = Finish::Bias { bias: &[0.5, 0.5], relu: true };
        size.forward(isa, &[1.0, -1.0, 0.0, 0.25], &packed, finish, &mut output);
        assert_eq!(output, [1.5, 0.0, 0.0, 1.5, 0.5, 0.5, 0.75, 0.25]);
    }
}
