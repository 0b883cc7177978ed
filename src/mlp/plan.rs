//! Which stages a batch passes through, and which matrix each of them reads and writes.

use super::architecture::Architecture;
use super::slots::{INPUTS, Matrices, MatrixPlan, Slot};
use super::stages::{Activate, Dense, Dropout, Norm, Stage};
use super::tensors::{Kind, Tensors};

/// Stages, and the matrices that they read and write.
#[derive(Debug, Clone)]
pub struct Plan {
    /// In the order of the way forward.
    pub stages: Vec<Stage>,
    /// What they read and write.
    pub matrices: Matrices,
    /// The stage of each tensor.
    owners: Vec<usize>,
}

impl Plan {
    /// The stage that a tensor belongs to.
    #[inline]
    pub fn stage_of(&self, tensor: usize) -> &Stage {
        &self.stages[self.owners[tensor]]
    }

    /// The number of the first stage of which a tensor is `wanted`: nothing needs to go back beyond it.
    pub fn first_wanted(&self, wanted: impl Fn(usize) -> bool) -> Option<usize> {
        self.stages.iter().position(|stage| stage.tensors().into_iter().any(&wanted))
    }
}

/// Decides which matrix each stage reads and writes.
pub(super) struct Planner<'a> {
    architecture: &'a Architecture,
    tensors: &'a Tensors,
    /// Whether the way back needs what the way forward computes; else two buffers take turns.
    keeps: bool,
    stages: Vec<Stage>,
    matrices: Vec<MatrixPlan>,
}

impl<'a> Planner<'a> {
    pub fn new(architecture: &'a Architecture, tensors: &'a Tensors, keeps: bool) -> Self {
        let inputs = MatrixPlan { cols: architecture.widths[0], buffer: 0 };
        Planner { architecture, tensors, keeps, stages: vec![], matrices: vec![inputs] }
    }

    /// A matrix; where nothing is kept it lies in the buffer that the one before it does not.
    fn matrix(&mut self, cols: usize) -> Slot {
        let slot = self.matrices.len();
        self.matrices.push(MatrixPlan { cols, buffer: if self.keeps { slot } else { slot % 2 } });
        slot
    }

    fn tensor(&self, layer: usize, kind: Kind) -> Option<usize> {
        self.tensors.iter().position(|tensor| tensor.layer == layer && tensor.kind == kind)
    }

    /// The plan.
    pub fn plan(mut self) -> Plan {
        let layers = self.architecture.widths.len() - 1;
        let (mut x, mut delta_x) = (INPUTS, None);
        for layer in 0..layers {
            let width = self.architecture.widths[layer + 1];
            let product = self.matrix(width);
            let first = self.stages.len();
            self.stages.push(Stage::Dense(Dense {
                weight: self.tensor(layer, Kind::Weight).expect("every layer has weights"),
                bias: self.tensor(layer, Kind::Bias).expect("every layer has biases"),
                input: x,
                output: product,
                delta_input: delta_x,
                delta_output: product,
            }));
            if layer + 1 == layers {
                return self.finish(product);
            }
            let delta = if self.keeps { self.matrix(width) } else { product };
            let (y, delta_product) = self.norm(layer, product, delta);
            if let Stage::Dense(dense) = &mut self.stages[first] {
                dense.delta_output = delta_product;
            }
            x = self.activation(layer, y, delta);
            delta_x = Some(delta);
        }
        unreachable!("the last layer has returned")
    }

    fn finish(self, logits: Slot) -> Plan {
        let mut owners = vec![0; self.tensors.count()];
        for (number, stage) in self.stages.iter().enumerate() {
            stage.tensors().into_iter().for_each(|tensor| owners[tensor] = number);
        }
        Plan { stages: self.stages, matrices: Matrices { all: self.matrices, logits }, owners }
    }

    /// The norm of a hidden layer, if it has one: where its result is, and where its inputs' gradient will be.
    fn norm(&mut self, layer: usize, product: Slot, delta: Slot) -> (Slot, Slot) {
        let Some(kind) = self.architecture.norm else { return (product, delta) };
        let width = self.architecture.widths[layer + 1];
        let gain = self.tensor(layer, Kind::Gain).expect("every norm has gains");
        let shift = self.tensor(layer, Kind::Shift);
        let kept = self.keeps.then(|| (self.matrix(width), self.matrix(1), self.matrix(width)));
        let (output, scales, delta_input) = match kept {
            Some((output, scales, delta_input)) => (output, Some(scales), delta_input),
            None => (product, None, delta),
        };
        self.stages.push(Stage::Norm(Norm { kind, gain, shift, input: product, output, scales, delta_input, delta }));
        (output, delta_input)
    }

    /// Activation and dropout of a hidden layer: where their result is.
    fn activation(&mut self, layer: usize, y: Slot, delta: Slot) -> Slot {
        let (activation, rate) = (self.architecture.activations[layer], self.architecture.dropout[layer]);
        let width = self.architecture.widths[layer + 1];
        let keeps_input = self.keeps && activation.needs_input();
        let output = if keeps_input { self.matrix(width) } else { y };
        let saved = if keeps_input { y } else { output };
        self.stages.push(Stage::Activate(Activate { activation, input: y, output, saved, delta }));
        if rate == 0.0 || !self.keeps {
            return output;
        }
        // The activation's derivative may need its output as it was.
        let dropped = if keeps_input { output } else { self.matrix(width) };
        let mask = self.matrix(width);
        self.stages.push(Stage::Dropout(Dropout { layer, rate, input: output, output: dropped, mask, delta }));
        dropped
    }
}
