#!/bin/sh
''''exec "${PEERS_ENV:-$HOME/.cache/mnist-peers}/bin/python" "$0" "$@" # '''
"""Trains the tutorial's network with Keras on TensorFlow; prints one line of JSON."""
import argparse, json, os, resource, time
from pathlib import Path

p = argparse.ArgumentParser()
p.add_argument("--steps", type=int, default=400)
p.add_argument("--batch", type=int, default=32)
p.add_argument("--threads", type=int, default=os.cpu_count())
p.add_argument("--data", default=Path(__file__).resolve().parents[2] / "examples" / "data" / "mnist.npz")
a = p.parse_args()

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
t = time.perf_counter()
import numpy as np
import tensorflow as tf
from tensorflow import keras
import_s = time.perf_counter() - t
tf.config.threading.set_intra_op_parallelism_threads(a.threads)
tf.config.threading.set_inter_op_parallelism_threads(a.threads)

d = np.load(a.data)
n = min(a.steps * a.batch, 60000)
x, y = (d["x_train"][:n] / 255).astype("float32")[..., None], d["y_train"][:n]
xt = (d["x_test"] / 255).astype("float32")[..., None]

i = keras.layers.Input((28, 28, 1))
h = keras.layers.Conv2D(32, 3, activation="relu")(i)
h = keras.layers.Conv2D(64, 3, activation="relu")(h)
h = keras.layers.Flatten()(h)
h = keras.layers.Dense(128, activation="relu")(h)
model = keras.Model(i, keras.layers.Dense(10, activation="softmax")(h))
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])


class Clock(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if batch == 63:
            self.start, self.first = time.perf_counter(), batch
        self.last, self.end = batch, time.perf_counter()


c = Clock()
model.fit(x, y, batch_size=a.batch, epochs=1, verbose=0, callbacks=[c])
model.predict(xt[:1], verbose=0)
t = time.perf_counter()
for _ in range(30):
    model.predict(xt[:1], verbose=0)
one = (time.perf_counter() - t) / 30 * 1e3
model.evaluate(xt[:512], d["y_test"][:512], batch_size=256, verbose=0)
t = time.perf_counter()
model.evaluate(xt, d["y_test"], batch_size=256, verbose=0)
ev = (time.perf_counter() - t) / 10 * 1e3
print(json.dumps(dict(peer="keras/tensorflow", version=tf.__version__, threads=a.threads, batch=a.batch,
                      ms_per_step=round((c.end - c.start) / (c.last - c.first) * 1e3, 2),
                      evaluate_ms_per_1000=round(ev, 1), predict_one_ms=round(one, 3),
                      peak_rss_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
                      import_s=round(import_s, 2))))
