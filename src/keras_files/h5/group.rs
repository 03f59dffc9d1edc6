//! Groups: names and the addresses of their objects.

use super::attribute::{self, Texts};
use super::dataset::Dataset;
use super::file::{Cursor, Hdf5, UNDEFINED_ADDRESS, unsupported};
use super::header::{Header, about};
use crate::error::{At, Error, ErrorKind, Result, listed, printable};
use crate::memory::push;
use std::collections::HashMap;

/// The deepest accepted tree of a group's names: each level has at least two entries.
const DEEPEST: usize = 64;

/// The most names of a path.
const LONGEST: usize = 32;

/// A group of a file.
pub struct Group<'f, 'a> {
    file: &'f Hdf5<'a>,
    header: Header<'a>,
    /// Its names and the addresses of their objects, sorted by name.
    links: Vec<(&'a str, Link)>,
    /// Where it is in the file, for messages.
    path: String,
}

/// The target of a name.
#[derive(Clone, Copy)]
enum Link {
    /// An object's header.
    Object(u64),
    /// A link to a path, in this file or another: never followed.
    Elsewhere,
}

impl<'f, 'a> Group<'f, 'a> {
    /// Reads the group whose header is at an address.
    pub(super) fn read(file: &'f Hdf5<'a>, at: u64, path: String) -> Result<Self> {
        let read = || {
            let header = Header::read(file, at)?;
            let mut links = Vec::new();
            if let Some(message) = header.first(about::SYMBOLS) {
                let mut body = message.body()?;
                let (tree, heap) = (body.u64()?, body.u64()?);
                symbols(file, tree, &Heap::read(file, heap)?, DEEPEST, &mut links)?;
            } else if let Some(message) = header.first(about::LINKS) {
                check_compact(message.body()?)?;
                for message in header.all(about::LINK) {
                    push(&mut links, link(message.body()?).at("a link")?)?;
                }
            } else {
                return Err(Error::new(ErrorKind::Format, "not a group"));
            }
            links.sort_by_key(|(name, _)| *name);
            match links.windows(2).find(|pair| pair[0].0 == pair[1].0) {
                Some(pair) => Err(Error::new(ErrorKind::Format, "two objects of one name").found(printable(pair[0].0))),
                None => Ok((header, links)),
            }
        };
        let (header, links) = read().at(format_args!("group {}", printable(&path)))?;
        Ok(Group { file, header, links, path })
    }

    /// Its names, in their order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &'a str> + '_ {
        self.links.iter().map(|(name, _)| *name)
    }

    /// Whether the name exists.
    pub fn has(&self, name: &str) -> bool {
        self.links.binary_search_by_key(&name, |(name, _)| *name).is_ok()
    }

    /// The group at a path of names from here, `layers/conv2d`.
    pub fn group(&self, path: &str) -> Result<Group<'f, 'a>> {
        match path.rsplit_once('/') {
            Some(_) => {
                let mut groups = HashMap::new();
                self.reach(path, &mut groups, LONGEST)?;
                groups.remove(path).ok_or_else(|| Error::internal("a group that was just read"))
            }
            None => self.child(path),
        }
    }

    /// The datasets at paths of names from here; each group on the way is read once.
    pub fn datasets(&self, paths: &[&str]) -> Result<Vec<Dataset<'f, 'a>>> {
        let (mut groups, mut datasets) = (HashMap::new(), Vec::new());
        for path in paths {
            let dataset = match path.rsplit_once('/') {
                Some((parent, name)) => self.reach(parent, &mut groups, LONGEST)?.dataset(name)?,
                None => self.dataset(path)?,
            };
            push(&mut datasets, dataset)?;
        }
        Ok(datasets)
    }

    /// The group at a path, which is added to `groups`; `longest` is the most names that it may have.
    fn reach<'g, 'p>(
        &self,
        path: &'p str,
        groups: &'g mut HashMap<&'p str, Group<'f, 'a>>,
        longest: usize,
    ) -> Result<&'g Group<'f, 'a>> {
        if !groups.contains_key(path) {
            let shorter = longest.checked_sub(1).ok_or_else(too_long)?;
            let group = match path.rsplit_once('/') {
                Some((parent, name)) => self.reach(parent, groups, shorter)?.child(name)?,
                None => self.child(path)?,
            };
            groups.insert(path, group);
        }
        groups.get(path).ok_or_else(|| Error::internal("a group that was just read"))
    }

    fn child(&self, name: &str) -> Result<Group<'f, 'a>> {
        Group::read(self.file, self.address(name)?, self.place(name))
    }

    /// The dataset at a path of names from here.
    pub fn dataset(&self, path: &str) -> Result<Dataset<'f, 'a>> {
        match path.rsplit_once('/') {
            Some((parent, name)) => self.group(parent)?.dataset(name),
            None => {
                let (address, place) = (self.address(path)?, self.place(path));
                Dataset::read(self.file, address, place.clone()).at(format_args!("dataset {}", printable(&place)))
            }
        }
    }

    /// The strings of an attribute; `None` if it does not exist.
    pub fn texts(&self, name: &str) -> Result<Option<Texts<'a>>> {
        let read = attribute::read(self.file, &self.header, name);
        read.at(format_args!("attribute {name}")).at(format_args!("group {}", printable(&self.path)))
    }

    fn address(&self, name: &str) -> Result<u64> {
        let at = |error: Error| error.at(format_args!("group {}", printable(&self.path)));
        match self.links.binary_search_by_key(&name, |(name, _)| *name).ok().and_then(|i| self.links.get(i)) {
            Some((_, Link::Object(address))) => Ok(*address),
            Some((_, Link::Elsewhere)) => {
                let error = Error::new(ErrorKind::Unsupported, "a link to another path").expected("an object");
                Err(at(error.found(printable(name))))
            }
            None => {
                let error = Error::new(ErrorKind::NotFound, "no such object").expected(printable(name));
                Err(at(error.found(listed(self.names()))))
            }
        }
    }

    /// The path of a name in this group.
    fn place(&self, name: &str) -> String {
        format!("{}/{name}", self.path.trim_end_matches('/'))
    }
}

