//! Structs that begin with their own size, so that a program works with an older or newer version of the library.

use crate::error::{Error, ErrorKind, Result};

/// A struct of options. Its first field is `size_t struct_size`.
///
/// # Safety
/// The type is `repr(C)` and begins with a `usize`; every bit pattern that a C program may write is a valid value.
pub unsafe trait Options: Copy {
    /// The defaults, `struct_size` filled in.
    const DEFAULT: Self;
    /// The size of the first version ever published.
    const FIRST: usize;
}

/// The largest struct size that is accepted.
const LONGEST: usize = 4096;

/// Reads the caller's options; NULL means the defaults. Fields that an older struct does not have get their defaults; a
/// newer struct is accepted if all unknown fields are zero.
///
/// # Safety
/// `options` is NULL or points to as many bytes as its `struct_size` says.
pub unsafe fn read<T: Options>(options: *const T, argument: &str) -> Result<T> {
    let known = size_of::<T>();
    let mut read = T::DEFAULT;
    if options.is_null() {
        return Ok(read);
    }
    // SAFETY: the caller's: a struct begins with its size, and is that long; `read` holds `known` bytes.
    unsafe {
        let size = options.cast::<usize>().read_unaligned();
        // A struct's size is always a multiple of its alignment; any other size could cut a pointer field in two.
        if !(T::FIRST..=LONGEST).contains(&size) || size % align_of::<T>() != 0 {
            return Err(Error::new(ErrorKind::InvalidArgument, "not filled in by its _init function")
                .expected(format_args!("{} to {LONGEST}, a multiple of {}", T::FIRST, align_of::<T>()))
                .found(size)
                .at(format_args!("field `struct_size` of argument `{argument}`")));
        }
        let bytes = std::slice::from_raw_parts(options.cast::<u8>(), size);
        if let Some(at) = (known..size).find(|&at| bytes[at] != 0) {
            return Err(Error::new(ErrorKind::Unsupported, "an option that this version of the library does not know")
                .expected(format_args!("{known} bytes"))
                .found(format_args!("{size}"))
                .at(format_args!("byte {at} of argument `{argument}`")));
        }
        std::ptr::copy_nonoverlapping(bytes.as_ptr(), (&raw mut read).cast::<u8>(), size.min(known));
    }
    Ok(read)
}

/// Fills in the first `size` bytes: with the defaults as far as this version knows the fields, then with zeros. So an
/// older program's shorter struct is not written past its end. Does nothing for NULL, and for a size that does not hold
/// `struct_size`.
///
/// # Safety
/// `options` is NULL or `size` bytes are good to write there.
pub unsafe fn init<T: Options>(options: *mut T, size: usize) {
    if options.is_null() || !(size_of::<usize>()..=LONGEST).contains(&size) {
        return;
    }
    let default = T::DEFAULT;
    let known = size.min(size_of::<T>());
    // SAFETY: the caller's; the default is as long as its type says.
    unsafe {
        let bytes = options.cast::<u8>();
        bytes.write_bytes(0, size);
        std::ptr::copy_nonoverlapping((&raw const default).cast::<u8>(), bytes, known);
        options.cast::<usize>().write_unaligned(size);
    }
}

/// The error for an unknown constant.
pub fn unknown(option: &str, expected: &str, found: impl std::fmt::Display) -> Error {
    let error = Error::new(ErrorKind::InvalidArgument, "unknown constant").expected(expected).found(found);
    error.at(format_args!("option `{option}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[repr(C)]
    #[derive(Clone, Copy)]
    struct Newer {
        struct_size: usize,
        a: u64,
        b: u64,
        c: u64,
    }

    #[repr(C)]
    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Known {
        struct_size: usize,
        a: u64,
        b: u64,
    }

    // SAFETY: plain integers behind a usize.
    unsafe impl Options for Known {
        const DEFAULT: Self = Known { struct_size: size_of::<Known>(), a: 1, b: 2 };
        const FIRST: usize = size_of::<usize>() + 8;
    }

    #[test]
    fn only_what_the_caller_has_is_written() {
        for size in [0, 7, 8, Known::FIRST, size_of::<Known>(), size_of::<Newer>()] {
            let mut newer = Newer { struct_size: 5, a: 6, b: 7, c: 8 };
            // SAFETY: no size is more than the struct's.
            unsafe { init((&raw mut newer).cast::<Known>(), size) };
            let expected = match size {
                0 | 7 => [5, 6, 7, 8],
                8 => [8, 6, 7, 8],
                16 => [16, 1, 7, 8],
                24 => [24, 1, 2, 8],
                _ => [32, 1, 2, 0],
            };
            assert_eq!([newer.struct_size as u64, newer.a, newer.b, newer.c], expected, "{size}");
        }
    }

    #[test]
    fn older_and_newer_structs() {
        let take = |size, c| {
            let newer = Newer { struct_size: size, a: 8, b: 9, c };
            // SAFETY: `newer` is as long as the largest size that is accepted.
            unsafe { read((&raw const newer).cast::<Known>(), "options") }
        };
        // SAFETY: NULL is allowed.
        assert_eq!(unsafe { read::<Known>(std::ptr::null(), "options") }.unwrap(), Known::DEFAULT);
        let (older, known, newer) = (Known::FIRST, size_of::<Known>(), size_of::<Newer>());
        assert_eq!(take(known, 7).unwrap().b, 9);
        assert_eq!(take(older, 7).unwrap().b, 2, "an older struct has no b");
        assert_eq!(take(newer, 0).unwrap().a, 8, "a newer struct's new field is zero");
        assert_eq!(take(newer, 7).unwrap_err().kind(), ErrorKind::Unsupported);
        for size in [0, older - 8, older + 1, known - 1, known + 1, newer - 1, 5000, usize::MAX] {
            assert_eq!(take(size, 0).unwrap_err().kind(), ErrorKind::InvalidArgument);
        }
    }
}
