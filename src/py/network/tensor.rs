//! The table of a network's tensors, for Python.

use pyo3::prelude::*;

use crate::mlp::tensors::{Initial, Tensor};

/// One tensor of a network: what it is, and where it lies in the vector of all parameters.
#[pyclass(module = "schuss._schuss", frozen, get_all)]
#[derive(Debug, Clone)]
pub struct TensorInfo {
    /// str: For example "0.weight": the layer's number and the kind; "input.0.table" is of the first embedding.
    name: String,
    /// int or None: The layer, from 0; None for what comes before the first.
    layer: Option<usize>,
    /// str: "weight", "bias", "gain", "shift", "alpha", "frequency", "phase", "table" or "scale".
    kind: &'static str,
    /// list of int: Of a matrix (inputs, outputs), of all others (outputs,).
    shape: Vec<usize>,
    /// int: Where it begins.
    start: usize,
    /// bool: Whether the penalty of the objective is on it.
    decays: bool,
    /// float: What its elements start as, but for the random part.
    initial: f64,
    /// float: The bound of the uniform random part.
    bound: f64,
    /// float: The deviation of the normal random part.
    deviation: f64,
}

impl TensorInfo {
    /// As the core has it.
    pub fn new(tensor: &Tensor) -> Self {
        let (initial, bound, deviation) = match tensor.initial {
            Initial::Uniform(bound) => (0.0, bound, 0.0),
            Initial::Constant(value) => (value, 0.0, 0.0),
            Initial::Normal(deviation) => (0.0, 0.0, deviation),
        };
        let shape = if tensor.kind.is_matrix() { vec![tensor.rows, tensor.cols] } else { vec![tensor.cols] };
        TensorInfo {
            name: tensor.name.clone(),
            layer: tensor.layer,
            kind: tensor.kind.name(),
            shape,
            start: tensor.start,
            decays: tensor.kind.decays(),
            initial,
            bound,
            deviation,
        }
    }
}

#[pymethods]
impl TensorInfo {
    fn __repr__(&self) -> String {
        format!("{self:?}")
    }
}
