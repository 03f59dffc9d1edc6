"""Keras's optimizers and learning-rate schedules: docs/optimizers.md of the library lists their keys."""

import sys
from typing import Callable

from ._config import Config, classes


class Optimizer(Config):
    """An optimizer or a learning-rate schedule."""


__getattr__: Callable[[str], type[Optimizer]] = classes(vars(), Optimizer, {
    "learning_rate": "Adadelta Adagrad Adam Adamax AdamW Ftrl Lion Nadam RMSprop SGD",
    "initial_learning_rate decay_steps": "CosineDecay PolynomialDecay", "boundaries values": "PiecewiseConstantDecay",
    "initial_learning_rate first_decay_steps": "CosineDecayRestarts",
    "initial_learning_rate decay_steps decay_rate": "ExponentialDecay InverseTimeDecay"})
schedules = sys.modules[__name__]  # keras.optimizers.schedules
