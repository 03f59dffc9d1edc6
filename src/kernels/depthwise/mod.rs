//! Depthwise convolution of one image: every channel on its own, so that vectors run over channels in all three passes.
//!
//! An image is `[H, W, C]`, a kernel `[kh, kw, C, M]`, the output has `C * M` channels, of which `c * M + m` comes from
//! channel c. A kernel has the layout of `C * M` channels with one filter each, and if M is not 1 it is treated so:
//! each element of the image is repeated M times first.
//!
//! Forward, and back to the input, a tile is a few pixels of a row that see the same places of the window, so that a
//! vector of the kernel is loaded once for all of them; pixels near the edge, or between the steps of a strided window,
//! see fewer places ([`Taps`]), and no product with padding or with a place that is not there is ever formed:
//!
//! ```text
//!   to the input, size 3, stride 2:    output      0     1     2
//!                                      inputs    0  1  2  3  4  5  6       even ones meet places 0 and 2, odd ones place 1
//! ```
//!
//! The gradient to the kernel keeps up to three places of a row of the kernel in registers, four vectors of channels each,
//! and goes through all pixels.

mod kernel_gradient;

use super::Simd;
use super::conv2d::Finish;
use super::isa::{Isa, SimdLoop};
use super::tile::Sums;
use super::window::{Taps, Window};
use kernel_gradient::KernelGradient;

/// The sizes of a depthwise convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Depthwise {
    /// The windows.
    pub window: Window,
    /// Channels of a pixel, C.
    pub channels: usize,
    /// Filters of a channel, M.
    pub multiplier: usize,
}

impl Depthwise {
    /// Channels of an output pixel.
    pub fn filters(&self) -> usize {
        self.channels * self.multiplier
    }

    /// Elements of an image.
    pub fn input_len(&self) -> usize {
        self.window.inputs() * self.channels
    }

    /// Elements of an output image.
    pub fn output_len(&self) -> usize {
        self.window.outputs() * self.filters()
    }

    /// Elements of the kernel.
    pub fn kernel_len(&self) -> usize {
        self.window.places() * self.filters()
    }

    /// Elements of scratch that each of the passes needs.
    pub fn scratch_len(&self) -> usize {
        if self.multiplier == 1 { 0 } else { self.window.inputs() * self.filters() }
    }

    /// Convolves an image: `output = finish(bias + image * kernel)`.
    pub fn forward(
        &self,
        isa: Isa,
        image: &[f32],
        kernel: &[f32],
        finish: Finish<'_>,
        output: &mut [f32],
        scratch: &mut [f32],
    ) {
        assert!(image.len() == self.input_len() && kernel.len() == self.kernel_len());
        assert_eq!(output.len(), self.output_len());
        finish.check(self.filters(), output.len());
        let (window, channels, input) = (self.window, self.filters(), self.spread(image, scratch));
        isa.run(Pass::<true> { window, channels, input, kernel, finish, output });
    }

    /// Writes the gradient to an image from the output's. With a gate, laid out as the image, it counts only where that is
    /// above 0.
    pub fn input_gradient(
        &self,
        isa: Isa,
        gradient: &[f32],
        kernel: &[f32],
        gate: Option<&[f32]>,
        input_gradient: &mut [f32],
        scratch: &mut [f32],
    ) {
        assert!(gradient.len() == self.output_len() && kernel.len() == self.kernel_len());
        assert_eq!(input_gradient.len(), self.input_len());
        let (window, channels, input) = (self.window, self.filters(), gradient);
        let finish = Finish::Gate(gate);
        finish.check(channels, self.input_len());
        if self.multiplier == 1 {
            isa.run(Pass::<false> { window, channels, input, kernel, finish, output: input_gradient });
            return;
        }
        let output = &mut scratch[..self.scratch_len()];
        isa.run(Pass::<false> { window, channels, input, kernel, finish: Finish::Gate(None), output });
        for (i, (sum, shares)) in input_gradient.iter_mut().zip(scratch.chunks_exact(self.multiplier)).enumerate() {
            let open = gate.is_none_or(|gate| gate[i] > 0.0);
            *sum = if open { shares.iter().fold(0.0, |sum, share| sum + share) } else { 0.0 };
        }
    }

    /// Adds an image to the kernel's gradient; each element's chain continues from its value.
    pub fn kernel_gradient(&self, isa: Isa, image: &[f32], gradient: &[f32], sum: &mut [f32], scratch: &mut [f32]) {
        assert!(image.len() == self.input_len() && gradient.len() == self.output_len());
        assert_eq!(sum.len(), self.kernel_len());
        let (window, channels, image) = (self.window, self.filters(), self.spread(image, scratch));
        isa.run(KernelGradient { window, channels, image, gradient, sum });
    }

