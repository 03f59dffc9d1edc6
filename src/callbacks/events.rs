//! Event files for TensorBoard: records, each a protocol buffer.
//!
//! ```text
//! record    length u64 | its checksum u32 | the event | its checksum u32         little-endian (TFRecord)
//! event     wall_time, step, file_version or summary                             (tensorboard/compat/proto/event.proto)
//! summary   value: tag, tensor, and which plugin shows it                        (summary.proto)
//! tensor    dtype, shape, its bytes                                              (tensor.proto)
//! ```

use crate::error::{At, Result};
use crate::files::{FilePath, Log, make_folders};
use crate::kernels::process;
use crate::memory;
use std::time::{SystemTime, UNIX_EPOCH};

/// An open event file.
#[derive(Debug)]
pub struct EventFile {
    path: FilePath,
    log: Log,
}

impl EventFile {
    /// Creates a new file in a folder, which is created if necessary. Its name holds the time, the process and its
    /// `number` there; TensorBoard reads a folder's files in the order of their names.
    pub fn begin(folder: &FilePath, number: usize) -> Result<Self> {
        let (seconds, process) = (now() as u64, process::id());
        let path = folder.join(&format!("events.out.tfevents.{seconds:010}.libmnist.{process}.{number}.v2"))?;
        make_folders(&path).at(&path)?;
        let log = Log::open(&path).at(&path)?;
        let mut file = EventFile { path, log };
        let version = event(now(), 0).bytes(3, b"brain.Event:2");
        file.append(&[version])?;
        Ok(file)
    }

    /// Appends events.
    pub fn append(&mut self, events: &[Message]) -> Result<()> {
        let mut records = memory::reserve(events.iter().map(|event| event.0.len() + 16).sum())?;
        events.iter().for_each(|event| record(&mut records, &event.0));
        self.log.append(&records).at(&self.path)
    }
}

/// Seconds since 1970.
pub fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// A scalar.
pub fn scalar(time: f64, step: u64, tag: &str, value: f64) -> Message {
    const FLOAT: u64 = 1;
    let tensor = Message::default().number(1, FLOAT).message(2, &Message::default());
    summary(time, step, tag, "scalars", tensor.bytes(4, &(value as f32).to_le_bytes()))
}

/// How many buckets a histogram has.
const BUCKETS: usize = 30;

/// The histogram of these values.
pub fn histogram(time: f64, step: u64, tag: &str, values: &[f32]) -> Message {
    const DOUBLE: u64 = 2;
    let sizes = [BUCKETS, 3].map(|size| Message::default().number(1, size as u64));
    let shape = sizes.iter().fold(Message::default(), |shape, size| shape.message(2, size));
    let content: Vec<u8> = buckets(values).iter().flatten().flat_map(|number| number.to_le_bytes()).collect();
    let tensor = Message::default().number(1, DOUBLE).message(2, &shape).bytes(4, &content);
    summary(time, step, tag, "histograms", tensor)
}

/// Buckets of equal width from the least value to the greatest: left edge, right edge, how many values. Where all are equal
/// they are in the last one. (tensorboard/plugins/histogram/summary_v2.py)
fn buckets(values: &[f32]) -> [[f64; 3]; BUCKETS] {
    if values.is_empty() {
        return [[0.0; 3]; BUCKETS];
    }
    let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
    for &value in values {
        (least, most) = (least.min(value.into()), most.max(value.into()));
    }
    let (width, last) = ((most - least) / BUCKETS as f64, BUCKETS - 1);
    let edge = |i: usize| if i < BUCKETS { least + width * i as f64 } else { most };
    let mut buckets: [[f64; 3]; BUCKETS] = std::array::from_fn(|i| [edge(i), edge(i + 1), 0.0]);
    for &value in values {
        // NaN goes into the first bucket; if all values are equal, they go into the last.
        let i = if width == 0.0 { last } else { ((f64::from(value) - least) / width) as usize };
        buckets[i.min(last)][2] += 1.0;
    }
    buckets
}

fn event(time: f64, step: u64) -> Message {
    Message::default().double(1, time).number(2, step)
}

