//! Weight arrays by name: listed, read and set one by one.
//!
//! The names, shapes and layouts are those of a weights file: `conv2d/kernel`, `[k, k, in, out]`; `dense/kernel`,
//! `[in, out]`; `.../bias`, `[out]`.

use super::Model;
use super::parameters::Entry;
use crate::error::{At, Error, ErrorKind, Result, one_of, printable};
use std::collections::HashMap;

impl Model {
    /// The weights' names, layer by layer, a layer's kernel before its bias.
    pub fn weight_names(&self) -> impl Iterator<Item = &str> {
        self.parameters.entries().iter().map(|entry| entry.name.as_str())
    }

    /// The sizes of a weight, outermost first. `NotFound` for a name that the model does not have.
    pub fn weight_shape(&self, name: &str) -> Result<&[usize]> {
        Ok(&self.weight(name)?.shape)
    }

    /// The number of floats of a weight array, the product of its shape. `NotFound` for a name that the model does not
    /// have.
    pub fn weight_len(&self, name: &str) -> Result<usize> {
        Ok(self.weight(name)?.range.len())
    }

    /// Copies a weight to the beginning of `values`, row-major as its shape says. During a fit it is a snapshot taken
    /// between two steps; two calls may get weights of different steps.
    ///
    /// `NotFound` for a name that the model does not have, `InvalidArgument` when `values` are too few.
    pub fn get_weight(&self, name: &str, values: &mut [f32]) -> Result<()> {
        let range = self.weight(name)?.range.clone();
        let found = values.len();
        let Some(values) = values.get_mut(..range.len()) else {
            let error = Error::new(ErrorKind::InvalidArgument, "too few floats").expected(range.len()).found(found);
            return Err(error.at("argument `values`"));
        };
        self.parameters.read(|all| values.copy_from_slice(&all[range]))
    }

    /// Copies the weights of another model that have the same name and shape, and returns their number. The optimizer
    /// state is kept; the position of an earlier fit is discarded. Exclusive.
    pub fn copy_weights(&self, from: &Model) -> Result<usize> {
        let theirs = from.parameters.snapshot()?;
        let _session = self.exclusive()?;
        let mut state = self.state.write();
        let named = |entry: &'_ Entry| (entry.name.clone(), (entry.shape.clone(), entry.range.clone()));
        let known: HashMap<_, _> = from.parameters.entries().iter().map(named).collect();
        let copied = self.parameters.write(|all| {
            let pairs = self.parameters.entries().iter().filter_map(|entry| {
                let (shape, range) = known.get(&entry.name)?;
                (*shape == entry.shape).then_some((entry.range.clone(), range.clone()))
            });
            pairs.map(|(to, from)| all[to].copy_from_slice(&theirs[from])).count()
        })?;
        state.position = None;
        Ok(copied)
    }

    /// Sets a weight array to `values`, row-major; they may be NaN or infinite. The optimizer state is kept; the
    /// position of an earlier fit is discarded. Exclusive.
    ///
    /// `NotFound` for a name that the model does not have, `Shape` when `values` are more or fewer than the weight.
    pub fn set_weight(&self, name: &str, values: &[f32]) -> Result<()> {
        let Entry { shape, range, .. } = self.weight(name)?;
        if values.len() != range.len() {
            return Err(Error::new(ErrorKind::Shape, "another number of values than the weight's")
                .expected(format_args!("{} for {shape:?}", range.len()))
                .found(values.len())
                .at(format_args!("weight {name}")));
        }
        let _session = self.exclusive()?;
        let mut state = self.state.write();
        self.parameters.write(|all| all[range.clone()].copy_from_slice(values))?;
        state.position = None;
        Ok(())
    }

    fn weight(&self, name: &str) -> Result<&Entry> {
        let entries = self.parameters.entries();
        let found = entries.iter().find(|entry| entry.name == name);
        found
            .ok_or_else(|| {
                Error::new(ErrorKind::NotFound, "the model has no such weight")
                    .expected(one_of(entries.iter().map(|entry| entry.name.as_str())))
                    .found(format_args!("`{}`", printable(name)))
            })
            .at("argument `name`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Graph;
    use crate::layers::Activation;

    fn model() -> Model {
        let mut graph = Graph::new();
        let x = graph.input(&[6, 5, 2]).unwrap();
        let y = graph.conv2d(x, 3, 2, Activation::Relu).unwrap();
        let y = graph.flatten(y).unwrap();
        let y = graph.dense(y, 4, Activation::Softmax).unwrap();
        let model = Model::new(&graph, x, y, "model").unwrap();
        model.set_threads(1).unwrap();
        model
    }

    #[test]
    fn names_and_shapes_are_the_file_s() {
        let model = model();
        let file = tempfile::NamedTempFile::new().unwrap().into_temp_path();
        model.save_weights(&file).unwrap();
        let bytes = std::fs::read(&file).unwrap();
        let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let names: Vec<_> = model.weight_names().collect();
        assert_eq!(names, ["conv2d/kernel", "conv2d/bias", "dense/kernel", "dense/bias"]);
        assert_eq!(tensors.len(), names.len());
        for name in names {
            let tensor = tensors.tensor(name).unwrap();
            assert_eq!(tensor.shape(), model.weight_shape(name).unwrap());
            let mut values = vec![f32::NAN; model.weight_len(name).unwrap()];
            model.get_weight(name, &mut values).unwrap();
            assert_eq!(bytemuck::cast_slice::<f32, u8>(&values), tensor.data());
        }
    }

    #[test]
    fn what_is_set_is_there_and_predicts_and_nothing_else_changes() {
        let model = model();
        let (bias, kernel) = ([0.25f32, -1.0, 7.5, 0.0], [0f32; 60 * 4]);
        let mut before = vec![0.0; 2 * 2 * 2 * 3];
        model.get_weight("conv2d/kernel", &mut before).unwrap();
        model.set_weight("dense/bias", &bias).unwrap();
        model.set_weight("dense/kernel", &kernel).unwrap();
        let (mut back, mut conv, mut p) = ([0.0; 6], vec![0.0; before.len()], [0f32; 4]);
        model.get_weight("dense/bias", &mut back[..5]).unwrap();
        model.get_weight("conv2d/kernel", &mut conv).unwrap();
        assert_eq!((&back[..4], &back[4..]), (&bias[..], &[0.0, 0.0][..]));
        assert_eq!(conv, before);
        model.predict(&[1.0; 60], 1, &mut p).unwrap();
        let mut expected = bias;
        crate::kernels::softmax::softmax(&mut expected, 4);
        assert_eq!(p, expected, "with a kernel of zeros the bias decides");
    }

    #[test]
    fn wrong_names_and_numbers_change_nothing() {
        let model = model();
        let error = model.weight_shape("conv2d/weights\n").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let text = error.to_string();
        assert!(
            text.ends_with("one of conv2d/kernel, conv2d/bias, dense/kernel, dense/bias, found `conv2d/weights\\n`")
        );
        assert_eq!(model.get_weight("dense/bias", &mut [0.0; 3]).unwrap_err().kind(), ErrorKind::InvalidArgument);
        for values in [&[1.0; 3][..], &[1.0; 5], &[]] {
            let error = model.set_weight("dense/bias", values).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Shape);
            assert!(error.to_string().starts_with("weight dense/bias: "), "{error}");
        }
        let mut bias = [1.0; 4];
        model.get_weight("dense/bias", &mut bias).unwrap();
        assert_eq!(bias, [0.0; 4]);
    }
}
