"""Models: networks with weights, their training and their files."""

from __future__ import annotations

import itertools
import json
import math
import os
import sys
import warnings
from typing import Any, Callable, Mapping, Sequence, Union

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._calls import Pending, callback, run_call
from ._config import to_json
from ._library import InvalidArgumentError, call, ffi, lib, new, options, shape as shape_of, string, text
from .callbacks import LibraryCallback, Logs
from .data import Dataset, numbers, pointer
from .layers import Layer, Tensor, network

Path = Union[str, "os.PathLike[str]"]
Shape = tuple[Any, ...]  # None for the batch


class History:
    """The metrics of a fit: `history["loss"]` etc., one number per epoch. `stop_reason`: why the fit stopped early, else None."""

    def __init__(self, epochs: list[Logs], first: int, stop_reason: str, diverged: bool) -> None:
        self.epoch, self.stop_reason, self.diverged = list(range(first, first + len(epochs))), stop_reason or None, diverged
        self.history: dict[str, list[float]] = {}
        for name, value in (item for logs in epochs for item in logs.items()):
            self.history.setdefault(name, []).append(value)


def _read(out: Any) -> tuple[list[Logs], str]:
    """The metrics of each epoch and the stop reason, from an mnist_history, which is freed."""
    history, value = ffi.gc(out[0], lib.mnist_history_free), ffi.new("double *")
    names = [lib.mnist_history_metric_name(history, i) for i in range(lib.mnist_history_metrics_len(history))]
    epochs = [Logs() for _ in range(lib.mnist_history_epochs(history))]
    for epoch, name in itertools.product(range(len(epochs)), names):
        if lib.mnist_history_get(history, name, epoch, value, ffi.NULL) == 0:
            epochs[epoch][string(name)] = value[0]
    return epochs, string(lib.mnist_history_stop_reason(history))


def _progress(verbose: int | str, pending: Pending) -> dict[str, Any]:
    """The options that write the progress to sys.stdout: redrawn in a terminal and in a notebook, else only finished lines."""
    out: Any = sys.stdout
    line = ""
    if out is None or verbose == 0:
        return {"verbose": 0}
    terminal = out.isatty()
    redraws = terminal or type(out).__module__.startswith("ipykernel.")

    def write(_: Any, said: Any, length: int) -> None:
        nonlocal line
        line += ffi.buffer(said, length)[:].decode()
        if redraws or line.endswith("\n"):
            out.write(line if redraws else line.rpartition("\r")[2])
            out.flush()
            line = ""

    level = (1 if redraws else 2) if verbose == "auto" else int(verbose)
    if terminal and sys.stdout is sys.__stdout__:
        out.flush()
        return {"verbose": level}  # the library writes to the terminal itself and fits the line to its width
    return {"verbose": level, "write": callback("mnist_write_fn", write, pending)}


