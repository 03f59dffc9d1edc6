#!/bin/sh
''''exec "${INTEROP_VENV:-$(dirname "$0")/../../target/interop-venv}/bin/python" "$0" "$@" # '''
"""Tests files of every version of Keras 3, and of tf_keras, which writes Keras 2's formats: small networks with each optimizer.

    keras_versions.py [--versions 3.0.5 ...] [--record] [--library target/release/libmnist.so] [--folder target/interop]

With --record the files whose form differs from the others' are written to tests/data/interop/keras/versions.

Each version's wheel is unpacked to a folder of its own, which comes before the environment's packages in sys.path. Each version trains
networks for some steps, writes and reads them, and records their predictions and the next losses. The library must read the files, predict
the same (1e-5), and continue with the same losses (1e-4)."""

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NEAR, SAME = 1e-5, 1e-4
# 3.0.0 is omitted: its batch normalization has another gradient, which 3.0.5 corrected.
VERSIONS = ["keras==" + version for version in (
    "3.0.5", "3.1.1", "3.2.1", "3.3.3", "3.4.1", "3.5.0", "3.6.0", "3.7.0", "3.8.0", "3.9.2", "3.10.0", "3.11.3", "3.12.0",
    "3.13.2", "3.14.1", "3.15.1")] + ["tf_keras==2.21.0"]
BATCH, SAMPLES = 8, 24
RECORDED = {"keras==3.0.5": ["convolutions.keras"], "keras==3.9.2": ["nadam.keras", "gathered.keras"],
            "tf_keras==2.21.0": ["sgd.h5", "legacy_amsgrad.h5", "legacy_ftrl.h5"]}


def write(folder):
    """Runs with the tested version: writes the files and the expected results."""
    sys.path.pop(0)  # the first entry is this folder, which has a keras.py
    os.environ.update(KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="", TF_ENABLE_ONEDNN_OPTS="0",
                      OMP_NUM_THREADS="1")
    import numpy as np
    legacy = "tf_keras" in folder.name
    if legacy:
        import tf_keras as keras
    else:
        import keras
    L, O = keras.layers, keras.optimizers
    draw = np.random.default_rng(1)
    x = np.round(draw.uniform(-1, 1, (SAMPLES, 6, 6, 1)) * 64).astype(np.float32) / 64
    labels = draw.integers(0, 4, SAMPLES)

    def convolutions():
        y = start = keras.Input((6, 6, 1))
        y = L.BatchNormalization()(L.Conv2D(3, 3, activation="relu")(y))
        y = L.Dropout(0.0)(L.MaxPooling2D()(y))
        y = L.Flatten()(y)
        shared = L.Dense(12, "tanh")
        y = L.Add()([y, shared(shared(y))])
        return keras.Model(start, L.Dense(4, "softmax")(y))

    def chain():
        start = [L.InputLayer((6, 6, 1))] if legacy else [keras.Input((6, 6, 1))]
        return keras.Sequential(start + [L.Flatten(), L.Dense(6, "relu"), L.Dense(4, "softmax")])

    def all_of(O, **more):
        return {
            "sgd": lambda: O.SGD(0.05, **more), "momentum": lambda: O.SGD(0.05, momentum=0.9, nesterov=True, **more),
            "rmsprop": lambda: O.RMSprop(0.003, momentum=0.5, centered=True, **more), "adam": lambda: O.Adam(0.01, **more),
            "amsgrad": lambda: O.Adam(0.01, amsgrad=True, **more), "adamax": lambda: O.Adamax(0.01, **more),
            "nadam": lambda: O.Nadam(0.01, **more), "adagrad": lambda: O.Adagrad(0.1, **more),
            "adadelta": lambda: O.Adadelta(1.0, **more), "ftrl": lambda: O.Ftrl(0.1, **more)}

    schedule = O.schedules.CosineDecay(0.01, 50)
    made = all_of(O)
    made |= {"schedule": lambda: O.Nadam(schedule), "adamw": lambda: O.AdamW(0.01, weight_decay=0.1), "ema": lambda: O.Adam(0.01, use_ema=True)}
    if not legacy and tuple(map(int, keras.__version__.split(".")[:2])) >= (3, 5):  # earlier versions count batches in Adam, not steps
        made["gathered"] = lambda: O.Adam(0.01, use_ema=True, gradient_accumulation_steps=2)
    if legacy:  # its Nadam has another formula and is refused
        made |= {f"legacy_{name}": make for name, make in all_of(O.legacy).items() if name != "nadam"}
        made["legacy_decay"] = lambda: O.legacy.Adam(0.01, decay=0.1)
        made["legacy_schedule"] = lambda: O.legacy.SGD(schedule, momentum=0.9)

    def steps(model):
        losses = []
        for i in range(0, SAMPLES, BATCH):
            model.reset_metrics()
            losses.append(float(np.ravel(model.train_on_batch(x[i:i + BATCH], labels[i:i + BATCH]))[0]))
        return losses

    said = {"x": x.ravel().tolist(), "labels": labels.tolist(), "files": {}}
    networks = [("convolutions", convolutions, made["adam"])] + [(name, chain, make) for name, make in made.items()]
    for name, network, make in networks:
        keras.utils.set_random_seed(1)
        model = network()
        logits = {"loss": keras.losses.SparseCategoricalCrossentropy(), "metrics": [keras.metrics.SparseCategoricalAccuracy()]}
        said_by_name = {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]}
        model.compile(optimizer=make(), **(said_by_name if name == "convolutions" else logits))
        steps(model)
        # A .keras file has no variables of legacy optimizers; Keras 3 before 3.7 cannot train all models that it reads from .h5.
        forms = [] if name.startswith("legacy_") else ["keras"]
        [model.save(folder / f"{name}.{form}") for form in forms]
        try:
            model.save(folder / f"{name}.h5")
            forms.append("h5")
        except ValueError:
            pass  # Keras 3 before 3.3 gives several optimizer variables the same name
        again = keras.models.load_model(folder / f"{name}.{forms[0]}")
        predictions = np.array(again(x, training=False)).ravel().tolist()
        # tf_keras loses the product of Nadam's momenta, which the library recomputes.
        expected = {"predictions": predictions, "losses": steps(model if legacy else again)}
        said["files"] |= {f"{name}.{form}": expected for form in forms}
    (folder / "said.json").write_text(json.dumps(said))


