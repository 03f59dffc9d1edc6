//! Transformations of samples. They are recorded and applied when samples are read, so that bytes stay bytes and clones
//! share them.

use super::Dataset;
use super::batches::{Batch, order};
use crate::error::{At, Error, ErrorKind, Result};
use crate::memory;
use std::sync::Arc;

/// The transformations of each sample.
#[derive(Clone, Debug)]
pub(super) struct Transforms {
    /// The steps applied to its values, in order.
    steps: Vec<Step>,
    /// For each value its index in the stored sample; `None`: the same index.
    places: Option<Arc<Vec<u32>>>,
    /// The value of each byte after the first `tabled` steps, which are the same for all values of a sample.
    table: Box<[f32; 256]>,
    tabled: usize,
}

#[derive(Clone, Debug)]
enum Step {
    Divide(f32),
    /// Mean and deviation for all values, per channel, or per value of a sample.
    Standardize(Arc<Vec<[f32; 2]>>),
}

impl Step {
    fn apply(&self, numbers: &mut [f32]) {
        match self {
            Step::Divide(divisor) => numbers.iter_mut().for_each(|x| *x /= divisor),
            Step::Standardize(statistics) => {
                for numbers in numbers.chunks_mut(statistics.len()) {
                    let both = numbers.iter_mut().zip(&**statistics);
                    both.for_each(|(x, &[mean, deviation])| *x = (*x - mean) / deviation);
                }
            }
        }
    }

    /// Whether it is the same for all values of a sample.
    fn is_uniform(&self) -> bool {
        match self {
            Step::Divide(_) => true,
            Step::Standardize(statistics) => statistics.len() == 1,
        }
    }
}

impl Default for Transforms {
    fn default() -> Self {
        let table = Box::new(std::array::from_fn(|value| value as f32));
        Transforms { steps: Vec::new(), places: None, table, tabled: 0 }
    }
}

impl Transforms {
    pub fn are_none(&self) -> bool {
        self.steps.is_empty()
    }

    fn push(&mut self, step: Step) {
        if step.is_uniform() && self.tabled == self.steps.len() {
            step.apply(&mut self.table[..]);
            self.table.iter_mut().for_each(|value| *value = normal(*value));
            self.tabled += 1;
        }
        self.steps.push(step);
    }

    /// Whether every byte becomes a finite value.
    pub fn keep_bytes_finite(&self) -> bool {
        self.tabled == self.steps.len() && self.table.iter().all(|value| value.is_finite())
    }

    /// Writes a transformed sample of bytes.
    pub fn bytes(&self, from: &[u8], to: &mut [f32]) {
        match &self.places {
            None => to.iter_mut().zip(from).for_each(|(to, &byte)| *to = self.table[usize::from(byte)]),
            Some(places) => {
                let bytes = places.iter().map(|&place| from[place as usize]);
                to.iter_mut().zip(bytes).for_each(|(to, byte)| *to = self.table[usize::from(byte)]);
            }
        }
        if self.tabled < self.steps.len() {
            self.rest(self.tabled, to);
        }
    }

    /// The same for floats.
    pub fn floats(&self, from: &[f32], to: &mut [f32]) {
        match &self.places {
            None => to.copy_from_slice(from),
            Some(places) => to.iter_mut().zip(&**places).for_each(|(to, &place)| *to = from[place as usize]),
        }
        self.rest(0, to);
    }

    /// The same for floats in place; `scratch` has room for a sample if values are permuted.
    pub fn apply(&self, sample: &mut [f32], scratch: &mut [f32]) {
        if let Some(places) = &self.places {
            scratch.copy_from_slice(sample);
            sample.iter_mut().zip(&**places).for_each(|(to, &place)| *to = scratch[place as usize]);
        }
        self.rest(0, sample);
    }

    /// Whether values are permuted.
    pub fn move_numbers(&self) -> bool {
        self.places.is_some()
    }

    fn rest(&self, from: usize, sample: &mut [f32]) {
        self.steps[from..].iter().for_each(|step| step.apply(sample));
        sample.iter_mut().for_each(|x| *x = normal(*x));
    }

    /// Adds a permutation: each value comes from the given index of the sample before.
    fn rearrange(&mut self, from: Vec<u32>) -> Result<()> {
        for step in &mut self.steps {
            if let Step::Standardize(statistics) = step
                && statistics.len() > 1
            {
                let moved = from.iter().map(|&place| statistics[place as usize % statistics.len()]);
                *statistics = Arc::new(memory::collect(moved)?);
            }
        }
        let places = match &self.places {
            Some(places) => memory::collect(from.iter().map(|&place| places[place as usize]))?,
            None => from,
        };
        let same = places.iter().enumerate().all(|(i, &place)| i == place as usize);
        self.places = (!same).then(|| Arc::new(places));
        Ok(())
    }
}

