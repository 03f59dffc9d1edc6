//! Geometry of windows over an image, shared by convolution and pooling.
//!
//! Along one axis a window has `size` places, `dilation` apart, and moves by `stride`; before and behind the input there
//! may be padding. Keras's rules, with `span` the inputs from the first place to the last, `(size - 1) * dilation + 1`:
//!
//! ```text
//!   valid   no padding;   outputs = (input - span) / stride + 1, rounded down; the span must not exceed the input
//!   same    outputs = input / stride, rounded up;   as much padding as that takes, one more at the end if it is odd
//!   causal  outputs = input / stride, rounded up;   all padding before, span - 1: no output sees later inputs
//!
//!   size 3, dilation 2, stride 2, same:      .  . [0  1  2  3  4  5] .  .
//!                                output 0    *     *     *
//!                                output 1          *     *     *
//! ```

use std::ops::Range;

/// The kind of padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// None.
    Valid,
    /// As much as needed for `input / stride` outputs, rounded up.
    Same,
    /// Before the input only.
    Causal,
}

/// A window along one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axis {
    /// Inputs, without the padding.
    pub input: usize,
    /// Places of the window.
    pub size: usize,
    /// From an output's window to the next one's.
    pub stride: usize,
    /// From a place to the next.
    pub dilation: usize,
    /// Padding before the first input.
    pub before: usize,
    /// Padding behind the last one.
    pub after: usize,
}

/// Some elements of a window and the inputs or outputs that they meet: element `place + t * place_step` meets `at + t *
/// step`.
///
/// From an output to the next that is `alike`, `at` is `stride` more; from an input to the next one a stride
/// further, one more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taps {
    /// How many there are.
    pub count: usize,
    /// The first place.
    pub place: usize,
    /// From a place to the next.
    pub place_step: usize,
    /// What the first place meets.
    pub at: usize,
    /// From there to what the next place meets.
    pub step: isize,
}

impl Taps {
    /// Whether they are at the same places.
    #[inline(always)]
    fn alike(&self, other: &Taps) -> bool {
        (self.place, self.count) == (other.place, other.count)
    }
}

impl Axis {
    /// A window over so many inputs; none of the numbers is 0. `None` where the window is longer than what it slides over:
    /// its [`span`], more than `input`.
    pub fn new(input: usize, size: usize, stride: usize, dilation: usize, padding: Padding) -> Option<Axis> {
        let bare = Axis { input, size, stride, dilation, before: 0, after: 0 };
        match padding {
            Padding::Valid => (span(size, dilation) <= input).then_some(bare),
            Padding::Same => {
                let needed = (input.div_ceil(stride) - 1) * stride;
                let padding = needed.saturating_add(span(size, dilation)).saturating_sub(input);
                Some(Axis { before: padding / 2, after: padding.div_ceil(2), ..bare })
            }
            Padding::Causal => Some(Axis { before: span(size, dilation) - 1, ..bare }),
        }
    }

    /// The window whose transposed convolution takes `output` numbers: its `input` is how many that gives, and its outputs
    /// are `output`. (`same` gives `output * stride`, `valid` as many as the windows reach; with `more` it is what the
    /// windows' middles, or the windows, reach and so many more.) `None` past what can be counted, where there is no such
    /// window, and for `causal`.
    pub fn transposed(
        output: usize,
        size: usize,
        stride: usize,
        dilation: usize,
        padding: Padding,
        more: Option<usize>,
    ) -> Option<Axis> {
        let (reach, span) = ((output - 1).checked_mul(stride)?, span(size, dilation));
        let last = match (padding, more) {
            (Padding::Valid, None) => span.max(stride),
            (Padding::Valid, Some(more)) => span.checked_add(more)?,
            (Padding::Same, None) => stride,
            (Padding::Same, Some(more)) => (span % 2).checked_add(more)?,
            (Padding::Causal, _) => return None,
        };
        let input = reach.checked_add(last).filter(|&input| input > 0)?;
        Axis::new(input, size, stride, dilation, padding).filter(|axis| axis.output() == output)
    }

    /// Inputs from the window's first place to its last.
    pub fn span(&self) -> usize {
        span(self.size, self.dilation)
    }

