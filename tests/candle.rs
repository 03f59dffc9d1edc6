//! The example for candle runs, and its results are the same.

#[allow(dead_code)]
#[path = "../examples/candle.rs"]
mod example;

#[test]
fn candle_predicts_what_the_library_predicts() {
    example::main().unwrap();
}
