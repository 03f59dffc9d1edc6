//! Mutations of safetensors files: the text of the header, its values, or the data, with corrected lengths.

use crate::files::safetensors;
use crate::mutate_bytes;
use crate::random::Random;
use serde_json::{Map, Value, json};

/// The element sizes of the types that are used.
const TYPES: [(&str, usize); 6] = [("F32", 4), ("F64", 8), ("F16", 2), ("I64", 8), ("U8", 1), ("BOOL", 1)];

/// A file with one change.
pub fn mutate(file: &[u8], random: &mut Random, most: usize) -> Option<Vec<u8>> {
    let (header, data) = split(file)?;
    match random.below(8) {
        0 => None,
        1 => Some(safetensors(&String::from_utf8_lossy(&mutate_bytes(header, most)), data)),
        2 => Some([&(header.len() as u64).to_le_bytes()[..], header, &mutate_bytes(data, most)].concat()),
        3 => Some([&random.edge().to_le_bytes()[..], header, data].concat()),
        _ => {
            let mut header: Value = serde_json::from_slice(header).ok()?;
            let mut data = data.to_vec();
            let text = header.pointer("/__metadata__/model").and_then(Value::as_str).map(str::to_string);
            match text.filter(|_| !random.once_in(3)) {
                Some(text) => header["__metadata__"]["model"] = description(&text, random).into(),
                None => change(&mut header, random),
            }
            if !random.once_in(3) {
                fit(header.as_object_mut()?, &mut data, most);
            }
            Some(safetensors(&header.to_string(), &data))
        }
    }
}

/// The header and the data of a file, if it is long enough.
fn split(file: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = file.split_first_chunk::<8>()?;
    rest.split_at_checked(usize::try_from(u64::from_le_bytes(*len)).ok()?)
}

/// A whole model's description with one change.
fn description(text: &str, random: &mut Random) -> String {
    match serde_json::from_str::<Value>(text).ok().filter(|_| !random.once_in(6)) {
        Some(mut value) => {
            for _ in 0..=random.below(2) {
                change(&mut value, random);
            }
            value.to_string()
        }
        None => String::from_utf8_lossy(&mutate_bytes(text.as_bytes(), 2 * text.len() + 16)).into_owned(),
    }
}

/// Changes a value somewhere in `value`.
pub fn change(value: &mut Value, random: &mut Random) {
    match value {
        Value::Object(map) if !map.is_empty() && !random.once_in(12) => {
            let which = random.below(map.len());
            let Some(key) = map.keys().nth(which).cloned() else { return };
            match random.below(12) {
                0 => drop(map.remove(&key)),
                1 => rename(map, &key, random),
                _ => map.get_mut(&key).into_iter().for_each(|value| change(value, random)),
            }
        }
        Value::Array(list) if !list.is_empty() && !random.once_in(12) => {
            let which = random.below(list.len());
            match random.below(12) {
                0 => drop(list.remove(which)),
                1 => list.insert(which, list[which].clone()),
                2 => list.swap(0, which),
                _ => change(&mut list[which], random),
            }
        }
        Value::Number(_) if !random.once_in(8) => *value = number(random),
        Value::String(text) if !random.once_in(8) => {
            const WORDS: [&str; 12] = [
                "F32",
                "F64",
                "U8",
                "linear",
                "softmax",
                "relu",
                "Dense",
                "Conv2D",
                "Flatten",
                "InputLayer",
                "Adam",
                "",
            ];
            *text = match random.below(2) {
                0 => WORDS[random.below(WORDS.len())].to_string(),
                _ => String::from_utf8_lossy(&mutate_bytes(text.as_bytes(), text.len() + 8)).into_owned(),
            };
        }
        value => {
            let others = [Value::Null, json!(true), json!([]), json!({}), json!(""), json!([[[[0]]]]), number(random)];
            *value = others[random.below(others.len())].clone();
        }
    }
}

fn rename(map: &mut Map<String, Value>, key: &str, random: &mut Random) {
    let other = map.keys().nth(random.below(map.len())).cloned().unwrap_or_default();
    let name = match random.below(4) {
        0 => format!("{other}/m"),
        1 => format!("{}.weight", random.below(3)),
        2 => format!("{}.bias", random.below(3)),
        _ => format!("{key}_{}", random.below(3)),
    };
    if let Some(value) = map.get(key).cloned() {
        if random.once_in(2) {
            map.remove(key);
        }
        map.insert(name, value);
    }
}

fn number(random: &mut Random) -> Value {
    match random.below(6) {
        0 => json!(-(random.edge() as i64 >> 1)),
        1 => json!([0.5, -0.0, 1e308, 5e-324, 0.999, 1e-7][random.below(6)]),
        2..4 => json!(random.below(9)),
        _ => json!(random.edge()),
    }
}

/// Assigns consecutive offsets to the header's tensors according to their sizes, and sets the data's length, unless it is too large.
fn fit(header: &mut Map<String, Value>, data: &mut Vec<u8>, most: usize) {
    let mut end = 0usize;
    for (_, info) in header.iter_mut().filter(|(name, _)| *name != "__metadata__") {
        let width = TYPES.iter().find(|(name, _)| info["dtype"] == *name).map_or(1, |(_, width)| *width);
        let shape = info["shape"].as_array().cloned().unwrap_or_default();
        let size = shape.iter().try_fold(width, |size, dim| size.checked_mul(dim.as_u64()? as usize));
        let Some(next) = size.and_then(|size| end.checked_add(size)).filter(|next| *next <= most) else { return };
        if let Some(info) = info.as_object_mut() {
            info.insert("data_offsets".into(), json!([end, next]));
        }
        end = next;
    }
    data.resize(end, 0x3c);
}
