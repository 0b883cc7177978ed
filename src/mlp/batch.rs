//! The memory of one batch: activations, their gradients, targets. Allocated once, shared by a team.
//!
//! Who may touch what: between two meetings of the team a worker writes only its own rows of the batch (forward and
//! backward) or only reads all rows (weight gradients). That is the contract of every `unsafe` in `mlp`.

use std::ops::Range;

use ndarray::{ArrayView2, ArrayViewMut2, ShapeBuilder, s};

use super::network::Network;
use crate::buffer::Buffer;
use crate::kernels::loss::Targets;
use crate::kernels::sparse::Csr;
use crate::scalar::Scalar;
use crate::simd::prefetch;
use crate::team::Shared;

/// The most rows that are held at once. A larger batch passes through in pieces of this size, its gradient summed in
/// the same order as in one piece.
pub const MAX_ROWS: usize = 4096;

/// A row-major matrix with padded rows, shared by a team.
#[derive(Clone, Copy)]
pub struct Matrix<'a, T> {
    data: Shared<'a, T>,
    cols: usize,
    stride: usize,
}

/// From one row to the next: whole cache lines, and never a multiple of a large power of two, whose rows would all
/// compete for the same few places of the first-level cache. Narrow rows are tight.
pub(super) fn stride<T>(cols: usize) -> usize {
    let line = 64 / size_of::<T>();
    if cols < line {
        return cols;
    }
    let padded = cols.next_multiple_of(line);
    if (padded * size_of::<T>()).is_multiple_of(1024) { padded + line } else { padded }
}

impl<'a, T: Scalar> Matrix<'a, T> {
    fn new(data: &'a mut Buffer<T>, cols: usize) -> Self {
        Matrix { data: Shared::new(data), cols, stride: stride::<T>(cols) }
    }

    /// Numbers from one row to the next.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// Rows to read.
    ///
    /// # Safety
    /// As for [`Shared::read`].
    #[inline]
    pub unsafe fn rows(&self, rows: Range<usize>) -> ArrayView2<'a, T> {
        let shape = (rows.len(), self.cols).strides((self.stride, 1));
        // SAFETY: `flat` has checked that the rows lie in the buffer; the caller keeps writers away.
        unsafe { ArrayView2::from_shape_ptr(shape, self.flat(rows).as_ptr()) }
    }

    /// Some columns of rows to read.
    ///
    /// # Safety
    /// As for [`Shared::read`].
    #[inline]
    pub unsafe fn part(&self, rows: Range<usize>, cols: Range<usize>) -> ArrayView2<'a, T> {
        assert!(cols.start <= cols.end && cols.end <= self.cols);
        let shape = (rows.len(), cols.len()).strides((self.stride, 1));
        // SAFETY: as for `rows`; the columns lie in each row.
        unsafe { ArrayView2::from_shape_ptr(shape, self.flat(rows).as_ptr().add(cols.start)) }
    }

    /// Rows to write.
    ///
    /// # Safety
    /// As for [`Shared::write`].
    #[inline]
    pub unsafe fn rows_mut(&self, rows: Range<usize>) -> ArrayViewMut2<'a, T> {
        let shape = (rows.len(), self.cols).strides((self.stride, 1));
        // SAFETY: as for `rows`; the caller keeps all others away.
        unsafe { ArrayViewMut2::from_shape_ptr(shape, self.flat_mut(rows).as_mut_ptr()) }
    }

    /// Rows to read, with their padding.
    ///
    /// # Safety
    /// As for [`Shared::read`].
    #[inline]
    pub unsafe fn flat(&self, rows: Range<usize>) -> &'a [T] {
        // SAFETY: the caller's promise.
        unsafe { self.data.read(rows.start * self.stride..rows.end * self.stride) }
    }

    /// Rows to write, with their padding.
    ///
    /// # Safety
    /// As for [`Shared::write`].
    #[inline]
    pub unsafe fn flat_mut(&self, rows: Range<usize>) -> &'a mut [T] {
        // SAFETY: the caller's promise.
        unsafe { self.data.write(rows.start * self.stride..rows.end * self.stride) }
    }
}

/// The buffers behind a [`Batch`].
pub struct Workspace<T> {
    rows: usize,
    sparse: bool,
    source: Vec<u32>,
    values: Vec<Buffer<T>>,
    hidden: Vec<HiddenBuffers<T>>,
    classes: Vec<u32>,
    targets: Buffer<T>,
    weights: Buffer<T>,
    row_loss: Vec<f64>,
}

struct HiddenBuffers<T> {
    saved: Buffer<T>,
    mask: Buffer<T>,
    delta: Buffer<T>,
}

