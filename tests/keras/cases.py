"""The table of recorded cases: each is a small network, usually of one layer, with an odd shape or setting."""

from dataclasses import dataclass, field
from typing import Callable

import keras
import numpy as np

L = keras.layers
EXTREMES = [0.0, -0.0, 1e-30, -1e-30, 1e-4, -1e-4, 0.3, -0.3, 0.75, -0.75, 1.7, -1.7, 2.9, -2.9, 3.1, -3.1, 5.9, 6.1, -6.1, 11.0,
            -11.0, 30.0, -30.0, 80.0, -80.0, 1e4, -1e4, 3e7, -3e7]
KINKS = [0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 3.0, -3.0, 6.0, -6.0]


@dataclass
class Case:
    name: str
    about: str  # the tested class
    shape: tuple  # of the input, without N
    build: Callable  # from the input tensor to the output tensor, or to a whole model
    batch: int = 2
    x: object = None  # the input; None: random
    trained: bool = True  # whether gradients and a fit are recorded
    fitted: bool = True
    optimizer: object = None  # default: one of six, chosen by the case's name
    notes: dict = field(default_factory=dict)


def table():
    return [*convolutions(), *dense(), *pools(), *shapes(), *activations(), *normalizations(), *randomness(), *merges(),
            *regularized(), *graphs(), *optimizers()]


def one(name, about, shape, *args, batch=2, case=None, **config):
    """A case of one layer."""
    return Case(name, about, shape, lambda x: getattr(L, about)(*args, **config)(x), batch=batch, **(case or {}))


