//! Models as C files: compiled by all available compilers with warnings as errors; their predictions must equal those of
//! `predict` bit for bit. Each network has random weights and images. The files alternate between the ways of computing a
//! fused multiply-add.
#![cfg(feature = "c-source")]

#[path = "c_source/networks.rs"]
mod networks;
mod programs;

use mnist::c_source::{Options, Weights};
use mnist::model::Model;
use networks::{Random, each_layer, known, random};
use programs::{run, stdout};
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

/// Warnings that the files must not cause.
const WARNINGS: &[&str] =
    &["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wsign-conversion", "-Wshadow", "-Wundef"];

/// Images per model.
const IMAGES: usize = 3;

/// The compilers of this machine: `CC`, and clang if it is installed.
fn compilers() -> Vec<String> {
    let own = std::env::var("CC").unwrap_or("cc".into());
    let clang = Command::new("clang").arg("--version").output().is_ok_and(|output| output.status.success());
    [Some(own), clang.then(|| "clang".to_string())].into_iter().flatten().collect()
}

/// A model, and the expected results of its file.
struct Case {
    name: String,
    model: Model,
    images: Vec<f32>,
}

impl Case {
    fn new(name: String, model: Model, random: &mut Random) -> Self {
        let names: Vec<String> = model.weight_names().map(str::to_string).collect();
        for name in &names {
            let shape = model.weight_shape(name).unwrap().to_vec();
            let inputs = shape[..shape.len() - 1].iter().product::<usize>().max(1) as f32;
            let size = if shape.len() > 1 { (3.0 / inputs).sqrt() } else { 0.5 };
            let positive = name.ends_with("variance") || name.ends_with("gamma");
            let value = |x: f32| if positive { 1.0 + 0.5 * x } else { size * x };
            let values: Vec<f32> = (0..shape.iter().product()).map(|_| value(random.number())).collect();
            model.set_weight(name, &values).unwrap();
        }
        // Some zeros, as in images, and occasionally a large number.
        let number = |random: &mut Random| match random.below(8) {
            0..3 => 0.0,
            3 => 4.0 * random.number(),
            _ => random.number(),
        };
        let images = (0..IMAGES * model.input_shape().len()).map(|_| number(random)).collect();
        Case { name, model, images }
    }

    fn predictions(&self) -> Vec<f32> {
        let mut out = vec![0.0; IMAGES * self.model.output_len()];
        self.model.predict(&self.images, IMAGES, &mut out).unwrap();
        out
    }
}

