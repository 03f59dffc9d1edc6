#!/bin/sh
''''exec "${KERAS_VENV:-$(dirname "$0")/../../target/keras-venv}/bin/python" "$0" "$@" # '''
"""Records Keras's results for each loss and each metric: tests/data/keras/losses.safetensors and losses.json (README.md).

    losses.py               records all cases
    losses.py NAME ...      runs only the cases whose names begin with NAME and prints the results; writes nothing
    losses.py --steady      reports cases that are not determined in single precision; writes nothing"""

import json
import sys
import zlib
from dataclasses import dataclass, field
from pathlib import Path

from keras_side import fill, grid, keras, np, optimizer, optimizer_config, output, set_values, values, variables
from keras.src.trainers.compile_utils import get_metric
from safetensors.numpy import save_file

DATA = Path(__file__).resolve().parents[1] / "data" / "keras"
L, K, M = keras.layers, keras.losses, keras.metrics
FEATURES, SAMPLES, BATCH, STEPS = 5, 10, 4, 5  # batches of 4, 4 and 2; five steps are one epoch and two thirds
IMAGE = (3, 4, 2)


# ---- random data

def one_hot(draw, n, k):
    return np.eye(k, dtype=np.float32)[draw.permutation(np.arange(n) % k)]


def labels(draw, n, k):
    return draw.permutation(np.arange(n) % max(k, 2)).astype(np.uint8)


def zero_one(draw, n, k):
    return labels(draw, n * k, 2).reshape(n, k).astype(np.float32)


def signs(draw, n, k):
    return 2 * zero_one(draw, n, k) - 1


def shares(draw, n, k):
    """Probabilities on a grid of 1/64 that sum to 1; some rows contain a zero."""
    cuts = np.sort(draw.integers(0, 65, (n, k - 1)), axis=1)
    return (np.diff(cuts, axis=1, prepend=0, append=64) / 64).astype(np.float32)


def units(draw, n, k):
    return grid(draw.uniform(0, 1, (n, k)), 64)


def reals(draw, n, k):
    return grid(draw.uniform(-2, 2, (n, k)), 64)


def positives(draw, n, k):
    return grid(draw.uniform(0.25, 3, (n, k)), 64)


def counts(draw, n, k):
    return draw.integers(0, 5, (n, k)).astype(np.float32)


def images(draw, n, _):
    return grid(draw.uniform(0, 1, (n, *IMAGE)), 64)


def some_zero_rows(draw, n, k):
    y = reals(draw, n, k)
    y[::3] = 0
    return y


# ---- networks: a Dense layer of tanh, and one that ends in `activation`

@dataclass
class Case:
    """One loss on one small network, trained for five steps."""
    name: str
    loss: keras.losses.Loss
    target: callable
    units: int = 4
    activation: str = "linear"
    shape: tuple = None  # a Reshape at the end, which hides the activation from the loss
    scale: float = 1.0  # of the last kernel: large values saturate
    bias: bool = True
    learning_rate: float = 0.1
    weights: dict = field(default_factory=dict)  # given values of some weights
    zero_samples: bool = False  # whether some samples are all 0
    weighted: bool = False
    class_weight: list = None
    config: dict = field(default_factory=dict)  # keys that get_config omits


def network(case):
    inputs = keras.Input((FEATURES,), name="input")
    hidden = L.Dense(6, "tanh", use_bias=case.bias, name="dense")(inputs)
    outputs = L.Dense(case.units, case.activation, use_bias=case.bias, name="dense_1")(hidden)
    if case.shape:
        outputs = L.Reshape(case.shape, name="reshape")(outputs)
    return keras.Model(inputs, outputs, name=case.name)