def convolutions():
    c, a = "Conv2D", (7, 6, 3)
    yield one("conv2d", c, a, 4, 3)
    yield one("conv2d_pointwise", c, a, 5, 1)
    yield one("conv2d_pointwise_strided", c, a, 5, 1, strides=2)
    yield one("conv2d_no_bias", c, a, 4, 3, use_bias=False, activation="relu")
    yield one("conv2d_whole_input", c, (4, 5, 2), 3, (4, 5))
    yield one("conv2d_image_of_one", c, (1, 1, 3), 4, 1)
    yield one("conv2d_image_of_one_same", c, (1, 1, 3), 4, 3, padding="same")
    yield one("conv2d_batch_of_one", c, a, 4, 3, batch=1)
    yield one("conv2d_one_channel_one_filter", c, (6, 5, 1), 1, 3)
    yield one("conv2d_kernel_tall", c, a, 4, (3, 1))
    yield one("conv2d_kernel_wide_same", c, a, 4, (1, 4), padding="same")
    yield one("conv2d_kernel_even", c, a, 4, 2)
    yield one("conv2d_kernel_even_same", c, a, 4, (2, 4), padding="same")
    yield one("conv2d_kernel_larger_than_input_same", c, (2, 3, 2), 3, 5, padding="same")
    yield one("conv2d_kernel_5", c, (6, 7, 2), 3, 5, activation="relu")
    yield one("conv2d_row", c, (1, 9, 2), 3, (1, 3))
    yield one("conv2d_column_same", c, (9, 1, 2), 3, (3, 3), padding="same")
    yield one("conv2d_wide", c, (4, 4, 17), 19, 3, padding="same", activation="relu")
    yield one("conv2d_wide_strided", c, (5, 5, 16), 16, 3, padding="same", strides=2)
    for stride in (2, 3):  # with every remainder of height and width
        for size in range(5, 5 + stride):
            yield one(f"conv2d_strides_{stride}_valid_{size}", c, (size, size + 1, 2), 3, 3, strides=stride)
            yield one(f"conv2d_strides_{stride}_same_{size}", c, (size, size + 1, 2), 3, 3, strides=stride, padding="same")
            yield one(f"conv2d_strides_{stride}_same_even_{size}", c, (size, size + 1, 2), 3, 2, strides=stride, padding="same")
    yield one("conv2d_strides_unlike", c, (7, 9, 2), 3, 3, strides=(1, 3), padding="same")
    yield one("conv2d_strides_past_the_end", c, (4, 5, 2), 3, 2, strides=4)
    yield one("conv2d_strides_past_the_end_same", c, (3, 4, 2), 3, 2, strides=5, padding="same")
    yield one("conv2d_strides_above_kernel", c, (8, 7, 2), 3, 1, strides=3, padding="same")
    yield one("conv2d_dilation_2", c, (7, 8, 2), 3, 3, dilation_rate=2)
    yield one("conv2d_dilation_2_same", c, (6, 5, 2), 3, 3, dilation_rate=2, padding="same")
    yield one("conv2d_dilation_unlike", c, (5, 9, 2), 3, (2, 3), dilation_rate=(1, 3), padding="same")
    yield one("conv2d_groups_2", c, (5, 6, 4), 6, 3, groups=2)
    yield one("conv2d_groups_3_same_strided", c, (5, 6, 6), 3, 3, groups=3, padding="same", strides=2)
    yield one("conv2d_groups_as_channels", c, (5, 4, 3), 6, 3, groups=3, activation="tanh")
    for activation in ("sigmoid", "tanh", "elu", "gelu", "silu", "softmax", "leaky_relu", "relu6", "softplus"):
        yield one(f"conv2d_{activation}", c, (5, 4, 2), 3, 3, activation=activation)

    d = "DepthwiseConv2D"
    yield one("depthwise_conv2d", d, a, 3)
    yield one("depthwise_conv2d_multiplier_2", d, a, 3, depth_multiplier=2, activation="relu")
    yield one("depthwise_conv2d_same_strided", d, a, 3, strides=2, padding="same")
    yield one("depthwise_conv2d_kernel_unlike_no_bias", d, a, (2, 3), padding="same", use_bias=False)
    yield one("depthwise_conv2d_dilation_2", d, (7, 7, 2), 3, dilation_rate=2, padding="same")
    yield one("depthwise_conv2d_one_channel", d, (5, 5, 1), 2, depth_multiplier=3)
    yield one("depthwise_conv2d_wide", d, (4, 5, 18), 3, padding="same")
    yield one("depthwise_conv2d_strides_3", d, (7, 8, 3), 2, strides=3)

    s = "SeparableConv2D"
    yield one("separable_conv2d", s, a, 4, 3)
    yield one("separable_conv2d_multiplier_2", s, a, 4, 3, depth_multiplier=2, padding="same", activation="relu")
    yield one("separable_conv2d_strided_no_bias", s, a, 4, 3, strides=2, padding="same", use_bias=False)
    yield one("separable_conv2d_dilation_2", s, (7, 7, 2), 3, (3, 2), dilation_rate=2)

    o = "Conv1D"
    yield one("conv1d", o, (9, 3), 4, 3)
    yield one("conv1d_same_even_strided", o, (9, 3), 4, 4, strides=2, padding="same", activation="relu")
    yield one("conv1d_causal", o, (8, 2), 3, 3, padding="causal")
    yield one("conv1d_causal_dilation_2", o, (8, 2), 3, 2, padding="causal", dilation_rate=2)
    yield one("conv1d_dilation_3", o, (9, 2), 3, 3, dilation_rate=3)
    yield one("conv1d_groups_2_no_bias", o, (7, 4), 4, 3, groups=2, use_bias=False)
    yield one("conv1d_pointwise", o, (1, 4), 3, 1)
    yield one("conv1d_strides_past_the_end", o, (8, 2), 3, 2, strides=5)

    t = "Conv2DTranspose"
    yield one("conv2d_transpose", t, (3, 4, 2), 3, 3)
    yield one("conv2d_transpose_same", t, (3, 4, 2), 3, 3, padding="same")
    yield one("conv2d_transpose_strided", t, (3, 4, 2), 3, 3, strides=2)
    yield one("conv2d_transpose_strided_same", t, (3, 4, 2), 3, 3, strides=2, padding="same", activation="relu")
    yield one("conv2d_transpose_kernel_as_stride", t, (3, 2, 3), 2, 2, strides=2)
    yield one("conv2d_transpose_kernel_below_stride", t, (3, 2, 2), 2, 1, strides=3)
    yield one("conv2d_transpose_kernel_below_stride_same", t, (3, 2, 2), 2, 2, strides=3, padding="same")
    yield one("conv2d_transpose_kernel_even_same", t, (3, 4, 2), 2, (4, 2), strides=2, padding="same", use_bias=False)
    yield one("conv2d_transpose_strides_unlike", t, (3, 4, 2), 2, (3, 2), strides=(1, 2))
    yield one("conv2d_transpose_output_padding", t, (3, 4, 2), 2, 3, strides=2, output_padding=1)
    yield one("conv2d_transpose_output_padding_same", t, (3, 4, 2), 2, 3, strides=2, output_padding=1, padding="same")
    yield one("conv2d_transpose_image_of_one", t, (1, 1, 3), 2, 3, strides=2, batch=1)


