//! HDF5, as much of it as h5py writes for Keras.
//!
//! ```text
//! file      the bytes, the superblock, and the limit of reads
//! header    an object's header: its messages
//! group     the objects of a group, by name
//! kinds     datatypes and shapes
//! dataset   values: contiguous or in chunks, compressed or not
//! attribute strings that belong to an object
//! write     writes a file of groups, datasets and strings
//! ```
//!
//! Why not a crate: the crates without C code (hdf5-pure 0.47, hdf5-reader 0.12) support much more of HDF5, with
//! 127,000 and 30,000 lines, and allocate infallibly (`vec![0; n]`, `with_capacity`) in some hundred places. A model
//! file may come from anywhere, and this library must return an error. h5py writes only a little of HDF5 for Keras:
//! superblocks of version 0, 2 and 3, groups as symbol tables or as links in their header, datasets of numbers,
//! contiguous or chunked with `shuffle` and `gzip`, strings as attributes, of fixed length or in the global heap. That
//! is supported here; everything else is `Unsupported`, with its name.
//!
//! Limits: only names and what the reader of a dataset requests are allocated. Every read of a part of the file,
//! structure or data, is counted by its length, and [`Hdf5`] allows `LOOKS` times the file's length: cycles, and
//! structures shared a thousand times, end there.
//!
//! Source: "HDF5 File Format Specification Version 3.0", The HDF Group.

mod attribute;
mod checksum;
mod dataset;
mod file;
mod group;
mod header;
mod kinds;
mod write;

pub use checksum::lookup3;
pub use dataset::Dataset;
pub use file::Hdf5;
pub use group::Group;
pub use write::{Data, Node, write};

/// The signature of an HDF5 file.
pub const SIGNATURE: &[u8] = b"\x89HDF\r\n\x1a\n";
