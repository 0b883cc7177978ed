//! A category's row of a table that is learnt. C. Guo and F. Berkhahn, Entity Embeddings of Categorical Variables, 2016,
//! arXiv:1604.06737.

use super::super::claims::{AllRows, MyRows};
use super::super::data::Inputs;
use super::super::slots::{INPUTS, Slot, Way};
use super::super::tensors::Piece;
use super::pass::{Pass, Sink};
use crate::kernels::embedding::{self, AddLookedUp};
use crate::kernels::matmul::Factors;
use crate::scalar::Scalar;
use crate::simd::dispatch;

/// The rows of a table that a column of the inputs names by their numbers.
#[derive(Debug, Clone)]
pub struct Lookup {
    /// The column of the inputs.
    pub column: usize,
    /// The table, (levels, width).
    pub table: usize,
    /// Its rows.
    pub levels: usize,
    /// Its columns.
    pub width: usize,
    /// Where the rows go.
    pub output: Slot,
    /// The gradient with respect to them.
    pub delta_output: Slot,
    /// The first of the output's columns that are written.
    pub first: usize,
}

impl Lookup {
    pub(super) fn tensors(&self) -> Vec<usize> {
        vec![self.table]
    }

    pub(super) fn forward<T: Scalar>(&self, pass: &mut Pass<'_, T>, rows: &mut MyRows<'_, '_, T>) {
        let (table, stride) = (pass.tensor(self.table), rows.stride(self.output));
        let (x, [to]) = rows.with_inputs([self.output]);
        let codes = x.column(self.column);
        dispatch(embedding::Lookup { codes, table, width: self.width, to: (to, stride, self.first) });
    }

    pub(super) fn backward<T: Scalar>(&self, _: &mut Pass<'_, T>, _: &mut MyRows<'_, '_, T>) {}

    pub(super) fn gradient<T: Scalar>(&self, piece: &Piece, rows: &AllRows<'_, '_, T>, sink: Sink<'_, T>) {
        let sums = sink.grads;
        sums.fill(T::ZERO);
        let inputs = rows.inputs(INPUTS, self.column..self.column + 1);
        let Inputs::Dense(x) = inputs else { unreachable!("dense inputs") };
        let delta = rows.columns(self.delta_output, self.first..self.first + self.width);
        let (rows, levels) = (piece.tile.rows.clone(), self.levels);
        dispatch(AddLookedUp { sums, rows, levels, codes: x.column(0), delta });
    }

    pub(super) fn multiplied(&self) -> Option<(Slot, Slot, Factors)> {
        // Sums of the gradient, of which its own magnitudes are a bound.
        Some((self.output, self.delta_output, Factors::Exact))
    }

    pub(super) fn writes(&self, way: Way) -> Vec<Slot> {
        match way {
            Way::Forward => vec![self.output],
            Way::Back => vec![],
        }
    }
}
