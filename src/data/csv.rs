//! Text tables: one sample per line, one column with the label, as Kaggle's digits and many other data sets.
//!
//! Memory: the dataset, and as much again while it grows (5 bytes per number if bytes turn out to be floats); each
//! number takes at least two bytes of the file.

use super::Dataset;
use super::element::Elements;
use crate::error::{At, Error, ErrorKind, Result, one_of, printable};
use crate::files::{self, FilePath, Input};
use crate::kind::Kind;
use crate::memory;
use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use std::io::{BufRead, BufReader};
use std::path::Path;

/// The longest accepted line: longer ones are probably an unclosed quote.
const LONGEST: usize = 16 << 20;

/// The most class names.
const MOST_NAMES: usize = 1 << 16;

impl Dataset {
    /// A table in text (CSV), a sample a line, its numbers `[N, columns]` (see [`reshape`](Dataset::reshape)).
    ///
    /// `label` is the name of a column, or, if no column has that name, its index from 0; `None`: there is no label
    /// column, as for data to predict. The first line has names unless all of its fields but the label's are numbers.
    /// Fields are separated by commas, or if the first line has none, by semicolons, else tabs. They may be quoted and
    /// surrounded by blanks; empty lines are skipped.
    ///
    /// Labels that are whole numbers, 0 to 4294967295, are labels; other numbers are targets `[1]`; if the first one is
    /// not a number, they are class names, numbered in the names' order ([`class_names`](Dataset::class_names)).
    pub fn from_csv(path: &Path, label: Option<&str>) -> Result<Self> {
        let path = FilePath::of(path)?;
        Table::open(&path).and_then(|table| table.read(label)).at(&path)
    }
}

/// A file of lines of fields.
struct Table {
    input: BufReader<Input>,
    parser: Reader,
    /// The number of the next line, from 1, and of the first line of the last record.
    line: u64,
    record_line: u64,
    /// The last line's fields, concatenated, and where each ends.
    text: Vec<u8>,
    ends: Vec<usize>,
    count: usize,
}

impl Table {
    fn open(path: &FilePath) -> Result<Self> {
        let mut input = BufReader::with_capacity(1 << 16, files::open(path)?);
        let start = input.fill_buf()?;
        if let Some(error) = Kind::Csv.other(start) {
            return Err(error.at("byte 0"));
        }
        if matches!(start, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) {
            let error = Error::new(ErrorKind::Unsupported, "text in UTF-16").expected("UTF-8");
            return Err(error.at("byte 0"));
        }
        let first = start.split(|&byte| byte == b'\n').find(|line| !line.trim_ascii().is_empty()).unwrap_or_default();
        let delimiter = [b',', b';', b'\t'].into_iter().find(|separator| first.contains(separator)).unwrap_or(b',');
        if start.starts_with(b"\xef\xbb\xbf") {
            input.consume(3);
        }
        let parser = ReaderBuilder::new().delimiter(delimiter).build();
        let (text, ends) = (memory::filled(1 << 12, 0)?, memory::filled(1 << 8, 0)?);
        Ok(Table { input, parser, line: 1, record_line: 1, text, ends, count: 0 })
    }

    /// Reads the next line that is not empty; returns whether there is one.
    fn next(&mut self) -> Result<bool> {
        loop {
            self.skip_empty()?;
            let (mut written, mut count) = (0, 0);
            self.record_line = self.line;
            loop {
                let line = self.line;
                let bytes = self.input.fill_buf().map_err(Error::io).at(format_args!("line {line}"))?;
                let (result, read, text, ends) =
                    self.parser.read_record(bytes, &mut self.text[written..], &mut self.ends[count..]);
                self.line += bytes[..read].iter().filter(|&&byte| byte == b'\n').count() as u64;
                self.input.consume(read);
                (written, count) = (written + text, count + ends);
                match result {
                    ReadRecordResult::InputEmpty => (),
                    ReadRecordResult::OutputFull => more(&mut self.text).at(self.record_line())?,
                    ReadRecordResult::OutputEndsFull => more(&mut self.ends).at(self.record_line())?,
                    ReadRecordResult::Record => break,
                    ReadRecordResult::End => return Ok(false),
                }
            }
            self.count = count;
            if count > 1 || !self.text[..written].trim_ascii().is_empty() {
                return Ok(true);
            }
        }
    }

