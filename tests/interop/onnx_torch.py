#!/bin/sh
''''exec "${INTEROP_VENV:-$(dirname "$0")/../../target/interop-venv}/bin/python" "$0" "$@" # '''
"""PyTorch -> ONNX -> the library, which trains it -> ONNX -> onnxruntime: onnx_torch.py [--library libmnist.so] [--folder F]

Networks of supported layers, written by both of PyTorch's exporters in many opsets; scikit-learn's MLP, written by skl2onnx; and
conversions by ONNX's own version converter from opset 7 to 23. Passes if the library's predictions are within 1e-5 of onnxruntime's
before and after 100 training steps, and the training lowers the loss. --record F writes the smallest files and their results to F, for
`cargo test`."""

import argparse
import logging
import warnings
from pathlib import Path

import onnx
import torch
from onnx import version_converter
from onnx_side import LIBRARY, Tried, last, np, record
from torch import nn

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)
F = nn.functional


class View(nn.Module):
    """A flatten in a common form, with the shape computed in the graph."""

    def forward(self, x):
        return x.view(x.size(0), -1)


class Residual(nn.Module):
    def __init__(self, inputs, outputs, stride=1):
        super().__init__()
        self.a = nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(),
                               nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs))
        self.b = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        return F.relu(self.a(x) + self.b(x))


