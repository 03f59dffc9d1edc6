#!/bin/sh
''''exec "${KERAS_VENV:-$(dirname "$0")/../../target/keras-venv}/bin/python" "$0" "$@" # '''
"""Tests that TensorBoard can read the library's event files.

    event_files.py [--library target/release/libmnist.so]

A small network is fitted with the callbacks CSVLogger and TensorBoard. TensorBoard's own reader must then find the curves, with the
numbers in the CSV file, and the histograms, equal to those that TensorFlow computes from the weights."""

import argparse
import csv
import ctypes
import json
import sys
import tempfile
from pathlib import Path

from keras_side import keras, np, values
from libmnist import ROOT, Library
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.histogram.summary_v2 import histogram_pb
from tensorboard.util.tensor_util import make_ndarray

SAMPLES, BATCH, EPOCHS, EVERY = 40, 5, 4, 3
TRAINED, STEPS = 30, 6  # of 40 samples, a quarter of which are for validation


def fit(library, folder):
    """Fits a network; returns the weights at the end of each epoch, by name."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((4, 4, 1), name="input")
    x = keras.layers.BatchNormalization(name="norm")(keras.layers.Conv2D(3, 3, activation="relu", name="conv")(inputs))
    model = keras.Model(inputs, keras.layers.Dense(2, "softmax", name="dense")(keras.layers.Flatten(name="flatten")(x)))
    ours = library.model(model.to_json(), values(model))
    draw = np.random.default_rng(0)
    data = library.dataset(draw.normal(size=(SAMPLES, 4, 4, 1)).astype(np.float32), draw.integers(0, 2, SAMPLES).astype(np.uint8))
    library.call("model_compile", ours, ctypes.byref(library.options("compile_options")))
    seen = []

    def on_epoch_end(_, now):
        seen.append(ours.weights())
        return 0

    options = library.options("fit_options")
    options.batch_size, options.epochs, options.verbose, options.validation_split = BATCH, EPOCHS, 0, (SAMPLES - TRAINED) / SAMPLES
    options.on_epoch_end = library.header.types["mnist_callback"](on_epoch_end)
    config = [{"class_name": "CSVLogger", "config": {"filename": str(folder / "log.csv")}},
              {"class_name": "TensorBoard", "config": {"log_dir": str(folder / "logs"), "histogram_freq": 2, "update_freq": EVERY}}]
    options.callbacks_config = json.dumps(config).encode()
    library.call("model_fit", ours, data, ctypes.byref(options), None)
    return seen


class Side:
    """What TensorBoard's reader finds in a folder: for each tag, the steps and the arrays."""

    def __init__(self, folder):
        events = EventAccumulator(str(folder), size_guidance={"tensors": 0})
        events.Reload()
        self.tags = set(events.Tags()["tensors"])
        self.plugin = {tag: events.SummaryMetadata(tag).plugin_data.plugin_name for tag in self.tags}
        self.found = {tag: [(e.step, make_ndarray(e.tensor_proto)) for e in events.Tensors(tag)] for tag in self.tags}


def compare(side, expected, plugin):
    """Reports unexpected or missing tags of a plugin, and tags with unexpected steps or numbers."""
    tags = {tag for tag in side.tags if side.plugin[tag] == plugin}
    wrong = [f"{plugin}: tags {sorted(tags ^ set(expected))} are on one side only"] if tags != set(expected) else []
    for tag in tags & set(expected):
        steps, arrays = zip(*side.found[tag])
        if list(steps) != [step for step, _ in expected[tag]]:
            wrong.append(f"{tag}: steps {steps}")
        elif not all(np.allclose(a, b, rtol=1e-12, atol=0) for a, (_, b) in zip(arrays, expected[tag])):
            wrong.append(f"{tag}: {arrays}, expected {expected[tag]}")
    return wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--library", default=ROOT / "target/release/libmnist.so")
    library = Library(parser.parse_args().library)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        weights = fit(library, folder)
        with open(folder / "log.csv", newline="") as file:
            rows = [{name: float(x) for name, x in row.items()} for row in csv.DictReader(file)]
        train, validation = Side(folder / "logs/train"), Side(folder / "logs/validation")
    names = [name for name in rows[0] if name != "epoch" and not name.startswith("val_")]
    column = lambda name: [(int(row["epoch"]), np.float32(row[name])) for row in rows]
    curves = {f"epoch_{name}": column(name) for name in names}
    curves["epoch_learning_rate"] = [(epoch, np.float32(1e-3)) for epoch in range(EPOCHS)]
    wrong = []
    # In the batch curves the last point of an epoch is the epoch's result.
    for name in names:
        points = dict(train.found.pop(f"batch_{name}"))
        train.tags.remove(f"batch_{name}")
        if list(points) != list(range(EVERY, EPOCHS * STEPS + 1, EVERY)):
            wrong.append(f"batch_{name}: steps {list(points)}")
        elif any(points[(epoch + 1) * STEPS] != value for epoch, value in curves[f"epoch_{name}"]):
            wrong.append(f"batch_{name}: {points}")
    wrong += compare(train, curves, "scalars")
    made = lambda w: make_ndarray(histogram_pb("x", w).value[0].tensor)
    wrong += compare(train, {f"{name}/histogram": [(epoch, made(weights[epoch][name])) for epoch in range(0, EPOCHS, 2)] for name in weights[0]},
                     "histograms")
    own = {f"epoch_{name}": column(f"val_{name}") for name in names}
    by_steps = {f"evaluation_{name}_vs_iterations": [((e + 1) * STEPS, x) for e, x in column(f"val_{name}")] for name in names}
    wrong += compare(validation, own | by_steps, "scalars")
    print("\n".join(wrong) or f"TensorBoard reads {len(train.tags) + len(validation.tags) + len(names)} curves and histograms as they should be")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
