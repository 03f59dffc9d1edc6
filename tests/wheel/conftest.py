"""Fixtures: a part of MNIST, and a network that learns it in a second."""

import signal

import libmnist as lm
import numpy as np
import pytest


@pytest.fixture(scope="session")
def digits():
    (x, y), (x_test, y_test) = lm.load_data()
    return x[:640], y[:640].astype(np.int64), x_test[:200], y_test[:200].astype(np.int64)


def network(seed=1):
    x = inputs = lm.Input((28, 28, 1))
    for layer in (lm.layers.Rescaling(1 / 255), lm.layers.Conv2D(4, 3, strides=2, activation="relu"), lm.layers.Flatten(),
                  lm.layers.Dense(10, activation="softmax")):
        x = layer(x)
    return lm.Model(inputs, x, seed=seed)


@pytest.fixture(autouse=True)
def ctrl_c():
    """Python's handler of SIGINT, also if the tests are run in the background, where a shell disables SIGINT."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def model():
    model = network()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model
