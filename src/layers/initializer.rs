//! Keras's initializers.
//!
//! Each parameter has a stream of random numbers of its own, from the model's seed and its number, so that none depends on
//! another's size; or one from the initializer's own `seed`, if it has one. The numbers are this library's, not Keras's.

use crate::error::Result;
use crate::json::{Named, Object};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use serde_json::{Value, json};

/// An initializer.
#[derive(Clone, Debug, PartialEq)]
pub struct Initializer {
    kind: Kind,
    /// Its own seed.
    seed: Option<u64>,
}

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    /// A constant; with Keras's name for it.
    Constant(f64),
    Uniform {
        low: f64,
        high: f64,
    },
    Normal {
        mean: f64,
        deviation: f64,
    },
    /// Truncated at two deviations from the mean.
    TruncatedNormal {
        mean: f64,
        deviation: f64,
    },
    /// Variance `scale / n` (Glorot and Bengio 2010, He et al. 2015), `n` by the mode.
    Scaling {
        scale: f64,
        mode: Mode,
        distribution: Distribution,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    In,
    Out,
    Average,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Distribution {
    Uniform,
    Normal,
    TruncatedNormal,
}

/// Keras's classes of variance scaling, and what each is short for.
const SCALINGS: [(&str, &str, f64, Mode, Distribution); 6] = [
    ("GlorotUniform", "glorot_uniform", 1.0, Mode::Average, Distribution::Uniform),
    ("GlorotNormal", "glorot_normal", 1.0, Mode::Average, Distribution::TruncatedNormal),
    ("HeUniform", "he_uniform", 2.0, Mode::In, Distribution::Uniform),
    ("HeNormal", "he_normal", 2.0, Mode::In, Distribution::TruncatedNormal),
    ("LecunUniform", "lecun_uniform", 1.0, Mode::In, Distribution::Uniform),
    ("LecunNormal", "lecun_normal", 1.0, Mode::In, Distribution::TruncatedNormal),
];

/// The others.
const OTHERS: [(&str, &str); 7] = [
    ("Zeros", "zeros"),
    ("Ones", "ones"),
    ("Constant", "constant"),
    ("RandomUniform", "random_uniform"),
    ("RandomNormal", "random_normal"),
    ("TruncatedNormal", "truncated_normal"),
    ("VarianceScaling", "variance_scaling"),
];

/// The deviation of a normal distribution that is truncated at two deviations.
const TRUNCATED: f64 = 0.879_625_661_034_239_8;

impl Initializer {
    /// All 0.
    pub const ZEROS: Initializer = Initializer { kind: Kind::Constant(0.0), seed: None };
    /// All 1.
    pub const ONES: Initializer = Initializer { kind: Kind::Constant(1.0), seed: None };
    /// Uniform in +-sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010, equation 16).
    pub const GLOROT_UNIFORM: Initializer = Initializer {
        kind: Kind::Scaling { scale: 1.0, mode: Mode::Average, distribution: Distribution::Uniform },
        seed: None,
    };

    /// The initializer under `key`; `default` where there is none.
    pub fn read(config: &Object<'_>, key: &str, default: Initializer) -> Result<Self> {
        config.named(key)?.map_or(Ok(default), |named| Initializer::of(&named))
    }

    fn of(named: &Named<'_>) -> Result<Self> {
        let config = &named.config;
        let number = |key: &str, default: f64| config.f64_or(key, default, "a finite number", |_| true);
        let positive = |key: &str, default: f64| config.f64_or(key, default, "a number, 0 or more", |x| x >= 0.0);
        let called = |names: (&str, &str)| named.class == names.0 || named.class == names.1;
        if let Some(&(.., scale, mode, distribution)) = SCALINGS.iter().find(|s| called((s.0, s.1))) {
            config.only(&["seed", "input_axes", "output_axes"])?;
            axes(config)?;
            return Ok(Initializer { kind: Kind::Scaling { scale, mode, distribution }, seed: seed(config)? });
        }
        let Some((class, _)) = OTHERS.into_iter().find(|&names| called(names)) else {
            let known: Vec<&str> = SCALINGS.iter().map(|s| s.1).chain(OTHERS.iter().map(|names| names.1)).collect();
            return Err(named.unknown("initializer", &known));
        };
        let kind = match class {
            "Zeros" | "Ones" => {
                config.only(&[])?;
                return Ok(if class == "Zeros" { Initializer::ZEROS } else { Initializer::ONES });
            }
            "Constant" => {
                config.only(&["value"])?;
                return Ok(Initializer { kind: Kind::Constant(number("value", 0.0)?), seed: None });
            }
            "RandomUniform" => {
                config.only(&["minval", "maxval", "seed"])?;
                Kind::Uniform { low: number("minval", -0.05)?, high: number("maxval", 0.05)? }
            }
            "RandomNormal" | "TruncatedNormal" => {
                config.only(&["mean", "stddev", "seed"])?;
                let (mean, deviation) = (number("mean", 0.0)?, positive("stddev", 0.05)?);
                match class {
                    "RandomNormal" => Kind::Normal { mean, deviation },
                    _ => Kind::TruncatedNormal { mean, deviation },
                }
            }
            _ => scaling(config)?,
        };
        Ok(Initializer { kind, seed: seed(config)? })
    }

    /// Keras's form of it.
    pub fn config(&self) -> Value {
        let seed = self.seed;
        let (class, config) = match self.kind {
            Kind::Constant(0.0) => ("Zeros", json!({})),
            Kind::Constant(1.0) => ("Ones", json!({})),
            Kind::Constant(value) => ("Constant", json!({ "value": value })),
            Kind::Uniform { low, high } => ("RandomUniform", json!({ "minval": low, "maxval": high, "seed": seed })),
            Kind::Normal { mean, deviation } => {
                ("RandomNormal", json!({ "mean": mean, "stddev": deviation, "seed": seed }))
            }
            Kind::TruncatedNormal { mean, deviation } => {
                ("TruncatedNormal", json!({ "mean": mean, "stddev": deviation, "seed": seed }))
            }
            Kind::Scaling { scale, mode, distribution } => {
                match SCALINGS.iter().find(|s| (s.2, s.3, s.4) == (scale, mode, distribution)) {
                    Some(s) => (s.0, json!({ "seed": seed })),
                    None => {
                        let (mode, distribution) = (mode.name(), distribution.name());
                        let config =
                            json!({ "scale": scale, "mode": mode, "distribution": distribution, "seed": seed });
                        ("VarianceScaling", config)
                    }
                }
            }
        };
        json!({ "class_name": class, "config": config })
    }

    /// Fills a parameter of a shape, the model's number `stream`.
    pub fn fill(&self, values: &mut [f32], shape: &[usize], seed: u64, stream: u64) {
        let (fan_in, fan_out) = fans(shape);
        let mut random = match self.seed {
            Some(own) => ChaCha8Rng::seed_from_u64(own),
            None => ChaCha8Rng::seed_from_u64(seed),
        };
        random.set_stream(if self.seed.is_some() { 0 } else { stream });
        match self.kind {
            Kind::Constant(value) => values.fill(value as f32),
            Kind::Uniform { low, high } => uniform(values, low, high, &mut random),
            Kind::Normal { mean, deviation } => normal(values, mean, deviation, f64::INFINITY, &mut random),
            Kind::TruncatedNormal { mean, deviation } => normal(values, mean, deviation, 2.0, &mut random),
            Kind::Scaling { scale, mode, distribution } => {
                let n = match mode {
                    Mode::In => fan_in,
                    Mode::Out => fan_out,
                    Mode::Average => (fan_in + fan_out) / 2.0,
                };
                let variance = scale / n.max(1.0);
                match distribution {
                    Distribution::Uniform => {
                        let limit = (3.0 * variance).sqrt() as f32;
                        values.iter_mut().for_each(|value| *value = (2.0 * unit(&mut random) - 1.0) * limit);
                    }
                    Distribution::Normal => normal(values, 0.0, variance.sqrt(), f64::INFINITY, &mut random),
                    Distribution::TruncatedNormal => {
                        normal(values, 0.0, variance.sqrt() / TRUNCATED, 2.0, &mut random);
                    }
                }
            }
        }
    }
}

fn scaling(config: &Object<'_>) -> Result<Kind> {
    config.only(&["scale", "mode", "distribution", "seed", "input_axes", "output_axes"])?;
    axes(config)?;
    let scale = config.f64_or("scale", 1.0, "a number above 0", |scale| scale > 0.0)?;
    let mode = config.or("mode", Mode::In, "fan_in, fan_out or fan_avg", |value| {
        [Mode::In, Mode::Out, Mode::Average].into_iter().find(|mode| value == mode.name())
    })?;
    let default = Distribution::TruncatedNormal;
    let distribution =
        config.or("distribution", default, "truncated_normal, untruncated_normal, normal or uniform", |value| {
            let all = [Distribution::Uniform, Distribution::Normal, Distribution::TruncatedNormal];
            let normal = (value == "normal").then_some(Distribution::TruncatedNormal);
            normal.or_else(|| all.into_iter().find(|distribution| value == distribution.name()))
        })?;
    Ok(Kind::Scaling { scale, mode, distribution })
}

impl Mode {
    fn name(self) -> &'static str {
        match self {
            Mode::In => "fan_in",
            Mode::Out => "fan_out",
            Mode::Average => "fan_avg",
        }
    }
}

