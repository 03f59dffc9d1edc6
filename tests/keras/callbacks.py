#!/bin/sh
''''exec "${KERAS_VENV:-$(dirname "$0")/../../target/keras-venv}/bin/python" "$0" "$@" # '''
"""Records tests/data/keras/callbacks.json: the actions of Keras's callbacks for scripted epochs, without training (README.md).

A case is a list of callbacks and a list of epochs, each with its metrics and those of its batches. The weights of the small model are set
to the number of the epoch, counted from 1, so that restored weights can be recognized."""

import contextlib
import io
import json
import os
import struct
import tempfile
from pathlib import Path

from keras_side import keras, np, tf

DATA = Path(__file__).resolve().parents[1] / "data" / "keras"
RATE = 0.01


def single(x):
    """A value in single precision, like Keras's own metrics."""
    return float(np.float32(x))


def epochs(first=0, batches=0, **columns):
    """Epochs with the given number of batches; metrics that are None are omitted."""
    rows = zip(*columns.values())
    made = []
    for number, row in enumerate(rows, first):
        logs = [[name, x] for name, x in zip(columns, row) if x is not None]
        of_batch = lambda b: [[n, x + single(0.125 * (batches - b - 1))] for n, x in logs if not n.startswith("val_")]
        made.append({"epoch": number, "batches": [of_batch(b) for b in range(batches)], "logs": logs})
    return made


def down(*values):
    return [None if v is None else single(v) for v in values]


LOSSES = down(0.9, 0.5, 0.4, 0.405, 0.399, 0.41, 0.42, 0.3, 0.35, 0.36, 0.37, 0.38)
GAINS = down(0.1, 0.5, 0.6, 0.595, 0.601, 0.59, 0.58, 0.7, 0.65, 0.64, 0.63, 0.62)
TWO = dict(loss=LOSSES, accuracy=GAINS)
FOUR = TWO | dict(val_loss=[single(x + 0.1) for x in LOSSES], val_accuracy=[single(x - 0.05) for x in GAINS])
NAN, INF = float("nan"), float("inf")


def few(count, columns=FOUR):
    return {name: column[:count] for name, column in columns.items()}


def early(**config):
    return ["EarlyStopping", config]


def plateau(**config):
    return ["ReduceLROnPlateau", config]


def save(filepath, **config):
    return ["ModelCheckpoint", {"filepath": filepath, **config}]


def csv(**config):
    return ["CSVLogger", {"filename": "log.csv", **config}]


def board(**config):
    return ["TensorBoard", {"log_dir": "logs", "write_graph": False, **config}]


