//! Samples with their targets and weights.

use super::batches;
use super::element::Elements;
use super::idx;
use super::npz::Npz;
use super::source::Source;
use super::targets::{Shared, Targets};
use super::transform::{Transforms, first_bad};
use crate::error::{At, Error, ErrorKind, Result, printable};
use crate::files::FilePath;
use crate::memory;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// The type of a dataset's pixels as callers see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dtype {
    /// Bytes, 0 to 255.
    U8,
    /// Single precision.
    F32,
}

/// Samples `[N, H, W]`, `[N, H, W, C]` or `[N, W]`; with or without a label or target for each, with or without
/// weights.
///
/// A clone or a slice shares the pixels. They are stored unchanged: transformations are recorded and applied when
/// images are read, so that bytes stay bytes.
#[derive(Clone, Debug)]
pub struct Dataset {
    pixels: Pixels,
    /// For each sample its number among the shared ones, after shuffling.
    order: Option<Arc<Vec<u32>>>,
    /// The range of this dataset's samples in that order, or among the shared ones.
    range: Range<usize>,
    /// The shape of an image: `[W]`, `[H, W]` or `[H, W, C]`.
    pub(super) sample: Vec<usize>,
    pub(super) transforms: Transforms,
    pub(super) targets: Targets,
    pub(super) weights: Option<Shared<f32>>,
    pub(super) class_names: Arc<Vec<String>>,
}

#[derive(Clone, Debug)]
enum Pixels {
    U8(Arc<Vec<u8>>),
    F32(Arc<Vec<f32>>),
    Source(Arc<dyn Source>),
}

impl Dataset {
    /// A dataset of bytes. `dims` are `[N, H, W]`, `[N, H, W, C]` or `[N, W]`, each above 0; there are N labels.
    pub fn from_u8(pixels: Vec<u8>, dims: &[usize], labels: Vec<u32>) -> Result<Self> {
        Dataset::from_elements(Elements::U8(pixels), dims)?.with_labels(labels)
    }

    /// A dataset of floats; otherwise as [`from_u8`](Self::from_u8).
    pub fn from_f32(pixels: Vec<f32>, dims: &[usize], labels: Vec<u32>) -> Result<Self> {
        Dataset::from_elements(Elements::F32(pixels), dims)?.with_labels(labels)
    }

    /// Samples without labels or targets, to predict or to add targets to.
    pub fn from_elements(pixels: Elements, dims: &[usize]) -> Result<Self> {
        match pixels {
            Elements::U8(pixels) => Dataset::new(pixels.len(), Pixels::U8(Arc::new(pixels)), dims),
            Elements::F32(pixels) => Dataset::new(pixels.len(), Pixels::F32(Arc::new(pixels)), dims),
        }
    }

    /// The samples of a source, with shape `dims`.
    pub(super) fn of_source(source: Arc<dyn Source>, dims: &[usize]) -> Result<Self> {
        let len = dims.iter().try_fold(1usize, |len, &dim| len.checked_mul(dim)).unwrap_or(0);
        Dataset::new(len, Pixels::Source(source), dims)
    }

    /// The arrays `images` and `labels` of an npz archive. Memory, whatever the file: the dataset, as much again while
    /// it is read, and for the directory 64 bytes for each of the file's and 32 MiB; implausible claims are rejected.
    pub fn from_npz(path: &Path, images: &str, labels: &str) -> Result<Self> {
        let npz = Npz::open(path)?;
        Dataset::from_archive(&npz, images, labels).at(npz.path())
    }

    pub(super) fn from_archive(npz: &Npz, images: &str, labels: &str) -> Result<Self> {
        let (pixels, labels) = (npz.pixels(images)?, npz.labels(labels)?);
        Dataset::labelled(pixels, labels).at(format_args!("member {}", printable(images)))
    }

