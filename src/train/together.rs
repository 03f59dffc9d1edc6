//! A fit that several ranks take together: what they make sure of before it begins, and what they tell each other between steps.

use crate::error::{Error, ErrorKind, Result};
use crate::json::difference;
use crate::machines::{Machines, Team};
use serde_json::{Value, json};

/// What a rank knows between two steps, and the others have to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Now {
    /// Whether somebody wants the fit to stop.
    pub stopped: bool,
    /// The learning rate of the next step, where it was set.
    pub learning_rate: Option<f64>,
}

/// The ranks tell each other what they are about to fit: the same, or it is an error on each of them that names a rank and the
/// first difference. A rank that cannot begin has an `error` instead.
pub fn meet(machines: &Machines<'_>, own: Result<Value, &Error>) -> Result<()> {
    let own = match own {
        Ok(mut value) => {
            value["rank"] = machines.rank().into();
            value
        }
        Err(error) => json!({ "error": error.to_string() }),
    };
    let said = machines.gather_bytes(own.to_string().as_bytes())?;
    let read = |bytes: &Vec<u8>| serde_json::from_slice(bytes).unwrap_or(Value::Null);
    let mut said: Vec<Value> = said.iter().map(read).collect();
    if own.get("error").is_some() {
        return Ok(()); // the caller has it
    }
    let told = |(rank, value): (usize, &Value)| Some(gave_up(rank, value.get("error")?.as_str()?));
    if let Some(error) = said.iter().enumerate().find_map(told) {
        return Err(error);
    }
    for (rank, value) in said.iter_mut().enumerate() {
        let found = value["rank"].take();
        if found != rank {
            let error = Error::new(ErrorKind::Network, "the ranks are not in their order").expected(rank).found(found);
            return Err(error.at(format_args!("rank {rank}")));
        }
    }
    for (rank, value) in said.iter().enumerate() {
        if let Some((key, expected, found)) = difference(&said[0], value) {
            let error = Error::new(ErrorKind::Network, "not that of rank 0").expected(expected).found(found);
            return Err(error.at(format_args!("key {key}")).at(format_args!("rank {rank}")));
        }
    }
    Ok(())
}

/// The ranks tell each other how they stand. An `outcome` that is an error ends the fit on all of them.
pub fn agree(machines: &Machines<'_>, outcome: Result<()>, own: Now) -> Result<Now> {
    const FAILED: u8 = 2;
    if machines.have_failed() {
        return outcome.map(|()| own); // nothing can be told any more
    }
    let state = if outcome.is_err() { FAILED } else { u8::from(own.stopped) };
    let (set, rate) = (u8::from(own.learning_rate.is_some()), own.learning_rate.unwrap_or_default());
    let said = machines.gather_fixed(&[&[state, set][..], &rate.to_le_bytes()].concat())?;
    let said: Vec<&[u8]> = said.chunks_exact(10).collect();
    if said.iter().any(|said| said[0] == FAILED) {
        let text = outcome.as_ref().err().map(Error::to_string).unwrap_or_default();
        let texts = machines.gather_bytes(text.as_bytes())?;
        outcome?;
        let rank = said.iter().position(|said| said[0] == FAILED).unwrap_or_default();
        return Err(gave_up(rank, &String::from_utf8_lossy(&texts[rank])));
    }
    if let Some(rank) = said.iter().position(|other| other[1..] != said[0][1..]) {
        let rate = |said: &[u8]| match said[1] {
            0 => "the optimizer's".to_string(),
            _ => f64::from_le_bytes(said[2..].try_into().unwrap_or_default()).to_string(),
        };
        let error = Error::new(ErrorKind::Network, "not the learning rate of rank 0");
        return Err(error.expected(rate(said[0])).found(rate(said[rank])).at(format_args!("rank {rank}")));
    }
    Ok(Now { stopped: said.iter().any(|said| said[0] != 0), ..own })
}

/// Rank 0's file, or that there is none; an error there is one everywhere.
pub fn file(machines: &Machines<'_>, own: Result<Option<Vec<u8>>>) -> Result<Option<Vec<u8>>> {
    let bytes = match &own {
        Ok(None) => vec![0],
        Ok(Some(bytes)) => [&[1][..], bytes].concat(),
        Err(error) => [&[2][..], error.to_string().as_bytes()].concat(),
    };
    let mut told = machines.from_first(&bytes)?;
    own?;
    match told.first() {
        Some(0) => Ok(None),
        Some(1) => {
            told.remove(0);
            Ok(Some(told))
        }
        _ => Err(gave_up(0, &String::from_utf8_lossy(told.get(1..).unwrap_or_default()))),
    }
}

fn gave_up(rank: usize, why: &str) -> Error {
    Error::new(ErrorKind::Network, format!("gave up: {why}")).at(format_args!("rank {rank}"))
}

/// A hash of numbers, by which ranks tell theirs apart.
pub fn fingerprint<'a>(all: impl IntoIterator<Item = &'a [f32]>) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for value in all.into_iter().flatten() {
        hash = (hash ^ u64::from(value.to_bits())).wrapping_mul(0x0100_0000_01b3).rotate_left(29);
    }
    format!("{hash:016x}")
}
