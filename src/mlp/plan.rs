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

    /// The plan.
    pub fn plan(mut self) -> Plan {
        let layers = self.architecture.widths.len() - 1;
        let (mut x, mut delta_x) = (INPUTS, None);
        for layer in 0..layers {
            let width = self.architecture.widths[layer + 1];
            let product = self.matrix(width);
            if layer + 1 == layers {
                self.dense(layer, (x, delta_x), (product, product));
                return self.finish(product);
            }
            // Where nothing is kept there is no way back, and no matrices for it.
            let delta = if self.keeps { self.matrix(width) } else { product };
            let norm = self.norm(layer, product, delta);
            let (y, delta_product) = norm.as_ref().map_or((product, delta), |norm| (norm.output, norm.delta_input));
            self.dense(layer, (x, delta_x), (product, delta_product));
            self.stages.extend(norm.map(Stage::Norm));
            x = self.activation(layer, y, delta);
            delta_x = Some(delta);
        }
        unreachable!("the last layer has returned")
    }

    fn dense(
        &mut self,
        layer: usize,
        (input, delta_input): (Slot, Option<Slot>),
        (output, delta_output): (Slot, Slot),
    ) {
        self.stages.push(Stage::Dense(Dense {
            weight: self.tensors.find(layer, Kind::Weight).expect("every layer has weights"),
            bias: self.tensors.find(layer, Kind::Bias).expect("every layer has biases"),
            input,
            output,
            delta_input,
            delta_output,
            factors: self.architecture.factors,
        }));
    }

    fn finish(self, logits: Slot) -> Plan {
        let mut owners = vec![0; self.tensors.count()];
        for (number, stage) in self.stages.iter().enumerate() {
            stage.tensors().into_iter().for_each(|tensor| owners[tensor] = number);
        }
        Plan { stages: self.stages, matrices: Matrices { all: self.matrices, logits }, owners }
    }

    /// The norm of a hidden layer, if it has one.
    fn norm(&mut self, layer: usize, product: Slot, delta: Slot) -> Option<Norm> {
        let kind = self.architecture.norm?;
        let width = self.architecture.widths[layer + 1];
        let gain = self.tensors.find(layer, Kind::Gain).expect("every norm has gains");
        let shift = self.tensors.find(layer, Kind::Shift);
        let kept = self.keeps.then(|| (self.matrix(width), self.matrix(1), self.matrix(width)));
        let (output, scales, delta_input) = match kept {
            Some((output, scales, delta_input)) => (output, Some(scales), delta_input),
            None => (product, None, delta),
        };
        Some(Norm { kind, gain, shift, input: product, output, scales, delta_input, delta_output: delta })
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
        self.stages.push(Stage::Dropout(Dropout { layer, input: output, output: dropped, mask, delta }));
        dropped
    }
}
