//! Builds the text of a C file. Names begin with `prefix_` and `PREFIX_` until it is written.

use super::pieces::{Needed, PIECES};
use super::{Options, Weights};
use crate::error::{Error, ErrorKind, Result};
use crate::kernels::window::{Axis, Window};
use crate::memory;
use crate::model::Model;
use std::fmt::{Display, Write as _};
use std::io::Write;

/// A C file.
pub struct Source {
    weights: Weights,
    placement: String,
    qualifier: String,
    caller_scratch: bool,
    /// The description in the file's first lines.
    about: String,
    /// The lengths of input and output.
    input: usize,
    output: usize,
    needed: Needed,
    arrays: Vec<Array>,
    /// Definitions of constants other than arrays.
    constants: Vec<String>,
    statements: Vec<String>,
    /// Floats of the layers' outputs, and the most additional floats of a step.
    scratch: usize,
    beside: usize,
}

/// Values of an array.
struct Array {
    what: String,
    values: Numbers,
}

#[derive(PartialEq)]
enum Numbers {
    Floats(Vec<f32>),
    Bytes(Vec<i8>),
}

impl Numbers {
    fn len(&self) -> usize {
        match self {
            Numbers::Floats(values) => values.len(),
            Numbers::Bytes(values) => values.len(),
        }
    }

    fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Numbers::Floats(a), Numbers::Floats(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits())
            }
            (a, b) => a == b,
        }
    }
}

impl Source {
    /// An empty one, with `scratch` floats for the layers' outputs.
    pub fn new(model: &Model, options: &Options<'_>, scratch: usize) -> Result<Self> {
        Ok(Source {
            weights: options.weights,
            placement: line(options.placement, "placement")?,
            qualifier: line(options.qualifier, "qualifier")?,
            caller_scratch: options.caller_scratch,
            about: format!(
                "The model {}: {} to {}, {} parameters",
                comment(model.name()),
                model.input_shape(),
                model.architecture.output(),
                model.count_params()
            ),
            input: model.input_shape().len(),
            output: model.output_len(),
            needed: Needed::default(),
            arrays: Vec::new(),
            constants: Vec::new(),
            statements: Vec::new(),
            scratch,
            beside: 0,
        })
    }

    /// Adds a piece to the file, if necessary.
    pub fn need(&mut self, piece: &str) {
        self.needed.add(piece);
    }

    /// A step: the call of a function, which a piece defines.
    pub fn call(&mut self, piece: &str, function: &str, arguments: &[&dyn Display]) {
        self.need(piece);
        let arguments: Vec<String> = arguments.iter().map(|argument| argument.to_string()).collect();
        self.statements.push(format!("{function}({});", arguments.join(", ")));
    }

    /// Reserves additional floats for a step; returns their C expression.
    pub fn beside(&mut self, len: usize) -> String {
        self.beside = self.beside.max(len);
        format!("&scratch[{}]", self.scratch)
    }

    /// Adds an array of floats described by `what`, and returns its name. Equal arrays are stored once.
    pub fn array(&mut self, what: &str, values: impl ExactSizeIterator<Item = f32>) -> Result<String> {
        let values = memory::collect(values)?;
        check_finite(what, &values)?;
        self.numbers(what, Numbers::Floats(values))
    }

    /// The same for an optional array: `NULL` if missing.
    pub fn array_or_null(&mut self, what: &str, values: Option<&[f32]>) -> Result<String> {
        values.map_or(Ok("NULL".to_string()), |values| self.array(what, values.iter().copied()))
    }

    fn numbers(&mut self, what: &str, values: Numbers) -> Result<String> {
        let same = self.arrays.iter().position(|array| array.values.same(&values));
        let index = same.unwrap_or(self.arrays.len());
        if same.is_none() {
            memory::push(&mut self.arrays, Array { what: comment(what), values })?;
        }
        Ok(format!("prefix_w{index}"))
    }

