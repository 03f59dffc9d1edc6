#!/usr/bin/env python3
"""Loads state_dicts of PyTorch networks, saved as safetensors; the library's outputs must agree within 1e-5.

    pytorch.py --library target/release/libmnist.so [--count 50] [--seed 0]
    pytorch.py --record         writes tests/data/interop/pytorch*, which `cargo test --test pytorch` reads without Python

Each case is a random network in two forms: as PyTorch modules and as Keras layers. docs/interop.md describes the differences.
"""

import argparse
import ctypes
import json
import random
import re
import sys
import tempfile
from ctypes import c_void_p
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data" / "interop"
sys.path.insert(0, str(ROOT / "tests" / "keras"))
from libmnist import Library, Owned, at  # noqa: E402

TOLERANCE = 1e-5


class Twin:
    """A network as PyTorch modules, by name, and as Keras layers. `at` is the layer to which the next one is connected."""

    def __init__(self, shape):
        self.modules, self.steps, self.layers, self.counts = nn.ModuleDict(), [], [], {}
        self.map = {}  # from modules or tensors to layers or weights
        self.many_slopes = None  # PReLU: one slope per channel, or one for all; not both in one network
        self.shape = shape  # of a sample, with channels first if there are any
        dims = [*shape[1:], shape[0]] if len(shape) > 1 else list(shape)
        self.at = self.layer("InputLayer", {"batch_shape": [None, *dims]}, [])

    def layer(self, kind, config, inputs):
        name = f"{kind.lower()}_{len(self.layers)}"
        tensors = [{"class_name": "__keras_tensor__", "config": {"shape": [], "dtype": "float32", "keras_history": [i, 0, 0]}}
                   for i in inputs]
        nodes = [{"args": tensors if len(tensors) == 1 else [tensors], "kwargs": {}}] if inputs else []
        self.layers.append({"class_name": kind, "config": {"name": name, **config}, "name": name, "inbound_nodes": nodes})
        self.at = name
        return name

    def module(self, made, name=None):
        name = name or str(len(self.modules))
        self.modules[name] = made
        return name

    def add(self, made, kind, config, name=None):
        """A module that corresponds to a layer: both are added after the current position."""
        name, before = self.module(made, name), self.at
        layer = self.layer(kind, config, [before])
        if kind == "SeparableConv2D":
            self.map |= {f"{name}.0.weight": f"{layer}/depthwise_kernel", f"{name}.1.weight": f"{layer}/pointwise_kernel",
                         f"{name}.1.bias": f"{layer}/bias"}
        elif made.state_dict():
            self.map[name] = layer
        self.steps.append((layer, name, before))
        with torch.no_grad():
            self.shape = tuple(made(torch.zeros(2, *self.shape)).shape[1:])
        return layer

    def merge(self, kind, inputs):
        layer = self.layer(kind, {}, inputs)
        self.steps.append((layer, {"Add": lambda a, b: a + b, "Concatenate": lambda a, b: torch.cat((a, b), 1)}[kind], *inputs))
        return layer

    def json(self):
        config = {"name": "model", "layers": self.layers, "input_layers": [self.layers[0]["name"], 0, 0],
                  "output_layers": [self.at, 0, 0]}
        return json.dumps({"class_name": "Functional", "config": config})

    def __call__(self, x):
        values = {self.layers[0]["name"]: x}
        for layer, what, *inputs in self.steps:
            function = self.modules[what] if isinstance(what, str) else what
            values[layer] = function(*(values[i] for i in inputs))
        return values[self.at]


class View(nn.Module):
    def __init__(self, *shape):
        super().__init__()
        self.shape = shape

    def forward(self, x):
        return x.reshape(len(x), *self.shape)


