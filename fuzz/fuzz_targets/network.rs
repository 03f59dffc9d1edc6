//! A network as JSON: a network that can be read is written as equivalent JSON.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mnist::graph::{keras, summary};
use mnist::json;
use mnist_fuzz::{check_error, check_memory, measured};

/// The largest memory of reading, and per byte of the text.
const FIXED: usize = 1 << 16;
const TEXT: usize = 256;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (network, most) = measured(|| json::parse(text).and_then(|value| keras::read(&value)));
    check_memory(most, FIXED + TEXT * text.len());
    let network = match network {
        Ok(network) => network,
        Err(error) => return check_error(&error),
    };
    let architecture = match network.graph.architecture(network.input, network.output) {
        Ok(architecture) => architecture,
        Err(error) => return check_error(&error),
    };
    let trainable: Vec<bool> = architecture.layers.iter().map(|layer| layer.trainable).collect();
    assert!(!summary::summary(&network.name, &architecture, &trainable).is_empty());
    let written = keras::write(&architecture, &network.name, &trainable);
    let again = keras::read(&written).expect("what was written is read");
    let same = again.graph.architecture(again.input, again.output).expect("with its ends");
    assert_eq!(keras::write(&same, &again.name, &trainable), written, "written, read and written is another network");
});
