#!/bin/sh
''''exec "${INTEROP_VENV:-$(dirname "$0")/../../target/interop-venv}/bin/python" "$0" "$@" # '''
"""Exports the tutorial's network and those of benches/peers to ONNX: onnx_examples.py [--data mnist.npz] [--library libmnist.so] [--images 10000]

Each network is first trained for some steps. The test passes if onnx.checker accepts the file, and if on the test images the
probabilities of onnxruntime, and of the library after it has read the file again, are within 1e-5 of the original ones."""

import argparse
import ctypes
import json
import sys
import tempfile
from pathlib import Path

from onnx_side import LIBRARY, NEAR, ROOT, Library, Loaded, np, off, run, save

BATCH = 500


def tutorial():
    layer = lambda name, **config: {"class_name": name, "config": config}
    layers = [layer("InputLayer", batch_shape=[None, 28, 28, 1]), layer("Conv2D", filters=32, kernel_size=3, activation="relu"),
              layer("Conv2D", filters=64, kernel_size=3, activation="relu"), layer("Flatten"), layer("Dense", units=128, activation="relu"),
              layer("Dense", units=10, activation="softmax")]
    for number, each in enumerate(layers):
        each["config"]["name"] = f"layer_{number}"
    return json.dumps({"class_name": "Sequential", "config": {"name": "tutorial", "layers": layers}})


def main():
    parse = argparse.ArgumentParser()
    parse.add_argument("--data", type=Path, default=ROOT / "examples" / "data" / "mnist.npz")
    parse.add_argument("--library", default=LIBRARY)
    parse.add_argument("--images", type=int, default=10_000)
    args = parse.parse_args()
    library, folder = Library(args.library), Path(tempfile.mkdtemp(prefix="mnist-onnx-"))
    arrays = np.load(args.data)
    x = (arrays["x_test"][:args.images, ..., None] / np.float32(255)).astype(np.float32)
    train = (arrays["x_train"][:640, ..., None] / np.float32(255)).astype(np.float32)
    labels = arrays["y_train"][:640]
    failed = 0
    networks = {file.stem: file.read_text() for file in sorted((ROOT / "benches/peers/networks").glob("*.json"))}
    for name, network in {**networks, "tutorial": tutorial()}.items():
        model = Loaded.described(library, network)
        options = library.options("compile_options")
        library.call("model_compile", model, ctypes.byref(options))
        losses = model.fit(train, labels, 64)
        path = save(model, folder / f"{name}.onnx")
        again = Loaded(library, path)
        far, far_again = 0.0, 0.0
        for start in range(0, len(x), BATCH):
            part = x[start:start + BATCH]
            own = model.predict(part, (10,))
            far = max(far, off(run(path, part), own))
            far_again = max(far_again, off(again.predict(part, (10,)), own))
        fine = max(far, far_again) <= NEAR
        failed += not fine
        print(f"{name}: {len(x)} images, off by {far:.1e}, read again {far_again:.1e}; loss {losses[0]:.2f} to {losses[-1]:.2f}; "
              f"{path.stat().st_size} bytes{'' if fine else ': FAILED'}", flush=True)
    sys.exit(1 if failed else 0)


main()
