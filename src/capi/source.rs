//! `mnist_source`: samples that the host gives when it is asked for them.
#![allow(non_camel_case_types)]

use super::dataset::mnist_dataset;
use super::error::{MNIST_OK, mnist_error, mnist_status};
use super::guard;
use super::options::{self, Options};
use super::pointers::{give, null, out, slice, string};
use crate::data::{Dataset, Source, check_sample_rank};
use crate::error::{At, Error, ErrorKind, Result};
use crate::kernels::process::Process;
use std::ffi::{c_char, c_void};
use std::sync::Arc;

/// Gives samples: those of the numbers `indices`, of which there are `count`, written to `x`, `[count, ...]`, in their order; and
/// their labels to `labels`, `[count]`, or, when target_len is above 0, their targets to `targets`, `[count, target_len]`; the
/// other one is NULL. The same number must always give the same sample. 0 when it has; anything else ends the call that asked
/// with MNIST_ERROR_IO, its message having the numbers.
///
/// It is called on the thread that called fit, evaluate or predict, with prefetch in a fit's options on one of the library's;
/// one call at a time for each call that it serves, so that only two of those at once, with the same source, meet in it. It
/// must return, as a mnist_callback, and may call what that may, but nothing that waits for the call that it serves. What it
/// has written is looked at: a label past the class count, and a number that is NaN or infinite, is MNIST_ERROR_INVALID_ARGUMENT.
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

/// Where samples come from; fill it in with mnist_source_init.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct mnist_source {
    /// sizeof this struct.
    pub struct_size: usize,
    /// How many samples there are, numbered from 0; 1 to 4294967295. 0.
    pub len: usize,
    /// How many sizes a sample has, 1 to 3. 0.
    pub rank: usize,
    /// The sizes of one sample without N, `[W]`, `[H, W]` or `[H, W, C]`. NULL.
    pub dims: *const usize,
    /// Floats in a sample's target; 0: samples have labels. 0.
    pub target_len: usize,
    /// Gives samples. NULL.
    pub fetch: mnist_fetch_fn,
    /// Handed to `fetch`.
    pub user: *mut c_void,
    /// What tells these samples from all others, the name and the version of their files, say: a fit goes on from a checkpoint
    /// only with a source of the same identity. NULL: from none. NULL.
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

/// Fills in what is nothing yet: all of it is to be set. `struct_size` is sizeof the struct: so many bytes are written, those
/// that this library does not know with zeros. NULL does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_source_init(source: *mut mnist_source, struct_size: usize) {
    // SAFETY: by the contract it is NULL or `struct_size` bytes are good to write there.
    guard::value((), || unsafe { options::init(source, struct_size) })
}

/// A dataset of samples that are asked for when they are needed, a batch at a time, for data that do not fit into memory or
/// are made anew. Slices, validation_split, shuffling, checkpoints, what is done to samples (mnist_dataset_normalize and its
/// like) mean what they mean in memory, and give the same bits. Everything but `fetch` and `user` is copied; these must be
/// good as long as the dataset, its slices and calls with them. Nothing is asked for yet. On success `*out` is a new dataset,
/// to be freed with mnist_dataset_free.
///
/// Its labels and targets are not kept: mnist_dataset_labels, mnist_dataset_targets and mnist_dataset_unique_labels are
/// INVALID_ARGUMENT. In a child that is forked off inside `fetch` the call around it returns MNIST_ERROR_STATE; with prefetch
/// that child ends when `fetch` returns.
///
/// Errors: INVALID_ARGUMENT for a NULL `source`, `dims` or `fetch`; SHAPE for another rank than 1 to 3, a size or a `len` of 0;
/// UNSUPPORTED for more samples; OUT_OF_MEMORY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_dataset_from_source(
    source: *const mnist_source,
    out: *mut *mut mnist_dataset,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract the pointers are NULL or what the header says.
        unsafe {
            let out = self::out(out, "out")?;
            if source.is_null() {
                return Err(null("source"));
            }
            let source = HostSource::of(&options::read(source, "source")?)?;
            let data = Dataset::from_source(Arc::new(source)).at("argument `source`")?;
            out.write(give(mnist_dataset::new(data)));
        }
        Ok(MNIST_OK)
    })
}

/// The host's function, and what it gives.
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
    /// What the caller's struct says.
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
            let what = "this process was forked off inside the call, which is its parent's";
            return Err(Error::new(ErrorKind::State, what).expected("the process that made the call"));
        }
        match told {
            0 => Ok(()),
            told => Err(Error::new(ErrorKind::Io, "the source gave no samples").expected(0).found(told)),
        }
    }
}
