//! `mnist_communicator`: the host's functions that exchange bytes between the ranks of a fit.
#![allow(non_camel_case_types)]

use super::guard;
use super::options::{self, Options};
use crate::error::{Error, ErrorKind, Result};
use crate::machines::Communicator;
use std::ffi::c_void;

/// Sends `bytes` bytes at `send` to all ranks, and writes what each rank sends to `receive`, one rank after the other, this one
/// included. `counts` has `size` numbers, the bytes of each rank; some may be 0. `send` and `receive` do not overlap.
///
/// Returns 0 on success. Any other value ends the fit with MNIST_ERROR_NETWORK: 1 plus the number of a rank that does not
/// answer, or a negative number if that is unknown. The function must stop waiting for a lost rank by itself; the library has
/// no time limit.
pub type mnist_allgather_fn = Option<
    unsafe extern "C" fn(
        user: *mut c_void,
        send: *const c_void,
        bytes: usize,
        receive: *mut c_void,
        counts: *const usize,
    ) -> i32,
>;

/// Sends `bytes` bytes at `data` of rank `root` to all other ranks, which write them to their `data`. Returns what
/// mnist_allgather_fn returns.
pub type mnist_broadcast_fn =
    Option<unsafe extern "C" fn(user: *mut c_void, data: *mut c_void, bytes: usize, root: i32) -> i32>;

/// Exchanges bytes between the ranks of a fit: processes, on one or several machines, that call mnist_model_fit with the same
/// model, data and options. Initialize it with mnist_communicator_init. mnist_mpi.h provides one for MPI.
///
/// Its functions are called on the thread that called mnist_model_fit, one at a time, in the same order on all ranks, and with
/// the same `counts` or `root`. They must not do what an mnist_callback must not do.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct mnist_communicator {
    /// sizeof this struct.
    pub struct_size: usize,
    /// Passed to the functions. Default: NULL.
    pub user: *mut c_void,
    /// The number of this rank, from 0. Default: 0.
    pub rank: i32,
    /// The number of ranks, 1 to 65536. Default: 1.
    pub size: i32,
    /// Sends each rank's bytes to all. Required.
    pub allgather: mnist_allgather_fn,
    /// Sends one rank's bytes to all others. Required.
    pub broadcast: mnist_broadcast_fn,
}

// SAFETY: numbers, nullable functions, and a pointer that is passed on, behind a usize.
unsafe impl Options for mnist_communicator {
    const DEFAULT: Self = mnist_communicator {
        struct_size: size_of::<Self>(),
        user: std::ptr::null_mut(),
        rank: 0,
        size: 1,
        allgather: None,
        broadcast: None,
    };
    const FIRST: usize = size_of::<Self>();
}

/// Fills `*communicator` with the defaults; set `rank`, `size` and the functions afterwards. Pass sizeof the struct as
/// `struct_size`: exactly that many bytes are written; bytes after the fields that this library knows become zero. NULL does
/// nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_communicator_init(communicator: *mut mnist_communicator, struct_size: usize) {
    // SAFETY: by the contract it is NULL or `struct_size` bytes are good to write there.
    guard::value((), || unsafe { options::init(communicator, struct_size) })
}

/// The host's communicator, checked.
pub struct HostCommunicator {
    rank: usize,
    size: usize,
    user: *mut c_void,
    allgather: unsafe extern "C" fn(*mut c_void, *const c_void, usize, *mut c_void, *const usize) -> i32,
    broadcast: unsafe extern "C" fn(*mut c_void, *mut c_void, usize, i32) -> i32,
}

impl HostCommunicator {
    /// Reads the caller's struct; `None` for NULL.
    ///
    /// # Safety
    /// `communicator` is NULL or what the header says.
    pub unsafe fn of(communicator: *const mnist_communicator) -> Result<Option<Self>> {
        const MOST_RANKS: i32 = 1 << 16;
        if communicator.is_null() {
            return Ok(None);
        }
        // SAFETY: the caller's.
        let read = unsafe { options::read(communicator, "options.communicator") }?;
        let mnist_communicator { user, rank, size, allgather, broadcast, .. } = read;
        let field = |name: &str, error: Error| error.at(format_args!("field `{name}` of option `communicator`"));
        let range = |name: &str, expected: String, found: i32| {
            let error = Error::new(ErrorKind::InvalidArgument, "out of range").expected(expected).found(found);
            field(name, error)
        };
        if !(1..=MOST_RANKS).contains(&size) {
            return Err(range("size", format!("1 to {MOST_RANKS}"), size));
        }
        if !(0..size).contains(&rank) {
            return Err(range("rank", format!("0 to {}", size - 1), rank));
        }
        let null = |name: &str| field(name, Error::new(ErrorKind::InvalidArgument, "is NULL"));
        Ok(Some(HostCommunicator {
            rank: rank as usize,
            size: size as usize,
            user,
            allgather: allgather.ok_or_else(|| null("allgather"))?,
            broadcast: broadcast.ok_or_else(|| null("broadcast"))?,
        }))
    }
}

impl Communicator for HostCommunicator {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn allgather(&self, send: &[u8], receive: &mut [u8], counts: &[usize]) -> i32 {
        // SAFETY: by the contract it is a function of this type that may be called until the fit returns, with so many bytes.
        unsafe {
            (self.allgather)(self.user, send.as_ptr().cast(), send.len(), receive.as_mut_ptr().cast(), counts.as_ptr())
        }
    }

    fn broadcast(&self, data: &mut [u8], root: usize) -> i32 {
        // SAFETY: as above.
        unsafe { (self.broadcast)(self.user, data.as_mut_ptr().cast(), data.len(), root as i32) }
    }
}
