//! Mutations of deflated files: the content is decompressed, changed and compressed again.

use crate::files::{Member, gzip, zip};
use crate::mutate_bytes;
use crate::random::Random;
use flate2::bufread::GzDecoder;
use flate2::read::{DeflateDecoder, MultiGzDecoder};
use std::io::Read;

/// The largest number of bytes decompressed from a part.
const MOST: u64 = 1 << 16;

fn unpack(reader: impl Read) -> Vec<u8> {
    let mut plain = Vec::new();
    let _ = reader.take(MOST).read_to_end(&mut plain); // the content before the damage
    plain
}

/// A gzip file with changed content, with one or more members.
pub fn mutate_gzip(file: &[u8], random: &mut Random, most: usize) -> Option<Vec<u8>> {
    if random.once_in(4) || !file.starts_with(b"\x1f\x8b") {
        return None;
    }
    let plain = mutate_bytes(&unpack(MultiGzDecoder::new(file)), most);
    let parts = if random.once_in(4) { random.below(4) + 1 } else { 1 };
    let mut changed: Vec<u8> = plain.chunks(plain.len().div_ceil(parts).max(1)).flat_map(gzip).collect();
    if random.once_in(8) {
        changed.extend(vec![0; random.below(9)]);
        changed.extend(gzip(b""));
    }
    Some(changed)
}

/// A zip archive with a change in one of its members, and headers that are correct or nearly correct.
pub fn mutate_zip(file: &[u8], random: &mut Random, most: usize) -> Option<Vec<u8>> {
    if random.once_in(4) {
        return None;
    }
    let mut members = members(file);
    if members.is_empty() {
        return None;
    }
    let which = random.below(members.len());
    match random.below(8) {
        0 => members
            .push(Member { name: format!("{}{}.npy", random.below(9), members[which].name), ..members[which].clone() }),
        1 if members.len() > 1 => drop(members.swap_remove(which)),
        2 => lie(&mut members[which], random),
        3 => {
            let plain = plain(&members[which]);
            members[which] = Member::new(&members[which].name, members[which].method == 0, &plain);
        }
        _ => {
            let plain = mutate_bytes(&plain(&members[which]), most);
            members[which] = Member::new(&members[which].name, members[which].method == 8, &plain);
        }
    }
    Some(zip(&members))
}

/// A member's header field with a false value.
fn lie(member: &mut Member, random: &mut Random) {
    let edge = random.edge();
    match random.below(7) {
        0 => member.crc = edge as u32,
        1 => member.packed_len = edge as u32,
        2 => member.plain_len = edge as u32,
        3 => member.method = [0, 8, 9, 12, 14, 93, 95, 99, edge as u16][random.below(9)],
        4 => member.place = Some(edge as u32 & 0xfff),
        5 => member.extra = mutate_bytes(&member.extra, 64),
        _ => member.extra = zip64(random),
    }
}

/// An extra field with 64-bit sizes, as numpy writes it.
fn zip64(random: &mut Random) -> Vec<u8> {
    let sizes = [random.edge(), random.edge(), random.edge()];
    let sizes: Vec<u8> = sizes[..1 + random.below(3)].iter().flat_map(|size| size.to_le_bytes()).collect();
    [&[1, 0, sizes.len() as u8, 0], &sizes[..]].concat()
}

/// The content of a member.
pub fn plain(member: &Member) -> Vec<u8> {
    match member.method {
        8 => unpack(DeflateDecoder::new(&member.packed[..])),
        _ => member.packed.clone(),
    }
}

/// The members of an archive whose directory can be read, by those of its fields that [`zip`] writes.
pub fn members(file: &[u8]) -> Vec<Member> {
    let mut found = Vec::new();
    let mut at = file.windows(4).position(|bytes| bytes == b"PK\x01\x02").unwrap_or(file.len());
    while let Some(member) = member(file, &mut at) {
        found.push(member);
    }
    found
}

fn member(file: &[u8], at: &mut usize) -> Option<Member> {
    let word = |at: usize| Some(u32::from_le_bytes(file.get(at..at + 4)?.try_into().ok()?));
    let half = |at: usize| Some(u16::from_le_bytes(file.get(at..at + 2)?.try_into().ok()?) as usize);
    let start = *at;
    if file.get(start..start + 4)? != b"PK\x01\x02" {
        return None;
    }
    let (name, extra, comment) = (half(start + 28)?, half(start + 30)?, half(start + 32)?);
    let (packed_len, plain_len, place) = (word(start + 20)?, word(start + 24)?, word(start + 42)? as usize);
    *at = start + 46 + name + extra + comment;
    let packed = half(place + 26).zip(half(place + 28)).and_then(|(name, extra)| {
        let data = place + 30 + name + extra;
        file.get(data..)?.get(..packed_len as usize)
    });
    Some(Member {
        name: String::from_utf8_lossy(file.get(start + 46..start + 46 + name)?).into_owned(),
        method: half(start + 10)? as u16,
        crc: word(start + 16)?,
        packed: packed.unwrap_or_default().to_vec(),
        packed_len,
        plain_len,
        extra: file.get(start + 46 + name..start + 46 + name + extra)?.to_vec(),
        place: None,
    })
}

/// The uncompressed content of a gzip or IDX file, to check what was read.
pub fn content(file: &[u8]) -> Vec<u8> {
    match file {
        [0x1f, 0x8b, ..] => {
            let (mut plain, mut rest) = (Vec::new(), file);
            while !rest.is_empty() {
                let mut member = GzDecoder::new(rest);
                if member.read_to_end(&mut plain).is_err() {
                    break;
                }
                rest = member.into_inner();
                rest = &rest[rest.iter().take_while(|&&byte| byte == 0).count()..];
            }
            plain
        }
        plain => plain.to_vec(),
    }
}
