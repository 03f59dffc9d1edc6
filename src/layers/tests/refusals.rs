//! Layers that do not fit their input, or a config that says what no layer has.

use super::*;

#[test]
fn windows_that_do_not_fit_are_refused() {
    let message = |class: &str, config: &str, input: &[usize]| {
        let value = json::parse(config).unwrap();
        let object = Object::root(&value).unwrap();
        let layer = read(entry(&Named::of(class, object.clone(), String::new())).unwrap(), &object);
        let input = Shape::new(input).unwrap();
        layer.and_then(|layer| layer.output(&[&input])).unwrap_err().to_string()
    };
    let image = [5, 6, 4];
    for (class, config, expected) in [
        (
            "Conv2D",
            "{filters: 2, kernel_size: 3, strides: [1, 2], dilation_rate: [2, 1]}",
            "key dilation_rate: strides",
        ),
        ("Conv2DTranspose", "{filters: 2, kernel_size: 3, strides: 2, dilation_rate: 2}", "key dilation_rate: strides"),
        ("Conv2D", "{filters: 2, kernel_size: 3, dilation_rate: 3}", "does not fit its input"),
        (
            "Conv2D",
            "{filters: 2, kernel_size: 3, dilation_rate: 9223372036854775807, padding: 'same'}",
            "too many elements",
        ),
        ("Conv2D", "{filters: 2, kernel_size: [1, 6148914691236517206], padding: 'same'}", "too many elements"),
        ("Conv2D", "{filters: 2, kernel_size: 3, groups: 3}", "channels of the input are not divided by the groups"),
        ("Conv2D", "{filters: 6, kernel_size: 3, groups: 4}", "filters are not divided by the groups"),
        ("Conv2D", "{filters: 6, kernel_size: 3, padding: 'causal'}", "expected valid or same"),
        ("Conv1D", "{filters: 6, kernel_size: 3}", "expected [steps, channels]"),
        (
            "DepthwiseConv2D",
            "{kernel_size: 3, strides: [1, 2]}",
            "key strides: a depthwise convolution whose strides differ",
        ),
        ("DepthwiseConv2D", "{kernel_size: 3, depth_multiplier: 18446744073709551615}", "too many elements"),
        ("DepthwiseConv2D", "{kernel_size: 7}", "does not fit its input"),
        ("SeparableConv2D", "{filters: 1, kernel_size: 7}", "does not fit its input"),
        ("SeparableConv2D", "{filters: 1, kernel_size: 1, depth_multiplier: 4294967296}", "too many elements"),
        ("Conv2DTranspose", "{filters: 2, kernel_size: 3, output_padding: 1}", "key output_padding: wrong value"),
        (
            "Conv2DTranspose",
            "{filters: 2, kernel_size: 2, strides: 2, output_padding: 0, padding: 'same'}",
            "no output shape",
        ),
        ("Conv2DTranspose", "{filters: 2, kernel_size: 2, strides: 9223372036854775807}", "no output shape"),
        ("Conv2DTranspose", "{filters: 2, kernel_size: 2, strides: 4294967296}", "too many elements"),
        ("Conv2DTranspose", "{filters: 2, kernel_size: 4294967296}", "too many elements"),
    ] {
        let found = message(class, config, &image);
        assert!(found.contains(expected), "{class} {config}: {found}");
    }
    assert!(
        message("Conv1D", "{filters: 6, kernel_size: 3, dilation_rate: 2, padding: 'cause'}", &[3, 1])
            .contains("expected valid or same or causal")
    );
}

