"""Shared by the ONNX tests: the library's ONNX files, and onnxruntime's results for them."""

import ctypes
import shutil
import sys
import tempfile
from ctypes import c_size_t, c_void_p
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = ROOT / "target" / "release" / "libmnist.so"
NEAR = 1e-5
sys.path.insert(0, str(ROOT / "tests" / "keras"))

from libmnist import Library, MnistError, Model, Owned, at  # noqa: E402


class Loaded(Model):
    """A model of the library, with its weights."""

    def __init__(self, library, path):
        made = c_void_p()
        library.call("model_load_onnx", str(path).encode(), ctypes.byref(made))
        self.hold(library, made)

    def hold(self, library, made):
        self.library, self.pointer = library, Owned(made, library.lib.mnist_model_free)
        self._as_parameter_ = self.pointer._as_parameter_
        names = [library.lib.mnist_model_weight_name(self, i).decode() for i in range(library.lib.mnist_model_weights_len(self))]
        self.shapes = {name: self.shape_of("model_weight_shape", name.encode()) for name in names}
        dims = np.zeros(8, np.uintp)
        self.input = tuple(map(int, dims[:library.lib.mnist_model_input_shape(self, at(dims), dims.size)]))

    @classmethod
    def described(cls, library, json):
        """The network from Keras's JSON, with initial weights."""
        graph, source, end, made = c_void_p(), c_void_p(), c_void_p(), c_void_p()
        library.call("graph_from_json", json.encode(), ctypes.byref(graph), ctypes.byref(source), ctypes.byref(end))
        graph = Owned(graph, library.lib.mnist_graph_free)
        library.call("model_new", source, end, None, ctypes.byref(made))
        model = cls.__new__(cls)
        model.hold(library, made)
        return model

    def shape_of(self, function, *arguments):
        dims, rank = np.zeros(8, np.uintp), c_size_t()
        self.library.call(function, self, *arguments, at(dims), dims.size, ctypes.byref(rank))
        return tuple(map(int, dims[:rank.value]))


def save(model, path):
    """Writes a model and checks the file with onnx."""
    model.library.call("model_save_onnx", model, str(path).encode())
    onnx.checker.check_model(str(path), full_check=True)
    return path


def run(path, x):
    """onnxruntime's result."""
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
    """The largest difference, relative to the largest value if that is above 1."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if a.size != b.size or not np.isfinite(a).all():
        return np.inf
    return float(np.abs(a.reshape(-1) - b.reshape(-1)).max(initial=0) / max(1.0, np.abs(b).max(initial=0)))


def record(folder, path, x, y):
    """Writes a file, and next to it the samples in the library's layout and onnxruntime's results, as consecutive float32."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, folder / path.name)
    (folder / f"{path.stem}.bin").write_bytes(np.ascontiguousarray(x).tobytes() + y.astype(np.float32).tobytes())


def compared(library, path, shape, folder, x=None):
    """The library's differences from onnxruntime: after reading the file, and after 100 training steps, writing and reading it. Also returns
    the losses of these steps, and onnxruntime's result for the file."""
    random = np.random.default_rng(1)
    x = random.normal(0, 1, (12, *shape)).astype(np.float32) if x is None else x
    model = Loaded(library, path)
    turned = x if model.input == shape else last(x)
    if turned.shape[1:] != model.input:
        raise AssertionError(f"the model takes {model.input}")
    expected = run(path, x)
    before = off(model.predict(turned, expected.shape[1:]), expected)
    logits = not np.allclose(expected.sum(-1), 1, atol=1e-3)
    options = library.options("compile_options")
    options.optimizer_config = b"{class_name: 'Adam', config: {learning_rate: 0.002}}"
    if logits:
        options.loss_config = b"{class_name: 'SparseCategoricalCrossentropy', config: {from_logits: true}}"
    library.call("model_compile", model, ctypes.byref(options))
    labels = np.arange(len(x), dtype=np.uint8) % expected.shape[-1]
    losses = np.concatenate([model.fit(turned, labels, 6) for _ in range(50)])
    own = model.predict(turned, expected.shape[1:])
    back = save(model, folder / "back.onnx")
    after = off(run(back, turned), own)
    again = off(Loaded(library, back).predict(turned, expected.shape[1:]), own)
    return (before, after, again), losses, expected


class Tried:
    """The cases that were run, and their results."""

    def __init__(self, library):
        self.library, self.folder = Library(library), Path(tempfile.mkdtemp(prefix="mnist-onnx-"))
        self.passed, self.failed, self.worst = 0, 0, 0.0

    def check(self, name, make, shape, x=None):
        """Checks that the file at the path returned by `make` can be read, trained and written. Returns path and onnxruntime's result."""
        try:
            path = make()
        except Exception as error:
            print(f"{name}: not made: {type(error).__name__}: {str(error).strip().splitlines()[0][:150]}", flush=True)
            return None
        try:
            difference, losses, expected = compared(self.library, path, shape, self.folder, x)
        except Exception as error:
            self.failed += 1
            print(f"{name}: {type(error).__name__}: {str(error)[:600]}", flush=True)
            return None
        self.worst = max(self.worst, *difference)
        fine = max(difference) <= NEAR and losses[-4:].mean() < losses[:4].mean()
        self.passed, self.failed = self.passed + fine, self.failed + (not fine)
        if not fine:
            print(f"{name}: off by {difference} (read, written, read again), loss {losses[:4].mean():.4f} to {losses[-4:].mean():.4f}", flush=True)
        return path, expected

    def end(self):
        print(f"{self.passed} passed, {self.failed} failed, off by {self.worst:.1e} at most; files in {self.folder}")
        sys.exit(1 if self.failed else 0)
