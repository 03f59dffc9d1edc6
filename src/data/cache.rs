//! MNIST from Keras's cache, where Keras itself would put it.

use super::{Dataset, Npz};
use crate::error::{At, Error, ErrorKind, Result};
use std::path::{Path, PathBuf};

/// MNIST's training and test data: the arrays `x_train`, `y_train`, `x_test` and `y_test` of the npz archive at `path`.
///
/// Without a path it is Keras's cache, `$KERAS_HOME/datasets/mnist.npz` or `~/.keras/datasets/mnist.npz`. When no such
/// file exists it is downloaded there (feature `download`), its size and SHA-256 checked first. A file that is there
/// already is taken as it is, as Keras takes one that another program put there.
pub fn load_data(path: Option<&Path>) -> Result<(Dataset, Dataset)> {
    match path {
        Some(path) => read(path),
        None => {
            let path = cached()?;
            if !path.exists() {
                fetch(&path)?;
            }
            read(&path)
        }
    }
}

fn read(path: &Path) -> Result<(Dataset, Dataset)> {
    let npz = Npz::open(path)?;
    let pair = |images, labels| Dataset::from_archive(&npz, images, labels).at(path.display());
    Ok((pair("x_train", "y_train")?, pair("x_test", "y_test")?))
}

/// Where Keras keeps the file.
fn cached() -> Result<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = set("KERAS_HOME").or_else(|| std::env::home_dir().map(|home| home.join(".keras")));
    let home = home.ok_or_else(|| {
        Error::new(ErrorKind::NotFound, "no home directory to look for the data in")
            .expected("KERAS_HOME or HOME to be set")
    })?;
    Ok(home.join("datasets").join("mnist.npz"))
}

#[cfg(feature = "download")]
fn fetch(path: &Path) -> Result<()> {
    use super::download::{MNIST, download};
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).at(folder.display())?;
    }
    download(&MNIST, path)
}

#[cfg(not(feature = "download"))]
fn fetch(path: &Path) -> Result<()> {
    let error = Error::new(ErrorKind::NotFound, "no such file, and this library was built without `download`");
    Err(error.expected("mnist.npz to be put there").at(path.display()))
}

#[cfg(test)]
mod tests {
    use super::super::npz::Elements;
    use super::*;
    use sha2::{Digest, Sha256};

    #[test]
    fn the_published_data() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data/mnist.npz");
        let (train, test) = load_data(Some(&path)).unwrap();
        assert_eq!((train.shape(), test.shape()), (vec![60_000, 28, 28], vec![10_000, 28, 28]));
        assert_eq!(train.unique_labels().unwrap(), (0..10).collect::<Vec<_>>());
        // The published sums of the original IDX files, whose headers are put before the arrays again.
        let npz = Npz::open(&path).unwrap();
        let sums = [("x_train", "ba891046", "25776db"), ("x_test", "0fa7898d", "4d494ce7")];
        for (name, head, tail) in sums {
            let (Elements::U8(pixels), dims) = npz.pixels(name).unwrap() else { panic!("bytes") };
            let mut sum = Sha256::new_with_prefix([0, 0, 8, 3]);
            dims.iter().for_each(|&dim| sum.update((dim as u32).to_be_bytes()));
            let sum: String = sum.chain_update(&pixels).finalize().iter().map(|b| format!("{b:02x}")).collect();
            assert!(sum.starts_with(head) && sum.ends_with(tail), "{name} {sum}");
        }
    }

    #[test]
    fn a_missing_array_is_named() {
        use super::super::npz::tests::{npy, npz};
        let bytes = npz(&[("x_train.npy", npy("|u1", false, "(1, 1, 1)", &[0]))], zip::CompressionMethod::Stored);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        let error = load_data(Some(file.path())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains("`y_train`"), "{error}");
    }
}
