//! Weights in safetensors files: `layer/kernel` and `layer/bias`, float32, in Keras's layouts.
//!
//! A file is written beside its target and renamed, so that the target is whole at any moment. It is read into memory
//! as it stands (a mapped file that shrinks would kill the process): loading takes the file's size and the tensors'.

use crate::error::{At, Error, ErrorKind, Result};
use crate::memory;
use safetensors::tensor::{Dtype, SafeTensorError, SafeTensors, View};
use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

/// A tensor to be written.
pub struct Entry<'a> {
    /// Its name in the file.
    pub name: String,
    /// Its sizes.
    pub shape: Vec<usize>,
    /// Its values, row-major.
    pub values: &'a [f32],
}

impl View for &Entry<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }
    fn shape(&self) -> &[usize] {
        &self.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        self.values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }
    fn data_len(&self) -> usize {
        size_of_val(self.values)
    }
}

/// Writes `entries` to `path`: to a sibling first, brought to the disk, then renamed. On failure what was at `path` is
/// still there.
pub fn save(path: &Path, entries: &[Entry<'_>]) -> Result<()> {
    replace(path, entries).at(path.display())
}

fn replace(path: &Path, entries: &[Entry<'_>]) -> Result<()> {
    let name = path.file_name().ok_or_else(|| Error::new(ErrorKind::InvalidArgument, "not the name of a file"))?;
    if path.is_dir() {
        return Err(Error::new(ErrorKind::Io, "is a directory"));
    }
    let mut sibling = name.to_os_string();
    sibling.push(format!(".{}.{:x}.tmp", std::process::id(), unique()));
    let temporary = Temporary(path.with_file_name(sibling));
    let file = File::create_new(&temporary.0)?;
    let tensors = entries.iter().map(|entry| (entry.name.as_str(), entry));
    let metadata = HashMap::from([("format".to_string(), "mnist".to_string())]);
    safetensors::serialize_to_file(tensors, Some(metadata), &temporary.0).map_err(|error| match error {
        SafeTensorError::IoError(error) => Error::io(error),
        other => Error::new(ErrorKind::Internal, other.to_string()),
    })?;
    file.sync_all()?;
    fs::rename(&temporary.0, path)?;
    #[cfg(unix)]
    {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// A number that no other call of this process has.
fn unique() -> usize {
    static NEXT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}

/// A file that is gone when this is; after its renaming there is nothing left to remove.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Reads the tensors named and shaped as in `expected`, in that order. A file that lacks one, has another, or has one of
/// another shape or type is an error that names the tensor.
pub fn load(path: &Path, expected: &[(String, Vec<usize>)]) -> Result<Vec<Vec<f32>>> {
    (|| parse(&read(path)?, expected))().at(path.display())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(Error::new(ErrorKind::Io, "is a directory"));
    }
    let size = usize::try_from(metadata.len()).unwrap_or(usize::MAX);
    let mut bytes = memory::reserve(size)?;
    // No more than it was: a file that grows while it is read does not grow this.
    (&mut file).take(size as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn parse(bytes: &[u8], expected: &[(String, Vec<usize>)]) -> Result<Vec<Vec<f32>>> {
    let file = SafeTensors::deserialize(bytes).map_err(|error| {
        Error::new(ErrorKind::Format, format!("not a safetensors file: {error}"))
            .found(format_args!("{} bytes", bytes.len()))
    })?;
    let mut tensors = Vec::new();
    for (name, shape) in expected {
        tensors.push(tensor(&file, name, shape).at(format_args!("tensor {name}"))?);
    }
    match file.names().into_iter().find(|found| expected.iter().all(|(name, _)| name != found)) {
        Some(extra) => {
            Err(Error::new(ErrorKind::Shape, "the model has no such tensor").at(format_args!("tensor {extra}")))
        }
        None => Ok(tensors),
    }
}

fn tensor(file: &SafeTensors<'_>, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
    let view = file.tensor(name).map_err(|_| {
        let mut there: Vec<_> = file.names();
        there.sort_unstable();
        let shown = there.iter().take(8).map(|name| name.to_string()).collect::<Vec<_>>().join(", ");
        Error::new(ErrorKind::NotFound, "missing").found(format_args!("{} tensors: {shown}", there.len()))
    })?;
    if view.dtype() != Dtype::F32 {
        let error = Error::new(ErrorKind::Unsupported, "wrong dtype");
        return Err(error.expected("F32").found(format_args!("{:?}", view.dtype())));
    }
    if view.shape() != shape {
        let error = Error::new(ErrorKind::Shape, "wrong shape");
        return Err(error.expected(format_args!("{shape:?}")).found(format_args!("{:?}", view.shape())));
    }
    let mut values = memory::reserve(view.data().len() / size_of::<f32>())?;
    values.extend(view.data().as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)));
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use safetensors::tensor::TensorView;

    fn good() -> Vec<(String, Vec<usize>)> {
        vec![("dense/kernel".into(), vec![2, 3]), ("dense/bias".into(), vec![3])]
    }

    fn saved() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.safetensors");
        let (kernel, bias) = ([1.0, 2.0, 3.0, 4.0, 5.0, f32::NAN], [7.0, 8.0, 9.0]);
        let [(a, b), (c, d)] = good().try_into().unwrap();
        let entries = [Entry { name: a, shape: b, values: &kernel }, Entry { name: c, shape: d, values: &bias }];
        save(&path, &entries).unwrap();
        (folder, path)
    }

    #[test]
    fn what_is_saved_is_loaded_and_nothing_is_left_beside_it() {
        let (folder, path) = saved();
        let loaded = load(&path, &good()).unwrap();
        assert!(loaded[0][5].is_nan());
        assert_eq!((&loaded[0][..5], &loaded[1][..]), (&[1.0, 2.0, 3.0, 4.0, 5.0][..], &[7.0, 8.0, 9.0][..]));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_does_not_fit_names_the_tensor() {
        let (_folder, path) = saved();
        let error = |change: &dyn Fn(&mut Vec<(String, Vec<usize>)>)| {
            let mut expected = good();
            change(&mut expected);
            load(&path, &expected).unwrap_err()
        };
        let missing = error(&|e| e.push(("conv2d/kernel".into(), vec![1])));
        assert_eq!(missing.kind(), ErrorKind::NotFound);
        assert!(missing.to_string().contains("w.safetensors: tensor conv2d/kernel: missing"), "{missing}");
        let extra = error(&|e| drop(e.pop()));
        assert!(extra.to_string().contains("tensor dense/bias: the model has no such tensor"), "{extra}");
        let shape = error(&|e| e[0].1 = vec![3, 2]);
        assert!(shape.to_string().contains("dense/kernel: wrong shape: expected [3, 2], found [2, 3]"), "{shape}");
    }

    #[test]
    fn another_dtype_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w");
        let view = TensorView::new(Dtype::I32, vec![1], &[0; 4]).unwrap();
        fs::write(&path, safetensors::serialize([("a", view)], None).unwrap()).unwrap();
        let error = load(&path, &[("a".into(), vec![1])]).unwrap_err();
        assert!(error.to_string().contains("tensor a: wrong dtype: expected F32, found I32"), "{error}");
    }

    #[test]
    fn what_is_no_such_file_is_told_so() {
        let (folder, path) = saved();
        assert_eq!(load(folder.path(), &good()).unwrap_err().kind(), ErrorKind::Io);
        assert_eq!(load(&folder.path().join("none"), &good()).unwrap_err().kind(), ErrorKind::NotFound);
        let bytes = fs::read(&path).unwrap();
        for len in [0, 7, 8, 60, bytes.len() - 1] {
            fs::write(&path, &bytes[..len]).unwrap();
            assert_eq!(load(&path, &good()).unwrap_err().kind(), ErrorKind::Format, "{len} bytes");
        }
    }

    #[test]
    fn a_save_that_fails_leaves_what_was_there() {
        let (folder, path) = saved();
        assert!(save(folder.path(), &[]).is_err(), "a directory is not replaced");
        assert!(save(&path.join("under-a-file"), &[]).is_err());
        assert!(load(&path, &good()).is_ok());
    }

    proptest! {
        #[test]
        fn damage_is_an_error_or_other_values_but_never_a_panic(at in 0usize..400, byte: u8, cut in 0usize..400) {
            let (_folder, path) = saved();
            let mut bytes = fs::read(&path).unwrap();
            let len = bytes.len();
            bytes[at % len] ^= byte;
            bytes.truncate(len - cut % len);
            let _ = parse(&bytes, &good());
        }
    }
}