def dense():
    d = "Dense"
    yield one("dense", d, (7,), 5)
    yield one("dense_no_bias_relu", d, (7,), 5, use_bias=False, activation="relu")
    yield one("dense_one_to_one", d, (1,), 1, batch=1)
    yield one("dense_wide", d, (33,), 17, activation="relu", batch=3)
    yield one("dense_rank_2", d, (4, 5), 3, activation="tanh")
    yield one("dense_rank_3", d, (3, 2, 5), 4, activation="relu")
    yield one("dense_rank_3_softmax", d, (2, 3, 4), 3, activation="softmax")
    yield one("dense_softmax", d, (6,), 4, activation="softmax")
    yield one("dense_frozen", d, (6,), 4, activation="relu", trainable=False)
    yield Case("dense_stack", d, (6,), lambda x: L.Dense(4, "sigmoid")(L.Dense(5, "relu")(x)))


def pools():
    for kind in ("Max", "Average"):
        p, n = f"{kind}Pooling2D", f"{kind.lower()}_pooling2d"
        yield one(n, p, (6, 8, 2), 2)
        yield one(f"{n}_odd_input", p, (7, 5, 2), 2)
        yield one(f"{n}_same_odd_input", p, (7, 5, 2), 2, padding="same")
        yield one(f"{n}_overlapping", p, (7, 6, 2), 3, strides=2)
        yield one(f"{n}_overlapping_same", p, (6, 7, 3), 3, strides=2, padding="same")
        yield one(f"{n}_strides_1_same", p, (4, 5, 2), 2, strides=1, padding="same")
        yield one(f"{n}_strides_above_window", p, (8, 9, 2), 2, strides=3)
        yield one(f"{n}_strides_above_window_same", p, (8, 7, 2), 2, strides=(3, 4), padding="same")
        yield one(f"{n}_window_unlike", p, (6, 7, 2), (3, 1), strides=(1, 2))
        yield one(f"{n}_window_5_same", p, (3, 4, 2), 5, strides=2, padding="same")
        yield one(f"{n}_whole", p, (3, 4, 2), (3, 4), batch=1)
        yield one(f"{n}_image_of_one", p, (1, 1, 3), 1)
        yield one(f"{n}_wide", p, (4, 4, 18), 2)
        p, n = f"{kind}Pooling1D", f"{kind.lower()}_pooling1d"
        yield one(n, p, (9, 2), 2)
        yield one(f"{n}_same", p, (9, 2), 2, padding="same")
        yield one(f"{n}_overlapping_same", p, (8, 2), 3, strides=2, padding="same")
        for rank, shape in ((1, (5, 3)), (2, (4, 3, 5))):
            p, n = f"Global{kind}Pooling{rank}D", f"global_{kind.lower()}_pooling{rank}d"
            yield one(n, p, shape)
            yield one(f"{n}_keepdims", p, shape, keepdims=True, batch=1)
    equal = np.array([1, 1, 0, 0, 1, 1, 0, 0, -1, 2, 2, -1, 2, -1, 2, 2], np.float32).reshape(1, 4, 4, 1)
    note = dict(case=dict(x=equal, fitted=False, notes={"ties": True}), batch=1)
    yield one("max_pooling2d_ties", "MaxPooling2D", (4, 4, 1), **note)
    yield one("max_pooling2d_overlapping_ties", "MaxPooling2D", (4, 4, 1), 3, strides=1, padding="same", **note)
    yield one("global_max_pooling2d_ties", "GlobalMaxPooling2D", (4, 4, 1), **note)


