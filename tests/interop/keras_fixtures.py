#!/bin/sh
''''exec "${INTEROP_VENV:-$(dirname "$0")/../../target/interop-venv}/bin/python" "$0" "$@" # '''
"""Records tests/data/interop/keras: a small model in each of Keras's formats, in the middle of its training, with its predictions and the
losses of the continued training in Keras.

    keras_fixtures.py [FOLDER]             Keras 3
    keras_fixtures.py --legacy [FOLDER]    tf_keras, which writes Keras 2's formats"""

import json
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "tests" / "data" / "interop" / "keras"
sys.path.pop(0)  # the first entry is this folder, which has a keras.py
os.environ.update(KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="", TF_ENABLE_ONEDNN_OPTS="0")
import numpy as np  # noqa: E402

LEGACY = "--legacy" in sys.argv
FOLDER = next((Path(word) for word in sys.argv[1:] if word != "--legacy"), FOLDER)
if LEGACY:
    import tf_keras as keras  # noqa: E402
else:
    import keras  # noqa: E402

SAMPLES, BATCH = 24, 8


def network():
    x = start = keras.Input((6, 6, 1))
    x = keras.layers.Conv2D(3, 3, activation="relu")(x)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Dropout(0.0)(x)
    x = keras.layers.Flatten()(x)
    shared = keras.layers.Dense(5, activation="tanh")
    x = shared(keras.layers.Dense(5)(x))
    x = keras.layers.Add()([x, shared(x)])
    return keras.Model(start, keras.layers.Dense(4, activation="softmax")(x))


def sequential():
    return chain([keras.layers.Flatten(), keras.layers.Dense(6, activation="relu"), keras.layers.Dense(4)])


def tiny():
    """A file so small that a test can damage every byte, one at a time."""
    return chain([keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(4)])


def chain(layers):
    return keras.Sequential([keras.Input((6, 6, 1)), *layers] if not LEGACY else [keras.layers.InputLayer((6, 6, 1)), *layers])


def steps(model, x, labels):
    losses = []
    for i in range(0, SAMPLES, BATCH):
        model.reset_metrics()
        losses.append(float(np.ravel(model.train_on_batch(x[i:i + BATCH], labels[i:i + BATCH]))[0]))
    return losses


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(1)
    draw = np.random.default_rng(1)
    x = np.round(draw.uniform(-1, 1, (SAMPLES, 6, 6, 1)) * 64).astype(np.float32) / 64
    labels = draw.integers(0, 4, SAMPLES)
    optimizers = keras.optimizers
    adam = optimizers.Adam(0.01) if LEGACY else optimizers.Adam(0.01, use_ema=True, amsgrad=True)
    nadam = optimizers.RMSprop(0.003, momentum=0.5) if LEGACY else optimizers.Nadam(optimizers.schedules.CosineDecay(0.01, 50))
    logits = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    said = {}
    for name, model, optimizer, loss in [("functional", network(), adam, "sparse_categorical_crossentropy"), ("sequential", sequential(), nadam, logits),
                                         ("tiny", tiny(), optimizers.SGD(0.1, momentum=0.5), logits)]:
        model.compile(optimizer=optimizer, loss=loss, metrics=["accuracy"])
        steps(model, x, labels)
        forms = {"legacy.h5": "save", "legacy.weights.h5": "save_weights", "legacy.keras": "save"} if LEGACY else {
            "keras": "save", "h5": "save", "weights.h5": "save_weights"}
        for form, how in forms.items():
            getattr(model, how)(FOLDER / f"{name}.{form}")
        said[name] = {"predictions": np.array(model(x, training=False)).ravel().tolist(), "losses": steps(model, x, labels)}
    said["x"], said["labels"] = x.ravel().tolist(), labels.tolist()
    (FOLDER / ("legacy.json" if LEGACY else "keras.json")).write_text(json.dumps(said) + "\n")


main()
