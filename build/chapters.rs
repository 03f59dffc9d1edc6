//! Sorts the header into chapters: one per object, with its constants, types and functions. Each chapter is a group of the reference
//! (docs/Doxyfile). cbindgen itself writes all constants, then all types, then all functions.

use std::fs;
use std::path::Path;

/// A chapter of the header.
struct Chapter {
    /// The name of the Doxygen group.
    id: &'static str,
    title: &'static str,
    /// The files of `src/capi` whose items belong to it, and single items (`mnist_...`) from files of other chapters.
    members: &'static [&'static str],
}

const CHAPTERS: [Chapter; 10] = [
    Chapter { id: "status", title: "Status and errors", members: &["error"] },
    Chapter {
        id: "dataset",
        title: "Datasets",
        members: &[
            "npz",
            "dataset_files",
            "dataset_memory",
            "array",
            "source",
            "dataset",
            "dataset_change",
            "dataset_values",
        ],
    },
    Chapter { id: "image", title: "Pictures", members: &["image"] },
    Chapter { id: "graph", title: "Graphs and layers", members: &["graph"] },
    Chapter { id: "model", title: "Models", members: &["output", "model", "layers"] },
    Chapter { id: "fit", title: "Fit", members: &["communicator", "fit", "history", "mnist_metrics"] },
    Chapter { id: "predict", title: "Evaluate and predict", members: &["evaluate"] },
    Chapter { id: "weights", title: "Weights by name", members: &["named_weights"] },
    Chapter { id: "file", title: "Files and memory", members: &["weights", "memory"] },
    Chapter { id: "interop", title: "Keras, ONNX and C", members: &["keras", "onnx", "c_source"] },
];

/// The files of `src/capi` whose items the header declares, in the header's order.
pub fn files() -> impl Iterator<Item = &'static str> {
    CHAPTERS.iter().flat_map(|chapter| chapter.members).copied().filter(|name| !name.starts_with("mnist_"))
}

/// Sorts the blocks of cbindgen's output into chapters.
pub fn arrange(header: &str, sources: &Path) -> String {
    let texts: [Vec<String>; CHAPTERS.len()] = CHAPTERS.each_ref().map(|chapter| {
        let files = chapter.members.iter().filter(|name| !name.starts_with("mnist_"));
        files
            .map(|name| fs::read_to_string(sources.join(name).with_extension("rs")).expect("a file of src/capi"))
            .collect()
    });
    let chapter_of = |name: &str| {
        let listed = CHAPTERS.iter().position(|chapter| chapter.members.contains(&name));
        let found = || texts.iter().position(|files| files.iter().any(|text| declares(text, name)));
        listed.or_else(found).unwrap_or_else(|| panic!("no chapter of the header has {name}"))
    };
    let (mut before, mut after) = (Vec::new(), Vec::new());
    let mut chapters = CHAPTERS.each_ref().map(|_| Vec::new());
    for block in header.trim_end().split("\n\n") {
        match declared(block) {
            Some(name) => chapters[chapter_of(&name)].push(block),
            None if block.contains("}  // extern") || block.starts_with("#endif") => after.push(block),
            None => before.push(block),
        }
    }
    let chapters = CHAPTERS.iter().zip(&texts).zip(&chapters);
    let chapters: Vec<_> =
        chapters.map(|((chapter, texts), blocks)| group(chapter, texts, &blocks.join("\n\n"))).collect();
    [before.join("\n\n"), chapters.join("\n\n"), after.join("\n\n")].join("\n\n") + "\n"
}

/// A chapter as a Doxygen group: its title, the first lines of its files' documentation, and its items.
fn group(chapter: &Chapter, texts: &[String], items: &str) -> String {
    let about = |text: &String| {
        let lines = text.lines().map_while(|line| line.strip_prefix("//! "));
        lines.map(|line| format!("/// {line}\n")).collect::<String>()
    };
    let about: String = texts.iter().map(about).collect();
    format!("/// @defgroup {} {}\n{about}/// @{{\n\n{items}\n\n/// @}}", chapter.id, chapter.title)
}

/// Whether a source file declares the item.
fn declares(source: &str, name: &str) -> bool {
    let kinds = ["const", "type", "struct", "extern \"C\" fn", "unsafe extern \"C\" fn"];
    source.lines().any(|line| {
        let found = kinds.iter().find_map(|kind| line.strip_prefix("pub ")?.strip_prefix(kind)?.strip_prefix(' '));
        found.and_then(|rest| rest.strip_prefix(name)).is_some_and(|rest| !rest.starts_with(is_word))
    })
}

/// The name of the item that a block of the header declares.
fn declared(block: &str) -> Option<String> {
    let code = block.lines().filter(|line| !line.trim_start().starts_with("//"));
    let code = code.collect::<Vec<_>>().join(" ");
    let before = |text: &str, end: &str| Some(text.split_once(end)?.0.to_string());
    let place = if let Some(constant) = code.strip_prefix("#define ") {
        before(constant, " ")?
    } else if code.is_empty() || code.starts_with('#') {
        return None;
    } else if !code.starts_with("typedef ") {
        before(&code, "(")?
    } else if let Some((_, callback)) = code.split_once("(*") {
        before(callback, ")")?
    } else {
        code
    };
    place.rsplit(|c| !is_word(c)).find(|word| !word.is_empty()).map(String::from)
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_ascii_alphanumeric()
}