impl<T: Scalar> Workspace<T> {
    /// For batches of up to `batch` rows of data whose inputs are sparse or not.
    pub fn new(network: &Network, batch: usize, sparse: bool) -> Self {
        let rows = batch.clamp(1, MAX_ROWS);
        let widths = network.shape.widths();
        let matrix = |cols: usize, needed: bool| Buffer::zeroed(if needed { rows * stride::<T>(cols) } else { 0 });
        let hidden = widths[1..widths.len() - 1].iter().enumerate().map(|(layer, &width)| HiddenBuffers {
            saved: matrix(width, network.saves(layer)),
            mask: matrix(width, network.drops(layer)),
            delta: matrix(width, true),
        });
        let classes = network.loss.takes_classes();
        Workspace {
            rows,
            sparse,
            source: vec![0; if sparse { rows } else { 0 }],
            values: widths.iter().enumerate().map(|(i, &width)| matrix(width, i > 0 || !sparse)).collect(),
            hidden: hidden.collect(),
            classes: vec![0; if classes { rows } else { 0 }],
            targets: Buffer::zeroed(if classes { 0 } else { rows * network.shape.outputs() }),
            weights: Buffer::zeroed(rows),
            row_loss: vec![0.0; rows],
        }
    }

    /// The rows that it holds at once.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Whether it is for sparse inputs.
    pub fn is_sparse(&self) -> bool {
        self.sparse
    }

    /// The same memory, for a team to share; `sparse` are all inputs, where they are sparse.
    pub fn share<'a>(&'a mut self, network: &Network, sparse: Option<Csr<'a, T>>) -> Batch<'a, T> {
        assert_eq!(self.sparse, sparse.is_some());
        let widths = network.shape.widths();
        let hidden = self.hidden.iter_mut().zip(&widths[1..]).enumerate();
        Batch {
            sparse,
            source: Shared::new(&mut self.source),
            values: self.values.iter_mut().zip(widths).map(|(buffer, &width)| Matrix::new(buffer, width)).collect(),
            hidden: hidden
                .map(|(layer, (HiddenBuffers { saved, mask, delta }, &width))| Hidden {
                    saved: network.saves(layer).then(|| Matrix::new(saved, width)),
                    mask: network.drops(layer).then(|| Matrix::new(mask, width)),
                    delta: Matrix::new(delta, width),
                })
                .collect(),
            classes: Shared::new(&mut self.classes),
            targets: Shared::new(&mut self.targets),
            weights: Shared::new(&mut self.weights),
            row_loss: Shared::new(&mut self.row_loss),
            outputs: network.shape.outputs(),
        }
    }
}

/// One batch in work.
pub struct Batch<'a, T> {
    /// The inputs (empty where they are sparse), then each layer's outputs; the last are the logits, then their gradient.
    pub values: Vec<Matrix<'a, T>>,
    /// What the hidden layers keep besides.
    pub hidden: Vec<Hidden<'a, T>>,
    /// Each row's weighted loss.
    pub row_loss: Shared<'a, f64>,
    /// All inputs, where they are sparse: their rows are used where they lie.
    sparse: Option<Csr<'a, T>>,
    /// Which of them make up the batch.
    source: Shared<'a, u32>,
    classes: Shared<'a, u32>,
    targets: Shared<'a, T>,
    weights: Shared<'a, T>,
    outputs: usize,
}

/// What a hidden layer keeps for the way back.
pub struct Hidden<'a, T> {
    /// What the activation's derivative needs, where that is not the layer's output.
    pub saved: Option<Matrix<'a, T>>,
    /// Dropout's factors, 0 or 1 / (1 - rate).
    pub mask: Option<Matrix<'a, T>>,
    /// The gradient with respect to the preactivations.
    pub delta: Matrix<'a, T>,
}

/// The inputs of rows.
#[derive(Clone, Copy)]
pub enum Inputs<'a, T> {
    /// All of them. To train, contiguous and row-major.
    Dense(ArrayView2<'a, T>),
    /// Those that are not zero.
    Sparse(Csr<'a, T>),
}

impl<'a, T: Scalar> Inputs<'a, T> {
    /// The number of rows.
    pub fn nrows(&self) -> usize {
        match self {
            Inputs::Dense(x) => x.nrows(),
            Inputs::Sparse(x) => x.nrows(),
        }
    }

    /// The sparse matrix, if it is one.
    pub fn sparse(&self) -> Option<Csr<'a, T>> {
        match *self {
            Inputs::Dense(_) => None,
            Inputs::Sparse(x) => Some(x),
        }
    }

    /// Consecutive rows.
    pub fn slice(&self, rows: Range<usize>) -> Inputs<'_, T> {
        match self {
            Inputs::Dense(x) => Inputs::Dense(x.slice(s![rows, ..])),
            Inputs::Sparse(x) => Inputs::Sparse(x.slice(rows)),
        }
    }
}