/// Compiles all cases into one program with each compiler, runs it, and compares.
fn check(cases: &[Case], options: &[Options<'_>]) {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: String| folder.path().join(name);
    for (i, case) in cases.iter().enumerate() {
        let options = &options[i % options.len()];
        case.model
            .save_c(&at(format!("m{i}.c")), &format!("m{i}"), options)
            .unwrap_or_else(|e| panic!("{}: {e}", case.name));
        std::fs::write(at(format!("m{i}.in")), bytes(&case.images)).unwrap();
    }
    std::fs::write(at("main.c".into()), program(cases.len(), options)).unwrap();
    for compiler in compilers() {
        let mut objects = Vec::new();
        for i in 0..cases.len() {
            let object = at(format!("m{i}.o"));
            let source = at(format!("m{i}.c"));
            let mut command = Command::new(&compiler);
            command.args(["-std=c99", "-ffp-contract=off", "-Werror"]).args(WARNINGS).args(variant(i));
            run(command.arg("-c").arg(source).arg("-o").arg(&object));
            objects.push(object);
        }
        let main = at("main".into());
        run(Command::new(&compiler).args(["-std=c99", "-o"]).arg(&main).arg(at("main.c".into())).args(&objects));
        run(Command::new(&main).current_dir(folder.path()));
        for (i, case) in cases.iter().enumerate() {
            let found = floats(&at(format!("m{i}.out")));
            let expected = case.predictions();
            assert_eq!(found.len(), expected.len());
            let off = found.iter().zip(&expected).position(|(a, b)| a.to_bits() != b.to_bits());
            let at = off.map(|at| (at, expected[at], found[at]));
            assert_eq!(at, None, "{compiler} {:?}, case {i}: {}", variant(i), case.name);
        }
    }
}

/// How the file of a case is compiled: optimized or not, and which kind of fused multiply-add.
fn variant(case: usize) -> Vec<String> {
    #[cfg(target_arch = "x86_64")]
    let own = std::arch::is_x86_feature_detected!("fma").then_some("-mfma");
    #[cfg(not(target_arch = "x86_64"))]
    let own = None;
    let level = ["-O2", "-O1", "-O3", "-O0"][case % 4];
    match (case % 3, own) {
        (0, Some(flag)) => vec![level.into(), flag.into()],
        (way, _) => vec![level.into(), format!("-DM{case}_FMA={}", if way == 1 { 3 } else { 2 })],
    }
}

/// A program that reads each model's images from a file, and writes the predictions to another one.
fn program(cases: usize, options: &[Options<'_>]) -> String {
    let mut text = String::from("#include <stdio.h>\n");
    let mut body = String::new();
    for i in 0..cases {
        let third = if options[i % options.len()].caller_scratch { ", scratch" } else { "" };
        let _ = writeln!(text, "#define M{i}_DECLARE_ONLY\n#include \"m{i}.c\"");
        let _ = write!(
            body,
            "    {{
        static float image[M{i}_INPUT_LEN], out[M{i}_OUTPUT_LEN], scratch[M{i}_SCRATCH_LEN + 1];
        FILE *in = fopen(\"m{i}.in\", \"rb\"), *to = fopen(\"m{i}.out\", \"wb\");
        if (in == NULL || to == NULL)
            return 1;
        scratch[M{i}_SCRATCH_LEN] = 0.0f;
        while (fread(image, sizeof image, 1, in) == 1) {{
            m{i}_predict(image, out{third});
            if (fwrite(out, sizeof out, 1, to) != 1)
                return 2;
        }}
        if (scratch[M{i}_SCRATCH_LEN] != 0.0f || fclose(in) != 0 || fclose(to) != 0)
            return 3;
    }}
"
        );
    }
    text + "int main(void)\n{\n" + &body + "    return 0;\n}\n"
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|x| x.to_ne_bytes()).collect()
}

fn floats(path: &Path) -> Vec<f32> {
    std::fs::read(path).unwrap().as_chunks::<4>().0.iter().map(|&bytes| f32::from_ne_bytes(bytes)).collect()
}

const PLAIN: Options<'static> =
    Options { weights: Weights::Float, placement: "", qualifier: "", caller_scratch: false };
const LENT: Options<'static> = Options { caller_scratch: true, placement: "__attribute__((aligned(16)))", ..PLAIN };

#[test]
fn every_layer_gives_the_library_s_bits() {
    let mut random = Random::new(1);
    let cases: Vec<Case> = each_layer().into_iter().map(|(name, model)| Case::new(name, model, &mut random)).collect();
    check(&cases, &[PLAIN, LENT]);
}

#[test]
fn known_networks_give_the_library_s_bits() {
    let mut random = Random::new(2);
    let cases: Vec<Case> = known().into_iter().map(|(name, model)| Case::new(name, model, &mut random)).collect();
    check(&cases, &[PLAIN]);
}

#[test]
fn random_networks_give_the_library_s_bits() {
    let count = std::env::var("MNIST_C_SOURCE_MODELS").map_or(30, |count| count.parse().unwrap());
    let case = |seed: u64| {
        let mut numbers = Random::new(100 + seed);
        let (name, model) = random(&mut numbers);
        Case::new(name, model, &mut numbers)
    };
    check(&(0..count).map(case).collect::<Vec<_>>(), &[LENT, PLAIN]);
}

