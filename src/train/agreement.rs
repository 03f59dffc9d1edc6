//! What the ranks of a fit compare before it begins, and what they tell each other between steps.

use crate::error::{Error, ErrorKind, Result};
use crate::json::difference;
use crate::machines::{Machines, Ranks};
use serde_json::{Value, json};

/// The state of a rank between two steps.
#[derive(Clone, Copy)]
pub struct Standing {
    /// Whether the fit is to stop.
    pub stopped: bool,
    /// The learning rate of the next step, if it was set.
    pub learning_rate: Option<f64>,
}

/// Compares the ranks' descriptions of the fit. If they differ, every rank gets an error that names a rank and the first
/// difference. A rank that cannot begin passes its error instead, and the others get an error with its text.
pub fn compare(machines: &Machines<'_>, own: Result<Value, &Error>) -> Result<()> {
    let text = match &own {
        Ok(description) => json!({ "rank": machines.rank(), "fit": description }),
        Err(error) => json!({ "error": error.to_string() }),
    };
    let all = machines.gather_bytes(text.to_string().as_bytes())?;
    if own.is_err() {
        return Ok(()); // the caller returns its own error
    }
    let all: Vec<Value> = all.iter().map(|bytes| serde_json::from_slice(bytes).unwrap_or_default()).collect();
    for (rank, value) in all.iter().enumerate() {
        if let Some(why) = value["error"].as_str() {
            return Err(failed(rank, why));
        }
    }
    for (rank, value) in all.iter().enumerate() {
        if value["rank"] != rank {
            let error = Error::new(ErrorKind::Network, "the communicator's ranks are not in order");
            return Err(error.expected(rank).found(&value["rank"]).at(format_args!("rank {rank}")));
        }
        if let Some((key, expected, found)) = difference(&all[0]["fit"], &value["fit"]) {
            let error = Error::new(ErrorKind::Network, "differs from rank 0").expected(expected).found(found);
            return Err(error.at(format_args!("key {key}")).at(format_args!("rank {rank}")));
        }
    }
    Ok(())
}

/// Exchanges the ranks' states. If `outcome` is an error on one of them, the fit ends with an error on all. Returns whether
/// one of them stops.
pub fn agree(machines: &Machines<'_>, outcome: Result<()>, own: Standing) -> Result<bool> {
    const FAILED: u8 = 2;
    if machines.have_failed() {
        return outcome.map(|()| own.stopped); // nothing can be exchanged any more
    }
    let state = if outcome.is_err() { FAILED } else { u8::from(own.stopped) };
    let (set, rate) = (u8::from(own.learning_rate.is_some()), own.learning_rate.unwrap_or_default());
    let all = machines.gather_same_len(&[&[state, set][..], &rate.to_le_bytes()].concat())?;
    let all: Vec<&[u8]> = all.chunks_exact(10).collect();
    if let Some(rank) = all.iter().position(|one| one[0] == FAILED) {
        let text = outcome.as_ref().err().map(Error::to_string).unwrap_or_default();
        let texts = machines.gather_bytes(text.as_bytes())?;
        outcome?;
        return Err(failed(rank, &String::from_utf8_lossy(&texts[rank])));
    }
    if let Some(rank) = all.iter().position(|one| one[1..] != all[0][1..]) {
        let rate = |one: &[u8]| match one[1] {
            0 => "the optimizer's".to_string(),
            _ => f64::from_le_bytes(one[2..].try_into().unwrap_or_default()).to_string(),
        };
        let error = Error::new(ErrorKind::Network, "the learning rate differs from rank 0");
        return Err(error.expected(rate(all[0])).found(rate(all[rank])).at(format_args!("rank {rank}")));
    }
    Ok(all.iter().any(|one| one[0] != 0))
}