/// Rows to learn from.
#[derive(Clone, Copy)]
pub struct Data<'a, T> {
    /// Inputs.
    pub x: Inputs<'a, T>,
    /// What to predict.
    pub targets: Targets<'a, T>,
    /// Weights of the rows, or 1 for all.
    pub weights: Option<&'a [T]>,
}

impl<T: Scalar> Data<'_, T> {
    /// The number of rows.
    pub fn len(&self) -> usize {
        self.x.nrows()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Asks for the first cache lines of some rows; the processor itself fetches what follows them.
    pub fn prefetch(&self, order: &[u32]) {
        for &row in order {
            match self.x {
                Inputs::Dense(x) => prefetch(x.as_ptr().wrapping_offset(row as isize * x.strides()[0])),
                Inputs::Sparse(x) => x.prefetch(row as usize),
            }
            match self.targets {
                Targets::Classes(classes) => prefetch(&raw const classes[row as usize]),
                Targets::Values(values) => prefetch(&raw const values[row as usize * values.len() / self.len()]),
            }
        }
    }

    /// The sum of the weights of some rows, in that order.
    pub fn weight_of(&self, order: &[u32]) -> f64 {
        match self.weights {
            None => order.len() as f64,
            Some(weights) => order.iter().map(|&row| weights[row as usize].to_f64()).sum(),
        }
    }
}

impl<'a, T: Scalar> Batch<'a, T> {
    /// Copies `rows` of the batch from the rows of the data that `order` names: inputs, targets, weights.
    ///
    /// # Safety
    /// The caller alone touches these rows until the team meets next.
    #[expect(clippy::undocumented_unsafe_blocks, reason = "said once for the function")]
    pub unsafe fn gather(&self, data: &Data<'_, T>, order: &[u32], rows: Range<usize>) {
        let from = &order[rows.clone()];
        // SAFETY (all of this function): the caller's promise.
        match data.x {
            Inputs::Dense(x) => {
                let (inputs, stride) = (self.values[0].cols, self.values[0].stride);
                let to = unsafe { self.values[0].flat_mut(rows.clone()) };
                let source = x.as_slice().expect("the rows of the data are contiguous");
                for (to, &row) in to.chunks_exact_mut(stride).zip(from) {
                    let (to, source) = (&mut to[..inputs], &source[row as usize * inputs..][..inputs]);
                    // A call of the system's copy costs more than a short row.
                    if inputs > 16 {
                        to.copy_from_slice(source);
                    } else {
                        to.iter_mut().zip(source).for_each(|(to, &x)| *to = x);
                    }
                }
            }
            // They stay where they are.
            Inputs::Sparse(_) => unsafe { self.source.write(rows.clone()) }.copy_from_slice(from),
        }
        match data.targets {
            Targets::Classes(classes) => {
                let to = unsafe { self.classes.write(rows.clone()) };
                to.iter_mut().zip(from).for_each(|(to, &row)| *to = classes[row as usize]);
            }
            Targets::Values(values) => {
                let n = self.outputs;
                let to = unsafe { self.targets.write(rows.start * n..rows.end * n) };
                for (to, &row) in to.chunks_exact_mut(n).zip(from) {
                    to.copy_from_slice(&values[row as usize * n..(row as usize + 1) * n]);
                }
            }
        }
        if let Some(weights) = data.weights {
            let to = unsafe { self.weights.write(rows) };
            to.iter_mut().zip(from).for_each(|(to, &row)| *to = weights[row as usize]);
        }
    }

    /// What a layer's weights are multiplied with, in some rows.
    ///
    /// # Safety
    /// As for [`Shared::read`].
    #[inline]
    pub unsafe fn layer(&self, layer: usize, rows: Range<usize>) -> Inputs<'a, T> {
        // SAFETY: the caller's promise.
        unsafe {
            match self.sparse {
                Some(x) if layer == 0 => Inputs::Sparse(x.take(self.source.read(rows))),
                _ => Inputs::Dense(self.values[layer].rows(rows)),
            }
        }
    }

    /// The targets of some rows.
    ///
    /// # Safety
    /// As for [`Shared::read`].
    pub unsafe fn targets(&self, rows: Range<usize>) -> Targets<'a, T> {
        // SAFETY: the caller's promise.
        unsafe {
            if self.classes.is_empty() {
                Targets::Values(self.targets.read(rows.start * self.outputs..rows.end * self.outputs))
            } else {
                Targets::Classes(self.classes.read(rows))
            }
        }
    }

    /// The weights of some rows.
    ///
    /// # Safety
    /// As for [`Shared::read`].
    pub unsafe fn weights(&self, rows: Range<usize>) -> &'a [T] {
        // SAFETY: the caller's promise.
        unsafe { self.weights.read(rows) }
    }
}
