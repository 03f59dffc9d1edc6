"""Shared by torch_fit.py and keras_fit.py: options, data and output.

The network is the tutorial's, and its sizes can be changed:

    conv2d(filters A, kernel K, relu), conv2d(filters B, kernel K, relu), flatten, dense(N, relu), dense(M classes)

or one of networks/, in Keras's JSON. mnist_fit.c has the same options and the same data: change both together."""

import argparse
import json
import os
import resource
import time
from pathlib import Path

DATA = Path(__file__).resolve().parents[2] / "examples" / "data" / "mnist.npz"
SIDE = 28  # of a digit, in pixels
WARM_UP = 64  # untimed steps, for caches, thread pools and compilers
PREDICTIONS = 200  # of one image
THOUSANDS = 10  # of a thousand images
EVALUATION_BATCH = 256


def sizes(count):
    """A parser of `count` sizes, separated by commas."""
    def parse(text):
        numbers = tuple(int(word) for word in text.split(","))
        if len(numbers) != count or min(numbers) < 1:
            raise ValueError(text)
        return numbers
    parse.__name__ = f"{count} sizes"  # for argparse's message
    return parse


def parser(description):
    p = argparse.ArgumentParser(description=description)
    p.add_argument("--steps", type=int, default=400, help=f"of the fit; the first {WARM_UP} are not timed")
    p.add_argument("--batch", type=int, default=32)
    p.add_argument("--threads", type=int, default=os.cpu_count())
    p.add_argument("--images", type=int, default=60000, help="training images to hold in memory")
    p.add_argument("--fit-only", action="store_true", help="neither evaluate nor predict")
    p.add_argument("--input", type=sizes(3), default=(SIDE, SIDE, 1), metavar="H,W,C")
    p.add_argument("--filters", type=sizes(2), default=(32, 64), metavar="A,B")
    p.add_argument("--kernel", type=int, default=3)
    p.add_argument("--dense", type=int, default=128)
    p.add_argument("--classes", type=int, default=10)
    p.add_argument("--network", metavar="FILE", type=Path, help="one of networks/ in the place of the tutorial's")
    p.add_argument("--data", default=DATA)
    return p


def parse(p):
    """The options, with their dependencies checked."""
    options = p.parse_args()
    if options.steps <= WARM_UP or options.steps * options.batch > options.images:
        p.error(f"--steps must be above {WARM_UP}, and --steps times --batch at most --images")
    if min(options.input[:2]) < SIDE or not 10 <= options.classes <= 256:
        p.error(f"--input must be {SIDE},{SIDE} or larger, --classes 10 to 256")
    return options


def shaped(digits, shape):
    """Digits at the centre of a black image `[N, H, W, C]`, channel c being digit // (c + 1); float32, 0 to 1."""
    import numpy as np  # imported here because the peers time their imports, which include numpy
    height, width, channels = shape
    top, left = (height - SIDE) // 2, (width - SIDE) // 2
    images = np.zeros((len(digits), *shape), "float32")
    for c in range(channels):
        images[:, top:top + SIDE, left:left + SIDE, c] = digits // (c + 1)
    images /= 255  # in place, so that no copy adds to the peak memory
    return images


def classed(labels, classes):
    """Labels for more than ten classes: label + 10 * (i % (classes // 10)) for image i."""
    import numpy as np
    return labels.astype("int64") + 10 * (np.arange(len(labels)) % (classes // 10))


def load(options, part):
    """Images `[N, H, W, C]` and labels `[N]` of the `part` "train" (the requested number) or "test" (all)."""
    import numpy as np
    with np.load(options.data) as archive:
        count = options.images if part == "train" else None
        digits, labels = archive[f"x_{part}"][:count], archive[f"y_{part}"][:count]
    return shaped(digits, options.input), classed(labels, options.classes)


def network(options):
    """The network in the format of Keras's `to_json()`; None for the tutorial's network."""
    return options.network.read_text() if options.network else None


def timed(work, times=1):
    """Milliseconds per call, the mean of several calls."""
    start = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - start) / times * 1e3


def peak_mb():
    """The peak memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def report(peer, version, options, **results):
    """Prints the line of JSON that compare reads."""
    rounded = {key: round(value, 3) for key, value in results.items()}
    print(json.dumps(dict(peer=peer, version=version, threads=options.threads, batch=options.batch, **rounded)))
