#!/bin/sh
''''exec "${INTEROP_VENV:-$(dirname "$0")/../../target/interop-venv}/bin/python" "$0" "$@" # '''
"""Exports the random networks of draw_models.py to ONNX and imports them again: onnx_random.py FOLDER [--library libmnist.so]

Passes if onnx.checker accepts every file, onnxruntime's results are within 1e-5 of the library's, and the library reads its own files
and computes the same again."""

import argparse
import json
import sys
from pathlib import Path

from onnx_side import LIBRARY, NEAR, Library, Loaded, MnistError, np, off, run, save

parse = argparse.ArgumentParser()
parse.add_argument("folder", type=Path)
parse.add_argument("--library", default=LIBRARY)
args = parse.parse_args()
library = Library(args.library)
failed, worst, unread = 0, 0.0, []
files = sorted(args.folder.glob("*.json"), key=lambda file: int(file.stem))
for file in files:
    arrays = dict(np.load(file.with_suffix(".npz")))
    x, classes, _ = arrays.pop("x"), int(arrays.pop("classes")), arrays.pop("labels")
    try:
        model = library.model(file.read_text(), arrays)
        own = model.predict(x, (classes,))
        path = save(model, file.with_suffix(".onnx"))
        difference = off(run(path, x), own)
        worst = max(worst, difference)
        if difference > NEAR:
            raise AssertionError(f"onnxruntime is off by {difference:.2e}")
    except Exception as error:
        failed += 1
        classes_of = [layer["class_name"] for layer in json.loads(file.read_text())["config"]["layers"]]
        print(f"{file.name}: {type(error).__name__}: {str(error)[:400]}\n  {classes_of}", flush=True)
        continue
    try:
        again = Loaded(library, path)
        difference = off(again.predict(x, (classes,)), own)
        if difference > NEAR:
            failed += 1
            print(f"{file.name}: read again, off by {difference:.2e}", flush=True)
    except MnistError as error:
        unread.append(f"{file.name}: {error}")
print("\n".join(unread))
print(f"{len(files)} networks, {failed} failed, off by {worst:.1e} at most; {len(unread)} files that the library does not read itself")
sys.exit(1 if failed else 0)