    /// The image with each element repeated for each filter of its channel.
    fn spread<'a>(&self, image: &'a [f32], scratch: &'a mut [f32]) -> &'a [f32] {
        if self.multiplier == 1 {
            return image;
        }
        let wide = &mut scratch[..self.scratch_len()];
        wide.chunks_exact_mut(self.multiplier).zip(image).for_each(|(wide, &x)| wide.fill(x));
        wide
    }
}

/// Rows whose [`Taps`] are found at once, for each of which some divisions are made.
const BAND: usize = 16;

/// The pass over all of an image: forward, or from the output's gradient to the input's.
struct Pass<'a, const FORWARD: bool> {
    window: Window,
    channels: usize,
    input: &'a [f32],
    kernel: &'a [f32],
    finish: Finish<'a>,
    output: &'a mut [f32],
}

impl<const FORWARD: bool> SimdLoop for Pass<'_, FORWARD> {
    type Output = ();
    #[inline(always)]
    fn run<V: Simd>(mut self) {
        let Window { rows, columns } = self.window;
        let height = if FORWARD { rows.output() } else { rows.input };
        let (width, step) = if FORWARD { (columns.output(), 1) } else { (columns.input, columns.stride) };
        for first in (0..height).step_by(BAND) {
            let band = first..height.min(first + BAND);
            let mut down = [Taps::default(); BAND];
            for (y, down) in band.clone().zip(&mut down) {
                *down = if FORWARD { rows.inputs(y) } else { rows.outputs(y) };
            }
            for phase in 0..step.min(width) {
                let mut x = phase;
                while x < width {
                    let (along, pixels) = if FORWARD { columns.inputs_alike(x) } else { columns.outputs_alike(x) };
                    for (y, &down) in band.clone().zip(&down) {
                        self.row::<V>(down, along, y * width + x, pixels);
                    }
                    x += pixels * step;
                }
            }
        }
    }
}

