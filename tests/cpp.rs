//! The C++ layer, `include/mnist.hpp`: what it has of the C interface, what it does with empty objects, and the programs in
//! `tests/c` that use it, as C++17 and as what comes after, every warning an error.

mod header;
mod layer;
mod programs;

use header::{Header, Struct};
use layer::{Class, Function, Layer};
use programs::{ROOT, compiler, program, program_with, run, stdout};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Functions of the C interface that the layer has no use for, and why.
const UNUSED: [(&str, &str); 3] = [
    ("mnist_communicator_init", "fit_options takes C's struct, which mnist_mpi.h fills in"),
    ("mnist_error_status", "it is what the call has returned"),
    ("mnist_model_save_c", "mnist_model_save_c_with does the same, told the defaults"),
];

/// Fields of C's options that the layer's have no counterpart of: sizes, and what is handed to functions.
const WITHIN_OTHERS: [&str; 6] = ["struct_size", "rank", "user", "user_data", "write_data", "class_weight_len"];

/// The option structs that the layer has a form of its own for: all but those that it takes as they are.
fn options(c: &Header) -> impl Iterator<Item = &Struct> {
    c.structs.iter().filter(|found| found.fields[0].name == "struct_size" && found.name != "mnist_communicator")
}

/// Whether a text has a word.
fn has_word(text: &str, word: &str) -> bool {
    text.split(|c: char| c != '_' && !c.is_ascii_alphanumeric()).any(|found| found == word)
}

#[test]
fn all_of_the_c_interface_is_in_it() {
    let (c, layer) = (Header::committed(), Layer::committed());
    for name in c.functions.iter().map(|function| function.name.as_str()) {
        let excused = UNUSED.iter().any(|(unused, _)| *unused == name);
        assert!(has_word(&layer.text, name) != excused, "include/mnist.hpp and {name}: used {}", !excused);
    }
    for (name, _) in c.family("MNIST_ACTIVATION_") {
        assert!(has_word(&layer.text, name), "include/mnist.hpp lacks {name}");
    }
    let mut compared = 0;
    for options_of_c in options(&c) {
        let name = options_of_c.name.trim_start_matches("mnist_");
        let here = layer.find(name).unwrap_or_else(|| panic!("include/mnist.hpp has no {name}"));
        let ours: Vec<_> = here.fields.iter().map(|field| field.name.as_str()).collect();
        let capacity = |name: &str| name.ends_with("_capacity");
        let theirs = options_of_c.fields.iter().map(|field| field.name.as_str());
        for field in theirs.filter(|name| !WITHIN_OTHERS.contains(name) && !capacity(name)) {
            assert!(ours.contains(&field), "include/mnist.hpp: {name} lacks {field}");
            assert!(
                layer.text.contains(&format!("c.{field} = ")),
                "include/mnist.hpp: {name}: {field} is not handed on"
            );
        }
        compared += 1;
    }
    assert!(compared >= 5, "{compared}");
}

/// An argument of that type for a call that must not come as far as to look at it.
fn argument(kind: &str, of: &str) -> String {
    let given = match kind {
        "const path &" | "const text &" | "const std::optional<path> &" | "const std::optional<text> &" => "\"none\"",
        "std::size_t" | "std::uint64_t" | "std::uint32_t" => "1u",
        "float" | "double" => "0.5f",
        "bool" => "true",
        "std::uint32_t *" => "nullptr",
        "const void *" => "bytes.data()",
        "const Bytes &" => "bytes",
        "const float *" | "float *" => "floats.data()",
        "const input_array<float> &" | "array_view<float>" => "floats",
        "array_view<std::uint32_t>" => "labels",
        "const input_array<std::size_t> &" => "sizes",
        "const std::pair<std::vector<float>, std::vector<float>> &" => "std::make_pair(floats, floats)",
        "const compile_options &" => "mnist::compile_options()",
        "const fit_options &" => "mnist::fit_options()",
        "const evaluate_options &" => "mnist::evaluate_options()",
        "const c_options &" => "mnist::c_options()",
        "const dataset &" => "good_dataset",
        "const model &" => "good_model",
        _ => {
            panic!("include/mnist.hpp: {of}: no argument is known for `{kind}`: add one to `argument` in tests/cpp.rs")
        }
    };
    given.to_string()
}

