//! The instruction set of the compute kernels, chosen at run time.

use super::Simd;
use super::simd::Portable;
#[cfg(target_arch = "x86_64")]
use super::simd::{Avx2, Avx512};
#[cfg(target_feature = "relaxed-simd")]
use super::simd::{Relaxed, Wasm};
#[cfg(all(target_feature = "simd128", not(target_feature = "relaxed-simd")))]
use super::simd::{Twice, Wasm};
use crate::error::{Error, ErrorKind, Result};
use crate::variables;

/// An instruction set that this machine has: a value can only come from [`Isa::available`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Isa(Set);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    /// Plain Rust, for every machine; on aarch64 the compiler makes NEON of it. (In WebAssembly its vectors.)
    Portable,
    /// WebAssembly's relaxed SIMD in an engine that fuses, 8 lanes.
    #[cfg(target_feature = "relaxed-simd")]
    Relaxed,
    /// WebAssembly without it, where a multiply-add is rounded twice: it gives other bits, so it must be requested.
    #[cfg(all(target_feature = "simd128", not(target_feature = "relaxed-simd")))]
    Twice,
    /// AVX2 with FMA, 8 lanes.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512F, 16 lanes.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

/// A loop to be compiled for each instruction set. `run` and all it calls must be `#[inline(always)]`.
pub trait SimdLoop {
    /// The result type.
    type Output;
    /// The loop, generic over the vector.
    fn run<V: Simd>(self) -> Self::Output;
}

impl Isa {
    /// The one that every machine has.
    pub const PORTABLE: Isa = Isa(Set::Portable);

    /// The instruction sets of this machine, the fastest first.
    pub fn available() -> impl Iterator<Item = Isa> {
        #[cfg(target_arch = "x86_64")]
        let bits = is_x86_feature_detected!("bmi1"); // no machine has AVX2 without it
        #[cfg(target_arch = "x86_64")]
        let fast = [
            (is_x86_feature_detected!("avx512f") && bits).then_some(Set::Avx512),
            (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && bits).then_some(Set::Avx2),
        ];
        #[cfg(target_feature = "relaxed-simd")]
        let fast = [Relaxed::fuses().then_some(Set::Relaxed)];
        #[cfg(not(any(target_arch = "x86_64", target_feature = "relaxed-simd")))]
        let fast = [None; 0];
        fast.into_iter().flatten().chain([Set::Portable]).map(Isa)
    }

    /// The instruction set to use: the one in the environment variable `MNIST_ISA` (`avx512`, `avx2`, `relaxed`,
    /// `portable`), else the fastest.
    pub fn choose() -> Result<Isa> {
        Isa::named(variables::get("MNIST_ISA").map(|name| name.to_string_lossy().into_owned()).as_deref())
    }

    fn named(name: Option<&str>) -> Result<Isa> {
        let Some(name) = name else { return Ok(Isa::available().next().unwrap_or(Isa::PORTABLE)) };
        let at = "environment variable MNIST_ISA";
        #[cfg(all(target_feature = "simd128", not(target_feature = "relaxed-simd")))]
        if name == "rounded-twice" {
            return Ok(Isa(Set::Twice));
        }
        match name {
            "avx512" | "avx2" | "relaxed" | "portable" => {
                Isa::available().find(|isa| isa.name() == name).ok_or_else(|| {
                    Error::new(ErrorKind::Unsupported, "this machine does not have this instruction set")
                        .found(name)
                        .at(at)
                })
            }
            _ => Err(Error::new(ErrorKind::InvalidArgument, "unknown instruction set")
                .expected("avx512, avx2, relaxed or portable")
                .found(format_args!("`{name}`"))
                .at(at)),
        }
    }

    /// Its name, as `MNIST_ISA` spells it.
    pub fn name(self) -> &'static str {
        match self.0 {
            Set::Portable => "portable",
            #[cfg(target_feature = "relaxed-simd")]
            Set::Relaxed => "relaxed",
            #[cfg(all(target_feature = "simd128", not(target_feature = "relaxed-simd")))]
            Set::Twice => "rounded-twice",
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => "avx512",
        }
    }

    /// Elements in one of its vectors.
    pub fn lanes(self) -> usize {
        self.run(Widths).0
    }

    /// The most vectors a register tile of this set is wide.
    pub fn tile_vectors(self) -> usize {
        self.run(Widths).1
    }

    /// Runs a loop compiled for this instruction set.
    #[inline]
    pub fn run<K: SimdLoop>(self, kernel: K) -> K::Output {
        match self.0 {
            Set::Portable => on::<Portable, K>(kernel),
            #[cfg(target_feature = "relaxed-simd")]
            Set::Relaxed => on::<Wasm<Relaxed>, K>(kernel),
            #[cfg(all(target_feature = "simd128", not(target_feature = "relaxed-simd")))]
            Set::Twice => on::<Wasm<Twice>, K>(kernel),
            // SAFETY: this value exists only where the machine has the set (`available`).
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => unsafe { avx2(kernel) },
            // SAFETY: this value exists only where the machine has the set (`available`).
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => unsafe { avx512(kernel) },
        }
    }
}

/// Runs a kernel over vectors of a type, of the widths that the kernels are written for: 8 lanes, or 16 as in dense's partial
/// sums, and tiles of as many vectors as there are loops for.
#[inline(always)]
fn on<V: Simd, K: SimdLoop>(kernel: K) -> K::Output {
    const { assert!(matches!(V::LANES, 8 | 16) && matches!(V::TILE_VECTORS, 1 | 2 | 4)) }
    kernel.run::<V>()
}

/// Lanes of a vector, and vectors of a tile.
struct Widths;

impl SimdLoop for Widths {
    type Output = (usize, usize);
    #[inline(always)]
    fn run<V: Simd>(self) -> (usize, usize) {
        (V::LANES, V::TILE_VECTORS)
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,bmi1")]
fn avx2<K: SimdLoop>(kernel: K) -> K::Output {
    on::<Avx2, K>(kernel)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,bmi1")]
fn avx512<K: SimdLoop>(kernel: K) -> K::Output {
    on::<Avx512, K>(kernel)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_may_force_one() {
        assert_eq!(Isa::named(Some("portable")).unwrap(), Isa::PORTABLE);
        assert_eq!(Isa::named(Some("neon")).unwrap_err().kind(), ErrorKind::InvalidArgument);
        assert_eq!(Isa::named(None).unwrap(), Isa::available().next().unwrap());
    }
}