    /// Inputs with the padding.
    pub fn padded(&self) -> usize {
        self.before + self.input + self.after
    }

    /// Outputs.
    pub fn output(&self) -> usize {
        divide_down(self.padded() - self.span(), self.stride) + 1
    }

    /// The places of output `output`'s window that meet inputs. A dilated window may meet none.
    #[inline(always)]
    pub fn covered(&self, output: usize) -> Range<usize> {
        let start = output * self.stride;
        let first = divide_up(self.before.saturating_sub(start), self.dilation);
        let end = divide_up((self.before + self.input).saturating_sub(start), self.dilation).min(self.size);
        first..end.max(first)
    }

    /// The input that place `place` of output `output`'s window meets; the place is one that is [`covered`](Self::covered).
    #[inline(always)]
    pub fn meets(&self, output: usize, place: usize) -> usize {
        output * self.stride + place * self.dilation - self.before
    }

    /// The places of an output's window that meet inputs, and these.
    #[inline(always)]
    pub fn inputs(&self, output: usize) -> Taps {
        let places = self.covered(output);
        let at = if places.is_empty() { 0 } else { self.meets(output, places.start) };
        Taps { count: places.len(), place: places.start, place_step: 1, at, step: self.dilation as isize }
    }

    /// The places of windows that an input meets, and the outputs that these windows belong to.
    #[inline(always)]
    pub fn outputs(&self, input: usize) -> Taps {
        let Axis { size, stride, dilation, .. } = *self;
        let at = input + self.before; // = output * stride + place * dilation
        let (place_step, back) = match stride {
            1 => (1, dilation),
            _ => (stride / common(stride, dilation), dilation / common(stride, dilation)),
        };
        // The last output there is bounds the first place, the first output the last one.
        let least = divide_up(at.saturating_sub((self.output() - 1) * stride), dilation);
        let most = (divide_down(at, dilation) + 1).min(size);
        let fits = |place: &usize| stride == 1 || (at - place * dilation).is_multiple_of(stride);
        let Some(place) = (least..most).take(place_step).find(fits) else {
            return Taps { count: 0, place: least, place_step, at: 0, step: 0 };
        };
        let count = (most - place).div_ceil(place_step);
        Taps { count, place, place_step, at: divide_down(at - place * dilation, stride), step: -(back as isize) }
    }

    /// [`inputs`](Self::inputs) of an output, and how many outputs from it on have them at the same places.
    #[inline(always)]
    pub fn inputs_alike(&self, output: usize) -> (Taps, usize) {
        let taps = self.inputs(output);
        (taps, (output..self.output()).take_while(|&next| self.inputs(next).alike(&taps)).count())
    }

    /// [`outputs`](Self::outputs) of an input, and how many inputs from it on, each a stride further, have them at the same
    /// places.
    #[inline(always)]
    pub fn outputs_alike(&self, input: usize) -> (Taps, usize) {
        let taps = self.outputs(input);
        let inputs = (input..self.input).step_by(self.stride);
        (taps, inputs.take_while(|&next| self.outputs(next).alike(&taps)).count())
    }

    /// The outputs at whose windows place `place` meets an input.
    #[inline(always)]
    pub fn outputs_at(&self, place: usize) -> Range<usize> {
        let start = place * self.dilation;
        let first = self.before.saturating_sub(start).div_ceil(self.stride);
        let end = (self.before + self.input).saturating_sub(start).div_ceil(self.stride).min(self.output());
        first..end.max(first)
    }
}

/// A window over rows and columns of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Down the rows.
    pub rows: Axis,
    /// Along a row.
    pub columns: Axis,
}

impl Window {
    /// Places of the window.
    pub fn places(&self) -> usize {
        self.rows.size * self.columns.size
    }

    /// Pixels of the image.
    pub fn inputs(&self) -> usize {
        self.rows.input * self.columns.input
    }

    /// Pixels of the output.
    pub fn outputs(&self) -> usize {
        self.rows.output() * self.columns.output()
    }

    /// Whether no two outputs' windows meet the same pixel.
    pub fn apart(&self) -> bool {
        [self.rows, self.columns].iter().all(|axis| axis.stride >= axis.span())
    }

