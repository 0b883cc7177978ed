//! Columns of the inputs as they are, beside what embeddings make of others.

use super::super::claims::{AllRows, MyRows};
use super::super::slots::{Slot, Way};
use super::super::tensors::Piece;
use super::pass::{Pass, Sink};
use crate::kernels::matmul::Factors;
use crate::scalar::Scalar;

/// Copies columns.
#[derive(Debug, Clone)]
pub struct Plain {
    /// The columns of the inputs.
    pub columns: Vec<usize>,
    /// Where they go.
    pub output: Slot,
    /// The first of the output's columns that are written.
    pub first: usize,
}

impl Plain {
    pub(super) fn tensors(&self) -> Vec<usize> {
        vec![]
    }

    pub(super) fn forward<T: Scalar>(&self, _: &mut Pass<'_, T>, rows: &mut MyRows<'_, '_, T>) {
        let stride = rows.stride(self.output);
        let (x, [to]) = rows.with_inputs([self.output]);
        for (x, to) in x.rows().into_iter().zip(to.chunks_exact_mut(stride)) {
            to[self.first..].iter_mut().zip(&self.columns).for_each(|(to, &column)| *to = x[column]);
        }
    }

    pub(super) fn backward<T: Scalar>(&self, _: &mut Pass<'_, T>, _: &mut MyRows<'_, '_, T>) {}

    pub(super) fn gradient<T: Scalar>(&self, _: &Piece, _: &AllRows<'_, '_, T>, _: Sink<'_, T>) {
        unreachable!("plain columns have no tensors")
    }

    pub(super) fn multiplied(&self) -> Option<(Slot, Slot, Factors)> {
        None
    }

    pub(super) fn writes(&self, way: Way) -> Vec<Slot> {
        match way {
            Way::Forward => vec![self.output],
            Way::Back => vec![],
        }
    }
}
