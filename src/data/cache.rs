//! MNIST from Keras's cache.

use super::{Dataset, Npz};
use crate::error::{At, Error, ErrorKind, Result};
use crate::files::FilePath;
#[cfg(feature = "download")]
use crate::files::again;
use crate::variables;
use std::path::{Path, PathBuf};

/// MNIST's training and test data: the arrays `x_train`, `y_train`, `x_test` and `y_test` of the npz archive at `path`.
///
/// Without a path it is Keras's cache, `$KERAS_HOME/datasets/mnist.npz` or `~/.keras/datasets/mnist.npz`. If that file
/// does not exist or cannot be read as these arrays, it is downloaded (feature `download`) from Keras's address, or
/// from the one in `MNIST_DATA_URL`. Its size and SHA-256 are checked first, so that address may be http; redirects
/// from https go only to https. Accepted are Keras's file and this project's `examples/data/mnist.npz`. A proxy is
/// taken from `https_proxy`, `http_proxy`, `all_proxy` and `no_proxy`, or these in capitals. A valid file that exists
/// is used as it is; a damaged one stays until an undamaged one has been received.
pub fn load_data(path: Option<&Path>) -> Result<(Dataset, Dataset)> {
    let Some(path) = path else { return from_cache(&cached()?) };
    read(FilePath::of(path)?)
}

fn read(path: FilePath) -> Result<(Dataset, Dataset)> {
    let npz = Npz::at(path)?;
    let pair = |images, labels| Dataset::from_archive(&npz, images, labels).at(npz.path());
    Ok((pair("x_train", "y_train")?, pair("x_test", "y_test")?))
}

fn from_cache(path: &Path) -> Result<(Dataset, Dataset)> {
    let path = FilePath::of(path)?;
    if !path.exists() {
        fetch(&path)?;
        return read(path);
    }
    match read(path.clone()) {
        Err(damage) if is_damage(&damage) => {
            // For example an incomplete download, also one of Keras: it would stay forever.
            fetch(&path).map_err(|error| {
                let kind = if cfg!(feature = "download") { error.kind() } else { damage.kind() };
                let what =
                    "the damaged file in Keras's cache was kept: delete it, or replace it by an undamaged mnist.npz";
                Error::new(kind, format!("{damage}; {what} ({error})"))
            })?;
            read(path)
        }
        result => result,
    }
}

/// Whether the file's content is wrong, as opposed to a temporary read error.
fn is_damage(error: &Error) -> bool {
    use ErrorKind::{Format, InvalidArgument, NotFound, Shape, Unsupported};
    matches!(error.kind(), Format | InvalidArgument | NotFound | Shape | Unsupported)
}

/// The variable that says where the user's files are.
const HOME: &str = if cfg!(windows) { "USERPROFILE" } else { "HOME" };

/// The path of Keras's file.
fn cached() -> Result<PathBuf> {
    let home = variables::get("KERAS_HOME").map(PathBuf::from);
    let home = home.or_else(|| variables::home().map(|home| home.join(".keras")));
    let home = home.ok_or_else(|| {
        Error::new(ErrorKind::NotFound, "no home directory to look for the data in")
            .expected(format_args!("KERAS_HOME or {HOME} to be set, in a program without elevated privileges"))
    })?;
    Ok(home.join("datasets").join("mnist.npz"))
}

#[cfg(feature = "download")]
fn fetch(path: &FilePath) -> Result<()> {
    use super::download::{MNIST, Source, address, download};
    const OWN: &str = "MNIST_DATA_URL";
    const ATTEMPTS: usize = 5;
    let own = variables::get(OWN);
    let own = own.as_ref().map(|url| url.to_string_lossy());
    if let Some(url) = &own {
        address(url).at(format_args!("environment variable {OWN}"))?;
    }
    let source = Source { url: own.as_deref().unwrap_or(MNIST.url), ..MNIST };
    let folder = path.path().parent().unwrap_or(Path::new("."));
    let mut attempt = 1;
    loop {
        let made = Folders::make(folder);
        match made.and_then(|_made| download(&source, path)) {
            // Another process whose download failed has removed the folder that it had created.
            Err(error) if error.kind() == ErrorKind::NotFound && attempt < ATTEMPTS => attempt += 1,
            result => return result,
        }
    }
}

/// A folder and its parents. Those that were created are removed again if they are empty in the end.
#[cfg(feature = "download")]
struct Folders(Vec<PathBuf>);

#[cfg(feature = "download")]
impl Folders {
    fn make(folder: &Path) -> Result<Self> {
        let missing = folder.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists());
        let made = Folders(missing.map(Path::to_path_buf).collect());
        again(|| std::fs::create_dir_all(folder)).at(FilePath::of(folder)?)?;
        Ok(made)
    }
}

#[cfg(feature = "download")]
impl Drop for Folders {
    fn drop(&mut self) {
        let _ = self.0.iter().try_for_each(std::fs::remove_dir); // which fails for a folder that is not empty
    }
}

#[cfg(not(feature = "download"))]
fn fetch(path: &FilePath) -> Result<()> {
    let error =
        Error::new(ErrorKind::NotFound, "cannot download: the library was built without its feature `download`");
    Err(error.expected("an mnist.npz at this path").at(path))
}

#[cfg(test)]
mod tests {
    use super::super::element::Elements;
    use super::*;
    use sha2::{Digest, Sha256};

    #[test]
    fn the_published_data() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data/mnist.npz");
        let (train, test) = load_data(Some(&path)).unwrap();
        assert_eq!((train.shape(), test.shape()), (vec![60_000, 28, 28], vec![10_000, 28, 28]));
        assert_eq!(train.unique_labels().unwrap(), (0..10).collect::<Vec<_>>());
        // The published checksums of the original IDX files, whose headers are added to the arrays again.
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
    #[cfg(not(feature = "download"))]
    fn a_damaged_file_is_named_where_no_other_can_be_had() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mnist.npz");
        std::fs::write(&path, "PK, and no more").unwrap();
        let error = from_cache(&path).unwrap_err();
        let text = error.to_string();
        assert!(error.kind() == ErrorKind::Format && text.starts_with(path.to_str().unwrap()), "{text}");
        assert!(text.contains("delete it, or replace it by an undamaged mnist.npz"), "{text}");
        assert_eq!(std::fs::read(&path).unwrap(), b"PK, and no more");
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