impl<const FORWARD: bool> Pass<'_, FORWARD> {
    /// From a pixel to the next that can see the same places.
    #[inline(always)]
    fn pixel_step(&self) -> usize {
        if FORWARD { 1 } else { self.window.columns.stride }
    }

    /// Does `pixels` pixels from `pixel` on, which see the same places of the window. The fewer pixels a tile has, the more
    /// vectors of channels, so that there is always something to be summed while a sum waits (14 x 14 x 64, stride 2, to the
    /// input: 5 GFLOP/s with one vector, 15 so; AVX2). Sums that do not fit the registers are left to smaller tiles.
    #[inline(always)]
    fn row<V: Simd>(&mut self, down: Taps, mut along: Taps, mut pixel: usize, mut pixels: usize) {
        if !FORWARD {
            // SAFETY: as for the tiles below, and that many places are named.
            match down.count * along.count {
                1 => return unsafe { self.few::<V, 1>(down, along, pixel, pixels) },
                2 => return unsafe { self.few::<V, 2>(down, along, pixel, pixels) },
                4 => return unsafe { self.few::<V, 4>(down, along, pixel, pixels) },
                _ => (),
            }
        }
        macro_rules! tiles {
            ($($count:literal x $vectors:literal),*) => {
                $(while pixels >= $count && $count * $vectors <= V::SUMS {
                    // SAFETY: the pixels are in what is written and meet what the taps name, which lies in the input; all
                    // have `channels` channels, and so has each place of the kernel.
                    unsafe { self.pixels::<V, $count, $vectors>(down, along, pixel) };
                    pixel += $count * self.pixel_step();
                    along.at += $count * if FORWARD { self.window.columns.stride } else { 1 };
                    pixels -= $count;
                })*
            };
        }
        tiles!(8 x 1, 4 x 2, 2 x 4, 1 x 4);
    }

    /// Does `pixels` pixels from `pixel` on which meet `T` places, `T` being small, as it is back through strides: one vector of
    /// channels after the other, its weights in registers (28 x 28 x 16, stride 2, to the input: 8 GFLOP/s by tiles, 13 so; AVX2).
    ///
    /// # Safety
    /// As [`tile`](Self::tile) for all channels; the taps name `T` places.
    #[inline(always)]
    unsafe fn few<V: Simd, const T: usize>(&mut self, down: Taps, along: Taps, pixel: usize, pixels: usize) {
        let (columns, channels) = (self.window.columns, self.channels);
        let (mut inputs, mut weights) = ([self.input.as_ptr(); T], [self.kernel.as_ptr(); T]);
        for t in 0..T {
            let (i, j) = (t / along.count, t % along.count);
            let row = down.at.wrapping_add_signed(down.step * i as isize) * columns.output();
            let column = along.at.wrapping_add_signed(along.step * j as isize);
            let place = (down.place + i * down.place_step) * columns.size + along.place + j * along.place_step;
            // SAFETY: the caller's.
            unsafe {
                inputs[t] = inputs[t].add((row + column) * channels);
                weights[t] = weights[t].add(place * channels);
            }
        }
        let whole = channels - channels % V::LANES;
        // SAFETY: the caller's.
        unsafe {
            for at in (0..whole).step_by(V::LANES) {
                self.few_channels::<V, T>(inputs, weights, [pixel, pixels], at, V::LANES);
            }
            if whole < channels {
                self.few_channels::<V, T>(inputs, weights, [pixel, pixels], whole, channels - whole);
            }
        }
    }

    /// The `n` channels from `at` on of `pixels` pixels; the first meets `inputs`.
    ///
    /// # Safety
    /// As [`few`](Self::few); there are as many channels.
    #[inline(always)]
    unsafe fn few_channels<V: Simd, const T: usize>(
        &mut self,
        inputs: [*const f32; T],
        weights: [*const f32; T],
        [pixel, pixels]: [usize; 2],
        at: usize,
        n: usize,
    ) {
        let (channels, step) = (self.channels, self.pixel_step() * self.channels);
        // SAFETY: the caller's.
        unsafe {
            let weights = weights.map(|weights| V::load_up_to(weights.add(at), n));
            for p in 0..pixels {
                let mut sum = V::splat(0.0);
                for t in 0..T {
                    sum = V::load_up_to(inputs[t].add(p * channels + at), n).fma(weights[t], sum);
                }
                let to = pixel * channels + p * step + at;
                self.finish.end(sum, to, n).store_up_to(self.output.as_mut_ptr().add(to), n);
            }
        }
    }

    /// All channels of `R` pixels that see the same places of the window, `U` vectors at a time.
    ///
    /// # Safety
    /// As [`tile`](Self::tile) for all channels.
    #[inline(always)]
    unsafe fn pixels<V: Simd, const R: usize, const U: usize>(&mut self, down: Taps, along: Taps, pixel: usize) {
        let mut at = 0;
        // SAFETY: the caller's; the channels from `at` on are there.
        unsafe {
            while at + U * V::LANES <= self.channels {
                self.tile::<V, R, U>(down, along, pixel, at, V::LANES);
                at += U * V::LANES;
            }
            while at < self.channels {
                let n = V::LANES.min(self.channels - at);
                self.tile::<V, R, 1>(down, along, pixel, at, n);
                at += n;
            }
        }
    }

    /// `R` pixels from `pixel` on and `U` vectors of `n` channels from `at` on.
    ///
    /// # Safety
    /// As [`Simd`]: what the taps name lies in the input, the pixels in the output.
    #[inline(always)]
    unsafe fn tile<V: Simd, const R: usize, const U: usize>(
        &mut self,
        down: Taps,
        along: Taps,
        pixel: usize,
        at: usize,
        n: usize,
    ) {
        let (columns, channels) = (self.window.columns, self.channels);
        let (input_width, input_step) =
            if FORWARD { (columns.input, columns.stride * channels) } else { (columns.output(), channels) };
        // SAFETY: the caller's.
        unsafe {
            let mut sums: Sums<V, R, U> = [[V::splat(0.0); U]; R];
            for u in 0..U {
                let bias = self.finish.bias::<V>(at + u * V::LANES, n);
                sums.iter_mut().for_each(|sums| sums[u] = bias);
            }
            let (mut row, mut place) = (down.at, down.place);
            for _ in 0..down.count {
                let mut input = self.input.as_ptr().add((row * input_width + along.at) * channels + at);
                let mut kernel = self.kernel.as_ptr().add((place * columns.size + along.place) * channels + at);
                for _ in 0..along.count {
                    for u in 0..U {
                        let weights = V::load_up_to(kernel.add(u * V::LANES), n);
                        for (r, sums) in sums.iter_mut().enumerate() {
                            let x = V::load_up_to(input.add(r * input_step + u * V::LANES), n);
                            sums[u] = x.fma(weights, sums[u]);
                        }
                    }
                    input = input.wrapping_offset(along.step * channels as isize);
                    kernel = kernel.wrapping_add(along.place_step * channels);
                }
                row = row.wrapping_add_signed(down.step);
                place += down.place_step;
            }
            for (r, sums) in sums.into_iter().enumerate() {
                for (u, sum) in sums.into_iter().enumerate() {
                    let at = (pixel + r * self.pixel_step()) * channels + at + u * V::LANES;
                    self.finish.end(sum, at, n).store_up_to(self.output.as_mut_ptr().add(at), n);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
