//! Claims on rows of a batch.

use std::ops::Range;

use ndarray::{ArrayView2, ArrayViewMut2, ShapeBuilder};

use super::super::cuts::{Cut, GRAIN, group_of_columns};
use super::super::data::{Data, Inputs, Weights};
use super::super::memory::{Batch, Matrix};
use super::super::slots::{INPUTS, Slot};
use super::vouched::Vouched;
use crate::kernels::loss::{LossRows, Targets};
use crate::scalar::Scalar;
use crate::share::share;
use crate::team::{Shared, Worker};

impl<'a, T: Scalar> Batch<'a, T> {
    /// Some rows for this worker alone.
    ///
    /// # Safety
    /// Until the team meets next nobody else has a claim on these rows.
    ///
    /// # Panics
    /// If matrices share memory, where rows of one are other rows of another.
    #[inline]
    pub unsafe fn my_rows<'b>(&'b self, _until_meeting: &'b Worker<'_>, rows: Range<usize>) -> MyRows<'b, 'a, T> {
        assert!(self.separate, "matrices that share memory are for one worker");
        MyRows { batch: self, rows, columns: WHOLE, inputs: None, vouched: Vouched::by_caller() }
    }

    /// This worker's share of the first `held` rows, by a cut: its rows, and of them the columns that it may write to; it may
    /// read all columns. None where nothing is left for it.
    ///
    /// # Safety
    /// Until the team meets next all claims on these rows are of the same cut; and a matrix that one of them writes to is
    /// read by the others in their own columns only.
    ///
    /// # Panics
    /// As for [`Self::my_rows`].
    #[inline]
    pub unsafe fn my_share<'b>(&'b self, worker: &'b Worker<'_>, held: usize, cut: Cut) -> Option<MyRows<'b, 'a, T>> {
        assert!(cut.rows * cut.cols <= worker.count, "a share for each worker");
        let (row, group) = cut.place(worker.index)?;
        // SAFETY: the caller's promise.
        let rows = unsafe { self.my_rows(worker, share(row, cut.rows, held, GRAIN)) };
        Some(MyRows { columns: Columns { group, groups: cut.cols }, ..rows })
    }

    /// The first `rows` rows, to read.
    ///
    /// # Safety
    /// Until the team meets next nobody writes to them.
    #[inline]
    pub unsafe fn all_rows<'b>(&'b self, _until_meeting: &'b Worker<'_>, rows: usize) -> AllRows<'b, 'a, T> {
        AllRows { batch: self, rows: 0..rows, vouched: Vouched::by_caller() }
    }

    /// The first rows of a batch that nobody else knows, whose inputs lie elsewhere.
    #[inline]
    pub fn alone<'b>(&'b mut self, inputs: Inputs<'b, T>) -> MyRows<'b, 'a, T> {
        let rows = 0..inputs.nrows();
        MyRows { batch: self, rows, columns: WHOLE, inputs: Some(inputs), vouched: Vouched::by_caller() }
    }

    /// Where rows of a matrix lie, with their padding.
    #[inline(always)]
    fn place(&self, slot: Slot, rows: &Range<usize>) -> (Shared<'a, T>, Range<usize>) {
        let Matrix { data, stride, .. } = self.matrices[slot];
        (data, rows.start * stride..rows.end * stride)
    }

    /// The inputs of some rows, where they are sparse.
    #[inline(always)]
    fn sparse_rows<'b>(&'b self, rows: &Range<usize>, vouched: Vouched) -> Option<Inputs<'b, T>> {
        self.sparse.map(|x| Inputs::Sparse(x.take(vouched.read(self.source, rows.clone()))))
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

    /// Some columns of some rows of a matrix, to write to.
    #[inline(always)]
    fn view_mut<'b>(
        &self,
        slot: Slot,
        (rows, cols): (Range<usize>, Range<usize>),
        vouched: Vouched,
    ) -> ArrayViewMut2<'b, T>
    where
        'a: 'b,
    {
        let Matrix { data, cols: all, stride, .. } = self.matrices[slot];
        assert!(cols.start <= cols.end && cols.end <= all);
        vouched.tile(data, (rows, stride), cols)
    }
}

/// One group of several into which the columns of each matrix are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Columns {
    /// Its number.
    group: usize,
    /// How many there are.
    groups: usize,
}

/// All columns.
const WHOLE: Columns = Columns { group: 0, groups: 1 };

/// Some rows of the batch, or some of their columns, for one worker alone.
pub struct MyRows<'b, 'a, T> {
    batch: &'b Batch<'a, T>,
    rows: Range<usize>,
    columns: Columns,
    /// The inputs of these rows, where they are not in the batch.
    inputs: Option<Inputs<'b, T>>,
    vouched: Vouched,
}

impl<'b, 'a, T: Scalar> MyRows<'b, 'a, T> {
    /// Columns of a matrix.
    #[inline]
    pub fn cols(&self, slot: Slot) -> usize {
        self.batch.matrices[slot].cols
    }

