"""Keras's metrics, among them all losses: docs/losses.md of the library lists their keys."""

from typing import Callable

from ._config import classes
from .losses import *  # noqa: F403
from .losses import Loss

__getattr__: Callable[[str], type[Loss]] = classes(vars(), Loss, {
    "": "AUC BinaryAccuracy CategoricalAccuracy F1Score FBetaScore FalseNegatives FalsePositives Precision R2Score Recall"
        " RootMeanSquaredError SparseCategoricalAccuracy SparseTopKCategoricalAccuracy TopKCategoricalAccuracy TrueNegatives"
        " TruePositives"})
