//! Keras's regularizers L1, L2 and L1L2.

use crate::error::Result;
use crate::json::{Named, Object};
use serde_json::{Value, json};

/// `l1 * sum(|w|) + l2 * sum(w * w)`, which is added to the loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Regularizer {
    l1: f32,
    l2: f32,
}

impl Regularizer {
    /// No regularizer.
    pub const NONE: Regularizer = Regularizer { l1: 0.0, l2: 0.0 };

    /// The regularizer under `key`.
    pub fn read(config: &Object<'_>, key: &str) -> Result<Self> {
        config.named(key)?.map_or(Ok(Regularizer::NONE), |named| Regularizer::of(&named))
    }

    fn of(named: &Named<'_>) -> Result<Self> {
        let number = |key: &str| named.config.f64_or(key, 0.01, "a number, 0 or more", |x| x >= 0.0).map(|x| x as f32);
        let only = |keys: &[&str]| named.config.only(keys);
        match named.class {
            "L1" | "l1" => only(&["l1"]).and_then(|()| Ok(Regularizer { l1: number("l1")?, l2: 0.0 })),
            "L2" | "l2" => only(&["l2"]).and_then(|()| Ok(Regularizer { l1: 0.0, l2: number("l2")? })),
            "L1L2" | "l1_l2" => {
                only(&["l1", "l2"])?;
                let zero = |key: &str| named.config.f64_or(key, 0.0, "a number, 0 or more", |x| x >= 0.0);
                Ok(Regularizer { l1: zero("l1")? as f32, l2: zero("l2")? as f32 })
            }
            _ => Err(named.unknown("regularizer", &["L1", "L2", "L1L2"])),
        }
    }

    /// Keras's form of it.
    pub fn config(self) -> Value {
        let shortest = |x: f32| x.to_string().parse::<f64>().unwrap_or_default(); // 0.01, not 0.009999999776
        match (self.l1, self.l2) {
            (0.0, 0.0) => Value::Null,
            (l1, 0.0) => json!({ "class_name": "L1", "config": { "l1": shortest(l1) } }),
            (0.0, l2) => json!({ "class_name": "L2", "config": { "l2": shortest(l2) } }),
            (l1, l2) => json!({ "class_name": "L1L2", "config": { "l1": shortest(l1), "l2": shortest(l2) } }),
        }
    }

    /// Whether it adds anything.
    pub fn is_some(self) -> bool {
        self != Regularizer::NONE
    }

    /// The regularization loss of a parameter.
    pub fn penalty(self, w: &[f32]) -> f64 {
        let (mut absolute, mut square) = (0.0, 0.0);
        for &w in w {
            absolute += f64::from(w.abs());
            square += f64::from(w) * f64::from(w);
        }
        f64::from(self.l1) * absolute + f64::from(self.l2) * square
    }

    /// Adds its gradient to the parameter's gradient.
    pub fn add_gradient(self, w: &[f32], gradient: &mut [f32]) {
        for (g, &w) in gradient.iter_mut().zip(w) {
            let sign = if w > 0.0 { 1.0 } else { -f32::from(w < 0.0) };
            *g += self.l1 * sign + 2.0 * self.l2 * w;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn penalties_and_slopes() {
        let read = |value: Value| Regularizer::read(&Object::root(&json!({ "r": value })).unwrap(), "r");
        let both = read(json!({"class_name": "L1L2", "config": {"l1": 0.5, "l2": 0.25}})).unwrap();
        assert_eq!(both.penalty(&[2.0, -4.0]), 0.5 * 6.0 + 0.25 * 20.0);
        let mut gradient = [1.0, 1.0, 1.0];
        both.add_gradient(&[2.0, -4.0, 0.0], &mut gradient);
        assert_eq!(gradient, [2.5, -1.5, 1.0]);
        for value in [json!("L1"), json!("l2"), both.config(), Value::Null] {
            let regularizer = read(value).unwrap();
            assert_eq!(read(regularizer.config()).unwrap(), regularizer);
        }
        assert_eq!(read(json!("L2")).unwrap().config()["config"]["l2"], 0.01);
        assert!(read(json!("L3")).unwrap_err().to_string().contains("expected L1"));
    }
}
