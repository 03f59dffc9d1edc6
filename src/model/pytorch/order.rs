//! The order in which PyTorch has the elements of each call's output.

use crate::error::{Error, ErrorKind, Result};
use crate::graph::{Architecture, Call};
use std::collections::HashMap;

/// The order of a call's output in PyTorch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// A sample of one axis, made of pieces in sequence: `(S, C)` is a piece of `S * C` features, which were `[S, C]`
    /// here and `[C, S]` in PyTorch before the flatten. `(1, features)` is the same order as here.
    Features(Vec<(usize, usize)>),
    /// Channels first.
    ChannelsFirst,
    /// The input's order, not known yet to have channels.
    Rows,
    /// Unknown since this call.
    Unknown(usize),
}

impl Order {
    fn as_here(features: usize) -> Self {
        Order::Features(vec![(1, features)])
    }

    /// Pieces in sequence; adjacent pieces in the order here are merged.
    fn pieces(all: impl IntoIterator<Item = (usize, usize)>) -> Self {
        let mut pieces: Vec<(usize, usize)> = Vec::new();
        for (spatial, channels) in all {
            let piece = if channels == 1 { (1, spatial) } else { (spatial, channels) };
            match pieces.last_mut() {
                Some(last) if last.0 == 1 && piece.0 == 1 => last.1 += piece.1,
                _ => pieces.push(piece),
            }
        }
        Order::Features(pieces)
    }

    /// The index of each feature in PyTorch; `None` if all are the same as here.
    pub(super) fn places(&self) -> Option<Vec<usize>> {
        let Order::Features(pieces) = self else { return None };
        if let [(1, _)] = pieces[..] {
            return None;
        }
        let mut places = Vec::new();
        for &(spatial, channels) in pieces {
            let start = places.len();
            let piece = (0..spatial).flat_map(|s| (0..channels).map(move |c| start + c * spatial + s));
            places.extend(piece);
        }
        Some(places)
    }
}

/// The orders of all calls.
pub(super) struct Orders<'a> {
    architecture: &'a Architecture,
    /// The order that a reshape to an image requires of the features below it.
    wanted: HashMap<usize, Order>,
    orders: Vec<Order>,
}

impl<'a> Orders<'a> {
    pub(super) fn of(architecture: &'a Architecture) -> Self {
        let calls = &architecture.calls;
        let mut all = Orders { architecture, wanted: HashMap::new(), orders: Vec::new() };
        (0..calls.len()).for_each(|call| all.want(call));
        for call in 0..calls.len() {
            let order = all.order(call);
            all.orders.push(order);
        }
        all
    }