def shapes():
    yield one("flatten_rank_3", "Flatten", (2, 3, 2))
    yield one("flatten_rank_2", "Flatten", (3, 2))
    yield one("flatten_rank_1", "Flatten", (5,))
    yield one("reshape", "Reshape", (2, 3, 4), (4, 6))
    yield one("reshape_unknown", "Reshape", (2, 3, 4), (-1, 2))
    yield one("reshape_to_image", "Reshape", (12,), (3, 2, 2))
    yield one("permute_2_1", "Permute", (3, 4), (2, 1))
    yield one("permute_3_1_2", "Permute", (2, 3, 4), (3, 1, 2))
    yield one("permute_2_1_3", "Permute", (2, 3, 4), (2, 1, 3))
    yield one("zero_padding2d", "ZeroPadding2D", (2, 3, 2))
    yield one("zero_padding2d_unlike", "ZeroPadding2D", (2, 3, 2), (1, 2))
    yield one("zero_padding2d_each_side", "ZeroPadding2D", (2, 3, 2), ((0, 2), (3, 1)))
    yield one("cropping2d", "Cropping2D", (4, 5, 2), 1)
    yield one("cropping2d_each_side", "Cropping2D", (4, 5, 2), ((0, 2), (3, 1)))
    yield one("up_sampling2d", "UpSampling2D", (2, 3, 2))
    yield one("up_sampling2d_unlike", "UpSampling2D", (2, 3, 2), (3, 1))
    yield one("up_sampling2d_bilinear", "UpSampling2D", (2, 3, 2), 2, interpolation="bilinear")
    yield one("up_sampling2d_bilinear_unlike", "UpSampling2D", (3, 2, 1), (3, 2), interpolation="bilinear")
    yield one("rescaling", "Rescaling", (3, 2, 2), 1 / 255, offset=-0.5)
    yield one("normalization", "Normalization", (2, 3, 2), mean=[0.5, -1.0], variance=[2.0, 0.25])
    yield one("normalization_of_all", "Normalization", (4,), axis=None, mean=0.25, variance=1.5)
    yield one("normalization_invert", "Normalization", (3,), mean=[0.5, -1.0, 0.0], variance=[2.0, 0.25, 1.0], invert=True)


def activations():
    for name in ("linear", "relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "sigmoid", "tanh", "softplus", "softsign",
                 "squareplus", "exponential", "hard_sigmoid", "hard_silu", "hard_tanh", "hard_shrink", "soft_shrink", "tanh_shrink",
                 "mish", "log_sigmoid", "sparse_plus", "sparse_sigmoid"):
        yield one(f"activation_{name}", "Activation", (5,), name, batch=3)
        yield from elementwise(f"activation_{name}", "Activation", name, overflows=name == "exponential")
    for name in ("softmax", "log_softmax"):
        for shape in ((5,), (3, 4), (2, 3, 4)):
            yield one(f"activation_{name}_rank_{len(shape)}", "Activation", shape, name)
        yield one(f"activation_{name}_one", "Activation", (1,), name)
        large = np.array([[0, 80, -80, 79], [1e4, -1e4, 0, 1], [-1e4, -1e4, -1e4, -1e4], [3e7, 3e7, 3e7, 0]], np.float32)
        yield one(f"activation_{name}_extremes", "Activation", (4,), name, batch=4, case=dict(x=large, fitted=False))
    yield one("softmax", "Softmax", (2, 3, 4))
    yield one("softmax_axis_1", "Softmax", (3, 4), axis=1)
    yield one("softmax_axis_1_of_image", "Softmax", (3, 4, 2), axis=1)

    for name, about, config in [
        ("relu_plain", "ReLU", {}), ("relu_max_value", "ReLU", dict(max_value=1.5)), ("relu_negative_slope", "ReLU", dict(negative_slope=0.1)),
        ("relu_threshold", "ReLU", dict(threshold=0.4)),
        ("relu_all", "ReLU", dict(max_value=1.4, negative_slope=0.2, threshold=0.4)),
        ("leaky_relu", "LeakyReLU", {}), ("leaky_relu_slope", "LeakyReLU", dict(negative_slope=0.05)),
        ("elu", "ELU", {}), ("elu_alpha", "ELU", dict(alpha=0.5)),
    ]:
        yield one(name, about, (3, 2, 2), **config)
        yield from elementwise(name, about, **config)
    yield one("prelu", "PReLU", (3, 2, 2))
    yield one("prelu_shared", "PReLU", (3, 2, 2), shared_axes=[1, 2])
    yield one("prelu_shared_rows", "PReLU", (3, 2, 2), shared_axes=[1])
    yield one("prelu_rank_1", "PReLU", (6,), batch=3)


