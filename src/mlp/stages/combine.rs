//! Some columns of the inputs, each with a few weighted sums of its own waves: the second half of a periodic embedding.

use super::super::claims::{AllRows, MyRows};
use super::super::slots::{Slot, Way};
use super::super::tensors::Piece;
use super::pass::{Pass, Sink};
use crate::kernels::embedding::{self, AddBiases, AddCombined, CombineBack};
use crate::kernels::matmul::Factors;
use crate::scalar::Scalar;
use crate::simd::dispatch;

/// For each column: itself, and `width` sums.
#[derive(Debug, Clone)]
pub struct Combine {
    /// The columns of the inputs.
    pub columns: Vec<usize>,
    /// Sums of each column.
    pub width: usize,
    /// The tensor of weights, (columns * sums of each, waves of each).
    pub weight: usize,
    /// The tensor of biases, one for each sum.
    pub bias: usize,
    /// The waves.
    pub waves: Slot,
    /// The gradient with respect to frequency times input, in place of the waves' slopes; None where nothing is learnt.
    pub delta_waves: Option<Slot>,
    /// Where the results go.
    pub output: Slot,
    /// The gradient with respect to them.
    pub delta_output: Slot,
    /// The first of the output's columns that are written.
    pub first: usize,
}

impl Combine {
    pub(super) fn tensors(&self) -> Vec<usize> {
        vec![self.weight, self.bias]
    }

    /// Waves and sums of each column.
    fn shape(&self, waves: usize) -> (usize, usize) {
        (waves / self.columns.len(), self.width)
    }

    pub(super) fn forward<T: Scalar>(&self, pass: &mut Pass<'_, T>, rows: &mut MyRows<'_, '_, T>) {
        let (weight, bias, shape) =
            (pass.tensor(self.weight), pass.tensor(self.bias), self.shape(rows.cols(self.waves)));
        let (waves_stride, stride) = (rows.stride(self.waves), rows.stride(self.output));
        let (x, [waves, to]) = rows.with_inputs([self.waves, self.output]);
        let (waves, to) = ((&*waves, waves_stride), (to, stride, self.first));
        dispatch(embedding::Combine { x, columns: &self.columns, shape, waves, weight, bias, to });
    }

    pub(super) fn backward<T: Scalar>(&self, pass: &mut Pass<'_, T>, rows: &mut MyRows<'_, '_, T>) {
        let (weight, shape) = (pass.tensor(self.weight), self.shape(rows.cols(self.waves)));
        let delta_waves = self.delta_waves.expect("training keeps the slopes");
        let (stride, slopes_stride) = (rows.stride(self.delta_output), rows.stride(delta_waves));
        let [delta, slopes] = rows.several_mut([self.delta_output, delta_waves]);
        let delta = (&*delta, stride, self.first);
        dispatch(CombineBack { columns: self.columns.len(), shape, weight, delta, slopes: (slopes, slopes_stride) });
    }

    pub(super) fn gradient<T: Scalar>(&self, piece: &Piece, rows: &AllRows<'_, '_, T>, sink: Sink<'_, T>) {
        let sums = sink.grads;
        let mine = self.first..self.first + self.columns.len() * (self.width + 1);
        if piece.tensor == self.bias {
            sums.fill(T::ZERO);
            return dispatch(AddBiases { sums, width: self.width, delta: rows.columns(self.delta_output, mine) });
        }
        let (waves, delta) =
            (rows.columns(self.waves, 0..rows.width(self.waves)), rows.columns(self.delta_output, mine));
        let shape = self.shape(waves.ncols());
        dispatch(AddCombined { sums, rows: piece.tile.rows.clone(), shape, waves, delta });
    }

    pub(super) fn multiplied(&self) -> Option<(Slot, Slot, Factors)> {
        Some((self.waves, self.delta_output, Factors::Exact))
    }

    pub(super) fn writes(&self, way: Way) -> Vec<Slot> {
        match way {
            Way::Forward => vec![self.output],
            Way::Back => self.delta_waves.into_iter().collect(),
        }
    }
}
