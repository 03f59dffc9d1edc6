"""Models: construction, training, prediction, files."""

import copy
import json
import pickle
import re

import libmnist as lm
import numpy as np
import pytest
from conftest import network


def test_mnist_is_what_keras_gives():
    (x_train, y_train), (x_test, y_test) = lm.load_data()
    assert x_train.shape == (60000, 28, 28) and x_test.shape == (10000, 28, 28)
    assert {a.dtype for a in (x_train, y_train, x_test, y_test)} == {np.dtype(np.uint8)}
    assert y_train[:5].tolist() == [5, 0, 4, 1, 9] and y_test[:5].tolist() == [7, 2, 1, 0, 4]
    assert x_train.astype(np.int64).sum() == 1567298545


def test_a_fit_learns(model, digits):
    x, y, x_test, y_test = digits
    model.learning_rate = 0.005
    history = model.fit(x, y, epochs=4, validation_data=(x_test, y_test), verbose=0)
    assert history.epoch == [0, 1, 2, 3] and history.stop_reason is None and not history.diverged
    assert list(history.history) == ["loss", "accuracy", "val_loss", "val_accuracy"]
    loss = history.history["loss"]
    assert len(loss) == 4 and loss[3] < loss[0] / 2
    found = model.evaluate(x_test, y_test, verbose=0)
    assert found == [history.history["val_loss"][-1], history.history["val_accuracy"][-1]] and found[1] > 0.75
    assert model.evaluate(x_test, y_test, return_dict=True, verbose=0) == {"loss": found[0], "accuracy": found[1]}
    probabilities = model.predict(x_test)
    assert probabilities.shape == (200, 10) and probabilities.dtype == np.float32
    assert (probabilities.argmax(axis=1) == y_test).mean() == pytest.approx(found[1])


def test_the_same_bits_with_any_number_of_threads(digits):
    x, y, _, _ = digits
    found = []
    for threads in (1, 2, 3):
        model = network(seed=7)
        model.set_threads(threads)
        model.compile()
        model.fit(x, y, seed=3, verbose=0)
        found.append(model.to_bytes())
    assert found[0] == found[1] == found[2]
    other = network(seed=8)
    assert not np.array_equal(other.get_weights()[0], network(seed=7).get_weights()[0])


def test_numpys_types_give_the_same_weights(digits):
    x, y, _, _ = digits
    wide = np.zeros((640, 28, 56), np.float32)
    wide[:, :, ::2] = x
    forms = [x, x.astype(np.float32), x.astype(np.float64), x.astype(">f8"), x.astype(np.int16), x.astype(np.float16),
             np.asfortranarray(x), wide[:, :, ::2], x[..., None], x.astype(np.longdouble)]
    found = set()
    for form in forms:
        model = network()
        model.compile()
        model.fit(form, y, verbose=0)
        found.add(model.to_bytes())
    assert len(found) == 1
    labels = {network_after(x, labels) for labels in (y, y.astype(np.uint8), y.astype(">i4"), y[:, None], y.tolist())}
    assert len(labels) == 1


def network_after(x, y):
    model = network()
    model.compile()
    model.fit(x, y, verbose=0)
    return model.to_bytes()


def test_lists_and_bools():
    model = lm.Sequential([lm.Input([2]), lm.layers.Dense(1, activation="sigmoid")])
    model.compile(lm.optimizers.SGD(1.0), "binary_crossentropy", metrics=["accuracy"])
    x, y = [[0, 1], [1, 0]], [True, False]
    model.fit(x, y, epochs=50, verbose=0, shuffle=False)
    assert (model.predict([[0, 1], [1, 0]])[:, 0] > 0.5).tolist() == y


def test_a_regression_has_one_number():
    x = np.linspace(-1, 1, 64)[:, None]
    model = lm.Sequential([lm.Input((1,)), lm.layers.Dense(1)])
    model.compile(lm.optimizers.SGD(0.3), loss="mse")
    model.fit(x, 3 * x[:, 0] + 1, epochs=60, verbose=0)
    assert isinstance(model.evaluate(x, 3 * x + 1, verbose=0), float)
    assert np.allclose(model.predict([[2.0]]), 7, atol=0.01)


