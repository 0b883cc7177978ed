//! An activation that each unit has a share of its own of, which is learnt: f(z) = z + alpha (act(z) - z).
//! D. Holzmueller, L. Grinsztajn, I. Steinwart, Better by Default, NeurIPS 2024; with ReLU it is K. He, X. Zhang, S. Ren,
//! J. Sun, Delving Deep into Rectifiers, ICCV 2015.

use super::super::claims::{AllRows, MyRows};
use super::super::slots::{Slot, Way};
use super::super::tensors::Piece;
use super::pass::{Pass, Sink};
use crate::kernels::activation::Activation;
use crate::kernels::blend::{Blend, BlendBack};
use crate::kernels::matmul::Factors;
use crate::kernels::norm::AddProducts;
use crate::scalar::Scalar;
use crate::simd::dispatch;

/// A function of each element, and how much of it each column takes.
#[derive(Debug, Clone)]
pub struct Parametric {
    /// The function.
    pub activation: Activation,
    /// The tensor of shares, one for each column.
    pub alpha: usize,
    /// z
    pub input: Slot,
    /// act(z) - z
    pub change: Slot,
    /// act(z), where its derivative is computed from it.
    pub activated: Option<Slot>,
    /// f(z); the same matrix as z where that is not needed any more.
    pub output: Slot,
    /// The gradient with respect to f(z).
    pub delta_output: Slot,
    /// The gradient with respect to z.
    pub delta_input: Slot,
}

impl Parametric {
    pub(super) fn tensors(&self) -> Vec<usize> {
        vec![self.alpha]
    }

    pub(super) fn forward<T: Scalar>(&self, pass: &mut Pass<'_, T>, rows: &mut MyRows<'_, '_, T>) {
        let (alpha, stride) = (pass.tensor(self.alpha), rows.stride(self.input));
        rows.runs_mut([self.input, self.change], |_, [z, a]| self.activation.forward(z, a));
        if let Some(activated) = self.activated {
            rows.runs_mut([self.change, activated], |_, [from, to]| to.copy_from_slice(from));
        }
        if self.output != self.input {
            rows.runs_mut([self.input, self.output], |_, [from, to]| to.copy_from_slice(from));
        }
        rows.runs_mut([self.output, self.change], |first, [x, change]| {
            dispatch(Blend { x, change, alpha, first, stride });
        });
    }

    pub(super) fn backward<T: Scalar>(&self, pass: &mut Pass<'_, T>, rows: &mut MyRows<'_, '_, T>) {
        let (alpha, stride) = (pass.tensor(self.alpha), rows.stride(self.input));
        let (delta, saved) = (self.delta_input, self.activated.unwrap_or(self.input));
        rows.runs_mut([self.delta_output, delta], |_, [from, to]| to.copy_from_slice(from));
        rows.runs_mut([saved, delta], |_, [saved, delta]| self.activation.backward(saved, delta));
        rows.runs_mut([delta, self.delta_output], |first, [x, from]| {
            dispatch(BlendBack { x, from, alpha, first, stride });
        });
    }

    pub(super) fn gradient<T: Scalar>(&self, piece: &Piece, rows: &AllRows<'_, '_, T>, sink: Sink<'_, T>) {
        let cols = piece.tile.cols.clone();
        sink.grads.fill(T::ZERO);
        let [a, b] = [self.change, self.delta_output].map(|slot| rows.columns(slot, cols.clone()));
        dispatch(AddProducts { sums: sink.grads, a, b });
    }

    pub(super) fn multiplied(&self) -> Option<(Slot, Slot, Factors)> {
        Some((self.change, self.delta_output, Factors::Exact))
    }

    pub(super) fn writes(&self, way: Way) -> Vec<Slot> {
        match way {
            Way::Forward => [Some(self.change), Some(self.output), self.activated].into_iter().flatten().collect(),
            Way::Back => vec![self.delta_input],
        }
    }
}
