//! A fingerprint that identifies a dataset without reading all of it.

use super::Dataset;
use crate::error::Result;
use crate::memory;
use sha2::{Digest, Sha256};

/// The number of images that are read.
const IMAGES: usize = 64;

/// The fingerprint of data without an identity.
pub const NAMELESS: &str = "0000000000000000";

impl Dataset {
    /// Whether it comes from a source without an identity, so that no fit can recognize its data.
    pub fn is_nameless(&self) -> bool {
        self.source().is_some_and(|source| source.identity().is_none())
    }

    /// 16 hexadecimal digits computed from the shape, all labels or targets and weights, and some images from the whole
    /// dataset with their scaling. Different data give different digits, unless they differ only in pixels of images
    /// that were not read. A source is not read: its identity counts instead, with the numbers and order of all
    /// samples; zeros without an identity.
    pub fn fingerprint(&self) -> Result<String> {
        let mut hash = Sha256::new();
        for dim in [self.len()].into_iter().chain(self.image_shape()) {
            hash.update((dim as u64).to_le_bytes());
        }
        match (self.labels(), self.targets()) {
            (Some(labels), _) => labels.iter().for_each(|label| hash.update(label.to_le_bytes())),
            (None, Some((values, shape))) => {
                hash.update(format!("targets {shape:?}"));
                values.iter().for_each(|value| hash.update(value.to_le_bytes()));
            }
            (None, None) => hash.update(format!("{:?}", self.target_kind())),
        }
        if let Some(weights) = self.weights() {
            hash.update("weights");
            weights.iter().for_each(|weight| hash.update(weight.to_le_bytes()));
        }
        match self.source() {
            Some(source) => {
                let Some(identity) = source.identity() else { return Ok(NAMELESS.to_string()) };
                hash.update("source");
                hash.update((identity.len() as u64).to_le_bytes());
                hash.update(identity);
                (0..self.len()).for_each(|i| hash.update((self.number(i) as u64).to_le_bytes()));
                self.transformed_ramp()?.iter().for_each(|x| hash.update(x.to_le_bytes()));
            }
            None => {
                let mut image = memory::filled(self.image_shape().iter().product(), 0f32)?;
                for i in (0..self.len()).step_by(self.len().div_ceil(IMAGES)) {
                    self.image(i, &mut image)?;
                    image.iter().for_each(|pixel| hash.update(pixel.to_le_bytes()));
                }
            }
        }
        Ok(hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect())
    }
}

impl Dataset {
    /// The transformed values 1, 2, 3 ... of a sample: they identify the transformations and the permutation.
    fn transformed_ramp(&self) -> Result<Vec<f32>> {
        let len = self.image_shape().iter().product();
        let ramp = memory::collect((0..len).map(|i| (i + 1) as f32))?;
        let mut out = memory::filled(len, 0f32)?;
        self.transforms.floats(&ramp, &mut out);
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_data_have_another_fingerprint() {
        let data = |pixel: u8, label: u32| Dataset::from_u8(vec![pixel; 12], &[3, 2, 2], vec![label, 1, 2]).unwrap();
        let print = |data: Dataset| data.fingerprint().unwrap();
        let first = print(data(9, 0));
        assert_eq!(first, "00293543a13bab8b", "as in checkpoints that were written before");
        assert!(first.len() == 16 && first == print(data(9, 0)));
        let mut scaled = data(9, 0);
        scaled.normalize(255.0).unwrap();
        let targets = |value: f32| data(9, 0).with_targets(vec![value, 1.0, 2.0], &[1]).unwrap();
        let weights = |value: f32| data(9, 0).with_weights(vec![value, 1.0, 2.0]).unwrap();
        assert_ne!(print(targets(0.0)), print(targets(0.5)));
        assert_ne!(print(weights(0.0)), print(weights(0.5)));
        assert_ne!(print(targets(0.0)), print(targets(0.0).with_weights(vec![1.0; 3]).unwrap()));
        let others = [
            print(targets(0.0)),
            print(weights(1.0)),
            print(data(8, 0)),
            print(data(9, 1)),
            print(data(9, 0).slice(0, 2).unwrap()),
            print(scaled),
        ];
        assert!(others.iter().all(|other| *other != first));
    }
}
