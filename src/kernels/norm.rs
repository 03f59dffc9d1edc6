//! Normalization of the channels of `[rows, C]`, rows being the pixels of all of a batch's images; vectors run over
//! channels.
//!
//! Sums over rows are computed chunk by chunk, and continue from the existing values: the caller cuts the rows by the
//! shapes alone, and adds the chunks' sums in order. There are two passes, because the mean must be known before the
//! squares around it are summed; a sum of plain squares would lose the variance of channels far from zero.
//!
//! ```text
//!   forward    sum x  ->  mean  ->  sum (x - mean)^2  ->  scale = gamma / sqrt(var + eps)  ->  y = (x - mean) * scale + beta
//!   backward   sum dy, sum dy * xhat  ->  dx = scale * (dy - mean of dy - xhat * mean of dy * xhat)
//!                                         with xhat = (x - mean) / sqrt(var + eps)
//! ```

use super::Simd;
use super::isa::{Isa, SimdLoop};
use super::vectors::{ByColumn, Down, by_column, down};

/// Adds each row of `x` to `sum`, in order.
pub fn add_sums(isa: Isa, x: &[f32], sum: &mut [f32]) {
    super::rows::sum_rows(isa, x, sum.len(), 0, sum);
}

/// Adds each row's `(x - mean)^2` to `sum`, in order.
pub fn add_squares(isa: Isa, x: &[f32], mean: &[f32], sum: &mut [f32]) {
    assert!(x.len().is_multiple_of(mean.len()) && sum.len() == mean.len());
    isa.run(AddSquares { x, mean, sum });
}

struct AddSquares<'a> {
    x: &'a [f32],
    mean: &'a [f32],
    sum: &'a mut [f32],
}

impl SimdLoop for AddSquares<'_> {
    type Output = ();
    #[inline(always)]
    fn run<V: Simd>(self) {
        let AddSquares { x, mean, sum } = self;
        // SAFETY: each of the rows is as long as the mean and the sum.
        unsafe { down::<V, 1>(&Squares { x, mean }, x.len() / mean.len(), [sum]) };
    }
}

struct Squares<'a> {
    x: &'a [f32],
    mean: &'a [f32],
}

impl Down<1> for Squares<'_> {
    #[inline(always)]
    unsafe fn step<V: Simd>(&self, [sum]: [V; 1], row: usize, at: usize, n: usize) -> [V; 1] {
        // SAFETY: the caller's.
        unsafe {
            let x = V::load_up_to(self.x.as_ptr().add(row * self.mean.len() + at), n);
            let x = x.sub(V::load_up_to(self.mean.as_ptr().add(at), n));
            [x.fma(x, sum)]
        }
    }
}

/// Writes `(x - mean) * scale + beta` to `y`; with `relu`, 0 where that is below.
pub fn normalize(isa: Isa, x: &[f32], [mean, scale, beta]: [&[f32]; 3], relu: bool, y: &mut [f32]) {
    let channels = mean.len();
    assert!(scale.len() == channels && beta.len() == channels);
    assert!(x.len().is_multiple_of(channels) && y.len() == x.len());
    match relu {
        true => isa.run(Normalize::<true> { x, mean, scale, beta, y }),
        false => isa.run(Normalize::<false> { x, mean, scale, beta, y }),
    }
}

struct Normalize<'a, const RELU: bool> {
    x: &'a [f32],
    mean: &'a [f32],
    scale: &'a [f32],
    beta: &'a [f32],
    y: &'a mut [f32],
}

impl<const RELU: bool> SimdLoop for Normalize<'_, RELU> {
    type Output = ();
    #[inline(always)]
    fn run<V: Simd>(mut self) {
        let (rows, channels) = (self.x.len() / self.mean.len(), self.mean.len());
        // SAFETY: `x` and `y` are rows of so many channels, and so are the other slices.
        unsafe { by_column::<V, 3>(&mut self, rows, channels) };
    }
}

