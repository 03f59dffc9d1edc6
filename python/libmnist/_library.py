"""The shared library, declared by the header in the same folder, and its errors."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

import cffi

_FOLDER = Path(__file__).parent
ffi: Any = cffi.FFI()
_header = (_FOLDER / "mnist.h").read_text("utf-8")
ffi.cdef(re.sub(r'^#(?!define MNIST_\w+ -?\d).*|^extern "C" \{|^\} +// extern.*', "", _header, flags=re.M))
lib: Any = ffi.dlopen(str(_FOLDER / "libmnist.so.0"))  # calls release the GIL


class MnistError(Exception):
    """A failed call of the library: what is wrong, where, what was expected and what was found."""
    status: ClassVar[int] = 0  # MNIST_ERROR_... of mnist.h


class InvalidArgumentError(MnistError, ValueError): status = -1
class ShapeError(MnistError, ValueError): status = -2
class StateError(MnistError, RuntimeError): status = -3
class BusyError(MnistError, RuntimeError): status = -4
class IoError(MnistError, OSError): status = -5
class FormatError(MnistError, ValueError): status = -6
class NotFoundError(MnistError, FileNotFoundError, LookupError): status = -7
class NetworkError(MnistError, ConnectionError): status = -8
class ChecksumError(MnistError, ValueError): status = -9
class OutOfMemoryError(MnistError, MemoryError): status = -10
class UnsupportedError(MnistError, NotImplementedError): status = -11
class InternalError(MnistError, RuntimeError): status = -12


_ERRORS = {error.status: error for error in MnistError.__subclasses__()}


def string(value: Any) -> str:
    return ffi.string(value).decode() if value else ""


def call(name: str, *arguments: Any) -> tuple[int, str]:
    """Calls a function whose last parameter is an mnist_error; returns its status and message. Raises an MnistError on failure."""
    error = ffi.gc(lib.mnist_error_new(), lib.mnist_error_free)
    status = getattr(lib, f"mnist_{name}")(*arguments, error)
    if status < 0:
        raise _ERRORS.get(status, MnistError)(string(lib.mnist_error_message(error)))
    return status, string(lib.mnist_error_message(error))


def new(kind: str, name: str, *arguments: Any) -> Any:
    """The object that a function returns through its last output parameter; freed with the last reference to it."""
    made = ffi.new(f"mnist_{kind} **")
    call(name, *arguments, made)
    return ffi.gc(made[0], getattr(lib, f"mnist_{kind}_free"))


_held: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()  # keeps alive what a struct points to


def options(kind: str, **fields: Any) -> Any:
    """An options struct with the library's defaults, and the given fields unless they are None."""
    made = ffi.new(f"mnist_{kind} *")
    getattr(lib, f"mnist_{kind}_init")(made, ffi.sizeof(f"mnist_{kind}"))
    given = {name: ffi.new("char[]", value) if isinstance(value, bytes) else value for name, value in fields.items()}
    for name, value in given.items():
        try:
            if value is not None:
                setattr(made, name, value)
        except (TypeError, OverflowError) as error:
            raise type(error)(f"option `{name}`: {error}: found {value!r}") from None
    _held[made] = given
    return made


def shape(function: Any, owner: Any) -> tuple[int, ...]:
    """The shape that a function such as mnist_tensor_shape returns."""
    dims = ffi.new("size_t[8]")
    return tuple(dims[0:function(owner, dims, 8)])


def text(value: str | bytes | os.PathLike[str]) -> bytes:
    """A name or a path in UTF-8, without NUL characters."""
    plain = os.fspath(value)
    encoded = plain if isinstance(plain, bytes) else plain.encode("utf-8", "surrogateescape")
    if b"\0" in encoded:
        raise ValueError(f"embedded null character in {value!r}")
    return encoded
