//! `mnist_array`: arrays of any type in the caller's memory, and datasets made from them.
#![allow(non_camel_case_types)]

use super::dataset::{
    MNIST_DTYPE_F32, MNIST_DTYPE_F64, MNIST_DTYPE_I8, MNIST_DTYPE_I16, MNIST_DTYPE_I32, MNIST_DTYPE_I64,
    MNIST_DTYPE_U8, MNIST_DTYPE_U16, MNIST_DTYPE_U32, MNIST_DTYPE_U64, create, mnist_dataset, mnist_dtype,
};
use super::error::{mnist_error, mnist_status};
use super::guard;
use super::pointers::slice;
use crate::data::{Dataset, Elements};
use crate::error::{At, Error, ErrorKind, Result};
use crate::memory;
use std::ffi::c_void;

/// An array in the caller's memory, row-major.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct mnist_array {
    /// The elements, as many as the product of `dims`.
    pub data: *const c_void,
    /// The element type, one of the constants MNIST_DTYPE_...
    pub dtype: mnist_dtype,
    /// The number of dimensions.
    pub rank: usize,
    /// The sizes, outermost first.
    pub dims: *const usize,
}

/// Creates a dataset from arrays in memory. All arrays are copied. On success `*out` is a new dataset; free it with
/// mnist_dataset_free.
///
/// - `x`: the samples, `[N, features]`, `[N, H, W]`, `[N, steps, channels]` or `[N, H, W, C]` of any type. Bytes stay
///   bytes; every other type becomes float32.
/// - `y`: the labels or targets. Integers `[N]` or `[N, 1]` are labels, each from 0 to 2^32 - 1. Floats, and integers
///   of another shape (one-hot classes, `[N, classes]`), are targets of rank 1 to 4; they become float32, and `[N]`
///   becomes `[N, 1]`. NULL: neither, which is enough for mnist_model_predict_dataset.
/// - `sample_weight`: `[N]` or `[N, 1]` of any type: how much each sample counts in the loss, 0 or more. NULL: all
///   count the same.
///
/// Samples and targets may be NaN or infinite here; functions that train or evaluate with them report it.
///
/// Errors: SHAPE for another rank, a size of 0, or different numbers of samples, labels, targets and weights;
/// INVALID_ARGUMENT for an unknown type, a label out of range, or a weight that is negative, NaN or infinite;
/// OUT_OF_MEMORY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_dataset_new(
    x: *const mnist_array,
    y: *const mnist_array,
    sample_weight: *const mnist_array,
    out: *mut *mut mnist_dataset,
    error: *mut mnist_error,
) -> mnist_status {
    // SAFETY: by the contract the pointers are NULL or what the header says.
    guard::status(error, || unsafe {
        create(out, || {
            let x = Array::of(x, "x")?;
            let y = (!y.is_null()).then(|| Array::of(y, "y")).transpose()?;
            let weight = (!sample_weight.is_null()).then(|| Array::of(sample_weight, "sample_weight")).transpose()?;
            let pixels = match x.dtype {
                MNIST_DTYPE_U8 => Elements::U8(x.copy(|byte: u8| byte)?),
                _ => Elements::F32(x.floats()?),
            };
            let mut data = Dataset::from_elements(pixels, x.dims).at("argument `x`")?;
            if let Some(y) = y {
                data = match y.are_labels() {
                    true => data.with_labels(y.labels().at("argument `y`")?),
                    false => data.with_targets(y.floats()?, if y.dims.len() > 1 { &y.dims[1..] } else { &[1] }),
                }
                .at("argument `y`")?;
            }
            if let Some(weight) = weight {
                data = data.with_weights(weight.column()?.floats()?).at("argument `sample_weight`")?;
            }
            Ok(data)
        })
    })
}

/// An array with checked sizes.
struct Array<'a> {
    name: &'static str,
    data: *const c_void,
    dtype: mnist_dtype,
    dims: &'a [usize],
    len: usize,
}

impl<'a> Array<'a> {
    /// Checks the caller's array.
    ///
    /// # Safety
    /// `array` is NULL or points to one whose sizes and numbers can be read for `'a`.
    unsafe fn of(array: *const mnist_array, name: &'static str) -> Result<Self> {
        let place = format!("argument `{name}`");
        // SAFETY: the caller's.
        unsafe {
            let mnist_array { data, dtype, rank, dims } = slice(array, 1, name)?[0];
            if !(1..=4).contains(&rank) {
                let error = Error::new(ErrorKind::Shape, "wrong rank").expected("1 to 4").found(rank);
                return Err(error.at(place));
            }
            let dims = slice(dims, rank, "dims").at(&place)?;
            let product = dims.iter().try_fold(1usize, |product, &dim| product.checked_mul(dim));
            match product.filter(|&len| len > 0) {
                Some(len) => Ok(Array { name, data, dtype, dims, len }),
                None => {
                    let error = Error::new(ErrorKind::Shape, "sizes that are 0 or too large");
                    Err(error.found(format_args!("{dims:?}")).at(place))
                }
            }
        }
    }

