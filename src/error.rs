//! The one error type: what failed, where, what was expected there and what was found.
//!
//! An error is made where the fact is known. Outer callers add their location (`at`) and never rewrite the rest:
//!
//! ```text
//! weights.safetensors: tensor conv2d/kernel: wrong shape: expected [3, 3, 1, 32], found [5, 5, 1, 32]
//! `--- outer place --'  `--- inner place --'  `- what --'           `- expected -'        `-- found --'
//! ```

use std::borrow::Cow;
use std::fmt;

/// The kinds of failure a caller can tell apart. Their numbers are the C ABI's `MNIST_ERROR_*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum ErrorKind {
    /// An argument has a value that the function does not accept (NULL, zero, an unknown constant, NaN).
    InvalidArgument = -1,
    /// Sizes do not fit each other: data and network, kernel and input, file and model.
    Shape = -2,
    /// The object is not in the right state for the call: fit before compile, for example.
    State = -3,
    /// The object is inside another exclusive call.
    Busy = -4,
    /// The operating system could not read or write.
    Io = -5,
    /// A file's content does not follow its format.
    Format = -6,
    /// A file, a member, a tensor or a metric of that name does not exist.
    NotFound = -7,
    /// A download failed, or the ranks of a fit cannot continue together.
    Network = -8,
    /// A download is complete, but not the expected file.
    Checksum = -9,
    /// Not enough memory.
    OutOfMemory = -10,
    /// Valid input that this library does not support.
    Unsupported = -11,
    /// A bug in the library, caught at the C boundary.
    Internal = -12,
}

/// What failed, and where. It is one pointer wide, which keeps `Result`s and the code that passes them small.
#[derive(Clone, Debug)]
pub struct Error(Box<Parts>);

#[derive(Clone, Debug)]
struct Parts {
    kind: ErrorKind,
    places: Vec<String>, // innermost first
    what: Cow<'static, str>,
    expected: Option<String>,
    found: Option<String>,
}

