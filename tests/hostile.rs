//! Hostile calls: every exported function with each of its arguments and each field of its options wrong, one at a time,
//! while the others are valid.
//!
//! The functions are read from the header. This file writes tables in C (`table.h`: a thunk for each function, and the kind
//! of each parameter and field), and `tests/c/hostile/hostile.c` executes them: it finds valid arguments by trial, knows
//! wrong values for each kind, and checks the conditions after each call. A function or an option that is added to the
//! header is therefore tested at once. An unknown kind fails the test.

mod header;
mod programs;

use header::{Function, Header, Place};
use programs::{program_with, stdout, watched};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

/// A function's parameter or a struct's field, as an initializer in C; `owner` is the struct of a field.
fn entry(header: &Header, place: &Place, owner: Option<&str>) -> String {
    let bare = place.kind.trim_start_matches("const ");
    let pointee = bare.strip_suffix("* const *").unwrap_or(bare).trim_end_matches('*').trim();
    // Memory for a file's bytes, unlike a callback's user data.
    let bytes = bare == "void *" && ["data", "buffer"].contains(&place.name.as_str());
    let pointee = if bytes { "uint8_t" } else { pointee };
    let constant = place.kind.starts_with("const ");
    let opaque = header.opaque.iter().any(|name| name == pointee);
    let options = header.find_struct(pointee).map(|found| found.fields[0].name == "struct_size");
    let family = match header.integers.iter().any(|(name, _)| name == bare) {
        true => bare.trim_start_matches("mnist_"),
        false => place.name.trim_end_matches('s'),
    };
    let family = format!("MNIST_{}_", family.to_uppercase());
    let members: Vec<_> = header.family(&family).map(|(name, _)| name.as_str()).collect();
    let kind = match (bare, bare.matches('*').count()) {
        (_, 2) if opaque && bare.ends_with("* const *") => "OBJECTS",
        (_, 2) if opaque => "OUT_OBJECT",
        (_, 1) if opaque => "OBJECT",
        (_, 1) if constant && pointee == "mnist_array" => "ARRAY",
        (_, 1) if constant && pointee == "mnist_progress" => "PROGRESS",
        ("char *", _) if constant => "TEXT",
        ("void *", _) if bytes => ["OUT", "IN"][usize::from(constant)],
        ("void *", _) => "USER_DATA",
        (_, 1) if constant && options == Some(true) => "OPTIONS",
        (_, 1) if !constant && options.is_some() => "OUT",
        (_, 1) if NUMBERS.contains(&pointee) => ["OUT", "IN"][usize::from(constant)],
        ("double" | "float", 0) => "REAL",
        (_, 0) if header.callbacks.iter().any(|callback| callback.name == bare) => "FUNCTION",
        ("size_t", 0) if place.name == "struct_size" && owner.is_some() => "STRUCT_SIZE",
        (_, 0) if !members.is_empty() => "CONSTANT",
        (_, 0) if NUMBERS.contains(&bare) || header.integers.iter().any(|(name, _)| name == bare) => "NUMBER",
        _ => panic!(
            "include/mnist.h: `{}` is of no kind that is known: add it to `entry` in tests/hostile.rs, with what is good \
             and what is wrong of it to tests/c/hostile/values.h",
            place.declaration()
        ),
    };
    let size = match kind {
        "OUT" | "IN" | "OPTIONS" | "ARRAY" | "PROGRESS" => format!("sizeof({pointee})"),
        _ => format!("sizeof({})", place.kind),
    };
    let mut entry = format!(
        "{{.name = \"{}\", .kind = {kind}, .type = \"{pointee}\", .constant = {}, .size = {size}",
        place.name,
        u8::from(constant)
    );
    if let Some(owner) = owner {
        write!(entry, ", .offset = offsetof({owner}, {})", place.name).unwrap();
    }
    if kind == "CONSTANT" {
        let n = members.len();
        write!(entry, ", .members = (const int64_t[]){{{}}}, .count = {n}", members.join(", ")).unwrap();
    }
    entry + "}"
}

const NUMBERS: [&str; 7] = ["size_t", "uint64_t", "uint32_t", "uint8_t", "int32_t", "float", "double"];

