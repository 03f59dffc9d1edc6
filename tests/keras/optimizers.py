#!/bin/sh
''''exec "${KERAS_VENV:-$(dirname "$0")/../../target/keras-venv}/bin/python" "$0" "$@" # '''
"""Records the results of Keras's optimizers and schedules: tests/data/keras/optimizers.safetensors and optimizers.json (README.md).

    optimizers.py               records all cases
    optimizers.py NAME ...      runs only the cases whose names begin with NAME; writes nothing
    optimizers.py --steady      reports cases that are not determined in single precision; writes nothing"""

import json
import sys
from pathlib import Path

from keras_side import fill, keras, np, optimizer, optimizer_config, set_values, trainable, values, variables
from safetensors.numpy import save_file

DATA = Path(__file__).resolve().parents[1] / "data" / "keras"
FEATURES, CLASSES, SAMPLES, BATCH, EPOCHS = 6, 3, 11, 4, 3  # three batches per epoch, the last of three samples

O, S = keras.optimizers, keras.optimizers.schedules
OF_STEPS = [*range(0, 32), 39, 40, 41, 69, 70, 71, 100, 150, 1000, 12345]  # the steps at which schedules are evaluated


def schedules():
    """Each schedule with its settings; the steps are near the points where it ends or restarts."""
    yield from {
        "exponential": S.ExponentialDecay(0.2, 10, 0.5), "exponential_staircase": S.ExponentialDecay(0.2, 10, 0.5, staircase=True),
        "exponential_odd": S.ExponentialDecay(0.013, 7.5, 0.93), "exponential_up": S.ExponentialDecay(1e-6, 1000, 2.0),
        "inverse_time": S.InverseTimeDecay(0.1, 10, 0.5), "inverse_time_staircase": S.InverseTimeDecay(0.1, 3, 0.7, staircase=True),
        "piecewise": S.PiecewiseConstantDecay([5, 10, 40], [0.1, 0.05, 0.02, 0.001]),
        "piecewise_one": S.PiecewiseConstantDecay([20], [1.0, 0.5]),
        "polynomial": S.PolynomialDecay(0.1, 30), "polynomial_square": S.PolynomialDecay(0.1, 25, 0.01, power=2.0),
        "polynomial_root": S.PolynomialDecay(0.1, 25, 0.01, power=0.5), "polynomial_cycle": S.PolynomialDecay(0.1, 10, 0.01, cycle=True),
        "polynomial_cycle_power": S.PolynomialDecay(0.3, 7, 0.1, power=1.5, cycle=True),
        "cosine": S.CosineDecay(0.1, 30), "cosine_alpha": S.CosineDecay(0.1, 25, alpha=0.2),
        "cosine_warm_up": S.CosineDecay(0.01, 20, warmup_target=0.1, warmup_steps=10),
        "cosine_warm_up_alpha": S.CosineDecay(0.0, 64, alpha=0.05, warmup_target=0.3, warmup_steps=7),
        "cosine_target_at_once": S.CosineDecay(0.01, 20, warmup_target=0.1),
        "restarts": S.CosineDecayRestarts(0.1, 10), "restarts_same": S.CosineDecayRestarts(0.1, 10, t_mul=1.0, m_mul=0.8),
        "restarts_all": S.CosineDecayRestarts(0.1, 10, t_mul=2.0, m_mul=0.5, alpha=0.1),
        "restarts_odd": S.CosineDecayRestarts(0.1, 8, t_mul=1.5, m_mul=0.9),
    }.items()


