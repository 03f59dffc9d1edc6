//! Keras's progress line, as version 2.6 draws it.
//!
//! ```text
//!   64/1875 [>.............................] - ETA: 4:24 - loss: 1.9012 - accuracy: 0.4023      running, redrawn in place
//! 1875/1875 [==============================] - 275s 147ms/step - loss: 0.1501 - accuracy: 0.9561          done
//! 1875/1875 - 275s - loss: 0.1501 - accuracy: 0.9561                                          done, verbose 2
//! ```
//!
//! Where the width is limited, a redrawn line stays below it, since a wrapped line cannot be redrawn: first the bar
//! gets shorter, then the time is left out, then metrics from the last on. The final line leaves out only the bar; it
//! continues on the next row.
//!
//! The caller passes the time, in seconds since the line was begun.

use crate::error::Result;

/// How much output a fit or an evaluation writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verbose {
    /// Nothing.
    Silent,
    /// A line that is redrawn during the work.
    Bar,
    /// A line at the end.
    Line,
}

/// The destination of text.
pub struct Output<'a> {
    /// Receives a piece of text.
    pub write: &'a mut dyn FnMut(&str),
    /// Whether a line can be redrawn with `\r`. If not, only finished lines are written.
    pub redraw: bool,
    /// The number of columns, queried each time; `None`: unlimited.
    pub columns: &'a dyn Fn() -> Option<usize>,
    /// An error if the work must end: checked after each piece of text and after each callback.
    pub check: &'a dyn Fn() -> Result<()>,
}

impl<'a> Output<'a> {
    /// Output to a file: nothing is redrawn, and lines have any length.
    pub fn file(write: &'a mut dyn FnMut(&str)) -> Self {
        Output { write, redraw: false, columns: &|| None, check: &|| Ok(()) }
    }

    /// Writes a piece of text.
    pub fn write(&mut self, text: &str) -> Result<()> {
        (self.write)(text);
        (self.check)()
    }

    /// The longest line. The last column stays free: some terminals wrap the line when it is used.
    fn room(&self) -> usize {
        (self.columns)().map_or(usize::MAX, |columns| columns.saturating_sub(1).max(1))
    }
}

/// The least time between two redraws, in seconds.
const INTERVAL: f64 = 0.05;

/// The bar's normal and its least width.
const WIDTH: usize = 30;
const LEAST: usize = 5;

/// A metric's name and value.
pub type Shown<'a> = (&'a str, f64);

/// Writes `Epoch 1/3` when there is more than one.
pub fn epoch_header(output: &mut Output<'_>, verbose: Verbose, epoch: usize, epochs: usize) -> Result<()> {
    match verbose != Verbose::Silent && epochs > 1 {
        true => output.write(&format!("Epoch {}/{epochs}\n", epoch + 1)),
        false => Ok(()),
    }
}

/// The line of one epoch, or of one evaluation.
pub struct ProgressLine {
    verbose: Verbose,
    /// Steps done before the line was begun.
    done: usize,
    target: usize,
    drawn: Option<f64>,
    width: usize,
    first_step: Option<f64>,
}

impl ProgressLine {
    /// A line that goes from `done` steps to `target`.
    pub fn new(verbose: Verbose, done: usize, target: usize) -> Self {
        ProgressLine { verbose, done, target, drawn: None, width: 0, first_step: None }
    }