/// The content of rank 0's file, `None` if it does not exist. If rank 0 cannot read it, all ranks get an error.
pub fn file_of_first(machines: &Machines<'_>, own: Result<Option<Vec<u8>>>) -> Result<Option<Vec<u8>>> {
    const MISSING: u8 = 0;
    const CONTENT: u8 = 1;
    const ERROR: u8 = 2;
    let message = match &own {
        Ok(None) => vec![MISSING],
        Ok(Some(content)) => [&[CONTENT][..], content].concat(),
        Err(error) => [&[ERROR][..], error.to_string().as_bytes()].concat(),
    };
    let mut message = machines.bytes_of_first(&message)?;
    own?;
    match message.first() {
        Some(&MISSING) => Ok(None),
        Some(&CONTENT) => {
            message.remove(0);
            Ok(Some(message))
        }
        _ => Err(failed(0, &String::from_utf8_lossy(message.get(1..).unwrap_or_default()))),
    }
}

fn failed(rank: usize, why: &str) -> Error {
    Error::new(ErrorKind::Network, format!("failed: {why}")).at(format_args!("rank {rank}"))
}

/// A hash of numbers, to compare those of the ranks.
pub fn fingerprint<'a>(all: impl IntoIterator<Item = &'a [f32]>) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for value in all.into_iter().flatten() {
        hash = (hash ^ u64::from(value.to_bits())).wrapping_mul(0x0100_0000_01b3).rotate_left(29);
    }
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machines::Communicator;
    use std::sync::{Barrier, Mutex};

    /// Two ranks that are threads.
    struct Pair {
        sent: [Mutex<Vec<u8>>; 2],
        barrier: Barrier,
    }

    struct One<'p>(&'p Pair, usize);

    impl Communicator for One<'_> {
        fn rank(&self) -> usize {
            self.1
        }

        fn size(&self) -> usize {
            2
        }

        fn allgather(&self, send: &[u8], receive: &mut [u8], counts: &[usize]) -> i32 {
            *self.0.sent[self.1].lock().unwrap() = send.to_vec();
            self.0.barrier.wait();
            let all = [0, 1].map(|rank| self.0.sent[rank].lock().unwrap().clone());
            assert_eq!(counts, [all[0].len(), all[1].len()]);
            receive.copy_from_slice(&all.concat());
            self.0.barrier.wait();
            0
        }

        fn broadcast(&self, _: &mut [u8], _: usize) -> i32 {
            -1
        }
    }

    /// What both ranks come to.
    fn both<T: Send>(task: impl Fn(&Machines<'_>, usize) -> Result<T> + Sync) -> [Result<T, String>; 2] {
        let pair = Pair { sent: Default::default(), barrier: Barrier::new(2) };
        let run = |rank| task(&Machines::new(&One(&pair, rank)), rank).map_err(|error| error.to_string());
        std::thread::scope(|scope| {
            let first = scope.spawn(|| run(0));
            let second = run(1);
            [first.join().unwrap(), second]
        })
    }

    #[test]
    fn another_version_is_an_error_on_both() {
        let versions = ["0.1.0", "0.2.0"];
        let found = both(|machines, rank| compare(machines, Ok(json!({ "version": versions[rank] }))));
        let error = "rank 1: key version: differs from rank 0: expected \"0.1.0\", found \"0.2.0\"";
        assert_eq!(found, [(); 2].map(|()| Err(error.to_string())));
        assert_eq!(both(|machines, _| compare(machines, Ok(json!({ "version": "0.1.0" })))), [Ok(()), Ok(())]);
    }

    #[test]
    fn one_stops_or_fails_for_both() {
        let standing = |stopped| Standing { stopped, learning_rate: None };
        let stop =
            |first: bool, second: bool| both(|machines, rank| agree(machines, Ok(()), standing([first, second][rank])));
        assert_eq!(stop(false, false), [Ok(false), Ok(false)]);
        assert_eq!(stop(false, true), [Ok(true), Ok(true)]);
        let full = || Err(Error::new(ErrorKind::Io, "the disk is full"));
        let outcome = |rank| if rank == 1 { full() } else { Ok(()) };
        let found = both(|machines, rank| agree(machines, outcome(rank), standing(false)));
        assert_eq!(found, ["rank 1: failed: the disk is full", "the disk is full"].map(|text| Err(text.to_string())));
    }
}
