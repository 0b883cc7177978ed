//! The memory of one batch: allocated once, then shared by a team in the parts that [`claims`](super::claims) hand out.

use std::sync::Mutex;

use crate::buffer::{Buffer, filled};
use crate::error::Result;
use crate::kernels::matmul::{Scratch, Sizes};
use crate::kernels::sparse::Csr;
use crate::scalar::Scalar;
use crate::team::Shared;

use super::data::Data;
use super::slots::{INPUTS, Matrices, MatrixPlan};

/// The most rows that are held at once. A larger batch passes through in pieces of this size, their gradients summed in
/// double precision.
pub const MAX_ROWS: usize = 4096;

/// A row-major matrix with padded rows, shared by a team.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a, T> {
    pub data: Shared<'a, T>,
    /// Which of the buffers it lies in.
    pub buffer: usize,
    pub cols: usize,
    /// Numbers from one row to the next.
    pub stride: usize,
}

/// From one row to the next: whole cache lines, and never a multiple of a large power of two, whose rows would all
/// compete for the same few places of the first-level cache. Narrow rows are tight.
fn stride<T>(cols: usize) -> usize {
    let line = 64 / size_of::<T>();
    if cols < line {
        return cols;
    }
    let padded = cols.next_multiple_of(line);
    if (padded * size_of::<T>()).is_multiple_of(1024) { padded + line } else { padded }
}

/// The buffers behind a [`Batch`].
pub struct Workspace<T> {
    rows: usize,
    sparse: bool,
    source: Vec<u32>,
    /// Of the matrices that the plan asks for.
    buffers: Vec<Buffer<T>>,
    classes: Vec<u32>,
    targets: Buffer<T>,
    weights: Buffer<T>,
    row_loss: Vec<f64>,
    /// One for each worker that has come so far.
    scratches: Vec<Mutex<Scratch<T>>>,
}

/// What errors call this memory.
const WHAT: &str = "the memory of a batch";

impl<T: Scalar> Workspace<T> {
    /// To train with batches of up to `batch` rows whose targets are classes or not, whose inputs are sparse or not.
    pub(super) fn for_training(matrices: &Matrices, batch: usize, classes: bool, sparse: bool) -> Result<Self> {
        let rows = batch.clamp(1, MAX_ROWS);
        let targets = if classes { 0 } else { rows.saturating_mul(matrices.outputs()) };
        Ok(Workspace {
            sparse,
            source: filled(0, if sparse { rows } else { 0 }, WHAT)?,
            classes: filled(0, if classes { rows } else { 0 }, WHAT)?,
            targets: Buffer::zeroed(targets, WHAT)?,
            weights: Buffer::zeroed(rows, WHAT)?,
            row_loss: filled(0.0, rows, WHAT)?,
            ..Self::bare(matrices, rows, !sparse)?
        })
    }

    /// To look at up to `rows` rows that lie elsewhere: their inputs are not copied.
    pub(super) fn for_prediction(matrices: &Matrices, rows: usize) -> Result<Self> {
        Self::bare(matrices, rows, false)
    }

    fn bare(matrices: &Matrices, rows: usize, with_inputs: bool) -> Result<Self> {
        let mut buffers = vec![0; matrices.buffers()];
        for (slot, matrix) in matrices.all.iter().enumerate().filter(|(slot, _)| *slot != INPUTS || with_inputs) {
            debug_assert!(slot != INPUTS || matrix.buffer == 0);
            buffers[matrix.buffer] = rows.max(1).saturating_mul(stride::<T>(matrix.cols)).max(buffers[matrix.buffer]);
        }
        Ok(Workspace {
            rows,
            sparse: false,
            source: vec![],
            buffers: buffers.into_iter().map(|len| Buffer::zeroed(len, WHAT)).collect::<Result<_>>()?,
            classes: vec![],
            targets: Buffer::default(),
            weights: Buffer::default(),
            row_loss: vec![],
            scratches: vec![],
        })
    }

    /// Takes out the workers' own memory for products of at most these sizes, to be put back.
    pub(super) fn take_scratches(&mut self, workers: usize, sizes: Sizes) -> Result<Vec<Mutex<Scratch<T>>>> {
        while self.scratches.len() < workers {
            self.scratches.push(Mutex::new(Scratch::new(sizes)?));
        }
        Ok(std::mem::take(&mut self.scratches))
    }

    /// Puts it back.
    pub(super) fn put_scratches(&mut self, scratches: Vec<Mutex<Scratch<T>>>) {
        self.scratches = scratches;
    }

    /// The rows that it holds at once.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Whether it is for sparse inputs.
    pub fn is_sparse(&self) -> bool {
        self.sparse
    }

    /// The same memory, to be claimed in parts by a team that learns from `data`.
    pub(super) fn share<'a, 'd: 'a>(&'a mut self, matrices: &Matrices, data: &Data<'d, T>) -> Batch<'a, T> {
        let sparse: Option<Csr<'a, T>> = data.x.sparse();
        assert_eq!(self.sparse, sparse.is_some());
        assert_eq!(matrices.buffers(), matrices.all.len(), "a buffer for each matrix");
        Batch { sparse, weighted: data.weights.is_some(), separate: true, ..self.share_alone(matrices) }
    }

    /// The same memory, for one worker that takes rows forward.
    pub(super) fn share_alone(&mut self, matrices: &Matrices) -> Batch<'_, T> {
        let buffers: Vec<_> = self.buffers.iter_mut().map(|buffer| Shared::new(buffer)).collect();
        let matrix = |&MatrixPlan { cols, buffer }: &MatrixPlan| Matrix {
            data: buffers[buffer],
            buffer,
            cols,
            stride: stride::<T>(cols),
        };
        Batch {
            matrices: matrices.all.iter().map(matrix).collect(),
            outputs: matrices.outputs(),
            sparse: None,
            weighted: false,
            separate: false,
            source: Shared::new(&mut self.source),
            classes: Shared::new(&mut self.classes),
            targets: Shared::new(&mut self.targets),
            weights: Shared::new(&mut self.weights),
            row_loss: Shared::new(&mut self.row_loss),
        }
    }
}

/// One batch in work.
pub struct Batch<'a, T> {
    pub(super) matrices: Vec<Matrix<'a, T>>,
    /// The targets of a row, where they are not a class.
    pub(super) outputs: usize,
    /// Whether rows have weights.
    pub(super) weighted: bool,
    /// Whether no two matrices share memory.
    pub(super) separate: bool,
    /// All inputs, where they are sparse: their rows are used where they lie.
    pub(super) sparse: Option<Csr<'a, T>>,
    /// Which of them make up the batch.
    pub(super) source: Shared<'a, u32>,
    pub(super) classes: Shared<'a, u32>,
    pub(super) targets: Shared<'a, T>,
    pub(super) weights: Shared<'a, T>,
    /// Each row's weighted loss.
    pub(super) row_loss: Shared<'a, f64>,
}
