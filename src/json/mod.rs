//! JSON objects, read key by key, so that errors name the key: `key layers[1].filters: ...`; and JSON5 to JSON.

mod names;
mod text;

pub use names::nearest;
pub use text::{of_file, parse};

use crate::error::{Error, ErrorKind, Result, printable};
use serde_json::{Map, Value};
use std::fmt::Display;
use std::sync::LazyLock;

/// An object and its location in the document.
#[derive(Clone)]
pub struct Object<'a> {
    map: &'a Map<String, Value>,
    /// A key that another reader handles.
    other: Option<&'static str>,
    /// The prefix of its keys' names: ``, `fit.`, `layers[1].`.
    prefix: String,
}

impl<'a> Object<'a> {
    /// The outermost object.
    pub fn root(value: &'a Value) -> Result<Self> {
        Object::new(value, String::new())
    }

    fn new(value: &'a Value, prefix: String) -> Result<Self> {
        match value.as_object() {
            Some(map) => Ok(Object { map, other: None, prefix }),
            None => {
                let error = wrong("wrong value", "an object", value);
                Err(error.at_key(&prefix))
            }
        }
    }

    /// An object that stands at `place`.
    pub fn of(value: &'a Value, place: &str) -> Result<Self> {
        Object::new(value, within(place))
    }

    /// An object without keys, for one that is missing.
    pub fn empty(place: &str) -> Object<'static> {
        static EMPTY: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);
        Object { map: &EMPTY, other: None, prefix: within(place) }
    }

    /// The same object for a reader who does not know of `key`.
    pub fn without(&self, key: &'static str) -> Self {
        Object { other: Some(key), ..self.clone() }
    }

    /// An error if there is another key than these: an option of a later version must not be ignored.
    pub fn only(&self, keys: &[&str]) -> Result<()> {
        match self.map.keys().find(|key| !keys.contains(&key.as_str()) && self.other != Some(key.as_str())) {
            Some(key) => {
                let error = Error::new(ErrorKind::Unsupported, "unknown key").expected(nearest(key, keys));
                Err(self.at_key(error, &printable(key)))
            }
            None => Ok(()),
        }
    }

    /// Whether `key` exists and is not null.
    pub fn has(&self, key: &str) -> bool {
        self.map.get(key).is_some_and(|value| !value.is_null())
    }

    /// The value of `key`; null if it is missing.
    pub fn value(&self, key: &str) -> &'a Value {
        self.map.get(key).unwrap_or(&Value::Null)
    }

    /// The keys.
    pub fn keys(&self) -> impl Iterator<Item = &'a str> {
        self.map.keys().map(String::as_str)
    }

    /// The value of `key` converted by `convert`; `default` if the key is missing.
    pub fn or<T>(
        &self,
        key: &str,
        default: T,
        expected: &str,
        convert: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<T> {
        match self.map.contains_key(key) {
            true => self.get(key, expected, convert),
            false => Ok(default),
        }
    }

    /// A boolean, or `default`.
    pub fn bool_or(&self, key: &str, default: bool) -> Result<bool> {
        self.or(key, default, "true or false", Value::as_bool)
    }

    /// A number in a range that `expected` names, or `default`.
    pub fn f64_or(&self, key: &str, default: f64, expected: &str, good: impl Fn(f64) -> bool) -> Result<f64> {
        self.or(key, default, expected, |value| value.as_f64().filter(|&number| number.is_finite() && good(number)))
    }

    /// A size, 1 or more, that can count elements.
    pub fn size(&self, key: &str) -> Result<usize> {
        self.get(key, "a whole number, 1 or more", size)
    }

    /// Two sizes, for height and width: `[3, 5]`, or one number for both; `default` where the key is missing.
    pub fn sizes_or<const N: usize>(&self, key: &str, default: Option<[usize; N]>) -> Result<[usize; N]> {
        let expected = match N {
            1 => "a whole number, 1 or more, or a list of one",
            _ => "a whole number, 1 or more, or a list of two",
        };
        let convert = |value: &Value| match value {
            Value::Array(list) if list.len() == N => {
                let mut sizes = [0; N];
                for (to, value) in sizes.iter_mut().zip(list) {
                    *to = size(value)?;
                }
                Some(sizes)
            }
            value => Some([size(value)?; N]),
        };
        match default {
            Some(default) => self.or(key, default, expected, convert),
            None => self.get(key, expected, convert),
        }
    }

    /// A list of whole numbers, or `default`.
    pub fn integers(&self, key: &str, expected: &str) -> Result<Vec<i64>> {
        self.get(key, expected, |value| value.as_array()?.iter().map(Value::as_i64).collect())
    }

    /// An error if a key that this library ignores has a value with an effect: it must be missing, null or `good`.
    pub fn idle(&self, key: &str, good: impl Fn(&Value) -> bool, expected: &str) -> Result<()> {
        match self.map.get(key) {
            None | Some(Value::Null) => Ok(()),
            Some(value) if good(value) => Ok(()),
            Some(value) => {
                let error = Error::new(ErrorKind::Unsupported, "not supported").expected(expected).found(short(value));
                Err(self.at_key(error, key))
            }
        }
    }

    /// An object as Keras serializes it: `{class_name: 'L2', config: {...}}`, or a bare name, which is a class with its
    /// defaults. `None` where the key is missing or null.
    pub fn named(&self, key: &str) -> Result<Option<Named<'a>>> {
        match self.map.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => Named::read(value, format!("{}{key}", self.prefix)).map(Some),
        }
    }

    /// What `convert` makes of the value under `key`.
    pub fn get<T>(&self, key: &str, expected: &str, convert: impl FnOnce(&'a Value) -> Option<T>) -> Result<T> {
        let Some(value) = self.map.get(key) else {
            return Err(self.at_key(Error::new(ErrorKind::Format, "missing key").expected(expected), key));
        };
        convert(value).ok_or_else(|| self.at_key(wrong("wrong value", expected, value), key))
    }

    /// An integer that can count or index.
    pub fn usize(&self, key: &str) -> Result<usize> {
        self.get(key, "a whole number", |value| value.as_u64()?.try_into().ok())
    }

    /// An integer of 64 bits.
    pub fn u64(&self, key: &str) -> Result<u64> {
        self.get(key, "a whole number", Value::as_u64)
    }

    /// A number.
    pub fn f64(&self, key: &str) -> Result<f64> {
        self.get(key, "a number", Value::as_f64)
    }

    /// A truth value.
    pub fn bool(&self, key: &str) -> Result<bool> {
        self.get(key, "true or false", Value::as_bool)
    }

    /// A text.
    pub fn str(&self, key: &str) -> Result<&'a str> {
        self.get(key, "a text", Value::as_str)
    }

    /// Its location, as the prefix for what is inside.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// An object, or an empty one where the key is missing or null.
    pub fn object_or_empty(&self, key: &str) -> Result<Object<'a>> {
        match self.has(key) {
            true => self.object(key),
            false => Ok(Object::empty(&format!("{}{key}", self.prefix))),
        }
    }

    /// An object.
    pub fn object(&self, key: &str) -> Result<Object<'a>> {
        let value = self.get(key, "an object", Some)?;
        Object::new(value, format!("{}{key}.", self.prefix))
    }

    /// An object, or null.
    pub fn object_or_null(&self, key: &str) -> Result<Option<Object<'a>>> {
        match self.get(key, "an object or null", Some)? {
            Value::Null => Ok(None),
            _ => self.object(key).map(Some),
        }
    }

    /// A list of objects.
    pub fn objects(&self, key: &str) -> Result<Vec<Object<'a>>> {
        let list = self.get(key, "a list", Value::as_array)?.iter().enumerate();
        list.map(|(i, value)| Object::new(value, format!("{}{key}[{i}].", self.prefix))).collect()
    }

    /// `error`, with `key` of this object added as its location.
    pub fn at_key(&self, error: Error, key: &str) -> Error {
        error.at(format_args!("key {}{key}", self.prefix))
    }
}

