#!/bin/sh
''''exec "${INTEROP_VENV:-$(dirname "$0")/../../target/interop-venv}/bin/python" "$0" "$@" # '''
"""Records tests/data/interop/keras/forms: the weights of a dense layer in every form that h5py can write datasets and groups.

The i-th number of a weight is ((7 i) mod 33 - 16) / 8, which is exact in float16, too."""

from pathlib import Path

import h5py
import numpy as np

FOLDER = Path(__file__).resolve().parents[2] / "tests" / "data" / "interop" / "keras" / "forms"
SHAPES = [(5, 7), (7,)]
PARTS = {2: (3, 2), 1: (2,)}  # chunks that extend beyond the edges


def compact(group, name, values):
    made = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    made.set_layout(h5py.h5d.COMPACT)
    space, kind = h5py.h5s.create_simple(values.shape), h5py.h5t.NATIVE_FLOAT
    h5py.h5d.create(group.id, name.encode(), kind, space, dcpl=made).write(h5py.h5s.ALL, h5py.h5s.ALL, values)


def dataset(**options):
    return lambda group, name, values: group.create_dataset(name, data=values, **options)


def parts(**options):
    return lambda group, name, values: group.create_dataset(name, data=values, chunks=PARTS[values.ndim], **options)


def growing(group, name, values):
    group.create_dataset(name, data=values, chunks=PARTS[values.ndim], maxshape=(None,) * values.ndim, compression="gzip")


FORMS = {
    "contiguous": (dataset(), {}),
    "gzip": (dataset(compression="gzip"), {}),
    "parts": (parts(), {}),
    "parts-gzip-shuffle": (parts(compression="gzip", compression_opts=9, shuffle=True), {}),
    "growing": (growing, {}),
    "compact": (compact, {}),
    "float16": (dataset(dtype="<f2"), {}),
    "float64-parts": (parts(dtype="<f8", compression="gzip", shuffle=True), {}),
    "big-endian": (dataset(dtype=">f4"), {}),
    "latest": (dataset(), {"libver": "latest"}),
    "latest-compact": (compact, {"libver": "latest"}),
    "latest-gzip": (dataset(compression="gzip", shuffle=True), {"libver": "latest"}),
    "latest-parts": (parts(), {"libver": "latest"}),
    "latest-parts-gzip": (parts(compression="gzip"), {"libver": "latest"}),
    "latest-growing": (growing, {"libver": "latest"}),
    "fletcher32": (parts(fletcher32=True), {}),
    "lzf": (parts(compression="lzf"), {}),
    "integers": (dataset(dtype="<i4"), {}),
    "ordered": (dataset(), {"track_order": True}),
}


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    for form, (write, options) in FORMS.items():
        with h5py.File(FOLDER / f"{form}.h5", "w", **options) as file:
            group = file.create_group("layers/dense/vars")
            for i, shape in enumerate(SHAPES):
                numbers = (np.arange(np.prod(shape)) * 7 % 33 - 16) / 8
                write(group, str(i), numbers.astype(np.float32).reshape(shape))
    with h5py.File(FOLDER / "latest-many.h5", "w", libver="latest") as file:
        for i in range(9):
            file.create_group(f"layers/dense_{i}/vars")
    with h5py.File(FOLDER / "circle.h5", "w") as file:  # a group that contains itself, and circular names in it
        file["a"] = file["/"]
        file.attrs["layer_names"] = [b"a"]
        file.attrs["weight_names"] = [b"a/" * 999 + b"a"] * 2


main()
