//! The examples in other languages that declare the header's structs themselves. (`examples/languages/run` runs the
//! examples whose language is installed.)

use std::path::Path;

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The text between two words.
fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let (_, rest) = text.split_once(from).unwrap_or_else(|| panic!("no {from}"));
    rest.split_once(to).unwrap_or_else(|| panic!("no {to} after {from}")).0
}

/// The fields of a struct of the header, in order.
fn header_fields(header: &str, name: &str) -> Vec<String> {
    let body = between(header, &format!("typedef struct {name} {{\n"), "\n}");
    let lines = body.lines().map(str::trim).filter(|line| line.ends_with(';') && !line.starts_with('/'));
    lines.map(|line| line.trim_end_matches(';').rsplit([' ', '*']).next().unwrap().to_string()).collect()
}

/// The quoted strings.
fn quoted(text: &str) -> Vec<String> {
    text.split('"').skip(1).step_by(2).map(String::from).collect()
}

/// The keys of a JavaScript object.
fn keys(text: &str) -> Vec<String> {
    let without_comments = text.lines().map(|line| line.split("//").next().unwrap()).collect::<String>();
    without_comments.split(',').filter_map(|pair| Some(pair.split_once(':')?.0.trim().to_string())).collect()
}

/// A missing or misplaced field would shift all fields after it. Additional fields at the end are allowed, because a program built
/// against a newer header passes a longer struct.
#[test]
fn structs_are_laid_out_as_in_the_header() {
    let header = read("include/mnist.h");
    let (python, node, java) = (
        read("examples/languages/python/tutorial.py"),
        read("examples/languages/node/tutorial.js"),
        read("examples/languages/java/Tutorial.java"),
    );
    let order = |class: &str| {
        let before = java.split_once(&format!("class {class} ")).unwrap().0;
        quoted(between(&before[before.rfind("FieldOrder").unwrap()..], "(", ")"))
    };
    for (name, found) in [
        ("mnist_fit_options", quoted(between(&python, "class FitOptions", "\n\n"))),
        ("mnist_progress", quoted(between(&python, "class Progress", "\n\n"))),
        ("mnist_fit_options", keys(between(&node, "struct('mnist_fit_options', {", "})"))),
        ("mnist_progress", keys(between(&node, "struct('mnist_progress', {", "})"))),
        ("mnist_metrics", keys(between(&node, "struct('mnist_metrics', {", "})"))),
        ("mnist_fit_options", order("FitOptions")),
        ("mnist_progress", order("Progress")),
    ] {
        let wanted = header_fields(&header, name);
        assert!(wanted.len() > 1 && found.starts_with(&wanted), "{name}: header {wanted:?}, example {found:?}");
    }
    assert_eq!(
        header_fields(&header, "mnist_metrics"),
        ["loss", "accuracy"],
        "two doubles, as Python and Java take them"
    );
}
