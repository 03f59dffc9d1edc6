#!/usr/bin/env python3
"""Shows test digits in the terminal with their predicted probabilities: predict.c, from Python with ctypes.

    predict.py [WEIGHTS [DATA [FIRST [COUNT]]]]

The library is loaded from build/, where the Makefile puts it; the environment variable MNIST_LIBRARY names another one."""

import ctypes
import os
import sys
from pathlib import Path

SIDE, CLASSES, BAR = 28, 10, 40
RELU, SOFTMAX = 1, 2
OK = 0

HERE = Path(__file__).resolve().parent
NAME = "libmnist.dylib" if sys.platform == "darwin" else "libmnist.so"
lib = ctypes.CDLL(os.environ.get("MNIST_LIBRARY", str(HERE / "build" / NAME)))

pointer, text, size = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t
for name, result, arguments in [
    ("mnist_error_new", pointer, []),
    ("mnist_error_message", text, [pointer]),
    ("mnist_status_name", text, [ctypes.c_int32]),
    ("mnist_graph_new", pointer, []),
    ("mnist_graph_free", None, [pointer]),
    ("mnist_input", pointer, [pointer, size, size, size]),
    ("mnist_conv2d", pointer, [pointer, size, size, ctypes.c_uint32]),
    ("mnist_flatten", pointer, [pointer]),
    ("mnist_dense", pointer, [pointer, size, ctypes.c_uint32]),
    ("mnist_model_new", ctypes.c_int32, [pointer, pointer, text, pointer, pointer]),
    ("mnist_model_load_weights", ctypes.c_int32, [pointer, text, pointer]),
    ("mnist_model_predict", ctypes.c_int32, [pointer, pointer, size, pointer, size, pointer]),
    ("mnist_model_free", None, [pointer]),
    ("mnist_load_data", ctypes.c_int32, [text, pointer, pointer, pointer]),
    ("mnist_dataset_normalize", ctypes.c_int32, [pointer, ctypes.c_float, pointer]),
    ("mnist_dataset_image", ctypes.c_int32, [pointer, size, pointer, size, pointer, pointer]),
    ("mnist_dataset_free", None, [pointer]),
]:
    function = getattr(lib, name)
    function.restype, function.argtypes = result, arguments

error = lib.mnist_error_new()


class MnistError(Exception):
    """A call that failed."""


def check(status):
    if status != OK:
        raise MnistError(f"{lib.mnist_status_name(status).decode()}: {lib.mnist_error_message(error).decode()}")


def load(weights):
    """The tutorial's network with weights from a file."""
    model, graph = pointer(), lib.mnist_graph_new()
    first = lib.mnist_input(graph, SIDE, SIDE, 1)
    x = lib.mnist_conv2d(first, 32, 3, RELU)
    x = lib.mnist_conv2d(x, 64, 3, RELU)
    x = lib.mnist_flatten(x)
    x = lib.mnist_dense(x, 128, RELU)
    x = lib.mnist_dense(x, CLASSES, SOFTMAX)
    check(lib.mnist_model_new(first, x, None, ctypes.byref(model), error))
    lib.mnist_graph_free(graph)
    check(lib.mnist_model_load_weights(model, weights.encode(), error))
    return model


def single(value):
    """A double rounded to single precision, so that it prints as in C."""
    return ctypes.c_float(value).value


def print_digit(pixels):
    ink = " .:-=+*#%@"
    for y in range(0, SIDE, 2):
        pairs = zip(pixels[y * SIDE:(y + 1) * SIDE], pixels[(y + 1) * SIDE:(y + 2) * SIDE])
        print("".join(ink[int(single(single(max(pair) * 9) + 0.5))] for pair in pairs))


def print_bars(probabilities, label):
    best = probabilities.index(max(probabilities))
    for digit, p in enumerate(probabilities):
        print(f"{digit} {single(p * 100):6.2f}% {'#' * int(single(single(p * BAR) + 0.5))}")
    print(f"it says {best}, the label is {label}{'' if best == label else '  <-- wrong'}\n")


def main():
    defaults = ["mnist.safetensors", "data/mnist.npz", "0", "3"]
    weights, path, first, count = sys.argv[1:] + defaults[len(sys.argv) - 1:]
    model, train, test = load(weights), pointer(), pointer()
    check(lib.mnist_load_data(path.encode(), ctypes.byref(train), ctypes.byref(test), error))
    check(lib.mnist_dataset_normalize(test, 255.0, error))
    for i in range(int(first), int(first) + int(count)):
        pixels, probabilities = (ctypes.c_float * (SIDE * SIDE))(), (ctypes.c_float * CLASSES)()
        label = ctypes.c_uint32()
        check(lib.mnist_dataset_image(test, i, pixels, SIDE * SIDE, ctypes.byref(label), error))
        check(lib.mnist_model_predict(model, pixels, 1, probabilities, CLASSES, error))
        print(f"test image {i}")
        print_digit(list(pixels))
        print_bars(list(probabilities), label.value)
    lib.mnist_model_free(model)
    lib.mnist_dataset_free(train)
    lib.mnist_dataset_free(test)


if __name__ == "__main__":
    try:
        main()
    except MnistError as failure:
        sys.exit(f"predict.py: {failure}")