    /// Those columns of a matrix that are this worker's.
    #[inline]
    pub fn my_cols(&self, slot: Slot) -> Range<usize> {
        let Columns { group, groups } = self.columns;
        group_of_columns(group, groups, self.cols(slot))
    }

    /// Rows and places of a matrix of whole rows.
    #[inline(always)]
    fn whole(&self, slot: Slot) -> (Shared<'a, T>, Range<usize>) {
        assert!(self.columns == WHOLE, "some columns only");
        self.batch.place(slot, &self.rows)
    }

    /// Numbers from one row of a matrix to the next.
    #[inline]
    pub fn stride(&self, slot: Slot) -> usize {
        self.batch.matrices[slot].stride
    }

    /// Their numbers in the batch.
    #[inline]
    pub fn range(&self) -> Range<usize> {
        self.rows.clone()
    }

    /// The rows of a matrix with their padding.
    #[inline]
    pub fn flat(&self, slot: Slot) -> &[T] {
        let (data, range) = self.whole(slot);
        self.vouched.read(data, range)
    }

    /// The same to write to.
    #[inline]
    pub fn flat_mut(&mut self, slot: Slot) -> &mut [T] {
        let (data, range) = self.whole(slot);
        self.vouched.write(data, range)
    }

    /// The rows of several matrices, none of which share memory.
    #[inline]
    pub fn several_mut<const N: usize>(&mut self, slots: [Slot; N]) -> [&mut [T]; N] {
        self.check_apart(slots);
        slots.map(|slot| {
            let (data, range) = self.whole(slot);
            self.vouched.write(data, range)
        })
    }

    /// The inputs, and the rows of several other matrices, none of which share memory.
    ///
    /// # Panics
    /// If the inputs are sparse.
    #[inline]
    pub fn with_inputs<const N: usize>(&mut self, slots: [Slot; N]) -> (ArrayView2<'_, T>, [&mut [T]; N]) {
        let x = match &self.inputs {
            Some(Inputs::Dense(x)) => *x,
            Some(Inputs::Sparse(_)) => panic!("sparse inputs"),
            None => {
                assert!(self.batch.sparse.is_none() && !slots.contains(&INPUTS), "dense inputs, to read");
                let (data, range) = self.whole(INPUTS);
                self.batch.view(INPUTS, self.vouched.read(data, range), 0..self.cols(INPUTS))
            }
        };
        (x, self.several_mut(slots))
    }

    /// Calls `work` with runs of several matrices of the same width, none of which share memory, and the place of their first
    /// numbers: with all rows and their padding at once, or row by row where only some columns are this worker's.
    #[inline]
    pub fn runs_mut<const N: usize>(&mut self, slots: [Slot; N], mut work: impl FnMut(usize, [&mut [T]; N])) {
        if self.columns == WHOLE {
            let first = self.rows.start * self.stride(slots[0]);
            return work(first, self.several_mut(slots));
        }
        self.check_apart(slots);
        let cols = self.my_cols(slots[0]);
        for row in self.rows.clone() {
            let runs = slots.map(|slot| {
                let Matrix { data, cols: all, stride, .. } = self.batch.matrices[slot];
                assert_eq!(all, self.cols(slots[0]), "matrices of one width");
                self.vouched.write(data, row * stride + cols.start..row * stride + cols.end)
            });
            work(row * self.stride(slots[0]) + cols.start, runs);
        }
    }

    /// Refuses matrices that share memory.
    #[inline(always)]
    fn check_apart<const N: usize>(&self, slots: [Slot; N]) {
        for (i, &slot) in slots.iter().enumerate() {
            let buffer = self.batch.matrices[slot].buffer;
            assert!(
                slots[..i].iter().all(|&other| self.batch.matrices[other].buffer != buffer),
                "matrices that overlap"
            );
        }
    }

    /// One matrix to read, all columns, and another one to write, this worker's columns.
    #[inline]
    pub fn pair(&mut self, from: Slot, to: Slot) -> (ArrayView2<'_, T>, ArrayViewMut2<'_, T>) {
        let (batch, vouched) = (self.batch, self.vouched);
        assert!(batch.matrices[from].buffer != batch.matrices[to].buffer, "matrices that overlap");
        let (read, of_read) = batch.place(from, &self.rows);
        let read = batch.view(from, vouched.read(read, of_read), 0..batch.matrices[from].cols);
        (read, batch.view_mut(to, (self.rows.clone(), self.my_cols(to)), vouched))
    }

    /// What a product takes in, and where its result goes.
    #[inline]
    pub fn product(&mut self, from: Slot, to: Slot) -> (Inputs<'_, T>, ArrayViewMut2<'_, T>) {
        if from == INPUTS {
            let elsewhere = self.inputs.or_else(|| self.batch.sparse_rows(&self.rows, self.vouched));
            if let Some(inputs) = elsewhere {
                let to = self.batch.view_mut(to, (self.rows.clone(), self.my_cols(to)), self.vouched);
                return (inputs.reborrow(), to);
            }
        }
        let (from, to) = self.pair(from, to);
        (Inputs::Dense(from), to)
    }

