#!/bin/sh
''''exec "${PEERS_ENV:-$HOME/.cache/mnist-peers}/bin/python" -B "$0" "$@" # '''
"""Trains the tutorial's network, or one with other sizes, with Keras on TensorFlow or JAX; prints one line of JSON.

    keras_fit.py [--backend jax] [OPTIONS]        --help lists them"""
import os
import time

import workload

parser = workload.parser("Trains the tutorial's network with Keras.")
parser.add_argument("--backend", choices=("tensorflow", "jax"), default="tensorflow")
options = workload.parse(parser)

os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "2", "KERAS_BACKEND": options.backend}
started = time.perf_counter()
import keras
if options.backend == "tensorflow":
    import tensorflow as behind
else:
    import jax as behind
import_s = time.perf_counter() - started
import numpy as np
PREDICTIONS = 30  # fewer than in the other programs, because each takes some fifty times as long


class Clock(keras.callbacks.Callback):
    """Records the end times of the warm-up and of the last step."""

    def on_train_batch_end(self, batch, logs=None):
        if batch == workload.WARM_UP - 1:
            self.start = time.perf_counter()
        self.end = time.perf_counter()


def build():
    text = workload.network(options)
    if text:
        return compiled(keras.models.model_from_json(text))
    first, second = options.filters
    i = keras.layers.Input(options.input)
    h = keras.layers.Conv2D(first, options.kernel, activation="relu")(i)
    h = keras.layers.Conv2D(second, options.kernel, activation="relu")(h)
    h = keras.layers.Flatten()(h)
    h = keras.layers.Dense(options.dense, activation="relu")(h)
    return compiled(keras.Model(i, keras.layers.Dense(options.classes, activation="softmax")(h)))


def compiled(model):
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def fit(model, x, y):
    """Milliseconds per step."""
    clock = Clock()
    model.fit(x, y, batch_size=options.batch, epochs=1, steps_per_epoch=options.steps, verbose=0, callbacks=[clock])
    return (clock.end - clock.start) / (options.steps - workload.WARM_UP) * 1e3


def evaluate(model, x, y):
    model.evaluate(x, y, batch_size=workload.EVALUATION_BATCH, verbose=0)


def predict_ms(model, images, times):
    """With the faster of Keras's two ways: predict(), or calling the model on the images."""
    ways = lambda: model.predict(images, batch_size=len(images), verbose=0), lambda: np.asarray(model(images, training=False))
    [way() for way in ways]
    return min(workload.timed(way, times) for way in ways)


def main():
    if options.backend == "tensorflow":
        behind.config.threading.set_intra_op_parallelism_threads(options.threads)
        behind.config.threading.set_inter_op_parallelism_threads(options.threads)
    x, y = workload.load(options, "train")
    xt, yt = workload.load(options, "test")
    model = build()
    results = dict(import_s=import_s, ms_per_step=fit(model, x, y), peak_rss_mb=workload.peak_mb())
    if not options.fit_only:
        results["predict_one_ms"] = predict_ms(model, xt[:1], PREDICTIONS)
        results["predict_1000_ms"] = predict_ms(model, xt[:1000], workload.THOUSANDS)
        evaluate(model, xt[:512], yt[:512])
        results["evaluate_ms_per_1000"] = workload.timed(lambda: evaluate(model, xt, yt)) / len(xt) * 1e3
    name = {"tensorflow": "TensorFlow", "jax": "JAX"}[options.backend]
    version = f"{keras.__version__} on {name} {behind.__version__}"
    workload.report("Keras" + " on JAX" * (options.backend == "jax"), version, options, **results)


main()
