//! Numbers and format strings as in Python: `repr`, and `{epoch:02d}-{val_loss:.2f}` with values filled in.
//!
//! Supported are the format fields that are used in file names: `{name}` or `{name:[+][0][width][.precision][d, f or
//! e]}`; `{{` and `}}` are braces.

use crate::error::{Error, ErrorKind, Result, printable};

/// A value to fill in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// An epoch's, a batch's.
    Whole(u64),
    /// A metric's.
    Real(f64),
}

/// A format string.
#[derive(Clone, Debug)]
pub struct Template(Vec<Piece>);

#[derive(Clone, Debug)]
enum Piece {
    Text(String),
    Field { name: String, format: Format },
}

/// The part of a field after its colon.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Format {
    plus: bool,
    zeros: bool,
    width: usize,
    precision: Option<usize>,
    kind: Option<char>,
}

/// The widest field and the most digits: file names are not longer.
const WIDEST: usize = 100;

impl Template {
    /// Parses a format string. An error names the wrong field.
    pub fn parse(text: &str) -> Result<Self> {
        let (mut pieces, mut plain, mut rest) = (Vec::new(), String::new(), text);
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(at);
            plain.push_str(before);
            if from.starts_with("{{") || from.starts_with("}}") {
                plain.push_str(&from[..1]);
                rest = &from[2..];
                continue;
            }
            let field = from.strip_prefix('{').and_then(|inside| inside.split_once('}'));
            let (inside, after) = field.ok_or_else(|| wrong("an unmatched brace", "{{ or }} for a brace", from))?;
            pieces.push(Piece::Text(std::mem::take(&mut plain)));
            pieces.push(Piece::field(inside)?);
            rest = after;
        }
        plain.push_str(rest);
        pieces.push(Piece::Text(plain));
        Ok(Template(pieces))
    }

    /// The names of the fields.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Text(_) => None,
            Piece::Field { name, .. } => Some(name.as_str()),
        })
    }

    /// The text with its fields filled in; an error for a field without a value.
    pub fn fill(&self, value: impl Fn(&str) -> Option<Number>) -> Result<String> {
        let fill = |piece: &Piece| match piece {
            Piece::Text(plain) => Ok(plain.clone()),
            Piece::Field { name, format } => {
                let none = || Error::new(ErrorKind::NotFound, "was not measured").at(format_args!("field {name}"));
                let number = value(name).ok_or_else(none)?;
                format.apply(number).ok_or_else(|| wrong("not a whole number", "f or e", name))
            }
        };
        self.0.iter().map(fill).collect()
    }
}

fn wrong(what: &'static str, expected: &str, field: &str) -> Error {
    Error::new(ErrorKind::Format, what).expected(expected).at(format_args!("field {}", printable(field)))
}

impl Piece {
    fn field(inside: &str) -> Result<Self> {
        let (name, format) = inside.split_once(':').unwrap_or((inside, ""));
        if name.is_empty() || name.contains(['!', '.', '[', '{']) {
            return Err(wrong("not a name", "epoch, batch or a metric's name", inside));
        }
        let format = Format::parse(format).ok_or_else(|| {
            wrong("an unsupported format", "[+][0][width][.precision][d, f or e], as in 02d or .4f", inside)
        })?;
        Ok(Piece::Field { name: name.to_string(), format })
    }
}

impl Format {
    fn parse(text: &str) -> Option<Self> {
        let mut rest = text;
        let mut skip = |prefix: char| rest.strip_prefix(prefix).map(|after| rest = after).is_some();
        let (plus, zeros) = (skip('+'), skip('0'));
        let (width, after) = digits(rest);
        let (precision, after) = match after.strip_prefix('.') {
            Some(after) => digits(after),
            None => (None, after),
        };
        let kind = match after {
            "" => None,
            "d" | "f" | "e" => after.chars().next(),
            _ => return None,
        };
        let format = Format { plus, zeros, width: width.unwrap_or(0), precision, kind };
        // A precision has no effect on a whole number, and without a kind selects another form in Python.
        let good =
            precision.is_some() == text.contains('.') && (precision.is_none() || matches!(kind, Some('f' | 'e')));
        (good && format.width <= WIDEST && precision.is_none_or(|digits| digits <= WIDEST)).then_some(format)
    }

