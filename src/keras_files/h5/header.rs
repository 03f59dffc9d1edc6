//! An object's header: messages, in one piece or several. Versions 1 and 2.

use super::file::{Cursor, Hdf5, check_sum, unsupported};
use crate::error::{At, Error, ErrorKind, Result};
use crate::memory::push;

/// Message types.
pub mod about {
    pub const DATASPACE: u16 = 0x01;
    pub const LINKS: u16 = 0x02;
    pub const DATATYPE: u16 = 0x03;
    pub const LINK: u16 = 0x06;
    pub const EXTERNAL: u16 = 0x07;
    pub const LAYOUT: u16 = 0x08;
    pub const FILTERS: u16 = 0x0b;
    pub const ATTRIBUTE: u16 = 0x0c;
    pub const CONTINUATION: u16 = 0x10;
    pub const SYMBOLS: u16 = 0x11;
    pub const ATTRIBUTES: u16 = 0x15;
}

/// A message.
#[derive(Clone, Copy)]
pub struct Message<'a> {
    about: u16,
    shared: bool,
    body: &'a [u8],
}

impl<'a> Message<'a> {
    /// Its content.
    pub fn body(&self) -> Result<Cursor<'a>> {
        match self.shared {
            false => Ok(Cursor::new(self.body)),
            true => Err(unsupported("a message that several objects share:", "one of its own", self.about)),
        }
    }
}

/// The messages of an object.
pub struct Header<'a> {
    messages: Vec<Message<'a>>,
}

impl<'a> Header<'a> {
    /// Reads the header at an address.
    pub fn read(file: &Hdf5<'a>, at: u64) -> Result<Self> {
        let mut header = Header { messages: Vec::new() };
        let read = match file.take(at, 4)? {
            b"OHDR" => header.read_v2(file, at),
            [1, ..] => header.read_v1(file, at),
            [version, ..] => Err(unsupported("no object header, or one of version", "1 or 2", version)),
            [] => Err(Error::internal("four bytes are none")),
        };
        read.at(format_args!("object header at byte {at}")).map(|()| header)
    }

    /// The first message of a type.
    pub fn first(&self, about: u16) -> Option<Message<'a>> {
        self.all(about).next()
    }

    /// The first message of a type that must exist.
    pub fn expect(&self, about: u16, name: &str) -> Result<Cursor<'a>> {
        match self.first(about) {
            Some(message) => message.body().at(name),
            None => Err(Error::new(ErrorKind::Format, "missing from the object's header").at(name)),
        }
    }

    /// All messages of a type.
    pub fn all(&self, about: u16) -> impl Iterator<Item = Message<'a>> + '_ {
        self.messages.iter().copied().filter(move |message| message.about == about)
    }

    fn read_v1(&mut self, file: &Hdf5<'a>, at: u64) -> Result<()> {
        let mut start = file.cursor(at, 16)?;
        start.skip(8)?;
        let len = u64::from(start.u32()?);
        let mut pieces = vec![file.cursor(at + 16, len)?];
        while let Some(mut piece) = pieces.pop() {
            while piece.rest().len() >= 8 {
                let (about, len, flags) = (piece.u16()?, piece.u16()?, piece.u8()?);
                piece.skip(3)?;
                let message = Message { about, shared: flags & 2 != 0, body: piece.take(u64::from(len))? };
                if let Some((at, len)) = self.take(message)? {
                    push(&mut pieces, file.cursor(at, len)?)?;
                }
            }
        }
        Ok(())
    }

    fn read_v2(&mut self, file: &Hdf5<'a>, at: u64) -> Result<()> {
        const TIMES: u8 = 0x20;
        const STORAGE: u8 = 0x10;
        const ORDER: u8 = 0x04;
        let mut start = file.cursor(at, 6)?;
        start.skip(4)?;
        let (version, flags) = (start.u8()?, start.u8()?);
        if version != 2 {
            return Err(unsupported("version", "2", version));
        }
        let width = 1 << (flags & 3);
        let before = 6 + if flags & TIMES != 0 { 16 } else { 0 } + if flags & STORAGE != 0 { 4 } else { 0 };
        let len = file.cursor(at + before, width)?.number(width)?;
        let too_long = || Error::new(ErrorKind::Format, "it is longer than the file");
        let whole = len.checked_add(before + width + 4).ok_or_else(too_long)?;
        check_sum(file.take(at, whole)?)?;
        let mut pieces = vec![file.cursor(at + before + width, len)?];
        let head = if flags & ORDER != 0 { 6 } else { 4 };
        while let Some(mut piece) = pieces.pop() {
            while piece.rest().len() >= head {
                let (about, len, flags) = (u16::from(piece.u8()?), piece.u16()?, piece.u8()?);
                piece.skip(head as u64 - 4)?;
                let message = Message { about, shared: flags & 2 != 0, body: piece.take(u64::from(len))? };
                if let Some((at, len)) = self.take(message)? {
                    let inner = len.checked_sub(8).ok_or_else(too_long)?;
                    check_sum(file.take(at, len)?)?;
                    file.marked(at, 4, b"OCHK")?;
                    push(&mut pieces, file.cursor(at + 4, inner)?)?;
                }
            }
        }
        Ok(())
    }

    /// Adds a message; a continuation message is followed instead.
    fn take(&mut self, message: Message<'a>) -> Result<Option<(u64, u64)>> {
        if message.about != about::CONTINUATION {
            push(&mut self.messages, message)?;
            return Ok(None);
        }
        let mut body = message.body()?;
        Ok(Some((body.u64()?, body.u64()?)))
    }
}
