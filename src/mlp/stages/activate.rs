//! An activation, element by element.

use super::super::claims::{AllRows, MyRows};
use super::super::slots::Slot;
use super::super::tensors::Piece;
use super::pass::{Pass, Sink};
use crate::kernels::activation::Activation;
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
            return self.activation.forward_in_place(rows.flat_mut(self.output));
        }
        let [z, a] = rows.several_mut([self.input, self.output]);
        self.activation.forward(z, a);
    }

    pub(super) fn backward<T: Scalar>(&self, _: &mut Pass<'_, T>, rows: &mut MyRows<'_, '_, T>) {
        let [saved, delta] = rows.several_mut([self.saved, self.delta]);
        self.activation.backward(saved, delta);
    }

    pub(super) fn gradient<T: Scalar>(&self, _: &Piece, _: &AllRows<'_, '_, T>, _: Sink<'_, T>) {
        unreachable!("an activation has no tensors")
    }

    pub(super) fn magnitudes<T: Scalar>(&self, _: &MyRows<'_, '_, T>) -> Option<(f64, f64)> {
        None
    }
}