fn summary(time: f64, step: u64, tag: &str, plugin: &str, tensor: Message) -> Message {
    let metadata = Message::default().message(1, &Message::default().bytes(1, plugin.as_bytes()));
    let value = Message::default().bytes(1, tag.as_bytes()).message(8, &tensor).message(9, &metadata);
    event(time, step).message(5, &Message::default().message(1, &value))
}

/// A protocol buffer, written field by field (protobuf.dev/programming-guides/encoding).
#[derive(Debug, Default)]
pub struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut number: u64) {
        while number > 0x7f {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    /// A field's number and how its content is written.
    fn tag(&mut self, field: u64, wire: u64) {
        self.varint(field << 3 | wire);
    }

    /// A value of 0 is not written.
    fn number(mut self, field: u64, number: u64) -> Self {
        if number != 0 {
            self.tag(field, 0);
            self.varint(number);
        }
        self
    }

    fn double(mut self, field: u64, number: f64) -> Self {
        self.tag(field, 1);
        self.0.extend(number.to_le_bytes());
        self
    }

    fn bytes(mut self, field: u64, bytes: &[u8]) -> Self {
        self.tag(field, 2);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
        self
    }

    fn message(self, field: u64, message: &Message) -> Self {
        self.bytes(field, &message.0)
    }
}

/// Appends an event with its length and their checksums.
fn record(to: &mut Vec<u8>, event: &[u8]) {
    let len = (event.len() as u64).to_le_bytes();
    for part in [&len[..], event] {
        to.extend(part);
        to.extend(masked(crc32c(part)).to_le_bytes());
    }
}

/// A checksum that may itself be checksummed.
fn masked(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32C (Castagnoli; RFC 3720, appendix B.4), bit by bit: events are short.
fn crc32c(bytes: &[u8]) -> u32 {
    const POLYNOMIAL: u32 = 0x82f6_3b78;
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| crc >> 1 ^ POLYNOMIAL & (crc & 1).wrapping_neg())
    })
}

/// The events in a file's bytes without their times, the first one left out; their checksums must be right.
#[cfg(test)]
pub fn timeless(mut file: &[u8]) -> Vec<Vec<u8>> {
    let mut events = Vec::new();
    while !file.is_empty() {
        let len = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
        let mut again = Vec::new();
        record(&mut again, &file[12..12 + len]);
        assert_eq!(again, file[..len + 16]);
        events.push(file[12 + 9..12 + len].to_vec());
        file = &file[len + 16..];
    }
    events.remove(0);
    events
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_standard() {
        // RFC 3720, B.4.
        let ascending: Vec<u8> = (0..32).collect();
        let descending: Vec<u8> = (0..32).rev().collect();
        for (bytes, crc) in [
            (&[0u8; 32][..], 0x8a91_36aa),
            (&[0xff; 32], 0x62a8_ab43),
            (&ascending, 0x46dd_794e),
            (&descending, 0x113f_db5c),
            (b"123456789", 0xe306_9283),
            (b"", 0),
        ] {
            assert_eq!(crc32c(bytes), crc);
        }
    }

    #[test]
    fn a_record_is_tensorflow_s() {
        // What tf.io.TFRecordWriter writes of b"abc".
        let mut found = Vec::new();
        record(&mut found, b"abc");
        assert_eq!(found, [3, 0, 0, 0, 0, 0, 0, 0, 176, 153, 73, 14, 97, 98, 99, 110, 87, 241, 33]);
    }

    #[test]
    fn every_value_is_in_a_bucket() {
        for values in
            [&[][..], &[2.0; 7], &[0.0, 1.0, 0.5, -3.0], &[f32::NAN, 1.0, 2.0], &[f32::INFINITY, 1.0], &[f32::NAN]]
        {
            assert_eq!(buckets(values).iter().map(|bucket| bucket[2]).sum::<f64>(), values.len() as f64);
        }
        assert_eq!(buckets(&[2.0; 7])[BUCKETS - 1], [2.0, 2.0, 7.0]);
    }
}
