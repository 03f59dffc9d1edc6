"""Datasets that are loaded on request, and invalid arguments of every kind."""

import libmnist as lm
import numpy as np
import pytest
from conftest import network


def source(x, y, **more):
    return lm.Dataset.from_source(lambda numbers: (x[numbers], y[numbers]), len(x), x.shape[1:], **more)


def test_a_source_gives_the_bits_of_the_same_samples_in_memory(digits):
    x, y, x_test, y_test = digits
    found = []
    for data, prefetch in ((lm.Dataset(x, y), 0), (source(x, y), 0), (source(x, y), 3)):
        model = network()
        model.compile(metrics=["accuracy"])
        history = model.fit(data, epochs=2, validation_split=0.25, prefetch=prefetch, verbose=0).history
        weights = [values.tobytes() for values in model.get_weights()]
        found.append((weights, history, model.evaluate(source(x_test, y_test), verbose=0)))
        assert np.array_equal(model.predict(source(x_test, y_test)), model.predict(x_test))
    assert found[0] == found[1] == found[2]


def test_a_source_of_targets():
    x = np.linspace(-1, 1, 96, dtype=np.float32)[:, None]
    model = lm.Sequential([lm.Input((1,)), lm.layers.Dense(2)])
    model.compile(lm.optimizers.SGD(0.3), loss="mse")
    model.fit(source(x, np.hstack([x + 1, -x]), target_len=2), epochs=60, verbose=0)
    assert np.allclose(model.predict([[2.0]]), [[3, -2]], atol=0.01)


def test_a_source_of_an_identity_is_resumed(digits, tmp_path):
    x, y, _, _ = digits
    model = network()
    model.compile()
    model.fit(source(x, y, identity="digits"), verbose=0, checkpoint_path=tmp_path / "state")
    model.fit(source(x, y, identity="digits"), epochs=2, verbose=0, checkpoint_path=tmp_path / "state", resume=True)
    for other in ("others", None):
        with pytest.raises(lm.InvalidArgumentError, match="fingerprint|identity"):
            model.fit(source(x, y, identity=other), epochs=3, verbose=0, checkpoint_path=tmp_path / "state", resume=True)


@pytest.mark.parametrize("prefetch", [0, 2])
@pytest.mark.parametrize("fetch, error", [
    (lambda n: 1 / 0, ZeroDivisionError),
    (lambda n: None, TypeError),
    (lambda n: (np.zeros((len(n), 28, 28)),), ValueError),
    (lambda n: (np.zeros((len(n), 28, 27)), n), ValueError),
    (lambda n: (np.zeros((len(n) + 1, 28, 28)), n), ValueError),
    (lambda n: (np.zeros((len(n), 28, 28)), n[:, None]), ValueError),
    (lambda n: (np.zeros((len(n), 28, 28)), n * 0.5), ValueError),
    (lambda n: (np.zeros((len(n), 28, 28)), n.astype(int) - 1000), ValueError),
    (lambda n: (np.zeros((len(n), 28, 28)), n + 2**33), ValueError),
    (lambda n: (np.zeros((len(n), 28, 28)), n * 0 + 10), lm.InvalidArgumentError),
    (lambda n: (np.full((len(n), 28, 28), np.nan), n * 0), lm.InvalidArgumentError),
    (lambda n: (np.full((len(n), 28, 28), "a"), n), TypeError),
    (lambda n: exec("raise SystemExit(3)"), SystemExit),
])
def test_what_a_source_does_wrong_comes_out_of_the_call(fetch, error, prefetch):
    data = lm.Dataset.from_source(fetch, 100, (28, 28))
    model = network()
    model.compile()
    before = model.get_weights()
    for _ in range(2):
        with pytest.raises(error):
            model.fit(data, verbose=0, prefetch=prefetch)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights()))
    if error is not lm.InvalidArgumentError:
        with pytest.raises(error):
            model.predict(data)


