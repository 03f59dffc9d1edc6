"""The Keras side of record.py and random_models.py: a model's weights by name, its output, its gradients, its training."""

import gc
import json
import os

os.environ.update(KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="0", CUDA_VISIBLE_DEVICES="",
                  TF_DETERMINISTIC_OPS="1", OMP_NUM_THREADS="1")
import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)
tf.get_logger().setLevel("ERROR")
gc.freeze()  # clear_session runs the garbage collector, which then skips Keras's own objects

RANDOM = (keras.layers.Dropout, keras.layers.SpatialDropout1D, keras.layers.SpatialDropout2D, keras.layers.GaussianNoise)
DIFFERS = (keras.layers.BatchNormalization, *RANDOM)  # layers that behave differently in training


def variables(model):
    """The model's variables by the library's names, `layer/variable`."""
    return {f"{layer.name}/{v.name}": v for layer in model.layers for v in layer.weights if v.name != "seed_generator_state"}


def trainable(model):
    wanted = {id(v) for v in model.trainable_variables}
    return {name: v for name, v in variables(model).items() if id(v) in wanted}


def values(model):
    return {name: np.array(v.numpy()) for name, v in variables(model).items()}


def set_values(model, weights):
    for name, v in variables(model).items():
        v.assign(weights[name])


def output(model, x, training=False):
    return np.array(model(tf.constant(x), training=training))


def gradients(model, x, c):
    """The gradients of sum(c * output), in training mode, with respect to the input and to each weight that is trained."""
    weights = trainable(model)
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(c * model(x, training=True))
    found = tape.gradient(total, [x, *(v.value for v in weights.values())], unconnected_gradients="zero")
    return np.array(found[0]), {name: np.array(g) for name, g in zip(weights, found[1:])}


def train(model, optimizer, x, labels, batch_size, steps=None):
    """Trains on the batches in order; returns the loss of each step before its update, including regularizers."""
    model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy", run_eagerly=True)
    losses, batches = [], -(-len(x) // batch_size)
    for step in range(batches if steps is None else steps):
        at = slice(step % batches * batch_size, (step % batches + 1) * batch_size)
        model.reset_metrics()  # otherwise train_on_batch returns a running mean
        losses.append(float(model.train_on_batch(x[at], labels[at])))
    return losses


def optimizer_config(optimizer):
    """The class and its config for the library, without the counter that Keras puts into the name."""
    said = keras.optimizers.serialize(optimizer)
    said["config"]["name"] = said["class_name"].lower()
    return json.loads(json.dumps({"class_name": said["class_name"], "config": said["config"]}))


def optimizer(config):
    return keras.optimizers.deserialize(json.loads(json.dumps(config)))


def fill(name, shape, draw):
    """Initial values of a weight, none of which makes a part of the layer ineffective."""
    kind = name.rpartition("/")[2]
    if kind == "moving_variance":
        low, high = 0.5, 1.5
    elif kind == "gamma":
        low, high = 0.5, 1.5
    elif kind == "alpha":
        low, high = -0.25, 0.5
    elif kind in ("bias", "beta", "moving_mean"):
        low, high = -0.5, 0.5
    else:
        fan = max(1, int(np.prod(shape[:-1])))
        high = min(1.0, 1.7 / np.sqrt(fan))
        low = -high
    return grid(draw.uniform(low, high, shape), 256)


def grid(x, steps):
    """Numbers on a grid, so that sums of products are nearly exact in any order, and the file compresses well."""
    return (np.round(np.asarray(x) * steps) / steps).astype(np.float32)


def distinct(shape, draw):
    """Distinct numbers from -2 to 2 on a grid of 1/16 or finer, so that every window has a unique maximum. They are offset by half a step, so
    that none is at a point where a function's slope changes."""
    count = int(np.prod(shape))
    steps = 16
    while 4 * steps < count:
        steps *= 2
    return ((draw.permutation(4 * steps)[:count] - 2 * steps + 0.5) / steps).astype(np.float32).reshape(shape)
