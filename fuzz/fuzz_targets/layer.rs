//! A layer, by its class (the first line) and its config (the rest), called on samples of each rank, with one and two inputs.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mnist::graph::{Graph, check_arity, keras};
use mnist::json::{self, Named, Object};
use mnist::layers;
use mnist_fuzz::check_error;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (class, config) = text.split_once('\n').unwrap_or((text, "{}"));
    for (dims, count) in [(&[6][..], 1), (&[6, 5], 1), (&[6, 5, 4], 1), (&[6, 5, 4], 2)] {
        let called = call(class, config, dims, count);
        if let Err(error) = called {
            check_error(&error);
        }
    }
});

/// Calls the layer, writes its config and reads it again.
fn call(class: &str, config: &str, dims: &[usize], count: usize) -> mnist::Result<()> {
    let value = json::parse(config)?;
    let object = Object::root(&value)?;
    let entry = layers::entry(&Named::of(class, object.clone(), "argument".to_string()))?;
    check_arity(entry.arity, count)?;
    let mut graph = Graph::new();
    let x = graph.input(dims)?;
    let y = graph.add(layers::read(entry, &object)?, None, true, &vec![x; count])?;
    let architecture = graph.architecture(x, y)?;
    let trainable = vec![true; architecture.layers.len()];
    let written = keras::write(&architecture, "model", &trainable);
    let again = keras::read(&written).expect("what was written is read");
    let same = again.graph.architecture(again.input, again.output).expect("with its ends");
    assert_eq!(keras::write(&same, &again.name, &trainable), written);
    Ok(())
}
