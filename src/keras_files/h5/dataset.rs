//! Datasets: position, layout and compression of their values.

use super::file::{Cursor, Hdf5, UNDEFINED_ADDRESS, unsupported};
use super::header::{Header, about};
use super::kinds::{Kind, elements, shape};
use crate::data::half;
use crate::error::{At, Error, ErrorKind, Result, printable};
use crate::memory::{filled, push};
use flate2::bufread::ZlibDecoder;
use std::io::Read;

/// The largest chunk, in bytes, that is larger than its dataset.
const LARGE: u64 = 1 << 20;
/// The largest ratio of the chunks' total size to the dataset's: 2 for each of four axes.
const SPARE: u64 = 16;
/// The deepest accepted tree of chunks.
const DEEPEST: usize = 16;

/// A dataset whose type and shape were read, but not its values.
pub struct Dataset<'f, 'a> {
    file: &'f Hdf5<'a>,
    /// Its path in the file, for messages.
    path: String,
    header: Header<'a>,
    kind: Kind,
    shape: Vec<u64>,
    /// Its size in bytes.
    len: u64,
}

/// The filters of a chunk; undone from the last to the first.
#[derive(Clone, Copy)]
enum Filter {
    Deflate,
    Shuffle,
}

impl<'f, 'a> Dataset<'f, 'a> {
    /// Reads type, shape and layout of the dataset at an address.
    pub(super) fn read(file: &'f Hdf5<'a>, at: u64, path: String) -> Result<Self> {
        let header = Header::read(file, at)?;
        let kind = Kind::read(&mut header.expect(about::DATATYPE, "datatype")?)?;
        let shape = shape(&mut header.expect(about::DATASPACE, "dataspace")?)?;
        let too_many = || Error::new(ErrorKind::Format, "more elements than can be counted");
        let len = elements(&shape)?.checked_mul(kind.bytes()).ok_or_else(too_many)?;
        Ok(Dataset { file, path, header, kind, shape, len })
    }

    /// How many elements it has.
    pub fn size(&self) -> u64 {
        self.len / self.kind.bytes().max(1)
    }

    /// Whether it has this shape.
    pub fn is(&self, shape: &[usize]) -> bool {
        self.shape.iter().copied().eq(shape.iter().map(|&size| size as u64))
    }

    /// An error unless it has this shape.
    pub fn expect(&self, shape: &[usize]) -> Result<()> {
        match self.is(shape) {
            true => Ok(()),
            false => {
                let error = Error::new(ErrorKind::Shape, "wrong shape").expected(format_args!("{shape:?}"));
                Err(self.place(error.found(format_args!("{:?}", self.shape))))
            }
        }
    }

    /// Fills `values` with its elements, which must be floats and as many.
    pub fn floats(&self, values: &mut [f32]) -> Result<()> {
        self.read_floats(values).map_err(|error| self.place(error))
    }

    /// Its only element, a whole number, 0 or more.
    pub fn count(&self) -> Result<u64> {
        self.read_count().map_err(|error| self.place(error))
    }

    fn place(&self, error: Error) -> Error {
        error.at(format_args!("dataset {}", printable(&self.path)))
    }

    fn read_floats(&self, values: &mut [f32]) -> Result<()> {
        let Kind::Float { bytes, big_endian } = self.kind else {
            return Err(Error::new(ErrorKind::Unsupported, "wrong dtype").expected("float32").found(self.kind));
        };
        let elements = self.len / u64::from(bytes);
        if elements != values.len() as u64 {
            return Err(Error::new(ErrorKind::Shape, "wrong length").expected(values.len()).found(elements));
        }
        let width = bytes as usize;
        let convert = |element: &[u8]| {
            let bits = number(element, big_endian);
            match width {
                2 => half(bits as u16),
                4 => f32::from_bits(bits as u32),
                _ => f64::from_bits(bits) as f32,
            }
        };
        self.pieces(|start, bytes| {
            let start = start as usize / width;
            for (value, element) in values.iter_mut().skip(start).zip(bytes.chunks_exact(width)) {
                *value = convert(element);
            }
        })
    }

