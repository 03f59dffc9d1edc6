"""Datasets: from numpy arrays, from a function that returns samples on request, and MNIST."""

from __future__ import annotations

from typing import Any, Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._calls import Pending, callback
from ._library import call, ffi, lib, new, options, shape as shape_of, text

Arrays = tuple[NDArray[Any], NDArray[Any]]
_DTYPES = {np.dtype(name): getattr(lib, f"MNIST_DTYPE_{name[0].upper()}{np.dtype(name).itemsize * 8}")
           for name in ("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "float32", "float64")}
_OTHERS = {np.dtype(np.bool_): np.uint8, np.dtype(np.float16): np.float32, np.dtype(np.longdouble): np.float64}


def numbers(values: Any, what: str) -> NDArray[Any]:
    """A C-contiguous array of a dtype that the library supports."""
    array = np.asarray(values)
    kind = array.dtype.newbyteorder("=")
    if kind not in _DTYPES and kind not in _OTHERS:
        raise TypeError(f"{what}: expected numbers, found an array of {array.dtype}")
    return np.require(array, _OTHERS.get(kind, kind), "C")


def pointer(array: NDArray[Any], kind: str = "float *") -> Any:
    return ffi.cast(kind, array.ctypes.data)


class Dataset:
    """A copy of samples `[N, features]`, `[N, steps, channels]`, `[N, H, W]` or `[N, H, W, C]`: uint8 stays uint8, other types become
    float32. `y`: integer labels `[N]`, or targets."""
    _fetch: Any = None

    def __init__(self, x: ArrayLike, y: ArrayLike | None = None, sample_weight: ArrayLike | None = None) -> None:
        given, keep = list[Any](), list[Any]()
        for name, values in (("x", x), ("y", y), ("sample_weight", sample_weight)):
            array = numbers(values, name) if values is not None or name == "x" else None
            keep.append((array, ffi.new("size_t[]", () if array is None else array.shape)))
            given.append(ffi.NULL if array is None else ffi.new("mnist_array *", (
                pointer(array, "void *"), _DTYPES[array.dtype], array.ndim, keep[-1][1])))
        self._handle, self.pending = new("dataset", "dataset_new", *given), Pending()

    @staticmethod
    def of(x: ArrayLike | Dataset, y: ArrayLike | None = None, sample_weight: ArrayLike | None = None) -> Dataset:
        if not isinstance(x, Dataset):
            return Dataset(x, y, sample_weight)
        if y is not None or sample_weight is not None:
            raise TypeError("expected no y and no sample_weight with a Dataset, which contains both")
        return x

    @staticmethod
    def from_source(fetch: Callable[[NDArray[np.uint64]], tuple[ArrayLike, ArrayLike]], length: int, shape: Sequence[int],
                    target_len: int = 0, identity: str | None = None) -> Dataset:
        """`length` samples that are loaded on request: `fetch(indices)` returns x, `[len(indices), *shape]`, and y, labels or (with
        a `target_len`) targets `[len(indices), target_len]`. The same index must always return the same sample. A checkpoint can
        be resumed only with a source that has the same `identity`."""

        def fill(_: Any, indices: Any, count: int, x_at: Any, labels_at: Any, targets_at: Any) -> None:
            x, y = (numbers(values, name) for name, values in zip("xy", fetch(_memory(indices, np.uint64, count).copy())))
            y_at = _memory(targets_at, np.float32, count, target_len) if target_len else _memory(labels_at, np.uint32, count)
            if not target_len and (y.dtype.kind == "f" or y.size and not 0 <= y.min() <= y.max() < 1 << 32):
                raise ValueError("y: expected labels, integers from 0 to 4294967295")
            for values, place in ((x, _memory(x_at, np.float32, count, *shape)), (y, y_at)):
                if values.shape != place.shape:
                    raise ValueError(f"fetch: expected an array of shape {place.shape}, found {values.shape}")
                place[...] = values

        made, pending = Dataset.__new__(Dataset), Pending()
        source = options("source", len=length, rank=len(shape), dims=ffi.new("size_t[]", tuple(shape)), target_len=target_len,
                         identity=None if identity is None else text(identity))
        made.pending, made._fetch = pending, callback("mnist_fetch_fn", fill, pending)
        source.fetch = made._fetch
        made._handle = new("dataset", "dataset_from_source", source)
        return made

    def __len__(self) -> int:
        return int(lib.mnist_dataset_len(self._handle))


def _memory(address: Any, dtype: Any, *dims: int) -> NDArray[Any]:
    """An array that shares the library's memory."""
    return np.frombuffer(ffi.buffer(address, int(np.prod(dims)) * np.dtype(dtype).itemsize), dtype).reshape(dims)


def load_data(path: str | None = None) -> tuple[Arrays, Arrays]:
    """MNIST as keras.datasets.mnist.load_data() returns it: (x_train, y_train), (x_test, y_test), from an npz archive or, without a
    path, from Keras's cache, which is filled by a download if necessary."""
    ends, found = ffi.new("mnist_dataset *[2]"), []
    call("load_data", ffi.NULL if path is None else text(path), ends, ends + 1)
    for data in [ffi.gc(end, lib.mnist_dataset_free) for end in ends]:
        dims = shape_of(lib.mnist_dataset_shape, data)
        x = np.empty(dims, np.uint8 if lib.mnist_dataset_dtype(data) == lib.MNIST_DTYPE_U8 else np.float32)
        y, image = np.empty(dims[0], np.uint32), np.empty(dims[1:], np.float32)
        call("dataset_labels", data, pointer(y, "uint32_t *"), y.size)
        place = pointer(image)
        for i in range(dims[0]):
            call("dataset_image", data, i, place, image.size, ffi.NULL)
            x[i] = image
        found.append((x, y.astype(np.min_scalar_type(y.max()))))
    return found[0], found[1]