    /// After step `current` (counted from 1): redraws the line, unless it was drawn less than the least time ago.
    pub fn update(&mut self, output: &mut Output<'_>, current: usize, metrics: &[Shown<'_>], now: f64) -> Result<()> {
        let per_step = self.per_step(current, now);
        let fresh = self.drawn.is_some_and(|drawn| now - drawn < INTERVAL);
        if self.verbose != Verbose::Bar || !output.redraw || fresh {
            return Ok(());
        }
        let eta = per_step * self.target.saturating_sub(current) as f64;
        let room = output.room();
        let line = self.running(current, &format_eta(eta), &format_metrics(metrics), room);
        self.draw(output, line, room, now)
    }

    /// The final line, after `current` steps; fewer than the target if the work was stopped early.
    pub fn finish(&mut self, output: &mut Output<'_>, current: usize, metrics: &[Shown<'_>], now: f64) -> Result<()> {
        let per_step = format_per_step(self.per_step(current, now));
        let time = match self.verbose {
            Verbose::Silent => return Ok(()),
            Verbose::Line => format!(" - {now:.0}s"),
            Verbose::Bar => format!(" - {now:.0}s {per_step}"),
        };
        let (room, count) = (output.room(), self.count(current));
        let end_of_count = count.len();
        let mut rows = rows([count, time].into_iter().chain(format_metrics(metrics)), room).into_iter();
        let mut first = rows.next().unwrap_or_default();
        let below = rows.map(|row| format!("\n{row}")).collect::<String>() + "\n";
        if self.verbose == Verbose::Bar {
            first.insert_str(end_of_count.min(first.len()), &self.bar(current, room - first.len()));
            self.draw(output, first, room, now)?;
            output.write(&below)
        } else {
            output.write(&(first + &below))
        }
    }

    /// As much of the line as fits.
    fn running(&self, current: usize, time: &str, metrics: &[String], room: usize) -> String {
        let mut count = self.count(current);
        for shown in (0..=metrics.len()).rev() {
            for time in [time, ""] {
                let rest = format!("{time}{}", metrics[..shown].concat());
                if let Some(left) = room.checked_sub(count.len() + rest.len()) {
                    return format!("{count}{}{rest}", self.bar(current, left));
                }
            }
        }
        count.truncate(room);
        count
    }

    /// Writes `line` over what was there.
    fn draw(&mut self, output: &mut Output<'_>, mut line: String, room: usize, now: f64) -> Result<()> {
        let width = line.len();
        line.extend(std::iter::repeat_n(' ', self.width.min(room).saturating_sub(width)));
        if output.redraw {
            line.insert(0, '\r');
        }
        (self.width, self.drawn) = (width, Some(now));
        output.write(&line)
    }

    /// `  64/1875`
    fn count(&self, current: usize) -> String {
        let target = self.target.to_string();
        format!("{current:>width$}/{target}", width = target.len())
    }

    /// ` [>.............................]`, or nothing where so many columns are too few.
    fn bar(&self, current: usize, columns: usize) -> String {
        let width = WIDTH.min(columns.saturating_sub(" []".len()));
        if width < LEAST {
            return String::new();
        }
        let filled = width * current.min(self.target) / self.target.max(1);
        let mut bar = "=".repeat(filled.saturating_sub(1));
        if filled > 0 {
            bar.push(if current < self.target { '>' } else { '=' });
        }
        format!(" [{bar}{}]", ".".repeat(width - filled))
    }

    /// Seconds per step; the first step, which includes setup, is excluded as soon as there are others.
    fn per_step(&mut self, current: usize, now: f64) -> f64 {
        let steps = current.saturating_sub(self.done);
        if steps == 1 {
            self.first_step.get_or_insert(now);
        }
        match (self.first_step, steps) {
            (_, 0) => 0.0,
            (Some(first), 2..) => (now - first) / (steps - 1) as f64,
            _ => now / steps as f64,
        }
    }
}

/// `parts` in as many rows as needed, none longer than `room`; a part is split only if it is longer than that.
fn rows(parts: impl Iterator<Item = String>, room: usize) -> Vec<String> {
    let mut rows: Vec<String> = Vec::new();
    for part in parts {
        match rows.last_mut().filter(|row| row.len() + part.len() <= room) {
            Some(row) => row.push_str(&part),
            None => rows.extend(part.as_bytes().chunks(room).map(|row| String::from_utf8_lossy(row).into_owned())),
        }
    }
    rows
}

fn format_eta(eta: f64) -> String {
    let (eta, seconds) = (eta, eta as u64);
    let (hours, minutes, rest) = (seconds / 3600, seconds % 3600 / 60, seconds % 60);
    match eta {
        _ if eta > 3600.0 => format!(" - ETA: {hours}:{minutes:02}:{rest:02}"),
        _ if eta > 60.0 => format!(" - ETA: {minutes}:{rest:02}"),
        _ => format!(" - ETA: {seconds}s"),
    }
}

fn format_per_step(seconds: f64) -> String {
    match seconds {
        _ if seconds >= 1.0 || seconds == 0.0 => format!("{seconds:.0}s/step"),
        _ if seconds >= 1e-3 => format!("{:.0}ms/step", seconds * 1e3),
        _ => format!("{:.0}us/step", seconds * 1e6),
    }
}

