//! The order in which an epoch goes through its samples, and the gathering of a batch.

use super::Dataset;
use crate::error::Result;
use crate::memory;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// The samples `0..n` in order, or shuffled by a seed and the number of the epoch: any epoch's order can be made again
/// without those before it.
pub fn order(n: usize, shuffle: Option<(u64, usize)>) -> Result<Vec<u32>> {
    let mut order = memory::reserve(n)?;
    order.extend(0..n as u32);
    if let Some((seed, epoch)) = shuffle {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(epoch as u64);
        // Fisher and Yates, as in Knuth, The Art of Computer Programming, volume 2, algorithm 3.4.2P.
        for i in (1..n).rev() {
            order.swap(i, below(&mut random, i as u32 + 1) as usize);
        }
    }
    Ok(order)
}

/// A number from 0 to `bound - 1`, each as likely as another (Lemire 2019, "Fast Random Integer Generation in an
/// Interval"): the upper half of a product, the few products that would favour a number drawn again.
fn below(random: &mut ChaCha8Rng, bound: u32) -> u32 {
    let surplus = bound.wrapping_neg() % bound;
    loop {
        let product = u64::from(random.next_u32()) * u64::from(bound);
        if product as u32 >= surplus {
            return (product >> 32) as u32;
        }
    }
}

/// Writes the images at `indices` to `images`, `[B, H, W, C]`, and their labels to `labels`, `[B]`.
pub fn gather(data: &Dataset, indices: &[u32], images: &mut [f32], labels: &mut [u32]) {
    let len = images.len() / indices.len().max(1);
    for ((&i, image), label) in indices.iter().zip(images.chunks_exact_mut(len.max(1))).zip(labels) {
        data.image(i as usize, image);
        *label = data.labels()[i as usize];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_permutations_that_never_change() {
        assert_eq!(order(4, None).unwrap(), [0, 1, 2, 3]);
        assert_eq!(order(10, Some((0, 0))).unwrap(), [1, 4, 0, 2, 7, 8, 3, 5, 9, 6]);
        let (a, b) = (order(1000, Some((1, 0))).unwrap(), order(1000, Some((1, 1))).unwrap());
        assert_ne!(a, b, "another epoch, another order");
        let mut sorted = a.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, order(1000, None).unwrap());
    }

    #[test]
    fn no_place_is_favoured() {
        let mut counts = [[0usize; 3]; 3];
        for seed in 0..3000 {
            for (place, &sample) in order(3, Some((seed, 0))).unwrap().iter().enumerate() {
                counts[place][sample as usize] += 1;
            }
        }
        assert!(counts.iter().flatten().all(|&count| (900..1100).contains(&count)), "{counts:?}");
    }

    #[test]
    fn a_batch_is_gathered_in_the_order_of_its_indices() {
        let data = Dataset::from_u8(vec![1, 2, 3, 4, 5, 6], &[3, 1, 2], vec![7, 8, 9]).unwrap();
        let (mut images, mut labels) = ([0.0; 4], [0; 2]);
        gather(&data, &[2, 0], &mut images, &mut labels);
        assert_eq!((images, labels), ([5.0, 6.0, 1.0, 2.0], [9, 7]));
    }
}
