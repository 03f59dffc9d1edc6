//! What is random: a function of seed, layer, step and sample, with the distribution it should have.

use super::*;

/// What layers in training make of an input of ones: a layer, its number, a step of the network, and how many samples.
fn of_ones(class: &str, config: &str, dims: &[usize], number: u64, step: Step, batch: usize) -> Vec<f32> {
    let case = Case::new(batch, class, config, &[dims]);
    let shapes: Vec<&Shape> = case.inputs.iter().collect();
    let context = BuildContext {
        inputs: &shapes,
        output: &case.output,
        isa: Isa::PORTABLE,
        threads: 1,
        batch,
        training: true,
        trainable: true,
        gradients: &[true],
        relu: false,
        number,
    };
    let (x, mut y) = (vec![1.0; batch * case.output.len()], vec![0.0; batch * case.output.len()]);
    case.layer.build(&context).unwrap().forward(&step, &[], &[&x], &mut y).unwrap();
    y
}

#[test]
fn what_is_random_follows_from_seed_layer_step_and_sample() {
    let dims = [4, 4, 64];
    for (class, setting) in [("Dropout", "rate"), ("SpatialDropout2D", "rate"), ("GaussianNoise", "stddev")] {
        let config = format!("{{{setting}: 0.5}}");
        let of = |number, seed, step, batch| of_ones(class, &config, &dims, number, Step::new(seed, step), batch);
        let first = of(1, 2, 3, 2);
        assert_eq!(of(1, 2, 3, 2), first);
        assert_eq!(of(1, 2, 3, 5)[..first.len()], first, "a sample's numbers are those of its place, in any batch");
        let (a, b) = first.split_at(first.len() / 2);
        assert_ne!(a, b, "another sample");
        for other in [of(0, 2, 3, 2), of(1, 0, 3, 2), of(1, 2, 0, 2)] {
            assert_ne!(other, first, "another layer, seed or step");
        }
        let seeded = format!("{{{setting}: 0.5, seed: 2}}");
        assert_eq!(of_ones(class, &seeded, &dims, 1, Step::new(9, 3), 2), first, "a seed of its own");
    }
}

#[test]
fn what_is_random_has_its_rate_mean_and_deviation() {
    let step = Step::new(1, 2);
    for rate in [0.1, 0.5, 0.75] {
        let y = of_ones("Dropout", &format!("{{rate: {rate}}}"), &[100, 100], 0, step, 20);
        let dropped = y.iter().filter(|&&y| y == 0.0).count() as f64 / y.len() as f64;
        assert!((dropped - rate).abs() < 0.005, "{dropped} of {rate}"); // five deviations
        assert!(y.iter().all(|&y| y == 0.0 || f64::from(y) * (1.0 - rate) - 1.0 < 1e-6));
        let y = of_ones("SpatialDropout2D", &format!("{{rate: {rate}}}"), &[2, 1, 10_000], 0, step, 20);
        let (top, bottom): (Vec<f32>, Vec<f32>) = y
            .chunks_exact(20_000)
            .flat_map(|image| image[..10_000].iter().copied().zip(image[10_000..].iter().copied()))
            .unzip();
        assert_eq!(top, bottom, "channels as a whole");
        let dropped = top.iter().filter(|&&y| y == 0.0).count() as f64 / top.len() as f64;
        assert!((dropped - rate).abs() < 0.005, "{dropped} of {rate}");
    }
    let y = of_ones("GaussianNoise", "{stddev: 0.3}", &[100, 100], 0, step, 20);
    let mean = y.iter().map(|&y| f64::from(y)).sum::<f64>() / y.len() as f64;
    let deviation = (y.iter().map(|&y| (f64::from(y) - mean).powi(2)).sum::<f64>() / y.len() as f64).sqrt();
    assert!((mean - 1.0).abs() < 0.004 && (deviation - 0.3).abs() < 0.003, "{mean} {deviation}");
}

#[test]
fn nothing_is_random_in_inference() {
    for (class, config) in
        [("Dropout", "{rate: 0.4}"), ("SpatialDropout2D", "{rate: 0.4}"), ("GaussianNoise", "{stddev: 1}")]
    {
        let case = Case::new(1, class, config, &[&[2, 2, 3]]);
        assert!(case.layer.is_view(false) && !case.layer.is_view(true));
    }
    assert!(Case::new(1, "Dropout", "{rate: 0}", &[&[3]]).layer.is_view(true));
}