    /// The array `images` of one npz archive and `labels` of another, as Kuzushiji-49 has them. Memory as
    /// [`from_npz`](Self::from_npz).
    pub fn from_npz_pair(images_path: &Path, images: &str, labels_path: &Path, labels: &str) -> Result<Self> {
        let (images_path, labels_path) = (FilePath::of(images_path)?, FilePath::of(labels_path)?);
        let pixels = Npz::at(images_path.clone())?.pixels(images).at(&images_path)?;
        let labels = Npz::at(labels_path.clone())?.labels(labels).at(&labels_path)?;
        Dataset::labelled(pixels, labels).at(both(&images_path, &labels_path))
    }

    /// Two IDX files, plain or gzipped: images of rank 3 or 4, or 2, labels of rank 1. Memory, whatever the files: the
    /// dataset, as much again while it is read, and 2 MiB; implausible claims are rejected.
    pub fn from_idx(images: &Path, labels: &Path) -> Result<Self> {
        let (images, labels) = (FilePath::of(images)?, FilePath::of(labels)?);
        Dataset::labelled(idx::images(&images)?, idx::labels(&labels)?).at(both(&images, &labels))
    }

    fn labelled((pixels, dims): (Elements, Vec<usize>), labels: Vec<u32>) -> Result<Self> {
        Dataset::from_elements(pixels, &dims)?.with_labels(labels)
    }

    fn new(len: usize, pixels: Pixels, dims: &[usize]) -> Result<Self> {
        let (count, sample) = match *dims {
            [n, ref sample @ ..] if (1..=3).contains(&sample.len()) => (n, sample.to_vec()),
            _ => {
                return Err(Error::new(ErrorKind::Shape, "images of a wrong rank")
                    .expected("[N, H, W], [N, H, W, C] or [N, W]")
                    .found(if dims.len() > 8 { format!("rank {}", dims.len()) } else { format!("{dims:?}") }));
            }
        };
        let product = dims.iter().try_fold(1usize, |product, &dim| product.checked_mul(dim));
        if dims.contains(&0) || product != Some(len) {
            return Err(Error::new(ErrorKind::Shape, "sizes that are 0 or do not match the pixels")
                .expected(format_args!("sizes above 0 whose product is {len}"))
                .found(format_args!("{dims:?}")));
        }
        if u32::try_from(count).is_err() {
            let error = Error::new(ErrorKind::Unsupported, "too many images");
            return Err(error.expected(format_args!("at most {}", u32::MAX)).found(count));
        }
        let (transforms, targets) = (Transforms::default(), Targets::None);
        let (order, weights, class_names) = (None, None, Arc::default());
        Ok(Dataset { pixels, order, range: 0..count, sample, transforms, targets, weights, class_names })
    }

