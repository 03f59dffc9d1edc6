//! The names of layers.

use crate::error::{Error, ErrorKind, Result, printable};
use std::collections::{HashMap, HashSet};

/// The names of a graph's layers.
#[derive(Clone, Debug, Default)]
pub struct Names {
    taken: HashSet<String>,
    /// Where the search for a free number begins, for each class.
    next: HashMap<String, usize>,
}

impl Names {
    /// Keras's name of the next layer of a class: `conv2d`, `conv2d_1`, ...; `first` is the first number.
    pub fn next(&self, class: &str, first: usize) -> String {
        let numbered = |n: usize| if n == 0 { class.to_string() } else { format!("{class}_{n}") };
        let start = self.next.get(class).copied().unwrap_or(first).max(first);
        (start..).map(numbered).find(|name| !self.taken.contains(name)).unwrap_or_default()
    }

    /// Checks a given name: it must be unused, and valid as the beginning of a tensor's name, `name/kernel`.
    pub fn check<'a>(&self, name: &'a str) -> Result<&'a str> {
        if !(1..=100).contains(&name.len()) || name.chars().any(|c| c.is_control() || c == '/') {
            return Err(Error::new(ErrorKind::InvalidArgument, "not a valid name of a layer")
                .expected("1 to 100 bytes without `/` and control characters")
                .found(format_args!("`{}`", printable(name)))
                .at("key name"));
        }
        match self.taken.contains(name) {
            true => Err(Error::new(ErrorKind::InvalidArgument, "the name is taken").found(name).at("key name")),
            false => Ok(name),
        }
    }

    /// Takes a name.
    pub fn take(&mut self, name: &str) {
        self.taken.insert(name.to_string());
        let (class, number) = match name.rsplit_once('_').and_then(|(class, n)| Some((class, n.parse::<usize>().ok()?)))
        {
            Some(parts) => parts,
            None => (name, 0),
        };
        let next = self.next.entry(class.to_string()).or_default();
        *next = (*next).max(number.saturating_add(1).min(super::MOST_CALLS * 2));
    }
}

/// Keras's name for a class: `Conv2DTranspose` is `conv2d_transpose`, `PReLU` is `p_re_lu`.
pub fn snake_case(class: &str) -> String {
    let letters: Vec<char> = class.chars().collect();
    let mut out = String::new();
    for (i, &letter) in letters.iter().enumerate() {
        let small = |at: Option<&char>| at.is_some_and(char::is_ascii_lowercase);
        let before = i.checked_sub(1).map(|i| &letters[i]);
        if letter.is_ascii_uppercase() && i > 0 && (small(letters.get(i + 1)) || small(before)) {
            out.push('_');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_in_small_letters() {
        for (class, name) in [
            ("Conv2D", "conv2d"),
            ("Conv2DTranspose", "conv2d_transpose"),
            ("MaxPooling2D", "max_pooling2d"),
            ("DepthwiseConv2D", "depthwise_conv2d"),
            ("ReLU", "re_lu"),
            ("PReLU", "p_re_lu"),
            ("LeakyReLU", "leaky_re_lu"),
            ("ELU", "elu"),
            ("GlobalAveragePooling1D", "global_average_pooling1d"),
            ("Dense", "dense"),
        ] {
            assert_eq!(snake_case(class), name);
        }
    }

    #[test]
    fn numbers_are_the_next_ones_that_are_free() {
        let mut names = Names::default();
        for expected in ["dense", "dense_1", "dense_2"] {
            let name = names.next("dense", 0);
            assert_eq!(name, expected);
            names.take(&name);
        }
        names.take("dense_5");
        assert_eq!(names.next("dense", 0), "dense_6");
        assert_eq!(names.next("input", 1), "input_1");
        assert!(names.check("dense").is_err() && names.check("a/b").is_err() && names.check("").is_err());
        names.take("x_18446744073709551615");
        assert!(names.check(&names.next("x", 0)).is_ok());
    }
}
