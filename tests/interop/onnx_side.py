"""The library's ONNX files, and onnxruntime's answer to them."""

import ctypes
import sys
from ctypes import c_size_t, c_void_p
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "keras"))

from libmnist import Library, MnistError, Model, Owned, at  # noqa: E402


class Loaded(Model):
    """A model that the library has read from a file."""

    def __init__(self, library, path):
        made = c_void_p()
        library.call("model_load_onnx", str(path).encode(), ctypes.byref(made))
        self.library, self.pointer = library, Owned(made, library.lib.mnist_model_free)
        self._as_parameter_ = self.pointer._as_parameter_
        names = [library.lib.mnist_model_weight_name(self, i).decode() for i in range(library.lib.mnist_model_weights_len(self))]
        self.shapes = {name: self.shape_of("model_weight_shape", name.encode()) for name in names}
        dims = np.zeros(8, np.uintp)
        self.input = tuple(map(int, dims[:library.lib.mnist_model_input_shape(self, at(dims), dims.size)]))

    def shape_of(self, function, *arguments):
        dims, rank = np.zeros(8, np.uintp), c_size_t()
        self.library.call(function, self, *arguments, at(dims), dims.size, ctypes.byref(rank))
        return tuple(map(int, dims[:rank.value]))


def save(model, path):
    """Writes a model and has onnx look at the file."""
    model.library.call("model_save_onnx", model, str(path).encode())
    onnx.checker.check_model(str(path), full_check=True)
    return path


def run(path, x):
    """onnxruntime's answer."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    floats = [output.name for output in session.get_outputs() if output.type == "tensor(float)"]
    found = session.run(floats[:1] or None, {session.get_inputs()[0].name: x})[-1]
    if isinstance(found, list):  # a table of classes for each sample
        found = np.array([list(row.values()) for row in found], np.float32)
    return found


def last(x):
    """Samples with their channels last."""
    return np.ascontiguousarray(np.moveaxis(x, 1, -1))


def off(a, b):
    """How far apart, as a share of the largest where that is above 1."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if a.size != b.size or not np.isfinite(a).all():
        return np.inf
    return float(np.abs(a.reshape(-1) - b.reshape(-1)).max(initial=0) / max(1.0, np.abs(b).max(initial=0)))