X, Y = np.zeros((4, 28, 28), np.uint8), np.arange(4)
GOOD = lm.Sequential([lm.Input((28, 28, 1)), lm.layers.Flatten(), lm.layers.Dense(10, activation="softmax")])
GOOD.compile("adam", metrics=["accuracy"])
FRESH = lm.Sequential([lm.Input((2,)), lm.layers.Dense(1)])
EMPTY = lm.Model.__new__(lm.Model)
BARE = lm.Dataset.__new__(lm.Dataset)
HUGE = 10**30


@pytest.mark.parametrize("call", [
    # what is no array of numbers
    lambda: lm.Dataset(np.array([object()] * 4)), lambda: lm.Dataset(np.array(["a"] * 4)), lambda: lm.Dataset(np.array([1j, 2j])),
    lambda: lm.Dataset(np.array(["2020-01-01"], "datetime64[D]")), lambda: lm.Dataset(np.zeros(4, [("a", int)])), lambda: lm.Dataset(None),
    lambda: lm.Dataset([[1, 2], [3]]), lambda: lm.Dataset("digits"), lambda: lm.Dataset(b"digits"), lambda: lm.Dataset({1: 2}),
    lambda: lm.Dataset(X, np.array([None] * 4)), lambda: lm.Dataset(X, Y, "a"), lambda: lm.Dataset(lm.Dataset(X)),
    # shapes
    lambda: lm.Dataset(np.float32(3)), lambda: lm.Dataset(np.zeros(4)), lambda: lm.Dataset(np.zeros((0, 28, 28))),
    lambda: lm.Dataset(np.zeros((4, 0, 28))), lambda: lm.Dataset(np.zeros((1,) * 5)), lambda: lm.Dataset(np.zeros((1,) * 30)),
    lambda: lm.Dataset(X, Y[:3]), lambda: lm.Dataset(X, np.zeros((3, 10))), lambda: lm.Dataset(X, Y, np.ones(3)),
    lambda: lm.Dataset(X, Y, -np.ones(4)), lambda: lm.Dataset(X, Y, np.full(4, np.nan)), lambda: lm.Dataset(X, Y - 1),
    lambda: lm.Dataset(X, Y + 2**40), lambda: lm.Dataset(X, Y, np.ones((4, 1, 1, 1, 1))),
    # samples that do not fit the model
    lambda: GOOD.fit(X[:, :27], Y, verbose=0), lambda: GOOD.fit(X, verbose=0), lambda: GOOD.fit(X, Y + 7, verbose=0),
    lambda: GOOD.fit(X, np.zeros((4, 10)), verbose=0), lambda: GOOD.fit(np.full((4, 28, 28), np.nan), Y, verbose=0),
    lambda: GOOD.fit(np.full((4, 28, 28), np.inf), Y, verbose=0), lambda: GOOD.fit(None, verbose=0), lambda: GOOD.fit(X[:0], Y[:0]),
    lambda: GOOD.predict(X[:, :27]), lambda: GOOD.predict(X.reshape(4, 784)), lambda: GOOD.predict(X[0]), lambda: GOOD.predict(X[:0]),
    lambda: GOOD.predict("a"), lambda: GOOD.predict(None), lambda: GOOD.evaluate(X, verbose=0), lambda: GOOD.evaluate(X, Y[:2], verbose=0),
    lambda: GOOD.evaluate(X, Y, batch_size=-1), lambda: GOOD.fit(lm.Dataset(X), Y, verbose=0),
    # options
    lambda: GOOD.fit(X, Y, verbose=0, batch_size=0), lambda: GOOD.fit(X, Y, verbose=0, batch_size=-1),
    lambda: GOOD.fit(X, Y, verbose=0, batch_size=HUGE), lambda: GOOD.fit(X, Y, verbose=0, batch_size=2.5),
    lambda: GOOD.fit(X, Y, verbose=0, epochs=0), lambda: GOOD.fit(X, Y, verbose=0, epochs=-1), lambda: GOOD.fit(X, Y, verbose=0, epochs="3"),
    lambda: GOOD.fit(X, Y, verbose=3), lambda: GOOD.fit(X, Y, verbose="much"), lambda: GOOD.fit(X, Y, verbose=None),
    lambda: GOOD.fit(X, Y, verbose=0, validation_split=1.0), lambda: GOOD.fit(X, Y, verbose=0, validation_split=float("nan")),
    lambda: GOOD.fit(X, Y, verbose=0, validation_split="half"), lambda: GOOD.fit(X, Y, verbose=0, validation_data=3),
    lambda: GOOD.fit(X, Y, verbose=0, validation_data=(X, Y, None, None)), lambda: GOOD.fit(X, Y, verbose=0, validation_data=(X[:, 1:], Y)),
    lambda: GOOD.fit(X, Y, verbose=0, validation_freq=0), lambda: GOOD.fit(X, Y, verbose=0, steps_per_epoch=-1),
    lambda: GOOD.fit(X, Y, verbose=0, seed=-1), lambda: GOOD.fit(X, Y, verbose=0, seed=HUGE), lambda: GOOD.fit(X, Y, verbose=0, prefetch=-1),
    lambda: GOOD.fit(X, Y, verbose=0, class_weight={0: -1.0}), lambda: GOOD.fit(X, Y, verbose=0, class_weight={"a": 1.0}),
    lambda: GOOD.fit(X, Y, verbose=0, class_weight={-1: 1.0}),
    lambda: GOOD.fit(X, Y, verbose=0, class_weight=[1.0]), lambda: GOOD.fit(X, Y, verbose=0, checkpoint_path="no/such/folder/file"),
    lambda: GOOD.fit(X, Y, verbose=0, checkpoint_path="a\0b"), lambda: GOOD.fit(X, Y, verbose=0, checkpoint_path=3),
    lambda: GOOD.fit(X, Y, verbose=0, checkpoint_seconds=float("nan"), checkpoint_path="state"), lambda: GOOD.set_threads(-1),
    lambda: GOOD.set_threads(100000), lambda: GOOD.compile("adam", "no_such_loss"), lambda: GOOD.compile("adamant"), lambda: GOOD.compile(None),
    lambda: GOOD.compile("adam", None), lambda: GOOD.compile("adam", metrics=["accurate"]), lambda: GOOD.compile("adam", metrics="accuracy"),
    lambda: GOOD.compile({"class_name": "Adam", "config": {"learning_rate": -1}}), lambda: GOOD.compile(lm.optimizers.Adam(learning_rat=1)),
    lambda: GOOD.compile(object()), lambda: setattr(GOOD, "learning_rate", "fast"), lambda: setattr(GOOD, "learning_rate", float("nan")),
    lambda: setattr(FRESH, "learning_rate", 1.0), lambda: FRESH.learning_rate, lambda: FRESH.fit(np.zeros((4, 2)), np.zeros(4), verbose=0),
    # networks
    lambda: lm.Input(()), lambda: lm.Input((28, 28, 1, 1)), lambda: lm.Input((0, 28, 1)), lambda: lm.Input((-1,)), lambda: lm.Input(28),
    lambda: lm.Input((None, 3)), lambda: lm.Input((2.5,)), lambda: lm.Input((HUGE,)), lambda: lm.Input("ab"),
    lambda: lm.layers.Dense(-1)(lm.Input((2,))), lambda: lm.layers.Dense(HUGE)(lm.Input((2,))), lambda: lm.layers.Dense(2)(X),
    lambda: lm.layers.Dense(2)([]), lambda: lm.layers.Dense(2)(None), lambda: lm.layers.Dense(2)([lm.Input((2,))] * 2),
    lambda: lm.layers.Add()(lm.Input((2,))), lambda: lm.layers.Add()([lm.Input((2,)), lm.Input((3,))]), lambda: lm.layers.Dense(2, 3, 4),
    lambda: lm.layers.Dense(2, units=3), lambda: lm.layers.Dense(2, activation=object())(lm.Input((2,))),
    lambda: lm.layers.Dens, lambda: lm.losses.MSE, lambda: lm.optimizers.Adman, lambda: lm.metrics.Accurate,
    lambda: lm.Model(lm.Input((2,)), lm.Input((2,))), lambda: lm.Model(lm.Input((2,)), 3), lambda: lm.Model(None, None),
    lambda: lm.Sequential([]), lambda: lm.Sequential([lm.layers.Dense(2)]), lambda: lm.Sequential([lm.Input((2,)), 3]),
    lambda: lm.Sequential([lm.Input((2,))], name="a\0b"), lambda: lm.Sequential([lm.Input((2,)), lm.layers.Dense(1)], seed=-1),
    lambda: (lambda d, x: lm.Model(x, d(d(x))))(lm.layers.Dense(2), lm.Input((2,))),
    # files
    lambda: lm.load_model("no such file"), lambda: lm.load_model("a\0b"), lambda: lm.load_model(3), lambda: lm.load_model(__file__),
    lambda: lm.load_model("/dev/null"), lambda: lm.load_data("no such file"), lambda: lm.load_data(__file__), lambda: lm.Model.from_bytes(b""),
    lambda: lm.Model.from_bytes(b"\x80" * 100), lambda: lm.Model.from_bytes(3), lambda: lm.Model.from_bytes("text"),
    lambda: GOOD.save("no/such/folder/a"), lambda: GOOD.save(""), lambda: GOOD.save("a\0b"), lambda: GOOD.save(None),
    lambda: GOOD.save("a.c", prefix="1 2"), lambda: GOOD.save("a.h5"), lambda: GOOD.save_weights("a.weights.h5"), lambda: GOOD.load_weights("no such file"), lambda: GOOD.load_weights(__file__),
    lambda: GOOD.load_weights(__file__, names={"a": "b"}), lambda: lm.model_from_json("{"), lambda: lm.model_from_json("[]"),
    lambda: lm.model_from_json('{"class_name": "Sequential", "config": {}}'), lambda: lm.model_from_json(None),
    # objects that nothing has made
    lambda: EMPTY.predict(X), lambda: EMPTY.fit(X, Y), lambda: EMPTY.save("a"), lambda: repr(EMPTY), lambda: len(BARE), lambda: GOOD.predict(BARE),
    lambda: lm.Dataset.from_source(None, 10, (28, 28), target_len=-1), lambda: lm.Dataset.from_source(len, -1, (28, 28)),
    lambda: lm.Dataset.from_source(len, 0, (28, 28)), lambda: lm.Dataset.from_source(len, HUGE, (28, 28)),
    lambda: lm.Dataset.from_source(len, 10, ()), lambda: lm.Dataset.from_source(len, 10, (1,) * 4), lambda: lm.Dataset.from_source(len, 10, 28),
    lambda: lm.Dataset.from_source(len, 10, (28, 28), identity="a\0b"),
    lambda: GOOD.predict(lm.Dataset.from_source(3, 10, (28, 28))), lambda: lm.callbacks.EarlyStopping("loss", monitor="loss"),
])
def test_what_is_wrong_is_an_exception(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Exception) as raised:
        call()
    assert str(raised.value) and not isinstance(raised.value, lm.InternalError), raised


def test_errors_are_of_pythons_kinds_too(tmp_path):
    for kind, other in ((lm.InvalidArgumentError, ValueError), (lm.NotFoundError, FileNotFoundError), (lm.IoError, OSError),
                        (lm.StateError, RuntimeError), (lm.OutOfMemoryError, MemoryError), (lm.NetworkError, ConnectionError)):
        assert issubclass(kind, lm.MnistError) and issubclass(kind, other)
    with pytest.raises(FileNotFoundError, match="^nothing.keras: "):
        lm.load_model("nothing.keras")
    with pytest.raises(lm.OutOfMemoryError, match="batch"):
        wide = lm.Sequential([lm.Input((28, 28, 1)), lm.layers.Conv2D(4096, 3), lm.layers.Flatten(), lm.layers.Dense(1)])
        wide.compile("sgd", "mse")
        wide.fit(lm.Dataset.from_source(lambda n: 1 / 0, 10**6, (28, 28)), batch_size=10**6, verbose=0)
    (tmp_path / "ü").mkdir()
    GOOD.save(tmp_path / "ü" / "ö.keras")
    assert lm.load_model(str(tmp_path / "ü" / "ö.keras")).count_params() == GOOD.count_params()
