//! CSVLogger: one row per epoch in a CSV file, as Python's `csv` writes it.
//!
//! The file is replaced atomically at the end of each epoch. Its length is part of the state: a fit that resumes from a
//! checkpoint drops later rows, and ends with the same file as an uninterrupted fit.

use super::format::repr;
use super::{Callback, Entry, Host, Logs, Metric, Verdict, value};
use crate::error::{At, ErrorKind, Result};
use crate::files::{self, FilePath};
use crate::json::Object;
use crate::memory;
use serde_json::{Map, Value, json};
use std::io::{Read, Write};
use std::path::Path;

pub(super) const ENTRY: Entry = ("CSVLogger", &["filename", "separator", "append"], |config| {
    let one = |value: &Value| {
        let mut letters = value.as_str()?.chars();
        let letter = letters.next().filter(|letter| !"\r\n\"".contains(*letter));
        letter.filter(|_| letters.next().is_none())
    };
    let filename = config.str("filename")?;
    Ok(Box::new(CsvLogger {
        filename: filename.to_string(),
        separator: config.or("separator", ',', "one character other than a quote or a line break", one)?,
        append: config.bool_or("append", false)?,
        path: FilePath::of(Path::new(filename)).map_err(|error| config.at_key(error, "filename"))?,
        text: Vec::new(),
        columns: None,
        resumed: None,
    }))
});

#[derive(Debug)]
struct CsvLogger {
    filename: String,
    /// The separator. Default: a comma.
    separator: char,
    /// Whether rows are appended to an existing file. Default: no.
    append: bool,
    path: FilePath,
    /// The whole file.
    text: Vec<u8>,
    /// The columns, once a row was written: the first epoch's metrics, sorted.
    columns: Option<Vec<String>>,
    /// The length of the file at the checkpoint.
    resumed: Option<u64>,
}

impl CsvLogger {
    /// Reads the file, up to `most` bytes.
    fn read(&mut self, most: u64) -> Result<()> {
        let mut file = match files::open(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            file => file?,
        };
        let bytes = file.size()?.min(most);
        self.text = memory::reserve(bytes.try_into().unwrap_or(usize::MAX))?;
        file.by_ref().take(bytes).read_to_end(&mut self.text)?;
        Ok(())
    }

    /// Writes the file.
    fn write(&self) -> Result<()> {
        files::replace(&self.path, |file| Ok(file.write_all(&self.text)?)).at(&self.path)
    }

    /// Appends a row. Fields are quoted where necessary.
    fn row(&mut self, first: &str, fields: &[String]) -> Result<()> {
        let special = [self.separator, '"', '\r', '\n'];
        let mut row = String::new();
        for (i, field) in std::iter::once(first).chain(fields.iter().map(String::as_str)).enumerate() {
            if i > 0 {
                row.push(self.separator);
            }
            match field.contains(special) {
                true => row.push_str(&format!("\"{}\"", field.replace('"', "\"\""))),
                false => row.push_str(field),
            }
        }
        row.push_str("\r\n");
        memory::grow(&mut self.text, row.len())?;
        self.text.extend(row.bytes());
        Ok(())
    }
}

/// The columns of a file that begins with this epoch: the metrics, sorted, including those of a later validation.
fn columns(logs: &Logs) -> Vec<String> {
    let mut names: Vec<String> = logs.iter().map(|(name, _)| name.clone()).collect();
    names.sort();
    if names.iter().all(|name| !name.starts_with("val_")) {
        names.extend(names.clone().into_iter().map(|name| format!("val_{name}")));
    }
    names
}

impl Callback for CsvLogger {
    fn class(&self) -> &'static str {
        "CSVLogger"
    }

    fn writes(&self) -> bool {
        true
    }

    fn config(&self) -> Map<String, Value> {
        Map::from_iter([
            ("filename".to_string(), json!(self.filename)),
            ("separator".to_string(), json!(self.separator)),
            ("append".to_string(), json!(self.append)),
        ])
    }

    fn check(&mut self, _: &mut Vec<Metric>) -> Result<()> {
        self.path.check_absolute()?;
        files::check(&self.path).at(&self.path)
    }

    fn begin(&mut self, _: &mut dyn Host) -> Result<Verdict> {
        let most = self.resumed.unwrap_or(if self.append { u64::MAX } else { 0 });
        self.read(most).at(&self.path)?;
        self.write()?;
        Ok(Verdict::Continue)
    }

    fn epoch_end(&mut self, _: &mut dyn Host, epoch: usize, logs: &mut Logs) -> Result<Verdict> {
        let names = self.columns.take().unwrap_or_else(|| columns(logs));
        if self.text.is_empty() {
            self.row("epoch", &names)?;
        }
        let values: Vec<String> = names.iter().map(|name| value(logs, name).map_or("NA".into(), repr)).collect();
        self.row(&epoch.to_string(), &values)?;
        self.columns = Some(names);
        self.write()?;
        Ok(Verdict::Continue)
    }

    fn state(&self) -> Map<String, Value> {
        let (bytes, columns) = (json!(self.text.len()), json!(self.columns));
        Map::from_iter([("bytes".to_string(), bytes), ("columns".to_string(), columns)])
    }

    fn restore(&mut self, state: &Object<'_>) -> Result<()> {
        state.only(&["bytes", "columns"])?;
        self.resumed = Some(state.u64("bytes")?);
        let names = |value: &Value| value.as_array()?.iter().map(|name| Some(name.as_str()?.to_string())).collect();
        self.columns = match state.has("columns") {
            true => Some(state.get("columns", "a list of names", names)?),
            false => None,
        };
        Ok(())
    }
}
