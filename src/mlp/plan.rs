//! Which stages a batch passes through, and which matrix each of them reads and writes.

use super::architecture::Architecture;
use super::embeddings::{Embedding, owner};
use super::slots::{INPUTS, Matrices, MatrixPlan, Slot};
use super::stages::{
    Activate, Combine, Dense, Dropout, Lookup, Norm, Parametric, Piecewise, Plain, Scale, Stage, Waves,
};
use super::tensors::{Kind, Tensors};
use crate::kernels::activation::Activation;

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
        self.matrix_beside(self.matrices.len() - 1, cols)
    }

    /// A matrix that is needed at the same time as another one.
    fn matrix_beside(&mut self, other: Slot, cols: usize) -> Slot {
        let slot = self.matrices.len();
        let buffer = if self.keeps { slot } else { 1 - self.matrices[other].buffer };
        self.matrices.push(MatrixPlan { cols, buffer });
        slot
    }

    /// The plan.
    pub fn plan(mut self) -> Plan {
        let layers = self.architecture.widths.len() - 1;
        let (mut x, mut delta_x) = self.inputs();
        for layer in 0..layers {
            let width = self.architecture.widths[layer + 1];
            let product = self.matrix_beside(x, width);
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
            let (output, delta_output) = self.activation(layer, y, delta);
            x = output;
            delta_x = Some(delta_output);
        }
        unreachable!("the last layer has returned")
    }

    /// What comes before the first layer: the matrix that goes into it, and the gradient with respect to that, where somebody
    /// needs it.
    fn inputs(&mut self) -> (Slot, Option<Slot>) {
        let (stage, inputs) = (&self.architecture.inputs, self.architecture.widths[0]);
        let (mut x, mut delta, width) = (INPUTS, None, stage.width(inputs));
        if !stage.embeddings.is_empty() {
            x = self.matrix(width);
            // Where nothing is kept there is no way back, and no matrices for it.
            let delta_x = if self.keeps { self.matrix(width) } else { x };
            let mut first = 0;
            for (number, embedding) in stage.embeddings.iter().enumerate() {
                self.embedding(&owner(number), embedding, (x, delta_x, first));
                first += embedding.width();
            }
            let columns = stage.plain(inputs);
            if !columns.is_empty() {
                self.stages.push(Stage::Plain(Plain { columns, output: x, first }));
            }
            delta = Some(delta_x);
        }
        if stage.scale {
            let (input, delta_input, scale) = (x, delta, self.input_tensor("input", Kind::Scale));
            x = self.matrix_beside(input, width);
            let delta_output = if self.keeps { self.matrix(width) } else { x };
            self.stages.push(Stage::Scale(Scale { scale, input, output: x, delta_input, delta_output }));
            delta = Some(delta_output);
        }
        (x, delta)
    }

    /// The stages of an embedding, which writes to a matrix from some column on.
    fn embedding(&mut self, owner: &str, embedding: &Embedding, (output, delta_output, first): (Slot, Slot, usize)) {
        match *embedding {
            Embedding::Periodic { ref columns, frequencies, width, .. } => {
                let waves = self.matrix_beside(output, columns.len() * frequencies);
                let delta = self.keeps.then(|| self.matrix(columns.len() * frequencies));
                self.stages.push(Stage::Waves(Waves {
                    columns: columns.clone(),
                    frequency: self.input_tensor(owner, Kind::Frequency),
                    phase: self.input_tensor(owner, Kind::Phase),
                    output: waves,
                    delta,
                }));
                self.stages.push(Stage::Combine(Combine {
                    columns: columns.clone(),
                    width,
                    weight: self.input_tensor(owner, Kind::SumWeight),
                    bias: self.input_tensor(owner, Kind::SumBias),
                    waves,
                    delta_waves: delta,
                    output,
                    delta_output,
                    first,
                }));
            }
            Embedding::Piecewise { ref columns, ref bins, width } => {
                let reach = self.keeps.then(|| self.matrix(1));
                self.stages.push(Stage::Piecewise(Piecewise {
                    columns: columns.clone(),
                    bins: bins.clone(),
                    width,
                    weight: self.input_tensor(owner, Kind::SumWeight),
                    bias: self.input_tensor(owner, Kind::SumBias),
                    output,
                    delta_output,
                    first,
                    reach,
                }));
            }
            Embedding::Category { column, levels, width } => {
                let table = self.input_tensor(owner, Kind::Table);
                self.stages.push(Stage::Lookup(Lookup { column, table, levels, width, output, delta_output, first }));
            }
        }
    }

    /// The tensor of that kind whose name begins so, before the first layer.
    fn input_tensor(&self, owner: &str, kind: Kind) -> usize {
        self.tensors.find_input(owner, kind).expect("a tensor of the inputs")
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

    /// Activation and dropout of a hidden layer, whose gradient with respect to `y` goes to `delta`: where their result is, and the
    /// gradient with respect to that.
    fn activation(&mut self, layer: usize, y: Slot, delta: Slot) -> (Slot, Slot) {
        let (activation, rate) = (self.architecture.activations[layer], self.architecture.dropout[layer]);
        let width = self.architecture.widths[layer + 1];
        let keeps_input = self.keeps && (activation.needs_input() || self.architecture.parametric);
        let (output, delta) = match self.architecture.parametric {
            true => self.parametric(layer, activation, (y, delta)),
            false => {
                let output = if keeps_input { self.matrix(width) } else { y };
                let saved = if keeps_input { y } else { output };
                self.stages.push(Stage::Activate(Activate { activation, input: y, output, saved, delta }));
                (output, delta)
            }
        };
        if rate == 0.0 || !self.keeps {
            return (output, delta);
        }
        // The activation's derivative may need its output as it was.
        let dropped = if keeps_input { output } else { self.matrix(width) };
        let mask = self.matrix(width);
        self.stages.push(Stage::Dropout(Dropout { layer, input: output, output: dropped, mask, delta }));
        (dropped, delta)
    }

    /// A parametric activation: where its result is, and the gradient with respect to that.
    fn parametric(&mut self, layer: usize, activation: Activation, (input, delta_input): (Slot, Slot)) -> (Slot, Slot) {
        let width = self.architecture.widths[layer + 1];
        let change = self.matrix_beside(input, width);
        let activated = (self.keeps && !activation.needs_input()).then(|| self.matrix(width));
        let output = if self.keeps { self.matrix(width) } else { input };
        let delta_output = if self.keeps { self.matrix(width) } else { input };
        let alpha = self.tensors.find(layer, Kind::Alpha).expect("a share for each unit");
        self.stages.push(Stage::Parametric(Parametric {
            activation,
            alpha,
            input,
            change,
            activated,
            output,
            delta_output,
            delta_input,
        }));
        (output, delta_output)
    }
}
