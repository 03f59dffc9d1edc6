//! The time of a training step in well-known networks, layer by layer:
//! `cargo bench --bench network [-- NETWORK...]`.
//!
//! NETWORK is the name of one of `benches/peers/networks`, or a file with Keras's `to_json()`; the default is all of
//! `benches/peers/networks`. One thread takes steps on one batch of digits. The lower bound of a layer's time is its
//! multiply-adds divided by the machine's measured peak (twice as many backward as forward). `--batch N`: default 32.

use mnist::graph::keras;
use mnist::json;
use mnist::model::{CompileOptions, Model};
use mnist::train::{LayerTime, Profile};
use std::error::Error;
use std::path::{Path, PathBuf};

mod machine;
mod tutorial;
use machine::Machine;
use tutorial::digits;

/// Steps per round; the fastest round counts.
const STEPS: usize = 20;
const ROUNDS: usize = 5;

/// The networks to measure, and the batch size.
fn arguments() -> Result<(Vec<PathBuf>, usize), Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers/networks");
    let (mut networks, mut batch) = (Vec::new(), 32);
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    while let Some(word) = words.next() {
        match word.as_str() {
            "--batch" => batch = words.next().ok_or("--batch takes a number")?.parse()?,
            name if name.ends_with(".json") => networks.push(name.into()),
            name => networks.push(folder.join(name).with_extension("json")),
        }
    }
    if networks.is_empty() {
        let files = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
        networks = files.into_iter().filter(|path| path.extension().is_some_and(|end| end == "json")).collect();
        networks.sort();
    }
    Ok((networks, batch))
}

fn profile(path: &Path, batch: usize) -> Result<Profile, Box<dyn Error>> {
    let text = std::fs::read_to_string(path)?;
    let keras::Network { graph, input, output, .. } = keras::read(&json::parse(&text)?)?;
    let model = Model::new(&graph, input, output, "model")?;
    model.set_threads(1)?;
    model.compile(&CompileOptions::default())?;
    let data = digits()?.0.slice(0, batch)?;
    model.profile(&data, 3 * STEPS)?;
    let rounds = (0..ROUNDS).map(|_| model.profile(&data, STEPS)).collect::<mnist::Result<Vec<_>>>()?;
    Ok(rounds.into_iter().min_by_key(|round| round.whole).ok_or("no rounds")?)
}

fn show(name: &str, machine: &Machine, batch: usize, profile: &Profile) {
    let ms = |time: std::time::Duration| 1e3 * time.as_secs_f64() / STEPS as f64;
    let whole = ms(profile.whole);
    println!("## {name}, batch {batch}\n");
    println!(
        "| layer | forward, ms | backward, ms | share | lower bound, ms | lower bound / time |\n|---|---|---|---|---|---|"
    );
    let mut rest = whole;
    for LayerTime { name, class, multiply_adds, forward, backward } in &profile.layers {
        let (forward, backward) = (ms(*forward), ms(*backward));
        let (time, floor) = (forward + backward, 3.0 * 2e3 * (multiply_adds * batch) as f64 / machine.flops);
        rest -= time;
        let beside = if floor > 0.0 { format!("{floor:.3} | {:.2}", floor / time) } else { " | ".to_string() };
        println!("| {name} ({class}) | {forward:.3} | {backward:.3} | {:.0} % | {beside} |", 100.0 * time / whole);
    }
    println!("| loss, metrics, the batch | | | {:.0} % | | |\n\nA step: {whole:.3} ms.\n", 100.0 * rest / whole);
}

fn main() -> Result<(), Box<dyn Error>> {
    let (networks, batch) = arguments()?;
    let machine = Machine::measure()?;
    println!("{machine}.\n");
    for path in networks {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        show(&name, &machine, batch, &profile(&path, batch)?);
    }
    Ok(())
}