CASES = {
    "early_defaults": ([early()], epochs(**FOUR)),
    "early_patience": ([early(patience=2, verbose=1)], epochs(**FOUR)),
    "early_restores": ([early(patience=3, verbose=1, restore_best_weights=True)], epochs(**FOUR)),
    "early_restores_when_never_stopped": ([early(patience=9, verbose=1, restore_best_weights=True)], epochs(**FOUR)),
    "early_min_delta": ([early(min_delta=0.02, patience=2, restore_best_weights=True)], epochs(**FOUR)),
    "early_negative_min_delta": ([early(min_delta=-0.02, patience=2)], epochs(**FOUR)),
    "early_up_by_itself": ([early(monitor="val_accuracy", patience=1, restore_best_weights=True)], epochs(**FOUR)),
    "early_max_of_a_loss": ([early(monitor="loss", mode="max", patience=1, restore_best_weights=True)], epochs(**FOUR)),
    "early_baseline": ([early(monitor="accuracy", baseline=0.9, patience=3, verbose=1, restore_best_weights=True)], epochs(**FOUR)),
    "early_baseline_that_is_beaten": ([early(monitor="accuracy", baseline=0.55, patience=2)], epochs(**FOUR)),
    "early_late_start": ([early(start_from_epoch=5, patience=1, restore_best_weights=True, verbose=1)], epochs(**FOUR)),
    "early_first_epoch_is_no_end": ([early(monitor="loss", baseline=0.1)], epochs(loss=down(0.5, 0.6, 0.7))),
    "early_from_another_epoch": ([early(monitor="loss", patience=1, verbose=1)], epochs(first=5, loss=down(0.5, 0.6, 0.7))),
    "early_nan_first": ([early(monitor="loss", patience=2, restore_best_weights=True)], epochs(loss=[NAN, 0.5, 0.4, 0.3])),
    "early_nan_later": ([early(monitor="loss", patience=2)], epochs(loss=[0.5, NAN, INF, 0.3])),
    "early_seldom_validated": ([early(patience=1)], epochs(loss=LOSSES[:9], val_loss=down(None, 0.5, None, 0.4, None, 0.6, None, 0.7, None))),
    "early_less_than_single_precision_tells": ([early(monitor="loss", patience=2)], epochs(loss=[0.5, 0.5 - 1e-9, 0.5 - 2e-9, 0.4])),
    "early_min_delta_that_is_rounded_off": ([early(monitor="loss", patience=1, min_delta=1e-9)], epochs(loss=down(0.5, 0.5 - 6e-8, 0.5 - 12e-8, 0.6))),
    "plateau_defaults": ([plateau()], epochs(**FOUR)),
    "plateau_halves": ([plateau(factor=0.5, patience=2, verbose=1)], epochs(**FOUR)),
    "plateau_cools_down": ([plateau(factor=0.5, patience=1, cooldown=2, verbose=1)], epochs(**FOUR)),
    "plateau_at_the_least": ([plateau(factor=0.3, patience=1, min_lr=0.002, verbose=1)], epochs(**FOUR)),
    "plateau_up": ([plateau(monitor="accuracy", factor=0.1, patience=1, min_delta=0.01)], epochs(**FOUR)),
    "plateau_without_patience": ([plateau(monitor="loss", factor=0.7, patience=0, min_delta=0)], epochs(**FOUR)),
    "plateau_twice": ([plateau(factor=0.5, patience=2), plateau(monitor="loss", factor=0.1, patience=3, verbose=1)], epochs(**FOUR)),
    "save_every_epoch": ([save("m.keras", verbose=1)], epochs(**few(3))),
    "save_names": ([save("d/{epoch:02d}-{val_loss:.2f}-{accuracy:.4f}.keras")], epochs(**few(4))),
    "save_best": ([save("{epoch}.keras", save_best_only=True, verbose=1)], epochs(**FOUR)),
    "save_best_above": ([save("{epoch}.keras", monitor="val_accuracy", save_best_only=True, initial_value_threshold=0.5, verbose=1)],
                        epochs(**FOUR)),
    "save_best_seldom_validated": ([save("{epoch}.keras", save_best_only=True)],
                                   epochs(loss=LOSSES[:6], val_loss=down(None, 0.5, None, 0.6, None, 0.4))),
    "save_weights": ([save("{epoch}.weights.h5", save_weights_only=True, verbose=1)], epochs(**few(2))),
    "save_batches": ([save("{epoch}-{batch:03d}-{loss:.3f}.weights.h5", save_weights_only=True, save_freq=3, verbose=1)],
                     epochs(batches=4, **few(4))),
    "save_every_batch": ([save("{batch}.keras", save_freq=1)], epochs(batches=2, **few(2))),
    "csv": ([csv()], epochs(**few(3))),
    "csv_without_validation": ([csv(separator=";")], epochs(**few(3, TWO))),
    "csv_tab": ([csv(separator="\t")], epochs(**few(2))),
    "csv_quoted": ([csv(separator="a")], epochs(**few(2))),
    "csv_quoted_numbers": ([csv(separator=".")], epochs(loss=[0.5, 1e20, 1e-20])),
    "csv_seldom_validated": ([csv()], epochs(loss=LOSSES[:4], val_loss=down(0.5, None, 0.4, None))),
    "csv_validated_late": ([csv()], epochs(loss=LOSSES[:4], val_loss=down(None, 0.5, None, 0.4))),
    "csv_numbers": ([csv()], epochs(loss=[NAN, INF, -INF, 0.0, -0.0, 1.0, 1e16, 9999999999999998.0, 1e-4, 1e-5, 123456.789, 5e-324, 1e22])),
    "csv_after_plateau": ([plateau(factor=0.5, patience=1), csv()], epochs(**FOUR)),
    "csv_before_plateau": ([csv(), plateau(factor=0.5, patience=1)], epochs(**few(5))),
    "csv_append": ([csv(append=True)], epochs(first=3, **few(2)), "epoch,loss\r\n0,0.5\r\n"),
    "csv_append_to_nothing": ([csv(append=True)], epochs(**few(2))),
    "csv_append_to_an_empty_file": ([csv(append=True)], epochs(**few(2)), ""),
    "csv_append_to_half_a_line": ([csv(append=True)], epochs(**few(2)), "half"),
    "csv_overwrites": ([csv()], epochs(**few(2)), "old"),
    "nan_ends_it": ([["TerminateOnNaN", {}]], epochs(batches=3, loss=[0.5, 0.4, INF, 0.3])),
    "all_of_them": ([plateau(patience=1), early(patience=3, restore_best_weights=True), save("{epoch}-{learning_rate:.4f}.keras", save_best_only=True),
                     csv(), ["TerminateOnNaN", {}]], epochs(batches=1, **FOUR)),
    "board": ([board()], epochs(batches=2, **few(3))),
    # With another number of batches there would be no epoch curve: Keras 3 writes it only if the last batch is one that is written.
    "board_batches": ([board(update_freq=2)], epochs(batches=4, **few(3))),
    "board_every_batch": ([board(update_freq="batch")], epochs(batches=2, **few(2, TWO))),
    "board_histograms": ([board(histogram_freq=2)], epochs(batches=1, **few(3))),
    "board_numbers": ([board()], epochs(loss=[NAN, INF, 0.125, -0.0])),
    "board_after_plateau": ([plateau(factor=0.5, patience=1), board()], epochs(**few(5))),
}