    /// Its elements converted by `convert`.
    ///
    /// # Safety
    /// They are of the type `T`.
    unsafe fn copy<T: Copy, U>(&self, convert: impl Fn(T) -> U) -> Result<Vec<U>> {
        let place = || format!("argument `{}`", self.name);
        // SAFETY: the caller's.
        let numbers = unsafe { slice(self.data.cast::<T>(), self.len, "data") }.at(place())?;
        memory::collect(numbers.iter().map(|&number| convert(number))).at(place())
    }

    /// Its elements in single precision.
    ///
    /// # Safety
    /// They are of its type.
    unsafe fn floats(&self) -> Result<Vec<f32>> {
        // SAFETY: the caller's.
        unsafe {
            match self.dtype {
                MNIST_DTYPE_U8 => self.copy(|x: u8| f32::from(x)),
                MNIST_DTYPE_F32 => self.copy(|x: f32| x),
                MNIST_DTYPE_F64 => self.copy(|x: f64| x as f32),
                MNIST_DTYPE_I8 => self.copy(|x: i8| f32::from(x)),
                MNIST_DTYPE_I16 => self.copy(|x: i16| f32::from(x)),
                MNIST_DTYPE_I32 => self.copy(|x: i32| x as f32),
                MNIST_DTYPE_I64 => self.copy(|x: i64| x as f32),
                MNIST_DTYPE_U16 => self.copy(|x: u16| f32::from(x)),
                MNIST_DTYPE_U32 => self.copy(|x: u32| x as f32),
                MNIST_DTYPE_U64 => self.copy(|x: u64| x as f32),
                _ => Err(self.unknown()),
            }
        }
    }

    /// Whether its elements are labels: integers, one per sample.
    fn are_labels(&self) -> bool {
        !matches!(self.dtype, MNIST_DTYPE_F32 | MNIST_DTYPE_F64) && matches!(self.dims, [_] | [_, 1])
    }

    /// The array, if it has one element per sample.
    fn column(self) -> Result<Self> {
        match self.dims {
            [_] | [_, 1] => Ok(self),
            dims => {
                let error = Error::new(ErrorKind::Shape, "not one number for each sample").expected("[N] or [N, 1]");
                Err(error.found(format_args!("{dims:?}")).at(format_args!("argument `{}`", self.name)))
            }
        }
    }

    /// Its integers as labels.
    ///
    /// # Safety
    /// They are of its type.
    unsafe fn labels(&self) -> Result<Vec<u32>> {
        // SAFETY: the caller's.
        let wide: Vec<i128> = unsafe {
            match self.dtype {
                MNIST_DTYPE_U8 => self.copy(|x: u8| x.into()),
                MNIST_DTYPE_I8 => self.copy(|x: i8| x.into()),
                MNIST_DTYPE_I16 => self.copy(|x: i16| x.into()),
                MNIST_DTYPE_I32 => self.copy(|x: i32| x.into()),
                MNIST_DTYPE_I64 => self.copy(|x: i64| x.into()),
                MNIST_DTYPE_U16 => self.copy(|x: u16| x.into()),
                MNIST_DTYPE_U32 => self.copy(|x: u32| x.into()),
                MNIST_DTYPE_U64 => self.copy(|x: u64| x.into()),
                _ => Err(self.unknown()),
            }
        }?;
        let mut labels = memory::reserve(wide.len())?;
        for (i, &label) in wide.iter().enumerate() {
            labels.push(u32::try_from(label).map_err(|_| {
                let error = Error::new(ErrorKind::InvalidArgument, "a label is out of range");
                error.expected("0 to 4294967295").found(label).at(format_args!("label {i}"))
            })?);
        }
        Ok(labels)
    }

    fn unknown(&self) -> Error {
        Error::new(ErrorKind::InvalidArgument, "unknown constant")
            .expected("a constant MNIST_DTYPE_...")
            .found(self.dtype)
            .at(format_args!("field `dtype` of argument `{}`", self.name))
    }
}
