//! TerminateOnNaN: ends the fit at a loss that is NaN or infinite. (The fit itself does so unless its option
//! `terminate_on_nan` is off, and before the step is taken.)

use super::format::repr;
use super::{Callback, Entry, Host, Logs, Step, Verdict, value};
use crate::error::Result;
use serde_json::{Map, Value, json};

pub(super) const ENTRY: Entry = ("TerminateOnNaN", &["raise_error"], |config| {
    config.idle("raise_error", |value| value == false, "false: the fit's status reports it")?;
    Ok(Box::new(TerminateOnNan))
});

#[derive(Debug)]
struct TerminateOnNan;

impl Callback for TerminateOnNan {
    fn class(&self) -> &'static str {
        "TerminateOnNaN"
    }

    fn config(&self) -> Map<String, Value> {
        Map::from_iter([("raise_error".to_string(), json!(false))])
    }

    fn batch_end(&mut self, host: &mut dyn Host, at: Step, logs: &Logs) -> Result<Verdict> {
        let Some(loss) = value(logs, "loss").filter(|loss| !loss.is_finite()) else { return Ok(Verdict::Continue) };
        let Step { epoch, batch, .. } = at;
        host.print(&format!("Batch {batch}: Invalid loss, terminating training"))?;
        Ok(Verdict::Stop(format!("{}: loss is {} in batch {batch} of epoch {}", self.class(), repr(loss), epoch + 1)))
    }
}
