"""Callbacks, and all ways to stop a fit."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import libmnist as lm
import numpy as np
import pytest
from conftest import network


class Log(lm.callbacks.Callback):
    def __init__(self):
        self.events = []

    def on_train_begin(self, logs=None):
        self.events.append(("train begin", None))

    def on_train_end(self, logs=None):
        self.events.append(("train end", logs))

    def on_epoch_begin(self, epoch, logs=None):
        self.events.append((f"epoch {epoch} begin", logs))

    def on_epoch_end(self, epoch, logs=None):
        self.events.append((f"epoch {epoch} end", logs))

    def on_train_batch_end(self, batch, logs=None):
        self.events.append((f"batch {batch} end", logs))


def test_what_is_called_when_and_with_what(model, digits):
    x, y, x_test, y_test = digits
    log = Log()
    history = model.fit(x, y, batch_size=320, epochs=2, validation_data=(x_test, y_test), verbose=0, callbacks=[log])
    assert [event for event, _ in log.events] == [
        "train begin", *(f"{event}" for epoch in (0, 1) for event in (f"epoch {epoch} begin", "batch 0 end", "batch 1 end", f"epoch {epoch} end")),
        "train end"]
    logs = dict(log.events)
    assert list(logs["batch 1 end"]) == ["loss", "accuracy"]
    for epoch in (0, 1):
        assert logs[f"epoch {epoch} end"] == {name: values[epoch] for name, values in history.history.items()}
    assert logs["train end"] == logs["epoch 1 end"]
    assert log.model is model and log.params["epochs"] == 2
    assert not hasattr(model, "_evaluated")


def test_a_callback_may_ask_the_model_and_set_its_learning_rate(model, digits):
    x, y, x_test, y_test = digits
    seen = []

    class Ask(lm.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append((self.model.evaluate(x_test, y_test, verbose=0), self.model.predict(x_test[:1]).sum(), self.model.learning_rate))

    model.fit(x, y, epochs=2, verbose=0, callbacks=[Ask(), lm.callbacks.LearningRateScheduler(lambda epoch, rate: 0.01 / (epoch + 1))])
    assert [rate for _, _, rate in seen] == pytest.approx([0.01, 0.005])
    assert seen[1][0][0] < seen[0][0][0] and seen[0][1] == pytest.approx(1)


def test_stop_training(model, digits):
    x, y, _, _ = digits

    class Stop(Log):
        def on_train_batch_end(self, batch, logs=None):
            super().on_train_batch_end(batch, logs)
            self.model.stop_training = batch == 2

    stop = Stop()
    history = model.fit(x, y, epochs=5, verbose=0, callbacks=[stop])
    assert [event for event, _ in stop.events][-2:] == ["batch 2 end", "train end"]
    assert history.epoch == [0] and "stopped" in history.stop_reason
    assert len(model.fit(x, y, epochs=2, verbose=0).epoch) == 2  # the next one is not stopped


def test_the_librarys_own_callbacks(model, digits, tmp_path):
    x, y, _, _ = digits
    history = model.fit(x, y, epochs=9, validation_split=0.2, verbose=0, callbacks=[
        lm.callbacks.EarlyStopping(monitor="loss", min_delta=100, patience=1),
        lm.callbacks.CSVLogger(tmp_path / "log.csv"),
        lm.callbacks.ModelCheckpoint(tmp_path / "best.safetensors", save_best_only=True), lm.callbacks.ReduceLROnPlateau(), Log()])
    assert history.stop_reason.startswith("EarlyStopping") and history.epoch == [0, 1]
    assert (tmp_path / "log.csv").read_text().startswith("epoch,accuracy,loss,")
    assert len(history.history["learning_rate"]) == 2
    assert lm.load_model(tmp_path / "best.safetensors").count_params() == model.count_params()
    with pytest.raises(lm.MnistError, match="patienc"):
        model.fit(x, y, verbose=0, callbacks=[lm.callbacks.EarlyStopping(patienc=3)])


@pytest.mark.parametrize("method", ["on_train_begin", "on_epoch_begin", "on_train_batch_end", "on_epoch_end", "on_train_end"])
def test_what_a_callback_raises_comes_out_of_fit(model, digits, method):
    x, y, _, _ = digits
    log = Log()

    def fail(*arguments):
        raise KeyError(method)

    setattr(log, method, fail)
    with pytest.raises(KeyError, match=method) as raised:
        model.fit(x, y, epochs=3, verbose=0, callbacks=[log])
    assert any(entry.name == "fail" for entry in raised.traceback)
    assert sum("epoch" in event for event, _ in log.events) <= (0 if "begin" in method else 1 if method != "on_train_end" else 6)
    assert all(np.isfinite(w).all() for w in model.get_weights())
    model.fit(x, y, verbose=0)


def test_what_is_no_callback(model, digits):
    x, y, _, _ = digits
    for wrong in ([3], ["EarlyStopping"], [None], 3, [lm.callbacks.EarlyStopping]):
        with pytest.raises((TypeError, AttributeError)):
            model.fit(x, y, verbose=0, callbacks=wrong)


def test_cancel_from_another_thread(model, digits):
    x, y, _, _ = digits
    begun = threading.Event()

    class Begun(lm.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            begun.set()

    thread = threading.Thread(target=lambda: begun.wait() and model.cancel())
    thread.start()
    history = model.fit(x, y, epochs=100000, verbose=0, callbacks=[Begun()])
    thread.join()
    assert "stopped" in history.stop_reason


def test_one_fit_at_a_time(model, digits):
    x, y, _, _ = digits

    class Again(lm.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            with pytest.raises(lm.BusyError):
                self.model.fit(x, y, verbose=0)
            with pytest.raises(lm.BusyError):
                self.model.set_weights(self.model.get_weights())
            self.model.stop_training = True

    model.fit(x, y, verbose=0, callbacks=[Again()])


def test_threads_fit_while_others_predict(digits):
    x, y, x_test, _ = digits
    models = [network(seed) for seed in range(3)]
    for model in models:
        model.compile()
    threads = [threading.Thread(target=model.fit, args=(x, y), kwargs={"epochs": 5, "verbose": 0}) for model in models]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert all(np.isfinite(model.predict(x_test)).all() for model in models)
    expected = network(1)
    expected.compile()
    expected.fit(x, y, epochs=5, verbose=0)
    assert np.array_equal(models[1].predict(x_test), expected.predict(x_test))


@pytest.mark.parametrize("own", [False, True])
def test_ctrl_c_ends_a_fit_after_its_step(model, digits, own, capfd):
    x, y, _, _ = digits
    before = model.get_weights()
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        model.fit(x, y, epochs=1000000, verbose=1, callbacks=[Log()] if own else [])
    timer.join()
    assert "ignored" not in capfd.readouterr().err
    assert all(np.isfinite(w).all() for w in model.get_weights())
    assert not np.array_equal(before[0], model.get_weights()[0])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    model.fit(x, y, verbose=0)  # nothing is left over


def test_ctrl_c_in_a_callback_and_in_a_source(model, digits):
    x, y, _, _ = digits

    class Slow(lm.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            time.sleep(600)

    def slow(numbers):
        time.sleep(600)

    for run in (lambda: model.fit(x, y, verbose=0, callbacks=[Slow()]),
                lambda: model.fit(lm.Dataset.from_source(slow, 10, (28, 28)), verbose=0),
                lambda: model.predict(lm.Dataset.from_source(slow, 10, (28, 28)))):
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            run()


def test_kerass_own_objects_are_taken_by_their_config(digits):
    """Anything with get_config() will do, and any callback with Keras's methods."""
    class SGD:
        def get_config(self):
            return {"learning_rate": np.float32(0.5), "name": "sgd"}

    model = network()
    model.compile(SGD())
    assert model.learning_rate == 0.5
    with pytest.raises(TypeError, match="get_config"):
        model.compile(lm.optimizers.SGD)
    with pytest.raises(TypeError, match="get_config"):
        model.compile("sgd", loss=lambda y, p: 0)


