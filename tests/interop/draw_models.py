#!/bin/sh
''''exec "${KERAS_VENV:-$(dirname "$0")/../../target/keras-venv}/bin/python" "$0" "$@" # '''
"""Generates random networks for the other programs in this folder: draw_models.py FOLDER [--count 50] [--seed 0]

Each is written to NUMBER.json (Keras's to_json()) and NUMBER.npz (its weights by name, and the samples `x`)."""

import argparse
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1] / "keras")  # the default entry is this folder, which has a keras.py

from draw import Drawn
from keras_side import np

parse = argparse.ArgumentParser()
parse.add_argument("folder", type=Path)
parse.add_argument("--count", type=int, default=50)
parse.add_argument("--seed", type=int, default=0)
args = parse.parse_args()
args.folder.mkdir(parents=True, exist_ok=True)
for seed in range(args.seed, args.seed + args.count):
    drawn = Drawn([seed, 0])
    (args.folder / f"{seed}.json").write_text(drawn.network.to_json())
    np.savez(args.folder / f"{seed}.npz", x=drawn.x, classes=drawn.classes, labels=drawn.labels, **drawn.weights)
