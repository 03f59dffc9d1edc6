//! Every relative link in a Markdown file leads to a file or folder, and every anchor to a heading.

mod markdown;

use markdown::pages;
use std::collections::HashMap;
use std::path::Path;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The lines of a document that are not in a fenced or indented block of code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence && !line.starts_with("    ")
    })
}

/// The targets of the links and images in a line; `code` between backticks has none.
fn targets(line: &str) -> Vec<&str> {
    let code = |at: usize| line[..at].matches('`').count() % 2 == 1;
    let starts = line.match_indices("](").filter(|&(at, _)| !code(at));
    starts.filter_map(|(at, found)| line[at + found.len()..].split_once(')').map(|(target, _)| target)).collect()
}

/// The anchors of a document: its headings in lower case, without punctuation, with hyphens for spaces, and a number for
/// a repeated one, as GitHub makes them.
fn anchors(text: &str) -> Vec<String> {
    let mut seen = HashMap::new();
    let headings =
        prose(text).filter_map(|line| line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#')));
    let slug = |heading: &str| -> String {
        let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    let number = |slug: String| {
        let count = seen.entry(slug.clone()).or_insert(0);
        *count += 1;
        if *count == 1 { slug } else { format!("{slug}-{}", *count - 1) }
    };
    headings.map(slug).map(number).collect()
}

/// What is wrong with a link in `document`, if anything.
fn defect(document: &Path, target: &str) -> Option<&'static str> {
    let (file, anchor) = target.split_once('#').map_or((target, None), |(file, anchor)| (file, Some(anchor)));
    let path = if file.is_empty() { document.to_path_buf() } else { document.parent().unwrap().join(file) };
    let Ok(path) = path.canonicalize() else { return Some("does not exist") };
    if !path.starts_with(Path::new(ROOT).canonicalize().unwrap()) {
        return Some("is outside the repository");
    }
    let anchor = anchor?;
    let text = std::fs::read_to_string(path).unwrap_or_default();
    (!anchors(&text).iter().any(|found| found == anchor)).then_some("has no such heading")
}

#[test]
fn no_link_is_dead() {
    let found = pages(Path::new(ROOT));
    let (mut links, mut dead) = (0, Vec::new());
    for document in &found {
        let text = std::fs::read_to_string(document).unwrap();
        for target in prose(&text).flat_map(targets).filter(|target| !target.contains("://")) {
            links += 1;
            if let Some(defect) = defect(document, target) {
                dead.push(format!("{}: {target} {defect}", document.display()));
            }
        }
    }
    assert!(found.len() > 15 && links > 50, "{} documents, {links} links", found.len());
    assert!(dead.is_empty(), "{}", dead.join("\n"));
}

#[test]
fn headings_have_the_anchors_that_github_makes() {
    let text = "# One, two: `three`\n\n    # no heading\n```sh\n# nor this\n```\n## Two\n## Two\n";
    assert_eq!(anchors(text), ["one-two-three", "two", "two-1"]);
    assert_eq!(targets("[a](b.md) and `[c](d)` and ![e](f.png)"), ["b.md", "f.png"]);
    assert!(defect(&Path::new(ROOT).join("README.md"), "docs/nothing.md").is_some());
    assert!(defect(&Path::new(ROOT).join("README.md"), "docs/inside.md#nothing").is_some());
}