def script(text, *arguments, timeout=120):
    """Runs a program of its own: what it prints, once it has ended well."""
    program = "import libmnist as lm, numpy as np, os, signal, sys, threading, time\n" + textwrap.dedent(text)
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=timeout,
                          cwd=os.path.dirname(os.path.abspath(__file__)))
    assert done.returncode == 0, (done.returncode, done.stdout, done.stderr)
    assert "ignored" not in done.stderr and "Traceback" not in done.stderr, done.stderr
    return done.stdout


NETWORK = """
x, y = np.random.default_rng(0).random((640, 28, 28)), np.arange(640) % 10
model = lm.Sequential([lm.Input((28, 28, 1)), lm.layers.Flatten(), lm.layers.Dense(10, activation="softmax")])
model.compile()
class Log(lm.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        begun.set()
begun = threading.Event()
"""


def test_the_interpreter_exits_while_a_thread_fits():
    for fit in ("model.fit(x, y, epochs=10**9, verbose=0, callbacks=[Log()])",
                "model.fit(lm.Dataset.from_source(lambda n: (begun.set(), (x[n], y[n]))[1], 640, (28, 28)), epochs=10**9, verbose=0, prefetch=2)",
                "[(begun.set(), model.predict(x)) for _ in range(10**9)]"):
        assert script(f"""{NETWORK}
threading.Thread(target=lambda: {fit}, daemon=True).start()
begun.wait()
print("leaves")
""") == "leaves\n"


def test_a_child_after_fork():
    assert script(f"""{NETWORK}
model.fit(x, y, verbose=0)
child = os.fork()
if child == 0:
    try:
        model.predict(x)
    except lm.StateError as error:
        print("child:", type(error).__name__, flush=True)
    own = lm.Sequential([lm.Input((2,)), lm.layers.Dense(1)])
    print("child:", own.predict(np.zeros((1, 2))).shape, flush=True)
    sys.exit(0)  # with all that a program does at its end
assert os.waitpid(child, 0)[1] == 0
print("parent:", model.predict(x).shape)
""") == "child: StateError\nchild: (1, 1)\nparent: (640, 10)\n"


def test_nothing_is_left_in_memory():
    out = script(f"""{NETWORK}
import gc, resource
def round():
    data = lm.Dataset(x, y)
    source = lm.Dataset.from_source(lambda n: (x[n], y[n]), 640, (28, 28))
    source.itself = source  # a cycle
    made = lm.Sequential([lm.Input((28, 28, 1)), lm.layers.Flatten(), lm.layers.Dense(10, activation="softmax")])
    made.compile()
    made.fit(source, verbose=0, callbacks=[Log()])
    made.predict(data)
def used():
    gc.collect()
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()
for _ in range(20):
    round()
before, threads = used(), len(os.listdir("/proc/self/task"))
for _ in range(100):
    round()
print((used() - before) // 2**20, len(os.listdir("/proc/self/task")) - threads)
""")
    grown, threads = map(int, out.split())
    assert grown < 20 and threads <= 0, out  # a dataset alone is 2 MB
