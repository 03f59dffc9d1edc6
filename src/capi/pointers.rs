//! What a pointer from outside means, said by the function that takes it.
//!
//! | function | the pointer |
//! |---|---|
//! | [`borrow`] | an object of ours that stays the caller's |
//! | [`give`] | a new object goes to the caller, who frees it |
//! | [`take`] | an object comes back to be freed |
//! | [`out`] | the caller's variable, written on success |
//! | [`slice()`], [`slice_mut`] | the caller's array |
//! | [`string`], [`path`] | the caller's text, NUL-terminated UTF-8 |

use crate::error::{Error, ErrorKind, Result};
use std::ffi::{CStr, c_char};
use std::path::{Path, PathBuf};

fn null(argument: &str) -> Error {
    Error::new(ErrorKind::InvalidArgument, "is NULL").at(format_args!("argument `{argument}`"))
}

/// Borrows an object for the time of a call.
///
/// # Safety
/// `pointer` is NULL or points to a live `T`, and nobody frees it meanwhile.
pub unsafe fn borrow<'a, T>(pointer: *const T, argument: &str) -> Result<&'a T> {
    // SAFETY: the caller's.
    unsafe { pointer.as_ref() }.ok_or_else(|| null(argument))
}

/// Hands an object to the caller, who has to free it.
pub fn give<T>(object: T) -> *mut T {
    Box::into_raw(Box::new(object))
}

/// Takes an object back and ends it; NULL is none.
///
/// # Safety
/// `pointer` is NULL or came from [`give`] and has not been taken back.
pub unsafe fn take<T>(pointer: *mut T) {
    if !pointer.is_null() {
        // SAFETY: the caller's.
        drop(unsafe { Box::from_raw(pointer) });
    }
}

/// A variable of the caller that is written on success.
pub struct Out<T>(*mut T);

/// Checks that there is a variable to write to.
pub fn out<T>(pointer: *mut T, argument: &str) -> Result<Out<T>> {
    match pointer.is_null() {
        true => Err(null(argument)),
        false => Ok(Out(pointer)),
    }
}

impl<T> Out<T> {
    /// Writes it.
    ///
    /// # Safety
    /// The pointer it was made from is good to write.
    pub unsafe fn write(self, value: T) {
        // SAFETY: the caller's.
        unsafe { self.0.write(value) }
    }
}

/// The caller's array of `len` elements.
///
/// # Safety
/// `pointer` is NULL or points to `len` elements that nobody writes meanwhile.
pub unsafe fn slice<'a, T>(pointer: *const T, len: usize, argument: &str) -> Result<&'a [T]> {
    check_array(pointer, len, argument)?;
    // SAFETY: the caller's; the length in bytes fits (`check_array`).
    Ok(unsafe { std::slice::from_raw_parts(pointer, len) })
}

/// The caller's array of `len` elements, to be written.
///
/// # Safety
/// `pointer` is NULL or points to `len` elements that nobody else uses meanwhile.
pub unsafe fn slice_mut<'a, T>(pointer: *mut T, len: usize, argument: &str) -> Result<&'a mut [T]> {
    check_array(pointer, len, argument)?;
    // SAFETY: the caller's; the length in bytes fits (`check_array`).
    Ok(unsafe { std::slice::from_raw_parts_mut(pointer, len) })
}

fn check_array<T>(pointer: *const T, len: usize, argument: &str) -> Result<()> {
    if pointer.is_null() {
        return Err(null(argument));
    }
    let bytes = len.checked_mul(size_of::<T>()).filter(|&bytes| bytes <= isize::MAX as usize);
    if bytes.is_none() || !pointer.is_aligned() {
        return Err(Error::new(ErrorKind::InvalidArgument, "no array can be there")
            .expected("an aligned pointer and a size that fits the address space")
            .found(format_args!("{len} elements at {pointer:p}"))
            .at(format_args!("argument `{argument}`")));
    }
    Ok(())
}

/// The caller's text.
///
/// # Safety
/// `pointer` is NULL or points to a NUL-terminated string that nobody writes meanwhile.
pub unsafe fn string<'a>(pointer: *const c_char, argument: &str) -> Result<&'a str> {
    if pointer.is_null() {
        return Err(null(argument));
    }
    // SAFETY: the caller's.
    let text = unsafe { CStr::from_ptr(pointer) };
    text.to_str().map_err(|error| {
        Error::new(ErrorKind::InvalidArgument, "is not UTF-8")
            .found(format_args!("a wrong byte at {}", error.valid_up_to()))
            .at(format_args!("argument `{argument}`"))
    })
}

/// The caller's path, which is not empty.
///
/// # Safety
/// As [`string`].
pub unsafe fn path(pointer: *const c_char, argument: &str) -> Result<PathBuf> {
    // SAFETY: the caller's.
    let text = unsafe { string(pointer, argument) }?;
    match text {
        "" => Err(Error::new(ErrorKind::InvalidArgument, "is empty").at(format_args!("argument `{argument}`"))),
        text => Ok(Path::new(text).to_path_buf()),
    }
}

/// An error unless the caller's array has room for what is to be written.
pub fn check_capacity(argument: &str, capacity: usize, needed: usize) -> Result<()> {
    match capacity >= needed {
        true => Ok(()),
        false => Err(Error::new(ErrorKind::InvalidArgument, "too small")
            .expected(format_args!("{needed} or more"))
            .found(capacity)
            .at(format_args!("argument `{argument}`"))),
    }
}

/// Writes as many of `shape`'s sizes as there is room for, and returns how many there are.
///
/// # Safety
/// `dims` is NULL or has room for `capacity` numbers.
pub unsafe fn write_dims(shape: &[usize], dims: *mut usize, capacity: usize) -> usize {
    if !dims.is_null() {
        for (i, &dim) in shape.iter().enumerate().take(capacity) {
            // SAFETY: the caller's, `i` being below `capacity`.
            unsafe { dims.add(i).write(dim) };
        }
    }
    shape.len()
}
