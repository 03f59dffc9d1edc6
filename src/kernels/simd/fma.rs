//! `a * b + c`, rounded once, on any machine.
//!
//! Without such an instruction the compiler calls C's `fmaf` for each lane, and that of mingw-w64 does not even round
//! once. In double precision the product of two `f32` is exact, 48 bits of 53, so that only the sum is left:
//!
//! ```text
//!   s + e = a * b + c     exactly: s the sum rounded to 53 bits, e what is missing       (Knuth's TwoSum)
//!   s to odd              where e is not 0: the nearest number towards 0, its last bit set
//!   f32                   the one rounding that counts: to odd at 53 bits, the first one took nothing away that it needs
//! ```
//!
//! (Boldo and Melquiond 2008, "Emulation of a FMA and correctly rounded sums: proved algorithms using rounding to odd": right for
//! any number that has at least two bits more than twice the result's, subnormal results among them.) To round the sum twice to
//! nearest instead is wrong once in ten million random cases. It takes 2 ns a lane with SSE2, where the call took 14.

/// Whether the machine's own instruction does it.
const NATIVE: bool = cfg!(any(
    target_arch = "aarch64",
    target_arch = "powerpc64",
    target_arch = "s390x",
    all(any(target_arch = "x86", target_arch = "x86_64"), target_feature = "fma"),
    all(any(target_arch = "riscv32", target_arch = "riscv64"), target_feature = "f"),
));

/// `a * b + c`, rounded once.
#[inline(always)]
pub(super) fn fma(a: f32, b: f32, c: f32) -> f32 {
    if NATIVE { libm::fmaf(a, b, c) } else { exact(a, b, c) }
}

/// The same with additions and integer operations, without branches.
#[inline(always)]
fn exact(a: f32, b: f32, c: f32) -> f32 {
    let (product, c) = (f64::from(a) * f64::from(b), f64::from(c));
    let s = product + c;
    let of_c = s - product;
    let e = (product - (s - of_c)) + (c - of_c); // NaN where s is not finite
    let inexact = u64::from(e.abs() > 0.0);
    let too_far = (s.to_bits() ^ e.to_bits()) >> 63 & inexact; // 1 where s was rounded away from 0
    f64::from_bits(s.to_bits().wrapping_sub(too_far) | inexact) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of all kinds, equally likely: any bits; near 1; far apart; denormal; few bits; special values.
    fn number(state: &mut u64, kind: u64) -> f32 {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let bits = (*state >> 32) as u32;
        match kind % 6 {
            0 => f32::from_bits(bits),
            1 => f32::from_bits(0x3f80_0000 | bits >> 9),
            2 => f32::from_bits((bits & 0x807f_ffff) | (64 + (bits >> 8) % 128) << 23),
            3 => f32::from_bits(bits & 0x80ff_ffff),
            4 => f32::from_bits(bits & 0xfff0_0000),
            _ => [0.0, -0.0, 1.0, -1.0, f32::MAX, f32::MIN_POSITIVE, f32::INFINITY, 1e-45][bits as usize % 8],
        }
    }

    #[test]
    fn it_is_the_sum_rounded_once() {
        let mut state = 1;
        for case in 0..3_000_000u64 {
            let [a, b, c] = [case, case / 6, case / 36].map(|kind| number(&mut state, kind));
            // Every third time what nearly cancels or ties: c about -a * b.
            let c =
                if case % 3 == 0 { f32::from_bits((-(a * b)).to_bits().wrapping_add((case % 5) as u32)) } else { c };
            let (found, expected) = (exact(a, b, c), libm::fmaf(a, b, c));
            let same = found.to_bits() == expected.to_bits() || found.is_nan() && expected.is_nan();
            assert!(same, "{a:e} * {b:e} + {c:e}: {found:e}, not {expected:e}");
        }
    }

    #[test]
    fn ties_that_a_second_rounding_would_break() {
        // a * b = 1 + 2^-24 + 2^-48 lies above the middle between two numbers by less than 53 bits tell once c is in the sum.
        let a = 1.0 + f32::EPSILON / 2.0f32.powi(0);
        assert_eq!(exact(a, a, -1.0).to_bits(), libm::fmaf(a, a, -1.0).to_bits());
        let tiny = f32::from_bits(1);
        for (a, b, c) in [(0.5, tiny, tiny), (1.5, tiny, tiny), (0.5, tiny, f32::MIN_POSITIVE), (-0.5, tiny, tiny)] {
            assert_eq!(exact(a, b, c).to_bits(), libm::fmaf(a, b, c).to_bits(), "{a:e} {b:e} {c:e}");
        }
    }
}