    /// Skips empty lines.
    fn skip_empty(&mut self) -> Result<()> {
        loop {
            let line = self.line;
            let bytes = self.input.fill_buf().map_err(Error::io).at(format_args!("line {line}"))?;
            let empty = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            self.line += bytes[..empty].iter().filter(|&&byte| byte == b'\n').count() as u64;
            let all = empty == bytes.len() && empty > 0;
            self.input.consume(empty);
            if !all {
                return Ok(());
            }
        }
    }

    fn place(&self) -> String {
        format!("line {}", self.line)
    }

    fn record_line(&self) -> String {
        format!("line {}", self.record_line)
    }

    /// A field of the last line without blanks around it.
    fn field(&self, i: usize) -> &[u8] {
        let start = if i == 0 { 0 } else { self.ends[i - 1] };
        self.text[start..self.ends[i]].trim_ascii()
    }

    /// A field as text.
    fn text(&self, i: usize) -> Result<&str> {
        std::str::from_utf8(self.field(i)).map_err(|error| {
            let error = Error::new(ErrorKind::Format, format!("not UTF-8: {error}"));
            error.at(format_args!("column {i}")).at(self.record_line())
        })
    }

    /// Reads all of it.
    fn read(mut self, label: Option<&str>) -> Result<Dataset> {
        if !self.next()? {
            return Err(Error::new(ErrorKind::Format, "a table without lines").expected("a line for each sample"));
        }
        let columns = self.count;
        (0..columns).try_for_each(|i| self.text(i).map(drop))?;
        let (label, named) = self.columns(label)?;
        let names = if named { (0..columns).map(|i| self.text(i).map(printable)).collect() } else { Ok(Vec::new()) }?;
        let mut samples =
            Samples { columns, label, names, pixels: Pixels::Bytes(Vec::new()), labels: Labels::None, count: 0 };
        if named && !self.next()? {
            let error = Error::new(ErrorKind::Format, "a table without samples").expected("a line for each sample");
            return Err(error.at(self.place()));
        }
        loop {
            samples.add(&self).map_err(|error| error.at(self.record_line()))?;
            if !self.next()? {
                return samples.end();
            }
        }
    }

    /// The label's column, and whether the first line, which has been read, has the columns' names.
    fn columns(&self, label: Option<&str>) -> Result<(Option<usize>, bool)> {
        let is_number = |i: usize| self.text(i).is_ok_and(|text| text.parse::<f64>().is_ok());
        let Some(wanted) = label else { return Ok((None, !(0..self.count).all(is_number))) };
        let found: Vec<usize> = (0..self.count).filter(|&i| self.field(i) == wanted.trim().as_bytes()).collect();
        let by_number = wanted.trim().parse::<usize>().ok().filter(|&i| i < self.count);
        let all_numbers = |but: usize| (0..self.count).all(|i| i == but || is_number(i));
        match (&found[..], by_number) {
            // A line of numbers is not a header, even if one of them equals `label`.
            (_, Some(i)) if all_numbers(i) => Ok((Some(i), false)),
            (&[i], _) => Ok((Some(i), true)),
            (&[_, _, ..], _) => {
                let error = Error::new(ErrorKind::Format, "several columns with the same name").expected("one");
                Err(error.found(format_args!("{} called `{}`", found.len(), printable(wanted))).at(self.record_line()))
            }
            (&[], Some(i)) => Ok((Some(i), true)),
            (&[], None) => {
                let names = (0..self.count).map(|i| String::from_utf8_lossy(self.field(i)));
                Err(Error::new(ErrorKind::NotFound, "no such column")
                    .expected(format_args!("{}, or a number below {}", one_of(names), self.count))
                    .found(format_args!("`{}`", printable(wanted)))
                    .at(self.record_line()))
            }
        }
    }
}

/// Grows the buffer of a line, up to the longest accepted one.
fn more<T: Copy + Default>(room: &mut Vec<T>) -> Result<()> {
    let len = room.len();
    if len >= LONGEST {
        return Err(Error::new(ErrorKind::Format, "the line is too long (an unclosed quote?)")
            .expected(format_args!("at most {LONGEST} bytes")));
    }
    memory::grow(room, len)?;
    room.resize(2 * len, T::default());
    Ok(())
}