def conv(twin, draw, filters, kernel, groups=1, bias=True, stride=1, same=False):
    channels = twin.shape[0]
    size = {1: ("Conv1D", nn.Conv1d), 2: ("Conv2D", nn.Conv2d)}[len(twin.shape) - 1]
    made = size[1](channels, filters, kernel, stride=stride, padding=kernel // 2 if same else 0, groups=groups, bias=bias)
    twin.add(made, size[0], {"filters": filters, "kernel_size": kernel, "strides": stride, "groups": groups, "use_bias": bias,
                             "padding": "same" if same else "valid"})


def norm(twin, draw):
    """A normalization with random statistics and factors."""
    channels, rank = twin.shape[0], len(twin.shape)
    which = draw.choice(["batch", "batch", "layer"] + ["group"] * (rank > 1))
    if which == "batch":
        affine = draw.random() < 0.8
        made = {1: nn.BatchNorm1d, 2: nn.BatchNorm1d, 3: nn.BatchNorm2d}[rank](channels, affine=affine)
        twin.add(made, "BatchNormalization", {"epsilon": 1e-5, "scale": affine, "center": affine})
    elif which == "layer":
        twin.add(nn.LayerNorm(twin.shape), "LayerNormalization", {"epsilon": 1e-5, "axis": list(range(1, rank + 1))})
    else:
        groups = draw.choice([g for g in range(1, channels + 1) if channels % g == 0])
        twin.add(nn.GroupNorm(groups, channels), "GroupNormalization", {"epsilon": 1e-5, "groups": groups})


def activation(twin, draw):
    rank = len(twin.shape)
    which = draw.choice(["relu", "prelu", "elu", "tanh"])
    if which == "prelu":
        twin.many_slopes = draw.random() < 0.5 if twin.many_slopes is None else twin.many_slopes
        shared = list(range(1, rank)) if draw.random() < 0.7 and rank > 1 else None
        twin.add(nn.PReLU(twin.shape[0] if twin.many_slopes else 1), "PReLU", {"shared_axes": shared})
    else:
        made = {"relu": nn.ReLU, "elu": nn.ELU, "tanh": nn.Tanh}[which]()
        twin.add(made, "Activation", {"activation": which})


def head(twin, draw, classes):
    """The end of the network, after images or rows: features, then classes."""
    rank = len(twin.shape)
    if rank > 1 and draw.random() < 0.25:
        average = {2: ("GlobalAveragePooling1D", nn.AdaptiveAvgPool1d), 3: ("GlobalAveragePooling2D", nn.AdaptiveAvgPool2d)}[rank]
        twin.add(nn.Sequential(average[1](1), nn.Flatten()), average[0], {})
    elif rank > 1:
        twin.add(nn.Flatten(), "Flatten", {})
    for _ in range(draw.randint(0, 2)):
        if draw.random() < 0.4:
            norm(twin, draw)
        if draw.random() < 0.4:
            activation(twin, draw)
        units = draw.randint(2, 12)
        bias = draw.random() < 0.8
        twin.add(nn.Linear(twin.shape[0], units, bias), "Dense", {"units": units, "use_bias": bias})
    activation(twin, draw)
    twin.add(nn.Linear(twin.shape[0], classes), "Dense", {"units": classes})
    twin.add(nn.Softmax(1), "Softmax", {})


def pictures(draw):
    twin = Twin((draw.randint(1, 4), draw.randint(7, 10), draw.randint(7, 10)))
    for _ in range(draw.randint(1, 4)):
        channels = twin.shape[0]
        smallest = min(twin.shape[1:])
        which = draw.choice(["conv", "conv", "depthwise", "separable", "transposed", "pool", "residual"])
        if which == "conv":
            groups = draw.choice([1, channels])
            conv(twin, draw, groups * draw.randint(1, 5), draw.choice([1, 3]) if smallest > 2 else 1, groups,
                 draw.random() < 0.8, same=draw.random() < 0.5)
        elif which == "depthwise" and smallest > 2:
            times = draw.randint(1, 3)
            twin.add(nn.Conv2d(channels, channels * times, 3, groups=channels), "DepthwiseConv2D",
                     {"kernel_size": 3, "depth_multiplier": times})
        elif which == "separable" and smallest > 2:
            filters = draw.randint(1, 5)
            made = nn.Sequential(nn.Conv2d(channels, channels * 2, 3, groups=channels, bias=False),
                                 nn.Conv2d(channels * 2, filters, 1))
            twin.add(made, "SeparableConv2D", {"filters": filters, "kernel_size": 3, "depth_multiplier": 2})
        elif which == "transposed":
            filters, stride = draw.randint(1, 4), draw.randint(1, 2)
            twin.add(nn.ConvTranspose2d(channels, filters, 3, stride), "Conv2DTranspose",
                     {"filters": filters, "kernel_size": 3, "strides": stride})
        elif which == "pool" and smallest > 3:
            average = draw.random() < 0.5
            twin.add(nn.AvgPool2d(2) if average else nn.MaxPool2d(2), f"{'Average' if average else 'Max'}Pooling2D", {})
        elif which == "residual":
            before = twin.at
            conv(twin, draw, channels, 3, same=True)
            conv(twin, draw, channels, 3, same=True)
            twin.merge("Add", [before, twin.at])
        finish(twin, draw)
    head(twin, draw, draw.randint(2, 6))
    return twin


def finish(twin, draw):
    """What may follow a layer with weights: a normalization, an activation."""
    if draw.random() < 0.4:
        norm(twin, draw)
    if draw.random() < 0.6:
        activation(twin, draw)


def rows(draw):
    twin = Twin((draw.randint(1, 4), draw.randint(8, 12)))
    for _ in range(draw.randint(1, 3)):
        conv(twin, draw, draw.randint(1, 5), draw.choice([1, 2, 3]), bias=draw.random() < 0.8)
        finish(twin, draw)
    head(twin, draw, draw.randint(2, 6))
    return twin


def features(draw):
    twin = Twin((draw.randint(2, 9),))
    head(twin, draw, draw.randint(2, 6))
    return twin


def decoder(draw):
    """Features that are reshaped to an image and flattened again."""
    twin = Twin((draw.randint(2, 6),))
    shape = (draw.randint(2, 4), draw.randint(2, 4), draw.randint(2, 4))
    twin.add(nn.Linear(twin.shape[0], int(np.prod(shape))), "Dense", {"units": int(np.prod(shape))})
    if draw.random() < 0.5:
        norm(twin, draw)
    activation(twin, draw)
    twin.add(View(*shape), "Reshape", {"target_shape": [*shape[1:], shape[0]]})
    twin.add(nn.ConvTranspose2d(shape[0], 3, 3, 2), "Conv2DTranspose", {"filters": 3, "kernel_size": 3, "strides": 2})
    activation(twin, draw)
    head(twin, draw, draw.randint(2, 4))
    return twin


def branches(draw):
    """Two parallel convolutions of the same shape, which only a map can distinguish."""
    twin = Twin((2, 6, 5))
    before = twin.at
    made = []
    for name in ("left", "right"):
        twin.at, twin.shape = before, (2, 6, 5)
        made.append(twin.add(nn.Conv2d(2, 3, 3), "Conv2D", {"filters": 3, "kernel_size": 3}, name))
    twin.merge("Concatenate", made)
    twin.shape = (6, 4, 3)
    twin.add(nn.Flatten(), "Flatten", {})
    twin.add(nn.Linear(72, 4), "Dense", {"units": 4}, "fc")
    return twin


KINDS = [pictures, pictures, pictures, rows, features, decoder, branches]
DTYPES = [torch.float32, torch.float32, torch.float32, torch.float64, torch.float16, torch.bfloat16]


class Case:
    """A random network, its weights in the file's form, samples in the library's layout, and PyTorch's outputs."""

    def __init__(self, number, seed):
        draw = random.Random(f"{seed}/{number}")
        torch.manual_seed(draw.randrange(1 << 31))
        self.twin = KINDS[number % len(KINDS)](draw)
        self.name = f"{number}, {KINDS[number % len(KINDS)].__name__}"
        modules = self.twin.modules
        with torch.no_grad():
            for name, tensor in modules.state_dict().items():
                if tensor.is_floating_point():
                    near = 1.0 if name.endswith("running_var") or tensor.ndim == 1 and name.endswith("weight") else 0.0
                    size = 0.3 if tensor.ndim == 1 else (3.0 / max(tensor[0].numel(), 1)) ** 0.5
                    tensor.copy_(near + size * (2 * torch.rand_like(tensor) - 1))
        dtype = draw.choice(DTYPES)
        self.state = {name: tensor.clone().contiguous() for name, tensor in modules.to(dtype).state_dict().items()}
        modules.to(torch.float32).eval()
        first = self.twin.layers[0]["config"]["batch_shape"][1:]
        shape = (first[-1], *first[:-1]) if len(first) > 1 else tuple(first)
        x = torch.rand(6, *shape)
        with torch.no_grad():
            y = self.twin(x)
        self.x, self.y = channels_last(x), channels_last(y)
        # Modules with the same tensors whose names differ in more than their numbers cannot be distinguished by shapes and numbers.
        kinds = {}
        for name in {name.rpartition(".")[0] for name in self.state}:
            held = tuple(sorted((n.rpartition(".")[2], tuple(t.shape)) for n, t in self.state.items()
                                if n.rpartition(".")[0] == name))
            kinds.setdefault(held, []).append(re.sub(r"\d+", "#", name))
        self.map = self.twin.map if any(len(set(names)) > 1 or len(names) > 1 and "#" not in names[0]
                                        for names in kinds.values()) else None


def channels_last(tensor):
    return np.ascontiguousarray(tensor.movedim(1, -1).numpy() if tensor.ndim > 2 else tensor.numpy())


def predict(library, case, path):
    graph, source, end, made = c_void_p(), c_void_p(), c_void_p(), c_void_p()
    library.call("graph_from_json", case.twin.json().encode(), ctypes.byref(graph), ctypes.byref(source), ctypes.byref(end))
    graph = Owned(graph, library.lib.mnist_graph_free)
    library.call("model_new", source, end, None, ctypes.byref(made))
    model = Owned(made, library.lib.mnist_model_free)
    if case.map:
        library.call("model_load_weights_mapped", model, str(path).encode(), json.dumps(case.map).encode())
    else:
        library.call("model_load_weights", model, str(path).encode())
    y = np.empty_like(case.y)
    library.call("model_predict", model, at(case.x), len(case.x), at(y), y.size)
    return y


def compare(library, count, seed):
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state_dict.safetensors"
        for number in range(count):
            case = Case(number, seed)
            save_file(case.state, path)
            try:
                far = float(np.abs(predict(library, case, path) - case.y).max())
            except Exception as error:
                sys.exit(f"case {case.name}: {error}\n{case.twin.json()}\n{case.twin.modules}")
            worst = max(worst, far)
            if not far <= TOLERANCE:
                sys.exit(f"case {case.name}: {far} apart\n{case.twin.json()}\n{case.twin.modules}")
    print(f"PyTorch {torch.__version__}: {count} networks, at most {worst:.1e} apart")


def record(count, seed):
    DATA.mkdir(parents=True, exist_ok=True)
    cases, numbers = [], {}
    for number in range(count):
        case = Case(number, seed)
        save_file(case.state, DATA / f"pytorch-{number}.safetensors")
        cases.append({"name": case.name, "network": json.loads(case.twin.json()), "map": case.map})
        numbers[f"{number}/x"], numbers[f"{number}/y"] = torch.from_numpy(case.x), torch.from_numpy(case.y)
    save_file(numbers, DATA / "pytorch.safetensors")
    lines = ",\n".join(json.dumps(case) for case in cases)
    (DATA / "pytorch.json").write_text(f'{{"torch": "{torch.__version__}", "cases": [\n{lines}\n]}}\n')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--library", type=Path)
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--record", action="store_true")
    arguments = parser.parse_args()
    if arguments.record:
        record(14, arguments.seed)
    elif arguments.library:
        compare(Library(arguments.library.resolve()), arguments.count, arguments.seed)
    else:
        parser.error("--library or --record")


if __name__ == "__main__":
    main()