REPRS = [0.0, -0.0, 1.0, -1.5, 0.1, 1e15, 1e16, 123456789012345678.0, 1e-4, 1e-5, 1.5e-7, 5e-324, 1.7976931348623157e308, NAN, INF, -INF, 2 / 3,
         single(0.1), 9999999999999998.0, 1e22, 0.00012345]
FORMATS = [("{epoch}", 7), ("{epoch:d}", 7), ("{epoch:02d}", 7), ("{epoch:5d}|", 7), ("{epoch:+04d}", 7), ("{epoch:.1f}", 7), ("{epoch:03}", 7),
           ("{epoch:02d}", 123), ("{{{epoch}}}", 7), ("a}}b{{", 7)]
FORMATS += [(f"{{loss{spec}}}", x) for spec in ("", ":.2f", ":08.3f", ":+.1f", ":.0f", ":8.2f", ":.3e", ":012.2e", ":f", ":e", ":.5f")
            for x in (0.0, -0.0, 0.125, 2.675, -1.5, 1234567.891, 1e-9, 9.995, 1e22, NAN, -INF)]


def number(x):
    """Numbers that JSON cannot represent become strings."""
    return x if isinstance(x, int) or np.isfinite(x) else str(x)


def built():
    """A model with its metrics, which Keras creates in the first fit."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((3,), name="input")
    model = keras.Model(inputs, keras.layers.Dense(2, "softmax", name="dense")(inputs))
    model.compile(keras.optimizers.SGD(RATE), "sparse_categorical_crossentropy", metrics=["accuracy"])
    x, y = np.zeros((2, 3), "float32"), np.zeros(2, "int32")
    model.fit(x, y, validation_data=(x, y), verbose=0)
    return model


def weights(epoch):
    """The weights of an epoch: the bias is its number; the kernel has additional values for the histogram."""
    return [np.float32(epoch + 1) + np.float32([[0, 0.5], [0.25, 0.75], [0.3, -2.2]]), np.float32([epoch + 1, epoch + 1])]


class Watched:
    """Records the saves of a model, and the printed text."""

    def __init__(self, model):
        self.model, self.saved, self.rate = model, [], None
        object.__setattr__(model, "save", lambda path, overwrite: self.saved.append([path, False]))
        object.__setattr__(model, "save_weights", lambda path, overwrite: self.saved.append([path, True]))

    def tell(self, step):
        """The actions of a step: printed text, saves, a changed learning rate, whether the fit should stop."""
        self.saved.clear()
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            step()
        told, rate = {"printed": printed.getvalue(), "saved": list(self.saved), "stop": self.model.stop_training}, self.rate
        self.rate = float(self.model.optimizer.learning_rate.numpy())
        if self.rate != rate:
            told["rate"] = self.rate
        return {key: value for key, value in told.items() if value}


def record(model, callbacks, table, before=None):
    if before is not None:
        Path("log.csv").write_bytes(before.encode())
    model.stop_training = False
    model.optimizer.learning_rate = RATE
    model.optimizer.iterations.assign(0)
    watched, told, iterations = Watched(model), [], 0
    made = [getattr(keras.callbacks, name)(**config) for name, config in callbacks]

    def everyone(hook, *arguments):
        for callback in made:
            getattr(callback, hook)(*arguments)

    everyone("set_model", model)
    everyone("on_train_begin")
    for row in table:
        model.set_weights(weights(row["epoch"]))
        everyone("on_epoch_begin", row["epoch"])
        of_batches = []
        for batch, logs in enumerate(row["batches"]):
            iterations += 1
            model.optimizer.iterations.assign(iterations)

            def step():
                everyone("on_train_batch_begin", batch)
                everyone("on_train_batch_end", batch, dict(logs))

            of_batches.append(watched.tell(step))
            if model.stop_training:
                break
        if model.stop_training:
            told.append({"batches": of_batches})
            break
        validated = {name.removeprefix("val_"): x for name, x in row["logs"] if name.startswith("val_")}
        logs = dict(row["logs"])

        def end():
            if validated:
                everyone("on_test_begin")
                everyone("on_test_end", validated)
            everyone("on_epoch_end", row["epoch"], logs)

        row_told = {"batches": of_batches, **watched.tell(end)}
        if len(logs) > len(row["logs"]):
            row_told["logs"] = [[name, number(x)] for name, x in logs.items()]
        told.append(row_told)
        if model.stop_training:
            break
    last = watched.tell(lambda: everyone("on_train_end"))
    last["weights"] = float(model.get_weights()[1][0])
    return told, last


def events(folder):
    """The records of the event files in a folder, except the first, as Event messages without their time."""
    found = []
    for path in sorted(Path(folder).glob("events.out.tfevents.*")):
        for raw in list(tf.compat.v1.io.tf_record_iterator(str(path)))[1:]:
            event = tf.compat.v1.Event.FromString(raw)
            event.ClearField("wall_time")
            found.append(event.SerializeToString(deterministic=True).hex())
    return found


def main():
    model = built()
    metrics = [[m.name, {"up": "higher", "down": "lower"}[m._direction]] for m in model.metrics[1].metrics]
    lines = []
    for name, (callbacks, table, *before) in CASES.items():
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            told, last = record(model, callbacks, table, *before)
            line = {"name": name, "callbacks": [{"class_name": c, "config": config} for c, config in callbacks]}
            for row in table:
                row["logs"] = [[n, number(x)] for n, x in row["logs"]]
                row["batches"] = [[[n, number(x)] for n, x in logs] for logs in row["batches"]]
            line |= {"epochs": table, "told": told, "end": last}
            if before:
                line["before"] = before[0]
            if os.path.exists("log.csv"):
                line["csv"] = Path("log.csv").read_bytes().decode()
            if os.path.exists("logs"):
                line["events"] = {side: events(f"logs/{side}") for side in ("train", "validation")}
            lines.append(line)
    bits = lambda x: struct.pack(">d", x).hex()
    document = {"keras": keras.__version__, "rate": RATE, "metrics": metrics,
                "weights": {"kernel": weights(-1)[0].ravel().tolist(), "bias": weights(-1)[1].tolist()},
                "reprs": [[bits(x), repr(x)] for x in REPRS],
                "formats": [[text, number(x), text.format(epoch=x, loss=x)] for text, x in FORMATS], "cases": lines}
    head = {key: value for key, value in document.items() if key != "cases"}
    body = ",\n".join(json.dumps(line, allow_nan=False) for line in lines)
    text = json.dumps(head, allow_nan=False)[:-1] + ', "cases": [\n' + body + "\n]}\n"
    (DATA / "callbacks.json").write_text(text)
    print(f"{len(lines)} cases, {len(text)} bytes")


if __name__ == "__main__":
    main()
