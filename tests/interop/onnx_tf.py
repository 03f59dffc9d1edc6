#!/bin/sh
''''exec "${INTEROP_VENV:-$(dirname "$0")/../../target/interop-venv}/bin/python" "$0" "$@" # '''
"""Keras -> tf2onnx -> the library, which trains it -> ONNX -> onnxruntime: onnx_tf.py [--library libmnist.so] [--only NAME]

Networks of Keras's layers on TensorFlow, written by tf2onnx in several opsets. (tf2onnx cannot write some layers, or writes them as
several operators that are no layer here: gelu, ELU with an alpha, grouped convolutions, UpSampling2D, LayerNormalization.) The criteria are
those of onnx_torch.py. --record F writes the smallest files and their results to F, for `cargo test`."""

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
sys.path = [path for path in sys.path if Path(path).resolve() != Path(__file__).resolve().parent]  # this folder has a keras.py

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
import tf2onnx  # noqa: E402
from keras import layers as L  # noqa: E402

sys.path.append(str(Path(__file__).resolve().parent))
from onnx_side import LIBRARY, Tried, record  # noqa: E402


def residual(x, filters, strides=1):
    y = L.Conv2D(filters, 3, strides, "same", use_bias=False)(x)
    y = L.ReLU()(L.BatchNormalization()(y))
    y = L.BatchNormalization()(L.Conv2D(filters, 3, padding="same", use_bias=False)(y))
    x = L.BatchNormalization()(L.Conv2D(filters, 1, strides, use_bias=False)(x))
    return L.ReLU()(L.Add()([x, y]))


def gate(x):
    y = L.Dense(3, activation="relu")(L.GlobalAveragePooling2D()(x))
    y = L.Dense(x.shape[-1], activation="sigmoid")(y)
    return L.Multiply()([x, L.Reshape((1, 1, x.shape[-1]))(y)])


def network(shape, *steps):
    """A network of these layers, or functions of a tensor, in sequence."""
    def make():
        x = start = L.Input(shape)
        for step in steps:
            x = step(x)
        return keras.Model(start, x)
    return shape, make


NETWORKS = {
    "tutorial": network((28, 28, 1), L.Conv2D(8, 3, activation="relu"), L.Conv2D(16, 3, activation="relu"), L.MaxPooling2D(), L.Dropout(0.25),
                        L.Flatten(), L.Dense(32, activation="relu"), L.Dropout(0.5), L.Dense(10, activation="softmax")),
    "small": network((6, 5, 2), L.Conv2D(3, 3, activation="relu"), L.Flatten(), L.Dense(4, activation="softmax")),
    "mlp": network((12,), L.Dense(16, activation="tanh"), L.Dense(8, use_bias=False), L.ELU(), L.Dense(3, activation="softmax")),
    "mlp on images": network((28, 28), L.Rescaling(1 / 255), L.Flatten(), L.Dense(16), L.BatchNormalization(), L.ReLU(6.0), L.Dense(10)),
    "mlp on colours": network((8, 8, 3), L.Flatten(), L.Dense(16, activation="selu"), L.Dense(10)),
    "resnet": network((16, 16, 3), L.Conv2D(4, 7, 2, "same"), L.ReLU(), L.MaxPooling2D(3, 2, "same"), lambda x: residual(x, 6), lambda x: residual(x, 8, 2),
                      L.GlobalAveragePooling2D(), L.Dense(10, activation="softmax")),
    "mobile": network((16, 16, 3), L.ZeroPadding2D(((0, 1), (0, 1))), L.Conv2D(8, 3, 2, use_bias=False), L.BatchNormalization(), L.ReLU(6.0),
                      L.DepthwiseConv2D(3, padding="same", use_bias=False), L.BatchNormalization(), L.ReLU(6.0), L.SeparableConv2D(12, 3, padding="same"),
                      L.Activation("silu"), L.GlobalMaxPooling2D(), L.Dense(10)),
    "gates": network((12, 12, 1), L.Conv2D(6, 3, activation="silu"), gate, lambda x: L.Concatenate()([x, L.Conv2D(2, 1)(x)]), L.AveragePooling2D(3, 2, "same"),
                     L.Flatten(), L.Dense(5)),
    "slopes": network((8, 8, 2), L.Conv2D(4, 3), L.LeakyReLU(0.1), L.Conv2D(4, 3), L.PReLU(shared_axes=[1, 2]), L.Conv2D(4, 3), L.Activation("hard_sigmoid"),
                      L.Flatten(), L.Dense(8, activation="softplus"), L.Dense(8, activation="softsign"), L.Dense(3)),
    "up": network((5, 6, 2), L.Conv2DTranspose(4, 3, 2, "same", activation="relu"), L.Conv2D(3, 3, dilation_rate=2), L.ZeroPadding2D(((1, 0), (2, 1))),
                  L.Cropping2D(((1, 0), (2, 1))), L.Conv2D(2, 3, 3), L.Flatten(), L.Dense(4)),
    "dilated": network((12, 12, 1), L.Conv2D(4, 3, dilation_rate=2, padding="same"), L.Activation("elu"), L.AveragePooling2D(2), L.Conv2D(4, 3, (1, 2)),
                       L.Flatten(), L.Dense(4)),
    "rows": network((20, 3), L.Conv1D(5, 3, padding="same"), L.BatchNormalization(), L.ReLU(), L.MaxPooling1D(2), L.Conv1D(6, 4, 2, padding="causal"), L.ReLU(),
                    L.GlobalAveragePooling1D(), L.Dense(4)),
    "steps": network((6, 5), L.Dense(7, activation="relu"), L.Dense(4), L.Flatten(), L.Dense(3)),
    "turned": network((6, 5, 2), L.Permute((3, 1, 2)), L.Reshape((10, 6)), L.Dense(4, activation="relu"), L.Flatten(), L.Dense(3)),
}


def awake(model):
    """Sets moving statistics and slopes to values other than their initial ones."""
    random = np.random.default_rng(4)
    for variable in model.variables:
        name = variable.name
        if name in ["gamma", "moving_variance"]:
            variable.assign(random.uniform(0.5, 1.5, variable.shape))
        elif name in ["beta", "moving_mean", "bias", "alpha"]:
            variable.assign(random.uniform(-0.3, 0.3, variable.shape))
    return model


def main():
    parse = argparse.ArgumentParser()
    parse.add_argument("--library", default=LIBRARY)
    parse.add_argument("--only")
    parse.add_argument("--record", type=Path)
    args = parse.parse_args()
    tried = Tried(args.library)
    for name, (shape, make) in NETWORKS.items():
        if args.only and args.only != name:
            continue
        keras.utils.set_random_seed(0)
        model = awake(make())
        predict = tf.function(lambda x: model(x, training=False), input_signature=[tf.TensorSpec([None, *shape], tf.float32, name="x")])
        for opset in [9, 13, 15, 18]:
            path = tried.folder / f"{name.replace(' ', '_')}-tf2onnx-{opset}.onnx"

            def exported():
                tf2onnx.convert.from_function(predict, predict.input_signature, opset=opset, output_path=str(path))
                return path

            made = tried.check(f"{name}, tf2onnx, opset {opset}", exported, shape)
            if made and args.record and name in ["small", "mlp", "rows"] and opset == 15:
                x = np.random.default_rng(1).normal(0, 1, (12, *shape)).astype(np.float32)
                record(args.record, made[0], x[:3], made[1][:3])
    tried.end()


main()