    /// Whether every pixel is met by a window.
    pub fn covers(&self) -> bool {
        let covers = |axis: &Axis| {
            let reached = (axis.output() - 1) * axis.stride + axis.span();
            axis.dilation == 1 && axis.stride <= axis.size && reached >= axis.before + axis.input
        };
        covers(&self.rows) && covers(&self.columns)
    }
}

/// Inputs from the first to the last of `size` places that are `dilation` apart.
pub fn span(size: usize, dilation: usize) -> usize {
    (size - 1).saturating_mul(dilation).saturating_add(1)
}

/// `a / b`, rounded down; without a division where it is all the same.
#[inline(always)]
pub fn divide_down(a: usize, b: usize) -> usize {
    if b == 1 { a } else { a / b }
}

/// `a / b`, rounded up; without a division where it is all the same.
#[inline(always)]
fn divide_up(a: usize, b: usize) -> usize {
    if a == 0 || b == 1 { a } else { a.div_ceil(b) }
}

/// The greatest common divisor.
#[inline(always)]
fn common(mut a: usize, mut b: usize) -> usize {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// All small windows, for tests.
#[cfg(test)]
pub(crate) fn small_axes() -> impl Iterator<Item = Axis> {
    let numbers = |n: usize| 1..=n;
    let sizes = numbers(8).flat_map(move |input| numbers(4).map(move |size| (input, size)));
    let steps = move || numbers(4).flat_map(move |stride| numbers(3).map(move |dilation| (stride, dilation)));
    let all = sizes.flat_map(move |size| steps().map(move |step| (size, step)));
    all.flat_map(|((input, size), (stride, dilation))| {
        let paddings = [Padding::Valid, Padding::Same, Padding::Causal].into_iter();
        paddings.filter_map(move |padding| Axis::new(input, size, stride, dilation, padding))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(input: usize, size: usize, stride: usize, dilation: usize, padding: Padding) -> Option<[usize; 3]> {
        Axis::new(input, size, stride, dilation, padding).map(|axis| [axis.output(), axis.before, axis.after])
    }

    #[test]
    fn keras_lengths_and_padding() {
        use Padding::{Causal, Same, Valid};
        assert_eq!(axis(28, 3, 1, 1, Valid), Some([26, 0, 0]));
        assert_eq!(axis(5, 2, 2, 1, Valid), Some([2, 0, 0]), "what is left over is not seen");
        assert_eq!(axis(5, 3, 1, 2, Valid), Some([1, 0, 0]));
        assert_eq!(axis(4, 3, 1, 2, Valid), None, "a span of five");
        assert_eq!(axis(2, 3, 7, 1, Valid), None);
        assert_eq!(axis(9, 3, 1, usize::MAX, Valid), None, "a span that no number can tell");
        assert_eq!(axis(28, 3, 1, 1, Same), Some([28, 1, 1]));
        assert_eq!(axis(28, 2, 1, 1, Same), Some([28, 0, 1]), "the odd one goes behind");
        assert_eq!(axis(28, 3, 2, 1, Same), Some([14, 0, 1]));
        assert_eq!(axis(27, 3, 2, 1, Same), Some([14, 1, 1]));
        assert_eq!(axis(5, 2, 3, 1, Same), Some([2, 0, 0]), "windows apart take no padding");
        assert_eq!(axis(6, 3, 2, 2, Same), Some([3, 1, 2]));
        assert_eq!(axis(1, 5, 1, 1, Same), Some([1, 2, 2]), "a window may be longer than the input");
        assert_eq!(axis(7, 3, 2, 2, Causal), Some([4, 4, 0]));
    }

    #[test]
    fn a_transposed_window_gives_back_its_outputs() {
        for padding in [Padding::Valid, Padding::Same] {
            for (output, size) in (1..9).flat_map(|n| (1..5).map(move |k| (n, k))) {
                for (stride, dilation) in (1..5).flat_map(|s| (1..4).map(move |d| (s, d))) {
                    let axis = Axis::transposed(output, size, stride, dilation, padding, None).unwrap();
                    assert_eq!(axis.output(), output, "{axis:?}");
                }
            }
        }
        let input = |output: usize, size: usize, padding: Padding, more: Option<usize>| {
            Axis::transposed(output, size, 2, 1, padding, more).map(|axis| axis.input)
        };
        use Padding::{Same, Valid};
        assert_eq!(
            [input(4, 3, Valid, None), input(4, 1, Valid, None), input(4, 3, Same, None)],
            [Some(9), Some(8), Some(8)]
        );
        assert_eq!(
            [input(4, 3, Valid, Some(1)), input(4, 3, Same, Some(0)), input(4, 3, Same, Some(1))],
            [Some(10), Some(7), Some(8)]
        );
        assert_eq!(input(4, 2, Same, Some(0)), None, "six inputs have three outputs");
        assert_eq!([input(1, 2, Same, Some(0)), input(usize::MAX, 3, Same, None)], [None, None]);
    }

    #[test]
    fn every_way_to_name_the_meetings_names_the_same() {
        for axis in small_axes() {
            let mut pairs = Vec::new(); // output, place, input
            for (output, place) in (0..axis.output()).flat_map(|o| (0..axis.size).map(move |k| (o, k))) {
                let at = (output * axis.stride + place * axis.dilation).wrapping_sub(axis.before);
                if at < axis.input {
                    pairs.push((output, place, at));
                    assert_eq!(axis.meets(output, place), at);
                }
            }
            let by_output = (0..axis.output()).flat_map(|o| met(axis.inputs(o)).map(move |(place, at)| (o, place, at)));
            assert!(by_output.eq(pairs.iter().copied()), "{axis:?}");
            let covered = (0..axis.output()).flat_map(|o| axis.covered(o).map(move |k| (o, k)));
            assert!(covered.eq(pairs.iter().map(|&(o, k, _)| (o, k))), "{axis:?}");

            pairs.sort_by_key(|&(_, place, at)| (at, place));
            let by_input = (0..axis.input).flat_map(|i| met(axis.outputs(i)).map(move |(place, at)| (at, place, i)));
            assert!(by_input.eq(pairs.iter().copied()), "{axis:?}");

            pairs.sort_by_key(|&(output, place, _)| (place, output));
            let by_place = (0..axis.size).flat_map(|k| axis.outputs_at(k).map(move |o| (o, k)));
            assert!(by_place.eq(pairs.iter().map(|&(o, k, _)| (o, k))), "{axis:?}");

            // From one to the next that is alike, what they meet moves as it should.
            for output in 0..axis.output() {
                let (taps, alike) = axis.inputs_alike(output);
                for n in 0..alike {
                    let moved = Taps { at: if taps.count > 0 { taps.at + n * axis.stride } else { 0 }, ..taps };
                    assert_eq!(axis.inputs(output + n), moved, "{axis:?}");
                }
                let next = output + alike;
                assert!(next == axis.output() || !axis.inputs(next).alike(&taps));
            }
            for input in 0..axis.input {
                let (taps, alike) = axis.outputs_alike(input);
                for n in 0..alike {
                    let moved = Taps { at: if taps.count > 0 { taps.at + n } else { 0 }, ..taps };
                    assert_eq!(axis.outputs(input + n * axis.stride), moved, "{axis:?}");
                }
                let next = input + alike * axis.stride;
                assert!(next >= axis.input || !axis.outputs(next).alike(&taps));
            }

            let mut met: Vec<usize> = pairs.iter().map(|&(.., at)| at).collect();
            met.sort_unstable();
            let window = Window { rows: axis, columns: axis };
            assert!(!window.apart() || met.windows(2).all(|pair| pair[0] < pair[1]), "{axis:?}");
            met.dedup();
            assert!(!window.covers() || met.len() == axis.input, "{axis:?}");
        }
        let pool = Window { rows: Axis::new(26, 2, 2, 1, Padding::Valid).unwrap(), ..square(24) };
        assert!(pool.apart() && pool.covers() && !square(25).covers());
    }

    fn square(input: usize) -> Window {
        let axis = Axis::new(input, 2, 2, 1, Padding::Valid).unwrap();
        Window { rows: axis, columns: axis }
    }

    fn met(taps: Taps) -> impl Iterator<Item = (usize, usize)> {
        let Taps { count, place, place_step, at, step } = taps;
        (0..count).map(move |t| (place + t * place_step, at.wrapping_add_signed(t as isize * step)))
    }
}