def loss_cases():
    """The table: every class, the settings that change its formula, saturated inputs, and points where the slope changes."""
    soft, sig = {"activation": "softmax"}, {"activation": "sigmoid"}
    sparse, cat, binary = K.SparseCategoricalCrossentropy, K.CategoricalCrossentropy, K.BinaryCrossentropy
    yield Case("sparse", sparse(), labels, **soft)
    yield Case("sparse_logits", sparse(from_logits=True), labels)
    yield Case("sparse_sum", sparse(reduction="sum"), labels, **soft)
    yield Case("sparse_weighted", sparse(), labels, weighted=True, **soft)
    yield Case("sparse_mean_with_sample_weight", sparse(reduction="mean_with_sample_weight"), labels, weighted=True, **soft)
    yield Case("sparse_class_weight", sparse(), labels, class_weight=[0.5, 2.0, 1.25, 3.0], **soft)
    yield Case("sparse_saturated", sparse(), labels, scale=400, **soft)
    yield Case("sparse_unfused", sparse(), labels, shape=(4,), **soft)
    yield Case("sparse_unfused_saturated", sparse(), labels, shape=(4,), scale=400, **soft)
    yield Case("categorical", cat(), one_hot, **soft)
    yield Case("categorical_logits", cat(from_logits=True), one_hot)
    yield Case("categorical_shares", cat(), shares, **soft)
    yield Case("categorical_no_shares", cat(), units, **soft)  # rows that do not sum to 1
    yield Case("categorical_smoothing", cat(label_smoothing=0.1), one_hot, **soft)
    yield Case("categorical_logits_smoothing", cat(from_logits=True, label_smoothing=0.1), one_hot)
    yield Case("categorical_class_weight", cat(), one_hot, class_weight=[0.5, 2.0, 1.25, 3.0], **soft)
    yield Case("categorical_saturated", cat(), one_hot, scale=100, **soft)
    yield Case("categorical_unfused", cat(), shares, shape=(4,), **soft)
    yield Case("categorical_unfused_saturated", cat(), one_hot, shape=(4,), scale=400, **soft)
    yield Case("categorical_of_sigmoids", cat(), one_hot, shape=(4,), **sig)  # divided by their sum
    for name, y, k in ("", zero_one, 1), ("_labels", labels, 1), ("_four", zero_one, 4), ("_shares", units, 4):
        yield Case(f"binary{name}", binary(), y, k, **sig)
    yield Case("binary_logits", binary(from_logits=True), zero_one, 4)
    yield Case("binary_smoothing", binary(label_smoothing=0.1), zero_one, 1, **sig)
    yield Case("binary_logits_smoothing", binary(from_logits=True, label_smoothing=0.1), zero_one, 4)
    yield Case("binary_weighted", binary(), zero_one, 1, weighted=True, **sig)
    yield Case("binary_class_weight", binary(), labels, 1, class_weight=[1.0, 3.5], **sig)
    yield Case("binary_saturated", binary(), zero_one, 1, scale=400, **sig)
    yield Case("binary_unfused", binary(), zero_one, 4, shape=(4,), **sig)
    yield Case("binary_unfused_saturated", binary(), zero_one, 4, shape=(4,), scale=400, **sig)
    yield Case("binary_image", binary(), images, 24, shape=IMAGE, **sig)
    for balanced in False, True:
        name, focal = "_balanced" * balanced, {"apply_class_balancing": balanced}
        yield Case(f"binary_focal{name}", K.BinaryFocalCrossentropy(**focal), zero_one, 4, **sig)
        yield Case(f"binary_focal_logits{name}", K.BinaryFocalCrossentropy(from_logits=True, gamma=1.5, alpha=0.4, **focal), zero_one, 4)
        yield Case(f"binary_focal_smoothing{name}", K.BinaryFocalCrossentropy(label_smoothing=0.1, **focal), zero_one, 1, **sig)
    yield Case("binary_focal_saturated", K.BinaryFocalCrossentropy(), zero_one, 4, scale=400, **sig)
    yield Case("binary_focal_unfused_saturated", K.BinaryFocalCrossentropy(), zero_one, 4, shape=(4,), scale=400, **sig)
    yield Case("categorical_focal", K.CategoricalFocalCrossentropy(), one_hot, **soft)
    yield Case("categorical_focal_logits", K.CategoricalFocalCrossentropy(from_logits=True, alpha=0.5, gamma=1.5), one_hot)
    yield Case("categorical_focal_smoothing", K.CategoricalFocalCrossentropy(label_smoothing=0.1), one_hot, **soft)
    yield Case("categorical_focal_saturated", K.CategoricalFocalCrossentropy(), one_hot, scale=400, **soft)

    still = {"dense_1/kernel": np.zeros((6, 4), np.float32)}  # the first step is at a point where the slope changes
    at = {**still, "dense_1/bias": np.array([0, 1, -1, 0.5], np.float32)}
    for k in 1, 4:
        yield Case(f"mean_squared_error_{k}", K.MeanSquaredError(), reals, k)
        yield Case(f"mean_absolute_error_{k}", K.MeanAbsoluteError(), reals, k)
    yield Case("mean_squared_error_labels", K.MeanSquaredError(), labels, 1)
    yield Case("mean_squared_error_weighted", K.MeanSquaredError(), reals, weighted=True)
    yield Case("mean_squared_error_sum", K.MeanSquaredError(reduction="sum"), reals, learning_rate=0.02)
    yield Case("mean_squared_error_image", K.MeanSquaredError(), images, 24, shape=IMAGE)
    yield Case("mean_squared_error_image_weighted", K.MeanSquaredError(), images, 24, shape=IMAGE, weighted=True)
    yield Case("mean_squared_error_of_softmax", K.MeanSquaredError(), one_hot, **soft)
    yield Case("mean_squared_error_of_tanh", K.MeanSquaredError(), signs, activation="tanh")
    yield Case("mean_absolute_error_at", K.MeanAbsoluteError(), signs, weights=at)
    yield Case("mean_absolute_percentage_error", K.MeanAbsolutePercentageError(), positives, learning_rate=0.001)
    yield Case("mean_absolute_percentage_error_zeros", K.MeanAbsolutePercentageError(), counts, learning_rate=1e-9)
    yield Case("mean_squared_logarithmic_error", K.MeanSquaredLogarithmicError(), positives)
    yield Case("mean_squared_logarithmic_error_below", K.MeanSquaredLogarithmicError(), reals)  # below 0, where the gradient is zero
    yield Case("huber", K.Huber(), reals, config={"delta": 1.0})
    yield Case("huber_03", K.Huber(0.3), reals, config={"delta": 0.3})
    yield Case("huber_at", K.Huber(), signs, weights=at, config={"delta": 1.0})
    yield Case("log_cosh", K.LogCosh(), reals)
    yield Case("log_cosh_far", K.LogCosh(), reals, scale=400)
    yield Case("kl_divergence", K.KLDivergence(), shares, **soft)
    yield Case("kl_divergence_saturated", K.KLDivergence(), shares, scale=400, **soft)
    yield Case("poisson", K.Poisson(), counts, activation="softplus")
    yield Case("hinge", K.Hinge(), signs, activation="tanh")
    yield Case("hinge_zero_one", K.Hinge(), zero_one, activation="tanh")
    yield Case("hinge_at", K.Hinge(), signs, weights=at)
    yield Case("squared_hinge", K.SquaredHinge(), signs)
    yield Case("squared_hinge_labels", K.SquaredHinge(), labels, 1)
    yield Case("categorical_hinge", K.CategoricalHinge(), one_hot)
    yield Case("categorical_hinge_at", K.CategoricalHinge(), one_hot, weights={**still, "dense_1/bias": np.array([1, 0, 0, 0], np.float32)})
    yield Case("cosine_similarity", K.CosineSimilarity(), reals)
    yield Case("cosine_similarity_zero_rows", K.CosineSimilarity(), some_zero_rows, bias=False, zero_samples=True)
    yield Case("regularized", K.MeanSquaredError(), reals, weighted=True)


