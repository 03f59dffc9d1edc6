#!/bin/sh
''''exec "${KERAS_VENV:-$(dirname "$0")/../../target/keras-venv}/bin/python" "$0" "$@" # '''
"""Records Keras's augmented images, given the random numbers: tests/data/keras/augmentation.safetensors and augmentation.json (README.md).
The library's random numbers differ from Keras's. A case therefore either has a range with one value (a factor from f to f), or its random
numbers are recorded or passed in, and the library's test passes in the same ones."""

import json
import zlib
from pathlib import Path

from keras_side import grid, keras, np, tf
from safetensors.numpy import save_file

DATA = Path(__file__).resolve().parents[1] / "data" / "keras"
L = keras.layers
SHAPES = [(5, 6, 2), (8, 7, 1), (6, 9, 3), (1, 5, 1), (28, 28, 1)]


def table():
    """Names, shapes, layers."""
    for mode in ("horizontal", "vertical", "horizontal_and_vertical"):
        yield f"flip_{mode}", (4, 5, 3), L.RandomFlip(mode)
        yield f"flip_{mode}_one_channel", (5, 4, 1), L.RandomFlip(mode)
    for i, fill in enumerate(("constant", "nearest", "reflect", "wrap")):
        for j, interpolation in enumerate(("bilinear", "nearest")):
            how = dict(fill_mode=fill, interpolation=interpolation, fill_value=0.3)
            for k, shape in enumerate(SHAPES):
                name = f"{fill}_{interpolation}_{k}"
                at = 0.07 + 0.11 * ((5 * i + 3 * j + k) % 7)
                yield f"rotation_{name}", shape, L.RandomRotation((at - 0.4, at - 0.4), **how)
                yield f"translation_{name}", shape, L.RandomTranslation((at - 0.3, at - 0.3), (0.41 - at, 0.41 - at), **how)
                yield f"zoom_{name}", shape, L.RandomZoom((at - 0.4, at - 0.4), (0.6 - at, 0.6 - at), **how)
    yield "rotation_default", (7, 8, 2), L.RandomRotation((0.31, 0.31))
    yield "rotation_quarter", (6, 6, 1), L.RandomRotation((0.25, 0.25), fill_mode="constant")
    yield "translation_default", (7, 8, 2), L.RandomTranslation((0.55, 0.55), (-0.93, -0.93))
    yield "translation_whole_pixels", (8, 4, 2), L.RandomTranslation((0.25, 0.25), (-0.5, -0.5), fill_mode="wrap")
    yield "translation_all", (4, 5, 1), L.RandomTranslation((1, 1), (-1, -1), fill_mode="constant", fill_value=-2)
    yield "zoom_aspect", (7, 8, 2), L.RandomZoom((0.37, 0.37))
    yield "zoom_out", (7, 8, 2), L.RandomZoom((1, 1), fill_mode="wrap")
    yield "zoom_in", (9, 8, 2), L.RandomZoom((-0.83, -0.83), (-0.9, -0.9))
    for i, shape in enumerate(SHAPES):
        yield f"contrast_{i}", shape, L.RandomContrast((0.6, 0.8), value_range=(0.1, 0.9))
        yield f"brightness_{i}", shape, L.RandomBrightness((0.23, 0.23), value_range=(0, 1))
        yield f"brightness_less_{i}", shape, L.RandomBrightness((-0.4, -0.4), value_range=(-0.1, 1.5))
        yield f"erasing_{i}", shape, L.RandomErasing(1.0, (0.1, 0.6), fill_value=0.4, value_range=(0, 1))
    yield "erasing_outside_range", (6, 5, 1), L.RandomErasing(1.0, (0.1, 0.6), fill_value=7, value_range=(0, 1))
    yield "erasing_three", (6, 5, 3), L.RandomErasing((1, 1), (0.4, 0.9), fill_value=[0.2, 0.5, 3], value_range=(0, 1))
    yield "erasing_all", (6, 5, 1), L.RandomErasing(1.0, (1, 1), fill_value=0.7, value_range=(0, 1))
    for fill in ("constant", "nearest", "reflect", "wrap"):
        for interpolation in ("bilinear", "nearest"):
            how = dict(fill_mode=fill, interpolation=interpolation, fill_value=0.3, value_range=(0.05, 0.95))
            yield f"elastic_{fill}_{interpolation}", (28, 28, 1), L.RandomElasticTransform((1, 1), (0.9, 0.9), **how)
            yield f"elastic_small_{fill}_{interpolation}", (7, 9, 3), L.RandomElasticTransform((1, 1), (1, 1), **how)
    yield "elastic_wide", (45, 60, 2), L.RandomElasticTransform((1, 1), (0.95, 0.95), value_range=(0, 1))
    yield "elastic_default", (24, 28, 1), L.RandomElasticTransform((1, 1), (0.4, 0.4))