/// The prefix of the keys of an object at `place`.
fn within(place: &str) -> String {
    if place.is_empty() { String::new() } else { format!("{place}.") }
}

/// A class name and its config.
pub struct Named<'a> {
    /// The class, `GlorotUniform`, or Keras's short name for it, `glorot_uniform`.
    pub class: &'a str,
    /// Its config; empty for a bare name.
    pub config: Object<'a>,
    /// The location of the name.
    place: String,
}

impl<'a> Named<'a> {
    /// Reads the value at `place`, a key with its prefix.
    pub fn read(value: &'a Value, place: String) -> Result<Self> {
        if let Value::String(class) = value {
            return Ok(Named { class, config: Object::empty(&place), place });
        }
        let object = match value {
            Value::Object(_) => Object::new(value, within(&place))?,
            _ => {
                return Err(
                    wrong("wrong value", "a name, or an object with class_name and config", value).at_key(&place)
                );
            }
        };
        object.only(&["class_name", "config", "module", "registered_name", "build_config", "shared_object_id"])?;
        let class = object.str("class_name")?;
        Ok(Named { class, config: object.object_or_empty("config")?, place: format!("{}class_name", within(&place)) })
    }

    /// Of a class that stands at `place`, with a config.
    pub fn of(class: &'a str, config: Object<'a>, place: String) -> Self {
        Named { class, config, place }
    }

