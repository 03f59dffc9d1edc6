//! Reads a model that this library has saved with candle, and compares the predictions. `cargo run --release --example candle`

use candle_core::{DType, Device, Result, Tensor, safetensors::load};
use candle_nn::ops::softmax;
use mnist::{graph::Graph, layers::Activation, model::Model};

pub fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let mut graph = Graph::new();
    let input = graph.input(&[28, 28, 1])?;
    let x = graph.conv2d(input, 8, 3, Activation::Relu)?;
    let x = graph.flatten(x)?;
    let x = graph.dense(x, 10, Activation::Softmax)?;
    let model = Model::new(&graph, input, x, "model")?;
    let path = std::env::temp_dir().join(format!("candle-{}.safetensors", std::process::id()));
    model.save(&path)?; // or save_weights: the weights have the same names
    let weights = load(&path, &Device::Cpu)?;
    std::fs::remove_file(&path)?;

    let images: Vec<f32> = (0..2 * 28 * 28).map(|i| (i * 7 % 251) as f32 / 251.0).collect();
    let mut ours = [0.0; 20];
    model.predict(&images, 2, &mut ours)?;
    let theirs =
        predict(&weights, &Tensor::from_vec(images, (2, 28, 28, 1), &Device::Cpu)?)?.flatten_all()?.to_vec1::<f32>()?;
    let apart = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    println!("the library {:.6?}\ncandle      {:.6?}\nat most {apart:.1e} apart", &ours[..5], &theirs[..5]);
    if apart <= 1e-5 { Ok(()) } else { Err("they are not the same".into()) }
}

/// The network in candle, whose images are `[N, C, H, W]` and whose kernels are `[out, in, k, k]`.
fn predict(weights: &std::collections::HashMap<String, Tensor>, images: &Tensor) -> Result<Tensor> {
    let w = |name: &str| weights[name].to_dtype(DType::F32);
    let kernel = w("conv2d/kernel")?.permute((3, 2, 0, 1))?.contiguous()?;
    let x = images.permute((0, 3, 1, 2))?.contiguous()?.conv2d(&kernel, 0, 1, 1, 1)?;
    let x = x.permute((0, 2, 3, 1))?.contiguous()?.broadcast_add(&w("conv2d/bias")?)?.relu()?; // back to [N, H, W, C]
    let x = x.flatten_from(1)?.matmul(&w("dense/kernel")?)?.broadcast_add(&w("dense/bias")?)?;
    softmax(&x, 1)
}