def test_metrics_have_kerass_names(model, digits):
    x, y, x_test, y_test = digits
    model.compile(lm.optimizers.AdamW(lm.optimizers.CosineDecay(0.01, 100), weight_decay=0.01),
                  lm.losses.SparseCategoricalCrossentropy(),
                  metrics=["accuracy", lm.metrics.SparseTopKCategoricalAccuracy(k=3, name="top3"), lm.metrics.SparseCategoricalCrossentropy()])
    found = model.fit(x, y, verbose=0, validation_split=0.25).history
    names = ["loss", "accuracy", "top3", "sparse_categorical_crossentropy"]
    assert list(found) == names + ["val_" + name for name in names]
    assert list(model.evaluate(x_test, y_test, verbose=0, return_dict=True)) == names


def named_in(call):
    """The class names that the message for an unknown name lists."""
    with pytest.raises(lm.UnsupportedError) as raised:
        call()
    return {name for name in re.findall(r"\w+", str(raised.value).partition("expected")[2].partition(", found")[0]) if name[0].isupper()}


def names_of(module, base):
    return {name for name, kind in vars(module).items() if isinstance(kind, type) and issubclass(kind, base) and kind is not base}


def test_the_package_has_every_class_of_the_library(model, digits):
    x, y, _, _ = digits
    unknown = {"class_name": "Xyz", "config": {}}
    xyz = lambda base: type("Xyz", (base,), {})()  # noqa: E731
    layers = named_in(lambda: xyz(lm.layers.Layer)(lm.Input((2,)))) - {"InputLayer"}  # the message is cut off after 40 names
    assert len(layers) > 30 and layers <= names_of(lm.layers, lm.layers.Layer)
    schedules = named_in(lambda: model.compile(lm.optimizers.SGD(unknown)))
    assert named_in(lambda: model.compile(unknown)) | schedules == names_of(lm.optimizers, lm.optimizers.Optimizer)
    assert named_in(lambda: model.compile(loss=unknown)) == names_of(lm.losses, lm.losses.Loss)
    assert named_in(lambda: model.compile(metrics=[unknown])) == names_of(lm.metrics, lm.losses.Loss)
    callbacks = named_in(lambda: model.fit(x, y, callbacks=[xyz(lm.callbacks.LibraryCallback)]))
    assert callbacks == names_of(lm.callbacks, lm.callbacks.LibraryCallback)


def test_the_library_has_every_class_of_the_package():
    x = {1: lm.Input((6,)), 2: lm.Input((8, 6)), 3: lm.Input((8, 8, 6))}
    needs = {"Cropping2D": (1,), "Dense": (3,), "DepthwiseConv2D": (3,), "Dropout": (0.5,), "SpatialDropout2D": (0.5,), "GaussianNoise": (0.1,),
             "GroupNormalization": (2,), "Permute": ((2, 1, 3),), "Reshape": ((64, 6),), "Activation": ("relu",), "Rescaling": (0.5,),
             "RandomTranslation": (0.1, 0.1), "RandomZoom": (0.1,), "Normalization": ()}
    tried = 0
    for name, kind in vars(lm.layers).items():
        if isinstance(kind, type) and issubclass(kind, lm.layers.Layer) and kind is not lm.layers.Layer:
            if kind.__name__ in ("Add", "Average", "Concatenate", "Maximum", "Minimum", "Multiply", "Subtract"):
                tensor = kind()([x[3], x[3]])
            else:
                given = needs.get(name, (2, 3) if name.startswith(("Conv", "Separable")) else (0.1,) if kind.positional == ("factor",) else ())
                extra = {"mean": 0.5, "variance": 2.0} if name == "Normalization" else {}
                tensor = kind(*given, **extra)(x[2 if "1D" in name else 3])
            assert kind.__name__ == name and tensor.shape[0] is None and len(tensor.shape) >= 2
            tried += 1
    assert tried == 49, tried
    model = lm.Sequential([lm.Input((6,)), lm.layers.Dense(8, "softmax")])
    optimizers = [kind for kind in vars(lm.optimizers).values() if isinstance(kind, type) and kind.positional == ("learning_rate",)]
    for kind in optimizers:
        model.compile(kind(0.01))
        assert model.learning_rate == pytest.approx(0.01)
    schedules = [lm.optimizers.CosineDecay(0.1, 10), lm.optimizers.PolynomialDecay(0.1, 10), lm.optimizers.CosineDecayRestarts(0.1, 10),
                 lm.optimizers.ExponentialDecay(0.1, 10, 0.9), lm.optimizers.InverseTimeDecay(0.1, 10, 0.9),
                 lm.optimizers.PiecewiseConstantDecay([10], [0.1, 0.01])]
    for schedule in schedules:
        model.compile(lm.optimizers.SGD(schedule))
        assert model.learning_rate == pytest.approx(0.1)
    losses = [kind for kind in vars(lm.losses).values() if isinstance(kind, type) and kind.__module__ == "libmnist.losses" and kind is not lm.losses.Loss]
    metrics = [kind for kind in vars(lm.metrics).values() if isinstance(kind, type) and issubclass(kind, lm.losses.Loss) and kind is not lm.losses.Loss]
    assert (len(optimizers), len(losses), len(metrics)) == (10, 17, 33)
    for kind in metrics:
        needs_labels = kind.__name__.startswith("Sparse")
        model.compile("sgd", "sparse_categorical_crossentropy" if needs_labels else "categorical_crossentropy",
                      metrics=[kind(average="macro") if kind.__name__ in ("F1Score", "FBetaScore") else kind()])
    for kind in losses:
        model.compile("sgd", kind())


