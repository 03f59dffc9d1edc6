//! Gradients compared with candle's autograd, for the layers that it has.

use super::*;
use crate::kernels::window::{Axis, Padding};
use candle_core::{Device, Tensor, Var};

fn close(got: &[f32], expected: &[f32], tolerance: f32, what: &str) {
    assert_eq!(got.len(), expected.len());
    let scale = expected.iter().fold(1f32, |m, x| m.max(x.abs()));
    for (i, (got, expected)) in got.iter().zip(expected).enumerate() {
        assert!((got - expected).abs() < tolerance * scale, "{what}, element {i}: {got}, not {expected}");
    }
}

#[test]
fn gradients_are_candle_s() {
    for case in Case::all() {
        let Some(expected) = candle(&case) else { continue };
        for isa in Isa::available() {
            let got = case.passes(isa, 1);
            for (i, (got, expected)) in got.dx.iter().chain(&got.dw).zip(&expected).enumerate() {
                close(got, expected, 1e-5, &format!("{i} of {}", case.text));
            }
        }
    }
}

/// The gradients to input, kernel and bias by candle, of a dense layer or of a convolution that it can do.
fn candle(case: &Case) -> Option<Vec<Vec<f32>>> {
    let axes = match case.layer.class() {
        "Dense" => None,
        "Conv2D" => Some(candle_axes(case)?),
        _ => return None,
    };
    let gradients = || -> candle_core::Result<Vec<Vec<f32>>> {
        let tensor = |values: &[f32], dims: &[usize]| Var::from_vec(values.to_vec(), dims, &Device::Cpu);
        let dims = |shape: &Shape| [&[case.batch], shape.dims()].concat();
        let shapes: Vec<&Shape> = case.inputs.iter().collect();
        let parameters = case.layer.parameters(&shapes);
        let (x, w) = (tensor(&case.x[0], &dims(&case.inputs[0]))?, tensor(&case.weights[0], &parameters[0].shape)?);
        let z = match case.layer.class() {
            "Conv2D" => {
                // candle has [N, C, H, W] and [F, C, k, k].
                let (mut x, w) = (x.permute((0, 3, 1, 2))?.contiguous()?, w.permute((3, 2, 0, 1))?.contiguous()?);
                let axes = axes.iter().flatten().enumerate();
                for (i, axis) in axes.clone() {
                    x = x.pad_with_zeros(2 + i, axis.before, axis.after)?;
                }
                let groups = case.inputs[0].dims()[2] / parameters[0].shape[2];
                let (stride, dilation) = axes.last().map_or((1, 1), |(_, axis)| (axis.stride, axis.dilation));
                x.conv2d(&w, 0, stride, dilation, groups)?.permute((0, 2, 3, 1))?
            }
            _ => x.broadcast_matmul(&w)?,
        };
        let bias = case.weights.get(1).map(|bias| tensor(bias, &parameters[1].shape)).transpose()?;
        let y = match &bias {
            Some(bias) => z.broadcast_add(bias)?,
            None => z,
        };
        let dy = Tensor::from_vec(case.dy.clone(), dims(&case.output), &Device::Cpu)?;
        let gradients = (y * dy)?.sum_all()?.backward()?;
        let values = |var: &Var| gradients.get(var).expect("a gradient").flatten_all()?.to_vec1();
        [Some(&x), Some(&w), bias.as_ref()].into_iter().flatten().map(values).collect()
    };
    Some(gradients().unwrap())
}

/// The windows of a convolution if both axes have the same stride, dilation and remainder: candle's backward pass has
/// only one number for both.
fn candle_axes(case: &Case) -> Option<[Axis; 2]> {
    let config = case.layer.config();
    let axis = |i: usize| {
        let number = |key: &str| usize::try_from(config[key][i].as_u64()?).ok();
        let padding = if config["padding"] == "same" { Padding::Same } else { Padding::Valid };
        let [size, stride, dilation] = [number("kernel_size")?, number("strides")?, number("dilation_rate")?];
        Axis::new(case.inputs[0].dims()[i], size, stride, dilation, padding)
    };
    let axes = [axis(0)?, axis(1)?];
    let same = |what: &dyn Fn(&Axis) -> usize| what(&axes[0]) == what(&axes[1]);
    let over = |axis: &Axis| axis.padded() - (axis.output() - 1) * axis.stride - axis.span();
    (same(&|axis| axis.stride) && same(&|axis| axis.dilation) && same(&over)).then_some(axes)
}
