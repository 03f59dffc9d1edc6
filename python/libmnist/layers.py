"""Keras's layers and the functional API. The documentation of mnist_layer in mnist.h lists the classes."""

from __future__ import annotations

import itertools
from typing import Any, Callable, Sequence

from ._config import Config, classes, to_json
from ._library import call, ffi, lib, shape as shape_of


class Tensor:
    """The symbolic output of a layer. `shape` begins with None for the batch, as in Keras."""
    numbers = itertools.count()

    def __init__(self, layer: Layer | None, inputs: Sequence[Tensor], dims: Sequence[int] = ()) -> None:
        self.layer, self.inputs, self.dims, self.number = layer, inputs, dims, next(Tensor.numbers)
        graph, made = network(self)
        call("graph_check", graph)
        self.dims = shape_of(lib.mnist_tensor_shape, made[self.number])
        self.shape = (None, *self.dims)

    def __repr__(self) -> str:
        return f"<Tensor {self.shape} of {self.layer or 'Input'}>"


class Layer(Config):
    """A layer: call it on a tensor, or on a list of tensors."""

    def __call__(self, inputs: Tensor | Sequence[Tensor]) -> Tensor:
        tensors = [inputs] if isinstance(inputs, Tensor) else list(inputs)
        if not tensors or not all(isinstance(tensor, Tensor) for tensor in tensors):
            raise TypeError(f"{type(self).__name__} is called on a Tensor, or on a list of them, not on {inputs!r}")
        return Tensor(self, tensors)


def Input(shape: Sequence[int]) -> Tensor:
    """The input of a network: the shape of a sample, without the batch, 1 to 3 sizes, for example (28, 28, 1)."""
    return Tensor(None, [], tuple(shape))


def network(output: Tensor) -> tuple[Any, dict[int, Any]]:
    """The library's graph of a tensor and everything that it depends on, and the graph's tensors by their numbers."""
    found: dict[int, Tensor] = {}
    waiting = [output]
    while waiting:
        tensor = waiting.pop()
        if tensor.number not in found:
            found[tensor.number] = tensor
            waiting.extend(tensor.inputs)
    graph, layers = ffi.gc(lib.mnist_graph_new(), lib.mnist_graph_free), set[Layer]()
    made: dict[int, Any] = {}
    for number, tensor in sorted(found.items()):  # in the order of creation
        inputs = [made[each.number] for each in tensor.inputs]
        if tensor.layer is None:
            made[number] = lib.mnist_input_shape(graph, ffi.new("size_t[]", tensor.dims), len(tensor.dims))
            continue
        if tensor.layer in layers:
            raise NotImplementedError(f"{tensor.layer!r} is called twice in one network")
        layers.add(tensor.layer)
        name, config = type(tensor.layer).__name__.encode(), to_json(tensor.layer.config)
        count = len(inputs)
        made[number] = lib.mnist_layer(*inputs, name, config) if count == 1 else lib.mnist_merge(inputs, count, name, config)
    return graph, made


__getattr__: Callable[[str], type[Layer]] = classes(vars(), Layer, {
    "": "Add Average BatchNormalization Concatenate Flatten GlobalAveragePooling1D GlobalAveragePooling2D GlobalMaxPooling1D"
        " GlobalMaxPooling2D LayerNormalization Maximum Minimum Multiply Normalization PReLU RandomElasticTransform Softmax"
        " Subtract",
    "activation": "Activation", "alpha": "ELU", "cropping": "Cropping2D", "dims": "Permute", "groups": "GroupNormalization",
    "factor": "RandomBrightness RandomContrast RandomErasing RandomRotation", "mode": "RandomFlip", "padding": "ZeroPadding2D",
    "filters kernel_size strides padding": "Conv1D Conv2D Conv2DTranspose SeparableConv2D",
    "height_factor width_factor": "RandomTranslation RandomZoom", "kernel_size strides padding": "DepthwiseConv2D",
    "max_value negative_slope threshold": "ReLU", "negative_slope": "LeakyReLU", "rate": "Dropout SpatialDropout2D",
    "pool_size strides padding": "AveragePooling1D AveragePooling2D MaxPooling1D MaxPooling2D", "scale offset": "Rescaling",
    "size": "UpSampling2D", "stddev": "GaussianNoise", "target_shape": "Reshape", "units activation": "Dense"})