def cases():
    """The optimizers with their settings; the learning rates are large enough to have a visible effect."""
    own = {
        "adamax": O.Adamax(0.01), "adamax_all": O.Adamax(0.02, beta_1=0.8, beta_2=0.95, epsilon=1e-3, weight_decay=0.1),
        "nadam": O.Nadam(0.01, epsilon=1e-4), "nadam_all": O.Nadam(0.02, beta_1=0.8, beta_2=0.95, epsilon=1e-3, weight_decay=0.1),
        "adagrad": O.Adagrad(0.1), "adagrad_zero": O.Adagrad(0.05, initial_accumulator_value=0.0, epsilon=1e-4),
        "adagrad_all": O.Adagrad(0.1, initial_accumulator_value=0.01, epsilon=1e-2, weight_decay=0.1),
        "adadelta": O.Adadelta(1.0, epsilon=1e-4), "adadelta_all": O.Adadelta(2.0, rho=0.8, epsilon=1e-3, weight_decay=0.05),
        "ftrl": O.Ftrl(0.1), "ftrl_default": O.Ftrl(),
        "ftrl_all": O.Ftrl(0.1, initial_accumulator_value=0.05, l1_regularization_strength=0.02, l2_regularization_strength=0.03,
                           l2_shrinkage_regularization_strength=0.04, beta=0.1, weight_decay=0.1),
        "ftrl_sparse": O.Ftrl(0.2, l1_regularization_strength=0.02), "ftrl_power": O.Ftrl(0.1, learning_rate_power=-0.7),
        "ftrl_flat": O.Ftrl(0.1, learning_rate_power=0.0, l2_regularization_strength=0.1),
        "lion": O.Lion(0.01), "lion_all": O.Lion(0.02, beta_1=0.7, beta_2=0.9, weight_decay=0.1),
        "adamax_clipnorm": O.Adamax(0.02, epsilon=1e-3, clipnorm=0.1), "nadam_clipvalue": O.Nadam(0.02, epsilon=1e-3, clipvalue=0.05),
        "adagrad_global_clipnorm": O.Adagrad(0.1, global_clipnorm=0.1),
        "sgd": O.SGD(0.2), "rmsprop": O.RMSprop(0.01, epsilon=1e-4), "adam": O.Adam(0.01, epsilon=1e-4),
        "adamw": O.AdamW(0.01, epsilon=1e-4, weight_decay=0.1),
    }
    ema = {
        "ema_sgd": O.SGD(0.2, use_ema=True, ema_momentum=0.9), "ema_adam": O.Adam(0.01, epsilon=1e-4, use_ema=True),
        "ema_every_2": O.SGD(0.2, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=2),
        "ema_every_4": O.RMSprop(0.01, epsilon=1e-3, momentum=0.5, use_ema=True, ema_momentum=0.8, ema_overwrite_frequency=4),
        "ema_every_1": O.SGD(0.2, momentum=0.9, use_ema=True, ema_momentum=0.7, ema_overwrite_frequency=1),
        "ema_nothing_kept": O.SGD(0.2, use_ema=True, ema_momentum=0.0), "ema_all_kept": O.SGD(0.2, use_ema=True, ema_momentum=1.0),
    }
    gathered = {
        "gathered_2_sgd": O.SGD(0.2, gradient_accumulation_steps=2), "gathered_4_adam": O.Adam(0.02, epsilon=1e-4, gradient_accumulation_steps=4),
        "gathered_2_nadam": O.Nadam(0.02, epsilon=1e-3, gradient_accumulation_steps=2, weight_decay=0.1),
        "gathered_3_clipped": O.SGD(0.5, momentum=0.9, gradient_accumulation_steps=3, global_clipnorm=0.1),
        "gathered_2_clipnorm": O.Adamax(0.02, epsilon=1e-3, gradient_accumulation_steps=2, clipnorm=0.05),
        "gathered_2_ema": O.SGD(0.3, gradient_accumulation_steps=2, use_ema=True, ema_momentum=0.6),
        "gathered_2_ema_every_3": O.SGD(0.3, gradient_accumulation_steps=2, use_ema=True, ema_momentum=0.6, ema_overwrite_frequency=3),
        "gathered_4_ema_every_1": O.Adagrad(0.1, gradient_accumulation_steps=4, use_ema=True, ema_momentum=0.6, ema_overwrite_frequency=1),
    }
    scheduled = {
        "scheduled_exponential": O.SGD(S.ExponentialDecay(0.2, 2, 0.5)),
        "scheduled_staircase": O.Adam(S.InverseTimeDecay(0.02, 3, 0.7, staircase=True), epsilon=1e-4),
        "scheduled_piecewise": O.Lion(S.PiecewiseConstantDecay([2, 5], [0.02, 0.01, 0.001]), weight_decay=0.1),
        "scheduled_polynomial": O.Adagrad(S.PolynomialDecay(0.2, 4, 0.01, power=2.0, cycle=True)),
        "scheduled_cosine": O.Ftrl(S.CosineDecay(0.02, 10, alpha=0.1, warmup_target=0.2, warmup_steps=2), beta=0.1),
        "scheduled_restarts": O.Adadelta(S.CosineDecayRestarts(2.0, 3, m_mul=0.7), epsilon=1e-4),
        "scheduled_gathered": O.SGD(S.PolynomialDecay(0.4, 9, 0.01), gradient_accumulation_steps=2, weight_decay=0.1, clipvalue=0.05),
        "scheduled_everything": O.Nadam(S.CosineDecay(0.05, 12), epsilon=1e-3, weight_decay=0.1, clipnorm=0.1, use_ema=True, ema_momentum=0.8,
                                        ema_overwrite_frequency=2, gradient_accumulation_steps=2),
    }
    yield from (own | ema | gathered | scheduled).items()


