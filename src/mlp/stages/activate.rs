//! An activation, element by element.

use super::super::claims::{AllRows, MyRows};
use super::super::slots::{Slot, Way};
use super::super::tensors::Piece;
use super::pass::{Pass, Sink};
use crate::kernels::activation::Activation;
use crate::kernels::matmul::Factors;
use crate::scalar::Scalar;

/// A function of each element.
#[derive(Debug, Clone)]
pub struct Activate {
    /// The function.
    pub activation: Activation,
    /// What it takes.
    pub input: Slot,
    /// What it gives; the same matrix where the input is not needed any more.
    pub output: Slot,
    /// What its derivative is computed from: one of the two.
    pub saved: Slot,
    /// The gradient with respect to the output, then to the input.
    pub delta: Slot,
}

impl Activate {
    pub(super) fn tensors(&self) -> Vec<usize> {
        vec![]
    }

    pub(super) fn forward<T: Scalar>(&self, _: &mut Pass<'_, T>, rows: &mut MyRows<'_, '_, T>) {
        if self.input == self.output {
            return rows.runs_mut([self.output], |_, [a]| self.activation.forward_in_place(a));
        }
        rows.runs_mut([self.input, self.output], |_, [z, a]| self.activation.forward(z, a));
    }

    pub(super) fn backward<T: Scalar>(&self, _: &mut Pass<'_, T>, rows: &mut MyRows<'_, '_, T>) {
        rows.runs_mut([self.saved, self.delta], |_, [saved, delta]| self.activation.backward(saved, delta));
    }

    pub(super) fn gradient<T: Scalar>(&self, _: &Piece, _: &AllRows<'_, '_, T>, _: Sink<'_, T>) {
        unreachable!("an activation has no tensors")
    }

    pub(super) fn multiplied(&self) -> Option<(Slot, Slot, Factors)> {
        None
    }

    pub(super) fn writes(&self, way: Way) -> Vec<Slot> {
        match way {
            Way::Forward => vec![self.output],
            Way::Back => vec![self.delta],
        }
    }
}
