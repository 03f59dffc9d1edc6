//! Names trained on other processors and systems (`packaging/ports`); the test of each registry checks that its entries
//! are among them.

const TABLES: &str = include_str!("../packaging/ports/golden.h");

/// Whether a class, or an activation, is among it.
pub fn holds(name: &str) -> bool {
    [format!("\"{name}\""), format!("'{name}'")].iter().any(|quoted| TABLES.contains(quoted))
}
