//! Who may touch what between two meetings of a team, as types.
//!
//! A claim is made by an `unsafe` constructor: its caller vouches that no claim of another worker, alive until the next
//! meeting, contradicts it. Everything that computes works with claims, and is safe.
//!
//! | claim | a worker may | contradicts |
//! |---|---|---|
//! | [`MyRows`] | read and write some rows of the batch | any other claim on these rows |
//! | [`AllRows`] | read all rows of the batch | `MyRows` |
//! | [`MyTensors`] | read and write its share of parameters, gradient and state | any other claim on that share |
//! | [`Parameters::read`] | read all parameters | writing to any of them |

use std::ops::Range;

use ndarray::{ArrayView2, ArrayViewMut2, ShapeBuilder};

use super::data::{Data, Inputs};
use super::memory::{Batch, Matrix};
use super::slots::{INPUTS, Slot};
use super::tensors::{Piece, Tensors, Tile};
use crate::kernels::loss::Targets;
use crate::optim::rule::MAX_SLOTS;
use crate::scalar::Scalar;
use crate::team::Shared;

impl<'a, T: Scalar> Batch<'a, T> {
    /// Some rows for this worker alone.
    ///
    /// # Safety
    /// Until the team meets next, or as long as the claim lives, nobody else has a claim on these rows.
    #[inline]
    pub unsafe fn my_rows(&self, rows: Range<usize>) -> MyRows<'_, 'a, T> {
        MyRows { batch: self, rows, inputs: None }
    }

    /// The first `rows` rows, to read.
    ///
    /// # Safety
    /// Until the team meets next nobody writes to them.
    #[inline]
    pub unsafe fn all_rows(&self, rows: usize) -> AllRows<'_, 'a, T> {
        AllRows { batch: self, rows }
    }

    /// The first rows of a batch that nobody else knows, whose inputs lie elsewhere.
    #[inline]
    pub fn alone<'b>(&'b mut self, inputs: Inputs<'b, T>) -> MyRows<'b, 'a, T> {
        MyRows { batch: self, rows: 0..inputs.nrows(), inputs: Some(inputs) }
    }

    /// # Safety
    /// As for [`Shared::read`].
    #[inline(always)]
    unsafe fn sparse_rows(&self, rows: Range<usize>) -> Option<Inputs<'_, T>> {
        // SAFETY: the caller's promise.
        self.sparse.map(|x| Inputs::Sparse(x.take(unsafe { self.source.read(rows) })))
    }

    /// # Safety
    /// As for [`Shared::read`].
    #[inline(always)]
    unsafe fn flat(&self, slot: Slot, rows: &Range<usize>) -> &[T] {
        let Matrix { data, stride, .. } = self.matrices[slot];
        // SAFETY: the caller's promise.
        unsafe { data.read(rows.start * stride..rows.end * stride) }
    }

    /// # Safety
    /// As for [`Shared::write`].
    #[inline(always)]
    #[expect(clippy::mut_from_ref, reason = "the caller has the claim")]
    unsafe fn flat_mut(&self, slot: Slot, rows: &Range<usize>) -> &mut [T] {
        let Matrix { data, stride, .. } = self.matrices[slot];
        // SAFETY: the caller's promise.
        unsafe { data.write(rows.start * stride..rows.end * stride) }
    }

    /// Padded rows as a matrix of some of their columns.
    #[inline(always)]
    fn view<'b>(&self, slot: Slot, flat: &'b [T], cols: Range<usize>) -> ArrayView2<'b, T> {
        let Matrix { cols: all, stride, .. } = self.matrices[slot];
        assert!(cols.start <= cols.end && cols.end <= all);
        let shape = (flat.len() / stride, cols.len()).strides((stride, 1));
        // SAFETY: so many rows of `stride` numbers are in the slice, and the columns lie in each.
        unsafe { ArrayView2::from_shape_ptr(shape, flat.as_ptr().add(cols.start)) }
    }

    #[inline(always)]
    fn view_mut<'b>(&self, slot: Slot, flat: &'b mut [T]) -> ArrayViewMut2<'b, T> {
        let Matrix { cols, stride, .. } = self.matrices[slot];
        let shape = (flat.len() / stride, cols).strides((stride, 1));
        // SAFETY: so many rows of `stride` numbers are in the slice, which is borrowed mutably.
        unsafe { ArrayViewMut2::from_shape_ptr(shape, flat.as_mut_ptr()) }
    }
}

/// Some rows of the batch, for one worker alone.
pub struct MyRows<'b, 'a, T> {
    batch: &'b Batch<'a, T>,
    rows: Range<usize>,
    /// The inputs of these rows, where they are not in the batch.
    inputs: Option<Inputs<'b, T>>,
}