def elementwise(name, about, *args, overflows=False, **config):
    """The same with very large and very small numbers, and at the points where the slope changes."""
    extremes = np.array([v for v in EXTREMES if not overflows or v < 85], np.float32)[None]
    kinks = np.array(KINKS + [config[k] for k in ("max_value", "threshold") if k in config], np.float32)[None]
    for suffix, x in (("extremes", extremes), ("kinks", kinks)):
        yield one(f"{name}_{suffix}", about, x.shape[1:], *args, batch=1, case=dict(x=x, fitted=False, notes={suffix: True}), **config)


def normalizations():
    b = "BatchNormalization"
    for shape in ((5,), (4, 3), (3, 2, 3)):
        yield one(f"batch_normalization_rank_{len(shape)}", b, shape, batch=4)
    yield one("batch_normalization_no_center", b, (3, 2, 3), center=False, momentum=0.9)
    yield one("batch_normalization_no_scale", b, (3, 2, 3), scale=False, momentum=0.5)
    yield one("batch_normalization_neither", b, (5,), center=False, scale=False, epsilon=1e-2, batch=4)
    yield one("batch_normalization_axis_1", b, (3, 2, 4), axis=1)
    yield one("batch_normalization_image_of_one", b, (1, 1, 4), momentum=0.9, batch=3)
    yield one("batch_normalization_batch_of_one", b, (3, 4, 2), batch=1)
    yield one("batch_normalization_frozen", b, (3, 2, 3), trainable=False)
    yield one("batch_normalization_wide", b, (3, 2, 18), momentum=0.8)
    yield Case("batch_normalization_in_a_chain", b, (6, 5, 2), lambda x: L.ReLU()(L.BatchNormalization(momentum=0.9)(
        L.Conv2D(4, 3, use_bias=False)(x))), batch=3)
    n = "LayerNormalization"
    for shape in ((6,), (4, 3), (3, 2, 4)):
        yield one(f"layer_normalization_rank_{len(shape)}", n, shape)
    yield one("layer_normalization_no_center", n, (3, 5), center=False)
    yield one("layer_normalization_no_scale", n, (3, 5), scale=False, epsilon=1e-5)
    yield one("layer_normalization_axes", n, (3, 2, 4), axis=[1, 2, 3])
    yield one("layer_normalization_axis_1", n, (4, 3), axis=1)
    g = "GroupNormalization"
    yield one("group_normalization_2", g, (3, 2, 4), groups=2)
    yield one("group_normalization_1", g, (3, 2, 4), groups=1)
    yield one("group_normalization_each", g, (3, 2, 4), groups=-1)
    yield one("group_normalization_rank_1", g, (6,), groups=3)
    yield one("group_normalization_rank_2_neither", g, (4, 6), groups=2, center=False, scale=False, epsilon=1e-2)


def randomness():
    """Random layers, whose random numbers differ from the library's: only the output in inference; everything with a rate of 0."""
    for about, name, config in [("Dropout", "dropout", dict(rate=0.4)), ("SpatialDropout2D", "spatial_dropout2d", dict(rate=0.4)),
                                ("GaussianNoise", "gaussian_noise", dict(stddev=0.4))]:
        yield one(f"{name}_inference", about, (3, 2, 2), case=dict(trained=False, fitted=False), **config)
        yield one(f"{name}_of_0", about, (3, 2, 2), **{key: 0.0 for key in config})
    yield one("dropout_inference_rank_1", "Dropout", (6,), 0.5, case=dict(trained=False, fitted=False))