def test_the_network_reads_as_keras_has_it(model, capsys):
    assert model.input_shape == (None, 28, 28, 1) and model.output_shape == (None, 10)
    assert model.layers == ["input_1", "rescaling", "conv2d", "flatten", "dense"]
    assert model.count_params() == sum(w.size for w in model.get_weights()) == 4 * 10 + 13 * 13 * 4 * 10 + 10
    model.summary()
    said = capsys.readouterr().out
    assert "conv2d (Conv2D)" in said and "6,810" in said
    lines = []
    model.summary(print_fn=lines.append)
    assert "".join(lines) in said
    config = json.loads(model.to_json())
    assert config["class_name"] == "Functional"
    again = lm.model_from_json(model.to_json(), seed=1)
    assert all(np.array_equal(a, b) for a, b in zip(again.get_weights(), model.get_weights()))
    assert repr(model) == "<Model (None, 28, 28, 1) -> (None, 10), 6,810 parameters>"


def test_branches():
    inputs = lm.Input((8, 8, 3))
    x = lm.layers.Conv2D(4, 3, padding="same")(inputs)
    y = lm.layers.Add()([x, lm.layers.Conv2D(4, 1, name="shortcut")(inputs)])
    assert x.shape == y.shape == (None, 8, 8, 4)
    model = lm.Model(inputs, lm.layers.GlobalAveragePooling2D()(lm.layers.Concatenate()([x, y])), name="branches")
    assert model.output_shape == (None, 8) and "shortcut" in model.layers
    assert model.predict(np.zeros((2, 8, 8, 3))).tolist() == np.zeros((2, 8)).tolist()


def test_a_wrong_layer_leaves_its_inputs_good():
    inputs = lm.Input((8, 8, 1))
    with pytest.raises(lm.UnsupportedError, match="filter"):
        lm.layers.Conv2D(filter=3)(inputs)
    with pytest.raises(lm.ShapeError, match="kernel"):
        lm.layers.Conv2D(3, 9)(inputs)
    assert lm.layers.Conv2D(3, 3)(inputs).shape == (None, 6, 6, 3)


def test_weights_in_and_out(model, digits):
    x_test = digits[2]
    assert list(model.weights) == ["conv2d/kernel", "conv2d/bias", "dense/kernel", "dense/bias"]
    weights = [np.full_like(w, i) for i, w in enumerate(model.get_weights())]
    model.set_weights(weights)
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), weights))
    assert all(np.array_equal(a, b) for a, b in zip(model.weights.values(), weights))
    before = model.get_weights()
    for wrong in (weights[:-1], [*weights[:-1], np.zeros(11)], [*weights[:-1], ["a"]], None):
        with pytest.raises((ValueError, TypeError)):
            model.set_weights(wrong)
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), before))
    model.get_weights()[0][:] = 5  # a copy
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), before))
    assert model.predict(x_test).shape == (200, 10)


