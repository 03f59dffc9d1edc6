"""Compares the package with Keras: the same program with the same weights gives the same numbers; both read the other's files;
positional arguments are the same; Keras's own objects are accepted.  with_keras.py [NETWORKS]"""

import inspect
import sys
import tempfile
from pathlib import Path

from draw import Drawn
from keras_side import keras, np, optimizer, train

import libmnist as lm

NEAR = 1e-4


def near(what, found, expected):
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    off = np.abs(found - expected).max(initial=0) / max(1.0, np.abs(expected).max(initial=0))
    assert found.shape == expected.shape and off <= NEAR, f"{what}: off by {off:.1e}, {found.shape} and {expected.shape}"
    return off


def same_weights(what, model, keras_model):
    worst = 0.0
    for name, found, expected in zip(model.weights, model.get_weights(), keras_model.get_weights(), strict=True):
        worst = max(worst, near(f"{what}: {name}", found, expected))
    return worst


class Losses(lm.callbacks.Callback):
    """The loss of each batch, computed from the running mean."""

    def __init__(self, batch, samples):
        self.batch, self.samples, self.sums, self.losses = batch, samples, [0.0], []

    def on_train_batch_end(self, batch, logs=None):
        seen = min((batch + 1) * self.batch, self.samples)
        self.sums.append(logs["loss"] * seen)
        self.losses.append((self.sums[-1] - self.sums[-2]) / (seen - batch * self.batch))


def program(k):
    """`k` is keras or libmnist."""
    inputs = k.Input((12, 12, 1))
    x = k.layers.Conv2D(6, 3, padding="same", activation="gelu", use_bias=False, kernel_initializer="he_normal", kernel_regularizer="l2")(inputs)
    x = k.layers.BatchNormalization(momentum=0.9)(x)
    y = k.layers.DepthwiseConv2D(3, padding="same")(x)
    x = k.layers.Add()([x, y])
    x = k.layers.AveragePooling2D(2)(x)
    x = k.layers.SeparableConv2D(8, 3, activation="tanh")(x)
    x = k.layers.Concatenate()([k.layers.Flatten()(x), k.layers.GlobalAveragePooling2D()(x)])
    x = k.layers.Dropout(0.0)(x)
    model = k.Model(inputs, k.layers.Dense(5, activation="softmax")(x))
    model.compile(k.optimizers.Adam(0.003, epsilon=1e-4), k.losses.SparseCategoricalCrossentropy(), metrics=["accuracy"])
    return model


def the_same_program():
    keras.utils.set_random_seed(0)  # the same network in every run
    random = np.random.default_rng(0)
    x, y = random.normal(size=(130, 12, 12, 1)).astype(np.float32), random.integers(0, 5, 130)
    beside, model = program(keras), program(lm)
    assert model.count_params() == beside.count_params()
    assert model.input_shape == beside.input_shape and model.output_shape == beside.output_shape
    model.set_weights(beside.get_weights())
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), beside.get_weights(), strict=True))
    near("predictions", model.predict(x), beside.predict(x, verbose=0))
    for epochs in (1, 2):
        a = model.fit(x, y, batch_size=16, epochs=epochs, shuffle=False, verbose=0, validation_split=0.2)
        b = beside.fit(x, y, batch_size=16, epochs=epochs, shuffle=False, verbose=0, validation_split=0.2)
        assert sorted(a.history) == sorted(b.history) and a.epoch == b.epoch
        for name in a.history:
            near(name, a.history[name], b.history[name])
    worst = same_weights("after three epochs", model, beside)
    near("evaluate", model.evaluate(x, y, verbose=0), beside.evaluate(x, y, verbose=0))
    weights = random.uniform(size=130)
    model.fit(x, y, shuffle=False, verbose=0, sample_weight=weights), beside.fit(x, y, shuffle=False, verbose=0, sample_weight=weights)
    model.fit(x, y, shuffle=False, verbose=0, class_weight={1: 3.0}), beside.fit(x, y, shuffle=False, verbose=0, class_weight={0: 1, 1: 3.0, 2: 1, 3: 1, 4: 1})
    worst = max(worst, same_weights("after weighted fits", model, beside))
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        model.save(folder / "a.keras")
        there = keras.models.load_model(folder / "a.keras")
        assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), there.get_weights(), strict=True))
        there.fit(x, y, shuffle=False, verbose=0)
        there.save(folder / "b.keras")
        there.save_weights(folder / "c.weights.h5")
        back = lm.load_model(folder / "b.keras")
        weights_alone = program(lm)
        weights_alone.load_weights(folder / "c.weights.h5")
        model.fit(x, y, shuffle=False, verbose=0)
        worst = max(worst, same_weights("went on in Keras", model, there))
        for other in (back, weights_alone):
            assert all(np.array_equal(a, b) for a, b in zip(other.get_weights(), there.get_weights(), strict=True))
        near("read back", back.predict(x), there.predict(x, verbose=0))
    print(f"the same program: numbers within {worst:.1e}, files read both ways")


