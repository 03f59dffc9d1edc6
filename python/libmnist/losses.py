"""Keras's losses: docs/losses.md of the library lists their keys."""

from typing import Callable

from ._config import Config, classes


class Loss(Config):
    """A loss, or a metric."""


__getattr__: Callable[[str], type[Loss]] = classes(vars(), Loss, {
    "": "BinaryCrossentropy BinaryFocalCrossentropy CategoricalCrossentropy CategoricalFocalCrossentropy CategoricalHinge"
        " CosineSimilarity Hinge Huber KLDivergence LogCosh MeanAbsoluteError MeanAbsolutePercentageError MeanSquaredError"
        " MeanSquaredLogarithmicError Poisson SparseCategoricalCrossentropy SquaredHinge"})
