//! Attributes that are a string or a list of strings.

use super::file::{Cursor, Hdf5, UNDEFINED_ADDRESS, unsupported};
use super::header::{Header, about};
use super::kinds::{Kind, elements, shape};
use crate::error::{At, Error, ErrorKind, Result};
use crate::memory::push;

/// The cost of reading an attribute's name, in bytes (see `LOOKS`).
const HEAD: u64 = 16;

/// Strings of a file.
pub type Texts<'a> = Vec<&'a str>;

/// The strings of the attribute `name`, which may be one or a list; `None` if it does not exist.
pub fn read<'a>(file: &Hdf5<'a>, header: &Header<'a>, name: &str) -> Result<Option<Texts<'a>>> {
    for message in header.all(about::ATTRIBUTE) {
        file.look(HEAD)?;
        let mut body = message.body()?;
        let (version, flags) = (body.u8()?, body.u8()?);
        if !(1..=3).contains(&version) {
            return Err(unsupported("an attribute of version", "1 to 3", version));
        }
        let lens = [body.u16()?, body.u16()?, body.u16()?].map(u64::from);
        body.skip(if version == 3 { 1 } else { 0 })?; // the name's encoding
        let mut part = |len: u64| -> Result<&'a [u8]> {
            let bytes = body.take(len)?;
            body.skip(if version == 1 { len.next_multiple_of(8) - len } else { 0 })?;
            Ok(bytes)
        };
        let [found, kind, space] = [part(lens[0])?, part(lens[1])?, part(lens[2])?];
        if found.strip_suffix(b"\0").unwrap_or(found) != name.as_bytes() {
            continue;
        }
        if version > 1 && flags & 3 != 0 {
            return Err(unsupported("an attribute whose type or shape is", "its own", "shared"));
        }
        let shape = shape(&mut Cursor::new(space))?;
        let count = elements(&shape)?;
        if count == 0 {
            return Ok(Some(Vec::new())); // NumPy writes an empty list as one of numbers
        }
        return texts(file, Kind::read(&mut Cursor::new(kind))?, count, &mut body).map(Some);
    }
    match header.first(about::ATTRIBUTES) {
        Some(message) => check_compact(message.body()?).map(|()| None),
        None => Ok(None),
    }
}

/// An error unless an object's attributes are in its header.
fn check_compact(mut body: Cursor<'_>) -> Result<()> {
    const ORDER: u8 = 1;
    body.skip(1)?;
    if body.u8()? & ORDER != 0 {
        body.skip(2)?;
    }
    match body.u64()? {
        UNDEFINED_ADDRESS => Ok(()),
        _ => Err(unsupported("attributes in a", "attributes in the object's header", "fractal heap")),
    }
}

fn texts<'a>(file: &Hdf5<'a>, kind: Kind, count: u64, body: &mut Cursor<'a>) -> Result<Texts<'a>> {
    let mut texts = Vec::new();
    let mut heap = Heap::default();
    for _ in 0..count {
        let mut element = Cursor::new(body.take(kind.bytes())?);
        let bytes = match kind {
            Kind::Text { bytes: 0 } => return Err(Error::new(ErrorKind::Format, "strings of length 0")),
            Kind::Text { .. } => {
                let end = element.rest().iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
                &element.rest()[..end]
            }
            Kind::LongText => {
                let (len, at, number) = (element.u32()?, element.u64()?, element.u32()?);
                if len > 0 { heap.text(file, at, number, len).at("global heap")? } else { &[] }
            }
            _ => return Err(unsupported("an attribute of kind", "text", kind)),
        };
        let text =
            std::str::from_utf8(bytes).map_err(|_| Error::new(ErrorKind::Format, "a string that is not UTF-8"))?;
        push(&mut texts, text)?;
    }
    Ok(texts)
}

/// A collection of the global heap: its objects by number.
#[derive(Default)]
struct Heap<'a> {
    at: u64,
    objects: Vec<(u32, &'a [u8])>,
}

impl<'a> Heap<'a> {
    /// The string with a number in the collection at an address; the last collection is cached.
    fn text(&mut self, file: &Hdf5<'a>, at: u64, number: u32, len: u32) -> Result<&'a [u8]> {
        if self.objects.is_empty() || self.at != at {
            *self = Heap { at, objects: objects(file, at)? };
        }
        let Some((_, bytes)) = self.objects.iter().find(|(found, _)| *found == number) else {
            return Err(Error::new(ErrorKind::Format, "no such object in the heap").found(number));
        };
        bytes.get(..len as usize).ok_or_else(|| {
            Error::new(ErrorKind::Format, "a string that is longer than its field").expected(bytes.len()).found(len)
        })
    }
}

/// The objects of the collection at an address.
fn objects<'a>(file: &Hdf5<'a>, at: u64) -> Result<Vec<(u32, &'a [u8])>> {
    let mut head = file.marked(at, 16, b"GCOL")?;
    head.skip(4)?;
    let len = head.u64()?.checked_sub(16).ok_or_else(|| Error::new(ErrorKind::Format, "a heap of length 0"))?;
    let mut rest = file.cursor(at + 16, len)?;
    let mut objects = Vec::new();
    while rest.rest().len() >= 16 {
        let number = rest.u16()?;
        rest.skip(6)?;
        let size = rest.u64()?;
        if number == 0 {
            break; // free space, to the end
        }
        push(&mut objects, (u32::from(number), rest.take(size)?))?;
        let padding = size.next_multiple_of(8) - size; // the size was checked
        rest.skip(padding.min(rest.rest().len() as u64))?;
    }
    Ok(objects)
}
