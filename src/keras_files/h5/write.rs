//! Writes files of groups, datasets and strings: superblock of version 2, links in the groups' headers, contiguous
//! data.
//!
//! ```text
//! superblock   48 bytes
//! headers      of all objects, each after those that are in it
//! data         of all datasets, each from a multiple of 8 on
//! ```

use super::SIGNATURE;
use super::checksum::lookup3;
use super::file::UNDEFINED_ADDRESS;
use super::header::about;
use crate::error::{Error, ErrorKind, Result};
use std::io::Write;

/// The values of a dataset.
#[derive(Clone, Copy, Debug)]
pub enum Data<'a> {
    /// float32.
    Floats(&'a [f32]),
    /// One int64.
    Integer(i64),
    /// One float32.
    Float(f32),
}

/// An object of a file.
#[derive(Debug)]
pub enum Node<'a> {
    /// A group: objects by name, and an optional string attribute `name`.
    Group {
        /// The string, if there is one.
        name: Option<String>,
        /// The objects; names are unique.
        children: Vec<(String, Node<'a>)>,
    },
    /// A dataset.
    Dataset {
        /// The shape; empty for a scalar.
        shape: Vec<usize>,
        /// The values, as many as the shape says.
        data: Data<'a>,
    },
}

impl<'a> Node<'a> {
    /// A group without an attribute.
    pub fn group(children: Vec<(String, Node<'a>)>) -> Self {
        Node::Group { name: None, children }
    }
}

/// Elements that are converted at once.
const CHUNK: usize = 2048;

impl Data<'_> {
    fn len(&self) -> u64 {
        match self {
            Data::Floats(values) => size_of_val(*values) as u64,
            Data::Integer(_) => 8,
            Data::Float(_) => 4,
        }
    }

    fn write(&self, out: &mut impl Write) -> Result<()> {
        match *self {
            Data::Integer(value) => out.write_all(&value.to_le_bytes())?,
            Data::Float(value) => out.write_all(&value.to_le_bytes())?,
            Data::Floats(values) => {
                let mut buffer = [[0; 4]; CHUNK];
                for values in values.chunks(CHUNK) {
                    for (bytes, value) in buffer.iter_mut().zip(values) {
                        *bytes = value.to_le_bytes();
                    }
                    out.write_all(buffer[..values.len()].as_flattened())?;
                }
            }
        }
        Ok(())
    }

    fn kind(&self) -> Vec<u8> {
        match self {
            Data::Integer(_) => [&[0x10, 8, 0, 0][..], &8u32.to_le_bytes(), &[0, 0, 64, 0]].concat(),
            _ => {
                let layout = [0, 0, 32, 0, 23, 8, 0, 23];
                [&[0x11, 0x20, 31, 0][..], &4u32.to_le_bytes(), &layout, &127u32.to_le_bytes()].concat()
            }
        }
    }
}

/// Writes a file whose root group is `root`. The same node gives the same bytes. It allocates only the headers.
pub fn write(root: &Node<'_>, out: &mut impl Write) -> Result<()> {
    const START: u64 = 48;
    // The headers' length does not depend on the addresses in them, so a first pass determines where the data begin.
    let mut first = Writer::default();
    first.object(root)?;
    let mut writer = Writer { data_at: (START + first.headers.len() as u64).next_multiple_of(8), ..Writer::default() };
    let data_at = writer.data_at;
    let root_at = writer.object(root)?;
    let mut block = [SIGNATURE, &[2, 8, 8, 0]].concat();
    for address in [0, UNDEFINED_ADDRESS, writer.data_at, root_at] {
        block.extend(address.to_le_bytes());
    }
    block.extend(lookup3(&block).to_le_bytes());
    out.write_all(&block)?;
    out.write_all(&writer.headers)?;
    out.write_all(&ZEROS[..(data_at - START) as usize - writer.headers.len()])?;
    for data in &writer.data {
        data.write(out)?;
        out.write_all(&ZEROS[..padding(data.len())])?;
    }
    Ok(())
}

