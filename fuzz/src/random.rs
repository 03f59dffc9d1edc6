//! The random choices of a mutator, determined by libFuzzer's seed.

/// SplitMix64 by Steele, Lea and Flood.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u32) -> Self {
        Random(seed.into())
    }

    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is above 0.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.number() % bound as u64) as usize
    }

    /// True with probability 1 / `n`.
    pub fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// A critical number: near 0, near a power of two, or arbitrary.
    pub fn edge(&mut self) -> u64 {
        match self.below(4) {
            0 => self.below(6) as u64,
            1 => (1u64 << self.below(64)).wrapping_add(self.below(3) as u64).wrapping_sub(1),
            2 => u64::MAX - self.below(3) as u64,
            _ => self.number() >> self.below(64),
        }
    }
}