#[test]
fn what_does_not_fit_is_named() {
    let message = |class: &str, config: &str, inputs: &[&[usize]]| {
        let value = json::parse(config).unwrap();
        let object = Object::root(&value).unwrap();
        let entry = entry(&Named::of(class, object.clone(), String::new())).unwrap();
        let inputs: Vec<Shape> = inputs.iter().map(|dims| Shape::new(dims).unwrap()).collect();
        let shapes: Vec<&Shape> = inputs.iter().collect();
        read(entry, &object).and_then(|layer| layer.output(&shapes)).unwrap_err().to_string()
    };
    for (class, config, inputs, expected) in [
        ("MaxPooling2D", "{pool_size: 3}", &[&[4, 2, 1][..]][..], "a pool_size from 1 to 2, found 3"),
        ("MaxPooling2D", "{}", &[&[4, 2]], "expected [height, width, channels], found [4, 2]"),
        ("MaxPooling1D", "{}", &[&[4, 2, 1]], "expected [steps, channels], found [4, 2, 1]"),
        ("GlobalMaxPooling2D", "{data_format: 'channels_first'}", &[&[4, 2, 1]], "expected channels_last"),
        ("Add", "{}", &[&[4, 2], &[4, 3]], "expected [4, 2], or 1 in the place of a size, found [4, 3]"),
        ("Subtract", "{}", &[&[4], &[4], &[4]], "wrong number of inputs: expected two, found 3"),
        ("Concatenate", "{}", &[&[4, 2], &[3, 3]], "expected [4, 2] but for axis -1, found [3, 3]"),
        (
            "Concatenate",
            "{axis: 3}",
            &[&[4, 2], &[4, 2]],
            "no such axis: expected 1 to 2, or -2 to -1, of [4, 2], found 3",
        ),
        ("Concatenate", "{axis: 0}", &[&[4], &[4]], "key axis: wrong value"),
        ("LayerNormalization", "{axis: [1, 2]}", &[&[4, 2, 3]], "expected one axis, or all from one on"),
        ("LayerNormalization", "{axis: [1, -1]}", &[&[4]], "expected one axis, or all from one on"),
        ("LayerNormalization", "{rms_scaling: true}", &[&[4]], "key rms_scaling: not supported"),
        (
            "GroupNormalization",
            "{}",
            &[&[4, 2, 3]],
            "the groups do not divide the channels: expected a divisor of 3, found 32",
        ),
        ("BatchNormalization", "{renorm: true}", &[&[4]], "key renorm: not supported"),
        ("Dropout", "{rate: 1.5}", &[&[4]], "key rate: wrong value: expected a number from 0 to 1"),
        ("Dropout", "{rate: 0.5, noise_shape: [1]}", &[&[4]], "key noise_shape: not supported"),
        ("Reshape", "{target_shape: [-1, 3]}", &[&[4, 2]], "expected 8 elements, those of [4, 2], found [2, 3]"),
        ("Reshape", "{target_shape: []}", &[&[1]], "key target_shape: wrong value"),
        ("Reshape", "{target_shape: [-1, 16]}", &[&[4, 2]], "expected 8 elements, those of [4, 2], found [0, 16]"),
        ("Reshape", "{target_shape: [-1, -1]}", &[&[4, 2]], "key target_shape: wrong value"),
        ("Permute", "{dims: [1, 1]}", &[&[4, 2]], "key dims: wrong value: expected the axes from 1 on, each once"),
        ("Permute", "{dims: [2, 1]}", &[&[4]], "wrong rank: expected 2 axes, found [4]"),
        ("Cropping2D", "{cropping: [[1, 1], [0, 0]]}", &[&[2, 2, 1]], "nothing is left of the image"),
        ("UpSampling2D", "{interpolation: 'bicubic'}", &[&[2, 2, 1]], "expected nearest or bilinear"),
        ("UpSampling2D", "{size: 100000}", &[&[2, 2, 1]], "too many elements"),
        ("Normalization", "{}", &[&[2]], "key mean: missing key"),
        ("Normalization", "{mean: [1, 2], variance: 1}", &[&[3]], "wrong number of means: expected 3, or one, found 2"),
        ("PReLU", "{shared_axes: [3]}", &[&[2, 2]], "no such axis: expected 1 to 2, of [2, 2], found 3"),
        ("LeakyReLU", "{negative_slope: -1}", &[&[2, 2]], "key negative_slope: wrong value"),
        ("RandomFlip", "{mode: 'both'}", &[&[2, 2, 1]], "key mode: wrong value: expected horizontal, vertical or"),
        ("RandomFlip", "{}", &[&[2, 2]], "wrong rank: expected [height, width, channels], found [2, 2]"),
        ("RandomFlip", "{data_format: 'channels_first'}", &[&[2, 2, 1]], "key data_format: not supported"),
        ("RandomRotation", "{}", &[&[2, 2, 1]], "key factor: missing key: expected a number from -1 to 1"),
        ("RandomRotation", "{factor: 1.5}", &[&[2, 2, 1]], "key factor: wrong value: expected a number from -1 to 1"),
        ("RandomRotation", "{factor: [2, 3]}", &[&[2, 2, 1]], "key factor: wrong value"),
        ("RandomRotation", "{factor: [0, 0, 0]}", &[&[2, 2, 1]], "key factor: wrong value"),
        ("RandomRotation", "{factor: 1, fill_mode: 'mirror'}", &[&[2, 2, 1]], "key fill_mode: wrong value"),
        ("RandomRotation", "{factor: 1, interpolation: 'cubic'}", &[&[2, 2, 1]], "key interpolation: wrong value"),
        ("RandomRotation", "{factor: 1, fill_value: 1e39}", &[&[2, 2, 1]], "key fill_value: wrong value"),
        ("RandomTranslation", "{height_factor: 0.1}", &[&[2, 2, 1]], "key width_factor: missing key"),
        ("RandomTranslation", "{height_factor: [0, 2], width_factor: 0}", &[&[2, 2, 1]], "key height_factor: wrong"),
        ("RandomZoom", "{height_factor: -1}", &[&[2, 2, 1]], "key height_factor: wrong value: expected a number above"),
        ("RandomContrast", "{factor: -0.1}", &[&[2, 2, 1]], "key factor: wrong value: expected a number from 0 to 1"),
        ("RandomBrightness", "{factor: 0.1, value_range: [1, 0]}", &[&[2, 2, 1]], "key value_range: wrong value"),
        ("RandomErasing", "{scale: [0.1, 1.1]}", &[&[2, 2, 1]], "key scale: wrong value"),
        ("RandomErasing", "{fill_value: [1, 2, 3]}", &[&[2, 2, 1]], "key fill_value: wrong number of channels"),
        ("RandomErasing", "{fill_value: [1, 2]}", &[&[2, 2, 1]], "key fill_value: wrong value"),
        ("RandomElasticTransform", "{alpha: 3}", &[&[2, 2, 1]], "key alpha: unknown key"),
    ] {
        let found = message(class, config, inputs);
        assert!(found.contains(expected), "{class}: {found}");
    }
}
