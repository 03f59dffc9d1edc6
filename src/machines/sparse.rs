//! Arrays that are mostly 0, such as relu's output, in fewer bytes: for every 64 numbers a word with a bit for each that is
//! not 0, then these numbers.
//!
//! It is exact: -0 is not left out. If it does not save bytes, the numbers are sent as they are.

use super::ranks::{put, read};
use crate::error::{Error, ErrorKind, Result};
use crate::memory;

/// The numbers of a word.
const WORD: usize = 64;

/// The first byte: the form of the others.
const DENSE: u8 = 0;
const SPARSE: u8 = 1;

/// The most bytes that `len` numbers take.
pub fn longest(len: usize) -> usize {
    1 + 4 * len
}

/// Writes `values` to `bytes`, in the shorter form.
pub fn pack(values: &[f32], bytes: &mut Vec<u8>) -> Result<()> {
    let nonzero = values.iter().filter(|value| value.to_bits() != 0).count();
    let (masks, dense) = (8 * values.len().div_ceil(WORD), longest(values.len()));
    let len = dense.min(1 + masks + 4 * nonzero);
    memory::grow(bytes, len.saturating_sub(bytes.len()))?;
    bytes.resize(len, 0);
    if len == dense {
        bytes[0] = DENSE;
        put(values, &mut bytes[1..]);
        return Ok(());
    }
    bytes[0] = SPARSE;
    let (masks, rest) = bytes[1..].split_at_mut(masks);
    let mut rest = rest.chunks_exact_mut(4);
    for (to, values) in masks.chunks_exact_mut(8).zip(values.chunks(WORD)) {
        let mask = values.iter().rev().fold(0, |mask, value| mask << 1 | u64::from(value.to_bits() != 0));
        to.copy_from_slice(&mask.to_le_bytes());
        let mut left = mask;
        for to in rest.by_ref().take(mask.count_ones() as usize) {
            to.copy_from_slice(&values[left.trailing_zeros() as usize].to_le_bytes());
            left &= left - 1;
        }
    }
    Ok(())
}

/// Reads into `values` what [`pack`] has written for as many numbers.
pub fn unpack(bytes: &[u8], values: &mut [f32]) -> Result<()> {
    let values_len = values.len();
    let broken = || {
        let error = Error::new(ErrorKind::Network, "damaged numbers from another rank");
        error.expected(format_args!("{} numbers", values_len)).found(format_args!("{} bytes", bytes.len()))
    };
    let (&form, bytes) = bytes.split_first().ok_or_else(broken)?;
    if form == DENSE {
        if bytes.len() != 4 * values.len() {
            return Err(broken());
        }
        read(bytes, values);
        return Ok(());
    }
    let (masks, rest) = bytes.split_at_checked(8 * values.len().div_ceil(WORD)).ok_or_else(broken)?;
    let mut rest = rest.as_chunks::<4>().0.iter();
    for (mask, values) in masks.as_chunks::<8>().0.iter().zip(values.chunks_mut(WORD)) {
        values.fill(0.0);
        let mut left = u64::from_le_bytes(*mask);
        while left != 0 {
            let value = values.get_mut(left.trailing_zeros() as usize).ok_or_else(broken)?;
            *value = f32::from_le_bytes(*rest.next().ok_or_else(broken)?);
            left &= left - 1;
        }
    }
    rest.next().map_or(Ok(()), |_| Err(broken()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_is_restored_and_zeros_take_no_bytes() {
        for (len, every) in [(0, 1), (1, 1), (64, 1), (65, 3), (1000, 4), (1000, 70)] {
            let values: Vec<f32> = (0..len).map(|i| if i % every == 0 { i as f32 - 7.0 } else { 0.0 }).collect();
            let mut bytes = vec![7; 12];
            pack(&values, &mut bytes).unwrap();
            assert!(bytes.len() <= longest(len) && (every < 4 || bytes.len() < 2 * len), "{len} {every}");
            let mut back = vec![f32::NAN; len];
            unpack(&bytes, &mut back).unwrap();
            assert_eq!(back, values);
        }
        let mut odd = vec![0.0; 130];
        (odd[0], odd[63], odd[64], odd[129]) = (-0.0, f32::NAN, f32::MIN_POSITIVE / 2.0, f32::INFINITY);
        let (mut bytes, mut back) = (Vec::new(), vec![1.0; 130]);
        pack(&odd, &mut bytes).unwrap();
        unpack(&bytes, &mut back).unwrap();
        let bits = |values: &[f32]| values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&back), bits(&odd));
    }

    #[test]
    fn truncated_bytes_are_an_error() {
        let values: Vec<f32> = (0..200).map(|i| if i % 5 == 0 { 1.0 } else { 0.0 }).collect();
        let (mut bytes, mut back) = (Vec::new(), vec![0.0; 200]);
        pack(&values, &mut bytes).unwrap();
        for len in 0..bytes.len() {
            assert!(unpack(&bytes[..len], &mut back).is_err(), "{len}");
        }
        bytes.extend([0; 4]);
        assert!(unpack(&bytes, &mut back).is_err());
    }
}
