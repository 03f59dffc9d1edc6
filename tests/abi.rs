//! The agreed C ABI: `tests/abi/mnist.abi` has the constants, the structs with the offsets of their fields, the callbacks
//! and the functions, as a C compiler sees them. A change must be intentional: `MNIST_UPDATE_ABI=1 cargo test --release
//! --test abi` writes the file, and the difference is reviewed.
//!
//! The snapshot is that of 64-bit machines, on which all sizes are the same.

mod header;
mod programs;

use header::Header;
use programs::{ROOT, program, stdout};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

/// A C program that prints the layout of every struct of the header, and the value of every constant.
fn layouts(header: &Header) -> String {
    let mut c = String::from("#include <mnist.h>\n#include <stdio.h>\n\nint main(void)\n{\n");
    for (name, _) in &header.constants {
        writeln!(c, "    printf(\"constant {name} = %d\\n\", (int){name});").unwrap();
    }
    for (name, kind) in &header.integers {
        writeln!(c, "    printf(\"type {name} = {kind}, %zu bytes\\n\", sizeof({name}));").unwrap();
    }
    for found in &header.structs {
        let name = &found.name;
        writeln!(c, "    printf(\"struct {name}: %zu bytes\\n\", sizeof({name}));").unwrap();
        for field in &found.fields {
            let (text, field) = (field.declaration(), &field.name);
            writeln!(
                c,
                "    printf(\"struct {name} at %zu, %zu bytes: {text}\\n\", offsetof({name}, {field}), \
                 sizeof((({name} *)0)->{field}));"
            )
            .unwrap();
        }
    }
    c + "    return 0;\n}\n"
}

/// The current ABI: one line for each declaration that a program can depend on.
fn today() -> String {
    let header = Header::committed();
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("layouts.c");
    std::fs::write(&source, layouts(&header)).unwrap();
    let mut lines = stdout(&mut Command::new(program(folder.path(), source.to_str().unwrap())));
    for name in &header.opaque {
        writeln!(lines, "type {name}").unwrap();
    }
    for callback in &header.callbacks {
        writeln!(lines, "callback {}", callback.prototype()).unwrap();
    }
    for function in &header.functions {
        writeln!(lines, "function {}", function.prototype()).unwrap();
    }
    lines
}

#[test]
#[cfg(all(unix, target_pointer_width = "64"))]
fn the_abi_is_the_one_agreed_on() {
    let (path, now) = (Path::new(ROOT).join("tests/abi/mnist.abi"), today());
    if std::env::var_os("MNIST_UPDATE_ABI").is_some() {
        std::fs::write(&path, &now).unwrap();
    }
    let agreed = std::fs::read_to_string(&path).unwrap();
    let (now, agreed): (BTreeSet<_>, BTreeSet<_>) = (now.lines().collect(), agreed.lines().collect());
    assert!(agreed.len() > 100, "{} lines", agreed.len());
    let gone: Vec<_> = agreed.difference(&now).map(|line| format!("- {line}\n")).collect();
    let new: Vec<_> = now.difference(&agreed).map(|line| format!("+ {line}\n")).collect();
    let meaning = match (gone.is_empty(), new.is_empty()) {
        (true, true) => return println!("{} lines of ABI as agreed", now.len()),
        (true, false) if !new.iter().any(|line| line.starts_with("+ struct")) => {
            "Only added to: programs built before still run. It takes a new minor version."
        }
        _ => "Programs built before may break: before 1.0 it takes a new minor version, then a new major one.",
    };
    panic!(
        "the ABI is another than agreed on.\n{meaning}\nIf that is meant: MNIST_UPDATE_ABI=1 cargo test --release \
         --test abi, and a line in CHANGELOG.md.\n{}{}",
        gone.concat(),
        new.concat()
    );
}