/// `x`, with denormals flushed to zero.
fn normal(x: f32) -> f32 {
    if x.is_subnormal() { 0.0 } else { x }
}

/// The first value that is NaN or infinite, and its index.
pub(super) fn first_bad(mut numbers: impl Iterator<Item = f32>) -> Option<(usize, f32)> {
    let mut found = 0.0;
    let at = numbers.position(|number| {
        found = number;
        !number.is_finite()
    })?;
    Some((at, found))
}

/// Keras's epsilon, the least that a standard deviation counts for.
const EPSILON: f32 = 1e-7;

impl Dataset {
    /// Divides every pixel by `divisor`, which is finite and not 0, in single precision.
    pub fn normalize(&mut self, divisor: f32) -> Result<()> {
        check_divisor(divisor)?;
        self.transforms.push(Step::Divide(divisor));
        Ok(())
    }

    /// Keras's Normalization: from every pixel subtracts the mean, and divides it by the standard deviation, which
    /// counts as at least 1e-7. There is one pair for all pixels, one per channel, or one per pixel of a sample.
    pub fn standardize(&mut self, mean: &[f32], deviation: &[f32]) -> Result<()> {
        self.check_statistics(mean.len())?;
        if mean.len() != deviation.len() {
            let error = Error::new(ErrorKind::Shape, "as many deviations as means are needed").expected(mean.len());
            return Err(error.found(deviation.len()).at("argument `deviation`"));
        }
        let bad = |values: &[f32], wrong: fn(f32) -> bool, name: &str, expected: &str| {
            values.iter().position(|&value| wrong(value)).map_or(Ok(()), |at| {
                let error = Error::new(ErrorKind::InvalidArgument, "out of range").expected(expected);
                Err(error.found(values[at]).at(format_args!("number {at}")).at(format_args!("argument `{name}`")))
            })
        };
        bad(mean, |value| !value.is_finite(), "mean", "a finite number")?;
        bad(deviation, |value| !(value.is_finite() && value >= 0.0), "deviation", "a finite number, 0 or more")?;
        let both = mean.iter().zip(deviation).map(|(&mean, &deviation)| [mean, deviation.max(EPSILON)]);
        self.transforms.push(Step::Standardize(Arc::new(memory::collect(both)?)));
        Ok(())
    }

    /// The mean and the standard deviation (of the population) of the pixels with their current scaling: of all, per
    /// channel, or per pixel of a sample, depending on the length of `mean` and `deviation`: 1, the channels, or a
    /// sample's pixels. Sums are in double precision and in the samples' order.
    pub fn statistics(&self, mean: &mut [f32], deviation: &mut [f32]) -> Result<()> {
        let len = mean.len();
        self.check_statistics(len)?;
        if deviation.len() != len {
            return Err(Error::internal("different numbers of means and deviations"));
        }
        self.check_finite()?;
        let count = (self.len() * (self.image_len() / len)) as f64;
        let (mut means, mut squares) = (memory::filled(len, 0f64)?, memory::filled(len, 0f64)?);
        self.each_row(len, |row| means.iter_mut().zip(row).for_each(|(sum, &x)| *sum += f64::from(x)))?;
        means.iter_mut().for_each(|sum| *sum /= count);
        self.each_row(len, |row| {
            for ((sum, mean), &x) in squares.iter_mut().zip(&means).zip(row) {
                let far = f64::from(x) - mean;
                *sum += far * far;
            }
        })?;
        for i in 0..len {
            (mean[i], deviation[i]) = (means[i] as f32, (squares[i] / count).sqrt() as f32);
        }
        Ok(())
    }

    /// Visits all samples in order, in rows of `len` values.
    fn each_row(&self, len: usize, mut task: impl FnMut(&[f32])) -> Result<()> {
        const BATCH: usize = 32;
        let mut batch = Batch::new(self, BATCH.min(self.len()))?.checked(None);
        for indices in order(self.len(), None)?.chunks(BATCH) {
            batch.fill(self, indices)?;
            batch.x().chunks_exact(len).for_each(&mut task);
        }
        Ok(())
    }

    /// An error for an invalid number of means.
    pub(crate) fn check_statistics(&self, len: usize) -> Result<()> {
        let [_, _, channels] = self.image_shape();
        let mut lens = vec![1, channels, self.image_len()];
        lens.dedup();
        if lens.contains(&len) {
            return Ok(());
        }
        let lens: Vec<String> = lens.iter().map(usize::to_string).collect();
        Err(Error::new(ErrorKind::Shape, "neither one number for all pixels nor one for each channel or pixel")
            .expected(lens.join(" or "))
            .found(len)
            .at("argument `len`"))
    }

