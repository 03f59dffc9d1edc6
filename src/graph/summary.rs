//! The table of a model's layers, as Keras 2.6 prints it: a narrow one for a chain, a wide one with the connections for
//! any other graph.

use super::{Architecture, LayerSpec};
use crate::layers::Role;
use std::fmt::Write;

/// A table's width, and where its columns end.
struct Form {
    width: usize,
    ends: &'static [usize],
    head: &'static [&'static str],
}

const CHAIN: Form = Form { width: 65, ends: &[29, 55, 65], head: &["Layer (type)", "Output Shape", "Param #"] };
const GRAPH: Form =
    Form { width: 98, ends: &[32, 53, 65, 98], head: &["Layer (type)", "Output Shape", "Param #", "Connected to"] };

/// The table of a network, with lines ended by `\n`; `trainable` tells for each layer whether it is.
pub fn summary(name: &str, architecture: &Architecture, trainable: &[bool]) -> String {
    let layers = &architecture.layers;
    let form = if is_chain(architecture) { CHAIN } else { GRAPH };
    let (thin, thick) = ("_".repeat(form.width), "=".repeat(form.width));
    let mut out = format!("Model: \"{name}\"\n{thin}\n");
    row(&mut out, &form, form.head);
    for (i, layer) in layers.iter().enumerate() {
        let _ = writeln!(out, "{}", if i == 0 { &thick } else { &thin });
        let title = format!("{} ({})", layer.name, layer.layer.class());
        let connected = connections(architecture, i);
        let first = connected.first().map_or("", String::as_str);
        let fields = [&title, &output_shape(architecture, i), &layer.count_params().to_string(), first];
        row(&mut out, &form, &fields[..form.ends.len()]);
        if form.ends.len() > 3 {
            connected.iter().skip(1).for_each(|other| row(&mut out, &form, &["", "", "", other]));
        }
    }
    let total: usize = layers.iter().map(LayerSpec::count_params).sum();
    let learned = count_trainable(architecture, trainable);
    let (total, learned, rest) = (grouped(total), grouped(learned), grouped(total - learned));
    let _ = writeln!(
        out,
        "{thick}\nTotal params: {total}\nTrainable params: {learned}\nNon-trainable params: {rest}\n{thin}"
    );
    out
}

/// The number of trainable parameters.
pub fn count_trainable(architecture: &Architecture, trainable: &[bool]) -> usize {
    let layers = architecture.layers.iter().zip(trainable).filter(|(_, trainable)| **trainable);
    let parameters = layers.flat_map(|(layer, _)| &layer.parameters).filter(|p| p.role == Role::Trainable);
    parameters.map(|parameter| parameter.shape.iter().product::<usize>()).sum()
}

/// Whether the network is a chain: each call takes only the output of the call before, and no layer is called twice.
fn is_chain(architecture: &Architecture) -> bool {
    let chained = architecture.calls.iter().enumerate().all(|(i, call)| i == 0 || call.inputs == [i - 1]);
    chained && architecture.calls.len() == architecture.layers.len()
}

/// `conv2d[0][0]`: the inputs of a layer's calls, by layer, the index of its call and its output's number.
fn connections(architecture: &Architecture, layer: usize) -> Vec<String> {
    let inputs = architecture.calls_of(layer).flat_map(|(_, call)| &call.inputs);
    let name = |&input: &usize| {
        let below = architecture.calls[input].layer;
        let number = architecture.calls[..input].iter().filter(|call| call.layer == below).count();
        format!("{}[{number}][0]", architecture.layers[below].name)
    };
    inputs.map(name).collect()
}

/// Each field is appended, cut where its column ends, and filled up to there with spaces.
fn row(out: &mut String, form: &Form, fields: &[&str]) {
    let mut line = String::new();
    for (i, (field, &end)) in fields.iter().zip(form.ends).enumerate() {
        if i > 0 {
            line.pop();
            line.push(' '); // so that full columns are separated
        }
        line.push_str(field);
        line = line.chars().take(end).collect();
        line.extend(std::iter::repeat_n(' ', end - line.chars().count()));
    }
    let _ = writeln!(out, "{line}");
}

/// `(None, 26, 26, 32)`; an input layer's is a list of shapes, of one; `multiple` where the calls of a layer differ.
fn output_shape(architecture: &Architecture, layer: usize) -> String {
    let mut shapes = architecture.calls_of(layer).map(|(_, call)| &call.output);
    let Some(shape) = shapes.next() else { return String::new() };
    if shapes.any(|other| other != shape) {
        return "multiple".to_string();
    }
    let dims: String = shape.dims().iter().map(|dim| format!(", {dim}")).collect();
    match architecture.layers[layer].layer.class() {
        "InputLayer" => format!("[(None{dims})]"),
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
    use super::*;
    use crate::graph::Graph;
    use crate::layers::Activation;

    #[test]
    fn the_tutorial_s_table_to_the_character() {
        let mut graph = Graph::new();
        let x = graph.input(&[28, 28, 1]).unwrap();
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
        assert_eq!(summary("model", &graph.architecture(x, y).unwrap(), &[true; 6]), expected);
    }

    /// Recorded by `tests/keras/summaries.py`.
    #[test]
    fn tables_are_those_of_keras_2_6() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/keras/summaries.json");
        let recorded = crate::json::parse(&std::fs::read_to_string(path).unwrap()).unwrap();
        let networks = recorded["networks"].as_array().unwrap();
        assert!(networks.len() > 10);
        for network in networks.iter().filter(|network| network["name"] != "sequential") {
            let json = crate::json::parse(network["model"].as_str().unwrap()).unwrap();
            let network_ = crate::graph::keras::read(&json).unwrap();
            let architecture = network_.graph.architecture(network_.input, network_.output).unwrap();
            let trainable: Vec<bool> = architecture.layers.iter().map(|layer| layer.trainable).collect();
            let table = summary(&network_.name, &architecture, &trainable);
            assert_eq!(table, network["summary"].as_str().unwrap(), "{}", network["name"]);
        }
    }

    #[test]
    fn long_fields_are_cut_where_their_column_ends() {
        let mut graph = Graph::new();
        let x = graph.input(&[11_000, 11_000, 10]).unwrap();
        let table = summary("m", &graph.architecture(x, x).unwrap(), &[true]);
        let line = table.lines().nth(4).unwrap();
        assert_eq!(line, "input_1 (InputLayer)         [(None, 11000, 11000, 10) 0         ");
    }
}