impl<const RELU: bool> ByColumn<3> for Normalize<'_, RELU> {
    #[inline(always)]
    unsafe fn numbers<V: Simd>(&self, at: usize, n: usize) -> [V; 3] {
        // SAFETY: the caller's.
        [self.mean, self.scale, self.beta].map(|all| unsafe { V::load_up_to(all.as_ptr().add(at), n) })
    }

    #[inline(always)]
    unsafe fn vector<V: Simd>(&mut self, &[mean, scale, beta]: &[V; 3], row: usize, at: usize, n: usize) {
        let at = row * self.mean.len() + at;
        // SAFETY: the caller's.
        unsafe {
            let y = V::load_up_to(self.x.as_ptr().add(at), n).sub(mean).fma(scale, beta);
            let y = if RELU { y.relu() } else { y };
            y.store_up_to(self.y.as_mut_ptr().add(at), n);
        }
    }
}

/// The statistics by which the input's channels were normalized.
#[derive(Clone, Copy, Debug)]
pub struct Normalized<'a> {
    /// The input, `[rows, C]`.
    pub x: &'a [f32],
    /// Its channels' means.
    pub mean: &'a [f32],
    /// `1 / sqrt(var + eps)` of each channel.
    pub inverse: &'a [f32],
}

impl Normalized<'_> {
    fn check(&self, dy: &[f32]) {
        assert!(self.inverse.len() == self.mean.len() && self.x.len().is_multiple_of(self.mean.len()));
        assert_eq!(dy.len(), self.x.len());
    }

    /// `(x - mean) / sqrt(var + eps)` of `n` elements of row `row` from channel `at` on.
    ///
    /// # Safety
    /// As [`Simd`]; there must be that many.
    #[inline(always)]
    unsafe fn xhat<V: Simd>(&self, row: usize, at: usize, n: usize) -> V {
        // SAFETY: the caller's.
        unsafe {
            let x = V::load_up_to(self.x.as_ptr().add(row * self.mean.len() + at), n);
            let x = x.sub(V::load_up_to(self.mean.as_ptr().add(at), n));
            x.mul(V::load_up_to(self.inverse.as_ptr().add(at), n))
        }
    }

    /// Adds each row's `dy` to `sum`, which is beta's gradient, and its `dy * xhat` to `sum_xhat`, which is gamma's; in
    /// order.
    pub fn add_gradients(&self, isa: Isa, dy: &[f32], sum: &mut [f32], sum_xhat: &mut [f32]) {
        self.check(dy);
        assert!(sum.len() == self.mean.len() && sum_xhat.len() == sum.len());
        isa.run(AddGradients { all: *self, dy, sum, sum_xhat });
    }

    /// Writes the gradient to the input, `scale * (dy - mean_dy - xhat * mean_dy_xhat)`, to `dx`: `scale` is
    /// `gamma / sqrt(var + eps)`, the means are those sums over the number of rows that took part in mean and variance.
    pub fn input_gradient(&self, isa: Isa, dy: &[f32], [scale, mean_dy, mean_dy_xhat]: [&[f32]; 3], dx: &mut [f32]) {
        self.check(dy);
        let channels = self.mean.len();
        assert!(scale.len() == channels && mean_dy.len() == channels && mean_dy_xhat.len() == channels);
        assert_eq!(dx.len(), dy.len());
        isa.run(InputGradient { all: *self, dy, scale, mean_dy, mean_dy_xhat, dx });
    }
}

struct AddGradients<'a> {
    all: Normalized<'a>,
    dy: &'a [f32],
    sum: &'a mut [f32],
    sum_xhat: &'a mut [f32],
}

impl SimdLoop for AddGradients<'_> {
    type Output = ();
    #[inline(always)]
    fn run<V: Simd>(self) {
        let AddGradients { all, dy, sum, sum_xhat } = self;
        // SAFETY: each of the rows is as long as the sums.
        unsafe { down::<V, 2>(&Gradients { all, dy }, dy.len() / all.mean.len(), [sum, sum_xhat]) };
    }
}

struct Gradients<'a> {
    all: Normalized<'a>,
    dy: &'a [f32],
}