/// The samples so far.
struct Samples {
    columns: usize,
    label: Option<usize>,
    names: Vec<String>,
    pixels: Pixels,
    labels: Labels,
    count: usize,
}

/// Values, stored as bytes as long as all are bytes.
enum Pixels {
    Bytes(Vec<u8>),
    Floats(Vec<f32>),
}

/// The content of the label's column.
enum Labels {
    None,
    Numbers(Vec<f64>),
    Names { names: Names, numbers: Vec<u32> },
}

impl Samples {
    /// Adds the line that was read last.
    fn add(&mut self, table: &Table) -> Result<()> {
        if table.count != self.columns {
            return Err(Error::new(ErrorKind::Format, "wrong number of fields")
                .expected(self.columns)
                .found(table.count));
        }
        self.pixels.reserve(self.columns)?;
        for i in (0..self.columns).filter(|&i| Some(i) != self.label) {
            let number = number(table.field(i)).map_err(|error| error.at(self.column(i)))?;
            self.pixels.push(number as f32, self.columns)?;
        }
        if let Some(i) = self.label {
            self.labels.push(table.field(i)).map_err(|error| error.at(self.column(i)))?;
        }
        self.count += 1;
        Ok(())
    }

    fn column(&self, i: usize) -> String {
        self.names.get(i).map_or_else(|| format!("column {i}"), |name| format!("column {i} ({name})"))
    }

    fn end(self) -> Result<Dataset> {
        let features = self.columns - usize::from(self.label.is_some());
        let pixels = match self.pixels {
            Pixels::Bytes(pixels) => Elements::U8(pixels),
            Pixels::Floats(pixels) => Elements::F32(pixels),
        };
        if features == 0 {
            let error = Error::new(ErrorKind::Shape, "no column besides the label's").expected("numbers of a sample");
            return Err(error.found("one column"));
        }
        let data = Dataset::from_elements(pixels, &[self.count, features])?;
        match self.labels {
            Labels::None => Ok(data),
            Labels::Numbers(numbers) if numbers.iter().all(|&x| is_label(x)) => {
                data.with_labels(memory::collect(numbers.iter().map(|&x| x as u32))?)
            }
            Labels::Numbers(numbers) => data.with_targets(memory::collect(numbers.iter().map(|&x| x as f32))?, &[1]),
            Labels::Names { names, mut numbers } => {
                let (names, ranks) = names.end()?;
                numbers.iter_mut().for_each(|number| *number = ranks[*number as usize]);
                Ok(data.with_labels(numbers)?.with_class_names(names))
            }
        }
    }
}

fn is_label(x: f64) -> bool {
    x.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&x)
}

/// A field that must be a number.
fn number(field: &[u8]) -> Result<f64> {
    let text = std::str::from_utf8(field).ok();
    let finite = |x: &f64| (*x as f32).is_finite();
    text.and_then(|text| text.parse().ok()).filter(finite).ok_or_else(|| {
        let found = printable(&String::from_utf8_lossy(&field[..field.len().min(400)]));
        let found = if field.is_empty() { "nothing".to_string() } else { format!("`{found}`") };
        Error::new(ErrorKind::Format, "not a number").expected("a finite number").found(found)
    })
}

impl Pixels {
    /// Reserves room for `more` values.
    fn reserve(&mut self, more: usize) -> Result<()> {
        fn grow<T>(numbers: &mut Vec<T>, more: usize) -> Result<()> {
            match numbers.capacity() - numbers.len() < more {
                true => memory::grow(numbers, numbers.len().max(more)),
                false => Ok(()),
            }
        }
        match self {
            Pixels::Bytes(bytes) => grow(bytes, more),
            Pixels::Floats(floats) => grow(floats, more),
        }
    }