impl<'b, 'a, T: Scalar> MyRows<'b, 'a, T> {
    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Columns of a matrix.
    #[inline]
    pub fn cols(&self, slot: Slot) -> usize {
        self.batch.matrices[slot].cols
    }

    /// Numbers from one row of a matrix to the next.
    #[inline]
    pub fn stride(&self, slot: Slot) -> usize {
        self.batch.matrices[slot].stride
    }

    /// The number of the first row in the batch.
    #[inline]
    pub fn first(&self) -> usize {
        self.rows.start
    }

    /// The rows of a matrix with their padding.
    #[inline]
    pub fn flat(&self, slot: Slot) -> &[T] {
        // SAFETY: the claim; nobody can write through it while this borrow lives.
        unsafe { self.batch.flat(slot, &self.rows) }
    }

    /// The same to write to.
    #[inline]
    pub fn flat_mut(&mut self, slot: Slot) -> &mut [T] {
        // SAFETY: the claim, which is borrowed mutably.
        unsafe { self.batch.flat_mut(slot, &self.rows) }
    }

    /// The rows of several matrices, none of which share memory.
    #[inline]
    pub fn several_mut<const N: usize>(&mut self, slots: [Slot; N]) -> [&mut [T]; N] {
        for (i, &slot) in slots.iter().enumerate() {
            let buffer = self.batch.matrices[slot].buffer;
            assert!(
                slots[..i].iter().all(|&other| self.batch.matrices[other].buffer != buffer),
                "matrices that overlap"
            );
        }
        // SAFETY: the claim, which is borrowed mutably; the matrices lie in different buffers.
        slots.map(|slot| unsafe { self.batch.flat_mut(slot, &self.rows) })
    }

    /// One matrix to read and another one to write.
    #[inline]
    pub fn pair(&mut self, from: Slot, to: Slot) -> (ArrayView2<'_, T>, ArrayViewMut2<'_, T>) {
        let batch = self.batch;
        let [read, write] = self.several_mut([from, to]);
        (batch.view(from, read, 0..batch.matrices[from].cols), batch.view_mut(to, write))
    }

    /// What a product takes in, and where its result goes.
    #[inline]
    pub fn product(&mut self, from: Slot, to: Slot) -> (Inputs<'_, T>, ArrayViewMut2<'_, T>) {
        if from == INPUTS {
            // SAFETY: the claim; the numbers of rows are apart from all matrices.
            let elsewhere = self.inputs.or_else(|| unsafe { self.batch.sparse_rows(self.rows.clone()) });
            if let Some(inputs) = elsewhere {
                let batch = self.batch;
                return (inputs.reborrow(), batch.view_mut(to, self.flat_mut(to)));
            }
        }
        let (from, to) = self.pair(from, to);
        (Inputs::Dense(from), to)
    }

    /// The summed magnitudes of a matrix's rows, by a function of runs of numbers.
    pub fn sum_over(&self, slot: Slot, magnitude: impl Fn(&[T]) -> f64) -> f64 {
        // SAFETY: the claim.
        let sparse = if slot == INPUTS { unsafe { self.batch.sparse_rows(self.rows.clone()) } } else { None };
        match sparse {
            Some(Inputs::Sparse(x)) => (0..x.nrows()).map(|row| magnitude(x.values(row))).sum(),
            _ => magnitude(self.flat(slot)),
        }
    }

    /// What a loss takes: preactivations, and the rest of these rows.
    pub fn to_judge(&mut self, logits: Slot) -> Judged<'_, T> {
        let (batch, rows, outputs) = (self.batch, self.rows.clone(), self.batch.outputs);
        let stride = self.stride(logits);
        // SAFETY: the claim, which is borrowed mutably; these are five different arrays.
        unsafe {
            Judged {
                logits: batch.flat_mut(logits, &rows),
                stride,
                targets: match batch.classes.is_empty() {
                    true => Targets::Values(batch.targets.read(rows.start * outputs..rows.end * outputs)),
                    false => Targets::Classes(batch.classes.read(rows.clone())),
                },
                weights: batch.weighted.then(|| batch.weights.read(rows.clone())),
                row_loss: batch.row_loss.write(rows),
            }
        }
    }

    /// Copies these rows of the batch from the rows of the data that `order`, the batch's order, names.
    pub fn gather(&mut self, data: &Data<'_, T>, order: &[u32]) {
        let (batch, rows, outputs) = (self.batch, self.rows.clone(), self.batch.outputs);
        let from = &order[rows.clone()];
        match data.x {
            Inputs::Dense(x) => {
                let (cols, stride) = (self.cols(INPUTS), self.stride(INPUTS));
                let source = x.as_slice().expect("the rows of the data are contiguous");
                for (to, &row) in self.flat_mut(INPUTS).chunks_exact_mut(stride).zip(from) {
                    let (to, source) = (&mut to[..cols], &source[row as usize * cols..][..cols]);
                    // A call of the system's copy costs more than a short row.
                    if cols > 16 {
                        to.copy_from_slice(source);
                    } else {
                        to.iter_mut().zip(source).for_each(|(to, &x)| *to = x);
                    }
                }
            }
            // They stay where they are.
            // SAFETY: the claim, which is borrowed mutably.
            Inputs::Sparse(_) => unsafe { batch.source.write(rows.clone()) }.copy_from_slice(from),
        }
        match data.targets {
            Targets::Classes(classes) => {
                // SAFETY: as above.
                let to = unsafe { batch.classes.write(rows.clone()) };
                to.iter_mut().zip(from).for_each(|(to, &row)| *to = classes[row as usize]);
            }
            Targets::Values(values) => {
                // SAFETY: as above.
                let to = unsafe { batch.targets.write(rows.start * outputs..rows.end * outputs) };
                for (to, &row) in to.chunks_exact_mut(outputs).zip(from) {
                    to.copy_from_slice(&values[row as usize * outputs..(row as usize + 1) * outputs]);
                }
            }
        }
        if let Some(weights) = data.weights {
            // SAFETY: as above.
            let to = unsafe { batch.weights.write(rows) };
            to.iter_mut().zip(from).for_each(|(to, &row)| *to = weights[row as usize]);
        }
    }
}

