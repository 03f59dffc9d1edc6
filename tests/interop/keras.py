#!/bin/sh
''''exec "${INTEROP_VENV:-$(dirname "$0")/../../target/interop-venv}/bin/python" "$0" "$@" # '''
"""Tests Keras's files: models imported from Keras and exported to Keras must give the same predictions and continue training alike.

    keras.py [--count 50] [--seed 0] [--examples] [--library target/release/libmnist.so] [--folder target/interop]

With --examples the networks are those of examples/networks.c (benches/peers/networks) and of the tutorial, instead of random ones.

Each network is trained for some steps in Keras and written in each of Keras's formats. The imported model must give Keras's predictions
(1e-5), and its next losses must be those of Keras's continued fit (1e-4). Keras must then read the library's export, with
bit-identical weights and optimizer variables, and with the same losses from there. If Keras's own losses change when the last bits of the
weights change, the network is replaced by another one."""

import argparse
import json
import sys
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[0] = str(ROOT / "tests" / "keras")  # the default entry is this folder, which has a keras.py

from keras_side import keras, np, optimizer, output, set_values, values  # noqa: E402
from libmnist import Library, Loaded, check, off  # noqa: E402
from draw import Drawn  # noqa: E402

NEAR, SAME = 1e-5, 1e-4


def steps(model, x, labels, batch):
    """One pass over the samples in order; returns the loss of each step, before its update."""
    losses = []
    for start in range(0, len(x), batch):
        model.reset_metrics()
        found = model.train_on_batch(x[start:start + batch], labels[start:start + batch])
        losses.append(float(np.ravel(found)[0]))
    return np.array(losses)


def same_state(what, found, expected):
    for name, w in values(expected).items():
        check(f"{what}: {name}", values(found)[name], w, 0)
    a, b = found.optimizer.variables, expected.optimizer.variables
    # Nadam's product is only named `variable` and a number.
    kinds = lambda variables: [v.path.rpartition("/")[2] for v in variables if not v.path.rpartition("/")[2].startswith("variable")]
    if len(a) != len(b) or kinds(a) != kinds(b):
        raise AssertionError(f"{what}: the optimizer's variables are {[v.path for v in a]}, not {[v.path for v in b]}")
    for x, y in zip(a, b):
        check(f"{what}: {x.path}", x.numpy(), y.numpy(), 0 if "/" in x.path and not x.path.rpartition("/")[2].startswith("variable") else 1e-6)


def stable(model, drawn, folder):
    """Whether the losses do not depend on the last bits of the weights."""
    model.save(folder / "nudged.keras")
    other = keras.models.load_model(folder / "nudged.keras")
    random = np.random.default_rng(0)
    set_values(other, {name: w * (1 + 2e-7 * random.choice([-1, 1], w.shape)).astype(np.float32) for name, w in values(other).items()})
    a, b = (steps(m, drawn.x, drawn.labels, drawn.batch) for m in (keras.models.load_model(folder / "nudged.keras"), other))
    return np.isfinite(a).all() and off(b, a) < SAME / 4