    fn read_count(&self) -> Result<u64> {
        let Kind::Integer { big_endian, signed, bytes } = self.kind else {
            return Err(Error::new(ErrorKind::Unsupported, "wrong dtype").expected("int64").found(self.kind));
        };
        let elements = self.len / u64::from(bytes);
        if elements != 1 {
            return Err(Error::new(ErrorKind::Shape, "wrong length").expected(1).found(elements));
        }
        let mut found = 0;
        self.pieces(|_, bytes| found = number(bytes, big_endian))?;
        match signed && found >> (bytes * 8 - 1) != 0 {
            true => Err(Error::new(ErrorKind::Format, "a number below 0").expected("0 or more")),
            false => Ok(found),
        }
    }

    /// Passes the bytes of the elements in pieces, each with its offset.
    fn pieces(&self, mut take: impl FnMut(u64, &[u8])) -> Result<()> {
        if self.header.first(about::EXTERNAL).is_some() {
            return Err(unsupported("data in", "data in the file itself", "another file"));
        }
        let mut layout = self.header.expect(about::LAYOUT, "layout")?;
        let version = layout.u8()?;
        if !matches!(version, 3 | 4) {
            return Err(unsupported("a layout of version", "3 or 4", version));
        }
        match layout.u8()? {
            0 => {
                let len = u64::from(layout.u16()?);
                let bytes = layout.take(len)?.get(..self.len as usize).ok_or_else(|| self.cut(len))?;
                take(0, bytes);
                Ok(())
            }
            1 => {
                let (at, len) = (layout.u64()?, layout.u64()?);
                if self.len == 0 {
                    return Ok(());
                }
                if at == UNDEFINED_ADDRESS || len != self.len {
                    return Err(self.cut(if at == UNDEFINED_ADDRESS { 0 } else { len }));
                }
                take(0, self.file.take(at, len)?);
                Ok(())
            }
            2 if version == 3 => self.chunks(layout, take).at("chunks"),
            class => {
                let found = if class == 2 { "of version 4 in chunks".to_string() } else { format!("class {class}") };
                Err(unsupported("a layout", "contiguous, or in chunks as HDF5 1.8 writes them", found))
            }
        }
    }

    /// The error for a dataset with only so many bytes.
    fn cut(&self, found: u64) -> Error {
        Error::new(ErrorKind::Format, "its data are incomplete")
            .expected(format_args!("{} bytes", self.len))
            .found(found)
    }

    /// Passes the pieces of a chunked dataset, each a row of a chunk's last axis.
    fn chunks(&self, mut layout: Cursor<'a>, mut take: impl FnMut(u64, &[u8])) -> Result<()> {
        let filters = self.filters().at("filters")?;
        let rank = usize::from(layout.u8()?).wrapping_sub(1);
        let tree = layout.u64()?;
        let wrong = || Error::new(ErrorKind::Format, "chunks that do not match the dataset's shape");
        if rank != self.shape.len() {
            return Err(wrong());
        }
        let sizes = (0..rank).map(|_| layout.u32().map(u64::from)).collect::<Result<Vec<_>>>()?;
        if sizes.contains(&0) || u64::from(layout.u32()?) != self.kind.bytes() {
            return Err(wrong());
        }
        let too_large = || Error::new(ErrorKind::Unsupported, "chunks that are larger than the dataset");
        let len = elements(&sizes)?.checked_mul(self.kind.bytes()).filter(|&len| len <= self.len.max(LARGE));
        let len = len.ok_or_else(too_large)?;
        if self.len == 0 {
            return Ok(());
        }
        let grid: Vec<u64> = self.shape.iter().zip(&sizes).map(|(size, chunk)| size.div_ceil(*chunk)).collect();
        // A chunk extends past each edge by less than its own size; with far more, a small file would unpack for hours.
        let most = self.len.saturating_mul(SPARE).saturating_add(LARGE);
        elements(&grid)?.checked_mul(len).filter(|&all| all <= most).ok_or_else(too_large)?;
        let mut found = Vec::new();
        self.tree(tree, rank, DEEPEST, &mut found)?;
        if found.len() as u64 != elements(&grid)? {
            let error = Error::new(ErrorKind::Format, "chunks are missing, or too many");
            return Err(error.expected(elements(&grid)?).found(found.len()));
        }
        let mut bytes = filled(len as usize, 0u8)?;
        let mut spare = filled(len as usize, 0u8)?;
        let mut last = None;
        for chunk in found {
            let offsets = chunk.offsets(self.file, rank)?;
            // In the grid's order, each once, so none is missing.
            let number = place(&offsets, &sizes, &grid).filter(|&number| last.is_none_or(|last| last < number));
            last = Some(number.ok_or_else(|| Error::new(ErrorKind::Format, "a chunk at a wrong position"))?);
            self.unpack(&chunk, &filters, &mut bytes, &mut spare)?;
            self.rows(&offsets, &sizes, &bytes, &mut take);
        }
        Ok(())
    }