class Dense2(nn.Module):
    """Concatenated features, and a gate on channels."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(1, 3, 3, padding=1), nn.Conv2d(4, 2, 5, padding=2)
        self.down, self.up = nn.Linear(6, 3), nn.Linear(3, 6)
        self.end = nn.Linear(6 * 7 * 7, 10)

    def forward(self, x):
        a = F.silu(self.a(x))
        b = torch.cat([x, a], 1)
        x = torch.cat([F.gelu(self.b(b)), b], 1)
        x = F.avg_pool2d(x, 4)
        gate = torch.sigmoid(self.up(F.hardtanh(self.down(x.mean((2, 3)))))).view(-1, 6, 1, 1)
        return self.end((x * gate).flatten(1))


def tutorial():
    return nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.25),
                         nn.Flatten(), nn.Linear(16 * 12 * 12, 32), nn.ReLU(), nn.Dropout(0.5), nn.Linear(32, 10), nn.LogSoftmax(1))


NETWORKS = {
    "tutorial": ((1, 28, 28), tutorial),
    "small": ((2, 6, 5), lambda: nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(36, 4), nn.Softmax(1))),
    "mlp": ((12,), lambda: nn.Sequential(nn.Linear(12, 16), nn.Tanh(), nn.Linear(16, 8, bias=False), nn.ELU(0.7), nn.Linear(8, 3), nn.Softmax(1))),
    "mlp on images": ((1, 28, 28), lambda: nn.Sequential(nn.Flatten(), nn.Linear(784, 16), nn.BatchNorm1d(16), nn.ReLU6(), nn.Linear(16, 10))),
    "mlp on colours": ((3, 8, 8), lambda: nn.Sequential(nn.Flatten(), nn.Linear(192, 16), nn.SELU(), nn.Linear(16, 10))),
    "view": ((1, 14, 14), lambda: nn.Sequential(nn.Conv2d(1, 4, 5, padding=2), nn.PReLU(4), nn.AvgPool2d(2), View(), nn.Linear(196, 10))),
    "normed": ((3, 12, 12), lambda: nn.Sequential(nn.Conv2d(3, 6, 3, bias=False), nn.BatchNorm2d(6), nn.LeakyReLU(0.1), nn.MaxPool2d(2, 2),
               nn.Conv2d(6, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.Hardswish(), nn.Flatten(), nn.BatchNorm1d(72), nn.Linear(72, 5))),
    "resnet": ((1, 16, 16), lambda: nn.Sequential(nn.Conv2d(1, 4, 7, 2, 3), nn.ReLU(), nn.MaxPool2d(3, 2, 1), Residual(4, 6), Residual(6, 8, 2),
               nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10))),
    "mobile": ((3, 16, 16), lambda: nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.Hardswish(), nn.Conv2d(8, 8, 3, 1, 1, groups=8), nn.Mish(),
               nn.Conv2d(8, 16, 1), nn.Sigmoid(), nn.Conv2d(16, 12, 3, padding="same", groups=4), nn.AdaptiveAvgPool2d(1), nn.Flatten(1),
               nn.Hardsigmoid(), nn.Linear(12, 10))),
    "gates": ((1, 28, 28), Dense2),
    "groups": ((4, 8, 8), lambda: nn.Sequential(nn.Conv2d(4, 8, 3), nn.GroupNorm(4, 8), nn.ReLU(), nn.InstanceNorm2d(8, affine=True), nn.GELU(), nn.Flatten(),
               nn.Linear(288, 12), nn.LayerNorm(12), nn.Linear(12, 3))),
    "up": ((2, 5, 6), lambda: nn.Sequential(nn.ConvTranspose2d(2, 4, 3, 2, 1, 1), nn.ReLU(), nn.ConvTranspose2d(4, 3, 4, 2, 1), nn.Upsample(scale_factor=2),
               nn.ZeroPad2d((1, 0, 2, 1)), nn.Conv2d(3, 2, 3, 4, dilation=1), nn.Flatten(), nn.Linear(264, 4))),
    "dilated": ((1, 12, 12), lambda: nn.Sequential(nn.Conv2d(1, 4, 3, padding=2, dilation=2), nn.CELU(), nn.Conv2d(4, 4, 3, padding=(0, 1)), nn.Hardtanh(-0.5, 2.0),
               nn.AvgPool2d(3, 2, 1), nn.Flatten(), nn.Linear(120, 4))),
    "rows": ((3, 20), lambda: nn.Sequential(nn.Conv1d(3, 5, 3, padding=1), nn.BatchNorm1d(5), nn.ReLU(), nn.MaxPool1d(2), nn.Conv1d(5, 6, 4, 2), nn.ReLU(), nn.Flatten(), nn.Linear(24, 4))),
}


def export(network, shape, path, dynamo, opset):
    x = torch.zeros(2, *shape)
    if dynamo:
        batch = torch.export.Dim("batch", min=1, max=4096)
        torch.onnx.export(network, (x,), str(path), dynamo=True, opset_version=opset, dynamic_shapes=({0: batch},), verbose=False, external_data=False)
    else:
        torch.onnx.export(network, (x,), str(path), dynamo=False, opset_version=opset, dynamic_axes={"x": {0: "batch"}}, input_names=["x"])


def awake(network):
    """Sets moving statistics and slopes to values other than their initial ones."""
    for module in network.modules():
        if hasattr(module, "running_mean") and module.running_mean is not None:
            module.running_mean.uniform_(-0.5, 0.5)
            module.running_var.uniform_(0.5, 2)
            with torch.no_grad():
                module.weight.uniform_(0.5, 1.5)
                module.bias.uniform_(-0.3, 0.3)
    return network.eval()


def main():
    parse = argparse.ArgumentParser()
    parse.add_argument("--library", default=LIBRARY)
    parse.add_argument("--only")
    parse.add_argument("--record", type=Path)
    args = parse.parse_args()
    tried = Tried(args.library)
    folder, check = tried.folder, tried.check

    for name, (shape, make) in NETWORKS.items():
        if args.only and args.only not in name:
            continue
        torch.manual_seed(0)
        network = awake(make())
        for dynamo, opset in [(False, 9), (False, 11), (False, 13), (False, 17), (True, 18), (True, 21), (True, 23)]:
            path = folder / f"{name.replace(' ', '_')}-{'dynamo' if dynamo else 'script'}-{opset}.onnx"

            def exported():
                export(network, shape, path, dynamo, opset)
                return path

            made = check(f"{name}, {'dynamo' if dynamo else 'TorchScript'}, opset {opset}", exported, shape)
            if made and args.record and name in ["small", "mlp", "rows"] and opset in [9, 17, 23]:
                x = np.random.default_rng(1).normal(0, 1, (12, *shape)).astype(np.float32)
                record(args.record, made[0], last(x[:3]) if x.ndim > 2 else x[:3], made[1][:3])
    if not args.only or args.only == "external":
        external(check, folder)
    if not args.only or args.only == "opsets":
        opsets(check, folder)
    if not args.only or args.only == "skl":
        scikit(check, folder)
    tried.end()


def external(check, folder):
    """Weights in an external file, as PyTorch and onnx write them."""
    shape, make = NETWORKS["tutorial"]
    network = awake(make())
    path = folder / "external.onnx"

    def exported():
        torch.onnx.export(network, (torch.zeros(2, *shape),), str(path), dynamo=True, external_data=True, verbose=False,
                          dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=4096)},))
        return path

    def moved():
        beside = folder / "moved.onnx"
        onnx.save(onnx.load(path), beside, save_as_external_data=True, all_tensors_to_one_file=True, location="moved.data", size_threshold=128)
        return beside

    check("external data, PyTorch", exported, shape)
    check("external data, onnx", moved, shape)


def opsets(check, folder):
    """One network of ONNX's helper in each version from 7 to 23."""
    helper, numbers = onnx.helper, onnx.numpy_helper
    random = np.random.default_rng(2)
    tensor = lambda name, *shape: numbers.from_array(random.normal(0, 0.3, shape).astype(np.float32), name)
    value = helper.make_tensor_value_info
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["c"], name="conv", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        helper.make_node("BatchNormalization", ["c", "scale", "shift", "mean", "variance"], ["n"], name="norm"),
        helper.make_node("Relu", ["n"], ["r"], name="relu"),
        helper.make_node("MaxPool", ["r"], ["p"], name="pool", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Flatten", ["p"], ["f"], name="flatten"),
        helper.make_node("Gemm", ["f", "v", "d"], ["g"], name="gemm", transB=1),
        helper.make_node("Softmax", ["g"], ["y"], name="softmax", axis=1),
    ]
    variance = numbers.from_array(random.uniform(0.5, 2, 4).astype(np.float32), "variance")
    weights = [tensor("w", 4, 2, 3, 3), tensor("b", 4), tensor("scale", 4), tensor("shift", 4), tensor("mean", 4), variance,
               tensor("v", 3, 36), tensor("d", 3)]
    graph = helper.make_graph(nodes, "made", [value("x", 1, ["n", 2, 6, 6])], [value("y", 1, ["n", 3])], weights)
    first = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 7)], ir_version=8)
    for opset in range(7, 24):
        path = folder / f"opset-{opset}.onnx"

        def made():
            onnx.save(version_converter.convert_version(first, opset) if opset > 7 else first, path)
            return path

        check(f"opset {opset}", made, (2, 6, 6))


def scikit(check, folder):
    from skl2onnx import to_onnx
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    random = np.random.default_rng(3)
    x = random.normal(0, 1, (60, 9)).astype(np.float32)
    for name, classes, options in [("3 classes", 3, {}), ("3 classes, no zipmap", 3, {"zipmap": False})]:
        for activation in ["relu", "tanh", "logistic", "identity"]:
            model = MLPClassifier((8, 5), activation=activation, max_iter=30).fit(x, np.arange(60) % classes)
            path = folder / f"skl-{activation}-{len(options)}.onnx"

            def made():
                path.write_bytes(to_onnx(model, x[:1], options={id(model): options} if options else None).SerializeToString())
                return path

            check(f"skl2onnx, {name}, {activation}", made, (9,), x[:12])


main()
