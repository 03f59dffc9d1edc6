//! Every loss: its slope against finite differences, its targets, and the round trip of its config.

use super::*;
use crate::json;
use crate::kernels::numbers;

const WIDTH: usize = 4;

type Range = (f32, f32);

/// Settings of each loss, and the ranges of its outputs and targets.
const CASES: &[(&str, Range, Range)] = &[
    ("'SparseCategoricalCrossentropy'", (0.05, 0.9), (0.0, 1.0)),
    ("{class_name: 'SparseCategoricalCrossentropy', config: {from_logits: true}}", (-3.0, 3.0), (0.0, 1.0)),
    ("'CategoricalCrossentropy'", (0.05, 0.9), (0.0, 1.0)),
    (
        "{class_name: 'CategoricalCrossentropy', config: {from_logits: true, label_smoothing: 0.2}}",
        (-3.0, 3.0),
        (0.0, 1.0),
    ),
    ("'BinaryCrossentropy'", (0.05, 0.9), (0.0, 1.0)),
    ("{class_name: 'BinaryCrossentropy', config: {from_logits: true, label_smoothing: 0.2}}", (-3.0, 3.0), (0.0, 1.0)),
    ("'BinaryFocalCrossentropy'", (0.05, 0.9), (0.0, 1.0)),
    (
        "{class_name: 'BinaryFocalCrossentropy', config: {from_logits: true, apply_class_balancing: true, gamma: 1.5}}",
        (-3.0, 3.0),
        (0.0, 1.0),
    ),
    ("'CategoricalFocalCrossentropy'", (0.05, 0.9), (0.0, 1.0)),
    ("{class_name: 'CategoricalFocalCrossentropy', config: {from_logits: true, alpha: 0.5}}", (-3.0, 3.0), (0.0, 1.0)),
    ("'mse'", (-2.0, 2.0), (-2.0, 2.0)),
    ("'mae'", (-2.0, 2.0), (-2.0, 2.0)),
    ("'mape'", (-2.0, 2.0), (0.5, 2.0)),
    ("'msle'", (0.1, 2.0), (0.1, 2.0)),
    ("'log_cosh'", (-2.0, 2.0), (-2.0, 2.0)),
    ("'poisson'", (0.1, 2.0), (0.1, 2.0)),
    ("'kl_divergence'", (0.05, 0.9), (0.05, 0.9)),
    ("'hinge'", (-2.0, 2.0), (-1.0, 1.0)),
    ("'squared_hinge'", (-2.0, 2.0), (-1.0, 1.0)),
    ("{class_name: 'Huber', config: {delta: 0.7}}", (-2.0, 2.0), (-2.0, 2.0)),
    ("'categorical_hinge'", (-2.0, 2.0), (0.0, 1.0)),
    ("'cosine_similarity'", (-2.0, 2.0), (-2.0, 2.0)),
];

fn loss(text: &str) -> Arc<dyn Loss> {
    read(&Named::read(&json::parse(text).unwrap(), String::new()).unwrap()).unwrap()
}

/// Numbers between two others.
fn between(seed: u64, (low, high): Range) -> Vec<f32> {
    numbers(seed, WIDTH).into_iter().map(|x| low + (high - low) * (x.abs() % 1.0)).collect()
}

#[test]
fn slopes_are_those_of_finite_differences() {
    for &(text, rows, expected) in CASES {
        let loss = loss(text);
        let absorbs = [false, true].into_iter().filter(|&absorbed| !absorbed || loss.absorbs(Activation::Softmax));
        for (absorbed, seed) in absorbs.flat_map(|absorbed| (0..20).map(move |seed| (absorbed, seed))) {
            let (y, mut values) = (between(seed, rows), between(seed + 100, expected));
            loss.prepare(&mut values, WIDTH);
            let truth = match loss.wants() {
                TargetKind::Labels => RowTarget::Label(seed as usize % WIDTH),
                TargetKind::Values => RowTarget::Values(&values),
            };
            let mut slope = y.clone();
            loss.slope(truth, &mut slope, absorbed);
            for i in 0..WIDTH {
                const STEP: f32 = 1.0 / 256.0;
                let at = |step: f32| {
                    let mut y = y.clone();
                    y[i] += step;
                    loss.value(truth, &y, absorbed)
                };
                let (before, after) = ((at(0.0) - at(-STEP)) / f64::from(STEP), (at(STEP) - at(0.0)) / f64::from(STEP));
                let (found, middle) = (f64::from(slope[i]), (before + after) / 2.0);
                let allowed = 2e-3 * middle.abs().max(1.0) + (after - before).abs(); // corners, and the curve
                assert!((found - middle).abs() < allowed, "{text} {seed} {i}: {found}, {middle}");
            }
        }
    }
}

#[test]
fn every_loss_comes_back_from_its_config() {
    for entry in entries() {
        assert!(CASES.iter().any(|(text, ..)| loss(text).class() == entry.class), "{} has no case", entry.class);
    }
    for (text, ..) in CASES {
        let first = loss(text);
        let again = read(&Named::read(&config(&*first), String::new()).unwrap()).unwrap();
        assert_eq!((first.class(), first.config()), (again.class(), again.config()));
    }
}

#[test]
fn what_is_wrong_is_named() {
    let error =
        |text: &str| read(&Named::read(&json::parse(text).unwrap(), String::new()).unwrap()).err().unwrap().to_string();
    assert!(error("'mean_squared_eror'").contains("mean"), "{}", error("'mean_squared_eror'"));
    let delta = error("{class_name: 'Huber', config: {delta: 0}}");
    assert_eq!(delta, "key config.delta: wrong value: expected a number above 0, found 0");
    let reduction = error("{class_name: 'MeanSquaredError', config: {reduction: 'none'}}");
    assert!(reduction.starts_with("key config.reduction: not supported: expected sum_over_batch_size"), "{reduction}");
    assert!(error("{class_name: 'Huber', config: {alpha: 1}}").starts_with("key config.alpha: unknown key"));
}

#[test]
fn what_is_impossible_is_no_trouble() {
    for &(text, ..) in CASES {
        let loss = loss(text);
        for y in [[0.0, 1.0, 0.0, 0.0], [0.0; WIDTH], [-80.0, 80.0, 1e4, 0.0]] {
            for t in [[0.0, 1.0, 0.0, 0.0], [0.0; WIDTH]] {
                let truth =
                    if loss.wants() == TargetKind::Labels { RowTarget::Label(1) } else { RowTarget::Values(&t) };
                let mut slope = y;
                loss.slope(truth, &mut slope, false);
                let odd =
                    ["Poisson", "CategoricalCrossentropy", "CategoricalFocalCrossentropy", "BinaryFocalCrossentropy"];
                let sound = loss.value(truth, &y, false).is_finite() && slope.iter().all(|g| g.is_finite());
                assert!(sound || odd.contains(&loss.class()), "{text} {y:?} {t:?}: {slope:?}");
            }
        }
    }
}

#[test]
fn every_loss_is_tried_on_other_machines() {
    for entry in entries() {
        assert!(crate::golden::holds(entry.class), "{}", entry.class);
    }
}
