"""The library through its C interface: what to call is read from include/mnist.h, so that nothing here goes stale."""

import ctypes
import re
import weakref
from ctypes import c_char_p, c_double, c_float, c_int32, c_size_t, c_uint8, c_uint32, c_uint64, c_void_p
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
PLAIN = {"void": None, "size_t": c_size_t, "int32_t": c_int32, "uint32_t": c_uint32, "uint64_t": c_uint64, "uint8_t": c_uint8,
         "float": c_float, "double": c_double}


class Header:
    """The types, constants and functions of a header that cbindgen wrote."""

    def __init__(self, path):
        text = path.read_text()
        self.constants = {name: int(n) for name, n in re.findall(r"^#define (\w+) (-?\d+)$", text, re.M)}
        text = re.sub(r"//.*|^#.*", "", text, flags=re.M)
        self.types, self.structs = dict(PLAIN), {}
        for old, new in re.findall(r"^typedef (\w+) (\w+);", text, re.M):
            self.types[new] = PLAIN[old]
        for result, name, arguments in re.findall(r"^typedef ([^;{}()]*)\(\*(\w+)\)\((.*?)\);", text, re.M | re.S):
            self.types[name] = ctypes.CFUNCTYPE(self.type(result), *self.arguments(arguments))
        for name, body in re.findall(r"^typedef struct (\w+) \{(.*?)^\} \1;", text, re.M | re.S):
            fields = [self.declared(field) for field in body.split(";") if field.strip()]
            self.structs[name] = type(name, (ctypes.Structure,), {"_fields_": fields})
            self.types[name] = self.structs[name]
        text = re.sub(r"^typedef struct \w+ \{.*?^\} \w+;", "", text, flags=re.M | re.S)
        self.functions = {name: (self.type(result), [type for _, type in map(self.declared, self.split(arguments))])
                          for result, name, arguments in re.findall(r"^([\w *]+?[ *])(mnist_\w+)\((.*?)\);", text, re.M | re.S)}

    def split(self, arguments):
        return [] if arguments.strip() == "void" else arguments.split(",")

    def arguments(self, text):
        return [self.type(re.sub(r"\w+$", "", a.strip()) if re.search(r"[ *]\w+$", a.strip()) else a) for a in self.split(text)]

    def declared(self, text):
        """`const char *path` as ("path", c_char_p)."""
        function = re.match(r"[\w\s*]+\(\*(\w+)\)", text)
        if function:
            return function[1], c_void_p
        kind, name = re.fullmatch(r"\s*(.*?)(\w+)\s*", text, re.S).groups()
        return name, self.type(kind)

    def type(self, text):
        words = re.sub(r"\b(const|struct)\b", "", text).split()
        kind = "".join(words)
        return c_char_p if kind == "char*" else c_void_p if "*" in kind else self.types[kind]


class MnistError(Exception):
    """A call that failed: its status, and what the library says of it."""


class Owned:
    """An object of the library, freed when nothing refers to it any more."""

    def __init__(self, pointer, free):
        self._as_parameter_ = pointer
        weakref.finalize(self, free, pointer)


def at(array):
    return array.ctypes.data_as(c_void_p)


class Library:
    def __init__(self, path):
        self.header = Header(ROOT / "include" / "mnist.h")
        self.lib = ctypes.CDLL(str(path))
        for name, (result, arguments) in self.header.functions.items():
            function = getattr(self.lib, name)
            function.restype, function.argtypes = result, arguments
        self.error = Owned(self.lib.mnist_error_new(), self.lib.mnist_error_free)

    def call(self, name, *arguments):
        """A call that takes an mnist_error last and returns its status; an exception when it failed."""
        status = getattr(self.lib, f"mnist_{name}")(*arguments, self.error)
        if status < 0:
            raise MnistError(f"mnist_{name}: {self.lib.mnist_status_name(status).decode()}: "
                             f"{self.lib.mnist_error_message(self.error).decode()}")
        return status

    def options(self, name):
        made = self.header.structs[f"mnist_{name}"]()
        init = getattr(self.lib, f"mnist_{name}_init")
        init(ctypes.byref(made), ctypes.sizeof(made))
        return made

    def model(self, json, weights):
        """A model of Keras's JSON with the given weights."""
        graph, source, end, made = c_void_p(), c_void_p(), c_void_p(), c_void_p()
        self.call("graph_from_json", json.encode(), ctypes.byref(graph), ctypes.byref(source), ctypes.byref(end))
        graph = Owned(graph, self.lib.mnist_graph_free)
        self.call("model_new", source, end, None, ctypes.byref(made))
        return Model(self, Owned(made, self.lib.mnist_model_free), weights)

    def dataset(self, x, labels):
        def array(values, dtype):
            dims = np.array(values.shape, np.uintp)
            made = self.header.structs["mnist_array"](data=at(values), dtype=self.header.constants[f"MNIST_DTYPE_{dtype}"],
                                                      rank=values.ndim, dims=at(dims))
            return made, dims  # whoever takes the first keeps the second, which it points to

        (first, _first_dims), (second, _second_dims) = array(x, "F32"), array(labels, "U8")
        made = c_void_p()
        self.call("dataset_new", ctypes.byref(first), ctypes.byref(second), None, ctypes.byref(made))
        return Owned(made, self.lib.mnist_dataset_free)