def regularize(model):
    """The same network with a penalty, which sample weights do not multiply."""
    text = json.loads(model.to_json())
    penalty = {"module": "keras.regularizers", "class_name": "L2", "config": {"l2": 0.05}, "registered_name": None}
    text["config"]["layers"][-1]["config"]["kernel_regularizer"] = penalty
    return keras.models.model_from_json(json.dumps(text))


def record_loss(case):
    keras.utils.clear_session()
    draw = np.random.default_rng(zlib.crc32(case.name.encode()))
    model = network(case)
    if case.name == "regularized":
        model = regularize(model)
    weights = {name: fill(name, v.shape, draw) for name, v in variables(model).items()}
    weights["dense_1/kernel"] *= case.scale
    weights |= case.weights
    x, y = reals(draw, SAMPLES, FEATURES), case.target(draw, SAMPLES, case.units)
    if case.zero_samples:
        x[1::4] = 0
    sample_weight = positives(draw, SAMPLES, 1)[:, 0] if case.weighted else None
    arrays = {"x": x, "y": y} | {f"weights/{name}": w for name, w in weights.items()}
    if case.weighted:
        arrays["sample_weight"] = sample_weight
    text, config = model.to_json(), optimizer_config(keras.optimizers.SGD(case.learning_rate))
    loss = described(K.serialize(case.loss), case.config)
    found = run(text, loss, config, weights, x, y, sample_weight, case.class_weight)
    if "--steady" in sys.argv:
        steady(case.name, found, run(text, loss, config, weights, x, y, sample_weight, case.class_weight, "float64"))
    line = {"name": case.name, "loss": loss, "optimizer": config, "batch_size": BATCH, "weights": list(weights),
            "output": list(model.output_shape[1:]), "class_weight": case.class_weight, "model": text}
    return line, {f"{case.name}/{name}": a for name, a in (arrays | found).items()}