def unpacked(what, folder):
    """The folder of a version's packages."""
    place = folder / "packages" / what
    if not place.exists():
        more = ["dm-tree", "attrs"] if what.startswith(("keras==3.0.", "keras==3.1.", "keras==3.2.")) else []
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--target", place]
        subprocess.run(command + [what] + more, check=True)
    return place


def compare(what, folder, library):
    """The number of its files that pass, and the number of all its files."""
    import numpy as np
    from libmnist import Loaded, check
    said = json.loads((folder / "said.json").read_text())
    x, labels = np.array(said["x"], np.float32).reshape(SAMPLES, 6, 6, 1), np.array(said["labels"], np.uint8)
    failed = 0
    for name, expected in said["files"].items():
        try:
            loaded = Loaded(library, folder / name, {})
            check("predictions", loaded.predict(x, (4,)), np.reshape(expected["predictions"], (SAMPLES, 4)), NEAR)
            check("losses", loaded.fit(x, labels, BATCH), expected["losses"], SAME)
        except Exception as error:
            print(f"{what}: {name}: {error}", flush=True)
            failed += 1
    return len(said["files"]) - failed, len(said["files"])


def record(folder):
    """Copies the files and the expected results."""
    to = ROOT / "tests" / "data" / "interop" / "keras" / "versions"
    to.mkdir(parents=True, exist_ok=True)
    files = {}
    for what, names in RECORDED.items():
        said = json.loads((folder / "versions" / what / "said.json").read_text())
        for name in names:
            place = f"{what.replace('==', '-')}-{name}"
            shutil.copy(folder / "versions" / what / name, to / place)
            files[place] = said["files"][name]
    said["files"] = files
    (to / "said.json").write_text(json.dumps(said) + "\n")


def main():
    parse = argparse.ArgumentParser()
    parse.add_argument("--versions", nargs="*", default=[])
    parse.add_argument("--record", action="store_true")
    parse.add_argument("--write", type=Path)
    parse.add_argument("--library", default=ROOT / "target" / "release" / "libmnist.so")
    parse.add_argument("--folder", type=Path, default=ROOT / "target" / "interop")
    args = parse.parse_args()
    if args.write:
        return write(args.write)
    sys.path[0] = str(ROOT / "tests" / "keras")
    from libmnist import Library
    library, well, all_files = Library(args.library), 0, 0
    for what in VERSIONS:
        if args.versions and what.partition("==")[2] not in args.versions:
            continue
        folder = args.folder / "versions" / what
        folder.mkdir(parents=True, exist_ok=True)
        environment = os.environ | {"PYTHONPATH": str(unpacked(what, args.folder))}
        done = subprocess.run([sys.executable, __file__, "--write", folder], env=environment, capture_output=True, text=True)
        if done.returncode:
            print(f"{what}: {done.stderr[-2000:]}", flush=True)
            all_files += 1
            continue
        passed, count = compare(what, folder, library)
        print(f"{what}: {passed} of {count} files", flush=True)
        well, all_files = well + passed, all_files + count
    print(f"{well} passed, {all_files - well} failed")
    if args.record:
        record(args.folder)
    sys.exit(0 if well == all_files else 1)


main()