    /// Adds a kernel of `len` weights for each of `channels` output channels, given by `value`; returns its address.
    pub fn kernel(
        &mut self,
        what: &str,
        channels: usize,
        len: usize,
        value: impl Fn(usize, usize) -> f32,
    ) -> Result<String> {
        let mut values = memory::reserve(channels.saturating_mul(len))?;
        for channel in 0..channels {
            values.extend((0..len).map(|i| value(channel, i)));
        }
        check_finite(what, &values)?;
        match self.weights {
            Weights::Float => {
                let name = self.array(what, values.into_iter())?;
                Ok(self.constant("kernel_float", "prefix_kernel", &format!("{{{name}, {len}U}}")))
            }
            Weights::Int8 => {
                let greatest = |row: &[f32]| row.iter().fold(0f32, |most, x| most.max(x.abs()));
                let scales: Vec<f32> = values.chunks_exact(len).map(|row| greatest(row) / 127.0).collect();
                let bytes = values.chunks_exact(len).zip(&scales).flat_map(|(row, &scale)| {
                    row.iter().map(move |x| if scale > 0.0 { libm::roundf(x / scale) as i8 } else { 0 })
                });
                let mut whole = memory::reserve(values.len())?;
                whole.extend(bytes);
                let scales = self.array(&format!("{what}, scales"), scales.into_iter())?;
                let name = self.numbers(what, Numbers::Bytes(whole))?;
                Ok(self.constant("kernel_int8", "prefix_kernel", &format!("{{{name}, {scales}, {len}U}}")))
            }
        }
    }

    /// Adds a constant of a type that a piece defines; returns its address.
    pub fn constant(&mut self, piece: &str, kind: &str, initializer: &str) -> String {
        self.need(piece);
        let is_same = |constant: &String| constant.starts_with(kind) && constant.ends_with(initializer);
        let index = self.constants.iter().position(is_same).unwrap_or(self.constants.len());
        if index == self.constants.len() {
            self.constants.push(format!("{kind} prefix_c{index} = {initializer}"));
        }
        format!("&prefix_c{index}")
    }

    /// A window over images.
    pub fn window(&mut self, window: Window, channels: usize, filters: usize, groups: usize) -> String {
        let Window { rows, columns } = window;
        self.window_of([of(rows), of(columns)], channels, filters, groups)
    }

    /// The same from two axes, each `[input, output, size, stride, dilation, before]`.
    pub fn window_of(&mut self, axes: [[usize; 6]; 2], channels: usize, filters: usize, groups: usize) -> String {
        let [rows, columns] = axes.map(|axis| list(&axis));
        let initializer = format!("{{{rows}, {columns}, {channels}U, {filters}U, {groups}U}}");
        self.constant("window", "prefix_window", &initializer)
    }

    /// Writes the file, names beginning with `prefix`.
    pub fn write(&self, prefix: &str, out: &mut dyn Write) -> Result<()> {
        let (lower, upper) = (format!("{prefix}_"), format!("{}_", prefix.to_ascii_uppercase()));
        let named = |text: &str| text.replace("PREFIX_", &upper).replace("prefix_", &lower);
        out.write_all(named(&self.declarations()).as_bytes())?;
        for (piece, _) in PIECES.iter().zip(self.needed.all()).filter(|(_, needed)| **needed) {
            writeln!(out, "\n{}", named(piece.text).trim_end())?;
        }
        for (index, array) in self.arrays.iter().enumerate() {
            array.write(&named(&format!("prefix_w{index}")), &named("PREFIX_FLASH"), &named("PREFIX_PLACED"), out)?;
        }
        writeln!(out)?;
        for constant in &self.constants {
            writeln!(out, "static const {};", named(constant))?;
        }
        Ok(out.write_all(named(&self.function()).as_bytes())?)
    }

