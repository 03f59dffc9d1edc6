//! Reads JSON5, which C strings can hold without escaped quotes, and the JSON that Keras writes.
//!
//! The text may come from anywhere. Its length and its depth are bounded, a key may stand once in an object, and numbers
//! are finite: NaN and the infinities, which JSON5 has, mean nothing in a config.

use crate::error::{Error, ErrorKind, Result, printable};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::fmt;

/// The longest text that is read, in bytes.
pub const LONGEST: usize = 16 << 20;

/// The maximum nesting depth.
const DEEPEST: usize = 64;

/// The value of strict JSON, as programs write it to files. Errors are `Format`. The caller bounds its length.
pub fn of_file(text: &[u8]) -> Result<Value> {
    serde_json::from_slice(text)
        .map_err(|error| Error::new(ErrorKind::Format, format!("not JSON: {}", printable(&error.to_string()))))
}

/// The value that a text describes. Errors are `Format` and name line and column.
pub fn parse(text: &str) -> Result<Value> {
    if text.len() > LONGEST {
        return Err(Error::new(ErrorKind::Format, "the text is too long")
            .expected(format_args!("at most {LONGEST} bytes"))
            .found(text.len()));
    }
    json5::from_str::<Top>(text).map(|Top(value)| value).map_err(|error| {
        let place = match error.position() {
            Some(at) => format!("line {}, column {}", at.line + 1, at.column + 1),
            None => "its end".to_string(),
        };
        let what = error.to_string();
        let what = what.split(" at line ").next().unwrap_or_default();
        Error::new(ErrorKind::Format, format!("not JSON5: {}", printable(what))).at(place)
    })
}

struct Top(Value);

impl<'de> Deserialize<'de> for Top {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Within(DEEPEST).deserialize(deserializer).map(Top)
    }
}

/// A value with a limit on its depth.
#[derive(Clone, Copy)]
struct Within(usize);

impl Within {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        match self.0 {
            0 => Err(E::custom(format_args!("objects and lists nested deeper than {DEEPEST} levels"))),
            left => Ok(Within(left - 1)),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Within {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Within {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom(format_args!("{value} is not a finite number")))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let within = self.deeper()?;
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(within)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let within = self.deeper()?;
        let mut map = Map::new();
        while let Some(key) = object.next_key::<String>()? {
            let value = object.next_value_seed(within)?;
            if map.contains_key(&key) {
                return Err(serde::de::Error::custom(format_args!("duplicate key {}", printable(&key))));
            }
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn json5_and_json_are_read() {
        let value =
            parse("{filters: 32, 'strides': [1, 2,], padding: \"same\", rate: .5, n: -3, x: null, y: 1e-07}").unwrap();
        assert_eq!(
            value,
            json!({"filters": 32, "strides": [1, 2], "padding": "same", "rate": 0.5, "n": -3, "x": null, "y": 1e-7})
        );
        assert_eq!(parse(" 'relu' ").unwrap(), json!("relu"));
        assert!(value["filters"].is_u64() && value["n"].is_i64());
    }

    #[test]
    fn what_is_no_text_has_a_place() {
        let error = |text: &str| parse(text).unwrap_err().to_string();
        for text in ["", "{", "{a", "{a:", "{a: 1", "{a: 1,", "[", "[1", "'x", "{a: 'x"] {
            assert!(
                error(text).starts_with("its end: not JSON5: EOF") || error(text).contains("EOF"),
                "{text}: {}",
                error(text)
            );
        }
        assert!(error("{a: 1,\n  b; 2}").starts_with("line 2, column 4: not JSON5: "), "{}", error("{a: 1,\n  b; 2}"));
        assert!(error("{a: 1, a: 2}").contains("duplicate key a"));
        assert!(error("{a: Infinity}").contains("not a finite number") && error("NaN").contains("not a finite number"));
        assert!(error("{} {}").contains("trailing"));
        let deep = |open: &str, close: &str| [open.repeat(10_000), close.repeat(10_000)].concat();
        for text in [deep("[", "]"), deep("{a:", "}"), "[".repeat(1 << 20)] {
            assert!(error(&text).contains("nested deeper"), "{}", error(&text));
        }
        assert!(parse(&["[".repeat(64), "]".repeat(64)].concat()).is_ok());
        assert!(error(&" ".repeat(LONGEST + 1)).contains("too long"));
    }
}