/// Preactivations of rows, and what a loss needs besides.
pub struct Judged<'b, T> {
    /// Preactivations of the last layer, in padded rows; their gradient is to take their place.
    pub logits: &'b mut [T],
    /// From one row of them to the next.
    pub stride: usize,
    /// What they should have said.
    pub targets: Targets<'b, T>,
    /// The rows' weights, where they have any.
    pub weights: Option<&'b [T]>,
    /// Where the rows' losses go.
    pub row_loss: &'b mut [f64],
}

/// All rows of the batch, to read.
#[derive(Clone, Copy)]
pub struct AllRows<'b, 'a, T> {
    batch: &'b Batch<'a, T>,
    rows: usize,
}

impl<'b, T: Scalar> AllRows<'b, '_, T> {
    /// Some columns of a matrix.
    #[inline]
    pub fn columns(&self, slot: Slot, cols: Range<usize>) -> ArrayView2<'b, T> {
        // SAFETY: the claim.
        self.batch.view(slot, unsafe { self.batch.flat(slot, &(0..self.rows)) }, cols)
    }

    /// What a layer takes in, some columns of it where it is not sparse.
    #[inline]
    pub fn inputs(&self, slot: Slot, cols: Range<usize>) -> Inputs<'b, T> {
        // SAFETY: the claim.
        let sparse = if slot == INPUTS { unsafe { self.batch.sparse_rows(0..self.rows) } } else { None };
        sparse.unwrap_or_else(|| Inputs::Dense(self.columns(slot, cols)))
    }

    /// The weighted losses of the rows.
    pub fn losses(&self) -> &'b [f64] {
        // SAFETY: the claim.
        unsafe { self.batch.row_loss.read(0..self.rows) }
    }
}

/// What belongs to one worker: pieces of tensors, and the runs of the flat vector that they are.
pub struct Share {
    /// In the order of the flat vector.
    pub pieces: Vec<Piece>,
    runs: Vec<Range<usize>>,
}

impl Share {
    /// Pieces in the order of the flat vector, each as wide as its tensor.
    pub fn new(tensors: &Tensors, pieces: Vec<Piece>) -> Self {
        let mut runs: Vec<Range<usize>> = vec![];
        for piece in &pieces {
            assert_eq!(piece.tile.cols, 0..tensors.get(piece.tensor).cols, "pieces of whole rows");
            let range = tensors.range(piece);
            match runs.last_mut() {
                Some(last) if last.end == range.start => last.end = range.end,
                _ => runs.push(range),
            }
        }
        Share { pieces, runs }
    }

    /// Refuses a part of the flat vector that does not belong to it.
    #[inline]
    fn check(&self, range: &Range<usize>) {
        let holds = self.runs.iter().any(|run| run.start <= range.start && range.end <= run.end);
        assert!(holds, "not this worker's");
    }
}

/// The gradient, shared by a team.
pub struct Gradient<'a, T>(Shared<'a, T>);

impl<'a, T: Scalar> Gradient<'a, T> {
    /// Shares it for as long as it is borrowed.
    pub fn new(grads: &'a mut [T]) -> Self {
        Gradient(Shared::new(grads))
    }

    /// One worker's share.
    ///
    /// # Safety
    /// Until the team meets next nobody else has a claim on that share.
    #[inline]
    pub unsafe fn mine<'b>(&'b self, share: &'b Share) -> MyGradient<'b, 'a, T> {
        MyGradient { all: self, share }
    }
}

