//! `mnist_npz`: the names and shapes in an archive of arrays.
#![allow(non_camel_case_types)]

use super::error::{MNIST_OK, mnist_error, mnist_status};
use super::guard;
use super::pointers::{Handle, borrow, give, out, path, peek, room, string, take};
use crate::data::Npz;
use std::ffi::{CString, c_char};

/// An open NumPy archive (.npz). It never changes, so any number of threads may read it.
pub struct mnist_npz {
    npz: Npz,
    names: Vec<CString>,
}

impl Handle for mnist_npz {
    const TAG: u64 = u64::from_ne_bytes(*b"mnistnpz");
}

/// Opens the NumPy archive at `path` and reads the headers of its arrays, stored or deflated. An array whose header
/// cannot be read is listed too; the functions that ask for it report what is wrong. On success `*out` is a new
/// mnist_npz; free it with mnist_npz_free.
///
/// Errors: NOT_FOUND, IO; FORMAT for a file that is not a valid archive of arrays (if it is another known kind of file,
/// the message names the kind).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_npz_open(
    path: *const c_char,
    out: *mut *mut mnist_npz,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract the pointers are NULL or what the header says.
        unsafe {
            let out = self::out(out, "out")?;
            let npz = Npz::open(&self::path(path, "path")?)?;
            let names = npz.names().map(|name| CString::new(name.replace('\0', " ")).unwrap_or_default()).collect();
            out.write(give(mnist_npz { npz, names }));
        }
        Ok(MNIST_OK)
    })
}

/// Frees an archive. NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_npz_free(npz: *mut mnist_npz) {
    // SAFETY: by the contract it is NULL or came from mnist_npz_open and was not freed.
    guard::value((), || unsafe { take(npz) })
}

/// Returns the number of arrays; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_npz_len(npz: *const mnist_npz) -> usize {
    // SAFETY: by the contract it is NULL or live.
    guard::value(0, || unsafe { peek(npz) }.map_or(0, |npz| npz.names.len()))
}

/// Returns the name of array `i`, counted from 0 in the archive's order, without ".npy", as NumPy's `files` lists it.
/// Returns NULL if there is no array `i`, and for NULL. The string lives as long as the archive object.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_npz_name(npz: *const mnist_npz, i: usize) -> *const c_char {
    guard::value(std::ptr::null(), || {
        // SAFETY: by the contract it is NULL or live.
        let name = unsafe { peek(npz) }.and_then(|npz| npz.names.get(i));
        name.map_or(std::ptr::null(), |name| name.as_ptr())
    })
}

/// Gets the shape of the array `name`: its number of dimensions in `*rank`, its sizes in `dims`, which has room for
/// `capacity` values. With a `capacity` of 0 `dims` may be NULL, and only `*rank` is written.
///
/// Errors: NOT_FOUND; FORMAT or UNSUPPORTED for an array whose header cannot be read (damaged, a struct type,
/// encrypted, compressed other than by deflate); INVALID_ARGUMENT when `capacity` is above 0 but below the rank
/// (nothing is written then).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_npz_shape(
    npz: *const mnist_npz,
    name: *const c_char,
    dims: *mut usize,
    capacity: usize,
    rank: *mut usize,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract the pointers are NULL or what the header says.
        unsafe {
            let npz = borrow(npz, "npz")?;
            let name = string(name, "name")?;
            let rank = out(rank, "rank")?;
            let shape = npz.npz.shape(name)?;
            if capacity > 0 {
                room(dims, "dims", (capacity, "capacity"), shape.len())?.copy_from_slice(shape);
            }
            rank.write(shape.len());
        }
        Ok(MNIST_OK)
    })
}