    /// Adds a value; there is room for it and for `more` values of the line.
    fn push(&mut self, x: f32, more: usize) -> Result<()> {
        match self {
            Pixels::Floats(floats) => floats.push(x),
            Pixels::Bytes(bytes) if x.fract() == 0.0 && (0.0..=255.0).contains(&x) => bytes.push(x as u8),
            Pixels::Bytes(bytes) => {
                let mut floats = memory::reserve(bytes.capacity().max(bytes.len() + more))?;
                floats.extend(bytes.iter().map(|&byte| f32::from(byte)));
                floats.push(x);
                *self = Pixels::Floats(floats);
            }
        }
        Ok(())
    }
}

impl Labels {
    /// Adds a sample's label; the first one decides whether labels are numbers or names.
    fn push(&mut self, field: &[u8]) -> Result<()> {
        if let Labels::None = self {
            *self = match number(field) {
                Err(_) if !field.is_empty() => Labels::Names { names: Names::default(), numbers: Vec::new() },
                _ => Labels::Numbers(Vec::new()),
            };
        }
        match self {
            Labels::Numbers(numbers) => memory::push(numbers, number(field)?),
            Labels::Names { names, numbers } => memory::push(numbers, names.number(field)?),
            Labels::None => Ok(()),
        }
    }
}

/// Class names in sorted order, and the order in which they occurred first.
#[derive(Default)]
struct Names(Vec<(String, u32)>);

impl Names {
    /// The number of a name by first occurrence.
    fn number(&mut self, field: &[u8]) -> Result<u32> {
        let error = |what| Error::new(ErrorKind::Format, what).expected("the name of a class");
        let name = std::str::from_utf8(field).map_err(|_| error("not UTF-8"))?;
        match self.0.binary_search_by(|(known, _)| known.as_str().cmp(name)) {
            Ok(at) => Ok(self.0[at].1),
            Err(_) if name.is_empty() => Err(error("an empty field")),
            Err(_) if name.contains('\0') => Err(error("a NUL in a name")),
            Err(_) if self.0.len() == MOST_NAMES => {
                let error = Error::new(ErrorKind::Unsupported, "too many class names");
                Err(error.expected(format_args!("at most {MOST_NAMES}")))
            }
            Err(at) => {
                let number = self.0.len() as u32;
                let mut owned = String::new();
                owned.try_reserve_exact(name.len()).map_err(|_| memory::cannot_allocate(name.len()))?;
                owned.push_str(name);
                if self.0.len() == self.0.capacity() {
                    memory::grow(&mut self.0, number.max(4) as usize)?;
                }
                self.0.insert(at, (owned, number));
                Ok(number)
            }
        }
    }