    /// The formatted number; `None` if it should be whole and is not.
    fn apply(self, number: Number) -> Option<String> {
        let text = match (self.kind, number) {
            (None | Some('d'), Number::Whole(whole)) => whole.to_string(),
            (None, Number::Real(real)) => repr(real),
            (Some('e'), number) => exponential(number.real(), self.precision.unwrap_or(6)),
            (Some('f'), number) => fixed(number.real(), self.precision.unwrap_or(6)),
            _ => return None,
        };
        let (sign, text) = match text.strip_prefix('-') {
            Some(text) => ("-", text),
            None => (if self.plus { "+" } else { "" }, text.as_str()),
        };
        let missing = self.width.saturating_sub(sign.len() + text.len());
        Some(match self.zeros {
            true => format!("{sign}{}{text}", "0".repeat(missing)),
            false => format!("{}{sign}{text}", " ".repeat(missing)),
        })
    }
}

/// The number at the beginning of a text, if there is one within the limits, and the rest of the text.
fn digits(text: &str) -> (Option<usize>, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, after) = text.split_at(end);
    ((!number.is_empty()).then(|| number.parse().unwrap_or(usize::MAX)), after)
}

impl Number {
    fn real(self) -> f64 {
        match self {
            Number::Whole(whole) => whole as f64,
            Number::Real(real) => real,
        }
    }
}

/// `nan`, `inf` or `-inf`.
fn special(number: f64) -> Option<&'static str> {
    match number {
        _ if number.is_nan() => Some("nan"),
        f64::INFINITY => Some("inf"),
        f64::NEG_INFINITY => Some("-inf"),
        _ => None,
    }
}

/// `{:.2f}`
pub fn fixed(number: f64, decimals: usize) -> String {
    special(number).map_or_else(|| format!("{number:.decimals$}"), String::from)
}

/// `{:.2e}`
fn exponential(number: f64, decimals: usize) -> String {
    special(number).map_or_else(|| two_digits(&format!("{number:.decimals$e}")), String::from)
}

/// An exponent with its sign and two digits: `1.5e-7` as `1.5e-07`.
fn two_digits(text: &str) -> String {
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
    format!("{mantissa}e{sign}{exponent:0>2}")
}

/// Python's `repr`: the fewest digits that give the number again, with an exponent below 1e-4 and from 1e16 on.
pub fn repr(number: f64) -> String {
    let size = number.abs();
    match special(number) {
        Some(name) => name.to_string(),
        None if size != 0.0 && !(1e-4..1e16).contains(&size) => two_digits(&format!("{number:e}")),
        None => format!("{number:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        Template::parse(text)
            .and_then(|text| text.fill(|name| (name == "x").then_some(Number::Real(1.0))))
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn whatever_it_is_it_is_read_or_refused() {
        const LETTERS: &[u8] = b"{}:.0+fx";
        for number in 0..LETTERS.len().pow(6) {
            let letter = |digit: u32| char::from(LETTERS[number / LETTERS.len().pow(digit) % LETTERS.len()]);
            let text: String = (0..6).map(letter).collect();
            let _ = Template::parse(&text).and_then(|text| text.fill(|_| Some(Number::Real(0.5))));
        }
    }

    #[test]
    fn a_field_that_is_wrong_is_named() {
        assert_eq!(error("a{x"), "field {x: an unmatched brace: expected {{ or }} for a brace");
        assert!(error("a}x").starts_with("field }x: an unmatched brace"));
        for text in ["{}", "{:d}", "{x!r}", "{x.y}", "{x[0]}", "{{{}}}"] {
            assert!(error(text).contains("not a name"), "{text}: {}", error(text));
        }
        let huge = format!("{{x:{}d}}", "9".repeat(50));
        for text in [
            "{x:x}",
            "{x:.f}",
            "{x:,}",
            "{x:>5}",
            "{x:.2}",
            "{x:.2d}",
            "{x:101f}",
            "{x:.101f}",
            "{x:2 d}",
            "{x:é}",
            &huge,
        ] {
            assert!(error(text).contains("an unsupported format"), "{text}: {}", error(text));
        }
        assert_eq!(error("{y}"), "field y: was not measured");
        assert_eq!(error("{x:d}"), "field x: not a whole number: expected f or e");
    }
}