def run(text, loss, config, weights, x, y, sample_weight, class_weight, floats="float32"):
    """The output and the result of evaluate before the training, the loss of each of five steps, and the weights after them."""
    keras.config.set_floatx(floats)
    model = keras.models.model_from_json(text.replace("float32", floats))
    set_values(model, weights)
    if sample_weight is not None:  # one weight per sample, for any rank of the loss's output
        sample_weight = sample_weight.reshape(-1, *[1] * (len(model.output_shape) - 2))
    model.compile(optimizer(config), K.deserialize(json.loads(json.dumps(loss))), run_eagerly=True)
    found = {"predictions": output(model, x)}
    found["evaluate"] = [model.evaluate(x, y, BATCH, verbose=0, sample_weight=sample_weight)]
    batches, losses = -(-len(x) // BATCH), []
    for step in range(STEPS):
        at = slice(step % batches * BATCH, (step % batches + 1) * BATCH)
        weight = None if sample_weight is None else sample_weight[at]
        classes = class_weight and dict(enumerate(class_weight))
        losses.append(float(model.train_on_batch(x[at], y[at], sample_weight=weight, class_weight=classes)))
    found["losses"] = losses
    keras.config.set_floatx("float32")
    return {name: np.array(a, floats) for name, a in (found | {f"after/{n}": w for n, w in values(model).items()}).items()}


def steady(name, single, double):
    """Reports a case whose results are not determined in single precision, so that no other implementation could agree. (Results clipped at
    1 - 1e-7 are determined: single precision has 1 - 2^-23 instead.)"""
    for what, a in double.items():
        off = np.abs(single[what] - a).max() / max(np.abs(a).max(), 1e-3)
        if off > 1e-5 and "unfused_saturated" not in name:
            print(f"{name}: {what} is off by {off:.1e} in single precision")


def described(config, more=None):
    """A class and its config as JSON, with the keys that get_config omits."""
    if isinstance(config, str):
        return config
    config["config"] |= more or {}
    return json.loads(json.dumps({"class_name": config["class_name"], "config": config["config"]}))


# ---- metrics on given outputs

def metric_cases():
    """(name, metric or its name, targets, outputs), each with ten samples in three batches."""
    for name, metric, y, p, k in (
            ("accuracy_sparse", "accuracy", labels, shares, 4), ("accuracy_categorical", "accuracy", one_hot, shares, 4),
            ("accuracy_binary", "accuracy", zero_one, units, 1), ("accuracy_binary_labels", "acc", labels, units, 1),
            ("accuracy_many_binary", "accuracy", zero_one, units, 4),
            ("sparse_categorical_accuracy", M.SparseCategoricalAccuracy(), labels, shares, 4),
            ("categorical_accuracy", M.CategoricalAccuracy(), one_hot, shares, 4),
            ("binary_accuracy", M.BinaryAccuracy(), zero_one, units, 4),
            ("binary_accuracy_03", M.BinaryAccuracy(threshold=0.3), labels, units, 1),
            *((f"{sparse}top_{n}", cls(n), y, shares, 4) for n in (1, 2, 5)
              for sparse, cls, y in (("", M.TopKCategoricalAccuracy, one_hot), ("sparse_", M.SparseTopKCategoricalAccuracy, labels))),
            ("precision", M.Precision(), zero_one, units, 1), ("recall", M.Recall(), zero_one, units, 1),
            ("precision_labels", M.Precision(), labels, units, 1), ("recall_labels", M.Recall(thresholds=0.25), labels, units, 1),
            ("precision_none", M.Precision(thresholds=1.0), zero_one, units, 1),  # nothing is above 1
            ("precision_four", M.Precision(thresholds=0.25), one_hot, shares, 4), ("recall_four", M.Recall(), one_hot, shares, 4),
            ("precision_top", M.Precision(top_k=2), one_hot, shares, 4), ("recall_top", M.Recall(top_k=2), one_hot, shares, 4),
            ("precision_class", M.Precision(class_id=1, thresholds=0.2), one_hot, shares, 4),
            ("recall_class", M.Recall(class_id=2, thresholds=0.2), one_hot, shares, 4),
            ("recall_top_class", M.Recall(class_id=2, top_k=2), one_hot, shares, 4),
            ("precision_thresholds", M.Precision(thresholds=[0.1, 0.7]), zero_one, units, 1),
            *((f"f1_{average}{'_03' if t else ''}", M.F1Score(average=average, threshold=t), y, p, 4)
              for average in (None, "macro", "micro", "weighted") for t, y, p in ((None, one_hot, shares), (0.3, zero_one, units))),
            ("f1_binary", M.F1Score(average="micro", threshold=0.5), zero_one, units, 1),
            *((f"auc_{curve.lower()}_{how}{more}", M.AUC(curve=curve, summation_method=how), y, p, k)
              for curve in ("ROC", "PR") for how in ("interpolation", "minoring", "majoring")
              for more, y, p, k in (("", zero_one, units, 1), ("_four", one_hot, shares, 4))),
            ("auc_labels", M.AUC(), labels, units, 1), ("auc_borders", M.AUC(), labels, borders, 1),
            ("auc_pr_borders", M.AUC(curve="PR"), labels, borders, 1), ("auc_logits", M.AUC(from_logits=True), zero_one, reals, 1),
            ("auc_10", M.AUC(num_thresholds=10), zero_one, units, 1), ("auc_multi_label", M.AUC(multi_label=True), zero_one, units, 4),
            ("auc_one_class", M.AUC(), nothing, units, 1)):
        yield name, metric, y, p, k
    for metric in (M.MeanAbsoluteError, M.MeanSquaredError, M.RootMeanSquaredError, M.CosineSimilarity, M.R2Score, M.LogCoshError):
        for k in 1, 4:
            yield f"{metric.__name__}_{k}", metric(), reals, reals, k
    for name in "mae", "MSE", "mape", "msle", "root_mean_squared_error", "cosine_similarity", "r2_score", "log_cosh_error":
        yield f"named_{name}", name, positives, positives, 4
    yield "MeanAbsolutePercentageError", M.MeanAbsolutePercentageError(), counts, reals, 4
    yield "MeanSquaredLogarithmicError", M.MeanSquaredLogarithmicError(), counts, reals, 4
    yield "CosineSimilarity_zero_rows", M.CosineSimilarity(), some_zero_rows, some_zero_rows, 4
    yield "R2Score_weighted", M.R2Score(class_aggregation="variance_weighted_average"), reals, reals, 4
    yield "R2Score_each", M.R2Score(class_aggregation=None), reals, reals, 4
    yield "R2Score_adjusted", M.R2Score(num_regressors=2), reals, reals, 1
    yield "R2Score_constant", M.R2Score(), nothing, reals, 1
    yield "MeanSquaredError_image", M.MeanSquaredError(), images, images, 24
    yield "KLDivergence", M.KLDivergence(), shares, shares, 4
    yield "Poisson", M.Poisson(), counts, positives, 4
    for metric in M.Hinge, M.SquaredHinge:
        yield metric.__name__, metric(), signs, reals, 4
        yield f"{metric.__name__}_zero_one", metric(), zero_one, reals, 4
    yield "CategoricalHinge", M.CategoricalHinge(), one_hot, reals, 4
    yield "BinaryCrossentropy", M.BinaryCrossentropy(), zero_one, units, 4
    yield "BinaryCrossentropy_logits", M.BinaryCrossentropy(from_logits=True, label_smoothing=0.1), zero_one, reals, 1
    yield "CategoricalCrossentropy", M.CategoricalCrossentropy(), one_hot, shares, 4
    yield "CategoricalCrossentropy_logits", M.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1), one_hot, reals, 4
    yield "SparseCategoricalCrossentropy", M.SparseCategoricalCrossentropy(), labels, shares, 4
    yield "SparseCategoricalCrossentropy_logits", M.SparseCategoricalCrossentropy(from_logits=True), labels, reals, 4