/// What is added to an error.
enum Part {
    Place,
    Expected,
    Found,
}

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of `kind`; `what` is a short clause in lower case without a full stop.
    pub fn new(kind: ErrorKind, what: impl Into<Cow<'static, str>>) -> Self {
        Error::of(kind, what.into())
    }

    #[cold]
    #[inline(never)]
    fn of(kind: ErrorKind, what: Cow<'static, str>) -> Self {
        Error(Box::new(Parts { kind, places: Vec::new(), what, expected: None, found: None }))
    }

    #[cold]
    #[inline(never)]
    fn add(mut self, part: Part, text: &dyn fmt::Display) -> Self {
        let text = text.to_string();
        match part {
            Part::Place => self.0.places.push(text),
            Part::Expected => self.0.expected = Some(text),
            Part::Found => self.0.found = Some(text),
        }
        self
    }

    /// Adds where it happened (a file, a byte, a tensor, a layer, an argument), outside of what is already named.
    #[must_use]
    pub fn at(self, place: impl fmt::Display) -> Self {
        self.add(Part::Place, &place)
    }

    /// Adds what would have been right.
    #[must_use]
    pub fn expected(self, expected: impl fmt::Display) -> Self {
        self.add(Part::Expected, &expected)
    }

    /// Adds what was there instead.
    #[must_use]
    pub fn found(self, found: impl fmt::Display) -> Self {
        self.add(Part::Found, &found)
    }

    /// The error for a broken invariant inside this crate.
    pub(crate) fn internal(what: &'static str) -> Self {
        Error::new(ErrorKind::Internal, what)
    }

    /// Turns `Format` into `InvalidArgument`, for text that is an argument.
    #[must_use]
    pub fn as_argument(mut self) -> Self {
        if self.0.kind == ErrorKind::Format {
            self.0.kind = ErrorKind::InvalidArgument;
        }
        self
    }

    /// Which kind of failure this is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// An operating system's error, with its own message.
    pub fn io(error: std::io::Error) -> Self {
        let kind = match error.kind() {
            std::io::ErrorKind::NotFound => ErrorKind::NotFound,
            std::io::ErrorKind::OutOfMemory => ErrorKind::OutOfMemory,
            _ => ErrorKind::Io,
        };
        Error::new(kind, error.to_string())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A message is always one line that is safe on a terminal.
        for place in self.0.places.iter().rev() {
            write!(f, "{}: ", escaped(place))?;
        }
        f.write_str(&escaped(&self.0.what))?;
        let [expected, found] = [&self.0.expected, &self.0.found].map(|text| text.as_deref().map(escaped));
        match (expected, found) {
            (Some(expected), Some(found)) => write!(f, ": expected {expected}, found {found}"),
            (Some(expected), None) => write!(f, ": expected {expected}"),
            (None, Some(found)) => write!(f, ": found {found}"),
            (None, None) => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

/// Adds a location to the error of a result.
pub trait At<T> {
    /// `self`, with `place` added to its error.
    fn at(self, place: impl fmt::Display) -> Result<T>;
}

impl<T, E: Into<Error>> At<T> for Result<T, E> {
    fn at(self, place: impl fmt::Display) -> Result<T> {
        self.map_err(|error| error.into().at(place))
    }
}

/// Text from a file made safe for a message: bounded length, no control characters.
pub fn printable(text: &str) -> String {
    text.chars().take(100).flat_map(char::escape_debug).collect()
}

/// Names, some of which may come out of a file, as a list of bounded length: `a, b, c and 5 more`; `nothing` for none.
pub fn listed(names: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    const MOST: usize = 600;
    const LONGEST: usize = 40;
    let (mut text, mut more) = (String::new(), 0usize);
    for name in names {
        let name = name.as_ref();
        let short: String = name.chars().take(LONGEST).collect();
        let dots = if short.len() < name.len() { "..." } else { "" };
        let piece = format!("{}{dots}", printable(&short));
        if more > 0 || text.len() + piece.len() > MOST {
            more += 1;
            continue;
        }
        text = if text.is_empty() { piece } else { format!("{text}, {piece}") };
    }
    match (text.is_empty(), more) {
        (true, _) => "nothing".to_string(),
        (false, 0) => text,
        (false, more) => format!("{text} and {more} more"),
    }
}

/// The expected names as text: `one of a, b`, or another text if there are none.
pub fn one_of(names: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let mut names = names.into_iter().peekable();
    match names.peek() {
        None => "no name: there are none".to_string(),
        Some(_) => format!("one of {}", listed(names)),
    }
}

/// Text with control and bidirectional characters escaped: `\u{1b}`. The rest does not change.
pub fn escaped(text: &str) -> Cow<'_, str> {
    let obeyed = |c: char| {
        c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(obeyed) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match obeyed(c) {
            true => shown.extend(c.escape_debug()),
            false => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Error::io(error)
    }
}

/// candle wraps its errors in backtraces, contexts and paths; the innermost one says what happened.
impl From<candle_core::Error> for Error {
    fn from(error: candle_core::Error) -> Self {
        use candle_core::Error as Candle;
        match error {
            Candle::WithBacktrace { inner, .. } => Error::from(*inner),
            Candle::Context { inner, context } => Error::from(*inner).at(context),
            Candle::WithPath { inner, path } => Error::from(*inner).at(path.to_string_lossy()),
            Candle::Io(error) => Error::io(error),
            other => Error::new(ErrorKind::Internal, format!("candle: {other}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_reads_from_the_outside_in() {
        let error = Error::new(ErrorKind::Shape, "wrong shape")
            .expected("[3]")
            .found("[4]")
            .at("tensor dense/bias")
            .at("w.safetensors");
        assert_eq!(error.to_string(), "w.safetensors: tensor dense/bias: wrong shape: expected [3], found [4]");
    }

    #[test]
    fn a_list_of_names_is_bounded_and_never_blank() {
        let none: [&str; 0] = [];
        assert_eq!((one_of(none), listed(none)), ("no name: there are none".into(), "nothing".into()));
        assert_eq!(one_of(["a", "b\n"]), "one of a, b\\n");
        let long = "\u{1}".repeat(10_000);
        for names in [vec![long.as_str(); 50], vec!["x"; 100_000]] {
            let text = one_of(names.iter().copied());
            assert!(text.len() < 700 && text.ends_with(" more") && !text.contains(char::is_control), "{text}");
        }
        assert!(one_of([long.as_str()]).ends_with("..."));
    }

    #[test]
    fn no_part_of_a_message_is_obeyed_by_a_terminal() {
        let evil = "a\x1b[31m\n\u{9b}\u{202e}b";
        let error = Error::new(ErrorKind::Io, evil).at(evil).expected(evil).found(evil);
        let shown = "a\\u{1b}[31m\\n\\u{9b}\\u{202e}b";
        assert_eq!(error.to_string(), format!("{shown}: {shown}: expected {shown}, found {shown}"));
    }

    #[test]
    fn candle_errors_are_peeled() {
        let inner = candle_core::Error::Msg("no".into());
        let error = Error::from(inner.bt().with_path("a.bin"));
        assert!(error.to_string().starts_with("a.bin: candle: no"), "{error}");
    }
}
