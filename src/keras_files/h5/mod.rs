//! HDF5, as much of it as h5py writes for Keras.
//!
//! ```text
//! file      the bytes, the superblock, and how often the bytes may be looked at
//! header    an object's header: its messages
//! group     what is in a group, by name
//! kinds     datatypes, and how many elements there are
//! dataset   numbers: in one piece, in chunks, packed or not
//! attribute texts that belong to an object
//! write     a file of groups, numbers and texts
//! ```
//!
//! Why not a crate: those without C that there are (hdf5-pure 0.47, hdf5-reader 0.12) are readers and writers of far more of
//! HDF5, 127,000 and 30,000 lines, and ask for memory in ways that cannot fail (`vec![0; n]`, `with_capacity`) in some hundred
//! places. A model's file may come from anywhere, and this library has to give an error. What h5py writes for Keras
//! is little: superblocks of version 0, 2 and 3, groups as symbol tables or as links in their header, datasets of numbers,
//! contiguous or chunked with `shuffle` and `gzip`, texts as attributes, of fixed length or in the global heap. That is read
//! here; what else HDF5 has is `Unsupported`, and told by its name.
//!
//! What a file may cost: nothing is allocated but names, and what the reader of a dataset asks for. Every look at a part of
//! the file, structure or data, is counted by its length, and [`Hdf5`] allows `LOOKS` times the file's
//! length: whatever leads in circles, or is shared a thousand times, ends there.
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

/// What an HDF5 file begins with.
pub const SIGNATURE: &[u8] = b"\x89HDF\r\n\x1a\n";