    /// The filters of a dataset's chunks.
    fn filters(&self) -> Result<Vec<Filter>> {
        let Some(message) = self.header.first(about::FILTERS) else { return Ok(Vec::new()) };
        let mut body = message.body()?;
        let (version, count) = (body.u8()?, body.u8()?);
        body.skip(if version == 1 { 6 } else { 0 })?;
        let mut filters = Vec::new();
        for _ in 0..count {
            let id = body.u16()?;
            let name = if version == 1 || id >= 256 { u64::from(body.u16()?) } else { 0 };
            body.skip(2)?;
            let values = u64::from(body.u16()?);
            let padded = version == 1 && values % 2 == 1;
            body.skip(if version == 1 { name.next_multiple_of(8) } else { name })?;
            body.skip(4 * values + if padded { 4 } else { 0 })?;
            filters.push(match id {
                1 => Filter::Deflate,
                2 => Filter::Shuffle,
                3 => return Err(unsupported("data compressed by", "gzip and shuffle", "fletcher32")),
                4 => return Err(unsupported("data compressed by", "gzip and shuffle", "szip")),
                32000 => return Err(unsupported("data compressed by", "gzip and shuffle", "lzf")),
                id => return Err(unsupported("data compressed by filter", "gzip and shuffle", id)),
            });
        }
        Ok(filters)
    }

    /// The chunks under a node of their tree.
    fn tree(&self, at: u64, rank: usize, deepest: usize, found: &mut Vec<Chunk>) -> Result<()> {
        if at == UNDEFINED_ADDRESS {
            return Ok(());
        }
        let too_deep = || Error::new(ErrorKind::Format, "a tree of chunks that is too deep");
        let deeper = deepest.checked_sub(1).ok_or_else(too_deep)?;
        let mut head = self.file.marked(at, 24, b"TREE")?;
        let (kind, level, children) = (head.u8()?, head.u8()?, head.u16()?);
        if kind != 1 {
            return Err(Error::new(ErrorKind::Format, "not a tree of chunks"));
        }
        let key = 8 + 8 * (rank as u64 + 1);
        for i in 0..u64::from(children) {
            let start = at + 24 + (key + 8) * i;
            let mut entry = self.file.cursor(start, key + 8)?;
            let (len, skipped) = (entry.u32()?, entry.u32()?);
            entry.skip(key - 8)?;
            let child = entry.u64()?;
            match level {
                0 => push(found, Chunk { key: start + 8, at: child, len, skipped })?,
                _ => self.tree(child, rank, deeper, found)?,
            }
        }
        Ok(())
    }

