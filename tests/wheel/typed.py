"""A program for mypy --strict."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

import libmnist as lm


class Log(lm.callbacks.Callback):
    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        print(epoch, (logs or {})["loss"])


def train(x: NDArray[np.uint8], y: NDArray[np.int64]) -> NDArray[np.float32]:
    model: lm.Model = lm.Sequential([lm.Input((28, 28, 1)), lm.layers.Flatten(), lm.layers.Dense(10, activation="softmax")])
    model.compile(lm.optimizers.Adam(1e-3), lm.losses.SparseCategoricalCrossentropy(), metrics=["accuracy", lm.metrics.AUC()])
    history: lm.History = model.fit(x, y, epochs=3, callbacks=[Log(), lm.callbacks.EarlyStopping(patience=2)])
    losses: list[float] = history.history["loss"]
    first: NDArray[np.float32] = model.get_weights()[0]
    try:
        model.save("digits.keras")
    except lm.IoError as error:
        print(error, error.status, losses, first)
    return model.predict(x)


def fetch(numbers: NDArray[np.uint64]) -> tuple[NDArray[np.float32], NDArray[np.uint64]]:
    return np.zeros((len(numbers), 3), np.float32), numbers


data: lm.Dataset = lm.Dataset.from_source(fetch, 100, (3,))