/// One worker's share of the gradient.
pub struct MyGradient<'b, 'a, T> {
    all: &'b Gradient<'a, T>,
    share: &'b Share,
}

impl<'b, T: Scalar> MyGradient<'b, '_, T> {
    /// The pieces it is made of.
    #[inline]
    pub fn pieces(&self) -> &'b [Piece] {
        &self.share.pieces
    }

    /// A part of it.
    #[inline]
    pub fn part(&self, range: Range<usize>) -> &[T] {
        self.share.check(&range);
        // SAFETY: the claim; nobody can write through it while this borrow lives.
        unsafe { self.all.0.read(range) }
    }

    /// A part of it, to write to.
    #[inline]
    pub fn part_mut(&mut self, range: Range<usize>) -> &mut [T] {
        self.share.check(&range);
        // SAFETY: the claim, which is borrowed mutably.
        unsafe { self.all.0.write(range) }
    }
}

/// Parameters, their gradient and the optimizer's state, shared by a team.
pub struct Parameters<'a, T> {
    params: Shared<'a, T>,
    gradient: Gradient<'a, T>,
    state: Vec<Shared<'a, T>>,
}

impl<'a, T: Scalar> Parameters<'a, T> {
    /// Shares three kinds of vectors, all of the same length.
    pub fn new(params: &'a mut [T], grads: &'a mut [T], state: Vec<Shared<'a, T>>) -> Self {
        assert!(params.len() == grads.len() && state.iter().all(|state| state.len() == params.len()));
        Parameters { params: Shared::new(params), gradient: Gradient::new(grads), state }
    }

    /// All parameters.
    ///
    /// # Safety
    /// Until the team meets next nobody writes to them.
    #[inline]
    pub unsafe fn read(&self) -> &[T] {
        // SAFETY: the caller's promise.
        unsafe { self.params.read(0..self.params.len()) }
    }

    /// All parameters and their gradient, for one worker alone.
    ///
    /// # Safety
    /// Until the team meets next nobody else has a claim on any of them.
    #[expect(clippy::mut_from_ref, reason = "the caller vouches for being alone")]
    pub unsafe fn all_mut(&self) -> (&mut [T], &[T]) {
        // SAFETY: the caller's promise.
        unsafe { (self.params.write(0..self.params.len()), self.gradient.0.read(0..self.params.len())) }
    }

    /// One worker's share of all of it.
    ///
    /// # Safety
    /// Until the team meets next nobody else has a claim on that share; nobody writes to the parameters while somebody
    /// [reads](Self::read) them.
    #[inline]
    pub unsafe fn mine<'b>(&'b self, share: &'b Share) -> MyTensors<'b, 'a, T> {
        // SAFETY: the caller's promise.
        MyTensors { all: self, gradient: unsafe { self.gradient.mine(share) } }
    }
}

/// One worker's share of parameters, gradient and state.
pub struct MyTensors<'b, 'a, T> {
    all: &'b Parameters<'a, T>,
    /// Of the gradient.
    pub gradient: MyGradient<'b, 'a, T>,
}

impl<T: Scalar> MyTensors<'_, '_, T> {
    /// A part of the parameters, and their gradient to write to.
    #[inline]
    pub fn params_and_grads(&mut self, range: Range<usize>) -> (&[T], &mut [T]) {
        let grads = self.gradient.part_mut(range.clone());
        // SAFETY: the claim, which is borrowed mutably.
        (unsafe { self.all.params.read(range) }, grads)
    }

    /// A part of the parameters to write to, their gradient, and their state: so many arrays as the last number says.
    #[inline]
    pub fn to_update(&mut self, range: Range<usize>) -> ToUpdate<'_, T> {
        let mut state: [&mut [T]; MAX_SLOTS] = Default::default();
        let grads = self.gradient.part(range.clone());
        for (to, state) in state.iter_mut().zip(&self.all.state) {
            // SAFETY: the claim, which is borrowed mutably; all these are different arrays.
            *to = unsafe { state.write(range.clone()) };
        }
        // SAFETY: as above.
        ToUpdate { params: unsafe { self.all.params.write(range) }, grads, state, count: self.all.state.len() }
    }
}

/// What a step of an optimizer takes.
pub struct ToUpdate<'b, T> {
    /// Parameters.
    pub params: &'b mut [T],
    /// Their gradient.
    pub grads: &'b [T],
    /// Their state, in its first `count` places.
    pub state: [&'b mut [T]; MAX_SLOTS],
    /// How many state arrays there are.
    pub count: usize,
}

/// A matrix of a piece's elements in its part of the flat vector.
pub fn as_matrix<'b, T>(flat: &'b mut [T], Tile { rows, cols }: &Tile) -> ArrayViewMut2<'b, T> {
    ArrayViewMut2::from_shape((rows.len(), cols.len()), flat).expect("a piece of whole rows")
}
