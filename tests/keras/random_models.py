#!/bin/sh
''''exec "${KERAS_VENV:-$(dirname "$0")/../../target/keras-venv}/bin/python" "$0" "$@" # '''
"""Random networks: compares the library's predictions and training with Keras's.

    random_models.py [--count 200] [--seed 0] [--library target/release/libmnist.so]
    random_models.py --dry-run          runs only the Keras half
    random_models.py --count 1 --seed N repeats one network and prints its JSON

Tolerances: each network runs in Keras three times: in single precision, in double precision, and in single precision with samples and
weights that differ in their last bits. In each array the library may differ from Keras in single precision by the sum of
- 1e-6, and 2e-5 of the array's largest number, for the rounding of single precision;
- for weights, 1e-4 of the largest weight, and 1e-3 of the largest change in training;
- for predictions after training, 1e-4 of the largest one;
- 16 times the difference between Keras's own runs. For example, the gradient of a bias before a batch normalization consists only of
  rounding errors, from which Adam makes a full step that differs between programs.
A network that single precision determines to less than two digits is replaced by another one."""

import argparse
import collections
import json
import sys
import traceback

from keras_side import keras, np, optimizer, output, set_values, train, values
from libmnist import ROOT, Library

from draw import Drawn


class Result:
    """The results of one side: predictions before training, the losses of five steps, weights and predictions after training."""

    def __init__(self, before, losses=(), weights=None, after=None):
        self.arrays = {"predictions before": before}
        if weights is not None:
            self.arrays |= {f"loss {i + 1}": np.array(loss) for i, loss in enumerate(losses)}
            self.arrays |= weights | {"predictions after": after}


def of_keras(drawn, double, nudge=0.0):
    """Keras's results in single or double precision, from inputs changed by a relative `nudge`, up or down."""
    random = np.random.default_rng(0)
    nudged = lambda a: a * (1 + nudge * random.choice([-1, 1], a.shape)).astype(a.dtype)
    keras.config.set_floatx("float64" if double else "float32")
    text = drawn.json.replace('"float32"', '"float64"') if double else drawn.json
    model = keras.models.model_from_json(text)
    x = nudged(drawn.x.astype(np.float64 if double else np.float32))
    set_values(model, {name: nudged(w) for name, w in drawn.weights.items()})
    before = output(model, x)
    if drawn.inference:
        return Result(before)
    losses = train(model, optimizer(drawn.optimizer), x, drawn.labels, drawn.batch)
    return Result(before, losses, values(model), output(model, x))


def of_library(drawn, library):
    model = library.model(drawn.json, drawn.weights)
    before = model.predict(drawn.x, (drawn.classes,))
    if drawn.inference:
        return Result(before)
    model.compile(json.dumps(drawn.optimizer))
    losses = model.fit(drawn.x, drawn.labels, drawn.batch)
    return Result(before, losses, model.weights(), model.predict(drawn.x, (drawn.classes,)))


def largest(a):
    return float(np.abs(a).max(initial=0))


def allowed(drawn, single, double, other):
    """The tolerance of each array; None if Keras's own runs differ too much for a comparison."""
    out = {}
    for name, d in double.arrays.items():
        single_, scale = single.arrays[name], largest(d)
        noise = max(largest(d - single_), largest(other.arrays[name] - single_))
        if not np.isfinite(single_).all() or not noise <= 0.01 * max(scale, 0.1):
            return None
        out[name] = 1e-6 + 2e-5 * scale + 16 * noise
        if name in drawn.weights:
            out[name] += 1e-4 * scale + 1e-3 * largest(d - drawn.weights[name])
        if name == "predictions after":
            out[name] += 1e-4 * scale
    return out


def draw(seed):
    """The network of a seed and Keras's results: the first generated network that single precision determines."""
    for attempt in range(50):
        drawn = Drawn([seed, attempt])
        drawn.json = drawn.network.to_json()
        single, double, other = of_keras(drawn, False), of_keras(drawn, True), of_keras(drawn, False, 2e-7)
        keras.config.set_floatx("float32")
        limits = allowed(drawn, single, double, other)
        if limits:
            return drawn, single, limits, attempt
    raise RuntimeError(f"seed {seed}: no network that can be compared in 50 draws")


def first_off(expected, found, limits):
    """The first array that exceeds its tolerance, in the order of their computation; None if all agree."""
    if len(found) != len(expected):
        return f"{len(found)} arrays, expected {len(expected)}"
    for name, e in expected.items():
        off = largest(np.asarray(found[name], np.float64) - e)
        if not off <= limits[name]:  # NaN fails, too
            return f"{name} is off by {off:.2e} (allowed {limits[name]:.2e}); the largest of it is {largest(e):.3g}"
    return None


def main():
    parse = argparse.ArgumentParser()
    parse.add_argument("--count", type=int, default=200)
    parse.add_argument("--seed", type=int, default=0)
    parse.add_argument("--library", default=ROOT / "target" / "release" / "libmnist.so")
    parse.add_argument("--dry-run", action="store_true")
    args = parse.parse_args()
    library = None if args.dry_run else Library(args.library)
    used, anew, passed, failed = collections.Counter(), 0, 0, 0
    for seed in range(args.seed, args.seed + args.count):
        drawn, expected, limits, attempts = draw(seed)
        anew += attempts
        used.update({layer.__class__.__name__ for layer in drawn.network.layers})
        wrong = None
        if library:
            try:
                wrong = first_off(expected.arrays, of_library(drawn, library).arrays, limits)
            except Exception:
                wrong = traceback.format_exc(limit=-1).strip()
        passed, failed = (passed, failed + 1) if wrong else (passed + 1, failed)
        if wrong:
            print(f"seed {seed}: {wrong}\n  {drawn.json}\n  {json.dumps(drawn.optimizer)}, batches of {drawn.batch}", flush=True)
    print("networks with each layer:", ", ".join(f"{name} {n}" for name, n in sorted(used.items())))
    print(f"{anew} draws were not to be compared and drawn anew")
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
