//! A factor for each column that is learnt, before the first layer: with a learning rate of its own it soon finds which
//! columns matter. D. Holzmueller, L. Grinsztajn, I. Steinwart, Better by Default, NeurIPS 2024.

use super::super::claims::{AllRows, MyRows};
use super::super::data::Inputs;
use super::super::slots::{Slot, Way};
use super::super::tensors::Piece;
use super::pass::{Pass, Sink};
use crate::kernels::embedding::ScaleColumns;
use crate::kernels::matmul::Factors;
use crate::kernels::norm::AddProducts;
use crate::scalar::Scalar;
use crate::simd::dispatch;

/// y = x * scale
#[derive(Debug, Clone)]
pub struct Scale {
    /// The tensor of factors.
    pub scale: usize,
    /// x
    pub input: Slot,
    /// y
    pub output: Slot,
    /// The gradient with respect to x; None where nobody needs it.
    pub delta_input: Option<Slot>,
    /// The gradient with respect to y.
    pub delta_output: Slot,
}

impl Scale {
    pub(super) fn tensors(&self) -> Vec<usize> {
        vec![self.scale]
    }

    pub(super) fn forward<T: Scalar>(&self, pass: &mut Pass<'_, T>, rows: &mut MyRows<'_, '_, T>) {
        let (x, to) = rows.product(self.input, self.output);
        let Inputs::Dense(x) = x else { unreachable!("dense inputs") };
        dispatch(ScaleColumns { x, to, scale: pass.tensor(self.scale) });
    }

    pub(super) fn backward<T: Scalar>(&self, pass: &mut Pass<'_, T>, rows: &mut MyRows<'_, '_, T>) {
        let Some(delta_input) = self.delta_input else { return };
        let (x, to) = rows.pair(self.delta_output, delta_input);
        dispatch(ScaleColumns { x, to, scale: pass.tensor(self.scale) });
    }

    pub(super) fn gradient<T: Scalar>(&self, piece: &Piece, rows: &AllRows<'_, '_, T>, sink: Sink<'_, T>) {
        let cols = piece.tile.cols.clone();
        sink.grads.fill(T::ZERO);
        let Inputs::Dense(a) = rows.inputs(self.input, cols.clone()) else { unreachable!("dense inputs") };
        dispatch(AddProducts { sums: sink.grads, a, b: rows.columns(self.delta_output, cols) });
    }

    pub(super) fn multiplied(&self) -> Option<(Slot, Slot, Factors)> {
        Some((self.input, self.delta_output, Factors::Exact))
    }

    pub(super) fn writes(&self, way: Way) -> Vec<Slot> {
        match way {
            Way::Forward => vec![self.output],
            Way::Back => self.delta_input.into_iter().collect(),
        }
    }
}