def random_networks(count):
    compared = 0
    for seed in range(count):
        drawn = Drawn([seed])
        model = lm.model_from_json(drawn.network.to_json())
        order = list(drawn.weights)
        assert list(model.weights) == order, f"seed {seed}: {list(model.weights)}, {order}"
        model.set_weights(list(drawn.weights.values()))
        near(f"seed {seed}: predictions", model.predict(drawn.x), drawn.network.predict(drawn.x, verbose=0))
        if drawn.inference:
            continue
        losses, log = train(drawn.network, optimizer(drawn.optimizer), drawn.x, drawn.labels, drawn.batch, steps=2), Losses(drawn.batch, len(drawn.x))
        model.compile(keras.optimizers.deserialize(drawn.optimizer))
        model.fit(drawn.x, drawn.labels, drawn.batch, shuffle=False, verbose=0, steps_per_epoch=2, callbacks=[log])
        near(f"seed {seed}: losses", log.losses, losses)
        compared += 1
    assert compared >= count // 2
    print(f"{count} random networks predict the same, {compared} of them train the same")


def positions():
    """Positional arguments are those of Keras."""
    tried = 0
    homes = [(lm.layers, keras.layers), (lm.losses, keras.losses), (lm.metrics, keras.metrics), (lm.callbacks, keras.callbacks),
             (lm.optimizers, keras.optimizers), (lm.optimizers, keras.optimizers.schedules)]
    for ours, theirs in homes:
        for name, kind in vars(ours).items():
            if isinstance(kind, type) and hasattr(kind, "positional") and hasattr(theirs, name):
                expected = [each.name for each in inspect.signature(getattr(theirs, name)).parameters.values()]
                assert list(kind.positional) == expected[:len(kind.positional)], f"{name}: {kind.positional}, {expected}"
                tried += 1
    for name in ("fit", "evaluate", "predict", "compile", "save", "save_weights", "load_weights", "set_weights", "summary"):
        ours, theirs = (list(inspect.signature(getattr(kind, name)).parameters.items())[1:] for kind in (lm.Model, keras.Model))
        by_position = [own for own, each in ours if each.kind == each.POSITIONAL_OR_KEYWORD]
        assert by_position == [other for other, _ in theirs][:len(by_position)], f"{name}: {by_position}"
    assert tried > 100, tried
    print(f"{tried} classes and the methods have Keras's positional arguments")


def keras_objects():
    """Keras's own optimizer, schedule, loss, metric, initializer, regularizer and callback."""
    random = np.random.default_rng(0)
    x, y = random.normal(size=(64, 4)), random.integers(0, 2, 64)
    seen = []
    model = lm.Sequential([lm.Input((4,)), lm.layers.Dense(1, "sigmoid", kernel_initializer=keras.initializers.HeNormal(seed=1),
                                                            kernel_regularizer=keras.regularizers.L2(0.01))])
    model.compile(keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 100)), keras.losses.BinaryCrossentropy(),
                  metrics=[keras.metrics.BinaryAccuracy(), keras.metrics.AUC()])
    model.fit(x, y, epochs=2, verbose=0, callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append((epoch, sorted(logs))))])
    assert seen == [(epoch, ["auc", "binary_accuracy", "loss"]) for epoch in (0, 1)], seen
    print("Keras's own objects are taken")


positions()
keras_objects()
the_same_program()
random_networks(int(sys.argv[1]) if len(sys.argv) > 1 else 8)
