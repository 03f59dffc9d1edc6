//! Conversions of the caller's pointers: the function that converts a pointer states who owns what it points to.
//!
//! | function | the pointer |
//! |---|---|
//! | [`borrow`], [`peek`] | an object of ours that stays the caller's |
//! | [`give`] | a new object goes to the caller, who frees it |
//! | [`take`] | an object comes back to be freed |
//! | [`out`] | the caller's variable, written on success |
//! | [`slice()`], [`room`] | the caller's array; NULL is allowed for 0 elements |
//! | [`string`], [`path`] | the caller's text, NUL-terminated UTF-8 |

use crate::error::{Error, ErrorKind, Result};
use std::ffi::{CStr, c_char};
use std::path::{Path, PathBuf};

/// The error for a NULL pointer where NULL is not allowed.
pub(super) fn null(argument: &str) -> Error {
    Error::new(ErrorKind::InvalidArgument, "is NULL").at(format_args!("argument `{argument}`"))
}

/// An opaque type of the header.
pub trait Handle {
    /// The type tag, different for every type.
    const TAG: u64;
}

/// The mark at the beginning of a live object: its type tag combined with the address of this variable. Another copy of
/// the library in the process (loaded or linked a second time) has this variable at another address, and its own
/// allocator.
fn mark<T: Handle>() -> u64 {
    static OURS: u8 = 0;
    T::TAG ^ (&raw const OURS).addr() as u64
}

/// An object in memory: the mark, then the object. The mark detects a pointer to something else, to a freed object
/// whose memory has not been reused, and to an object of another copy of the library.
#[repr(C)]
pub struct Tagged<T> {
    tag: u64,
    object: T,
}

impl<T: Handle> Tagged<T> {
    /// Adds the mark to an object.
    pub fn new(object: T) -> Self {
        Tagged { tag: mark::<T>(), object }
    }

    /// The pointer that the caller gets.
    pub fn pointer(&mut self) -> *mut T {
        (&raw mut *self).cast()
    }

    /// The object that the caller's pointer points to, if the mark is right.
    ///
    /// # Safety
    /// `pointer` is NULL, or eight bytes can be read there; if they are its mark, the object lives for `'a`.
    unsafe fn find<'a>(pointer: *const T) -> Option<&'a Self> {
        let pointer = pointer.cast::<Self>();
        if pointer.is_null() || !pointer.is_aligned() {
            return None;
        }
        // SAFETY: the caller's.
        unsafe {
            let tag = (&raw const (*pointer).tag).read_volatile();
            (tag == mark::<T>()).then(|| &*pointer)
        }
    }
}

impl<T> Drop for Tagged<T> {
    fn drop(&mut self) {
        // SAFETY: the field is there; volatile, because the compiler would remove a store to memory that is about to be
        // freed.
        unsafe { (&raw mut self.tag).write_volatile(0) };
    }
}

/// An object for the time of a call, if there is one.
///
/// # Safety
/// `pointer` is NULL or came from [`give`], and nobody frees the object meanwhile.
pub unsafe fn peek<'a, T: Handle>(pointer: *const T) -> Option<&'a T> {
    // SAFETY: the caller's.
    unsafe { Tagged::find(pointer) }.map(|tagged| &tagged.object)
}

/// The same, to be changed.
///
/// # Safety
/// As [`peek`]; nobody else uses the object meanwhile.
pub unsafe fn peek_mut<'a, T: Handle>(pointer: *mut T) -> Option<&'a mut T> {
    // SAFETY: the caller's; what `find` has found is a whole object.
    unsafe { Tagged::find(pointer).map(|_| &mut (*pointer.cast::<Tagged<T>>()).object) }
}

/// Borrows an object for the time of a call.
///
/// # Safety
/// As [`peek`].
pub unsafe fn borrow<'a, T: Handle>(pointer: *const T, argument: &str) -> Result<&'a T> {
    if pointer.is_null() {
        return Err(null(argument));
    }
    // SAFETY: the caller's.
    unsafe { peek(pointer) }.ok_or_else(|| {
        let name = std::any::type_name::<T>().rsplit("::").next().unwrap_or_default();
        Error::new(ErrorKind::InvalidArgument, "is not such an object of this library, or was freed")
            .expected(format_args!("a live {name}"))
            .at(format_args!("argument `{argument}`"))
    })
}

/// Hands an object to the caller, who has to free it.
pub fn give<T: Handle>(object: T) -> *mut T {
    Box::into_raw(Box::new(Tagged::new(object))).cast()
}

/// Frees an object; does nothing for NULL and for anything else than such an object.
///
/// # Safety
/// As [`peek`]; nobody uses the object any more.
pub unsafe fn take<T: Handle>(pointer: *mut T) {
    // SAFETY: the caller's; what `find` has found came from `give`.
    unsafe {
        if Tagged::find(pointer).is_some() {
            drop(Box::from_raw(pointer.cast::<Tagged<T>>()));
        }
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
    if len == 0 {
        return Ok(&[]);
    }
    check_array(pointer, len, argument)?;
    // SAFETY: the caller's; the length in bytes fits (`check_array`).
    Ok(unsafe { std::slice::from_raw_parts(pointer, len) })
}

/// The first `needed` elements of the caller's array, to be written; it has `capacity`, as the argument of that name says.
///
/// # Safety
/// `pointer` is NULL or points to `capacity` elements that nobody else uses meanwhile.
pub unsafe fn room<'a, T>(
    pointer: *mut T,
    argument: &str,
    (capacity, its_name): (usize, &str),
    needed: usize,
) -> Result<&'a mut [T]> {
    check_capacity(its_name, capacity, needed)?;
    if needed == 0 {
        return Ok(&mut []);
    }
    check_array(pointer, capacity, argument)?;
    // SAFETY: the caller's; the length in bytes fits (`check_array`).
    Ok(unsafe { std::slice::from_raw_parts_mut(pointer, needed) })
}

fn check_array<T>(pointer: *const T, len: usize, argument: &str) -> Result<()> {
    if pointer.is_null() {
        return Err(null(argument));
    }
    let bytes = len.checked_mul(size_of::<T>()).filter(|&bytes| bytes <= isize::MAX as usize);
    if bytes.is_none() || !pointer.is_aligned() {
        return Err(Error::new(ErrorKind::InvalidArgument, "not a valid array")
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
            .found(format_args!("an invalid byte at {}", error.valid_up_to()))
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
fn check_capacity(argument: &str, capacity: usize, needed: usize) -> Result<()> {
    match capacity >= needed {
        true => Ok(()),
        false => Err(Error::new(ErrorKind::InvalidArgument, "too small")
            .expected(format_args!("{needed} or more"))
            .found(capacity)
            .at(format_args!("argument `{argument}`"))),
    }
}

/// Writes all of `shape`'s sizes, unless `capacity` is 0, and gives how many there are; an error where there is too little
/// room for them.
///
/// # Safety
/// `dims` is NULL or has room for `capacity` numbers.
pub unsafe fn whole_shape(shape: &[usize], dims: *mut usize, capacity: usize) -> Result<usize> {
    if capacity > 0 {
        // SAFETY: the caller's.
        unsafe { room(dims, "dims", (capacity, "capacity"), shape.len()) }?.copy_from_slice(shape);
    }
    Ok(shape.len())
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