def nothing(draw, n, k):
    return np.zeros((n, k), np.float32)


def borders(draw, n, k):
    """Values at the thresholds of AUC, and next to them."""
    on = np.array([0, 1, 1 / 199, 7 / 199, 100 / 199, 101 / 199, 198 / 199, 1e-9], np.float32)
    beside = np.nextafter(on[4:6], np.float32(1))
    return draw.permutation(np.concatenate([on, beside])).reshape(n, k)


def record_metric(name, metric, target, outputs, k):
    draw = np.random.default_rng(zlib.crc32(name.encode()))
    y, p = target(draw, SAMPLES, k), outputs(draw, SAMPLES, k)
    metric = metric if isinstance(metric, str) else renamed(metric)
    config = metric if isinstance(metric, str) else described(M.serialize(metric))
    metric = get_metric(metric, y, p)
    for start in range(0, SAMPLES, BATCH):
        metric.update_state(y[start:start + BATCH], p[start:start + BATCH])
    line = {"name": name, "metric": config, "class": type(metric).__name__, "history_name": metric.name, "batch_size": BATCH,
            "output": list(p.shape[1:])}
    return line, {f"{name}/y": y, f"{name}/outputs": p, f"{name}/result": np.atleast_1d(np.array(metric.result(), np.float32))}