    /// How many images there are; never 0.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.range.len()
    }

    /// The current shape, `[N, H, W]`, `[N, H, W, C]` or `[N, W]`.
    pub fn shape(&self) -> Vec<usize> {
        [self.len()].into_iter().chain(self.sample.iter().copied()).collect()
    }

    /// The current shape of a sample: `[W]`, `[H, W]` or `[H, W, C]`.
    pub fn sample_shape(&self) -> &[usize] {
        &self.sample
    }

    /// `[H, W, C]` of an image. A sample of rank 2 has one channel; one of rank 1 is one pixel with that many channels,
    /// as for a dense layer.
    pub fn image_shape(&self) -> [usize; 3] {
        match self.sample[..] {
            [height, width, channels] => [height, width, channels],
            [height, width] => [height, width, 1],
            _ => [1, 1, self.sample.iter().product()],
        }
    }

    pub(super) fn image_len(&self) -> usize {
        self.image_shape().iter().product()
    }

    /// `F32` for floats and for normalized bytes.
    pub fn dtype(&self) -> Dtype {
        match self.pixels {
            Pixels::U8(_) if self.transforms.are_none() => Dtype::U8,
            _ => Dtype::F32,
        }
    }

    /// The images `start..start + len` as a dataset of their own, sharing the pixels.
    pub fn slice(&self, start: usize, len: usize) -> Result<Self> {
        match start.checked_add(len).filter(|&end| len > 0 && end <= self.len()) {
            Some(end) => Ok(Dataset {
                range: self.range.start + start..self.range.start + end,
                targets: self.targets.slice(start..end),
                weights: self.weights.as_ref().map(|weights| weights.part(start..end)),
                ..self.clone()
            }),
            None => Err(Error::new(ErrorKind::InvalidArgument, "no such images")
                .expected(format_args!("1 or more, among {}", self.len()))
                .found(format_args!("{len} from {start} on"))
                .at("arguments `start` and `len`")),
        }
    }

    /// The same samples in another order, an epoch's with this seed ([`order`](super::order)), with their targets and
    /// weights; they share the pixels.
    pub fn shuffle(&self, seed: u64) -> Result<Self> {
        let order = batches::order(self.len(), Some((seed, 0)))?;
        let numbers = memory::collect(order.iter().map(|&i| self.number(i as usize) as u32))?;
        Ok(Dataset {
            targets: self.targets.pick(&order)?,
            weights: self.weights.as_ref().map(|weights| weights.pick(&order, 1)).transpose()?,
            order: Some(Arc::new(numbers)),
            range: 0..self.len(),
            ..self.clone()
        })
    }

    /// The number of sample `i` among the shared ones.
    pub(super) fn number(&self, i: usize) -> usize {
        let at = self.range.start + i;
        self.order.as_ref().map_or(at, |order| order[at] as usize)
    }

    /// The source of its samples, if they are not in memory.
    pub(crate) fn source(&self) -> Option<&dyn Source> {
        match &self.pixels {
            Pixels::Source(source) => Some(&**source),
            Pixels::U8(_) | Pixels::F32(_) => None,
        }
    }

    /// Whether samples come from a source and their values must be permuted.
    pub(super) fn moves_fetched(&self) -> bool {
        self.source().is_some() && self.transforms.move_numbers()
    }

    /// Writes image `i`, which is below [`len`](Self::len), to `out`, `[H, W, C]`, scaled by `normalize`. Denormals are
    /// flushed to zero (pixels below 2^-126): some processors are a hundred times slower with them.
    pub fn image(&self, i: usize, out: &mut [f32]) -> Result<()> {
        let len = self.image_len();
        let from = self.number(i) * len;
        match &self.pixels {
            Pixels::U8(pixels) => self.transforms.bytes(&pixels[from..from + len], out),
            Pixels::F32(pixels) => self.transforms.floats(&pixels[from..from + len], out),
            Pixels::Source(_) => {
                let mut batch = batches::Batch::new(self, 1)?;
                batch.fill(self, &[i as u32])?;
                out.copy_from_slice(batch.x());
            }
        }
        Ok(())
    }

    /// An error that names the first pixel that is NaN or infinite, or becomes so by `normalize`; or such a target. A
    /// source's output is checked when it is fetched.
    pub fn check_finite(&self) -> Result<()> {
        if self.source().is_some() || matches!(&self.pixels, Pixels::U8(_) if self.transforms.keep_bytes_finite()) {
            return self.check_targets();
        }
        let mut image = memory::filled(self.image_len(), 0f32)?;
        for i in 0..self.len() {
            self.image(i, &mut image)?;
            if let Some((at, found)) = first_bad(image.iter().copied()) {
                return Err(self.bad_pixel(at, found).at(format_args!("image {i}")));
            }
        }
        self.check_targets()
    }

    /// An error for such a pixel.
    pub(super) fn bad_pixel(&self, pixel: usize, found: f32) -> Error {
        let [_, width, channels] = self.image_shape();
        let place = [pixel / channels / width, pixel / channels % width, pixel % channels];
        Error::new(ErrorKind::InvalidArgument, "a pixel is NaN or infinite")
            .expected("a finite one")
            .found(found)
            .at(format_args!("pixel {place:?}"))
    }
}