def test_files(model, digits, tmp_path):
    x, y, x_test, _ = digits
    model.fit(x, y, verbose=0)
    expected = model.predict(x_test)
    for name in ("digits.keras", "digits.mnist", "digits.safetensors"):
        model.save(tmp_path / name)
        loaded = lm.load_model(tmp_path / name)
        assert np.array_equal(loaded.predict(x_test), expected)
        loaded.fit(x, y, verbose=0)  # as it was compiled
    for again in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model), lm.Model.from_bytes(model.to_bytes())):
        assert np.array_equal(again.predict(x_test), expected)
    model.save(str(tmp_path / "digits.onnx"))
    assert np.allclose(lm.load_model(tmp_path / "digits.onnx").predict(x_test), expected, atol=1e-6)
    model.save(tmp_path / "digits.c", prefix="digits")
    assert "digits_predict" in (tmp_path / "digits.c").read_text()
    model.save_weights(tmp_path / "weights.safetensors")
    other = network(seed=9)
    other.load_weights(tmp_path / "weights.safetensors")
    assert np.array_equal(other.predict(x_test), expected)
    other = network(seed=9)
    other.load_weights(tmp_path / "digits.keras")
    assert np.array_equal(other.predict(x_test), expected)
    for call, name in ((model.save, "a.h5"), (model.save_weights, "a.weights.h5")):
        with pytest.raises(ValueError, match="path"):
            call(tmp_path / name)
        assert not (tmp_path / name).exists()


def test_a_fit_that_was_stopped_goes_on_to_the_same_bits(digits, tmp_path):
    x, y, _, _ = digits
    whole = network()
    whole.compile()
    expected = whole.fit(x, y, epochs=3, verbose=0).history
    first = network()
    first.compile()
    first.fit(x, y, epochs=1, verbose=0, checkpoint_path=tmp_path / "state")
    second = network(seed=99)
    second.compile()
    found = second.fit(x, y, epochs=3, verbose=0, checkpoint_path=tmp_path / "state", resume=True)
    assert found.history == expected and [*second.weights] == [*whole.weights]
    assert all(np.array_equal(a, b) for a, b in zip(second.get_weights(), whole.get_weights()))


def test_frozen_layers_stay(model, digits):
    x, y, _, _ = digits
    before = model.weights
    model.set_trainable(False, "conv2d")
    model.fit(x, y, verbose=0)
    after = model.weights
    assert np.array_equal(before["conv2d/kernel"], after["conv2d/kernel"])
    assert not np.array_equal(before["dense/kernel"], after["dense/kernel"])
    with pytest.raises(lm.NotFoundError, match="conv3d"):
        model.set_trainable(False, "conv3d")


def test_class_and_sample_weights(digits):
    x, y, x_test, y_test = digits
    only_ones = network()
    only_ones.compile("adam", metrics=["accuracy"])
    only_ones.fit(x, y, epochs=3, verbose=0, class_weight={label: 0.0 for label in range(10) if label != 1})
    assert (only_ones.predict(x_test).argmax(axis=1) == 1).mean() > 0.9
    by_sample = network()
    by_sample.compile("adam")
    by_sample.fit(x, y, epochs=3, verbose=0, sample_weight=(y == 1).astype(float))
    assert (by_sample.predict(x_test).argmax(axis=1) == 1).mean() > 0.9
    with pytest.raises(ValueError, match="classes from 0 to 9"):
        only_ones.fit(x, y, verbose=0, class_weight={10: 2.0})


def test_what_diverges_is_told(digits):
    x, y, _, _ = digits
    model = network()
    model.compile(lm.optimizers.SGD(1e30))
    with pytest.warns(RuntimeWarning, match="expected a finite number"):
        history = model.fit(x, y, epochs=3, verbose=0)
    assert history.diverged and "finite" in history.stop_reason
    assert all(np.isfinite(w).all() for w in model.get_weights())
