"""Generates random networks (chains, branches and merges of every layer, with odd parameters), an optimizer, and data."""

from keras_side import distinct, fill, keras, np, optimizer_config, set_values, values, variables

L = keras.layers
LARGEST = 300  # numbers per sample in any tensor
ACTIVATIONS = ["linear", "relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "sigmoid", "tanh", "softplus", "softsign",
               "squareplus", "hard_sigmoid", "hard_silu", "hard_tanh", "hard_shrink", "soft_shrink", "tanh_shrink", "mish", "log_sigmoid",
               "sparse_plus", "sparse_sigmoid", "softmax", "log_softmax"]


class Drawn:
    """A network with its optimizer and data, determined by the seed."""

    def __init__(self, seed):
        self.draw = np.random.default_rng(seed)
        self.inference = self.chance(0.1)  # with dropout, only inference is compared
        self.shared = []  # layers that may be called again, and their input shape
        keras.utils.clear_session()
        rank = self.pick([1, 2, 3, 3, 3])
        self.shape = tuple(self.size(3, 9) for _ in range(rank - 1)) + (self.size(1, 4 if rank > 1 else 12),)
        x = start = keras.Input(self.shape)
        for _ in range(self.size(1, 7)):
            x = self.block(x)
        if len(x.shape) > 2:
            x = self.last(x)
        self.classes = self.size(2, 5)
        self.network = keras.Model(start, L.Dense(self.classes, "softmax")(x))
        set_values(self.network, {name: fill(name, v.shape, self.draw) for name, v in variables(self.network).items()})
        self.weights = values(self.network)
        self.optimizer = optimizer_config(self.an_optimizer())
        self.batch = self.size(1, 4)
        samples = 4 * self.batch + self.size(1, self.batch)  # five steps, the last with a smaller batch
        self.x = distinct((samples, *self.shape), self.draw)
        self.labels = self.draw.integers(0, self.classes, samples).astype(np.uint8)

    def chance(self, p):
        return self.draw.random() < p

    def size(self, low, high):
        return int(self.draw.integers(low, high + 1))

    def pick(self, these):
        return these[self.size(0, len(these) - 1)]

    # The network

    def block(self, x):
        """A layer, a pair of branches, or a second call of an earlier layer."""
        again = [layer for layer, shape in self.shared if shape == x.shape]
        if again and self.chance(0.3):
            return self.pick(again)(x)
        if self.chance(0.3):
            return self.branch(x)
        return self.layer(x)

    def layer(self, x):
        """A layer for this rank that accepts this shape."""
        for _ in range(50):
            make = getattr(self, self.pick(ANY + FOR_RANK[len(x.shape) - 1]))
            try:
                layer = make(x.shape)
                y = layer(x)
            except ValueError:  # a window larger than the image, groups that do not divide the channels
                continue
            if np.prod(y.shape[1:]) <= LARGEST and 0 not in y.shape:
                if self.chance(0.5):
                    self.shared.append((layer, x.shape))
                return y
        return x

    def branch(self, x):
        """Merges x with a tensor of the same or nearly the same shape."""
        if len(x.shape) == 4 and self.chance(0.3):
            gate = L.GlobalAveragePooling2D(keepdims=True)(x) if self.chance(0.5) else L.GlobalMaxPooling2D(keepdims=True)(x)
            return self.pick([L.Multiply, L.Add, L.Subtract])()([x, L.Dense(x.shape[-1], "sigmoid")(gate)])
        branches = [self.beside(x) for _ in range(self.size(1, 2))]
        if self.chance(0.5):
            branches.append(x)
        if len(branches) < 2:
            branches.append(L.Activation(self.pick(ACTIVATIONS))(x))
        merge = self.pick(["Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate"])
        if merge == "Concatenate":
            axis = self.size(1, len(x.shape) - 1) if self.chance(0.3) else -1
            y = L.Concatenate(axis=axis)(branches)
            return y if np.prod(y.shape[1:]) <= LARGEST else branches[0]
        return getattr(L, merge)()(branches[:2] if merge == "Subtract" else branches)

    def beside(self, x):
        """One or two layers that keep the shape."""
        same = L.Dense(x.shape[-1], self.activation())
        if len(x.shape) == 4 and self.chance(0.7):
            same = self.pick([
                lambda: L.Conv2D(x.shape[-1], self.size(1, 3), padding="same", activation=self.activation()),
                lambda: L.DepthwiseConv2D(self.size(1, 3), padding="same", use_bias=self.chance(0.5)),
                lambda: L.SeparableConv2D(x.shape[-1], self.size(1, 3), padding="same", depth_multiplier=self.size(1, 2)),
                lambda: L.MaxPooling2D(self.size(2, 3), strides=1, padding="same"),
                lambda: L.AveragePooling2D(self.size(2, 3), strides=1, padding="same")])()
        elif len(x.shape) == 3 and self.chance(0.7):
            same = L.Conv1D(x.shape[-1], self.size(1, 3), padding=self.pick(["same", "causal"]))
        y = same(x)
        return self.pick([self.batch_normalization, self.an_activation, self.layer_normalization])(y.shape)(y) if self.chance(0.4) else y

    def last(self, x):
        ends = [L.Flatten]
        if len(x.shape) == 4:
            ends += [L.GlobalAveragePooling2D, L.GlobalMaxPooling2D]
        if len(x.shape) == 3:
            ends += [L.GlobalAveragePooling1D, L.GlobalMaxPooling1D]
        return self.pick(ends)()(x)

    # Parameters of many layers

    def activation(self):
        return self.pick(ACTIVATIONS) if self.chance(0.5) else "relu"

    def window(self, most=3):
        return self.size(1, most) if self.chance(0.6) else (self.size(1, most), self.size(1, most))

    def regularizer(self):
        r = keras.regularizers
        return self.pick([r.L1(0.01), r.L2(0.02), r.L1L2(0.01, 0.01)]) if self.chance(0.15) else None

    def common(self, kernel="kernel"):
        return {"activation": self.activation(), "use_bias": self.chance(0.8), "trainable": not self.chance(0.05),
                f"{kernel}_regularizer": self.regularizer(), "bias_regularizer": self.regularizer()}

    def strides_or_dilation(self, square=False):
        if self.chance(0.4):
            return {"strides": self.size(1, 3) if square or self.chance(0.6) else (self.size(1, 3), self.size(1, 3))}
        return {"dilation_rate": self.size(1, 3) if square or self.chance(0.6) else (self.size(1, 2), self.size(1, 3))}

    def padding(self):
        return self.pick(["same", "valid"])

    # The layers

    def conv2d(self, shape):
        groups = self.pick([g for g in range(1, shape[-1] + 1) if shape[-1] % g == 0]) if self.chance(0.3) else 1
        return L.Conv2D(groups * self.size(1, 3), self.window(), padding=self.padding(), groups=groups, **self.strides_or_dilation(),
                        **self.common())

    def depthwise_conv2d(self, shape):
        return L.DepthwiseConv2D(self.window(), padding=self.padding(), depth_multiplier=self.size(1, 2), **self.strides_or_dilation(True),
                                 **self.common("depthwise"))

    def separable_conv2d(self, shape):
        return L.SeparableConv2D(self.size(1, 6), self.window(), padding=self.padding(), depth_multiplier=self.size(1, 2),
                                 pointwise_regularizer=self.regularizer(), **self.strides_or_dilation(True), **self.common("depthwise"))

    def conv2d_transpose(self, shape):
        return L.Conv2DTranspose(self.size(1, 4), self.window(), strides=self.window(2), padding=self.padding(), **self.common())

    def conv1d(self, shape):
        step = {"strides": self.size(1, 3)} if self.chance(0.4) else {"dilation_rate": self.size(1, 3)}
        return L.Conv1D(self.size(1, 6), self.size(1, 4), padding=self.pick(["same", "valid", "causal"]), **step, **self.common())

    def dense(self, shape):
        return L.Dense(self.size(1, 8), **self.common())

    def pooling2d(self, shape):
        return self.pick([L.MaxPooling2D, L.AveragePooling2D])(self.window(), strides=None if self.chance(0.5) else self.window(),
                                                               padding=self.padding())

    def pooling1d(self, shape):
        return self.pick([L.MaxPooling1D, L.AveragePooling1D])(self.size(1, 3), strides=None if self.chance(0.5) else self.size(1, 3),
                                                               padding=self.padding())

    def global_pooling2d(self, shape):
        return self.pick([L.GlobalMaxPooling2D, L.GlobalAveragePooling2D])(keepdims=self.chance(0.5))

    def global_pooling1d(self, shape):
        return self.pick([L.GlobalMaxPooling1D, L.GlobalAveragePooling1D])(keepdims=self.chance(0.5))

    def flatten(self, shape):
        return L.Flatten()

    def reshape(self, shape):
        count = int(np.prod(shape[1:]))
        first = self.pick([n for n in range(1, count + 1) if count % n == 0])
        second = self.pick([n for n in range(1, count // first + 1) if count // first % n == 0])
        return L.Reshape(self.pick([(first, -1), (first, second, count // first // second), (-1,)]))

    def permute(self, shape):
        return L.Permute(tuple(int(n) + 1 for n in self.draw.permutation(len(shape) - 1)))

    def zero_padding2d(self, shape):
        return L.ZeroPadding2D(self.sides())

    def cropping2d(self, shape):
        return L.Cropping2D(self.sides())

    def sides(self):
        return self.pick([1, (0, 1), ((0, 1), (2, 0)), ((1, 0), (0, 1))])

    def up_sampling2d(self, shape):
        return L.UpSampling2D(self.window(2))

    def an_activation(self, shape):
        return self.pick([
            lambda: L.Activation(self.pick(ACTIVATIONS)), lambda: L.LeakyReLU(self.pick([0.3, 0.05])), lambda: L.ELU(self.pick([1.0, 0.4])),
            lambda: L.ReLU(max_value=self.pick([None, 1.1, 6.0]), negative_slope=self.pick([0.0, 0.13]), threshold=self.pick([0.0, 0.21])),
            lambda: L.PReLU(shared_axes=self.pick([None, [1]]), alpha_regularizer=self.regularizer()), lambda: L.Softmax()])()

    def batch_normalization(self, shape):
        return L.BatchNormalization(momentum=self.pick([0.99, 0.9, 0.5]), epsilon=self.pick([1e-3, 1e-2]), center=self.chance(0.8),
                                    scale=self.chance(0.8), trainable=not self.chance(0.1), gamma_regularizer=self.regularizer())

    def layer_normalization(self, shape):
        return L.LayerNormalization(epsilon=self.pick([1e-3, 1e-2]), center=self.chance(0.8), scale=self.chance(0.8))

    def group_normalization(self, shape):
        return L.GroupNormalization(groups=self.size(1, shape[-1]), center=self.chance(0.8), scale=self.chance(0.8))

    def random(self, shape):
        rate = self.pick([0.2, 0.5]) if self.inference else 0.0
        return L.SpatialDropout2D(rate) if len(shape) == 4 and self.chance(0.3) else self.pick([L.Dropout, L.GaussianNoise])(rate)

    def rescaling(self, shape):
        return L.Rescaling(self.pick([0.5, -1.5, 1.0]), offset=self.pick([0.0, 0.3]))

    def normalization(self, shape):
        channels = shape[-1]
        return L.Normalization(mean=[float(v) for v in np.round(self.draw.uniform(-1, 1, channels), 2)],
                               variance=[float(v) for v in np.round(self.draw.uniform(0.5, 2, channels), 2)])

    # The optimizer

    def an_optimizer(self):
        o, rate = keras.optimizers, self.pick([0.01, 0.003])
        more = {"weight_decay": 0.05} if self.chance(0.1) else {}
        more |= self.pick([{}, {}, {}, {}, {}, {"clipnorm": 0.5}, {"clipvalue": 0.1}, {"gradient_accumulation_steps": 2}])
        adaptive = {"epsilon": self.pick([1e-7, 1e-4, 1e-2])}
        return self.pick([
            lambda: o.SGD(10 * rate, **more), lambda: o.SGD(5 * rate, momentum=0.9, nesterov=self.chance(0.5), **more),
            lambda: o.RMSprop(rate, rho=self.pick([0.9, 0.7]), momentum=self.pick([0.0, 0.5]), centered=self.chance(0.3), **adaptive, **more),
            lambda: o.Adam(rate, beta_1=self.pick([0.9, 0.6]), amsgrad=self.chance(0.2), **adaptive, **more),
            lambda: o.AdamW(rate, **adaptive, **({"weight_decay": 0.1} | more)),
            lambda: o.Adamax(rate, **adaptive, **more), lambda: o.Nadam(o.schedules.CosineDecay(rate, 8), **adaptive, **more),
            lambda: o.Adagrad(10 * rate, **more), lambda: o.Adadelta(100 * rate, **adaptive, **more),
            lambda: o.Ftrl(10 * rate, l1_regularization_strength=self.pick([0.0, 1e-3]), **more)])()


ANY = ["dense", "an_activation", "an_activation", "batch_normalization", "batch_normalization", "layer_normalization",
       "group_normalization", "random", "rescaling", "normalization", "reshape"]
FOR_RANK = {
    1: ["dense", "dense", "dense"],
    2: ["conv1d", "conv1d", "conv1d", "pooling1d", "pooling1d", "global_pooling1d", "permute", "flatten"],
    3: ["conv2d", "conv2d", "conv2d", "conv2d", "depthwise_conv2d", "depthwise_conv2d", "separable_conv2d", "separable_conv2d",
        "conv2d_transpose", "conv2d_transpose", "pooling2d", "pooling2d", "pooling2d", "global_pooling2d", "permute", "flatten",
        "zero_padding2d", "cropping2d", "up_sampling2d"],
}