def flips(layer, x, arrays):
    """Flips every second image."""
    flipped = np.arange(len(x)) % 2 == 1
    arrays["flips"] = flipped.astype(np.uint8)
    return layer.transform_images(x, {"flips": tf.constant(flipped[:, None, None, None]), "input_shape": x.shape})


def contrasts(layer, x, arrays):
    """Factors below and above 1."""
    arrays["factors"] = np.array([0.4, 1.7, 1], np.float32)
    return layer.transform_images(x, {"contrast_factor": tf.constant(arrays["factors"][:, None, None, None])})


def erases(layer, x, arrays):
    """The rectangle that Keras erased in each image, [left, right, top, bottom]."""
    bounds, compute = [], layer._compute_crop_bounds

    def kept(*args):
        found = compute(*args)
        bounds.extend(np.array(a) for a in found)
        return found

    layer._compute_crop_bounds = kept
    transformation = layer.get_random_transformation(x, training=True)
    transformation["apply_erasing"] = tf.constant(np.arange(len(x)) % 3 != 2)
    arrays["bounds"] = np.stack(bounds, axis=1)
    arrays["applies"] = np.array(transformation["apply_erasing"]).astype(np.uint8)
    return layer.transform_images(x, transformation)


def distorts(layer, x, arrays):
    """Distorts with given fields. (Keras itself uses the same field for both directions.)"""
    draw = np.random.default_rng(7)
    arrays["fields"] = draw.standard_normal((2, *x.shape[:3])).astype(np.float32)
    fields, normal = [tf.constant(a) for a in arrays["fields"]], tf.random.stateless_normal
    transformation = layer.get_random_transformation(x, training=True)
    transformation["apply_transform"] = tf.constant(np.arange(len(x)) % 3 != 2)
    arrays["applies"] = np.array(transformation["apply_transform"]).astype(np.uint8)
    tf.random.stateless_normal = lambda **_: fields.pop(0)
    try:
        return layer.transform_images(x, transformation)
    finally:
        tf.random.stateless_normal = normal


DRAWN = {L.RandomFlip: flips, L.RandomContrast: contrasts, L.RandomErasing: erases, L.RandomElasticTransform: distorts}


def record(name, shape, layer):
    """One case's entry in the JSON file, and its arrays."""
    drawn = DRAWN.get(type(layer))
    x = grid(np.random.default_rng(zlib.crc32(name.encode())).uniform(0, 1, (3 if drawn else 1, *shape)), 256)
    config = json.loads(keras.Sequential([keras.Input(shape), layer]).to_json())["config"]["layers"][1]["config"]
    line = {"name": name, "class": type(layer).__name__, "input": list(shape), "config": config}
    arrays = {"x": x}
    x = tf.constant(x)
    arrays["output"] = np.array(drawn(layer, x, arrays) if drawn else layer(x, training=True))
    return line, {f"{name}/{key}": np.ascontiguousarray(a) for key, a in arrays.items()}


def main():
    lines, arrays = [], {}
    for case in table():
        line, more = record(*case)
        lines.append(line)
        arrays |= more
    assert all(np.isfinite(a).all() for a in arrays.values())
    save_file(arrays, DATA / "augmentation.safetensors", metadata={"keras": keras.__version__})
    text = ",\n".join(json.dumps(line) for line in lines)
    (DATA / "augmentation.json").write_text(f'{{"keras": "{keras.__version__}", "cases": [\n{text}\n]}}\n')
    print(f"{len(lines)} cases, {len(arrays)} arrays")


main()