impl Down<2> for Gradients<'_> {
    #[inline(always)]
    unsafe fn step<V: Simd>(&self, [sum, sum_xhat]: [V; 2], row: usize, at: usize, n: usize) -> [V; 2] {
        // SAFETY: the caller's.
        unsafe {
            let dy = V::load_up_to(self.dy.as_ptr().add(row * self.all.mean.len() + at), n);
            [sum.add(dy), self.all.xhat::<V>(row, at, n).fma(dy, sum_xhat)]
        }
    }
}

struct InputGradient<'a> {
    all: Normalized<'a>,
    dy: &'a [f32],
    scale: &'a [f32],
    mean_dy: &'a [f32],
    mean_dy_xhat: &'a [f32],
    dx: &'a mut [f32],
}

impl SimdLoop for InputGradient<'_> {
    type Output = ();
    #[inline(always)]
    fn run<V: Simd>(mut self) {
        let (rows, channels) = (self.dy.len() / self.scale.len(), self.scale.len());
        // SAFETY: `x`, `dy` and `dx` are rows of so many channels, and so are the other slices.
        unsafe { by_column::<V, 5>(&mut self, rows, channels) };
    }
}

impl ByColumn<5> for InputGradient<'_> {
    #[inline(always)]
    unsafe fn numbers<V: Simd>(&self, at: usize, n: usize) -> [V; 5] {
        let all = [self.all.mean, self.all.inverse, self.scale, self.mean_dy, self.mean_dy_xhat];
        // SAFETY: the caller's.
        all.map(|all| unsafe { V::load_up_to(all.as_ptr().add(at), n) })
    }

    #[inline(always)]
    unsafe fn vector<V: Simd>(&mut self, numbers: &[V; 5], row: usize, at: usize, n: usize) {
        let &[mean, inverse, scale, mean_dy, mean_dy_xhat] = numbers;
        let at = row * self.scale.len() + at;
        // SAFETY: the caller's.
        unsafe {
            let xhat = V::load_up_to(self.all.x.as_ptr().add(at), n).sub(mean).mul(inverse);
            let dy = V::load_up_to(self.dy.as_ptr().add(at), n).sub(mean_dy);
            dy.sub(xhat.mul(mean_dy_xhat)).mul(scale).store_up_to(self.dx.as_mut_ptr().add(at), n);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::numbers;

    const SIZES: [[usize; 2]; 7] = [[1, 1], [5, 3], [9, 7], [4, 17], [130, 33], [676, 64], [50, 70]]; // rows, C

    /// Channels with means of their own.
    fn input(rows: usize, channels: usize) -> Vec<f32> {
        numbers(1, rows * channels).iter().enumerate().map(|(i, x)| x + (i % channels % 5) as f32).collect()
    }

    fn means(sums: &[f32], rows: usize) -> Vec<f32> {
        sums.iter().map(|sum| sum / rows as f32).collect()
    }

    /// Mean, variance, output with and without relu, gradients of beta and gamma, gradient to the input.
    fn all_passes(isa: Isa, [rows, channels]: [usize; 2]) -> [Vec<f32>; 7] {
        let (x, dy) = (input(rows, channels), numbers(2, rows * channels));
        let (gamma, beta) = (numbers(3, channels), numbers(4, channels));
        let zeros = || vec![0.0; channels];
        let [mut sum, mut squares, mut sum_dy, mut sum_xhat] = [zeros(), zeros(), zeros(), zeros()];
        let middle = rows / 2 * channels; // in two chunks
        add_sums(isa, &x[..middle], &mut sum);
        add_sums(isa, &x[middle..], &mut sum);
        let mean = means(&sum, rows);
        add_squares(isa, &x[..middle], &mean, &mut squares);
        add_squares(isa, &x[middle..], &mean, &mut squares);
        let variance = means(&squares, rows);
        let inverse: Vec<f32> = variance.iter().map(|variance| 1.0 / (variance + 1e-3).sqrt()).collect();
        let scale: Vec<f32> = gamma.iter().zip(&inverse).map(|(gamma, inverse)| gamma * inverse).collect();
        let [mut y, mut relu, mut dx] = std::array::from_fn(|_| vec![f32::NAN; x.len()]);
        normalize(isa, &x, [&mean, &scale, &beta], false, &mut y);
        normalize(isa, &x, [&mean, &scale, &beta], true, &mut relu);
        let all = Normalized { x: &x, mean: &mean, inverse: &inverse };
        all.add_gradients(isa, &dy, &mut sum_dy, &mut sum_xhat);
        all.input_gradient(isa, &dy, [&scale, &means(&sum_dy, rows), &means(&sum_xhat, rows)], &mut dx);
        [mean, variance, y, relu, sum_dy, sum_xhat, dx]
    }

    /// The same by plain loops in double precision.
    fn exact([rows, channels]: [usize; 2]) -> [Vec<f64>; 7] {
        let wide = |x: Vec<f32>| -> Vec<f64> { x.into_iter().map(f64::from).collect() };
        let (x, dy) = (wide(input(rows, channels)), wide(numbers(2, rows * channels)));
        let (gamma, beta) = (wide(numbers(3, channels)), wide(numbers(4, channels)));
        let mean_of =
            |f: &dyn Fn(usize) -> f64, c: usize| (0..rows).map(|row| f(row * channels + c)).sum::<f64>() / rows as f64;
        let mean: Vec<f64> = (0..channels).map(|c| mean_of(&|i| x[i], c)).collect();
        let variance: Vec<f64> = (0..channels).map(|c| mean_of(&|i| (x[i] - mean[c]).powi(2), c)).collect();
        let xhat = |i: usize| (x[i] - mean[i % channels]) / (variance[i % channels] + 1e-3).sqrt();
        let y: Vec<f64> = (0..x.len()).map(|i| xhat(i) * gamma[i % channels] + beta[i % channels]).collect();
        let relu = y.iter().map(|y| y.max(0.0)).collect();
        let mean_dy: Vec<f64> = (0..channels).map(|c| mean_of(&|i| dy[i], c)).collect();
        let mean_xhat: Vec<f64> = (0..channels).map(|c| mean_of(&|i| dy[i] * xhat(i), c)).collect();
        let dx = (0..x.len())
            .map(|i| {
                let c = i % channels;
                gamma[c] / (variance[c] + 1e-3).sqrt() * (dy[i] - mean_dy[c] - xhat(i) * mean_xhat[c])
            })
            .collect();
        let times_rows = |means: Vec<f64>| means.iter().map(|mean| mean * rows as f64).collect();
        [mean, variance, y, relu, times_rows(mean_dy), times_rows(mean_xhat), dx]
    }

    #[test]
    fn passes_are_what_plain_loops_give() {
        for size in SIZES {
            for (pass, (got, exact)) in all_passes(Isa::PORTABLE, size).iter().zip(&exact(size)).enumerate() {
                assert_eq!(got.len(), exact.len());
                for (i, (&got, &exact)) in got.iter().zip(exact).enumerate() {
                    let error = (f64::from(got) - exact).abs();
                    assert!(error <= 5e-4 * exact.abs().max(1.0), "{size:?}, pass {pass}: {i} is {got}, not {exact}");
                }
            }
        }
    }

    #[test]
    fn every_instruction_set_gives_the_same_bits() {
        for size in SIZES {
            let portable = all_passes(Isa::PORTABLE, size);
            for isa in Isa::available() {
                assert_eq!(all_passes(isa, size), portable, "{isa:?} {size:?}");
            }
        }
    }

    #[test]
    fn the_variance_of_channels_far_from_zero_is_not_lost() {
        let x = [4096.0, 4097.0, 4096.0, 4097.0];
        let (mut sum, mut squares) = ([0.0], [0.0]);
        add_sums(Isa::PORTABLE, &x, &mut sum);
        add_squares(Isa::PORTABLE, &x, &[sum[0] / 4.0], &mut squares);
        assert_eq!(squares, [1.0]);
    }
}
