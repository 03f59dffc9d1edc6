//! JSON objects out of a file, read key by key, so that a wrong one is named: `key layers[1].filters: ...`.

use crate::error::{Error, ErrorKind, Result, printable};
use serde_json::{Map, Value};
use std::fmt::Display;

/// An object, and where in the whole it stands.
pub struct Object<'a> {
    map: &'a Map<String, Value>,
    /// What its keys are named after: ``, `fit.`, `layers[1].`.
    prefix: String,
}

impl<'a> Object<'a> {
    /// The outermost object.
    pub fn root(value: &'a Value) -> Result<Self> {
        Object::new(value, String::new())
    }

    fn new(value: &'a Value, prefix: String) -> Result<Self> {
        match value.as_object() {
            Some(map) => Ok(Object { map, prefix }),
            None => {
                let error = wrong("wrong value", "an object", value);
                Err(if prefix.is_empty() {
                    error
                } else {
                    error.at(format_args!("key {}", prefix.trim_end_matches('.')))
                })
            }
        }
    }

    /// Makes sure that there is no key but these: what a later version has added must not be passed over.
    pub fn only(&self, keys: &[&str]) -> Result<()> {
        match self.map.keys().find(|key| !keys.contains(&key.as_str())) {
            Some(key) => Err(self.place(Error::new(ErrorKind::Unsupported, "unknown key"), &printable(key))),
            None => Ok(()),
        }
    }

    /// What `convert` makes of the value under `key`.
    pub fn get<T>(&self, key: &str, expected: &str, convert: impl FnOnce(&'a Value) -> Option<T>) -> Result<T> {
        let Some(value) = self.map.get(key) else {
            return Err(self.place(Error::new(ErrorKind::Format, "missing key").expected(expected), key));
        };
        convert(value).ok_or_else(|| self.place(wrong("wrong value", expected, value), key))
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

    /// `error`, told to have happened at `key` of this object.
    pub fn place(&self, error: Error, key: &str) -> Error {
        error.at(format_args!("key {}{key}", self.prefix))
    }
}

fn wrong(what: &'static str, expected: impl Display, found: &Value) -> Error {
    Error::new(ErrorKind::Format, what).expected(expected).found(short(found))
}

/// A value, fit for a message.
fn short(value: &Value) -> String {
    match value {
        Value::Array(list) if list.len() > 8 => format!("a list of {}", list.len()),
        Value::Object(_) => "an object".to_string(),
        Value::Null => "nothing".to_string(),
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
        assert_eq!(text(more.only(&["j"]).err()), "key more.k: unknown key");
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