/// With 8-bit weights the file gives the predictions of the library with the rounded weights.
#[test]
fn bytes_are_the_weights_that_they_stand_for() {
    let int8 = Options { weights: Weights::Int8, ..PLAIN };
    let folder = tempfile::tempdir().unwrap();
    let mut random = Random::new(3);
    let networks = each_layer().into_iter().filter(|(name, _)| networks::has_only_own_weights(name));
    let cases: Vec<Case> = networks.map(|(name, model)| Case::new(name, model, &mut random)).collect();
    assert!(cases.len() > 10);
    for case in &cases {
        let names: Vec<String> = case.model.weight_names().map(str::to_string).collect();
        for name in names.iter().filter(|name| name.ends_with("kernel")) {
            let shape = case.model.weight_shape(name).unwrap().to_vec();
            let mut values = vec![0.0; shape.iter().product()];
            case.model.get_weight(name, &mut values).unwrap();
            round(&mut values, &shape, networks::output_axis(&case.name, name, &shape));
            case.model.set_weight(name, &values).unwrap();
        }
    }
    drop(folder);
    check(&cases, &[int8]);
}

/// Rounds a kernel as the file does: multiples of the largest absolute weight of each output channel divided by 127.
fn round(values: &mut [f32], shape: &[usize], axes: std::ops::Range<usize>) {
    let inner: usize = shape[axes.end..].iter().product();
    let channels: usize = shape[axes.clone()].iter().product();
    let channel = |i: usize| i / inner % channels;
    let mut greatest = vec![0f32; channels];
    values.iter().enumerate().for_each(|(i, x)| greatest[channel(i)] = greatest[channel(i)].max(x.abs()));
    for (i, x) in values.iter_mut().enumerate() {
        let scale = greatest[channel(i)] / 127.0;
        *x = if scale > 0.0 { (*x / scale).round() * scale } else { 0.0 };
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.c");
    let (_, model) = each_layer().remove(0);
    for prefix in ["", "1a", "_a", "a-b", "a b", "é", &"x".repeat(33)] {
        let error = model.save_c(&path, prefix, &PLAIN).unwrap_err().to_string();
        assert!(error.starts_with("argument `prefix`: not a valid prefix for names in C"), "{error}");
    }
    let error = model.save_c(&path, "m", &Options { placement: "a\nb", ..PLAIN }).unwrap_err().to_string();
    assert!(error.starts_with("option `placement`"), "{error}");
    let name = model.weight_names().next().unwrap().to_string();
    let len = model.weight_shape(&name).unwrap().iter().product();
    for bad in [f32::NAN, f32::INFINITY] {
        model.set_weight(&name, &vec![bad; len]).unwrap();
        for weights in [Weights::Float, Weights::Int8] {
            let error = model.save_c(&path, "m", &Options { weights, ..PLAIN }).unwrap_err().to_string();
            assert!(error.contains("a weight that is not finite") && error.contains(&name), "{error}");
        }
    }
    assert!(!path.exists());
}

/// For all numbers, a product and a sum are rounded as by the processor's instruction.
#[test]
fn every_way_to_a_fused_multiply_add_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("fma.c");
    let piece =
        |name: &str| std::fs::read_to_string(format!("{}/src/c_source/pieces/{name}.c", programs::ROOT)).unwrap();
    let text = format!(
        "#include <float.h>\n#include <math.h>\n#include <stdbool.h>\n#include <stdint.h>\n#include <stdio.h>\n{}{}{}",
        piece("word"),
        piece("fma"),
        include_str!("c_source/fma.c")
    );
    std::fs::write(&source, text).unwrap();
    for (compiler, way) in compilers().iter().flat_map(|compiler| [2, 3].map(|way| (compiler, way))) {
        let program = folder.path().join(format!("fma{way}"));
        let mut command = Command::new(compiler);
        command.args(["-std=c99", "-O2", "-ffp-contract=off"]).arg(format!("-DPREFIX_FMA={way}"));
        run(command.arg(&source).arg("-o").arg(&program).arg("-lm"));
        assert_eq!(stdout(&mut Command::new(program)), "", "{compiler} {way}");
    }
}
