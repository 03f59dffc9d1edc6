//! The project's Markdown pages, and the blocks of code in them.
#![allow(dead_code)] // each test uses a part of it

use std::path::{Path, PathBuf};

/// A code block: fenced, or indented by at least four spaces.
#[derive(Debug, PartialEq)]
pub struct Block {
    /// The path of the page in the repository.
    pub page: String,
    /// The number of its first line, from 1.
    pub line: usize,
    /// The last heading before it: "## Linking".
    pub section: String,
    /// The info string of the fence: "c", "cpp program"; "" for an indented block.
    pub info: String,
    /// The code, without the indentation of the block.
    pub text: String,
}

impl Block {
    /// Where it is, for messages.
    pub fn place(&self) -> String {
        format!("{}:{}", self.page, self.line)
    }

    /// The first word of the info string.
    pub fn language(&self) -> &str {
        self.info.split_whitespace().next().unwrap_or("")
    }
}

/// All Markdown files of the repository, in order. Built files, installed packages and generated pages are not among them.
pub fn pages(root: &Path) -> Vec<PathBuf> {
    let (mut pages, mut folders) = (Vec::new(), vec![root.to_path_buf()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            let others = ["target", "node_modules", "build", "dist", "venv", "corpus"];
            if path.is_symlink()
                || name.starts_with('.')
                || others.contains(&name)
                || path == root.join("docs/reference")
            {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if name.ends_with(".md") {
                pages.push(path);
            }
        }
    }
    pages.sort();
    pages
}

/// The blocks of a page's text.
pub fn blocks(page: &str, text: &str) -> Vec<Block> {
    let (mut blocks, mut open) = (Vec::new(), None::<Block>);
    let (mut fence, mut margin, mut blank, mut section) = (None::<usize>, 4, true, String::new());
    for (i, line) in text.lines().enumerate() {
        let indent = line.len() - line.trim_start().len();
        if fence.is_none() && line.starts_with('#') {
            section = line.trim().into();
        }
        let begin = |info: &str, line| {
            let (page, section) = (page.into(), section.clone());
            Block { page, line, section, info: info.trim().into(), text: String::new() }
        };
        if let Some(width) = fence {
            if line.trim_start().starts_with("```") {
                blocks.extend(open.take());
                (fence, blank) = (None, true);
            } else {
                let block = open.as_mut().unwrap();
                block.text += &format!("{}\n", &line[width.min(indent)..]);
            }
            continue;
        }
        if let Some(info) = line.trim_start().strip_prefix("```") {
            blocks.extend(open.take());
            (open, fence) = (Some(begin(info, i + 2)), Some(indent));
        } else if line.trim().is_empty() {
            if let Some(block) = &mut open {
                block.text += "\n";
            }
        } else if indent >= margin && (blank || open.is_some()) {
            open.get_or_insert_with(|| begin("", i + 1)).text += &format!("{}\n", &line[margin..]);
        } else {
            blocks.extend(open.take());
            // In a list item, indentation counts from the item's text.
            let item = line.trim_start().starts_with("* ") || line.trim_start().starts_with("- ");
            margin = if item {
                indent + 6
            } else if indent == 0 {
                4
            } else {
                margin
            };
        }
        blank = line.trim().is_empty();
    }
    blocks.extend(open);
    blocks.iter_mut().for_each(|block| block.text = format!("{}\n", block.text.trim_end()));
    blocks
}

#[test]
fn reads_fenced_and_indented_blocks() {
    let text = "Text\n    no code\n\n    make x  # y\n\n    z\n\n* item\n    more of it\n\n    still text\n\n      ```c\n      f();\n        g();\n      ```\n\
                Text.\n\n```cpp program\nint main()\n```\n";
    let found = blocks("p.md", text);
    let found: Vec<_> = found.iter().map(|b| (b.line, b.info.as_str(), b.text.as_str())).collect();
    assert_eq!(
        found,
        [(4, "", "make x  # y\n\nz\n"), (14, "c", "f();\n  g();\n"), (20, "cpp program", "int main()\n")]
    );
}
