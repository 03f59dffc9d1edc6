//! `mnist_communicator`: what carries bytes between the ranks of a fit, given by the host.
#![allow(non_camel_case_types)]

use super::guard;
use super::options::{self, Options};
use crate::error::{Error, ErrorKind, Result};
use crate::machines::Communicator;
use std::ffi::c_void;

/// Gives every rank what each has: the `bytes` at `send` of this one, and the others' likewise, are written to `receive` one rank's
/// after another. `counts` are the bytes of each rank, `size` numbers; some may be 0, and `send` and `receive` do not overlap.
///
/// 0 when it has. Anything else ends the fit with MNIST_ERROR_NETWORK: 1 and a rank's number where that one does not answer, a
/// negative number where it is not known which. Who waits for a rank must give up some time; nothing else ends the wait.
pub type mnist_allgather_fn = Option<
    unsafe extern "C" fn(
        user: *mut c_void,
        send: *const c_void,
        bytes: usize,
        receive: *mut c_void,
        counts: *const usize,
    ) -> i32,
>;

/// Gives every rank the `bytes` that rank `root` has at `data`: it writes them to the others' `data`. Returns what
/// mnist_allgather_fn does.
pub type mnist_broadcast_fn =
    Option<unsafe extern "C" fn(user: *mut c_void, data: *mut c_void, bytes: usize, root: i32) -> i32>;

/// Carries bytes between the ranks of a fit: processes, on one machine or several, that all call mnist_model_fit with the same
/// model, data and options. mnist_mpi.h has one over MPI. Fill it in with mnist_communicator_init.
///
/// Its functions are called on the thread that called fit, one at a time, by all ranks in the same order, and with the same
/// `counts` or `root`. What a mnist_callback must not do they must not do either.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct mnist_communicator {
    /// sizeof this struct.
    pub struct_size: usize,
    /// Handed to the functions.
    pub user: *mut c_void,
    /// Which of the ranks this process is, from 0. 0.
    pub rank: i32,
    /// How many ranks there are, 1 to 65536. 1.
    pub size: i32,
    /// Gives every rank what each has. NULL.
    pub allgather: mnist_allgather_fn,
    /// Gives every rank what one has. NULL.
    pub broadcast: mnist_broadcast_fn,
}

// SAFETY: numbers, nullable functions, and a pointer that is handed on, behind a usize.
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

/// Fills in a communicator of one rank, whose functions are to be set. `struct_size` is sizeof the struct: so many bytes are
/// written, those that this library does not know with zeros. NULL does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_communicator_init(communicator: *mut mnist_communicator, struct_size: usize) {
    // SAFETY: by the contract it is NULL or `struct_size` bytes are good to write there.
    guard::value((), || unsafe { options::init(communicator, struct_size) })
}

/// The host's functions, and who this is.
pub struct HostCommunicator {
    rank: usize,
    size: usize,
    user: *mut c_void,
    allgather: unsafe extern "C" fn(*mut c_void, *const c_void, usize, *mut c_void, *const usize) -> i32,
    broadcast: unsafe extern "C" fn(*mut c_void, *mut c_void, usize, i32) -> i32,
}

impl HostCommunicator {
    /// What the caller's struct says; `None` for NULL.
    ///
    /// # Safety
    /// `communicator` is NULL or what the header says.
    pub unsafe fn of(communicator: *const mnist_communicator) -> Result<Option<Self>> {
        const MOST: i32 = 1 << 16;
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
        if !(1..=MOST).contains(&size) {
            return Err(range("size", format!("1 to {MOST}"), size));
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