    /// The sorted names, and for each number the index of its name there.
    fn end(self) -> Result<(Vec<String>, Vec<u32>)> {
        let mut ranks = memory::filled(self.0.len(), 0)?;
        self.0.iter().enumerate().for_each(|(rank, &(_, number))| ranks[number as usize] = rank as u32);
        let mut names = memory::reserve(self.0.len())?;
        names.extend(self.0.into_iter().map(|(name, _)| name));
        Ok((names, ranks))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Dtype;
    use proptest::prelude::*;
    use std::io::Write;

    fn load(text: impl AsRef<[u8]>, label: Option<&str>) -> Result<Dataset> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_ref()).unwrap();
        Dataset::from_csv(file.path(), label)
    }

    fn pixels(data: &Dataset) -> Vec<f32> {
        let len = data.sample_shape()[0];
        let mut all = vec![0.0; data.len() * len];
        all.chunks_exact_mut(len).enumerate().for_each(|(i, image)| data.image(i, image).unwrap());
        all
    }

    #[test]
    fn kaggle_s_digits() {
        let data = load("label,pixel0,pixel1\n5,0,255\n300,1,2\n", Some("label")).unwrap();
        assert_eq!((data.shape(), data.dtype(), data.labels()), (vec![2, 2], Dtype::U8, Some(&[5, 300][..])));
        assert_eq!(pixels(&data), [0.0, 255.0, 1.0, 2.0]);
        let test = load("pixel0,pixel1\n0,255\n", None).unwrap();
        assert_eq!((test.shape(), test.labels(), test.targets()), (vec![1, 2], None, None));
    }

    #[test]
    fn whatever_a_spreadsheet_writes() {
        for text in [
            "\u{feff}a,label,b\r\n1,7,2.5\r\n3,8,-4e1\r\n\r\n\r\n",
            "a ; label; b\n1;7;2.5\n 3; 8 ;-40",
            "a\tlabel\tb\n\n1\t7\t2.5\n   \n3\t8\t-40\n",
            "\"a\",\"label\",\"b, or \"\"c\"\"\"\n\"1\",7,\"2.5\"\n3,\"8\",-40.0\n",
            "\r\n1,7,2.5\r\n+3,8,-40",
        ] {
            for label in ["label", "1", " 1 "] {
                if label == "label" && !text.contains(label) {
                    continue;
                }
                let data = load(text, Some(label)).unwrap();
                assert_eq!((pixels(&data), data.labels()), (vec![1.0, 2.5, 3.0, -40.0], Some(&[7, 8][..])), "{text}");
            }
        }
    }

    #[test]
    fn what_labels_are() {
        let labels = |text: &str| load(text, Some("y")).unwrap();
        assert_eq!(labels("x,y\n1,1e2\n2,4294967295\n").labels(), Some(&[100, u32::MAX][..]));
        assert_eq!(labels("x,y\n1,0.5\n2,3\n").targets(), Some((&[0.5, 3.0][..], &[1][..])));
        assert_eq!(labels("x,y\n1,-1\n2,3\n").targets(), Some((&[-1.0, 3.0][..], &[1][..])));
        let iris = load("5.1,setosa\n6.2, virginica\n4,\"setosa\"\n7,3\n", Some("1")).unwrap();
        assert_eq!(
            (iris.labels(), iris.class_names()),
            (Some(&[1, 2, 1, 0][..]), &["3", "setosa", "virginica"].map(String::from)[..])
        );
        assert_eq!(iris.slice(1, 2).unwrap().class_names().len(), 3);
    }

    #[test]
    fn what_is_wrong_is_named_by_line_and_column() {
        for (text, label, expected) in [
            ("a,b\n1,2\n1\n", None, "line 3: wrong number of fields: expected 2, found 1"),
            ("a,b\n1,2\n\n\n1,x\n", None, "line 5: column 1 (b): not a number: expected a finite number, found `x`"),
            ("1,2\n1,\n", None, "line 2: column 1: not a number: expected a finite number, found nothing"),
            ("1,2\n1,nan\n", None, "line 2: column 1: not a number: expected a finite number, found `nan`"),
            ("1,2\n1,1e39\n", None, "line 2: column 1: not a number"),
            ("a,b\n1,\"2\n3\"\nx,3\n", Some("a"), "line 2: column 1 (b): not a number"),
            ("a,b\n1,2\nx,3\n", Some("a"), "line 3: column 0 (a): not a number: expected a finite number, found `x`"),
            ("a,b\nx,2\n,3\n", Some("a"), "line 3: column 0 (a): an empty field: expected the name of a class"),
            ("a,b\n1,2\n", Some("c"), "line 1: no such column: expected one of a, b, or a number below 2, found `c`"),
            ("a,a\n1,2\n", Some("a"), "line 1: several columns with the same name: expected one, found 2 called `a`"),
            ("a,b\n", None, "a table without samples"),
            ("a,b\n\"1,2\n3,4\n", None, "line 2: wrong number of fields: expected 2, found 1"),
        ] {
            let error = load(text, label).unwrap_err();
            assert!(error.to_string().contains(expected), "{text:?}: {error}");
        }
        let endless = [b"a,b\n1,\"2".to_vec(), vec![b'0'; LONGEST + 1]].concat();
        assert!(load(&endless, None).unwrap_err().to_string().contains("line 2: the line is too long"));
        assert!(load(b"y\n1\n", Some("y")).is_err(), "no samples");
        assert_eq!(load([0xff, 0xfe, b'a', 0, b',', 0, b'b', 0], None).unwrap_err().kind(), ErrorKind::Unsupported);
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "[0-9a,;\"\r\n\t .-]{0,60}", label in "[0-3a]?") {
            let label = (!label.is_empty()).then_some(&*label);
            if let Ok(data) = load(&text, label) {
                prop_assert_eq!(pixels(&data).len(), data.len() * data.sample_shape()[0]);
            }
        }
    }
}