    /// The summed magnitudes of a matrix's rows, or of this worker's columns of them, by a function of runs of numbers.
    pub fn sum_over(&self, slot: Slot, magnitude: impl Fn(&[T]) -> f64) -> f64 {
        let sparse = if slot == INPUTS { self.batch.sparse_rows(&self.rows, self.vouched) } else { None };
        match sparse {
            Some(Inputs::Sparse(x)) => (0..x.nrows()).map(|row| magnitude(x.values(row))).sum(),
            _ if self.columns == WHOLE => magnitude(self.flat(slot)),
            _ => {
                let (cols, Matrix { data, stride, .. }) = (self.my_cols(slot), self.batch.matrices[slot]);
                let run = |row: usize| self.vouched.read(data, row * stride + cols.start..row * stride + cols.end);
                self.rows.clone().map(|row| magnitude(run(row))).sum()
            }
        }
    }

    /// What a loss takes: preactivations in padded rows, whose gradient is to take their place, and the rest of these rows.
    pub fn for_loss<'s>(
        &'s mut self,
        logits: Slot,
        output_weights: Option<&'s [f64]>,
    ) -> (&'s mut [T], LossRows<'s, T>) {
        assert!(self.columns == WHOLE, "losses of whole rows");
        let (batch, rows, vouched) = (self.batch, self.rows.clone(), self.vouched);
        let values = rows.start * batch.outputs..rows.end * batch.outputs;
        // Five different arrays.
        let given = LossRows {
            outputs: batch.outputs,
            stride: self.stride(logits),
            targets: match batch.classes.is_empty() {
                true => Targets::Values(vouched.read(batch.targets, values)),
                false => Targets::Classes(vouched.read(batch.classes, rows.clone())),
            },
            weights: batch.weighted.then(|| vouched.read(batch.weights, rows.clone())),
            output_weights,
            row_loss: vouched.write(batch.row_loss, rows),
        };
        (self.flat_mut(logits), given)
    }

    /// The weighted losses of the rows.
    pub fn losses(&self) -> &[f64] {
        self.vouched.read(self.batch.row_loss, self.rows.clone())
    }

    /// Copies these rows of the batch from the rows of the data that `order`, the batch's order, names.
    pub fn gather(&mut self, data: &Data<'_, T>, order: &[u32]) {
        assert!(self.columns == WHOLE, "whole rows of the data");
        let (batch, rows, vouched) = (self.batch, self.rows.clone(), self.vouched);
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
            Inputs::Sparse(_) => vouched.write(batch.source, rows.clone()).copy_from_slice(from),
        }
        match data.targets {
            Targets::Classes(classes) => {
                let to = vouched.write(batch.classes, rows.clone());
                to.iter_mut().zip(from).for_each(|(to, &row)| *to = classes[row as usize]);
            }
            Targets::Values(values) => {
                let outputs = batch.outputs;
                let to = vouched.write(batch.targets, rows.start * outputs..rows.end * outputs);
                for (to, &row) in to.chunks_exact_mut(outputs).zip(from) {
                    to.copy_from_slice(&values[row as usize * outputs..(row as usize + 1) * outputs]);
                }
            }
        }
        if let Some(Weights { values: weights, .. }) = data.weights {
            let to = vouched.write(batch.weights, rows);
            to.iter_mut().zip(from).for_each(|(to, &row)| *to = weights[row as usize]);
        }
    }
}

/// All rows of the batch, or a part of them, to read.
#[derive(Clone)]
pub struct AllRows<'b, 'a, T> {
    batch: &'b Batch<'a, T>,
    rows: Range<usize>,
    vouched: Vouched,
}

impl<'b, 'a, T: Scalar> AllRows<'b, 'a, T> {
    /// How many they are.
    pub fn count(&self) -> usize {
        self.rows.len()
    }

    /// Some of them.
    pub fn part(&self, rows: Range<usize>) -> AllRows<'b, 'a, T> {
        assert!(rows.start <= rows.end && rows.end <= self.count());
        let rows = self.rows.start + rows.start..self.rows.start + rows.end;
        AllRows { batch: self.batch, rows, vouched: self.vouched }
    }

    /// Columns of a matrix.
    #[inline]
    pub fn width(&self, slot: Slot) -> usize {
        self.batch.matrices[slot].cols
    }

    /// Some columns of a matrix.
    #[inline]
    pub fn columns(&self, slot: Slot, cols: Range<usize>) -> ArrayView2<'b, T> {
        let (data, range) = self.batch.place(slot, &self.rows);
        self.batch.view(slot, self.vouched.read(data, range), cols)
    }

    /// What a layer takes in, some columns of it where it is not sparse.
    #[inline]
    pub fn inputs(&self, slot: Slot, cols: Range<usize>) -> Inputs<'b, T> {
        let sparse = if slot == INPUTS { self.batch.sparse_rows(&self.rows, self.vouched) } else { None };
        sparse.unwrap_or_else(|| Inputs::Dense(self.columns(slot, cols)))
    }

    /// The weighted losses of the rows.
    pub fn losses(&self) -> &'b [f64] {
        self.vouched.read(self.batch.row_loss, self.rows.clone())
    }
}