    /// `[N, H, W]` to `[N, H, W, 1]`.
    pub fn expand_dims(&mut self) -> Result<()> {
        let what = match self.sample.len() {
            2 => {
                self.sample.push(1);
                return Ok(());
            }
            1 => "the images have no height and width",
            _ => "the images have channels already",
        };
        Err(self.wrong_shape(what, "[N, H, W]"))
    }

    /// Gives each sample another shape with the same number of values, `[W]`, `[H, W]` or `[H, W, C]`; their order
    /// stays.
    pub fn reshape(&mut self, sample: &[usize]) -> Result<()> {
        check_sample_rank(sample.len())?;
        let len = sample.iter().try_fold(1usize, |len, &dim| len.checked_mul(dim));
        if len != Some(self.image_len()) {
            return Err(Error::new(ErrorKind::Shape, "another number of pixels than an image has")
                .expected(format_args!("sizes whose product is {}", self.image_len()))
                .found(format_args!("{sample:?}"))
                .at("argument `dims`"));
        }
        self.sample = sample.to_vec();
        Ok(())
    }

    /// Swaps height and width, `[N, H, W]` or `[N, H, W, C]` to `[N, W, H]` or `[N, W, H, C]`: EMNIST's images are
    /// stored transposed.
    pub fn transpose(&mut self) -> Result<()> {
        match self.sample[..] {
            [_, _] => self.permute([1, 0, 2]),
            [_, _, _] => self.permute([1, 0, 2]),
            _ => Err(self.wrong_shape("the images have no height and width", "[N, H, W] or [N, H, W, C]")),
        }
    }

    /// `[N, C, H, W]`, as PyTorch has it, to `[N, H, W, C]`.
    pub fn channels_last(&mut self) -> Result<()> {
        match self.sample[..] {
            [_, _, _] => self.permute([1, 2, 0]),
            _ => Err(self.wrong_shape("the images have no channels", "[N, C, H, W]")),
        }
    }

    /// Permutes the axes of a sample.
    fn permute(&mut self, axes: [usize; 3]) -> Result<()> {
        let old = self.image_shape();
        let len = self.image_len();
        u32::try_from(len).map_err(|_| {
            let error = Error::new(ErrorKind::Unsupported, "too many pixels in an image");
            error.expected(format_args!("at most {}", u32::MAX)).found(len)
        })?;
        let strides = [old[1] * old[2], old[2], 1];
        let (new, steps) = (axes.map(|axis| old[axis]), axes.map(|axis| strides[axis]));
        let mut places = memory::reserve(len).at("the permutation of a sample's pixels")?;
        for i in 0..new[0] {
            for j in 0..new[1] {
                places.extend((0..new[2]).map(|k| (i * steps[0] + j * steps[1] + k * steps[2]) as u32));
            }
        }
        self.transforms.rearrange(places)?;
        let rank = self.sample.len();
        self.sample = new[..rank].to_vec();
        Ok(())
    }

    fn wrong_shape(&self, what: &'static str, expected: &str) -> Error {
        let found = format!("{:?}", self.shape());
        Error::new(ErrorKind::Shape, what).expected(expected).found(found).at("argument `dataset`")
    }
}

/// An error for an invalid number of dimensions.
pub(crate) fn check_sample_rank(rank: usize) -> Result<()> {
    match (1..=3).contains(&rank) {
        true => Ok(()),
        false => Err(Error::new(ErrorKind::Shape, "images of a wrong rank")
            .expected("1, 2 or 3")
            .found(rank)
            .at("argument `rank`")),
    }
}

