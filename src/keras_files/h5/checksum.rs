//! The checksum of HDF5's newer structures: Bob Jenkins's `lookup3` (public domain, 2006), over bytes, from 0.

/// The checksum of `bytes`.
pub fn lookup3(bytes: &[u8]) -> u32 {
    let mut state = [0xdead_beef_u32.wrapping_add(bytes.len() as u32); 3];
    let mut rest = bytes;
    while rest.len() > 12 {
        let (block, after) = rest.split_at(12);
        add(&mut state, block);
        mix(&mut state);
        rest = after;
    }
    if !rest.is_empty() {
        add(&mut state, rest);
        finish(&mut state);
    }
    state[2]
}

fn add(state: &mut [u32; 3], block: &[u8]) {
    for (word, bytes) in state.iter_mut().zip(block.chunks(4)) {
        *word = word.wrapping_add(bytes.iter().rev().fold(0, |word, &byte| word << 8 | u32::from(byte)));
    }
}

fn mix([a, b, c]: &mut [u32; 3]) {
    let step = |x: &mut u32, from: &mut u32, by: u32, onto: &mut u32| {
        *x = x.wrapping_sub(*from) ^ from.rotate_left(by);
        *from = from.wrapping_add(*onto);
    };
    step(a, c, 4, b);
    step(b, a, 6, c);
    step(c, b, 8, a);
    step(a, c, 16, b);
    step(b, a, 19, c);
    step(c, b, 4, a);
}

fn finish([a, b, c]: &mut [u32; 3]) {
    let step = |x: &mut u32, by: u32, from: u32| *x = (*x ^ from).wrapping_sub(from.rotate_left(by));
    step(c, 14, *b);
    step(a, 11, *c);
    step(b, 25, *a);
    step(c, 16, *b);
    step(a, 4, *c);
    step(b, 14, *a);
    step(c, 24, *b);
}

#[cfg(test)]
mod tests {
    use super::lookup3;

    #[test]
    fn the_author_s_own_values() {
        // lookup3.c, driver5: hashlittle with initval 0.
        assert_eq!(lookup3(b""), 0xdead_beef);
        assert_eq!(lookup3(b"Four score and seven years ago"), 0x1777_0551);
    }
}
