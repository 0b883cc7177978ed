//! The product, and which loops compute it.

use ndarray::{ArrayView2, ArrayViewMut2};

use super::bfloat16;
use super::blocks::NARROW;
use super::narrow::Dots;
use super::operand::{Operand, Output, Start, Task};
use super::scratch::Scratch;
use super::tiled::Tiled;
use super::turned::Turned;
use crate::interrupt::Lookout;
use crate::scalar::Scalar;
use crate::simd::dispatch;

/// What the chains of a product begin with.
#[derive(Clone, Copy)]
pub enum Init<'a, T> {
    /// Nothing: 0.
    Zero,
    /// The same row for every row: a bias.
    Row(&'a [T]),
    /// What the output already holds.
    Keep,
}

/// Multiplications from which on a product looks now and then whether to go on: some milliseconds.
const LONG: f64 = 1e8;

/// `out = init + a · b`.
///
/// `b` and `out` are row-major, or have unit column stride; `a` and `b` may also be transposed views of such matrices.
pub fn matmul<T: Scalar>(
    out: ArrayViewMut2<'_, T>,
    init: Init<'_, T>,
    a: ArrayView2<'_, T>,
    b: ArrayView2<'_, T>,
    scratch: &mut Scratch<T>,
) {
    matmul_unless(&Lookout::default(), out, init, a, b, scratch);
}

/// The same, broken off where the lookout says so: what `out` then holds is of no use.
pub fn matmul_unless<T: Scalar>(
    lookout: &Lookout,
    out: ArrayViewMut2<'_, T>,
    init: Init<'_, T>,
    a: ArrayView2<'_, T>,
    b: ArrayView2<'_, T>,
    scratch: &mut Scratch<T>,
) {
    multiply(lookout, out, init, (a, b), scratch, true);
}

/// `out = xᵀ · b`, broken off likewise: one chain for each element, whatever the shape. A single column of `x`
/// may lie in memory as a single row does.
pub fn transposed_unless<T: Scalar>(
    lookout: &Lookout,
    out: ArrayViewMut2<'_, T>,
    x: ArrayView2<'_, T>,
    b: ArrayView2<'_, T>,
    scratch: &mut Scratch<T>,
) {
    multiply(lookout, out, Init::Zero, (x.reversed_axes(), b), scratch, false);
}

/// The product, with dot products where they suit or with one chain for each element in any case.
fn multiply<T: Scalar>(
    lookout: &Lookout,
    mut out: ArrayViewMut2<'_, T>,
    init: Init<'_, T>,
    (a, b): (ArrayView2<'_, T>, ArrayView2<'_, T>),
    scratch: &mut Scratch<T>,
    dots: bool,
) {
    let (rows, depth, cols) = (a.nrows(), a.ncols(), b.ncols());
    assert!(b.nrows() == depth && out.dim() == (rows, cols), "shapes of a product disagree");
    if rows == 0 || cols == 0 {
        return;
    }
    let a = Operand::of(&a);
    let b = Operand::of(&b);
    let out = Output { ptr: out.as_mut_ptr(), row: out.strides()[0] as usize, col: out.strides()[1] as usize };
    assert!(out.col == 1 || cols == 1, "the output of a product must have contiguous rows");
    let init = match init {
        Init::Row(row) => {
            assert!(row.len() >= cols, "the bias of a product is too short");
            Start::Row(row.as_ptr())
        }
        Init::Zero => Start::Zero,
        Init::Keep => Start::Keep,
    };
    let lookout = (rows as f64 * depth as f64 * cols as f64 >= LONG).then_some(lookout);
    let mut task = Task { out, init, a, b, rows, cols, depth, scratch, lookout };
    if task.scratch.packs.is_some() {
        bfloat16::multiply(task.of_singles());
    } else if dots && cols <= NARROW && a.by_rows() {
        assert!(task.scratch.panels.len() >= cols * depth, "the scratch of a product is too small");
        dispatch(Dots(&mut task));
    } else if cols <= NARROW && b.by_rows() && rows > cols {
        // A weight gradient: its transpose fills the lanes, with the same chains.
        dispatch(Tiled(&mut task.t()));
    } else if !(Turned::may_suit(&task) && dispatch(Turned(&mut task))) {
        dispatch(Tiled(&mut task));
    }
}