/// The kind of a function's result: a status with a message, or something else.
fn result(header: &Header, function: &Function) -> &'static str {
    let status = function.returns == "mnist_status";
    match function.returns.as_str() {
        "void" => "NOTHING",
        _ if status && function.parameters.last().is_some_and(|last| last.kind == "mnist_error *") => "STATUS",
        "mnist_status" => "ANY_NUMBER",
        "const char *" => "STRING",
        other if header.opaque.iter().any(|name| other == format!("{name} *")) => "NEW_OBJECT",
        other if NUMBERS.contains(&other) || header.integers.iter().any(|(name, _)| name == other) => "A_NUMBER",
        other => panic!(
            "include/mnist.h: {} returns `{other}`, of which it is not known what it says: add it to `result` in \
             tests/hostile.rs and to `failed` in tests/c/hostile/hostile.c",
            function.name
        ),
    }
}

/// A thunk: a function that calls one of the library's functions with arguments of one common type.
fn thunk(header: &Header, function: &Function) -> String {
    let argument = |(i, place): (usize, &Place)| match entry(header, place, None) {
        text if text.contains("kind = REAL") => format!("({})a[{i}].d", place.kind),
        text if text.contains("kind = FUNCTION") => format!("({})a[{i}].f", place.kind),
        _ if place.kind.ends_with('*') => format!("({})a[{i}].p", place.kind),
        _ => format!("({})a[{i}].u", place.kind),
    };
    let arguments: Vec<_> = function.parameters.iter().enumerate().map(argument).collect();
    let call = format!("{}({})", function.name, arguments.join(", "));
    let body = match function.returns.as_str() {
        "void" => call,
        returns if returns.ends_with('*') => format!("r.p = (void *){call}"),
        _ => format!("r.u = (uint64_t){call}"),
    };
    format!(
        "static value call_{}(const value *a)\n{{\n    value r = {{0}};\n    (void)a;\n    {body};\n    return r;\n}}\n",
        function.name
    )
}

/// The tables.
fn table(header: &Header) -> String {
    let mut text = String::from("/* Written by tests/hostile.rs from include/mnist.h. */\n\n");
    let is_function = |name: &str| header.functions.iter().any(|function| function.name == name);
    let mut list = String::new();
    for name in &header.opaque {
        let free = format!("{name}_free");
        let wrapper = match is_function(&free) {
            true => format!("free_{name}"),
            false => "NULL".into(),
        };
        if is_function(&free) {
            writeln!(text, "static void free_{name}(void *object)\n{{\n    {free}(object);\n}}").unwrap();
        }
        writeln!(list, "    {{\"{name}\", {wrapper}}},").unwrap();
    }
    writeln!(text, "static const struct type types[] = {{\n{list}}};\n").unwrap();

    list.clear();
    for Struct { name, fields } in header.structs.iter().filter(|found| found.fields[0].name == "struct_size") {
        assert!(is_function(&format!("{name}_init")), "include/mnist.h: no function fills in {name}");
        writeln!(text, "static void init_{name}(void *options)\n{{\n    {name}_init(options, sizeof({name}));\n}}")
            .unwrap();
        writeln!(text, "static const struct place fields_{name}[] = {{").unwrap();
        fields.iter().for_each(|field| writeln!(text, "    {},", entry(header, field, Some(name))).unwrap());
        writeln!(text, "}};").unwrap();
        let n = fields.len();
        writeln!(list, "    {{\"{name}\", sizeof({name}), init_{name}, fields_{name}, {n}}},").unwrap();
    }
    writeln!(text, "static const struct options all_options[] = {{\n{list}}};\n").unwrap();

    list.clear();
    for function @ Function { name, parameters, .. } in &header.functions {
        text.push_str(&thunk(header, function));
        writeln!(text, "static const struct place places_{name}[] = {{").unwrap();
        parameters.iter().for_each(|place| writeln!(text, "    {},", entry(header, place, None)).unwrap());
        writeln!(text, "    {{.name = NULL}}}};").unwrap();
        let returned = function.returns.trim_start_matches("const ").trim_end_matches('*').trim();
        let (n, result) = (parameters.len(), result(header, function));
        writeln!(list, "    {{\"{name}\", call_{name}, {result}, \"{returned}\", places_{name}, {n}}},").unwrap();
    }
    writeln!(text, "static const struct function functions[] = {{\n{list}}};").unwrap();
    text
}

