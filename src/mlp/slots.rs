//! The matrices of a batch by number.

/// The number of a matrix among those of a batch.
pub type Slot = usize;

/// The matrix of inputs.
pub const INPUTS: Slot = 0;

/// One matrix of a batch, which has a row for each row of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MatrixPlan {
    /// Its columns.
    pub cols: usize,
    /// The buffer it lies in.
    pub buffer: usize,
}

/// All matrices of a batch; the first are the inputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matrices {
    /// In the order of their numbers.
    pub all: Vec<MatrixPlan>,
    /// Where the last layer's preactivations are.
    pub logits: Slot,
}

impl Matrices {
    /// How many buffers they lie in.
    pub fn buffers(&self) -> usize {
        self.all.iter().map(|matrix| matrix.buffer + 1).max().unwrap_or(0)
    }

    /// Columns of the inputs.
    pub fn inputs(&self) -> usize {
        self.all[INPUTS].cols
    }

    /// Columns of the last layer's preactivations.
    pub fn outputs(&self) -> usize {
        self.all[self.logits].cols
    }
}

/// Which way a batch passes a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Outputs from inputs.
    Forward,
    /// The gradient of inputs from that of outputs.
    Back,
}
