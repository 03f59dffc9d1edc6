//! The known name that is most similar to an unknown one.

/// The most names that are listed.
const LISTED: usize = 40;

/// The expected names for an error about `found`: the most similar known name first, then the others.
pub fn nearest(found: &str, known: &[&str]) -> String {
    let list = |names: &mut dyn Iterator<Item = &&str>| {
        let names: Vec<&str> = names.take(LISTED).copied().collect();
        names.join(", ")
    };
    let close = known.iter().map(|name| (distance(found, name), name)).min();
    match close {
        _ if known.is_empty() => "nothing".to_string(),
        Some((distance, name)) if known.len() > 1 && distance <= (name.len() / 3).max(1) => {
            format!("{name}, or another of {}", list(&mut known.iter().filter(|other| other != &name)))
        }
        _ if known.len() == 1 => known[0].to_string(),
        _ => format!("one of {}", list(&mut known.iter())),
    }
}

/// How many letters have to be put in, left out, exchanged or swapped with a neighbour to make `b` of `a`; letters alone
/// count, not their case. (The optimal string alignment distance.)
fn distance(a: &str, b: &str) -> usize {
    let letters = |text: &str| -> Vec<char> { text.chars().take(64).flat_map(char::to_lowercase).collect() };
    let (a, b) = (letters(a), letters(b));
    let width = b.len() + 1;
    let mut table = vec![0; (a.len() + 1) * width];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            let at = |i: usize, j: usize| i * width + j;
            table[at(i, j)] = match (i, j) {
                (i, 0) => i,
                (0, j) => j,
                _ => {
                    let exchanged = table[at(i - 1, j - 1)] + usize::from(a[i - 1] != b[j - 1]);
                    let mut least = exchanged.min(table[at(i - 1, j)] + 1).min(table[at(i, j - 1)] + 1);
                    if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                        least = least.min(table[at(i - 2, j - 2)] + 1);
                    }
                    least
                }
            };
        }
    }
    table[table.len() - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_comes_first() {
        let known = ["filters", "kernel_size", "strides"];
        assert_eq!(nearest("strdes", &known), "strides, or another of filters, kernel_size");
        assert_eq!(nearest("stirdes", &known), "strides, or another of filters, kernel_size");
        assert_eq!(nearest("KernelSize", &known), "kernel_size, or another of filters, strides");
        assert_eq!(nearest("rate", &known), "one of filters, kernel_size, strides");
        assert_eq!((nearest("x", &["rate"]), nearest("x", &[])), ("rate".to_string(), "nothing".to_string()));
    }
}
