"""A PyTorch module for a network in the format of Keras's `to_json()`, with the layers of networks/ only.

Data are `[N, C, H, W]`. The softmax at the end is omitted, because PyTorch's loss takes logits."""

import torch
from torch import nn
from torch.nn import functional as F


def pair(value):
    return tuple(value) if isinstance(value, (list, tuple)) else (value, value)


def same(size, kernel, stride):
    """The padding before and after, as in Keras's "same"."""
    missing = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return missing // 2, missing - missing // 2


class Convolution(nn.Module):
    """Conv2D or DepthwiseConv2D."""

    def __init__(self, config, shape, depthwise):
        super().__init__()
        channels, height, width = shape
        kernel, stride = pair(config["kernel_size"]), pair(config["strides"])
        self.pad = (0, 0, 0, 0)
        if config["padding"] == "same":
            self.pad = (*same(width, kernel[1], stride[1]), *same(height, kernel[0], stride[0]))
        even = self.pad[0] == self.pad[1] and self.pad[2] == self.pad[3]
        padding, self.pad = ((self.pad[2], self.pad[0]), None) if even else (0, self.pad)
        filters = channels * config["depth_multiplier"] if depthwise else config["filters"]
        self.convolution = nn.Conv2d(channels, filters, kernel, stride, padding, groups=channels if depthwise else 1,
                                     bias=config["use_bias"])

    def forward(self, x):
        return self.convolution(F.pad(x, self.pad) if self.pad else x)


ACTIVATIONS = {"linear": None, "relu": F.relu, "tanh": torch.tanh, "softmax": None}


def module(name, config, shape):
    """A layer for inputs of the given shape."""
    match name:
        case "Conv2D" | "DepthwiseConv2D":
            return Convolution(config, shape, name == "DepthwiseConv2D")
        case "Dense":
            return nn.Linear(shape[0], config["units"], bias=config["use_bias"])
        case "BatchNormalization":
            return nn.BatchNorm2d(shape[0], eps=config["epsilon"], momentum=1 - config["momentum"])
        case "MaxPooling2D":
            return nn.MaxPool2d(pair(config["pool_size"]), pair(config["strides"]))
        case "AveragePooling2D":
            return nn.AvgPool2d(pair(config["pool_size"]), pair(config["strides"]))
        case "GlobalAveragePooling2D":
            return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        case "Flatten":
            return nn.Flatten()
        case "Dropout":
            return nn.Dropout(config["rate"])
        case "Add" | "Activation":
            return nn.Identity()
    raise ValueError(f"no layer {name}")


def sources(node):
    """The layers whose outputs are the inputs of a call."""
    if isinstance(node, dict):
        if node.get("class_name") == "__keras_tensor__":
            return [node["config"]["keras_history"][0]]
        return [name for value in node.values() for name in sources(value)]
    return [name for value in node for name in sources(value)] if isinstance(node, list) else []


class Network(nn.Module):
    """The network from a Functional model's config."""

    def __init__(self, model):
        super().__init__()
        self.calls, self.layers = [], nn.ModuleDict()
        values = {}
        for layer in model["config"]["layers"]:
            name, config = layer["config"]["name"], layer["config"]
            if layer["class_name"] == "InputLayer":
                height, width, channels = config["batch_shape"][1:]
                values[name] = torch.zeros(2, channels, height, width)
                self.start = name
                continue
            inputs = sources(layer["inbound_nodes"])
            self.layers[name] = module(layer["class_name"], config, values[inputs[0]].shape[1:])
            self.calls.append((name, inputs, ACTIVATIONS[config.get("activation", "linear")]))
            values[name] = self.call(self.calls[-1], values)
        self.end = self.calls[-1][0]

    def call(self, call, values):
        name, inputs, activation = call
        x = values[inputs[0]]
        for other in inputs[1:]:
            x = x + values[other]
        x = self.layers[name](x)
        return activation(x) if activation else x

    def forward(self, x):
        values = {self.start: x}
        for call in self.calls:
            values[call[0]] = self.call(call, values)
        return values[self.end]
