//! A dense layer: y = x W + b.

use std::ops::Range;

use ndarray::{ArrayView2, ArrayViewMut2, Axis};

use super::super::claims::{AllRows, MyRows};
use super::super::data::Inputs;
use super::super::slots::{Slot, Way};
use super::super::tensors::Piece;
use super::pass::{Pass, Sink};
use crate::kernels::matmul::{Factors, Init, matmul_unless, transposed_unless};
use crate::kernels::sparse::{AddTransposed, Product};
use crate::kernels::sums::AddRows;
use crate::scalar::Scalar;
use crate::simd::dispatch;

/// Rows of sparse inputs between two looks whether to go on.
const ROWS_PER_LOOK: usize = 256;

/// A product with weights, and biases.
#[derive(Debug, Clone)]
pub struct Dense {
    /// The tensor of weights, (inputs, outputs).
    pub weight: usize,
    /// The tensor of biases.
    pub bias: usize,
    /// x
    pub input: Slot,
    /// y
    pub output: Slot,
    /// The gradient with respect to x; None where nobody needs it.
    pub delta_input: Option<Slot>,
    /// The gradient with respect to y.
    pub delta_output: Slot,
    /// What its products multiply, where its inputs are not sparse; the memory for products is of the same kind.
    pub factors: Factors,
}

/// Some rows or columns of a matrix: often all of them, which takes no time.
#[inline]
fn part<'a, T>(matrix: ArrayView2<'a, T>, axis: Axis, range: &Range<usize>) -> ArrayView2<'a, T> {
    if *range == (0..matrix.len_of(axis)) {
        return matrix;
    }
    let (before, _) = matrix.split_at(axis, range.end);
    before.split_at(axis, range.start).1
}

impl Dense {
    pub(super) fn tensors(&self) -> Vec<usize> {
        vec![self.weight, self.bias]
    }

    fn weights<'a, T: Scalar>(&self, pass: &Pass<'a, T>) -> ArrayView2<'a, T> {
        let tensor = pass.tensors.get(self.weight);
        ArrayView2::from_shape((tensor.rows, tensor.cols), pass.tensor(self.weight)).expect("the weights of a layer")
    }

    pub(super) fn forward<T: Scalar>(&self, pass: &mut Pass<'_, T>, rows: &mut MyRows<'_, '_, T>) {
        let cols = rows.my_cols(self.output);
        let (x, mut out) = rows.product(self.input, self.output);
        let bias = pass.tensor(self.bias);
        match x {
            Inputs::Dense(x) => {
                let weights = part(self.weights(pass), Axis(1), &cols);
                matmul_unless(pass.lookout, out, Init::Row(&bias[cols]), x, weights, pass.scratch);
            }
            Inputs::Sparse(x) => {
                let b = pass.tensor(self.weight);
                for (index, out) in out.axis_chunks_iter_mut(Axis(0), ROWS_PER_LOOK).enumerate() {
                    let first = index * ROWS_PER_LOOK;
                    if index > 0 && pass.lookout.says_stop() {
                        return;
                    }
                    dispatch(Product { x: x.slice(first..first + out.nrows()), out, bias, b });
                }
            }
        }
    }

    pub(super) fn backward<T: Scalar>(&self, pass: &mut Pass<'_, T>, rows: &mut MyRows<'_, '_, T>) {
        let Some(delta_input) = self.delta_input else { return };
        let cols = rows.my_cols(delta_input);
        let (above, delta) = rows.pair(self.delta_output, delta_input);
        let weights = part(self.weights(pass), Axis(0), &cols);
        matmul_unless(pass.lookout, delta, Init::Zero, above, weights.reversed_axes(), pass.scratch);
    }

    pub(super) fn gradient<T: Scalar>(&self, piece: &Piece, rows: &AllRows<'_, '_, T>, sink: Sink<'_, T>) {
        let Sink { grads, scratch, lookout } = sink;
        let tile = &piece.tile;
        let delta = rows.columns(self.delta_output, tile.cols.clone());
        if piece.tensor == self.bias {
            grads.fill(T::ZERO);
            return dispatch(AddRows { sums: grads, rows: delta });
        }
        match rows.inputs(self.input, tile.rows.clone()) {
            Inputs::Dense(x) => {
                let out = ArrayViewMut2::from_shape((tile.rows.len(), tile.cols.len()), grads);
                let out = out.expect("a piece of whole rows");
                transposed_unless(lookout, out, x, delta, scratch);
            }
            Inputs::Sparse(x) => {
                grads.fill(T::ZERO);
                for (index, b) in delta.axis_chunks_iter(Axis(0), ROWS_PER_LOOK).enumerate() {
                    let first = index * ROWS_PER_LOOK;
                    if index > 0 && lookout.says_stop() {
                        return;
                    }
                    let x = x.slice(first..first + b.nrows());
                    dispatch(AddTransposed { sums: &mut *grads, x, columns: tile.rows.clone(), b });
                }
            }
        }
    }

    pub(super) fn multiplied(&self) -> Option<(Slot, Slot, Factors)> {
        Some((self.input, self.delta_output, self.factors))
    }

    pub(super) fn writes(&self, way: Way) -> Vec<Slot> {
        match way {
            Way::Forward => vec![self.output],
            Way::Back => self.delta_input.into_iter().collect(),
        }
    }
}