    /// Unpacks a chunk into `bytes`, which has its unpacked size; `spare` has the same size.
    fn unpack(&self, chunk: &Chunk, filters: &[Filter], bytes: &mut [u8], spare: &mut [u8]) -> Result<()> {
        let packed = self.file.take(chunk.at, u64::from(chunk.len))?;
        let is_used = |i: usize| chunk.skipped >> i.min(31) & 1 == 0;
        let mut filters = filters.iter().enumerate().filter(|(i, _)| is_used(*i)).map(|(_, filter)| *filter).rev();
        let damaged = |what: &'static str| Error::new(ErrorKind::Format, what);
        let mut next = filters.next();
        match next {
            Some(Filter::Deflate) => {
                let mut unpacked = ZlibDecoder::new(packed);
                unpacked.read_exact(bytes).map_err(|_| damaged("the compressed data are damaged"))?;
                if unpacked.read(&mut [0]).map_err(|_| damaged("the compressed data are damaged"))? != 0 {
                    return Err(damaged("a chunk is longer than it should be"));
                }
                next = filters.next();
            }
            _ if packed.len() == bytes.len() => bytes.copy_from_slice(packed),
            _ => return Err(damaged("a chunk is not as long as it should be")),
        }
        match (next, filters.next()) {
            (None, _) => {}
            (Some(Filter::Shuffle), None) => {
                spare.copy_from_slice(bytes);
                let width = self.kind.bytes() as usize;
                let count = bytes.len() / width.max(1);
                for (i, byte) in bytes.iter_mut().enumerate() {
                    *byte = spare[i % width * count + i / width];
                }
            }
            _ => return Err(unsupported("data compressed by", "gzip and shuffle, once each", "other filters")),
        }
        Ok(())
    }

    /// Passes the rows of an unpacked chunk that are inside the dataset.
    fn rows(&self, offsets: &[u64], sizes: &[u64], bytes: &[u8], take: &mut impl FnMut(u64, &[u8])) {
        let width = self.kind.bytes();
        let (row, last) = match (sizes.last(), self.shape.last(), offsets.last()) {
            (Some(&row), Some(&size), Some(&offset)) => (row, row.min(size.saturating_sub(offset))),
            _ => (1, 1), // a scalar
        };
        for (i, bytes) in (0..).zip(bytes.chunks_exact((row * width) as usize)) {
            // The indices of the chunk's row, the second last axis fastest; then the offset of that row in the dataset.
            let (mut rest, mut start, mut stride, mut inside) = (i, 0, width, true);
            for axis in (0..sizes.len()).rev() {
                let index = if axis + 1 == sizes.len() { 0 } else { rest % sizes[axis] };
                rest /= if axis + 1 == sizes.len() { 1 } else { sizes[axis] };
                let at = offsets[axis] + index;
                inside &= at < self.shape[axis];
                start += at.min(self.shape[axis]) * stride; // within the dataset's length
                stride *= self.shape[axis];
            }
            if inside {
                take(start, &bytes[..(last * width) as usize]);
            }
        }
    }
}

/// A chunk's entry in the tree.
struct Chunk {
    /// The position of its offsets.
    key: u64,
    /// The position and number of its bytes.
    at: u64,
    len: u32,
    /// Which filters were not applied to it, a bit each.
    skipped: u32,
}

impl Chunk {
    /// The offset of its first element in the dataset.
    fn offsets(&self, file: &Hdf5<'_>, rank: usize) -> Result<Vec<u64>> {
        let mut key = file.cursor(self.key, 8 * rank as u64)?;
        (0..rank).map(|_| key.u64()).collect()
    }
}

/// The index of the chunk that begins at `offsets`, if there is one.
fn place(offsets: &[u64], sizes: &[u64], grid: &[u64]) -> Option<u64> {
    offsets.iter().zip(sizes).zip(grid).try_fold(0u64, |number, ((&offset, &size), &count)| {
        let index = Some(offset / size).filter(|&index| offset % size == 0 && index < count)?;
        number.checked_mul(count)?.checked_add(index)
    })
}

/// The little-endian number of at most eight bytes.
fn number(bytes: &[u8], big_endian: bool) -> u64 {
    let add = |number: u64, &byte: &u8| number << 8 | u64::from(byte);
    match big_endian {
        true => bytes.iter().fold(0, add),
        false => bytes.iter().rev().fold(0, add),
    }
}