/// ` - loss: 0.1501`, ` - accuracy: 0.9561`
fn format_metrics(metrics: &[Shown<'_>]) -> Vec<String> {
    metrics.iter().map(|&(name, value)| format!(" - {name}: {}", format_value(value))).collect()
}

/// As Python's `%.4f`, or `%.4e` where that would leave too little.
fn format_value(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_string();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_string();
    }
    if value.abs() > 1e-3 {
        return format!("{value:.4}");
    }
    let text = format!("{value:.4e}"); // 1.0000e-4, where Python has two digits of exponent at least: 1.0000e-04
    match text.split_once('e') {
        Some((digits, exponent)) => {
            let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |rest| ('-', rest));
            format!("{digits}e{sign}{exponent:0>2}")
        }
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const METRICS: [Shown<'static>; 2] = [("loss", 1.9012), ("accuracy", 0.4023)];

    /// What `task` writes.
    fn written(redraw: bool, task: impl FnOnce(&mut Output<'_>)) -> String {
        let mut text = String::new();
        task(&mut Output { write: &mut |piece| text.push_str(piece), redraw, columns: &|| None, check: &|| Ok(()) });
        text
    }

    #[test]
    fn a_running_line() {
        // 63 steps after the first in 9.18 s, 1811 to go: 263.9 s.
        let text = written(true, |output| {
            let mut line = ProgressLine::new(Verbose::Bar, 0, 1875);
            line.update(output, 1, &METRICS, 1.0).unwrap();
            line.update(output, 2, &METRICS, 1.01).unwrap(); // too soon
            line.update(output, 64, &METRICS, 1.0 + 9.18).unwrap();
        });
        let expected = "\r   1/1875 [..............................] - ETA: 31:14 - loss: 1.9012 - accuracy: 0.4023\
                        \r  64/1875 [>.............................] - ETA: 4:23 - loss: 1.9012 - accuracy: 0.4023 ";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_line_that_goes_on_counts_its_own_steps_time() {
        let mut line = ProgressLine::new(Verbose::Bar, 1000, 1875);
        line.per_step(1001, 5.0);
        assert_eq!(line.per_step(1011, 6.0), 0.1);
    }

    #[test]
    fn the_tutorial_s_finished_lines() {
        let metrics = [("loss", 0.1501), ("accuracy", 0.9561)];
        let finished =
            "1875/1875 [==============================] - 275s 147ms/step - loss: 0.1501 - accuracy: 0.9561\n";
        let end = |verbose, redraw| {
            written(redraw, |output| {
                let mut line = ProgressLine::new(verbose, 0, 1875);
                (1..1875).for_each(|step| line.update(output, step, &metrics, 0.0).unwrap()); // as if it had just been drawn
                line.finish(output, 1875, &metrics, 275.2).unwrap();
            })
        };
        let bar = end(Verbose::Bar, true);
        assert!(bar.ends_with(&format!("\r{finished}")), "{bar}");
        assert_eq!(end(Verbose::Bar, false), finished, "no redrawing where it cannot be");
        assert_eq!(end(Verbose::Line, true), "1875/1875 - 275s - loss: 0.1501 - accuracy: 0.9561\n");
        assert_eq!(end(Verbose::Silent, true), "");
    }

    #[test]
    fn bars_grow() {
        let line = ProgressLine::new(Verbose::Bar, 0, 100);
        let bar = |current| line.count(current) + &line.bar(current, 100);
        assert_eq!(bar(3), "  3/100 [..............................]");
        assert_eq!(bar(7), "  7/100 [=>............................]");
        assert_eq!(bar(99), " 99/100 [============================>.]");
        assert_eq!(bar(100), "100/100 [==============================]");
    }

    #[test]
    fn times_and_values() {
        assert_eq!(format_eta(59.9), " - ETA: 59s");
        assert_eq!(format_eta(60.0), " - ETA: 60s");
        assert_eq!(format_eta(3600.0), " - ETA: 0:00", "Keras's own slip at exactly an hour");
        assert_eq!(format_eta(3725.0), " - ETA: 1:02:05");
        assert_eq!(format_per_step(0.0), "0s/step");
        assert_eq!(format_per_step(1.6), "2s/step");
        assert_eq!(format_per_step(0.0124), "12ms/step");
        assert_eq!(format_per_step(0.000_25), "250us/step");
        assert_eq!(format_value(1e-3), "1.0000e-03");
        assert_eq!(format_value(-2.5e-120), "-2.5000e-120");
        assert_eq!(format_value(0.0), "0.0000e+00");
        assert_eq!(format_value(0.00101), "0.0010");
        assert_eq!((format_value(f64::NAN), format_value(f64::NEG_INFINITY)), ("nan".into(), "-inf".into()));
    }

    /// What is drawn where a line has so many columns: while it runs, and at the end.
    fn drawn(columns: usize) -> (String, String) {
        let metrics = [("loss", 0.1501), ("accuracy", 0.9561), ("val_loss", 0.0712), ("val_accuracy", 0.9774)];
        let (mut line, mut text) = (ProgressLine::new(Verbose::Bar, 0, 1875), Vec::new());
        let mut write = |piece: &str| text.push(piece.to_string());
        let mut output = Output { redraw: true, columns: &|| Some(columns), ..Output::file(&mut write) };
        line.update(&mut output, 1000, &metrics[..2], 100.0).unwrap();
        line.finish(&mut output, 1875, &metrics, 275.2).unwrap();
        (text.remove(0), text.concat())
    }

    #[test]
    fn a_line_ends_before_the_terminal_does() {
        for columns in 1..200 {
            let (running, finished) = drawn(columns);
            let longest = running.split(['\r', '\n']).chain(finished.split(['\r', '\n'])).map(str::len).max().unwrap();
            assert!(longest < columns.max(2), "{columns}: {longest}");
            assert!(columns < 26 || finished.contains(" - val_accuracy: 0.9774\n"), "nothing is lost: {finished}");
        }
    }

    #[test]
    fn what_is_left_out_where_there_is_no_room() {
        let running = |columns| drawn(columns).0;
        let metrics = " - loss: 0.1501 - accuracy: 0.9561";
        let whole = format!("\r1000/1875 [===============>..............] - ETA: 1:27{metrics}");
        assert_eq!((running(89), running(200)), (whole.clone(), whole));
        assert_eq!(running(80), format!("\r1000/1875 [==========>..........] - ETA: 1:27{metrics}"));
        assert_eq!(running(60), format!("\r1000/1875 - ETA: 1:27{metrics}"));
        assert_eq!(running(54), format!("\r1000/1875 [==>....]{metrics}"));
        assert_eq!(running(40), "\r1000/1875 - ETA: 1:27 - loss: 0.1501");
        assert_eq!(running(20), "\r1000/1875 [==>....]");
        assert_eq!(running(8), "\r1000/18");
        let narrow = "1875/1875 - 275s 147ms/step - loss: 0.1501 \n - accuracy: 0.9561 - val_loss: 0.0712\n";
        assert!(drawn(44).1.contains(narrow), "{}", drawn(44).1);
    }

    #[test]
    fn a_terminal_may_become_narrower_meanwhile() {
        let columns = std::cell::Cell::new(100);
        let mut text = Vec::new();
        let mut write = |piece: &str| text.push(piece.to_string());
        let columns_now = || Some(columns.get());
        let mut output = Output { redraw: true, columns: &columns_now, ..Output::file(&mut write) };
        let mut line = ProgressLine::new(Verbose::Bar, 0, 1875);
        line.update(&mut output, 1000, &METRICS, 100.0).unwrap();
        columns.set(30);
        line.update(&mut output, 1001, &METRICS, 101.0).unwrap();
        assert_eq!(text[1], "\r1001/1875 - loss: 1.9012     ");
    }

    #[test]
    fn a_shorter_line_covers_a_longer_one() {
        let text = written(true, |output| {
            let mut line = ProgressLine::new(Verbose::Bar, 0, 2);
            line.update(output, 1, &[("loss", 1e-9)], 1.0).unwrap();
            line.finish(output, 2, &[("loss", 1.0)], 2.0).unwrap();
        });
        let expected = "\r1/2 [==============>...............] - ETA: 1s - loss: 1.0000e-09\
                        \r2/2 [==============================] - 2s 1s/step - loss: 1.0000 \n";
        assert_eq!(text, expected);
    }

    #[test]
    fn the_header_is_for_more_than_one_epoch() {
        let header = |verbose, epochs| written(true, |output| epoch_header(output, verbose, 0, epochs).unwrap());
        assert_eq!((header(Verbose::Bar, 3), header(Verbose::Line, 3)), ("Epoch 1/3\n".into(), "Epoch 1/3\n".into()));
        assert_eq!(header(Verbose::Bar, 1) + &header(Verbose::Silent, 3), "");
    }
}