# ---- fits: the content of the history, and its names

def fit_cases():
    """(case, metrics, other arguments of fit)"""
    soft, sig = {"activation": "softmax"}, {"activation": "sigmoid"}
    sparse = K.SparseCategoricalCrossentropy
    yield Case("fit_sparse", sparse(), labels, **soft), ["accuracy", "acc", M.SparseTopKCategoricalAccuracy(2), "sparse_categorical_crossentropy"], {}
    yield Case("fit_categorical", K.CategoricalCrossentropy(), one_hot, **soft), [
        "accuracy", M.AUC(), M.AUC(curve="PR"), M.Precision(thresholds=0.3), M.Recall(thresholds=0.3, name="found"), M.F1Score(average="macro"),
        "categorical_crossentropy", "kl_divergence"], {}
    yield Case("fit_binary", K.BinaryCrossentropy(), zero_one, 1, **sig), [
        "accuracy", "auc", "AUC", M.Precision(), "precision", "Recall", M.BinaryAccuracy(threshold=0.3), "binary_crossentropy", "hinge"], {}
    yield Case("fit_binary_labels", K.BinaryCrossentropy(), labels, 1, **sig), ["accuracy", M.AUC(), M.AUC(), "mae"], {}
    yield Case("fit_regression", K.MeanSquaredError(), reals, 1), [
        "mae", "MSE", "mae", M.MeanAbsoluteError(), "MeanAbsoluteError", M.RootMeanSquaredError(), "r2_score", M.LogCoshError(), "mape",
        "cosine_similarity", "mae"], {}
    yield Case("fit_image", K.MeanSquaredError(), images, 24, shape=IMAGE), ["mae", "accuracy"], {}
    yield Case("fit_weighted", sparse(), labels, weighted=True, **soft), ["accuracy"], {}
    yield Case("fit_class_weight", sparse(), labels, class_weight=[0.5, 2.0, 1.25, 3.0], **soft), ["accuracy"], {"validation_split": 0.3}
    yield Case("fit_class_weight_some", sparse(), labels, class_weight=[0.5, 2.0], **soft), ["accuracy"], {}
    yield Case("fit_weighted_split", sparse(), labels, weighted=True, **soft), ["accuracy"], {"validation_split": 0.3}