impl Distribution {
    fn name(self) -> &'static str {
        match self {
            Distribution::Uniform => "uniform",
            Distribution::Normal => "untruncated_normal",
            Distribution::TruncatedNormal => "truncated_normal",
        }
    }
}

/// The axes of inputs and outputs: the last two.
fn axes(config: &Object<'_>) -> Result<()> {
    ["input_axes", "output_axes"].iter().try_for_each(|key| config.idle(key, |_| false, "null"))
}

/// Keras writes null, a number, or a generator with a seed.
fn seed(config: &Object<'_>) -> Result<Option<u64>> {
    config.or("seed", None, "a whole number, or null", |value| match value {
        Value::Null => Some(None),
        Value::Object(_) => Some(value["config"]["seed"].as_u64()),
        value => value.as_u64().map(Some),
    })
}

/// fan_in and fan_out; for a convolution they include the kernel's area.
fn fans(shape: &[usize]) -> (f64, f64) {
    match *shape {
        [] => (1.0, 1.0),
        [n] => (n as f64, n as f64),
        [ref area @ .., fan_in, fan_out] => {
            let area: f64 = area.iter().map(|&n| n as f64).product();
            (area * fan_in as f64, area * fan_out as f64)
        }
    }
}

/// A number in [0, 1), of 24 bits: all of a float's.
fn unit(random: &mut ChaCha8Rng) -> f32 {
    (random.next_u32() >> 8) as f32 / (1u32 << 24) as f32
}