/// An error for an invalid divisor.
pub(crate) fn check_divisor(divisor: f32) -> Result<()> {
    match divisor.is_finite() && divisor != 0.0 {
        true => Ok(()),
        false => Err(Error::new(ErrorKind::InvalidArgument, "not a valid divisor")
            .expected("a finite number other than 0")
            .found(divisor)
            .at("argument `divisor`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(data: &Dataset, i: usize) -> Vec<f32> {
        let mut out = vec![f32::NAN; data.image_len()];
        data.image(i, &mut out).unwrap();
        out
    }

    /// The same samples as bytes and as floats.
    fn both(dims: &[usize]) -> [Dataset; 2] {
        let len = dims.iter().product::<usize>();
        let labels = || vec![0; dims[0]];
        let bytes = (0..len).map(|i| (i % 251) as u8);
        [
            Dataset::from_u8(bytes.clone().collect(), dims, labels()).unwrap(),
            Dataset::from_f32(bytes.map(f32::from).collect(), dims, labels()).unwrap(),
        ]
    }

    #[test]
    fn height_and_width_change_places() {
        for mut data in both(&[2, 2, 3]) {
            data.transpose().unwrap();
            assert_eq!((data.shape(), image(&data, 0)), (vec![2, 3, 2], vec![0.0, 3.0, 1.0, 4.0, 2.0, 5.0]));
            data.transpose().unwrap();
            assert_eq!((data.shape(), image(&data, 1)), (vec![2, 2, 3], vec![6.0, 7.0, 8.0, 9.0, 10.0, 11.0]));
            assert!(!data.transforms.move_numbers(), "they are where they were");
        }
        for mut data in both(&[1, 2, 3, 2]) {
            data.transpose().unwrap();
            assert_eq!(data.shape(), [1, 3, 2, 2]);
            assert_eq!(image(&data, 0), [0.0, 1.0, 6.0, 7.0, 2.0, 3.0, 8.0, 9.0, 4.0, 5.0, 10.0, 11.0]);
        }
        assert_eq!(both(&[2, 6])[0].clone().transpose().unwrap_err().kind(), ErrorKind::Shape);
    }

    #[test]
    fn channels_come_last() {
        for mut data in both(&[1, 2, 2, 3]) {
            data.channels_last().unwrap();
            assert_eq!(data.shape(), [1, 2, 3, 2]);
            assert_eq!(image(&data, 0), [0.0, 6.0, 1.0, 7.0, 2.0, 8.0, 3.0, 9.0, 4.0, 10.0, 5.0, 11.0]);
        }
        assert_eq!(both(&[2, 2, 3])[1].clone().channels_last().unwrap_err().kind(), ErrorKind::Shape);
    }

    #[test]
    fn standardized_data_have_mean_0_and_deviation_1() {
        for mut data in both(&[5, 3, 2, 2]) {
            data.normalize(4.0).unwrap();
            for len in [1, 2, 12] {
                let (mut mean, mut deviation) = (vec![0.0; len], vec![0.0; len]);
                data.statistics(&mut mean, &mut deviation).unwrap();
                let before = image(&data, 3)[5];
                let mut after = data.clone();
                after.standardize(&mean, &deviation).unwrap();
                assert_eq!(image(&after, 3)[5], (before - mean[5 % len]) / deviation[5 % len], "{len}");
                after.statistics(&mut mean, &mut deviation).unwrap();
                assert!(mean.iter().all(|mean| mean.abs() < 1e-6), "{mean:?}");
                assert!(deviation.iter().all(|deviation| (deviation - 1.0).abs() < 1e-6), "{deviation:?}");
            }
        }
    }

    #[test]
    fn what_was_standardized_moves_with_its_pixels() {
        let [bytes, floats] = both(&[3, 2, 2, 3]).map(|mut data| {
            let mean: Vec<f32> = (0..12).map(|i| i as f32).collect();
            data.standardize(&mean, &[2.0; 12]).unwrap();
            data.standardize(&[1.0, 2.0, 3.0], &[0.0, 1.0, 1.0]).unwrap();
            data.normalize(3.0).unwrap();
            let before = image(&data, 2);
            data.channels_last().unwrap();
            let after = image(&data, 2);
            for (i, x) in after.iter().enumerate() {
                assert_eq!(*x, before[i % 2 * 6 + i / 2], "{i}");
            }
            after
        });
        assert_eq!(bytes, floats);
    }

    #[test]
    fn statistics_that_do_not_fit_are_refused() {
        let [mut data, _] = both(&[3, 2, 2]);
        for (mean, deviation, kind) in [
            (&[0.0; 2][..], &[1.0; 2][..], ErrorKind::Shape),
            (&[0.0; 4], &[1.0; 1], ErrorKind::Shape),
            (&[], &[], ErrorKind::Shape),
            (&[f32::NAN], &[1.0], ErrorKind::InvalidArgument),
            (&[0.0], &[-1.0], ErrorKind::InvalidArgument),
            (&[0.0], &[f32::INFINITY], ErrorKind::InvalidArgument),
        ] {
            assert_eq!(data.standardize(mean, deviation).unwrap_err().kind(), kind);
        }
        let (mut mean, mut deviation) = ([7.0], [7.0]);
        let nan = Dataset::from_f32(vec![1.0, f32::NAN], &[1, 2], vec![0]).unwrap();
        assert_eq!(nan.statistics(&mut mean, &mut deviation).unwrap_err().kind(), ErrorKind::InvalidArgument);
        assert_eq!((mean, deviation), ([7.0], [7.0]));
    }
}
