//! `mnist_source`: samples that a function of the host gives on request.
#![allow(non_camel_case_types)]

use super::dataset::{create, mnist_dataset};
use super::error::{mnist_error, mnist_status};
use super::guard;
use super::options::{self, Options};
use super::pointers::{null, slice, string};
use crate::data::{Dataset, Source, check_sample_rank};
use crate::error::{At, Error, ErrorKind, Result};
use crate::kernels::process::Process;
use std::ffi::{c_char, c_void};
use std::sync::Arc;

/// Writes the samples with the numbers `indices` (`count` of them) to `x`, `[count, ...]`, in that order; and their
/// labels to `labels`, `[count]`, or, when target_len is above 0, their targets to `targets`, `[count, target_len]`.
/// The other of the two pointers is NULL. `user` is the source's `user`. The same number must always give the same
/// sample. Returns 0 on success; any other value ends the calling function with MNIST_ERROR_IO and a message with the
/// numbers of the samples.
///
/// It runs on the thread that called fit, evaluate or predict, or, with the fit option `prefetch`, on a thread of the
/// library. A function calls it once at a time; it runs twice at the same time only when two functions use the same
/// source at once. It must return, like an mnist_callback, and may call the same functions, but must not wait for the
/// call that it serves. The library checks its output: a label that is not below the number of classes, and a value
/// that is NaN or infinite, is MNIST_ERROR_INVALID_ARGUMENT.
pub type mnist_fetch_fn = Option<
    unsafe extern "C" fn(
        user: *mut c_void,
        indices: *const u64,
        count: usize,
        x: *mut f32,
        labels: *mut u32,
        targets: *mut f32,
    ) -> i32,
>;

/// Describes where samples come from (mnist_dataset_from_source); fill it in with mnist_source_init.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct mnist_source {
    /// sizeof this struct.
    pub struct_size: usize,
    /// The number of samples, numbered from 0; 1 to 4294967295. Default: 0, must be set.
    pub len: usize,
    /// The number of dimensions of a sample, 1 to 3. Default: 0, must be set.
    pub rank: usize,
    /// The sizes of one sample without N: `[W]`, `[H, W]` or `[H, W, C]`. Default: NULL, must be set.
    pub dims: *const usize,
    /// The number of floats in a sample's target; 0: samples have labels. Default: 0.
    pub target_len: usize,
    /// The function that writes samples. Default: NULL, must be set.
    pub fetch: mnist_fetch_fn,
    /// Passed to `fetch`. Default: NULL.
    pub user: *mut c_void,
    /// The identity of the samples, for example the name and version of their files: a fit resumes from a checkpoint
    /// only with a source of the same identity. NULL: no identity, and no fit resumes with it. Default: NULL.
    pub identity: *const c_char,
}

// SAFETY: numbers, a nullable function, and pointers that are handed on or checked for NULL, behind a usize.
unsafe impl Options for mnist_source {
    const DEFAULT: Self = mnist_source {
        struct_size: size_of::<Self>(),
        len: 0,
        rank: 0,
        dims: std::ptr::null(),
        target_len: 0,
        fetch: None,
        user: std::ptr::null_mut(),
        identity: std::ptr::null(),
    };
    const FIRST: usize = size_of::<Self>();
}

/// Fills `*source` with defaults; you then set the fields that are needed. Pass sizeof the struct as `struct_size`:
/// exactly that many bytes are written; bytes after the fields that this library knows become zero. NULL does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_source_init(source: *mut mnist_source, struct_size: usize) {
    // SAFETY: by the contract it is NULL or `struct_size` bytes are good to write there.
    guard::value((), || unsafe { options::init(source, struct_size) })
}

