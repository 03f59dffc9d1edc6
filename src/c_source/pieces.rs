//! The C functions of the file: pieces of text, each of which may need others before it.

/// A piece and the pieces it needs.
pub struct Piece {
    name: &'static str,
    needs: &'static [&'static str],
    /// The C.
    pub text: &'static str,
}

/// A piece from a file in `pieces/`.
macro_rules! piece {
    ($name:literal $(, $need:literal)*) => {
        Piece { name: $name, needs: &[$($need),*], text: include_str!(concat!("pieces/", $name, ".c")) }
    };
}

/// An activation of Keras's name, in `pieces/activations/`.
macro_rules! activation {
    ($name:literal $(, $need:literal)*) => {
        Piece { name: $name, needs: &[$($need),*], text: include_str!(concat!("pieces/activations/", $name, ".c")) }
    };
}

/// All pieces, each after those that it needs.
pub static PIECES: &[Piece] = &[
    piece!("checks"),
    piece!("word"),
    piece!("bits_of", "word"),
    piece!("number_of", "word"),
    piece!("fma", "word"),
    piece!("relu"),
    piece!("end", "relu"),
    piece!("greater"),
    piece!("size", "greater"),
    piece!("clamp"),
    piece!("sqrt", "bits_of", "number_of"),
    piece!("notice"),
    piece!("expf", "notice", "bits_of", "number_of"),
    piece!("expm1f", "notice", "bits_of", "number_of"),
    piece!("log_series", "notice"),
    piece!("logf", "log_series", "bits_of", "number_of"),
    piece!("log1pf", "log_series", "bits_of", "number_of"),
    piece!("tanhf", "expm1f", "bits_of", "number_of"),
    piece!("exp_below", "fma", "greater", "number_of"),
    activation!("celu", "expm1f"),
    activation!("elu", "exp_below", "relu"),
    activation!("exponential", "expf"),
    activation!("gelu", "exp_below", "size"),
    activation!("hard_shrink"),
    activation!("hard_sigmoid", "clamp"),
    activation!("hard_silu", "clamp"),
    activation!("hard_tanh", "clamp"),
    activation!("leaky_relu"),
    activation!("softplus", "expf", "log1pf"),
    activation!("log_sigmoid", "softplus"),
    activation!("mish", "softplus", "tanhf"),
    activation!("relu6", "clamp"),
    activation!("selu", "expm1f"),
    activation!("sigmoid", "exp_below", "size"),
    activation!("silu", "sigmoid"),
    activation!("soft_shrink"),
    activation!("softsign"),
    activation!("sparse_plus"),
    activation!("sparse_sigmoid", "clamp"),
    activation!("squareplus", "sqrt"),
    activation!("tanh", "exp_below", "size"),
    activation!("tanh_shrink", "tanhf"),
    piece!("kernel_float"),
    piece!("kernel_int8"),
    piece!("window"),
    piece!("view"),
    piece!("map"),
    piece!("softmax", "expf"),
    piece!("log_softmax", "expf", "logf"),
    piece!("bounded_relu"),
    piece!("leaky"),
    piece!("scaled_elu", "expm1f"),
    piece!("rescale", "fma"),
    piece!("standardize"),
    piece!("dense", "fma", "end"),
    piece!("conv2d", "fma", "end", "window"),
    piece!("conv2d_transpose", "fma", "end", "window"),
    piece!("winograd", "fma", "end", "window"),
    piece!("pool", "greater", "window"),
    piece!("normalize", "fma", "end"),
    piece!("group_normalize", "fma", "end", "sqrt"),
    piece!("up_sample", "window"),
    piece!("copy_rows"),
    piece!("clear"),
    piece!("gather", "view"),
    piece!("prelu", "view"),
    piece!("add"),
    piece!("subtract"),
    piece!("multiply"),
    piece!("maximum", "greater"),
    piece!("minimum", "greater"),
    piece!("merge", "view"),
    piece!("divide"),
];

/// Which pieces a file needs.
pub struct Needed(Vec<bool>);

impl Default for Needed {
    /// Only the first one.
    fn default() -> Self {
        Needed((0..PIECES.len()).map(|i| i == 0).collect())
    }
}

impl Needed {
    /// Adds a piece and what it needs.
    pub fn add(&mut self, name: &str) {
        let found = PIECES.iter().position(|piece| piece.name == name).filter(|&i| !self.0[i]);
        if let Some(i) = found {
            self.0[i] = true;
            PIECES[i].needs.iter().for_each(|need| self.add(need));
        }
    }

    /// For each piece, whether it is needed.
    pub fn all(&self) -> &[bool] {
        &self.0
    }
}
