"""Callbacks: the library's own, which have Keras's names, and the base class of callbacks in Python."""

from __future__ import annotations

from typing import Any, Callable

from ._config import Config, classes

Logs = dict[str, float]


class LibraryCallback(Config):
    """A callback that is part of the library: docs/callbacks.md of the library lists its keys."""


__getattr__: Callable[[str], type[LibraryCallback]] = classes(vars(), LibraryCallback, {
    "filename separator append": "CSVLogger", "filepath monitor": "ModelCheckpoint", "log_dir": "TensorBoard",
    "monitor": "EarlyStopping ReduceLROnPlateau", "": "TerminateOnNaN"})


class Callback:
    """Base class of callbacks in Python. The methods are called between two steps, on the thread that called fit; `logs` contains
    the metrics of the epoch so far. `self.model.stop_training = True` stops the fit, and so does an exception, which fit raises."""
    model: Any = None
    params: dict[str, Any] = {}

    def set_model(self, model: Any) -> None:
        self.model = model

    def set_params(self, params: dict[str, Any]) -> None:
        self.params = params

    def on_train_begin(self, logs: Logs | None = None) -> None: ...
    def on_train_end(self, logs: Logs | None = None) -> None: ...
    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None: ...
    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None: ...
    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None: ...


class LearningRateScheduler(Callback):
    """Sets the learning rate of each epoch: schedule(epoch, learning_rate)."""

    def __init__(self, schedule: Callable[[int, float], float]) -> None:
        self.schedule = schedule

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self.model.learning_rate = self.schedule(epoch, self.model.learning_rate)
