//! The tutorial pages in `docs/` show the programs' own lines and their output.

mod programs;

use programs::{ROOT, link, stdout};
use std::path::Path;
use std::process::Command;

const PAGES: [&str; 2] = ["docs/tutorial.md", "docs/tutorial.ja.md"];

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(ROOT).join(path)).unwrap()
}

/// The blocks between "```kind" and "```".
fn blocks(page: &str, kind: &str) -> Vec<String> {
    let opening = format!("```{kind}\n");
    let starts = page.split(&opening).skip(1);
    starts.map(|rest| rest.split("```\n").next().unwrap().to_string()).collect()
}

/// The tutorial's output, trained with `images` of the real images for `epochs` epochs.
fn output(images: &str, epochs: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let root = Path::new(ROOT);
    let program = link(folder.path(), &root.join("examples/tutorial.c"), &["-D_POSIX_C_SOURCE=200809L"]);
    let data = root.join("examples/data/mnist.npz");
    stdout(Command::new(program).current_dir(folder.path()).arg(data).args([images, epochs]))
}

/// The text with all times replaced by `0`, because times differ.
fn timeless(text: &str) -> String {
    let words = text.split_inclusive([' ', '\n']).map(|word| {
        let number = word.trim_end().trim_end_matches("/step").trim_end_matches(['m', 'u', 's']);
        let is_time = number.len() < word.trim_end().len() && number.parse::<f64>().is_ok();
        if is_time { format!("0{}", &word[number.len()..]) } else { word.to_string() }
    });
    words.collect::<String>().replace("0us", "0ms")
}

#[test]
fn every_block_of_code_is_a_program_s() {
    let programs = read("examples/tutorial.c") + &read("examples/predict.c");
    for page in PAGES {
        let blocks = blocks(&read(page), "c");
        assert!(blocks.len() > 10, "{page}");
        for block in blocks {
            assert!(programs.contains(&block), "{page}: no program has\n{block}");
        }
    }
}

#[test]
fn what_it_prints_before_it_trains() {
    let output = output("320", "1");
    for page in PAGES {
        let blocks = blocks(&read(page), "output");
        let before: Vec<_> = blocks.iter().filter(|block| !block.contains("/step")).collect();
        assert_eq!((blocks.len(), before.len()), (7, 5), "{page}");
        let mut rest = output.as_str();
        for block in before {
            let at = rest
                .find(block.as_str())
                .unwrap_or_else(|| panic!("{page}: not, or not there, in the output:\n{block}"));
            rest = &rest[at + block.len()..];
        }
    }
}

/// Takes a minute on two cores, and is therefore ignored by default.
#[test]
#[ignore = "trains for a minute: cargo test --release --test tutorial -- --ignored"]
fn what_it_prints_in_the_end() {
    let output = timeless(&output("0", "3"));
    for page in PAGES {
        for block in blocks(&read(page), "output") {
            assert!(output.contains(&timeless(&block)), "{page}: not in the output:\n{block}\nbut\n{output}");
        }
    }
}
