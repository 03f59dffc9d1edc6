//! The files that the library reads, built by hand, so that every field can have a wrong value.
#![allow(dead_code)] // each program uses only a part of it

pub mod trained;
pub mod verdict;

use flate2::{Compression, Crc, write::DeflateEncoder};
use std::io::Write;

/// An array in numpy's format, version 1.
pub fn npy(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
    [b"\x93NUMPY\x01\x00", &(text.len() as u16).to_le_bytes()[..], text.as_bytes(), data].concat()
}

/// An IDX file of unsigned bytes.
pub fn idx(dims: &[u32], data: &[u8]) -> Vec<u8> {
    let head = [0x800 + dims.len() as u32].into_iter().chain(dims.iter().copied());
    head.flat_map(u32::to_be_bytes).chain(data.iter().copied()).collect()
}

/// A safetensors file with this header, which may be wrong.
pub fn safetensors(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
}

/// A deflate stream of `bytes`.
pub fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("a vector takes all");
    encoder.finish().expect("a vector takes all")
}

/// The checksum of zip and gzip.
pub fn crc(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// A gzip member without a name or a time.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let end = [crc(bytes).to_le_bytes(), (bytes.len() as u32).to_le_bytes()].concat();
    [&b"\x1f\x8b\x08\0\0\0\0\0\0\xff"[..], &deflate(bytes), &end].concat()
}

/// A member of a zip archive, as described by its two headers.
#[derive(Clone, Debug)]
pub struct Member {
    pub name: String,
    /// 0 stored, 8 deflated.
    pub method: u16,
    pub crc: u32,
    /// Its bytes in the file.
    pub packed: Vec<u8>,
    /// The compressed and the uncompressed length.
    pub packed_len: u32,
    pub plain_len: u32,
    /// The extra fields.
    pub extra: Vec<u8>,
    /// The offset of another member's local header for the directory; this member then has no local header.
    pub place: Option<u32>,
}

impl Member {
    /// A correct member.
    pub fn new(name: &str, deflated: bool, plain: &[u8]) -> Self {
        let packed = if deflated { deflate(plain) } else { plain.to_vec() };
        Member {
            name: name.to_string(),
            method: if deflated { 8 } else { 0 },
            crc: crc(plain),
            packed_len: packed.len() as u32,
            plain_len: plain.len() as u32,
            packed,
            extra: Vec::new(),
            place: None,
        }
    }

    /// The common part of the local header and the directory's entry, beginning with the required version.
    fn fields(&self) -> Vec<u8> {
        let (name, extra) = (self.name.len() as u16, self.extra.len() as u16);
        let mut fields = Vec::new();
        [20, 0, self.method, 0, 33].iter().for_each(|field: &u16| fields.extend(field.to_le_bytes()));
        [self.crc, self.packed_len, self.plain_len].iter().for_each(|field| fields.extend(field.to_le_bytes()));
        [name, extra].iter().for_each(|field| fields.extend(field.to_le_bytes()));
        fields
    }
}

/// A zip archive of `members`.
pub fn zip(members: &[Member]) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for member in members {
        let place = member.place.unwrap_or(file.len() as u32);
        if member.place.is_none() {
            file.extend(b"PK\x03\x04");
            file.extend(member.fields());
            [member.name.as_bytes(), &member.extra, &member.packed].iter().for_each(|bytes| file.extend(*bytes));
        }
        directory.extend(b"PK\x01\x02\x14\0");
        directory.extend(member.fields());
        directory.extend([0; 10]); // comment, disk, attributes
        directory.extend(place.to_le_bytes());
        [member.name.as_bytes(), &member.extra].iter().for_each(|bytes| directory.extend(*bytes));
    }
    let (count, size, start) = (members.len() as u16, directory.len() as u32, file.len() as u32);
    file.extend(directory);
    file.extend(b"PK\x05\x06\0\0\0\0");
    [count, count].iter().for_each(|field| file.extend(field.to_le_bytes()));
    [size, start].iter().for_each(|field| file.extend(field.to_le_bytes()));
    file.extend([0; 2]);
    file
}
