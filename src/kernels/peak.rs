//! The machine's peak arithmetic throughput, for comparison in benchmarks.

use super::isa::{Isa, SimdLoop};
use super::simd::Simd;

/// Independent chains: more than any machine's latency times its units.
const CHAINS: usize = 12;

/// Runs `rounds` rounds of fused multiply-adds that stay in the registers. Returns the number of floating-point
/// operations, and a value that depends on all of them, so that none is optimized away.
pub fn multiply_add(isa: Isa, rounds: usize) -> (f64, f32) {
    isa.run(Peak { rounds })
}

struct Peak {
    rounds: usize,
}

impl SimdLoop for Peak {
    type Output = (f64, f32);
    #[inline(always)]
    fn run<V: Simd>(self) -> (f64, f32) {
        let mut lanes = [0f32; 64];
        assert!(V::LANES <= lanes.len());
        // SAFETY: `lanes` holds any vector.
        unsafe {
            let (factor, term) = (V::splat(0.999), V::splat(0.001));
            let mut chains = [V::splat(1.0); CHAINS];
            for (i, chain) in chains.iter_mut().enumerate() {
                *chain = V::splat(i as f32);
            }
            for _ in 0..self.rounds {
                for chain in &mut chains {
                    *chain = chain.fma(factor, term);
                }
            }
            let mut sum = chains[0];
            for chain in &chains[1..] {
                sum = sum.add(*chain);
            }
            sum.store(lanes.as_mut_ptr());
        }
        ((2 * CHAINS * V::LANES * self.rounds) as f64, lanes.iter().sum())
    }
}
