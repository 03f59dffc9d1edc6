//! The layers under test, with unusual shapes and settings.

use super::Case;

impl Case {
    pub fn all() -> Vec<Self> {
        let kinds = [
            Case::simple(),
            Case::convolutions(),
            Case::other_convolutions(),
            Case::pools(),
            Case::merges(),
            Case::normalizations(),
            Case::others(),
            Case::augmentations(),
        ];
        kinds.into_iter().flatten().collect()
    }

    fn simple() -> Vec<Self> {
        let conv = |batch, config: &str, input: [usize; 3]| Case::new(batch, "Conv2D", config, &[&input]).after_relu();
        let dense = |batch, config: &str, input: &[usize]| Case::new(batch, "Dense", config, &[input]).after_relu();
        vec![
            conv(1, "{filters: 1, kernel_size: 1}", [1, 1, 1]),
            conv(1, "{filters: 7, kernel_size: 1}", [1, 1, 3]),
            conv(2, "{filters: 7, kernel_size: 5}", [5, 9, 3]),
            conv(3, "{filters: 16, kernel_size: 3, use_bias: false}", [7, 6, 2]),
            conv(33, "{filters: 32, kernel_size: 2}", [4, 5, 1]),
            // With 16 channels each backward pass has two methods: both with the one, both with the other, then one
            // each.
            conv(5, "{filters: 48, kernel_size: 3}", [8, 20, 16]),
            conv(5, "{filters: 48, kernel_size: 3}", [8, 20, 16]).thinned(),
            conv(34, "{filters: 20, kernel_size: 5}", [6, 5, 32]).thinned(),
            dense(1, "{units: 1}", &[1]),
            dense(1, "{units: 10}", &[7]),
            dense(3, "{units: 5, use_bias: false}", &[800]),
            dense(32, "{units: 33}", &[49]),
            dense(40, "{units: 16}", &[1600]),
            dense(3, "{units: 4}", &[5, 6, 7]),
            Case::new(2, "ReLU", "{max_value: 0.6, negative_slope: 0.1, threshold: 0.2}", &[&[3, 4, 5]]),
        ]
    }

    /// `Conv2D` with strides, padding, dilation and groups.
    fn convolutions() -> Vec<Self> {
        let conv = |batch, config: &str, input: [usize; 3]| Case::new(batch, "Conv2D", config, &[&input]).after_relu();
        let mut all = vec![
            conv(1, "{filters: 5, kernel_size: 3, padding: 'same'}", [1, 1, 3]),
            conv(3, "{filters: 4, kernel_size: [2, 5], padding: 'SAME', strides: [2, 3]}", [5, 8, 3]),
            conv(2, "{filters: 3, kernel_size: [3, 1]}", [6, 4, 2]),
            conv(2, "{filters: 3, kernel_size: 5, padding: 'same', use_bias: false}", [2, 3, 2]),
            conv(2, "{filters: 3, kernel_size: 2, strides: 4}", [4, 5, 2]),
            conv(2, "{filters: 3, kernel_size: 2, strides: 18446744073709551615}", [4, 5, 2]),
            conv(2, "{filters: 3, kernel_size: 2, strides: 5, padding: 'same'}", [3, 4, 2]),
            conv(2, "{filters: 17, kernel_size: 3, dilation_rate: 2}", [7, 8, 3]),
            conv(3, "{filters: 4, kernel_size: [2, 3], dilation_rate: [1, 3], padding: 'same'}", [5, 9, 2]),
            conv(2, "{filters: 2, kernel_size: 3, dilation_rate: 9, padding: 'same'}", [3, 4, 2]),
            conv(2, "{filters: 2, kernel_size: [1, 3], dilation_rate: [18446744073709551615, 1]}", [3, 4, 2]),
            conv(2, "{filters: 6, kernel_size: 3, groups: 2}", [5, 6, 4]),
            conv(3, "{filters: 33, kernel_size: 3, groups: 3, padding: 'same', strides: 2}", [5, 6, 6]),
            conv(2, "{filters: 34, kernel_size: 2, groups: 17, dilation_rate: 2}", [4, 5, 17]),
            conv(2, "{filters: 32, kernel_size: 3, groups: 2, padding: 'same'}", [4, 4, 32]),
            // Of one pixel: as a dense layer for each.
            conv(33, "{filters: 17, kernel_size: 1}", [3, 2, 33]),
            conv(3, "{filters: 17, kernel_size: 1, strides: 2}", [5, 5, 16]),
            conv(3, "{filters: 33, kernel_size: 1, padding: 'same'}", [3, 5, 16]).thinned(),
            conv(2, "{filters: 8, kernel_size: 1, groups: 2}", [3, 5, 4]),
            // Winograd; skipping zeros; one after the other.
            conv(5, "{filters: 16, kernel_size: 3, padding: 'same'}", [6, 7, 16]),
            conv(2, "{filters: 20, kernel_size: 3, padding: 'same'}", [5, 4, 17]),
            conv(5, "{filters: 48, kernel_size: 3, padding: 'same'}", [8, 20, 16]).thinned(),
            conv(34, "{filters: 20, kernel_size: 5, padding: 'same'}", [6, 5, 32]).thinned(),
            conv(3, "{filters: 4, kernel_size: [2, 4], padding: 'same'}", [5, 4, 16]).thinned(),
            conv(34, "{filters: 3, kernel_size: 2, padding: 'same', strides: 2}", [3, 5, 1]),
        ];
        // Every remainder.
        for (size, kernel) in [(4, 2), (4, 3), (5, 2), (5, 3), (6, 2), (6, 3), (6, 4)] {
            for (stride, padding) in [(2, "valid"), (3, "valid"), (1, "same"), (2, "same"), (3, "same")] {
                let config = format!("{{filters: 3, kernel_size: {kernel}, strides: {stride}, padding: '{padding}'}}");
                all.push(conv(2, &config, [size, size + 1, 2]));
            }
        }
        all
    }

