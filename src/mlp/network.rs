//! What a network is, without its parameters: a table of tensors, stages that use them, and what is minimised.

use super::architecture::{Architecture, tensors_of};
use super::embeddings::InputStage;
use super::memory::Workspace;
use super::plan::{Plan, Planner};
use super::stages::Stage;
use super::tensors::{Kind, Tensors};
use crate::error::Result;
use crate::kernels::loss::Loss;
use crate::kernels::matmul::{Factors, Sizes};
use crate::optim::Curve;
use crate::scalar::Scalar;

/// A network without its parameters.
#[derive(Debug, Clone)]
pub struct Network {
    /// Where each parameter lies in the flat vector, and what it is.
    pub tensors: Tensors,
    /// How a batch passes through in training.
    pub training: Plan,
    /// How rows pass through where nothing is kept for the way back.
    pub prediction: Plan,
    /// See [`Architecture::inputs`].
    pub input_stage: InputStage,
    /// See [`Architecture::loss`].
    pub loss: Loss,
    /// See [`Architecture::output_weights`].
    pub output_weights: Option<Vec<f64>>,
    /// See [`Architecture::dropout`].
    pub dropout: Vec<f64>,
    /// What the dropout of a hidden layer follows in a training, in place of staying as it is.
    pub dropout_curves: Vec<Option<Curve>>,
    /// See [`Architecture::l2`].
    pub l2: f64,
    /// See [`Architecture::l2_per_weight`].
    pub l2_per_weight: bool,
    /// See [`Architecture::factors`].
    pub factors: Factors,
}

impl Network {
    /// The network of that description.
    ///
    /// # Panics
    /// If there are fewer than two widths, one of them is 0, or a list has not one entry for each hidden layer.
    pub fn new(architecture: &Architecture) -> Self {
        let Architecture { widths, activations, dropout, .. } = architecture;
        assert!(widths.len() >= 2 && widths.iter().all(|&width| width > 0), "widths of a network");
        let hidden = widths.len() - 2;
        assert!(activations.len() == hidden && dropout.len() == hidden, "one of each for every hidden layer");
        let tensors = tensors_of(architecture);
        Network {
            training: Planner::new(architecture, &tensors, true).plan(),
            prediction: Planner::new(architecture, &tensors, false).plan(),
            tensors,
            input_stage: architecture.inputs.clone(),
            loss: architecture.loss,
            dropout: dropout.clone(),
            dropout_curves: vec![],
            output_weights: architecture.output_weights.clone(),
            l2: architecture.l2,
            l2_per_weight: architecture.l2_per_weight,
            factors: architecture.factors,
        }
    }

    /// Inputs of the network.
    pub fn inputs(&self) -> usize {
        self.training.matrices.inputs()
    }

    /// Outputs of the network.
    pub fn outputs(&self) -> usize {
        self.training.matrices.outputs()
    }

    /// Memory to train with batches of up to `batch` rows, of data whose inputs are sparse or not.
    pub fn workspace<T: Scalar>(&self, batch: usize, sparse: bool) -> Result<Workspace<T>> {
        Workspace::for_training(&self.training.matrices, batch, self.loss.takes_classes(), sparse)
    }

    /// The dropout of each hidden layer in the step that comes after `step` others, to `rates`.
    pub fn dropout_at(&self, step: f64, rates: &mut [f64]) {
        for (rate, curve) in rates.iter_mut().zip(&self.dropout_curves) {
            if let Some(curve) = curve {
                *rate = curve.value(step);
            }
        }
    }

    /// Whether something is different in each step: dropout.
    pub fn is_noisy(&self) -> bool {
        self.training.stages.iter().any(|stage| matches!(stage, Stage::Dropout(_)))
    }

    /// The largest sizes of the products that rows take part in, forward.
    pub fn forward_sizes(&self, rows: usize) -> Sizes {
        let largest = |of: fn((usize, usize)) -> usize| self.weights().map(of).max().unwrap_or(0);
        let (depth, cols) = (largest(|(inputs, _)| inputs), largest(|(_, outputs)| outputs));
        Sizes { rows, depth, cols, factors: self.factors }
    }

    /// The same forward, back, and for the gradient of the weights.
    pub fn training_sizes(&self, rows: usize) -> Sizes {
        let Sizes { depth: inputs, cols: outputs, factors, .. } = self.forward_sizes(rows);
        let widest = inputs.max(outputs);
        Sizes { rows: rows.max(inputs), depth: rows.max(widest), cols: widest, factors }
    }

    /// Floating-point operations of one training step; the first layer needs no input gradient where inputs go into it as they
    /// are.
    pub fn step_flops(&self, batch: usize) -> f64 {
        let products: usize = self.weights().map(|(rows, cols)| rows * cols).sum();
        let first = self.weights().next().filter(|_| self.input_stage.is_empty()).map_or(0, |(rows, cols)| rows * cols);
        2.0 * batch as f64 * (3 * products - first + self.input_stage.products()) as f64
    }

    fn weights(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        let weights = self.tensors.iter().filter(|tensor| tensor.kind == Kind::Weight);
        weights.map(|tensor| (tensor.rows, tensor.cols))
    }
}
