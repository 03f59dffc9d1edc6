//! Mutations of protobuf messages: a field somewhere in them, with corrected lengths.

use crate::mutate_bytes;
use crate::random::Random;

/// The largest depth at which bytes are parsed as messages.
const DEPTH: usize = 8;

/// A field: its key (field number and wire type) and its content.
#[derive(Clone)]
struct Field {
    key: u64,
    value: Value,
}

#[derive(Clone)]
enum Value {
    Number(u64),
    /// Four or eight bytes according to the key, or any number of them.
    Bytes(Vec<u8>),
    Message(Vec<Field>),
}

/// A file with one change.
pub fn mutate(file: &[u8], random: &mut Random, most: usize) -> Option<Vec<u8>> {
    if random.once_in(12) {
        return None;
    }
    let mut fields = message(file, DEPTH)?;
    let mut leaves = Vec::new();
    gather(&fields, &mut leaves);
    for _ in 0..=random.below(3) {
        change(&mut fields, &leaves, random, most);
    }
    let mut changed = Vec::new();
    write(&fields, &mut changed);
    Some(changed)
}

/// The fields of a message, if the bytes are one.
fn message(mut bytes: &[u8], depth: usize) -> Option<Vec<Field>> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = number(&mut bytes)?;
        let len = match key & 7 {
            0 => {
                fields.push(Field { key, value: Value::Number(number(&mut bytes)?) });
                continue;
            }
            1 => 8,
            2 => usize::try_from(number(&mut bytes)?).ok()?,
            5 => 4,
            _ => return None,
        };
        let (inside, rest) = bytes.split_at_checked(len).filter(|_| key >= 8)?;
        bytes = rest;
        // Names are text, but might also be valid messages.
        let is_text = !inside.is_empty() && inside.iter().all(|byte| byte.is_ascii_graphic());
        let inner = if key & 7 == 2 && depth > 0 && !is_text { message(inside, depth - 1) } else { None };
        let value = inner.filter(|inner| !inner.is_empty()).map_or(Value::Bytes(inside.to_vec()), Value::Message);
        fields.push(Field { key, value });
    }
    Some(fields)
}

fn number(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

/// Content that is not a message: names, texts, weights.
fn gather(fields: &[Field], leaves: &mut Vec<Vec<u8>>) {
    for field in fields {
        match &field.value {
            Value::Bytes(bytes) => leaves.push(bytes.clone()),
            Value::Message(inner) => gather(inner, leaves),
            Value::Number(_) => (),
        }
    }
}

/// Changes a field somewhere in a message.
fn change(fields: &mut Vec<Field>, leaves: &[Vec<u8>], random: &mut Random, most: usize) {
    if fields.is_empty() {
        return;
    }
    let which = random.below(fields.len());
    match random.below(16) {
        0 => drop(fields.remove(which)),
        1 => fields.insert(which, fields[which].clone()),
        2 => fields.swap(0, which),
        3 => {
            let other = fields[random.below(fields.len())].value.clone();
            fields[which].value = other;
        }
        _ => match &mut fields[which].value {
            Value::Message(inner) => change(inner, leaves, random, most),
            Value::Number(value) => *value = if random.once_in(2) { random.below(10) as u64 } else { random.edge() },
            Value::Bytes(bytes) if random.once_in(2) => *bytes = mutate_bytes(bytes, most.min(2 * bytes.len() + 8)),
            // Often another name, which changes the graph.
            Value::Bytes(bytes) => *bytes = leaves[random.below(leaves.len())].clone(),
        },
    }
}

fn write(fields: &[Field], out: &mut Vec<u8>) {
    for field in fields {
        let mut inner = Vec::new();
        let kind = match &field.value {
            Value::Number(_) => 0,
            Value::Bytes(bytes) => {
                inner.extend_from_slice(bytes);
                let fixed =
                    [(1, 8), (5, 4)].into_iter().find(|&(kind, len)| field.key & 7 == kind && inner.len() == len);
                fixed.map_or(2, |(kind, _)| kind)
            }
            Value::Message(fields) => {
                write(fields, &mut inner);
                2
            }
        };
        put(field.key & !7 | kind, out);
        match (&field.value, kind) {
            (Value::Number(value), _) => put(*value, out),
            (_, 2) => {
                put(inner.len() as u64, out);
                out.extend(inner);
            }
            _ => out.extend(inner),
        }
    }
}

fn put(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