const ZEROS: [u8; 8] = [0; 8];

/// Bytes up to the next multiple of 8.
fn padding(len: u64) -> usize {
    (len.next_multiple_of(8) - len) as usize
}

/// The headers written so far, and the data to be written.
#[derive(Default)]
struct Writer<'n> {
    headers: Vec<u8>,
    data: Vec<Data<'n>>,
    /// The address of the next data.
    data_at: u64,
}

impl<'n> Writer<'n> {
    /// Writes the header of an object, after those inside it; returns its address.
    fn object(&mut self, node: &Node<'n>) -> Result<u64> {
        let mut messages = Vec::new();
        match node {
            Node::Group { name, children } => {
                message(&mut messages, about::LINKS, &[&[0, 0][..], &[0xff; 16]].concat())?;
                for (name, child) in children {
                    let address = self.object(child)?;
                    let len = u32::try_from(name.len()).unwrap_or(u32::MAX).to_le_bytes();
                    let body = [&[1, 0x12, 1][..], &len, name.as_bytes(), &address.to_le_bytes()].concat();
                    message(&mut messages, about::LINK, &body)?;
                }
                if let Some(text) = name {
                    message(&mut messages, about::ATTRIBUTE, &attribute("name", text)?)?;
                }
            }
            Node::Dataset { shape, data } => {
                let elements = shape.iter().try_fold(1usize, |product, &size| product.checked_mul(size));
                let width = if matches!(data, Data::Integer(_)) { 8 } else { 4 };
                if elements.is_none_or(|elements| elements as u64 * width != data.len()) {
                    return Err(Error::internal("a dataset whose length does not match its shape"));
                }
                let mut space = vec![2, shape.len() as u8, 0, if shape.is_empty() { 0 } else { 1 }];
                space.extend(shape.iter().flat_map(|&size| (size as u64).to_le_bytes()));
                message(&mut messages, about::DATASPACE, &space)?;
                message(&mut messages, about::DATATYPE, &data.kind())?;
                message(&mut messages, FILL, &[3, 0x0a])?; // as h5py: the default fill value
                let place = [self.data_at, data.len()].map(u64::to_le_bytes);
                message(&mut messages, about::LAYOUT, &[&[3, 1][..], place.as_flattened()].concat())?;
                self.data_at += data.len() + padding(data.len()) as u64;
                self.data.push(*data);
            }
        }
        let at = 48 + self.headers.len() as u64;
        let len = u32::try_from(messages.len()).map_err(|_| too_long("a group"))?.to_le_bytes();
        let mut header = [&b"OHDR"[..], &[2, 2], &len, &messages].concat();
        header.extend(lookup3(&header).to_le_bytes());
        self.headers.extend(header);
        Ok(at)
    }
}

/// The message of a dataset's fill value.
const FILL: u16 = 0x05;

fn too_long(what: &'static str) -> Error {
    Error::new(ErrorKind::Unsupported, format!("{what} is too long for an HDF5 file"))
}

fn message(messages: &mut Vec<u8>, about: u16, body: &[u8]) -> Result<()> {
    let len = u16::try_from(body.len()).map_err(|_| too_long("a name"))?;
    messages.push(about as u8);
    messages.extend(len.to_le_bytes());
    messages.push(0);
    messages.extend(body);
    Ok(())
}

/// A string attribute of fixed length, in UTF-8.
fn attribute(name: &str, text: &str) -> Result<Vec<u8>> {
    let bytes = [text.as_bytes(), b"\0"].concat();
    let len = u32::try_from(bytes.len()).map_err(|_| too_long("a text"))?;
    let kind = [&[0x13, 0x10, 0, 0][..], &len.to_le_bytes()].concat(); // UTF-8, ended by NUL
    let space = [2, 0, 0, 0];
    let lens = [name.len() + 1, kind.len(), space.len()].map(|len| (len as u16).to_le_bytes());
    Ok([&[3, 0][..], lens.as_flattened(), &[1], name.as_bytes(), b"\0", &kind, &space, &bytes].concat())
}