/// Creates a dataset whose samples are requested from a function when they are needed, one batch at a time: for data
/// that do not fit into memory or are generated. On success `*out` is a new dataset; free it with mnist_dataset_free.
/// No sample is requested yet.
///
/// Slices, validation_split, shuffling, checkpoints and transformations (mnist_dataset_normalize and its like) work as
/// for samples in memory, and give the same bits. Everything in `*source` is copied except `fetch` and `user`: these
/// must stay valid as long as the dataset, its slices and calls with them.
///
/// Labels and targets are not kept: mnist_dataset_labels, mnist_dataset_targets and mnist_dataset_unique_labels return
/// INVALID_ARGUMENT. If `fetch` forks, then in the child the call around it returns MNIST_ERROR_STATE; with prefetch
/// the child ends when `fetch` returns.
///
/// Errors: INVALID_ARGUMENT for a NULL `source`, `dims` or `fetch`; SHAPE for a rank other than 1 to 3, and for a size
/// or a `len` of 0; UNSUPPORTED for more than 4294967295 samples; OUT_OF_MEMORY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_dataset_from_source(
    source: *const mnist_source,
    out: *mut *mut mnist_dataset,
    error: *mut mnist_error,
) -> mnist_status {
    // SAFETY: by the contract the pointers are NULL or what the header says.
    guard::status(error, || unsafe {
        create(out, || {
            if source.is_null() {
                return Err(null("source"));
            }
            let source = HostSource::of(&options::read(source, "source")?)?;
            Dataset::from_source(Arc::new(source)).at("argument `source`")
        })
    })
}

/// The host's function and the description of its samples.
struct HostSource {
    len: usize,
    dims: Vec<usize>,
    target_len: usize,
    fetch: unsafe extern "C" fn(*mut c_void, *const u64, usize, *mut f32, *mut u32, *mut f32) -> i32,
    user: *mut c_void,
    identity: Option<String>,
}

// SAFETY: by the contract `fetch` may be called on any thread, and on as many at once as calls that it serves; `user` is only
// handed to it.
unsafe impl Send for HostSource {}
// SAFETY: as above.
unsafe impl Sync for HostSource {}

impl HostSource {
    /// Reads the caller's struct.
    ///
    /// # Safety
    /// Its pointers are NULL or what the header says.
    unsafe fn of(source: &mnist_source) -> Result<Self> {
        let &mnist_source { len, rank, dims, target_len, fetch, user, identity, .. } = source;
        check_sample_rank(rank).at("argument `source`")?;
        let Some(fetch) = fetch else {
            return Err(Error::new(ErrorKind::InvalidArgument, "is NULL").at("field `fetch` of argument `source`"));
        };
        // SAFETY: the caller's.
        let (dims, identity) = unsafe {
            let identity = (!identity.is_null()).then(|| string(identity, "source.identity")).transpose()?;
            (slice(dims, rank, "source.dims")?.to_vec(), identity.map(str::to_string))
        };
        Ok(HostSource { len, dims, target_len, fetch, user, identity })
    }
}

impl Source for HostSource {
    fn count(&self) -> usize {
        self.len
    }

    fn sample_shape(&self) -> &[usize] {
        &self.dims
    }

    fn target_len(&self) -> usize {
        self.target_len
    }

    fn identity(&self) -> Option<&str> {
        self.identity.as_deref()
    }

    fn fetch(&self, indices: &[u64], x: &mut [f32], labels: &mut [u32], targets: &mut [f32]) -> Result<()> {
        let before = Process::current();
        let pointer = |empty: bool, pointer: *mut u32| if empty { std::ptr::null_mut() } else { pointer };
        let (to_labels, to_targets) = (
            pointer(self.target_len > 0, labels.as_mut_ptr()),
            pointer(self.target_len == 0, targets.as_mut_ptr().cast()).cast::<f32>(),
        );
        // SAFETY: by the contract it is a function of this type; the arrays are as long as it is told.
        let told =
            unsafe { (self.fetch)(self.user, indices.as_ptr(), indices.len(), x.as_mut_ptr(), to_labels, to_targets) };
        if before != Process::current() {
            let what = "this process was forked inside the call, which belongs to its parent";
            return Err(Error::new(ErrorKind::State, what).expected("the process that made the call"));
        }
        match told {
            0 => Ok(()),
            told => Err(Error::new(ErrorKind::Io, "the source failed to give samples").expected(0).found(told)),
        }
    }
}
