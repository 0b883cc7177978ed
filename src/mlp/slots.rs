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