def go_round(drawn, library, folder):
    x, labels, batch = drawn.x, drawn.labels, drawn.batch
    model = drawn.network
    model.compile(optimizer=optimizer(drawn.optimizer), loss="sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=True)
    steps(model, x, labels, batch)
    if not stable(model, drawn, folder):
        return False
    for name in ("a.keras", "a.h5"):
        model.save(folder / name)
    model.save_weights(folder / "a.weights.h5")
    y, weights = output(model, x), values(model)
    names, shape = weights, (drawn.classes,)
    read = {name: Loaded(library, folder / name, names) for name in ("a.keras", "a.h5")}
    for name, loaded in read.items():
        check(f"{name}: predictions", loaded.predict(x, shape), y, NEAR)
        for weight, w in loaded.weights().items():
            check(f"{name}: {weight}", w, weights[weight], 0)
    read["a.keras"].save_keras(folder / "b.keras")
    back = keras.models.load_model(folder / "b.keras")
    back.run_eagerly = True
    check("b.keras: predictions", output(back, x), y, 0)
    same_state("b.keras", back, model)
    expected = steps(model, x, labels, batch)
    check("Keras goes on from the library's file: losses", steps(back, x, labels, batch), expected, 1e-6)
    for name, loaded in read.items():
        check(f"{name}: the library goes on: losses", loaded.fit(x, labels, batch), expected, SAME)
    read["a.keras"].save_keras(folder / "c.keras")
    further = keras.models.load_model(folder / "c.keras")
    further.run_eagerly = True
    expected = steps(model, x, labels, batch)
    check("Keras goes on where the library stopped: losses", steps(further, x, labels, batch), expected, 3 * SAME)
    check("the library goes further: losses", read["a.keras"].fit(x, labels, batch), expected, 3 * SAME)
    read["a.h5"].load_weights(folder / "a.weights.h5")
    check("a.weights.h5: predictions", read["a.h5"].predict(x, shape), y, NEAR)
    return True


class Example:
    """A network of examples/, with its training data and options."""

    def __init__(self, network):
        random = np.random.default_rng(0)
        self.network, self.classes, self.batch = network, 10, 8
        self.optimizer = {"class_name": "Adam", "config": {"learning_rate": 1e-3}}
        self.x = random.random((20, 28, 28, 1), np.float32)  # three steps, the last with a smaller batch
        self.labels = random.integers(0, self.classes, len(self.x)).astype(np.uint8)


def tutorial():
    start = keras.Input((28, 28, 1))
    x = keras.layers.Conv2D(32, 3, activation="relu")(start)
    x = keras.layers.Flatten()(keras.layers.Conv2D(64, 3, activation="relu")(x))
    x = keras.layers.Dense(10, "softmax")(keras.layers.Dense(128, "relu")(x))
    return keras.Model(start, x).to_json()


def deep():
    """A model with so many variables that the names of an .h5 file take more space than the numbers."""
    start = keras.Input((28, 28, 1))
    x = keras.layers.Flatten()(start)
    for _ in range(300):
        x = keras.layers.Dense(4, "tanh")(x)
    return keras.Model(start, keras.layers.Dense(10, "softmax")(x)).to_json()


def example_networks():
    """The layers' names and their configs in Keras's to_json."""
    networks = {file.stem: file.read_text() for file in sorted((ROOT / "benches" / "peers" / "networks").glob("*.json"))}
    return networks | {"tutorial": tutorial(), "deep": deep()}


def without_dropout(text):
    """Without dropout, whose random numbers differ between programs."""
    network = json.loads(text)
    for layer in network["config"]["layers"]:
        layer["config"] |= {"rate": 0.0} if "rate" in layer["config"] else {}
    return json.dumps(network)


def same_there_and_back(text, library, folder):
    """The untrained network, including dropout rates."""
    example = Example(keras.models.model_from_json(text))
    example.network.save(folder / "a.keras")
    y = output(example.network, example.x)
    loaded = Loaded(library, folder / "a.keras", values(example.network))
    check("a.keras: predictions", loaded.predict(example.x, (example.classes,)), y, NEAR)
    loaded.save_keras(folder / "b.keras")
    back = keras.models.load_model(folder / "b.keras")
    check("b.keras: predictions", output(back, example.x), y, 0)
    rates = [[layer.rate for layer in model.layers if hasattr(layer, "rate")] for model in (back, example.network)]
    if rates[0] != rates[1]:
        raise AssertionError(f"b.keras: rates of dropout {rates[0]}, not {rates[1]}")


def examples(library, folder):
    failed = 0
    for name, text in example_networks().items():
        keras.utils.clear_session()
        keras.utils.set_random_seed(0)
        try:
            same_there_and_back(text, library, folder)
            done = go_round(Example(keras.models.model_from_json(without_dropout(text))), library, folder)
            print(f"{name}: {'passed' if done else 'not compared: its losses depend on the last bits of its weights'}", flush=True)
            failed += not done
        except Exception as error:
            failed += 1
            print(f"{name}: {error if isinstance(error, AssertionError) else traceback.format_exc(limit=-3).strip()}", flush=True)
    return failed


def main():
    parse = argparse.ArgumentParser()
    parse.add_argument("--count", type=int, default=50)
    parse.add_argument("--seed", type=int, default=0)
    parse.add_argument("--examples", action="store_true")
    parse.add_argument("--library", default=ROOT / "target" / "release" / "libmnist.so")
    parse.add_argument("--folder", type=Path, default=ROOT / "target" / "interop")
    args = parse.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    library, failed, anew = Library(args.library), 0, 0
    if args.examples:
        sys.exit(1 if examples(library, args.folder) else 0)
    for seed in range(args.seed, args.seed + args.count):
        attempt, done = 0, False
        while not done and attempt < 50:
            drawn = Drawn([seed, attempt])
            attempt += 1
            if drawn.inference:
                continue
            try:
                done = go_round(drawn, library, args.folder)
                anew += not done
            except Exception as error:
                wrong = error if isinstance(error, AssertionError) else traceback.format_exc(limit=-3).strip()
                print(f"seed {seed}, draw {attempt - 1}: {wrong}\n  {drawn.optimizer}, batches of {drawn.batch}", flush=True)
                failed, done = failed + 1, True
    print(f"{anew} draws were not to be compared and drawn anew")
    print(f"{args.count - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
