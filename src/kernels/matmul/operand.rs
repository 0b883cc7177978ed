//! Matrices as the loops of a product see them.

use std::any::Any;

use ndarray::ArrayView2;

use super::scratch::Scratch;
use crate::interrupt::Lookout;
use crate::scalar::Scalar;

/// Element (i, j) is at `ptr + i * row + j * col`; one of the two strides is 1.
#[derive(Clone, Copy)]
pub struct Operand<T> {
    pub ptr: *const T,
    pub row: usize,
    pub col: usize,
}

impl<T> Operand<T> {
    pub fn of(view: &ArrayView2<'_, T>) -> Self {
        let (row, col) = (view.strides()[0], view.strides()[1]);
        // A stride along an axis of length 1 is never used (ndarray's slices have 0 there): call it what suits.
        let (row, col) = if view.ncols() <= 1 { (row, if row == 1 { col.max(1) } else { 1 }) } else { (row, col) };
        let (row, col) = if view.nrows() <= 1 { (if col == 1 { row.max(1) } else { 1 }, col) } else { (row, col) };
        assert!(row >= 0 && col >= 0 && (row == 1 || col == 1), "an operand of a product must be contiguous one way");
        Operand { ptr: view.as_ptr(), row: row as usize, col: col as usize }
    }

    /// Whether the elements of a row lie side by side.
    #[inline(always)]
    pub fn by_rows(self) -> bool {
        self.col == 1
    }

    #[inline(always)]
    pub fn t(self) -> Self {
        Operand { ptr: self.ptr, row: self.col, col: self.row }
    }

    /// # Safety
    /// (i, j) must lie in the matrix.
    #[inline(always)]
    pub unsafe fn at(self, i: usize, j: usize) -> *const T {
        // SAFETY: the caller vouches for the position.
        unsafe { self.ptr.add(i * self.row + j * self.col) }
    }
}

/// What is written: element (i, j) is at `ptr + i * row + j * col`.
#[derive(Clone, Copy)]
pub struct Output<T> {
    pub ptr: *mut T,
    pub row: usize,
    pub col: usize,
}

/// What the chains of a product begin with.
#[derive(Clone, Copy)]
pub enum Start<T> {
    Zero,
    /// A number for each column, the same in every row.
    Row(*const T),
    /// A number for each row, the same in every column: a transposed product has one.
    Column(*const T),
    Keep,
}

/// `out = init + a · b`. All positions below `rows`, `cols` and `depth` lie in their matrices.
pub struct Task<'a, T> {
    pub out: Output<T>,
    pub init: Start<T>,
    pub a: Operand<T>,
    pub b: Operand<T>,
    pub rows: usize,
    pub cols: usize,
    pub depth: usize,
    /// Memory for what is packed.
    pub scratch: &'a mut Scratch<T>,
    /// Says whether to break off, where the product is a long one.
    pub lookout: Option<&'a Lookout>,
}

impl<'a, T: Scalar> Task<'a, T> {
    /// The same product, of numbers that are known to be single ones.
    pub fn of_singles(self) -> Task<'a, f32> {
        let Task { out, init, a, b, rows, cols, depth, scratch, lookout } = self;
        let scratch = (scratch as &mut dyn Any).downcast_mut().expect("a product of float32");
        let operand = |Operand { ptr, row, col }| Operand { ptr: <*const T>::cast(ptr), row, col };
        let init = match init {
            Start::Zero => Start::Zero,
            Start::Row(bias) => Start::Row(bias.cast()),
            Start::Column(bias) => Start::Column(bias.cast()),
            Start::Keep => Start::Keep,
        };
        let out = Output { ptr: out.ptr.cast(), row: out.row, col: out.col };
        Task { out, init, a: operand(a), b: operand(b), rows, cols, depth, scratch, lookout }
    }

    /// The same product with rows for columns.
    pub fn t(self) -> Self {
        let out = Output { ptr: self.out.ptr, row: self.out.col, col: self.out.row };
        let init = match self.init {
            Start::Row(bias) => Start::Column(bias),
            Start::Column(bias) => Start::Row(bias),
            init => init,
        };
        Task { out, init, a: self.b.t(), b: self.a.t(), rows: self.cols, cols: self.rows, ..self }
    }
}