def merges():
    def two(about, **config):
        return lambda x: getattr(L, about)(**config)([L.Dense(3, name="left")(x), L.Dense(3, "tanh", name="right")(x)])

    def three(about, **config):
        return lambda x: getattr(L, about)(**config)([x, L.Conv2D(2, 3, padding="same")(x), L.Activation("sigmoid")(x)])

    def gate(about):  # one factor per channel, as in squeeze-and-excitation
        return lambda x: getattr(L, about)()([x, L.GlobalAveragePooling2D(keepdims=True)(x)])

    for about in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate"):
        n = about.lower()
        yield Case(n, about, (4,), two(about))
        if about != "Subtract":
            yield Case(f"{n}_of_three", about, (3, 4, 2), three(about))
        if about not in ("Concatenate",):
            yield Case(f"{n}_broadcast", about, (2, 3, 2), gate(about))
    for about in ("Add", "Multiply", "Maximum", "Minimum", "Concatenate", "Average", "Subtract"):
        yield Case(f"{about.lower()}_with_itself", about, (5,), lambda x, a=about: getattr(L, a)()([x, x]),
                   notes={"ties": True} if about in ("Maximum", "Minimum") else {})
    yield Case("concatenate_axis_1", "Concatenate", (3, 4, 2), lambda x: L.Concatenate(axis=1)([x, L.Cropping2D(((1, 0), (0, 0)))(x)]))
    yield Case("concatenate_axis_2", "Concatenate", (3, 4, 2), lambda x: L.Concatenate(axis=2)([x, L.Cropping2D(((0, 0), (1, 1)))(x)]))
    yield Case("concatenate_unlike", "Concatenate", (4, 3, 2), lambda x: L.Concatenate()(
        [L.Conv2D(1, 1)(x), L.Conv2D(5, 3, padding="same", activation="relu")(x), x]))


def regularized():
    r = keras.regularizers
    yield one("dense_l2", "Dense", (5,), 4, kernel_regularizer=r.L2(0.03))
    yield one("dense_l1_and_bias", "Dense", (5,), 4, kernel_regularizer=r.L1(0.02), bias_regularizer=r.L2(0.1))
    yield one("conv2d_l1l2", "Conv2D", (4, 5, 2), 3, 3, kernel_regularizer=r.L1L2(l1=0.01, l2=0.02), activation="relu")
    yield one("depthwise_conv2d_l2", "DepthwiseConv2D", (4, 5, 2), 3, depthwise_regularizer=r.L2(0.05))
    yield one("separable_conv2d_l1_l2", "SeparableConv2D", (4, 5, 2), 3, 3, depthwise_regularizer=r.L1(0.01),
              pointwise_regularizer=r.L2(0.05))
    yield one("batch_normalization_l2", "BatchNormalization", (4, 2, 3), gamma_regularizer=r.L2(0.05), beta_regularizer=r.L1(0.05))
    yield one("prelu_l2", "PReLU", (5,), alpha_regularizer=r.L2(0.05), batch=3)
    yield one("dense_l2_frozen", "Dense", (5,), 4, kernel_regularizer=r.L2(0.03), trainable=False)

    def shared(x):
        layer = L.Dense(5, "tanh", kernel_regularizer=r.L2(0.05))
        return layer(layer(x))

    yield Case("dense_l2_shared", "Dense", (5,), shared)