use header::Struct;

/// The valid files: an archive with all arrays that any call reads, two IDX files, and a table.
fn files(folder: &Path) {
    let npy = |shape: &str, data: &[u8]| {
        let text = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}\n");
        [b"\x93NUMPY\x01\x00", &(text.len() as u16).to_le_bytes()[..], text.as_bytes(), data].concat()
    };
    let pixels: Vec<u8> = (0..12 * 64).map(|i| (i * 7 % 251) as u8).collect();
    let labels: Vec<u8> = (0..12).map(|i| i % 10).collect();
    let mut writer = zip::ZipWriter::new(std::fs::File::create(folder.join("arrays.npz")).unwrap());
    let options = zip::write::SimpleFileOptions::default();
    for name in ["images", "labels", "x_train", "y_train", "x_test", "y_test"] {
        writer.start_file(format!("{name}.npy"), options).unwrap();
        let array = match name.starts_with(['i', 'x']) {
            true => npy("(12, 8, 8)", &pixels),
            false => npy("(12,)", &labels),
        };
        writer.write_all(&array).unwrap();
    }
    writer.finish().unwrap();
    let idx = |name: &str, head: &[u32], data: &[u8]| {
        let head: Vec<u8> = head.iter().flat_map(|word| word.to_be_bytes()).collect();
        std::fs::write(folder.join(name), [&head, data].concat()).unwrap();
    };
    idx("images.idx", &[0x803, 12, 8, 8], &pixels);
    idx("labels.idx", &[0x801, 12], &labels);
    std::fs::write(folder.join("table.csv"), "label,a,b\n1,2,3\n4,5,6\n").unwrap();
    std::fs::write(folder.join("named.csv"), "red,1,2,3,4,5,6,7,8\nblue,1,2,3,4,5,6,7,8\n").unwrap();
    let (mut header, mut end) = (Vec::new(), 0);
    for (name, shape) in
        [("conv.weight", "[2,1,3,3]"), ("conv.bias", "[2]"), ("fc.weight", "[10,72]"), ("fc.bias", "[10]")]
    {
        let start = end;
        end += 4 * shape[1..shape.len() - 1].split(',').map(|size| size.parse::<usize>().unwrap()).product::<usize>();
        header.push(format!(r#""{name}":{{"dtype":"F32","shape":{shape},"data_offsets":[{start},{end}]}}"#));
    }
    let header = format!("{{{}}}", header.join(","));
    let tensors = [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &vec![0; end]].concat();
    std::fs::write(folder.join("torch.safetensors"), tensors).unwrap();
    let cache = folder.join("keras/datasets");
    std::fs::create_dir_all(&cache).unwrap();
    std::fs::copy(folder.join("arrays.npz"), cache.join("mnist.npz")).unwrap();
}

/// Executes the tables in the mode given by the arguments.
fn run(how: &[&str]) {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().to_path_buf();
    std::fs::write(folder.join("table.h"), table(&Header::committed())).unwrap();
    files(&folder);
    let include = format!("-I{}", folder.display());
    let program = program_with(&folder, "hostile/hostile.c", &[&include]);
    let text = stdout(Command::new(program).arg(&folder).args(how));
    println!("{}", text.lines().next_back().unwrap()); // before it is the output of calls with NULL as write function
}

#[test]
fn every_argument_of_every_function_is_tried_wrong() {
    run(if watched() { &[] } else { &["freed"] });
}

#[test]
#[cfg(all(unix, not(target_os = "android")))]
fn a_thread_is_cancelled_in_every_function() {
    run(&["cancelled"]);
}

#[test]
#[cfg(unix)]
fn children_are_forked_off_in_every_function_that_is_called_back() {
    run(&["forked", "1"]);
    run(&["forked", "2"]);
}

#[test]
#[should_panic(expected = "`long double *x` is of no kind that is known")]
fn an_unknown_type_ends_the_test() {
    table(&Header::parse("typedef struct mnist_x mnist_x;\nvoid mnist_f(long double *x);"));
}