def record_fit(case, metrics, options):
    """Two epochs in order, validated on the same data in reverse order, or on a validation split."""
    keras.utils.clear_session()
    draw = np.random.default_rng(zlib.crc32(case.name.encode()))
    metrics = [m if isinstance(m, str) else renamed(m) for m in metrics]
    model = network(case)
    weights = {name: fill(name, v.shape, draw) for name, v in variables(model).items()}
    set_values(model, weights)
    x, y = reals(draw, SAMPLES, FEATURES), case.target(draw, SAMPLES, case.units)
    w = positives(draw, SAMPLES, 1)[:, 0] if case.weighted else None
    arrays = {"x": x, "y": y} | {f"weights/{name}": v for name, v in weights.items()} | ({"sample_weight": w} if case.weighted else {})
    line = {"name": case.name, "loss": described(K.serialize(case.loss)), "metrics": [
        m if isinstance(m, str) else described(M.serialize(m)) for m in metrics],
        "optimizer": optimizer_config(keras.optimizers.SGD(0.1)), "batch_size": BATCH, "epochs": 2, "class_weight": case.class_weight,
        "output": list(model.output_shape[1:]), "validation_split": options.get("validation_split", 0), "weights": list(weights),
        "model": model.to_json()}
    if not options:
        options = {"validation_data": (x[::-1], y[::-1]) if w is None else (x[::-1], y[::-1], w[::-1])}
    classes = case.class_weight and dict(enumerate(case.class_weight))
    model.compile(optimizer(line["optimizer"]), case.loss, metrics=metrics)
    history = model.fit(x, y, BATCH, 2, 0, shuffle=False, sample_weight=w, class_weight=classes, **options).history
    line["history"] = {name: [float(v) for v in history[name]] for name in sorted(history)}
    return line, {f"{case.name}/{name}": a for name, a in arrays.items()}


def renamed(metric):
    """The metric with the name that a fresh process would give it: Keras numbers AUC, Precision and Recall."""
    config = metric.get_config()
    if isinstance(metric, (M.AUC, M.Precision, M.Recall)) and config["name"].startswith(type(metric).__name__.lower()):
        config["name"] = type(metric).__name__.lower()
    return type(metric).from_config(config)


def main():
    wanted = tuple(word for word in sys.argv[1:] if word != "--steady") or ("",)
    lines, arrays, seen = {"losses": [], "metrics": [], "fits": []}, {}, set()
    for kind, cases, record in (("losses", ((c,) for c in loss_cases()), record_loss), ("metrics", metric_cases(), record_metric),
                                ("fits", fit_cases(), record_fit)):
        for case in cases:
            name = case[0] if isinstance(case[0], str) else case[0].name
            assert name not in seen, f"two cases of the name {name}"
            seen.add(name)
            if name.startswith(wanted):
                line, more = record(*case)
                lines[kind].append(line)
                arrays |= {name: np.ascontiguousarray(a) for name, a in more.items()}
    for name, a in arrays.items():
        if wanted != ("",):
            print(name, a.shape, a.ravel()[:8])
        if not np.isfinite(a).all():
            print(f"{name}: not finite: {a}")
    if wanted != ("",):
        print(*(json.dumps(line.get("history", line)) for kind in lines.values() for line in kind), sep="\n")
    if len(sys.argv) > 1:
        return
    DATA.mkdir(parents=True, exist_ok=True)
    save_file(arrays, DATA / "losses.safetensors", metadata={"keras": keras.__version__})
    text = ",\n".join(f'"{kind}": [\n' + ",\n".join(map(json.dumps, of)) + "\n]" for kind, of in lines.items())
    (DATA / "losses.json").write_text(f'{{"keras": "{keras.__version__}",\n{text}\n}}\n')
    print(", ".join(f"{len(of)} {kind}" for kind, of in lines.items()) + f", {len(arrays)} arrays")


main()