class Model:
    def __init__(self, library, pointer, weights):
        self.library, self._as_parameter_ = library, pointer._as_parameter_
        self.pointer = pointer
        found = {library.lib.mnist_model_weight_name(self, i).decode() for i in range(library.lib.mnist_model_weights_len(self))}
        if found != set(weights):
            raise MnistError(f"the library's weights are {sorted(found)}, Keras's {sorted(weights)}")
        self.shapes = {name: w.shape for name, w in weights.items()}
        for name, w in weights.items():
            dims, rank = np.zeros(8, np.uintp), c_size_t()
            library.call("model_weight_shape", self, name.encode(), at(dims), dims.size, ctypes.byref(rank))
            if tuple(dims[:rank.value]) != w.shape:
                raise MnistError(f"{name}: the library's shape is {tuple(map(int, dims[:rank.value]))}, Keras's {w.shape}")
            library.call("model_set_weight", self, name.encode(), at(np.ascontiguousarray(w)), w.size)

    def weights(self):
        out = {}
        for name, shape in self.shapes.items():
            out[name] = np.empty(shape, np.float32)
            self.library.call("model_get_weight", self, name.encode(), at(out[name]), out[name].size)
        return out

    def predict(self, x, shape):
        y = np.empty((len(x), *shape), np.float32)
        self.library.call("model_predict", self, at(x), len(x), at(y), y.size)
        return y

    def compile(self, optimizer):
        options = self.library.options("compile_options")
        options.optimizer_config = optimizer.encode()
        self.library.call("model_compile", self, ctypes.byref(options))

    def fit(self, x, labels, batch_size):
        """One epoch in the given order; the loss of each batch, which is worked out from the running means."""
        header, means = self.library.header, []
        progress = header.structs["mnist_progress"]

        def on_batch_end(_, now):
            means.append(progress.from_address(now).loss)
            return 0

        options = self.library.options("fit_options")
        options.batch_size, options.shuffle, options.verbose = batch_size, 0, 0
        options.on_batch_end = header.types["mnist_callback"](on_batch_end)
        data = self.library.dataset(x, labels)
        self.library.call("model_fit", self, data, ctypes.byref(options), None)
        seen = np.minimum(np.arange(1, len(means) + 1) * batch_size, len(x))
        sums = np.concatenate([[0.0], np.array(means) * seen])
        return np.diff(sums) / np.diff(np.concatenate([[0], seen]))


class Loaded(Model):
    """A model that the library has read from a file; `weights`: those that it must have, of which the shapes are looked at."""

    def __init__(self, library, path, weights):
        made = c_void_p()
        library.call("model_load", str(path).encode(), ctypes.byref(made))
        self.library, self.pointer = library, Owned(made, library.lib.mnist_model_free)
        self._as_parameter_ = self.pointer._as_parameter_
        self.shapes = {name: w.shape for name, w in weights.items()}

    def save_keras(self, path):
        self.library.call("model_save_keras", self, str(path).encode())

    def load_weights(self, path):
        self.library.call("model_load_weights", self, str(path).encode())


def off(found, expected):
    """How far off, by the largest number where that is above 1."""
    expected = np.asarray(expected, np.float64)
    return float(np.abs(np.asarray(found) - expected).max(initial=0) / max(1.0, np.abs(expected).max(initial=0)))


def check(what, found, expected, limit):
    far = off(found, expected)
    if not far <= limit:
        raise AssertionError(f"{what}: off by {far:.2e}, allowed {limit:.0e}")
