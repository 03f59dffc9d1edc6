//! The table of a model's layers, as Keras 2.6 prints it.

use super::{LayerKind, LayerSpec};
use std::fmt::Write;

/// The table's width, and where its columns end.
const WIDTH: usize = 65;
const ENDS: [usize; 3] = [29, 55, 65];

/// The table of `layers`, a chain, lines ended by `\n`.
pub fn summary(name: &str, layers: &[LayerSpec]) -> String {
    let (thin, thick) = ("_".repeat(WIDTH), "=".repeat(WIDTH));
    let total: usize = layers.iter().map(LayerSpec::count_params).sum();
    let mut out = format!("Model: \"{name}\"\n{thin}\n");
    row(&mut out, ["Layer (type)", "Output Shape", "Param #"]);
    for (i, layer) in layers.iter().enumerate() {
        let _ = writeln!(out, "{}", if i == 0 { &thick } else { &thin });
        let title = format!("{} ({})", layer.name, layer.class_name());
        row(&mut out, [&title, &output_shape(layer), &layer.count_params().to_string()]);
    }
    let total = grouped(total);
    let _ = writeln!(out, "{thick}\nTotal params: {total}\nTrainable params: {total}\nNon-trainable params: 0\n{thin}");
    out
}

/// Each field is appended, cut where its column ends, and filled up to there with spaces.
fn row(out: &mut String, fields: [&str; 3]) {
    let mut line = String::new();
    for (i, (field, end)) in fields.into_iter().zip(ENDS).enumerate() {
        if i > 0 {
            line.pop();
            line.push(' '); // so that fields that fill their columns stay apart
        }
        line.push_str(field);
        line = line.chars().take(end).collect();
        line.extend(std::iter::repeat_n(' ', end - line.chars().count()));
    }
    let _ = writeln!(out, "{line}");
}

/// `(None, 26, 26, 32)`; an input layer's is a list of shapes, of one.
fn output_shape(layer: &LayerSpec) -> String {
    let dims: String = layer.output.dims().iter().map(|dim| format!(", {dim}")).collect();
    match layer.kind {
        LayerKind::Input => format!("[(None{dims})]"),
        _ => format!("(None{dims})"),
    }
}

/// `4,738,826`
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::{Activation, Graph};
    use super::*;

    #[test]
    fn the_tutorial_s_table_to_the_character() {
        let mut graph = Graph::new();
        let x = graph.input(28, 28, 1).unwrap();
        let y = graph.conv2d(x, 32, 3, Activation::Relu).unwrap();
        let y = graph.conv2d(y, 64, 3, Activation::Relu).unwrap();
        let y = graph.flatten(y).unwrap();
        let y = graph.dense(y, 128, Activation::Relu).unwrap();
        let y = graph.dense(y, 10, Activation::Softmax).unwrap();
        let expected = r#"Model: "model"
_________________________________________________________________
Layer (type)                 Output Shape              Param #   
=================================================================
input_1 (InputLayer)         [(None, 28, 28, 1)]       0         
_________________________________________________________________
conv2d (Conv2D)              (None, 26, 26, 32)        320       
_________________________________________________________________
conv2d_1 (Conv2D)            (None, 24, 24, 64)        18496     
_________________________________________________________________
flatten (Flatten)            (None, 36864)             0         
_________________________________________________________________
dense (Dense)                (None, 128)               4718720   
_________________________________________________________________
dense_1 (Dense)              (None, 10)                1290      
=================================================================
Total params: 4,738,826
Trainable params: 4,738,826
Non-trainable params: 0
_________________________________________________________________
"#;
        assert_eq!(summary("model", &graph.chain(x, y).unwrap()), expected);
    }

    #[test]
    fn long_fields_are_cut_where_their_column_ends() {
        let mut graph = Graph::new();
        let x = graph.input(11_000, 11_000, 10).unwrap();
        let table = summary("m", &graph.chain(x, x).unwrap());
        let line = table.lines().nth(4).unwrap();
        assert_eq!(line, "input_1 (InputLayer)         [(None, 11000, 11000, 10) 0         ");
    }
}