/// The arguments of a call.
fn arguments(function: &Function) -> Vec<String> {
    function.parameters.iter().map(|place| argument(&place.kind, &function.signature())).collect()
}

/// The owner that a parameter refers to.
fn referred<'a>(layer: &'a Layer, kind: &str) -> Option<&'a Class> {
    let name = kind.strip_prefix("const ").unwrap_or(kind).trim_end_matches(['&', '*']).trim();
    layer.owners().find(|class| class.name == name && kind.ends_with(['&', '*']))
}

/// Calls of every function of an object that was moved from, and of every function that takes one.
fn calls_with_empty_objects(layer: &Layer) -> Vec<String> {
    let call = |empty: &str, what: &str, code: &str| format!("IS_EMPTY({empty}, \"{what}\", {code});");
    let mut calls = Vec::new();
    for class in layer.owners() {
        let Class { name, .. } = class;
        calls.push(call(name, &format!("{name}::get()"), "empty.get()"));
        for method in class.methods() {
            let what = format!("{name}::{}", method.signature());
            calls.push(call(name, &what, &format!("empty.{}({})", method.name, arguments(method).join(", "))));
        }
        for function in &class.functions {
            let called = match (function.is_static, function.name == *name) {
                (true, _) => format!("mnist::{name}::{}", function.name),
                (_, true) => format!("mnist::{name}"),
                _ => format!("good_{name}.{}", function.name),
            };
            for (i, of, empty) in empty_arguments(layer, function) {
                let mut given = arguments(function);
                given[i] = empty;
                let what = format!("{name}::{}, argument {i}", function.signature());
                calls.push(call(of, &what, &format!("{called}({})", given.join(", "))));
            }
        }
    }
    for function in &layer.functions {
        assert!(empty_arguments(layer, function).is_empty(), "{}: not called yet", function.signature());
    }
    calls
}

/// Where a function can be given an empty object: the argument's number, whose kind the object is, and the argument: it, or
/// options that point to it.
fn empty_arguments<'a>(layer: &'a Layer, function: &Function) -> Vec<(usize, &'a str, String)> {
    let mut found = Vec::new();
    for (i, parameter) in function.parameters.iter().enumerate() {
        if let Some(of) = referred(layer, &parameter.kind) {
            found.push((i, of.name.as_str(), "empty".to_string()));
        }
        let options = layer.find(parameter.kind.trim_start_matches("const ").trim_end_matches(" &"));
        for field in options.iter().flat_map(|options| &options.fields) {
            let Some(of) = referred(layer, &field.kind) else { continue };
            let name = &options.unwrap().name;
            found.push((i, of.name.as_str(), format!("with(mnist::{name}(), &mnist::{name}::{}, &empty)", field.name)));
        }
    }
    found
}

/// Each number's default, compared with C's.
fn defaults(c: &Header, layer: &Layer) -> Vec<String> {
    let numbers = ["std::size_t", "std::uint32_t", "std::uint64_t", "int", "bool", "double"];
    let mut compared = Vec::new();
    for options in options(c) {
        let here = layer.find(options.name.trim_start_matches("mnist_")).unwrap();
        let shared = |name: &str| options.fields.iter().any(|field| field.name == name);
        for field in here.fields.iter().filter(|field| numbers.contains(&field.kind.as_str()) && shared(&field.name)) {
            compared.push(format!("SAME({}, {});", here.name, field.name));
        }
    }
    compared
}

/// Compiles a program of which a part is written here, with one function that makes each of `lines` a statement.
fn generated(folder: &Path, source: &str, function: &str, lines: &[String]) -> PathBuf {
    let mut text = format!("static void {function}()\n{{\n");
    lines.iter().for_each(|line| writeln!(text, "    {line}").unwrap());
    std::fs::write(folder.join("generated.hpp"), text + "}\n").unwrap();
    program_with(folder, source, &["-I", folder.to_str().unwrap(), "-Wconversion"])
}

