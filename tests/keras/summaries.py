#!/bin/sh
''''exec "${KERAS_VENV:-$(dirname "$0")/../../target/keras-venv}/bin/python" "$0" "$@" # '''
"""Records tests/data/keras/summaries.json: networks written by Keras 3, and the summary that Keras 2.6 prints of each.

The summaries come from Keras 2.6 itself, in a separate virtual environment (created by setup; Python 3.6 to 3.9)."""

import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")


def chain_with_batch_normalization(L, x):
    for filters in (8, 16):
        x = L.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = L.ReLU()(L.BatchNormalization()(x))
        x = L.MaxPooling2D()(x)
    return L.Dense(10, "softmax")(L.Dropout(0.5)(L.Flatten()(x)))


def residual(L, x):
    x = L.Conv2D(16, 3, padding="same", activation="relu")(x)
    y = L.Conv2D(16, 3, padding="same", activation="relu")(x)
    y = L.BatchNormalization()(L.Conv2D(16, 3, padding="same")(y))
    x = L.Activation("relu")(L.Add()([x, y]))
    return L.Dense(10, "softmax")(L.GlobalAveragePooling2D()(x))


def shared(L, x):
    layer = L.Conv2D(4, 3, padding="same", activation="relu")
    x = L.Conv2D(4, 1)(x)
    x = L.Concatenate()([layer(x), layer(L.MaxPooling2D(3, strides=1, padding="same")(x)), layer(layer(x))])
    return L.Dense(10, "softmax")(L.Flatten()(x))


def long_names(L, x):
    x = L.Conv2D(8, 3, name="the_first_convolution_of_the_left_tower")(x)
    y = L.SeparableConv2D(8, 3, padding="same", name="a_separable_convolution_with_a_name_that_no_column_holds")(x)
    y = L.DepthwiseConv2D(3, padding="same", name="depthwise_in_the_middle_of_it_all_" + "x" * 30)(y)
    x = L.Multiply(name="where_both_of_the_towers_come_together_again")([x, y])
    return L.Dense(10, "softmax", name="probabilities")(L.Flatten(name="all_of_the_numbers_in_one_row")(x))


def long_names_in_a_chain(L, x):
    x = L.Conv2D(8, 3, name="the_first_convolution_of_the_only_tower")(x)
    x = L.BatchNormalization()(L.GlobalMaxPooling2D()(L.SeparableConv2D(8, 3)(x)))
    return L.Dense(10, "softmax", name="probabilities_of_all_the_ten_classes_" + "x" * 30)(x)


def three_inputs(L, x):
    a = L.Conv2D(4, 1)(x)
    b = L.Conv2D(8, 3, padding="same")(x)
    c = L.AveragePooling2D(3, strides=1, padding="same")(x)
    x = L.Concatenate()([a, b, c])
    return L.Dense(10, "softmax")(L.Flatten()(L.ZeroPadding2D()(x)))


def squeeze(L, x):
    x = L.LeakyReLU()(L.Conv2D(8, 3, strides=2)(x))
    s = L.Dense(8, "sigmoid")(L.Dense(2, "relu")(L.GlobalAveragePooling2D()(x)))
    x = L.Multiply()([x, L.Reshape((1, 1, 8))(s)])
    return L.Dense(10, "softmax")(L.PReLU()(L.Flatten()(L.Conv2DTranspose(2, 2, strides=2)(x))))


def frozen_body(L, x):
    x = L.BatchNormalization(trainable=False)(L.Conv2D(8, 3, trainable=False)(x))
    return L.Dense(10, "softmax")(L.LayerNormalization()(L.Flatten()(x)))


def a_vector(L, x):
    return L.Dense(3, "softmax")(L.Dense(1000, "relu")(L.Dense(2000, "relu")(x)))


def a_sequence(L, x):
    return L.Dense(3, "softmax")(L.GlobalAveragePooling1D()(L.MaxPooling1D()(L.Conv1D(8, 3, activation="relu")(x))))


NETWORKS = [(chain_with_batch_normalization, (28, 28, 1)), (residual, (28, 28, 1)), (shared, (12, 12, 3)), (long_names, (28, 28, 1)),
            (long_names_in_a_chain, (28, 28, 1)), (three_inputs, (16, 16, 3)), (squeeze, (15, 17, 1)), (frozen_body, (10, 10, 1)),
            (a_vector, (64,)), (a_sequence, (40, 3))]


def models(keras):
    """All networks, with inputs named as in Keras 2; and the first one as a Sequential."""
    for build, shape in NETWORKS:
        (getattr(keras.backend, "clear_session", None) or keras.utils.clear_session)()
        x = keras.layers.Input(shape, name="input_1")
        yield build.__name__, keras.Model(x, build(keras.layers, x), name=build.__name__)
    (getattr(keras.backend, "clear_session", None) or keras.utils.clear_session)()
    L = keras.layers
    yield "sequential", keras.Sequential([L.Input((28, 28, 1)), L.Conv2D(8, 3, activation="relu"), L.BatchNormalization(),
                                          L.Flatten(), L.Dense(10, "softmax")], name="sequential")


def table(model):
    lines = []
    model.summary(print_fn=lines.append)
    return "".join(line + "\n" for line in lines)


if "--tables" in sys.argv:  # in Keras 2.6
    from tensorflow import keras
    print(json.dumps({"keras": keras.__version__, "tables": {name: table(model) for name, model in models(keras)}}))
else:
    import keras
    old = os.environ.get("KERAS26_VENV", HERE.parents[1] / "target" / "keras26-venv")
    found = json.loads(subprocess.run([f"{old}/bin/python", __file__, "--tables"], check=True, capture_output=True, text=True).stdout)
    lines = [json.dumps({"name": name, "model": model.to_json(), "summary": found["tables"][name]}) for name, model in models(keras)]
    text = ",\n".join(lines)
    (HERE.parent / "data" / "keras").mkdir(parents=True, exist_ok=True)
    (HERE.parent / "data" / "keras" / "summaries.json").write_text(
        f'{{"keras": "{keras.__version__}", "summaries_of": "{found["keras"]}", "networks": [\n{text}\n]}}\n')
    print(f"{len(lines)} tables")
