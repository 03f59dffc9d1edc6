//! The gradient to a depthwise convolution's kernel.

use crate::kernels::Simd;
use crate::kernels::isa::SimdLoop;
use crate::kernels::window::Window;
use std::ops::Range;

/// Adds an image to the gradient of a kernel with one filter per channel.
pub struct KernelGradient<'a> {
    pub window: Window,
    pub channels: usize,
    pub image: &'a [f32],
    pub gradient: &'a [f32],
    pub sum: &'a mut [f32],
}

impl SimdLoop for KernelGradient<'_> {
    type Output = ();
    #[inline(always)]
    fn run<V: Simd>(mut self) {
        let size = self.window.columns.size;
        for i in 0..self.window.rows.size {
            let mut j = 0;
            while j < size {
                // SAFETY: places `j` to `j + T - 1` are in the window's row i.
                j += unsafe {
                    match size - j {
                        1 => self.places::<V, 1>(i, j),
                        2 => self.places::<V, 2>(i, j),
                        _ => self.places::<V, 3>(i, j),
                    }
                };
            }
        }
    }
}

impl KernelGradient<'_> {
    /// All channels of `T` places from `j` on in row `i` of the window; says how many places.
    ///
    /// # Safety
    /// As [`Simd`]; the places are in the row.
    #[inline(always)]
    unsafe fn places<V: Simd, const T: usize>(&mut self, i: usize, j: usize) -> usize {
        let mut at = 0;
        // SAFETY: the caller's; the channels are there.
        unsafe {
            while at + V::LANES <= self.channels {
                let vectors = (self.channels - at) / V::LANES;
                at += V::LANES
                    * match vectors {
                        1 => self.block::<V, T, 1>([i, j], at, V::LANES),
                        2 | 3 => self.block::<V, T, 2>([i, j], at, V::LANES),
                        _ => self.block::<V, T, 4>([i, j], at, V::LANES),
                    };
            }
            if at < self.channels {
                self.block::<V, T, 1>([i, j], at, self.channels - at);
            }
        }
        T
    }

    /// `T` places and `U` vectors of channels from `at` on, of `n` elements each; says how many vectors.
    ///
    /// # Safety
    /// As [`Simd`]; the places and channels are there.
    #[inline(always)]
    unsafe fn block<V: Simd, const T: usize, const U: usize>(
        &mut self,
        [i, j]: [usize; 2],
        at: usize,
        n: usize,
    ) -> usize {
        let (Window { rows, columns }, channels) = (self.window, self.channels);
        let seen: [Range<usize>; T] = std::array::from_fn(|t| columns.outputs_at(j + t));
        let first = seen.iter().map(|seen| seen.start).min().unwrap_or(0);
        let last = seen.iter().map(|seen| seen.end).max().unwrap_or(0);
        // The outputs at which all of the places meet an input: from `inner` to before `outer`.
        let inner = seen.iter().map(|seen| seen.start).max().unwrap_or(0).min(last);
        let outer = seen.iter().map(|seen| seen.end).min().unwrap_or(0).max(inner);
        // SAFETY: the caller's; a place that is `seen` at an output meets an input there.
        unsafe {
            let sum = self.sum.as_mut_ptr().add((i * columns.size + j) * channels + at);
            let mut sums = [[V::splat(0.0); U]; T];
            for (t, sums) in sums.iter_mut().enumerate() {
                for (u, value) in sums.iter_mut().enumerate() {
                    *value = V::load_up_to(sum.add(t * channels + u * V::LANES), n);
                }
            }
            for y in rows.outputs_at(i) {
                let image = self.image.as_ptr().add(rows.meets(y, i) * columns.input * channels + at);
                let gradient = self.gradient.as_ptr().add(y * columns.output() * channels + at);
                let load = |p: *const f32, u: usize| V::load_up_to(p.add(u * V::LANES), n);
                for x in (first..inner).chain(outer..last) {
                    for (t, sums) in sums.iter_mut().enumerate() {
                        if seen[t].contains(&x) {
                            let image = image.add(columns.meets(x, j + t) * channels);
                            for (u, sum) in sums.iter_mut().enumerate() {
                                *sum = load(image, u).fma(load(gradient.add(x * channels), u), *sum);
                            }
                        }
                    }
                }
                // Moving pointers: with indices the compiler may generate multiplications.
                let mut gradient = gradient.wrapping_add(inner * channels);
                let mut image = image.wrapping_add((inner * columns.stride + j * columns.dilation) * channels);
                image = image.wrapping_sub(columns.before * channels);
                for _ in inner..outer {
                    let mut dy = [V::splat(0.0); U];
                    for (u, dy) in dy.iter_mut().enumerate() {
                        *dy = load(gradient, u);
                    }
                    for (t, sums) in sums.iter_mut().enumerate() {
                        for (u, sum) in sums.iter_mut().enumerate() {
                            *sum = load(image.add(t * columns.dilation * channels), u).fma(dy[u], *sum);
                        }
                    }
                    gradient = gradient.wrapping_add(channels);
                    image = image.wrapping_add(columns.stride * channels);
                }
            }
            for (t, sums) in sums.into_iter().enumerate() {
                for (u, value) in sums.into_iter().enumerate() {
                    value.store_up_to(sum.add(t * channels + u * V::LANES), n);
                }
            }
        }
        U
    }
}