fn too_long() -> Error {
    Error::new(ErrorKind::Format, "a path of too many names").expected(format_args!("at most {LONGEST}"))
}

/// A table of names.
struct Heap<'a>(&'a [u8]);

impl<'a> Heap<'a> {
    fn read(file: &Hdf5<'a>, at: u64) -> Result<Self> {
        let mut head = file.marked(at, 32, b"HEAP")?;
        head.skip(4)?;
        let len = head.u64()?;
        head.skip(8)?;
        Ok(Heap(file.take(head.u64()?, len)?))
    }

    /// The name that begins at `at`.
    fn name(&self, at: u64) -> Result<&'a str> {
        let wrong = || Error::new(ErrorKind::Format, "a name outside of the names' heap");
        let rest = usize::try_from(at).ok().and_then(|at| self.0.get(at..)).ok_or_else(wrong)?;
        let len = rest.iter().position(|&byte| byte == 0).ok_or_else(wrong)?;
        text(&rest[..len])
    }
}

/// A name as UTF-8.
fn text(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|_| Error::new(ErrorKind::Format, "a name that is not UTF-8"))
}

/// The names under a node of a group's tree.
fn symbols<'a>(
    file: &Hdf5<'a>,
    at: u64,
    heap: &Heap<'a>,
    deepest: usize,
    links: &mut Vec<(&'a str, Link)>,
) -> Result<()> {
    let Some(deeper) = deepest.checked_sub(1) else {
        return Err(Error::new(ErrorKind::Format, "a tree of names that is too deep"));
    };
    match file.take(at, 4)? {
        b"SNOD" => {
            let mut head = file.cursor(at, 8)?;
            head.skip(6)?;
            for i in 0..u64::from(head.u16()?) {
                let mut entry = file.cursor(at + 8 + 40 * i, 40)?;
                let (name, address, cached) = (heap.name(entry.u64()?)?, entry.u64()?, entry.u32()?);
                push(links, (name, if cached == 2 { Link::Elsewhere } else { Link::Object(address) }))?;
            }
            Ok(())
        }
        _ => {
            let mut head = file.marked(at, 24, b"TREE")?;
            let (kind, _, children) = (head.u8()?, head.u8()?, head.u16()?);
            if kind != 0 {
                return Err(Error::new(ErrorKind::Format, "not a tree of names"));
            }
            for i in 0..u64::from(children) {
                let child = file.cursor(at + 24 + 8 + 16 * i, 8)?.u64()?;
                symbols(file, child, heap, deeper, links)?;
            }
            Ok(())
        }
    }
}

/// An error unless a group's links are in its header.
fn check_compact(mut body: Cursor<'_>) -> Result<()> {
    const ORDER: u8 = 1;
    body.skip(1)?;
    if body.u8()? & ORDER != 0 {
        body.skip(8)?;
    }
    match body.u64()? {
        UNDEFINED_ADDRESS => Ok(()),
        _ => Err(unsupported("a group with links in a", "links in its header, or a symbol table", "fractal heap")),
    }
}

/// A link message.
fn link(mut body: Cursor<'_>) -> Result<(&str, Link)> {
    let (version, flags) = (body.u8()?, body.u8()?);
    if version != 1 {
        return Err(unsupported("version", "1", version));
    }
    let kind = if flags & 0x08 != 0 { body.u8()? } else { 0 };
    body.skip(if flags & 0x04 != 0 { 8 } else { 0 } + if flags & 0x10 != 0 { 1 } else { 0 })?;
    let len = body.number(1 << (flags & 3))?;
    let name = text(body.take(len)?)?;
    Ok((name, if kind == 0 { Link::Object(body.u64()?) } else { Link::Elsewhere }))
}