    /// The beginning of the file: its description and its interface.
    fn declarations(&self) -> String {
        let scratch = self.scratch + self.beside;
        let third = if self.caller_scratch { ", float *scratch" } else { "" };
        let memory = match self.caller_scratch {
            true => {
                "`scratch` is memory for PREFIX_SCRATCH_LEN floats: what is in it before does not matter, and afterwards has no\n   meaning. Calls with memory of their own may run at the same time."
            }
            false => "It uses PREFIX_SCRATCH_LEN floats of static memory, so that one call may run at a time.",
        };
        let weights = match self.weights {
            Weights::Float => "",
            Weights::Int8 => {
                "\n\n   The kernels' weights are bytes, each times its output channel's scale (the greatest weight over 127): the numbers are\n   those of the library with these weights, and not with the ones that they are rounded from."
            }
        };
        let mut text = String::new();
        let _ = write!(
            text,
            "/* {}.
   Written by libmnist {}, to be compiled as C99; it needs nothing of the C library, and no heap.

   prefix_predict takes an image of PREFIX_INPUT_LEN floats, [height, width, channels] in the scale that the model was trained
   on, and writes PREFIX_OUTPUT_LEN floats to `out`: the numbers that mnist_model_predict gives, to the bit. For that it has to
   be built with -ffp-contract=off (what gcc's -std=c99 says as well), and without -ffast-math.

   {memory}

   Weights are where the compiler puts constants: PREFIX_PLACED (attributes of the arrays) and PREFIX_FLASH (an address space,
   __flash or __memx of avr-gcc) may say where else. To declare without defining: define PREFIX_DECLARE_ONLY and include this
   file.{weights} */

#include <float.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PREFIX_INPUT_LEN {}U
#define PREFIX_OUTPUT_LEN {}U
#define PREFIX_SCRATCH_LEN {scratch}U /* floats */

void prefix_predict(const float *image, float *out{third});

#ifndef PREFIX_DECLARE_ONLY

#ifndef PREFIX_PLACED
#define PREFIX_PLACED{}
#endif
#ifndef PREFIX_FLASH
#define PREFIX_FLASH{}
#endif
",
            self.about,
            env!("CARGO_PKG_VERSION"),
            self.input,
            self.output,
            spaced(&self.placement),
            spaced(&self.qualifier),
        );
        let longest = self.arrays.iter().map(|array| array.values.len()).chain([scratch]).max().unwrap_or(0);
        if longest > usize::from(u16::MAX) {
            let _ = write!(
                text,
                "\n#if SIZE_MAX < {longest}U\n#error \"more numbers than this machine can address\"\n#endif\n"
            );
        }
        text
    }

    /// The end of the file: the function.
    fn function(&self) -> String {
        let third = if self.caller_scratch { ", float *scratch" } else { "" };
        let mut text = format!("\nvoid prefix_predict(const float *image, float *out{third})\n{{\n");
        match (self.scratch + self.beside, self.caller_scratch) {
            (0, true) => text.push_str("    (void)scratch;\n"),
            (0, false) | (_, true) => (),
            (_, false) => text.push_str("    static float scratch[PREFIX_SCRATCH_LEN];\n"),
        }
        for statement in &self.statements {
            let _ = writeln!(text, "    {statement}");
        }
        text.push_str("}\n\n#endif\n");
        text
    }
}

impl Array {
    fn write(&self, name: &str, qualifier: &str, placement: &str, out: &mut dyn Write) -> Result<()> {
        let kind = if matches!(self.values, Numbers::Floats(_)) { "float" } else { "int8_t" };
        let len = self.values.len();
        writeln!(out, "\n/* {} */", self.what)?;
        write!(out, "static const {qualifier} {kind} {name}[{len}] {placement} = {{")?;
        for at in 0..len {
            let before = if at % 10 == 0 { "\n    " } else { " " };
            match &self.values {
                // The shortest decimal number that gives this float.
                Numbers::Floats(values) => write!(out, "{before}{:?}f,", values[at])?,
                Numbers::Bytes(values) => write!(out, "{before}{},", values[at])?,
            }
        }
        writeln!(out, "\n}};")?;
        Ok(())
    }
}

/// An error unless all values can be written in C.
fn check_finite(what: &str, values: &[f32]) -> Result<()> {
    match values.iter().find(|value| !value.is_finite()) {
        None => Ok(()),
        Some(value) => {
            let error = Error::new(ErrorKind::Unsupported, "a weight that is not finite").expected("a number");
            Err(error.found(value).at(format_args!("weight {what}")))
        }
    }
}

/// A float in C.
pub fn float(value: f32) -> String {
    format!("{value:?}f")
}

/// Sizes in C.
pub fn list(sizes: &[usize]) -> String {
    let sizes: Vec<String> = sizes.iter().map(|size| format!("{size}U")).collect();
    format!("{{{}}}", sizes.join(", "))
}

/// An axis as [`Source::window_of`] takes it.
pub fn of(axis: Axis) -> [usize; 6] {
    [axis.input, axis.output(), axis.size, axis.stride, axis.dilation, axis.before]
}

fn spaced(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(" {text}") }
}

/// Text from a file made safe for a C comment.
fn comment(text: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "_-./, ".contains(c) { c } else { '?' };
    text.chars().take(100).map(plain).collect()
}

/// An option that becomes the rest of a line.
fn line(text: &str, option: &str) -> Result<String> {
    match text.bytes().all(|c| c == b' ' || c.is_ascii_graphic()) && text.len() <= 1000 && !text.ends_with('\\') {
        true => Ok(text.to_string()),
        false => {
            let error = Error::new(ErrorKind::InvalidArgument, "not text that fits into one line of C");
            Err(error.expected("at most 1000 printable characters").at(format_args!("option `{option}`")))
        }
    }
}