fn uniform(values: &mut [f32], low: f64, high: f64, random: &mut ChaCha8Rng) {
    values.iter_mut().for_each(|value| *value = (low + (high - low) * f64::from(unit(random))) as f32);
}

/// Box and Muller 1958, on `libm`'s functions; values beyond `limit` deviations are drawn again.
fn normal(values: &mut [f32], mean: f64, deviation: f64, limit: f64, random: &mut ChaCha8Rng) {
    for value in values {
        let drawn = loop {
            let drawn = super::random::normal(random.next_u32(), random.next_u32());
            if drawn.abs() <= limit {
                break drawn;
            }
        };
        *value = (mean + deviation * drawn) as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(config: Value, shape: &[usize]) -> Vec<f32> {
        let value = json!({ "kernel_initializer": config });
        let initializer =
            Initializer::read(&Object::root(&value).unwrap(), "kernel_initializer", Initializer::ZEROS).unwrap();
        let again = json!({ "x": initializer.config() });
        assert_eq!(Initializer::read(&Object::root(&again).unwrap(), "x", Initializer::ONES).unwrap(), initializer);
        let mut values = vec![f32::NAN; shape.iter().product()];
        initializer.fill(&mut values, shape, 3, 5);
        values
    }

    #[test]
    fn moments_are_what_keras_says() {
        let shape = [3, 3, 20, 30]; // fans 180 and 270
        for (config, mean, deviation, most) in [
            (json!("zeros"), 0.0, 0.0, 0.0),
            (json!("ones"), 1.0, 0.0, 1.0),
            (json!({"class_name": "Constant", "config": {"value": 0.25}}), 0.25, 0.0, 0.25),
            (
                json!({"class_name": "RandomUniform", "config": {"minval": 1.0, "maxval": 3.0}}),
                2.0,
                2.0 / 12f64.sqrt(),
                3.0,
            ),
            (json!({"class_name": "RandomNormal", "config": {"mean": 1.0, "stddev": 2.0}}), 1.0, 2.0, 10.0),
            (json!("truncated_normal"), 0.0, 0.05 * TRUNCATED, 0.1),
            (json!("glorot_uniform"), 0.0, (1.0 / 225f64).sqrt(), (3.0 / 225f64).sqrt()),
            (json!("glorot_normal"), 0.0, (1.0 / 225f64).sqrt(), 2.0 / TRUNCATED / 15.0),
            (json!({"class_name": "HeNormal", "config": {"seed": 7}}), 0.0, (2.0 / 180f64).sqrt(), 0.24),
            (json!("lecun_uniform"), 0.0, (1.0 / 180f64).sqrt(), (3.0 / 180f64).sqrt()),
            (
                json!({"class_name": "VarianceScaling", "config": {"scale": 2.0, "mode": "fan_out", "distribution": "uniform"}}),
                0.0,
                (2.0 / 270f64).sqrt(),
                (6.0 / 270f64).sqrt(),
            ),
        ] {
            let values = filled(config.clone(), &shape);
            let n = values.len() as f64;
            let got = values.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
            let variance = values.iter().map(|&x| (f64::from(x) - got).powi(2)).sum::<f64>() / n;
            let largest = values.iter().fold(0f64, |m, &x| m.max(f64::from(x).abs()));
            assert!((got - mean).abs() < 0.05 * deviation.max(1e-9), "{config}: mean {got}");
            assert!((variance.sqrt() - deviation).abs() <= 0.03 * deviation, "{config}: {}", variance.sqrt());
            assert!(largest <= most * 1.000001, "{config}: {largest}");
        }
    }

    #[test]
    fn wrong_ones_are_named() {
        let error = |value: Value| {
            let value = json!({ "kernel_initializer": value });
            let object = Object::root(&value).unwrap();
            Initializer::read(&object, "kernel_initializer", Initializer::ZEROS).unwrap_err().to_string()
        };
        let unknown = error(json!("glorot_unifrom"));
        assert!(
            unknown.starts_with("key kernel_initializer: unknown initializer: expected glorot_uniform"),
            "{unknown}"
        );
        let key = error(json!({"class_name": "Constant", "config": {"valeu": 1}}));
        assert!(key.starts_with("key kernel_initializer.config.valeu: unknown key: expected value"), "{key}");
        assert!(error(json!(7)).contains("expected a name"));
    }
}