    /// The other layers of the kind.
    fn other_convolutions() -> Vec<Self> {
        let case = |class: &'static str| {
            move |batch, config: &str, input: &[usize]| Case::new(batch, class, config, &[input]).after_relu()
        };
        let (row, depthwise) = (case("Conv1D"), case("DepthwiseConv2D"));
        let (separable, transpose) = (case("SeparableConv2D"), case("Conv2DTranspose"));
        vec![
            row(1, "{filters: 1, kernel_size: 1}", &[1, 1]),
            row(33, "{filters: 5, kernel_size: [3]}", &[9, 3]),
            row(2, "{filters: 4, kernel_size: 4, strides: 2, padding: 'same', use_bias: false}", &[9, 3]),
            row(3, "{filters: 17, kernel_size: 3, padding: 'causal'}", &[8, 33]),
            row(2, "{filters: 3, kernel_size: 2, padding: 'causal', dilation_rate: 3}", &[8, 2]),
            row(2, "{filters: 3, kernel_size: 4, padding: 'causal', strides: 3}", &[8, 2]),
            row(2, "{filters: 3, kernel_size: 3, padding: 'causal'}", &[1, 2]),
            row(2, "{filters: 4, kernel_size: 3, groups: 2, dilation_rate: 2}", &[7, 4]),
            row(2, "{filters: 3, kernel_size: 2, strides: 5}", &[8, 2]),
            row(4, "{filters: 20, kernel_size: 3, padding: 'causal'}", &[20, 16]).thinned(),
            depthwise(1, "{kernel_size: 1}", &[1, 1, 1]),
            depthwise(1, "{kernel_size: 3, padding: 'same', depth_multiplier: 3}", &[1, 1, 3]),
            depthwise(33, "{kernel_size: 3}", &[4, 5, 3]),
            depthwise(2, "{kernel_size: 3, padding: 'same'}", &[5, 9, 33]),
            depthwise(2, "{kernel_size: [2, 3], padding: 'same', use_bias: false}", &[7, 6, 17]),
            depthwise(3, "{kernel_size: 3, strides: 2, padding: 'same', depth_multiplier: 2}", &[7, 6, 16]),
            depthwise(2, "{kernel_size: 2, strides: 3}", &[7, 8, 3]),
            depthwise(2, "{kernel_size: 2, strides: 9, padding: 'same'}", &[7, 8, 3]),
            depthwise(2, "{kernel_size: 3, dilation_rate: 2, padding: 'same'}", &[7, 4, 2]),
            depthwise(2, "{kernel_size: 3, dilation_rate: 2, strides: [2, 3], padding: 'same'}", &[7, 8, 2]),
            separable(1, "{filters: 1, kernel_size: 1}", &[1, 1, 1]),
            separable(33, "{filters: 4, kernel_size: 3}", &[4, 5, 3]),
            separable(2, "{filters: 17, kernel_size: 3, depth_multiplier: 2, padding: 'same'}", &[5, 6, 16]),
            separable(2, "{filters: 4, kernel_size: 2, strides: 2, padding: 'same', use_bias: false}", &[7, 6, 3]),
            separable(2, "{filters: 3, kernel_size: [3, 2], dilation_rate: 2}", &[7, 7, 2]),
            separable(3, "{filters: 33, kernel_size: 3, padding: 'same'}", &[5, 6, 16]).thinned(),
            transpose(1, "{filters: 1, kernel_size: 1}", &[1, 1, 1]),
            transpose(33, "{filters: 2, kernel_size: 3, strides: 2}", &[1, 1, 3]),
            transpose(2, "{filters: 3, kernel_size: 3, padding: 'same'}", &[3, 4, 17]),
            transpose(2, "{filters: 3, kernel_size: 3, strides: 2, padding: 'same'}", &[3, 4, 2]),
            transpose(2, "{filters: 17, kernel_size: 2, strides: 2, use_bias: false}", &[3, 2, 3]),
            transpose(2, "{filters: 2, kernel_size: 1, strides: 3}", &[3, 2, 2]),
            transpose(2, "{filters: 2, kernel_size: [4, 2], strides: [1, 3], padding: 'same'}", &[3, 4, 2]),
            transpose(2, "{filters: 2, kernel_size: 3, strides: 2, output_padding: 1}", &[3, 4, 2]),
            transpose(
                2,
                "{filters: 2, kernel_size: 3, strides: 3, output_padding: [2, 0], padding: 'same'}",
                &[3, 4, 2],
            ),
            transpose(2, "{filters: 3, kernel_size: 3, dilation_rate: 2}", &[3, 4, 2]),
            transpose(2, "{filters: 3, kernel_size: [3, 2], dilation_rate: [2, 1], padding: 'same'}", &[5, 4, 2]),
            // Winograd in both directions; skipping zeros.
            transpose(2, "{filters: 16, kernel_size: 3, padding: 'same'}", &[5, 6, 17]),
            transpose(2, "{filters: 32, kernel_size: 3}", &[4, 5, 16]),
            transpose(2, "{filters: 16, kernel_size: 2, padding: 'same'}", &[4, 5, 3]).with_few_inputs(),
        ]
    }

    fn pools() -> Vec<Self> {
        let pool =
            |batch, class: &str, config: &str, input: &[usize]| Case::new(batch, class, config, &[input]).spread();
        let mut all = vec![
            pool(33, "MaxPooling2D", "{}", &[4, 4, 1]),
            pool(2, "MaxPooling2D", "{padding: 'same'}", &[26, 27, 16]),
            pool(1, "AveragePooling2D", "{}", &[2, 2, 33]),
            pool(2, "GlobalMaxPooling1D", "{}", &[5, 17]),
            pool(33, "GlobalAveragePooling1D", "{keepdims: true}", &[1, 1]),
            pool(2, "GlobalMaxPooling2D", "{keepdims: true}", &[4, 3, 33]),
            pool(3, "GlobalAveragePooling2D", "{}", &[5, 3, 16]),
            pool(2, "MaxPooling1D", "{pool_size: 3, strides: 2}", &[8, 3]),
            pool(2, "AveragePooling1D", "{strides: 5, padding: 'same'}", &[9, 17]),
        ];
        for class in ["MaxPooling2D", "AveragePooling2D"] {
            all.push(pool(1, class, "{pool_size: 1}", &[1, 1, 3]));
            all.push(pool(2, class, "{pool_size: [3, 2], strides: [5, 4]}", &[4, 5, 3]));
            for remainder in 0..3 {
                let config = "{pool_size: 2, strides: 3, padding: 'same'}";
                all.push(pool(2, class, config, &[6 + remainder, 8 - remainder, 3]));
                let config = "{pool_size: [4, 3], strides: [3, 1], padding: 'same'}";
                all.push(pool(1, class, config, &[5 + remainder, 4, 1]));
            }
        }
        all
    }

    fn merges() -> Vec<Self> {
        let mut all = Vec::new();
        for class in ["Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"] {
            all.push(Case::new(3, class, "{}", &[&[5, 3, 17], &[5, 3, 17]]).spread());
            all.push(Case::new(33, class, "{}", &[&[2, 3], &[1, 3]]).spread());
            if class != "Subtract" {
                all.push(Case::new(2, class, "{}", &[&[3, 1, 2], &[3, 4, 2], &[2]]).spread());
            }
        }
        all.push(Case::new(33, "Concatenate", "{}", &[&[2, 3, 1], &[2, 3, 16], &[2, 3, 3]]));
        all.push(Case::new(2, "Concatenate", "{axis: 1}", &[&[2, 3], &[1, 3]]));
        all.push(Case::new(1, "Concatenate", "{axis: -2}", &[&[2, 40, 33], &[2, 80, 33]]));
        all
    }

    fn normalizations() -> Vec<Self> {
        let case = |batch, class: &str, config: &str, input: &[usize]| Case::new(batch, class, config, &[input]);
        let (batch, layer, group) = ("BatchNormalization", "LayerNormalization", "GroupNormalization");
        vec![
            case(33, batch, "{}", &[3]),
            case(5, batch, "{center: false, epsilon: 0.1}", &[1, 1, 17]),
            case(4, batch, "{scale: false}", &[3, 2, 1]),
            case(1, batch, "{}", &[5, 4, 16]),
            case(70, batch, "{scale: false, center: false}", &[2, 3, 3]),
            case(6, batch, "{axis: 1}", &[3, 2, 5]),
            case(40, batch, "{}", &[8, 8, 33]),
            case(1, layer, "{}", &[3]),
            case(33, layer, "{epsilon: 0.1}", &[2, 17]),
            case(3, layer, "{scale: false}", &[2, 3, 16]),
            case(2, layer, "{axis: [1, 2], center: false}", &[5, 3]),
            case(3, layer, "{axis: 1}", &[4, 3, 2]),
            case(2, group, "{groups: 1}", &[3, 2, 3]),
            case(33, group, "{groups: 8}", &[2, 2, 16]),
            case(3, group, "{groups: -1, scale: false, center: false}", &[3, 4, 3]),
            case(2, group, "{groups: 3}", &[33]),
            case(2, group, "{groups: 2, axis: 1}", &[4, 3, 3]),
        ]
    }

    fn others() -> Vec<Self> {
        let case = |batch, class: &str, config: &str, input: &[usize]| Case::new(batch, class, config, &[input]);
        vec![
            case(3, "Dropout", "{rate: 0.4}", &[5, 3, 17]),
            case(33, "Dropout", "{rate: 0.5, seed: 3}", &[33]),
            case(2, "Dropout", "{rate: 1}", &[3]),
            case(3, "SpatialDropout2D", "{rate: 0.3}", &[3, 2, 16]),
            case(3, "GaussianNoise", "{stddev: 0.2}", &[4, 3]),
            case(33, "Permute", "{dims: [2, 1]}", &[3, 5]),
            case(2, "Permute", "{dims: [3, 1, 2]}", &[4, 33, 40]),
            case(33, "ZeroPadding2D", "{padding: [[1, 0], [2, 3]]}", &[1, 1, 1]),
            case(2, "ZeroPadding2D", "{padding: [0, 2]}", &[4, 3, 17]),
            case(1, "Cropping2D", "{cropping: [[1, 0], [2, 3]]}", &[2, 6, 3]),
            case(33, "Cropping2D", "{cropping: 1}", &[3, 4, 2]),
            case(2, "UpSampling2D", "{size: [3, 1]}", &[2, 3, 17]),
            case(33, "UpSampling2D", "{size: [2, 3], interpolation: 'bilinear'}", &[1, 3, 2]),
            case(2, "UpSampling2D", "{size: 4, interpolation: 'bilinear'}", &[3, 2, 16]),
            case(2, "Rescaling", "{scale: -0.5, offset: 2}", &[5, 3, 400]),
            case(3, "Normalization", "{mean: [1, 2, 3], variance: [0.5, 4, 1]}", &[2, 3]),
            case(3, "Normalization", "{axis: 1, mean: 1, variance: [0.5, 4], invert: true}", &[2, 3]),
            case(3, "LeakyReLU", "{}", &[40, 5, 33]).spread(),
            case(3, "ELU", "{alpha: 0.7}", &[5, 3]),
            case(33, "PReLU", "{}", &[17]).spread(),
            case(5, "PReLU", "{shared_axes: [1, 2]}", &[3, 2, 16]).spread(),
            case(70, "PReLU", "{shared_axes: [2]}", &[3, 2]).spread(),
            case(3, "Softmax", "{axis: 1}", &[3, 2, 5]),
        ]
    }

    fn augmentations() -> Vec<Self> {
        let case = |batch, class: &str, config: &str, input: &[usize]| Case::new(batch, class, config, &[input]);
        let mut all = vec![
            case(33, "RandomFlip", "{}", &[1, 1, 1]),
            case(5, "RandomFlip", "{mode: 'horizontal', seed: 3}", &[3, 4, 3]),
            case(5, "RandomFlip", "{mode: 'vertical'}", &[5, 3, 1]),
            case(3, "RandomContrast", "{factor: [0.3, 0.9], value_range: [-9, 9]}", &[4, 3, 2]),
            case(3, "RandomContrast", "{factor: 0.4, value_range: [-0.5, 0.5]}", &[5, 3, 1]).spread(),
            case(3, "RandomBrightness", "{factor: 0.4, value_range: [-9, 9]}", &[4, 3, 2]),
            case(33, "RandomBrightness", "{factor: [0.1, 0.3], value_range: [-0.5, 0.5]}", &[1, 2, 1]).spread(),
            case(3, "RandomErasing", "{scale: [0.2, 0.9]}", &[6, 7, 2]),
            case(3, "RandomErasing", "{factor: [1, 1], scale: 1, fill_value: [1, 2, 3]}", &[5, 3, 3]),
            case(2, "RandomErasing", "{factor: [1, 1], scale: [0.5, 0.6], fill_value: -1}", &[5, 3, 17]),
            case(1, "RandomElasticTransform", "{}", &[1, 1, 1]),
            case(5, "RandomElasticTransform", "{value_range: [-9, 9], scale: [0.8, 1]}", &[25, 22, 1]),
            case(3, "RandomElasticTransform", "{factor: [1, 1], value_range: [-9, 9], scale: [1, 1]}", &[21, 20, 2]),
            case(33, "RandomRotation", "{factor: 1}", &[1, 1, 1]),
            case(3, "RandomRotation", "{factor: [-0.2, 0.4]}", &[5, 8, 17]),
            case(3, "RandomZoom", "{height_factor: [-0.9, 1]}", &[1, 8, 2]),
            case(3, "RandomTranslation", "{height_factor: [0.2, 0.3], width_factor: 1}", &[8, 1, 2]),
        ];
        for fill in ["constant", "nearest", "reflect", "wrap"] {
            for interpolation in ["bilinear", "nearest"] {
                let config = |factors: &str| {
                    format!("{{{factors}, fill_mode: '{fill}', interpolation: '{interpolation}', fill_value: 0.4}}")
                };
                all.push(case(3, "RandomRotation", &config("factor: 0.3"), &[7, 6, 2]));
                all.push(case(3, "RandomZoom", &config("height_factor: 0.5, width_factor: 1"), &[5, 8, 2]));
                all.push(case(3, "RandomTranslation", &config("height_factor: 0.7, width_factor: 1"), &[6, 5, 1]));
                let elastic = config("value_range: [-0.9, 9], scale: [0.9, 1], factor: [1, 1]");
                all.push(case(2, "RandomElasticTransform", &elastic, &[20, 23, 1]));
            }
        }
        all
    }
}