#[test]
fn every_function_of_an_empty_object_throws() {
    let (layer, folder) = (Layer::committed(), tempfile::tempdir().unwrap());
    let names: Vec<_> = layer.owners().map(|class| class.name.as_str()).collect();
    assert_eq!(names, ["npz", "dataset", "graph", "history", "model"]);
    let calls = calls_with_empty_objects(&layer);
    assert!(calls.len() > 90, "{}", calls.len());
    for some in [
        "model::predict(const float *, std::size_t)",
        "model::cancel()",
        "&mnist::fit_options::validation_data, &empty",
    ] {
        assert!(calls.iter().any(|call| call.contains(some)), "{some}");
    }
    let program = generated(folder.path(), "empty.cpp", "call_all", &calls);
    print!("{}", stdout(Command::new(program).arg(Path::new(ROOT).join("examples/data/mnist.npz"))));
}

#[test]
fn its_defaults_are_c_s() {
    let (c, layer, folder) = (Header::committed(), Layer::committed(), tempfile::tempdir().unwrap());
    let compared = defaults(&c, &layer);
    assert!(compared.len() > 25, "{}", compared.len());
    print!("{}", stdout(&mut Command::new(generated(folder.path(), "same_defaults.cpp", "compare", &compared))));
}

#[test]
fn fits_evaluations_files_and_layers() {
    let folder = tempfile::tempdir().unwrap();
    print!("{}", stdout(Command::new(program(folder.path(), "wrapper.cpp")).arg(folder.path())));
}

/// Whether the compiler knows C++20, and its library std::span.
fn knows_cpp20(folder: &Path) -> bool {
    let source = folder.join("span.cpp");
    std::fs::write(&source, "#include <span>\nint main() { return std::span<int>().size() != 0; }\n").unwrap();
    let output = compiler("span.cpp").args(["-std=c++20", "-fsyntax-only"]).arg(source).output().unwrap();
    output.status.success()
}

#[test]
fn arrays_texts_and_options_of_every_form() {
    let folder = tempfile::tempdir().unwrap();
    let standards = ["-std=c++17", "-std=c++20"];
    for standard in &standards[..1 + usize::from(knows_cpp20(folder.path()))] {
        let program = program_with(folder.path(), "forms.cpp", &[standard, "-Wconversion"]);
        print!("{standard}: {}", stdout(Command::new(program).arg(folder.path())));
    }
}

#[test]
fn what_a_callback_a_writer_or_a_source_throws_comes_out_of_the_call() {
    let folder = tempfile::tempdir().unwrap();
    print!("{}", stdout(&mut Command::new(program_with(folder.path(), "thrown.cpp", &["-Wconversion"]))));
}

#[test]
fn it_compiles_alone_by_each_standard() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("alone.cpp");
    std::fs::write(&source, "#include <mnist.hpp>\nint unused;\n").unwrap();
    let standards = ["-std=c++17", "-std=c++20", "-std=c++2b"];
    let known = if knows_cpp20(folder.path()) { 3 } else { 1 };
    for standard in &standards[..known] {
        run(compiler("alone.cpp")
            .args(["-Wconversion", standard, "-c", "-o"])
            .arg(folder.path().join("o"))
            .arg(&source));
    }
}

/// With `using namespace mnist` a name that C's library has as well would mean two things.
#[test]
#[cfg(target_os = "linux")]
fn no_name_is_one_of_c_s_functions() {
    let layer = Layer::committed();
    let mut names: Vec<_> = layer.classes.iter().map(|class| class.name.as_str()).collect();
    names.extend(layer.functions.iter().map(|function| function.name.as_str()));
    let using = layer.text.lines().filter_map(|line| line.strip_prefix("using "));
    names.extend(using.map(|rest| rest.trim_start_matches("activations::").split([' ', ';']).next().unwrap()));
    assert!(["model", "relu", "load_data", "writer", "path"].iter().all(|name| names.contains(name)), "{names:?}");
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("all.c");
    let headers =
        ["math", "stdio", "stdlib", "string", "time", "wchar", "ctype", "signal", "complex", "unistd", "fcntl"];
    let includes: Vec<_> = headers.iter().map(|name| format!("#include <{name}.h>\n")).collect();
    std::fs::write(&source, format!("#define _GNU_SOURCE\n{}", includes.concat())).unwrap();
    let text = stdout(compiler("all.c").arg("-E").arg(source));
    assert!(has_word(&text, "tanh") && has_word(&text, "erf"), "C's names are not seen");
    let both: Vec<_> = names.iter().filter(|name| has_word(&text, name)).collect();
    assert!(both.is_empty(), "{both:?}");
}