class Steps(keras.callbacks.Callback):
    """Stores the weights after each batch."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(flat(self.model))


def flat(model):
    return np.concatenate([w.ravel() for w in values(model).values()])


def network():
    inputs = keras.Input((FEATURES,), name="input")
    y = keras.layers.Dense(5, "tanh", name="dense")(inputs)
    return keras.Model(inputs, keras.layers.Dense(CLASSES, "softmax", name="dense_1")(y), name="small")


def run(config, weights, x, labels):
    """The weights after each batch of a fit, and after the fit."""
    model = network()
    set_values(model, weights)
    steps = Steps()
    model.compile(optimizer=optimizer(config), loss="sparse_categorical_crossentropy", run_eagerly=True)
    model.fit(x, labels, batch_size=BATCH, epochs=EPOCHS, shuffle=False, verbose=0, callbacks=[steps])
    return np.stack(steps.seen), flat(model)


def steady(name, config, weights, x, labels, found):
    """Reports a case whose results are not determined in single precision, so that no other implementation could agree."""
    keras.config.set_floatx("float64")
    for what, a, b in zip(("after", "end"), found, run(config, weights, x.astype(np.float64), labels)):
        off = np.abs(a - b).max() / np.abs(b).max()
        if not off < 5e-6:
            print(f"{name}: {what} is off by {off:.1e} in single precision")
    keras.config.set_floatx("float32")


def main():
    wanted = tuple(word for word in sys.argv[1:] if word != "--steady") or ("",)
    draw = np.random.default_rng(5)
    model = network()
    weights = {name: fill(name, v.shape, draw) for name, v in variables(model).items()}
    assert list(weights) == list(trainable(model))
    x = draw.uniform(-1, 1, (SAMPLES, FEATURES)).astype(np.float32)
    labels = draw.permutation(np.arange(SAMPLES) % CLASSES).astype(np.uint8)
    arrays = {"x": x, "labels": labels, "before": np.concatenate([w.ravel() for w in weights.values()])}
    lines, rates = [], []
    for name, made in cases():
        if not name.startswith(wanted):
            continue
        config = optimizer_config(made)
        after, end = run(config, weights, x, labels)
        if "--steady" in sys.argv:
            steady(name, config, weights, x, labels, (after, end))
        lines.append({"name": name, "optimizer": config})
        arrays |= {f"{name}/after": after, f"{name}/end": end}
    for name, schedule in schedules():
        if name.startswith(wanted):
            said = json.loads(json.dumps(S.serialize(schedule)))
            found = [float(schedule(step)) for step in OF_STEPS]
            rates.append({"name": name, "schedule": said, "rates": found})
    for name, a in arrays.items():
        if wanted != ("",):
            print(name, a.shape, a.ravel()[:8])
        assert np.isfinite(a).all(), name
    if len(sys.argv) > 1:
        return
    save_file({name: np.ascontiguousarray(a) for name, a in arrays.items()}, DATA / "optimizers.safetensors",
              metadata={"keras": keras.__version__})
    table = {"keras": keras.__version__, "model": network().to_json(), "weights": list(weights), "batch_size": BATCH, "epochs": EPOCHS,
             "steps": OF_STEPS}
    head = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in table.items())
    rows = {key: ",\n".join(map(json.dumps, rows)) for key, rows in (("cases", lines), ("schedules", rates))}
    text = ",\n".join([head, *(f'"{key}": [\n{text}\n]' for key, text in rows.items())])
    (DATA / "optimizers.json").write_text("{" + text + "}\n")
    print(f"{len(lines)} optimizers, {len(rates)} schedules")


main()