class Model:
    """The network between two tensors. The initial weights depend on the seed only."""
    stop_training = False

    def __init__(self, inputs: Tensor, outputs: Tensor, name: str = "functional", seed: int = 0) -> None:
        if not isinstance(inputs, Tensor) or not isinstance(outputs, Tensor):
            raise TypeError("expected one Tensor as inputs and one as outputs")
        graph, made = network(outputs)
        if inputs.number not in made:
            raise ValueError(f"outputs: expected a tensor that depends on the inputs, {inputs}, found {outputs}")
        lib.mnist_graph_set_seed(graph, seed)
        self._handle = new("model", "model_new", made[inputs.number], made[outputs.number], text(name))

    @staticmethod
    def _of(handle: Any) -> Model:
        model = Model.__new__(Model)
        model._handle = handle
        return model

    def __repr__(self) -> str:
        return f"<Model {self.input_shape} -> {self.output_shape}, {self.count_params():,} parameters>"

    def __reduce__(self) -> Any:
        return Model.from_bytes, (self.to_bytes(),)

    @staticmethod
    def from_bytes(data: bytes) -> Model:
        """Loads a model from the bytes of a file that load_model can read."""
        return Model._of(new("model", "model_load_memory", data, len(data)))

    def to_bytes(self) -> bytes:
        """The model as bytes, in the library's own format."""
        return self._bytes("model_save_memory")

    def _bytes(self, name: str) -> bytes:
        needed, room = ffi.new("size_t *"), bytearray()
        while True:
            try:
                call(name, self._handle, ffi.from_buffer(room) if room else ffi.NULL, len(room), needed)
                if room:
                    return bytes(room[:needed[0]])
            except InvalidArgumentError:  # it has grown: another thread has begun to fit
                if needed[0] <= len(room):
                    raise
            room = bytearray(needed[0])

    def _text(self, name: str) -> str:
        parts, pending = list[bytes](), Pending()
        write = callback("mnist_write_fn", lambda _, said, length: parts.append(ffi.buffer(said, length)[:]), pending)
        run_call([pending], name, self._handle, write, ffi.NULL)
        return b"".join(parts).decode()

    def summary(self, *, print_fn: Callable[[str], Any] = print) -> None:
        print_fn(self._text("model_summary").rstrip("\n"))

    def to_json(self) -> str:
        """The network's architecture as Keras's JSON."""
        return self._text("model_config")

    def count_params(self) -> int:
        return int(lib.mnist_model_count_params(self._handle))

    @property
    def layers(self) -> list[str]:
        """The names of the layers, in Keras's order."""
        return [string(lib.mnist_model_layer_name(self._handle, i)) for i in range(lib.mnist_model_layers_len(self._handle))]

    @property
    def input_shape(self) -> Shape:
        return (None, *shape_of(lib.mnist_model_input_shape, self._handle))

    @property
    def output_shape(self) -> Shape:
        dims, rank = ffi.new("size_t[8]"), ffi.new("size_t *")
        call("model_layer_shape", self._handle, self.layers[-1].encode(), dims, 8, rank)
        return (None, *dims[0:rank[0]])

    def set_trainable(self, trainable: bool, layer: str | None = None) -> None:
        """Freezes or unfreezes a layer, or all layers."""
        call("model_set_trainable", self._handle, ffi.NULL if layer is None else text(layer), bool(trainable))

    def set_threads(self, threads: int) -> None:
        """Sets the number of threads; 0: one per core. The results do not depend on it."""
        call("model_set_threads", self._handle, threads)

    def compile(self, optimizer: Any = "adam", loss: Any = "sparse_categorical_crossentropy", *,
                metrics: Sequence[Any] = ()) -> None:
        """Sets optimizer, loss and metrics: names, dicts or objects as in Keras. Resets the optimizer's state."""
        config = {"optimizer_config": to_json(optimizer), "loss_config": to_json(loss), "metrics_config": to_json(metrics or [])}
        call("model_compile", self._handle, options("compile_options", **config))

    @property
    def learning_rate(self) -> float:
        rate = ffi.new("double *")
        call("model_get_learning_rate", self._handle, rate)
        return float(rate[0])

    @learning_rate.setter
    def learning_rate(self, rate: float) -> None:
        call("model_set_learning_rate", self._handle, rate)

    def fit(self, x: ArrayLike | Dataset, y: ArrayLike | None = None, batch_size: int | None = None, epochs: int = 1,
            verbose: int | str = "auto", callbacks: Sequence[Any] | None = None, validation_split: float = 0.0,
            validation_data: Any = None, shuffle: bool = True, class_weight: Mapping[int, float] | None = None,
            sample_weight: ArrayLike | None = None, initial_epoch: int = 0, steps_per_epoch: int | None = None,
            *, validation_freq: int = 1, seed: int = 0, prefetch: int = 0, terminate_on_nan: bool = True,
            checkpoint_path: Path | None = None, checkpoint_epochs: int = 0, checkpoint_seconds: float = 0.0,
            resume: bool = False) -> History:
        """Trains as in Keras. The order of the samples depends on `seed` only. `checkpoint_path`: a file for the state of the fit,
        from which a later fit continues with `resume`, with the same results to the bit. Ctrl-C stops the fit after a step."""
        data, held_out, given = Dataset.of(x, y, sample_weight), validation_data, list(callbacks or [])
        if held_out is not None and not isinstance(held_out, Dataset):
            held_out = Dataset.of(*held_out)
        pending = [Pending(), data.pending, *([held_out.pending] if held_out else [])]
        own = [each for each in given if not isinstance(each, LibraryCallback)]
        names = [*self._evaluate(data, first=True)] if own else []  # of the metrics
        names += [f"val_{name}" for name in names] + ["learning_rate"]
        classes = range(max(2, lib.mnist_model_output_len(self._handle)))
        if class_weight and not {*class_weight} <= {*classes}:
            raise ValueError(f"class_weight: expected classes from 0 to {classes[-1]}, found {[*class_weight]}")
        weights = [class_weight.get(label, 1.0) for label in classes] if class_weight else []

        def event(method: str, number: str) -> Any:
            def tell(_: Any, progress: Any) -> bool:
                value, logs = ffi.new("double *"), Logs()
                for name in names if own else []:
                    found = lib.mnist_progress_get(progress, name.encode(), value, ffi.NULL) == 0
                    if found and not (math.isnan(value[0]) and name.startswith("val_")):
                        logs[name] = value[0]
                for each in own:
                    getattr(each, method)(getattr(progress, number), logs)
                return self.stop_training
            return callback("mnist_callback", tell, pending[0])

        chosen = options(
            "fit_options", batch_size=batch_size, epochs=epochs, initial_epoch=initial_epoch, shuffle=bool(shuffle), seed=seed,
            validation_split=validation_split, validation_data=held_out and held_out._handle, validation_freq=validation_freq,
            on_batch_end=event("on_train_batch_end", "batch"), on_epoch_begin=event("on_epoch_begin", "epoch"),
            on_epoch_end=event("on_epoch_end", "epoch"), checkpoint_path=None if checkpoint_path is None else text(checkpoint_path),
            checkpoint_epochs=checkpoint_epochs, checkpoint_seconds=checkpoint_seconds, resume=bool(resume), prefetch=prefetch,
            steps_per_epoch=steps_per_epoch, terminate_on_nan=bool(terminate_on_nan),
            callbacks_config=to_json([each for each in given if isinstance(each, LibraryCallback)]),
            class_weight=ffi.new("float[]", weights) if weights else None, class_weight_len=len(weights),
            **_progress(verbose, pending[0]))
        self.stop_training, history = False, ffi.new("mnist_history **")
        for each in own:
            each.set_params({"epochs": epochs, "verbose": chosen.verbose})
            each.set_model(self)
            each.on_train_begin({})
        try:
            status, said = run_call(pending, "model_fit", self._handle, data._handle, chosen, history)
        finally:
            measured, reason = _read(history)
        if status == lib.MNIST_DIVERGED:
            warnings.warn(said, RuntimeWarning, stacklevel=2)
        for each in own:
            each.on_train_end(measured[-1] if measured else {})
        return History(measured, initial_epoch, reason or said, status == lib.MNIST_DIVERGED)

    def cancel(self) -> None:
        """Stops the running fit after its current step. May be called from any thread."""
        lib.mnist_model_cancel(self._handle)

    def _evaluate(self, data: Dataset, batch_size: int | None = None, verbose: int | str = 0, first: bool = False) -> Logs:
        handle = new("dataset", "dataset_slice", data._handle, 0, 1) if first else data._handle
        pending, results = [Pending(), data.pending], ffi.new("mnist_history **")
        chosen = options("evaluate_options", batch_size=batch_size, results=results, **_progress(verbose, pending[0]))
        run_call(pending, "model_evaluate", self._handle, handle, chosen, ffi.new("mnist_metrics *"))
        return _read(results)[0][0]

    def evaluate(self, x: ArrayLike | Dataset, y: ArrayLike | None = None, batch_size: int | None = None,
                 verbose: int | str = "auto", sample_weight: ArrayLike | None = None, *, return_dict: bool = False) -> Any:
        """The loss and the metrics, as in Keras: a list, or a number if there are no metrics, or a dict."""
        measured = self._evaluate(Dataset.of(x, y, sample_weight), batch_size, verbose)
        return measured if return_dict else [*measured.values()] if len(measured) > 1 else measured["loss"]

    def predict(self, x: ArrayLike | Dataset, batch_size: int | None = None, verbose: int | str = 0) -> NDArray[np.float32]:
        """The model's output for the samples. batch_size and verbose exist for compatibility and have no effect."""
        data = Dataset.of(x)
        out = np.empty((len(data), *self.output_shape[1:]), np.float32)
        run_call([data.pending], "model_predict_dataset", self._handle, data._handle, pointer(out), out.size)
        return out

    def _weight_names(self) -> list[str]:
        return [string(lib.mnist_model_weight_name(self._handle, i)) for i in range(lib.mnist_model_weights_len(self._handle))]

    @property
    def weights(self) -> dict[str, NDArray[np.float32]]:
        """Copies of all weights by name, all from the same training step."""
        data = self._bytes("model_save_weights_memory")  # safetensors: the header's length, the header in JSON, the numbers
        start = 8 + int.from_bytes(data[:8], "little")
        header, values = json.loads(data[8:start]), np.frombuffer(data[start:], "<f4").astype(np.float32)
        ends = {name: (at // 4 for at in header[name]["data_offsets"]) for name in self._weight_names()}
        return {name: values[slice(*at)].reshape(header[name]["shape"]) for name, at in ends.items()}

    def get_weights(self) -> list[NDArray[np.float32]]:
        return [*self.weights.values()]

    def set_weights(self, weights: Sequence[ArrayLike]) -> None:
        """Sets all weights, in the order of get_weights; if one has a wrong shape, none."""
        header, data, names = dict[str, Any](), bytearray(), self._weight_names()
        if len(weights) != len(names):
            raise ValueError(f"weights: expected {len(names)} arrays, found {len(weights)}")
        for name, values in zip(names, weights):
            array = numbers(values, name).astype("<f4")
            header[name] = {"dtype": "F32", "shape": array.shape, "data_offsets": [len(data), len(data) + array.nbytes]}
            data += array.tobytes()
        head = json.dumps(header).encode()
        file = len(head).to_bytes(8, "little") + head + data
        call("model_load_weights_memory", self._handle, file, len(file))

    def save_weights(self, filepath: Path) -> None:
        """Writes the weights as a safetensors file."""
        if text(filepath).endswith(b".h5"):
            raise ValueError(f"filepath: Keras's weight files can be read but not written: {filepath!r}")
        call("model_save_weights", self._handle, text(filepath))

    def load_weights(self, filepath: Path, *, names: Mapping[str, str | None] | None = None) -> None:
        """Reads weights: safetensors, Keras's .h5 or .keras, or a PyTorch state_dict, with `names` from its names to the model's."""
        if names is None:
            call("model_load_weights", self._handle, text(filepath))
        else:
            call("model_load_weights_mapped", self._handle, text(filepath), to_json(names))

    def save(self, filepath: Path, *, prefix: str = "model") -> None:
        """Writes the model in the format of the suffix: .keras, .onnx, .c (a C file that predicts), else the library's own format."""
        name = text(filepath)
        kind = os.path.splitext(name)[1].decode()
        if kind == ".h5":
            raise ValueError(f"filepath: Keras's HDF5 models can be read but not written: {filepath!r}")
        more = [text(prefix)] if kind == ".c" else []
        call(f"model_save{kind.replace('.', '_') if kind in ('.keras', '.onnx', '.c') else ''}", self._handle, name, *more)


class Sequential(Model):
    """A chain of layers that begins with an Input."""

    def __init__(self, layers: Sequence[Any], name: str = "sequential", seed: int = 0) -> None:
        if not layers or not isinstance(layers[0], Tensor) or not all(isinstance(layer, Layer) for layer in layers[1:]):
            raise TypeError("layers: expected a list of an Input and layers")
        x = layers[0]
        for layer in layers[1:]:
            x = layer(x)
        super().__init__(layers[0], x, name, seed)


def load_model(filepath: Path) -> Model:
    """Reads a model file of this library, of Keras (.keras, .h5) or of ONNX; the content decides, not the name."""
    return Model._of(new("model", "model_load", text(filepath)))


def model_from_json(config: str, seed: int = 0) -> Model:
    """A model of an architecture in Keras's JSON, as model.to_json() returns it."""
    graph, ends, name = ffi.new("mnist_graph **"), ffi.new("mnist_tensor *[2]"), json.loads(config)["config"].get("name", "model")
    call("graph_from_json", text(config), graph, ends, ends + 1)
    owned = ffi.gc(graph[0], lib.mnist_graph_free)
    lib.mnist_graph_set_seed(owned, seed)
    return Model._of(new("model", "model_new", ends[0], ends[1], text(name)))
