//! The compute kernels (inner loops): they take slices, do not know layers or models, and start no threads.
//!
//! Every loop is written once, generic over a vector type ([`Simd`]), and compiled for each instruction set; which one
//! runs is chosen once a model ([`Isa`]). All of them give the same bits, because of one rule:
//!
//! **Every output element is one chain of fused multiply-adds in a fixed order.** Vectors run across outputs, never
//! along the sum, so the width of a vector changes how many chains advance together and nothing else. Where a sum is cut
//! into parts (over images, over a long axis), the cuts depend on the shapes alone, and the parts are added in order.
//!
//! Nearly all of the work is done by two pieces of code: [`tile`], a block of outputs in registers, with one broadcast
//! input and a few vectors of the other operand at a time, for dense data; and [`nonzero`], sums of rows that skip zero
//! factors, for data where relu made most factors zero. The operations around them only pass the operands' positions.
//!
//! | module | what it does | vectors run over |
//! |---|---|---|
//! | [`conv2d`] | convolution of an image, its gradients to the image and to the kernel | filters, or channels on the way back |
//! | [`depthwise`] | the same where every channel is on its own | channels |
//! | [`dense`] | matrix products of dense layers, with Adam on the way back | units |
//! | [`pool`] | max and average pooling, over windows and over all pixels | channels |
//! | [`norm`] | sums and passes of batch normalization | channels |
//! | [`elementwise`], [`smooth`] | what is done to elements one by one; tanh and its like | elements |
//! | [`rows`], [`columns`] | sums and other layouts of matrices, and how tasks share them | columns |
//! | [`adam`], [`softmax`] | the optimizer's step; what a classifier's outputs are worth | elements; none |
//!
//! [`window`] has the geometry of the windows of convolution and pooling, and [`vectors`] the loops over a matrix that
//! are not products.

pub mod adam;
pub mod columns;
pub mod conv2d;
pub mod dense;
pub mod depthwise;
pub mod elementwise;
pub mod environment;
pub mod isa;
pub mod nonzero;
pub mod norm;
pub mod peak;
pub mod pool;
pub mod process;
pub mod rows;
pub mod rule;
pub mod simd;
pub mod smooth;
pub mod softmax;
pub mod system;
pub mod tile;
pub mod vectors;
pub mod window;

pub use adam::AdamStep;
pub use columns::Columns;
pub use isa::Isa;
pub use rule::{Rule, Update};
pub use simd::{Lanes, Simd};

/// `n` numbers in [-1, 1) that look like noise, the same for the same seed.
#[cfg(test)]
pub(crate) fn numbers(seed: u64, n: usize) -> Vec<f32> {
    use rand_chacha::rand_core::{RngCore, SeedableRng};
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    (0..n).map(|_| (random.next_u32() >> 8) as f32 / (1 << 23) as f32 - 1.0).collect()
}

/// The largest difference between two arrays, and the largest number in `expected`.
#[cfg(test)]
pub(crate) fn error_of(got: &[f32], expected: &[f32]) -> (f32, f32) {
    assert_eq!(got.len(), expected.len());
    let error = got.iter().zip(expected).fold(0f32, |m, (a, b)| m.max((a - b).abs()));
    (error, expected.iter().fold(0f32, |m, x| m.max(x.abs())))
}