    fn class(&self, call: usize) -> &'static str {
        self.architecture.layers[self.architecture.calls[call].layer].layer.class()
    }

    fn dims(&self, call: usize) -> &'a [usize] {
        self.architecture.calls[call].output.dims()
    }

    /// Where features become an image `[H, W, C]`, the dense layer below gives them in the order of `C, H, W`.
    fn want(&mut self, call: usize) {
        let Call { inputs, .. } = &self.architecture.calls[call];
        let [.., channels] = *self.dims(call) else { return };
        if self.class(call) != "Reshape" || self.dims(call).len() != 3 || self.dims(inputs[0]).len() != 1 {
            return;
        }
        let mut at = inputs[0];
        let order = Order::pieces([(self.dims(at)[0] / channels, channels)]);
        loop {
            let call = &self.architecture.calls[at];
            match (self.class(at), &call.inputs[..]) {
                ("Dense", _) => {
                    self.wanted.insert(at, order);
                    return;
                }
                (_, &[below]) if self.dims(below) == self.dims(at) => at = below,
                _ => return,
            }
        }
    }

    /// The order of a call's output, from those of the calls before it.
    fn order(&self, call: usize) -> Order {
        let Call { layer, inputs, .. } = &self.architecture.calls[call];
        let has_weights = !self.architecture.layers[*layer].parameters.is_empty();
        let (class, dims) = (self.class(call), self.dims(call));
        let below: Vec<&Order> = inputs.iter().map(|&input| &self.orders[input]).collect();
        if let Some(unknown) = below.iter().find(|order| matches!(order, Order::Unknown(_))) {
            return (*unknown).clone();
        }
        let Some(&first) = below.first() else {
            return match dims.len() {
                1 => Order::as_here(dims[0]),
                2 => Order::Rows,
                _ => Order::ChannelsFirst,
            };
        };
        let same = below.iter().all(|order| *order == first);
        let keeps = self.dims(inputs[0]) == dims;
        match (class, dims.len()) {
            ("Dense", 1) => self.wanted.get(&call).cloned().unwrap_or(Order::as_here(dims[0])),
            ("Dense", _) if *first == Order::ChannelsFirst => Order::Unknown(call),
            ("Dense", _) => first.clone(),
            ("Permute", _) if !keeps || dims.len() > 1 => Order::Unknown(call),
            ("Flatten" | "Reshape", 1) => self.flattened(first, inputs[0]),
            ("Reshape", _) => self.reshaped(first, call),
            ("Concatenate", 1) => Order::pieces(below.iter().flat_map(|order| match order {
                Order::Features(pieces) => pieces.clone(),
                _ => Vec::new(),
            })),
            ("GlobalMaxPooling1D" | "GlobalAveragePooling1D" | "GlobalMaxPooling2D" | "GlobalAveragePooling2D", 1) => {
                Order::as_here(dims[0])
            }
            (_, 1) if same => first.clone(),
            (_, 1) => Order::Unknown(call),
            ("LayerNormalization", _) => first.clone(),
            (_, 2) if *first == Order::Rows && same && keeps && !has_weights => first.clone(),
            _ => Order::ChannelsFirst,
        }
    }

    fn flattened(&self, order: &Order, input: usize) -> Order {
        match (order, self.dims(input)) {
            (Order::ChannelsFirst, &[ref spatial @ .., channels]) => {
                Order::pieces([(spatial.iter().product(), channels)])
            }
            (Order::Rows, dims) => Order::as_here(dims.iter().product()),
            (order, _) => order.clone(),
        }
    }

    fn reshaped(&self, order: &Order, call: usize) -> Order {
        let input = self.architecture.calls[call].inputs[0];
        match (order, self.dims(call), self.dims(input)) {
            (_, to, from) if to == from => order.clone(),
            (Order::ChannelsFirst, &[.., to], &[_, .., from]) if to == from => Order::ChannelsFirst,
            (Order::Features(_), &[_, _, channels], &[features])
                if *order == Order::pieces([(features / channels, channels)]) =>
            {
                Order::ChannelsFirst
            }
            _ => Order::Unknown(call),
        }
    }

    /// The orders of a layer's input and output in PyTorch; the same for each of its calls.
    pub(super) fn around(&self, layer: usize) -> Result<(Order, Order)> {
        let mut calls = self.architecture.calls_of(layer).map(|(index, call)| {
            let below = call.inputs.first().map_or(&self.orders[index], |&input| &self.orders[input]);
            (below, &self.orders[index])
        });
        let (below, above) = calls.next().ok_or_else(|| Error::internal("a layer without a call"))?;
        let unknown = |what: String| {
            let error = Error::new(ErrorKind::Unsupported, what);
            Err(error.expected("only a Flatten between images and features"))
        };
        if let Order::Unknown(call) = below {
            let since = &self.architecture.layers[self.architecture.calls[*call].layer].name;
            return unknown(format!("the order of its input in PyTorch is not known after layer {since}"));
        }
        match calls.all(|(b, a)| b == below && a == above) {
            true => Ok((below.clone(), above.clone())),
            false => unknown("its calls get features in several orders".to_string()),
        }
    }
}