/// The location of an error that concerns two files.
fn both(images: &FilePath, labels: &FilePath) -> String {
    format!("{images} and {labels}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes() -> Dataset {
        Dataset::from_u8((0..12).collect(), &[3, 2, 2], vec![7, 0, 7]).unwrap()
    }

    fn image(data: &Dataset, i: usize) -> Vec<f32> {
        let mut out = vec![f32::NAN; data.image_len()];
        data.image(i, &mut out).unwrap();
        out
    }

    #[test]
    fn pixels_that_become_infinite_are_told() {
        let place = |data: &Dataset| {
            data.check_finite().map_err(|error| error.to_string().split(": a pixel").next().unwrap().into())
        };
        let mut data = bytes();
        data.normalize(1e-37).unwrap(); // 11 becomes 1.1e38
        assert_eq!(place(&data), Ok(()));
        data.normalize(0.31).unwrap(); // and 3.5e38, past the largest float
        assert_eq!(place(&data), Err("image 2: pixel [1, 1, 0]".to_string()));
        assert_eq!(place(&data.slice(0, 2).unwrap()), Ok(()));
        let mut floats = Dataset::from_f32(vec![1.0, 2.0, 3.0, 4.0], &[2, 1, 2], vec![0, 1]).unwrap();
        floats.normalize(2e-38).unwrap();
        assert_eq!(place(&floats), Ok(()));
        floats.normalize(0.55).unwrap();
        assert_eq!(place(&floats), Err("image 1: pixel [0, 1, 0]".to_string()));
    }

    #[test]
    fn bytes_become_floats_when_normalized() {
        let mut data = bytes();
        assert_eq!((data.dtype(), data.shape(), image(&data, 1)), (Dtype::U8, vec![3, 2, 2], vec![4.0, 5.0, 6.0, 7.0]));
        data.normalize(255.0).unwrap();
        data.expand_dims().unwrap();
        assert_eq!((data.dtype(), data.shape()), (Dtype::F32, vec![3, 2, 2, 1]));
        assert_eq!(image(&data, 2), [8.0 / 255.0, 9.0 / 255.0, 10.0 / 255.0, 11.0 / 255.0]);
        assert_eq!(data.unique_labels().unwrap(), [0, 7]);
        assert_eq!(data.expand_dims().unwrap_err().kind(), ErrorKind::Shape);
        for bad in [0.0, f32::NAN, f32::INFINITY] {
            assert_eq!(data.normalize(bad).unwrap_err().kind(), ErrorKind::InvalidArgument);
        }
    }

    #[test]
    fn images_take_another_shape_of_as_many_pixels() {
        let mut data = Dataset::from_u8((0..12).collect(), &[2, 6], vec![3, 4]).unwrap();
        assert_eq!((data.shape(), data.image_shape()), (vec![2, 6], [1, 1, 6]));
        assert_eq!(data.expand_dims().unwrap_err().kind(), ErrorKind::Shape);
        let before = data.slice(1, 1).unwrap();
        for (sample, seen) in
            [(&[2, 3][..], [2, 3, 1]), (&[1, 3, 2], [1, 3, 2]), (&[6], [1, 1, 6]), (&[3, 2], [3, 2, 1])]
        {
            data.reshape(sample).unwrap();
            assert_eq!((&data.shape()[1..], data.image_shape()), (sample, seen));
            assert_eq!(image(&data, 1), [6.0, 7.0, 8.0, 9.0, 10.0, 11.0]);
        }
        for wrong in [&[][..], &[6, 1, 1, 1], &[7], &[0, 6], &[usize::MAX, 2], &[2, 2]] {
            assert_eq!(data.reshape(wrong).unwrap_err().kind(), ErrorKind::Shape, "{wrong:?}");
        }
        assert_eq!((data.shape(), before.shape()), (vec![2, 3, 2], vec![1, 6]));
    }

    #[test]
    fn a_shuffled_dataset_has_the_order_of_an_epoch() {
        let labels: Vec<u32> = (0..10).map(|i| 1000 + i).collect();
        let data = Dataset::from_u8((0..20).collect(), &[10, 2], labels).unwrap();
        let data = data.with_weights((0..10).map(|i| i as f32).collect()).unwrap();
        let shuffled = data.shuffle(0).unwrap();
        assert_eq!(shuffled.labels().unwrap(), [1001, 1004, 1000, 1002, 1007, 1008, 1003, 1005, 1009, 1006]);
        assert_eq!((image(&shuffled, 1), shuffled.weights().unwrap()[4]), (vec![8.0, 9.0], 7.0));
        let part = shuffled.slice(2, 3).unwrap().shuffle(5).unwrap();
        for i in 0..3 {
            let label = part.labels().unwrap()[i];
            assert!([1000, 1002, 1007].contains(&label));
            assert_eq!(image(&part, i)[0], (label - 1000) as f32 * 2.0);
        }
        let targets = data.with_targets((0..20).map(|i| i as f32).collect(), &[2]).unwrap().shuffle(0).unwrap();
        assert_eq!(targets.targets().unwrap().0[..4], [2.0, 3.0, 8.0, 9.0]);
        assert_ne!(shuffled.fingerprint().unwrap(), targets.fingerprint().unwrap());
    }

    #[test]
    fn slices_share_and_stay_themselves() {
        let mut data = bytes();
        let tail = data.slice(1, 2).unwrap();
        data.normalize(2.0).unwrap();
        assert_eq!((image(&tail, 0), image(&data, 1)), (vec![4.0, 5.0, 6.0, 7.0], vec![2.0, 2.5, 3.0, 3.5]));
        assert_eq!((tail.labels(), tail.slice(1, 1).unwrap().labels()), (Some(&[0, 7][..]), Some(&[7][..])));
        for (start, len) in [(0, 0), (0, 4), (3, 1), (usize::MAX, 2)] {
            assert_eq!(data.slice(start, len).unwrap_err().kind(), ErrorKind::InvalidArgument);
        }
    }

    #[test]
    fn floats_are_divided_in_turn_and_looked_at() {
        let mut data = Dataset::from_f32(vec![6.0, 12.0, f32::NAN, 1.0], &[2, 1, 1, 2], vec![0, 1]).unwrap();
        data.normalize(2.0).unwrap();
        data.normalize(3.0).unwrap();
        assert_eq!(image(&data, 0), [1.0, 2.0]);
        let error = data.check_finite().unwrap_err().to_string();
        assert!(error.contains("image 1: pixel [0, 0, 0]") && error.contains("found NaN"), "{error}");
        assert!(data.slice(0, 1).unwrap().check_finite().is_ok());
    }

    #[test]
    fn pixels_too_small_to_count_are_zero() {
        let mut data = Dataset::from_f32(vec![1e-40, -1e-40, 1e-30, f32::NAN], &[1, 2, 2], vec![0]).unwrap();
        assert_eq!(image(&data, 0)[..3], [0.0, 0.0, 1e-30]);
        assert!(image(&data, 0)[3].is_nan());
        data.normalize(1e9).unwrap();
        assert_eq!(image(&data, 0)[2], 0.0);
        let mut data = bytes();
        data.normalize(f32::MAX).unwrap();
        assert_eq!(image(&data, 1)[..2], [4.0 / f32::MAX, 5.0 / f32::MAX]);
        assert_eq!(image(&data, 0)[..2], [0.0, 0.0]);
    }

    #[test]
    fn sizes_and_labels_must_match() {
        let error = |dims: &[usize], labels: usize| Dataset::from_u8(vec![0; 12], dims, vec![0; labels]).unwrap_err();
        let lengths = error(&[3, 2, 2], 2).to_string();
        assert!(lengths.contains("different lengths: expected 3 labels for 3 images, found 2 labels"), "{lengths}");
        for dims in [&[12][..], &[3, 5], &[0, 2, 2], &[3, 2, 3], &[usize::MAX, 2, 2], &[1, 1, 1, 1, 12]] {
            assert_eq!(error(dims, 3).kind(), ErrorKind::Shape, "{dims:?}");
        }
    }
}
