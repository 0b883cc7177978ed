//! Some columns of the inputs, each with a few piecewise linear functions of it, whose edges are given and whose slopes are
//! learnt. Y. Gorishniy, I. Rubachev, A. Babenko, On Embeddings for Numerical Features in Tabular Deep Learning, NeurIPS 2022.

use std::sync::Arc;

use super::super::claims::{AllRows, MyRows};
use super::super::data::Inputs;
use super::super::slots::{INPUTS, Slot, Way};
use super::super::tensors::Piece;
use super::pass::{Pass, Sink};
use crate::kernels::embedding::{self, AddBiases, AddPassed, Bins};
use crate::kernels::matmul::Factors;
use crate::scalar::Scalar;
use crate::simd::dispatch;

/// For each column: itself, and `width` sums of how far it has come through its bins.
#[derive(Debug, Clone)]
pub struct Piecewise {
    /// The columns of the inputs.
    pub columns: Vec<usize>,
    /// Their bins.
    pub bins: Arc<Bins>,
    /// Sums of each column.
    pub width: usize,
    /// The tensor of weights, (sums of each, bins of all columns).
    pub weight: usize,
    /// The tensor of biases, one for each sum of every column.
    pub bias: usize,
    /// Where the results go.
    pub output: Slot,
    /// The gradient with respect to them.
    pub delta_output: Slot,
    /// The first of the output's columns that are written.
    pub first: usize,
    /// A bound on what each row has come through any bin, which has no end outside of the edges; None where nothing is learnt.
    pub reach: Option<Slot>,
}

impl Piecewise {
    pub(super) fn tensors(&self) -> Vec<usize> {
        vec![self.weight, self.bias]
    }

    pub(super) fn forward<T: Scalar>(&self, pass: &mut Pass<'_, T>, rows: &mut MyRows<'_, '_, T>) {
        let (weight, bias, stride) = (pass.tensor(self.weight), pass.tensor(self.bias), rows.stride(self.output));
        let (x, to, reach): (_, _, (&mut [T], _)) = match self.reach {
            Some(reach) => {
                let reach_stride = rows.stride(reach);
                let (x, [to, reach]) = rows.with_inputs([self.output, reach]);
                (x, to, (reach, reach_stride))
            }
            None => {
                let (x, [to]) = rows.with_inputs([self.output]);
                (x, to, (&mut [], 1))
            }
        };
        let (columns, bins, to) = (&self.columns, &self.bins, (to, stride, self.first));
        dispatch(embedding::Piecewise { x, columns, bins, weight, bias, to, reach });
    }

    pub(super) fn backward<T: Scalar>(&self, _: &mut Pass<'_, T>, _: &mut MyRows<'_, '_, T>) {}

    pub(super) fn gradient<T: Scalar>(&self, piece: &Piece, rows: &AllRows<'_, '_, T>, sink: Sink<'_, T>) {
        let (sums, width) = (sink.grads, self.width);
        let delta = rows.columns(self.delta_output, self.first..self.first + self.columns.len() * (width + 1));
        if piece.tensor == self.bias {
            sums.fill(T::ZERO);
            return dispatch(AddBiases { sums, width, delta });
        }
        let Inputs::Dense(x) = rows.inputs(INPUTS, 0..rows.width(INPUTS)) else { unreachable!("dense inputs") };
        let (rows, columns, bins) = (piece.tile.rows.clone(), &self.columns, &self.bins);
        dispatch(AddPassed { sums, rows, width, x, columns, bins, delta });
    }

    pub(super) fn multiplied(&self) -> Option<(Slot, Slot, Factors)> {
        // Within the edges nothing is above 1, of which the gradient's own magnitudes are a bound.
        self.reach.map(|reach| (reach, self.delta_output, Factors::Exact))
    }

    pub(super) fn writes(&self, way: Way) -> Vec<Slot> {
        match way {
            Way::Forward => [Some(self.output), self.reach].into_iter().flatten().collect(),
            Way::Back => vec![],
        }
    }
}