    /// The error for a known class that is not supported here; `expected` lists the supported ones.
    pub fn unsupported(&self, what: String, expected: &str) -> Error {
        Error::new(ErrorKind::Unsupported, what).expected(expected).found(printable(self.class)).at_key(&self.place)
    }

    /// The error for a class that is none of `known`.
    pub fn unknown(&self, what: &str, known: &[impl AsRef<str>]) -> Error {
        let known: Vec<&str> = known.iter().map(AsRef::as_ref).collect();
        let error = Error::new(ErrorKind::Unsupported, format!("unknown {what}"));
        error.expected(nearest(self.class, &known)).found(printable(self.class)).at_key(&self.place)
    }
}

/// A size out of JSON.
fn size(value: &Value) -> Option<usize> {
    value.as_u64()?.try_into().ok().filter(|&size: &usize| size > 0)
}

/// A whole number, 0 or more, out of JSON.
pub fn count(value: &Value) -> Option<usize> {
    value.as_u64()?.try_into().ok()
}

trait AtKey {
    fn at_key(self, key: &str) -> Error;
}

impl AtKey for Error {
    fn at_key(self, key: &str) -> Error {
        let key = key.trim_end_matches('.');
        if key.is_empty() { self } else { self.at(format_args!("key {key}")) }
    }
}

fn wrong(what: &'static str, expected: impl Display, found: &Value) -> Error {
    Error::new(ErrorKind::Format, what).expected(expected).found(short(found))
}

/// A value made safe for a message.
fn short(value: &Value) -> String {
    match value {
        Value::Array(list) if list.len() > 8 => format!("a list of {}", list.len()),
        Value::Object(_) => "an object".to_string(),
        Value::Null => "nothing".to_string(),
        Value::String(text) => format!("\"{}\"", printable(text)),
        value => printable(&value.to_string()),
    }
}

/// The first place where two values differ, if there is one: its key, and what is there in one and the other.
pub fn difference(a: &Value, b: &Value) -> Option<(String, String, String)> {
    fn first<'v>(at: String, a: &'v Value, b: &'v Value) -> Option<(String, &'v Value, &'v Value)> {
        const NOTHING: &Value = &Value::Null;
        match (a, b) {
            _ if a == b => None,
            (Value::Object(x), Value::Object(y)) => x.keys().chain(y.keys()).find_map(|key| {
                let at = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
                first(at, x.get(key).unwrap_or(NOTHING), y.get(key).unwrap_or(NOTHING))
            }),
            (Value::Array(x), Value::Array(y)) if x.len().max(y.len()) > 0 => (0..x.len().max(y.len()))
                .find_map(|i| first(format!("{at}[{i}]"), x.get(i).unwrap_or(NOTHING), y.get(i).unwrap_or(NOTHING))),
            _ => Some((at, a, b)),
        }
    }
    first(String::new(), a, b).map(|(at, a, b)| (at, short(a), short(b)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_wrong_is_named() {
        let value = json!({"n": -1, "list": [{"x": "y"}, 3], "text": "a\u{0}b", "more": {"k": 1}});
        let object = Object::root(&value).unwrap();
        let text = |error: Option<Error>| error.unwrap().to_string();
        assert_eq!(text(object.usize("n").err()), "key n: wrong value: expected a whole number, found -1");
        assert_eq!(text(object.u64("m").err()), "key m: missing key: expected a whole number");
        assert_eq!(text(object.objects("list").err()), "key list[1]: wrong value: expected an object, found 3");
        assert!(text(object.object("text").err()).starts_with("key text: wrong value: expected an object, found "));
        let more = object.object("more").unwrap();
        assert_eq!(text(more.bool("k").err()), "key more.k: wrong value: expected true or false, found 1");
        assert_eq!(text(more.only(&["j"]).err()), "key more.k: unknown key: expected j");
        assert_eq!(text(Object::root(&json!([])).err()), "wrong value: expected an object, found []");
    }

    #[test]
    fn differences_have_a_place() {
        let a = json!({"a": [1, {"b": 2.5}], "c": null});
        assert_eq!(difference(&a, &a), None);
        let place = |b: Value| difference(&a, &b).map(|(at, a, b)| format!("{at}: {a}, {b}")).unwrap();
        assert_eq!(place(json!({"a": [1, {"b": 2}], "c": null})), "a[1].b: 2.5, 2");
        assert_eq!(place(json!({"a": [1], "c": null})), "a[1]: an object, nothing");
        assert_eq!(place(json!({"a": [1, {"b": 2.5}], "c": 1, "d": 2})), "c: nothing, 1");
        assert_eq!(place(json!(7)), ": an object, 7");
    }
}
