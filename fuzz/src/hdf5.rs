//! Mutations of HDF5 files and of Keras's archives: critical values in place of numbers, JSON texts with other values, and corrected
//! checksums.

use crate::archive::{members, mutate_zip, plain};
use crate::files::{Member, zip};
use crate::random::Random;
use crate::tensors::change;
use crate::{HDF5, mutate_bytes};
use mnist::keras_files::h5::lookup3;
use serde_json::Value;

/// An HDF5 file with some changes.
pub fn mutate(file: &[u8], random: &mut Random, most: usize) -> Option<Vec<u8>> {
    let mut changed = match random.below(4) {
        0 => mutate_bytes(file, most),
        _ => file.to_vec(),
    };
    for _ in 0..=random.below(3) {
        number(&mut changed, random);
    }
    if !random.once_in(8) {
        repair(&mut changed);
    }
    Some(changed)
}

/// Keras's archive, or a whole model in HDF5, with a change.
pub fn mutate_model(file: &[u8], random: &mut Random, most: usize) -> Option<Vec<u8>> {
    if file.starts_with(HDF5) {
        return match random.below(3) {
            0 => Some(described(file, random)),
            _ => mutate(file, random, most),
        };
    }
    if random.once_in(6) {
        return mutate_zip(file, random, most);
    }
    let mut members = members(file);
    let which = members.iter().position(|member| member.name.ends_with(if random.once_in(2) { ".json" } else { ".h5" }))?;
    let member = &members[which];
    let text = plain(member);
    let changed = match member.name.ends_with(".h5") {
        true => mutate(&text, random, most)?,
        false => config(&text, random)?,
    };
    members[which] = Member::new(&member.name, random.once_in(8), &changed);
    Some(zip(&members))
}

/// JSON with other values.
fn config(text: &[u8], random: &mut Random) -> Option<Vec<u8>> {
    let mut value: Value = serde_json::from_slice(text).ok()?;
    for _ in 0..=random.below(2) {
        change(&mut value, random);
    }
    Some(value.to_string().into_bytes())
}

/// A whole model in HDF5 with other values in its description. The text keeps its length, which is stored elsewhere.
fn described(file: &[u8], random: &mut Random) -> Vec<u8> {
    let mut changed = file.to_vec();
    let starts: Vec<usize> = (0..file.len()).filter(|&at| file[at..].starts_with(b"{\"")).collect();
    let Some(&start) = starts.get(random.below(starts.len().max(1))) else { return changed };
    let len = file[start..].iter().position(|&byte| byte == 0).unwrap_or(0);
    if let Some(text) = config(&file[start..start + len], random).filter(|text| text.len() <= len) {
        changed[start..start + len].fill(b' ');
        changed[start..start + text.len()].copy_from_slice(&text);
    }
    changed
}

/// Replaces a number, usually at a multiple of its size.
fn number(file: &mut [u8], random: &mut Random) {
    let width = [1, 2, 4, 8][random.below(4)];
    if file.len() < width {
        return;
    }
    let mut at = random.below(file.len() + 1 - width);
    if !random.once_in(4) {
        at -= at % width;
    }
    // An address in this file, its end, or a value near it.
    let before = file[at..at + width].iter().rev().fold(0, |number: u64, &byte| number << 8 | u64::from(byte));
    let number = match random.below(3) {
        0 => random.below(file.len()) as u64 & !7,
        1 => random.edge(),
        _ => before.wrapping_add(random.below(17) as u64).wrapping_sub(8),
    };
    file[at..at + width].copy_from_slice(&number.to_le_bytes()[..width]);
}

/// Corrects the checksums of the superblock and of the object headers.
fn repair(file: &mut [u8]) {
    if matches!(file.get(8), Some(2 | 3)) {
        sum(file, 0, 44);
    }
    for at in 0..file.len().saturating_sub(8) {
        if file[at..].starts_with(b"OHDR") {
            let flags = file[at + 5];
            let width = 1 << (flags & 3);
            let before = 6 + if flags & 0x20 != 0 { 16 } else { 0 } + if flags & 0x10 != 0 { 4 } else { 0 };
            let Some(len) = file.get(at + before..at + before + width) else { continue };
            let len = len.iter().rev().fold(0u64, |number, &byte| number << 8 | u64::from(byte));
            let Ok(len) = usize::try_from(len.min(1 << 20)) else { continue };
            sum(file, at, before + width + len);
        }
    }
}

/// Writes the checksum of `len` bytes after them.
fn sum(file: &mut [u8], at: usize, len: usize) {
    if let Some((body, sum)) = file.get_mut(at..at + len + 4).and_then(|bytes| bytes.split_last_chunk_mut::<4>()) {
        *sum = lookup3(body).to_le_bytes();
    }
}
