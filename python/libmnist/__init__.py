"""Trains small networks like Keras, with numpy arrays and Keras's names. The package's README.md documents it."""

from . import callbacks, layers, losses, metrics, optimizers
from ._library import (BusyError, ChecksumError, FormatError, InternalError, InvalidArgumentError, IoError, MnistError,
                       NetworkError, NotFoundError, OutOfMemoryError, ShapeError, StateError, UnsupportedError, lib, string)
from .data import Dataset, load_data
from .layers import Input
from .models import History, Model, Sequential, load_model, model_from_json

__version__ = string(lib.mnist_version())
__all__ = ["BusyError", "ChecksumError", "Dataset", "FormatError", "History", "Input", "InternalError", "InvalidArgumentError",
           "IoError", "MnistError", "Model", "NetworkError", "NotFoundError", "OutOfMemoryError", "Sequential", "ShapeError",
           "StateError", "UnsupportedError", "callbacks", "layers", "load_data", "load_model", "losses", "metrics", "model_from_json",
           "optimizers"]