def graphs():
    def residual(x):
        y = L.Conv2D(3, 1, use_bias=False)(x)
        for stride in (1, 2):
            z = L.BatchNormalization(momentum=0.9)(y)
            z = L.Conv2D(4, 3, padding="same", strides=stride, use_bias=False)(L.ReLU()(z))
            y = L.Add()([L.Conv2D(4, 1, strides=stride)(y), z])
        return L.GlobalAveragePooling2D()(y)

    def shared(x):
        layer = L.Conv2D(3, 3, padding="same", activation="relu")
        return L.Concatenate()([layer(x), layer(L.Activation("tanh")(layer(x)))])

    def inception(x):
        a = L.Conv2D(2, 1, activation="relu")(x)
        b = L.Conv2D(3, 3, padding="same", activation="relu")(x)
        return L.Concatenate()([a, b, L.MaxPooling2D(3, strides=1, padding="same")(x), L.AveragePooling2D(3, 1, "same")(a)])

    def squeeze(x):
        s = L.Dense(4, "sigmoid")(L.Dense(2, "relu")(L.GlobalAveragePooling2D()(x)))
        return L.Multiply()([x, L.Reshape((1, 1, 4))(s)])

    def mobile(x):
        y = L.ReLU(max_value=6.0)(L.BatchNormalization()(L.Conv2D(6, 1, use_bias=False)(x)))
        y = L.ReLU(max_value=6.0)(L.BatchNormalization()(L.DepthwiseConv2D(3, padding="same", use_bias=False)(y)))
        return L.Add()([x, L.BatchNormalization()(L.Conv2D(3, 1, use_bias=False)(y))])

    def decode(x):
        small = L.MaxPooling2D()(L.Conv2D(3, 3, padding="same", activation="relu")(x))
        return L.Concatenate()([x, L.Conv2DTranspose(2, 2, strides=2)(small), L.UpSampling2D()(small)])

    for name, shape, build in [("residual", (6, 5, 2), residual), ("shared", (4, 3, 3), shared), ("inception", (5, 4, 2), inception),
                               ("squeeze", (3, 3, 4), squeeze), ("mobile", (5, 4, 3), mobile), ("decode", (4, 6, 2), decode)]:
        yield Case(f"graph_{name}", "Functional", shape, build)

    def sequential(x):
        return keras.Sequential([L.Input(x.shape[1:], name="input"), L.Conv2D(3, 3, activation="relu"),
                                 L.BatchNormalization(momentum=0.9), L.MaxPooling2D(2), L.Flatten(), L.Dense(4, "tanh")])

    yield Case("graph_sequential", "Sequential", (6, 5, 2), sequential)


def optimizers():
    """Each optimizer's settings, on a network in which every setting has an effect."""
    o, s = keras.optimizers, keras.optimizers.schedules

    def network(x):
        return L.Dense(4, "tanh")(L.Dense(5, "relu")(x))

    made = {
        "sgd": o.SGD(0.1), "sgd_momentum": o.SGD(0.1, momentum=0.9), "sgd_nesterov": o.SGD(0.1, momentum=0.8, nesterov=True),
        "sgd_weight_decay": o.SGD(0.1, weight_decay=0.05), "sgd_clipnorm": o.SGD(0.2, clipnorm=0.1), "sgd_clipvalue": o.SGD(0.2, clipvalue=0.02),
        "sgd_global_clipnorm": o.SGD(0.2, momentum=0.5, global_clipnorm=0.1),
        "rmsprop": o.RMSprop(), "rmsprop_all": o.RMSprop(0.01, rho=0.8, momentum=0.5, epsilon=1e-3, centered=True),
        "rmsprop_momentum": o.RMSprop(0.01, momentum=0.9), "rmsprop_centered": o.RMSprop(0.005, centered=True, epsilon=1e-4),
        "adam": o.Adam(), "adam_all": o.Adam(0.01, beta_1=0.8, beta_2=0.95, epsilon=1e-4), "adam_amsgrad": o.Adam(0.01, amsgrad=True),
        "adam_weight_decay": o.Adam(0.01, weight_decay=0.1), "adam_clipnorm": o.Adam(0.01, clipnorm=0.05, epsilon=1e-3),
        "adamw": o.AdamW(), "adamw_decay": o.AdamW(0.01, weight_decay=0.2), "adamw_no_decay": o.AdamW(0.01, weight_decay=0.0),
        "schedule_exponential": o.SGD(s.ExponentialDecay(0.2, 2, 0.5)),
        "schedule_exponential_staircase": o.SGD(s.ExponentialDecay(0.2, 2, 0.5, staircase=True)),
        "schedule_piecewise": o.Adam(s.PiecewiseConstantDecay([1, 2], [0.02, 0.01, 0.001])),
        "schedule_polynomial": o.SGD(s.PolynomialDecay(0.2, 2, 0.01, power=2.0), momentum=0.9),
        "schedule_cosine": o.RMSprop(s.CosineDecay(0.02, 4, alpha=0.1)),
        "schedule_cosine_warm_up": o.SGD(s.CosineDecay(0.0, 4, warmup_target=0.2, warmup_steps=2)),
        "schedule_inverse_time": o.AdamW(s.InverseTimeDecay(0.02, 1, 0.5)),
    }
    for name, optimizer in made.items():
        yield Case(f"optimizer_{name}", optimizer.__class__.__name__, (6,), network, optimizer=optimizer)
