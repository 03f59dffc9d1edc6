#!/bin/sh
''''exec "${KERAS_VENV:-$(dirname "$0")/../../target/keras-venv}/bin/python" "$0" "$@" # '''
"""Records Keras's results for each case of cases.py: tests/data/keras/layers.safetensors and layers.json (README.md).

    record.py               records all cases
    record.py NAME ...      runs only the cases whose names begin with NAME and prints the results; writes nothing
    record.py --steady      reports cases that are not determined in single precision; writes nothing"""

import json
import sys
import zlib
from pathlib import Path

from keras_side import DIFFERS, distinct, fill, gradients, grid, keras, np, optimizer, optimizer_config, output, set_values, train, \
    trainable, values, variables
from safetensors.numpy import save_file

from cases import L, table

DATA = Path(__file__).resolve().parents[1] / "data" / "keras"
CLASSES, SAMPLES, BATCH = 3, 8, 3  # of the fits: three steps, the last of two samples


def an_optimizer(name):
    """One of six optimizers, chosen only by the case's name, so that cases do not depend on each other. The learning rates are large enough
    to have a visible effect; an epsilon well above the rounding errors keeps tiny gradients from making full steps."""
    o = keras.optimizers
    return [lambda: o.SGD(0.1), lambda: o.SGD(0.1, momentum=0.9), lambda: o.SGD(0.1, momentum=0.9, nesterov=True),
            lambda: o.RMSprop(0.01, epsilon=1e-4), lambda: o.Adam(0.01, epsilon=1e-4),
            lambda: o.AdamW(0.01, weight_decay=0.02, epsilon=1e-4)][zlib.adler32(name.encode()) % 6]()


def record(case):
    """One case's entry in the JSON file, and its arrays."""
    keras.utils.clear_session()
    draw = np.random.default_rng(zlib.crc32(case.name.encode()))
    inputs = keras.Input(case.shape, name="input")
    built = case.build(inputs)
    model = built if isinstance(built, keras.Model) else keras.Model(inputs, built, name=case.name)
    line = {"name": case.name, "class": case.about, "input": list(case.shape), "output": list(model.output_shape[1:]), **case.notes,
            "model": model.to_json()}
    weights = {name: fill(name, v.shape, draw) for name, v in variables(model).items()}
    set_values(model, weights)
    x = distinct((case.batch, *case.shape), draw) if case.x is None else case.x
    arrays = {"x": x, "output": output(model, x)} | {f"weights/{name}": w for name, w in weights.items()}
    line["weights"] = list(weights)
    line["trainable"] = list(trainable(model))

    if case.trained:
        if any(isinstance(layer, DIFFERS) for layer in model.layers):
            arrays["training_output"] = output(model, x, training=True)
            set_values(model, weights)
        arrays["c"] = grid(draw.uniform(-1, 1, arrays["output"].shape), 16)
        arrays["gradient/input"], found = gradients(model, x, arrays["c"])
        arrays |= {f"gradient/{name}": g for name, g in found.items()}
    if case.fitted:
        line["fit"], more = record_fit(case, model, weights, draw)
        arrays |= more
    return line, {f"{case.name}/{name}": a for name, a in arrays.items()}


def record_fit(case, body, weights, draw):
    """Three steps of the same network with a classification head."""
    start, end = body.inputs[0], body.outputs[0]
    end = end if len(end.shape) == 2 else L.Flatten(name="head_flatten")(end)
    model = keras.Model(start, L.Dense(CLASSES, "softmax", name="head")(end), name=case.name)
    head = {name: fill(name, v.shape, draw) for name, v in variables(model).items() if name not in weights}
    set_values(model, weights | head)
    x = distinct((SAMPLES, *case.shape), draw)
    labels = draw.permutation(np.arange(SAMPLES) % CLASSES).astype(np.uint8)
    config = optimizer_config(case.optimizer or an_optimizer(case.name))
    text = model.to_json()
    losses = train(model, optimizer(config), x, labels, BATCH)
    after = values(model)
    if "--steady" in sys.argv:
        steady(case.name, text, config, weights | head, x, labels, after)
    line = {"model": text, "optimizer": config, "batch_size": BATCH, "weights": list(after)}
    arrays = {"fit/x": x, "fit/labels": labels, "fit/losses": np.array(losses, np.float32)}
    arrays |= {f"fit/before/{name}": w for name, w in head.items()}
    return line, arrays | {f"fit/after/{name}": w for name, w in after.items()}


def steady(name, text, config, weights, x, labels, after):
    """Reports a case whose results are not determined in single precision, so that no other implementation could agree."""
    keras.config.set_floatx("float64")
    double = keras.models.model_from_json(text.replace("float32", "float64"))
    set_values(double, weights)
    train(double, optimizer(config), x.astype(np.float64), labels, BATCH)
    for weight, w in values(double).items():
        off = np.abs(after[weight] - w).max() / max(np.abs(w).max(), 1e-3)
        if off > 1e-5:
            print(f"{name}: {weight} is off by {off:.1e} in single precision")
    keras.config.set_floatx("float32")


def main():
    cases, lines, arrays = list(table()), [], {}
    assert len({case.name for case in cases}) == len(cases), "two cases of one name"
    wanted = tuple(word for word in sys.argv[1:] if word != "--steady") or ("",)
    for case in cases:
        if case.name.startswith(wanted):
            line, more = record(case)
            lines.append(line)
            arrays |= {name: np.ascontiguousarray(a) for name, a in more.items()}
    for name, a in arrays.items():
        if wanted != ("",):
            print(name, a.shape, a.ravel()[:8])
        if not np.isfinite(a).all():
            print(f"{name}: not finite: {a}")
    if len(sys.argv) > 1:
        return
    DATA.mkdir(parents=True, exist_ok=True)
    save_file(arrays, DATA / "layers.safetensors", metadata={"keras": keras.__version__})
    text = ",\n".join(json.dumps(line) for line in lines)
    (DATA / "layers.json").write_text(f'{{"keras": "{keras.__version__}", "cases": [\n{text}\n]}}\n')
    print(f"{len(lines)} cases, {len(arrays)} arrays")


main()
