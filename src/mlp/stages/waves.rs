//! Waves of some columns of the inputs, cos(2 pi f x + p) with frequencies and phases that are learnt: the first half of a
//! periodic embedding. Y. Gorishniy, I. Rubachev, A. Babenko, On Embeddings for Numerical Features in Tabular Deep Learning,
//! NeurIPS 2022; with phases, D. Holzmueller, L. Grinsztajn, I. Steinwart, Better by Default, NeurIPS 2024.

use super::super::claims::{AllRows, MyRows};
use super::super::data::Inputs;
use super::super::slots::{INPUTS, Slot, Way};
use super::super::tensors::Piece;
use super::pass::{Pass, Sink};
use crate::kernels::embedding::{self, AddFrequencies, AddPhases};
use crate::kernels::matmul::Factors;
use crate::scalar::Scalar;
use crate::simd::dispatch;

/// Several waves of each of some columns.
#[derive(Debug, Clone)]
pub struct Waves {
    /// The columns of the inputs.
    pub columns: Vec<usize>,
    /// The tensor of frequencies, (columns, waves of each).
    pub frequency: usize,
    /// The tensor of phases, likewise.
    pub phase: usize,
    /// The waves.
    pub output: Slot,
    /// Their slopes, then the gradient with respect to frequency times input; None where nothing is learnt.
    pub delta: Option<Slot>,
}

impl Waves {
    pub(super) fn tensors(&self) -> Vec<usize> {
        vec![self.frequency, self.phase]
    }

    pub(super) fn forward<T: Scalar>(&self, pass: &mut Pass<'_, T>, rows: &mut MyRows<'_, '_, T>) {
        let (frequency, phase, stride) =
            (pass.tensor(self.frequency), pass.tensor(self.phase), rows.stride(self.output));
        let (x, waves, slopes): (_, _, &mut [T]) = match self.delta {
            Some(delta) => {
                let (x, [waves, slopes]) = rows.with_inputs([self.output, delta]);
                (x, waves, slopes)
            }
            None => {
                let (x, [waves]) = rows.with_inputs([self.output]);
                (x, waves, &mut [])
            }
        };
        dispatch(embedding::Waves { x, columns: &self.columns, frequency, phase, waves, slopes, stride });
    }

    pub(super) fn backward<T: Scalar>(&self, _: &mut Pass<'_, T>, _: &mut MyRows<'_, '_, T>) {}

    pub(super) fn gradient<T: Scalar>(&self, piece: &Piece, rows: &AllRows<'_, '_, T>, sink: Sink<'_, T>) {
        let (sums, each) = (sink.grads, rows.width(self.output) / self.columns.len());
        let numbers = piece.tile.rows.start * each..piece.tile.rows.end * each;
        let first = numbers.start;
        let delta = rows.columns(self.delta.expect("training keeps the slopes"), numbers);
        if piece.tensor == self.phase {
            return dispatch(AddPhases { sums, delta });
        }
        let Inputs::Dense(x) = rows.inputs(INPUTS, 0..rows.width(INPUTS)) else { unreachable!("dense inputs") };
        dispatch(AddFrequencies { sums, first, each, x, columns: &self.columns, delta });
    }

    pub(super) fn multiplied(&self) -> Option<(Slot, Slot, Factors)> {
        self.delta.map(|delta| (INPUTS, delta, Factors::Exact))
    }

    pub(super) fn writes(&self, way: Way) -> Vec<Slot> {
        match way {
            Way::Forward => [Some(self.output), self.delta].into_iter().flatten().collect(),
            Way::Back => vec![],
        }
    }
}
