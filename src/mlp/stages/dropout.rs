//! Dropout. N. Srivastava et al., Dropout: A Simple Way to Prevent Neural Networks from Overfitting, JMLR 15 (2014);
//! "inverted": what is kept is scaled up in training, so that prediction needs no factor.

use super::super::claims::{AllRows, MyRows};
use super::super::random;
use super::super::slots::{Slot, Way};
use super::super::tensors::Piece;
use super::pass::{Noise, Pass, Sink};
use crate::kernels::matmul::Factors;
use crate::scalar::Scalar;
use crate::simd::{Isa, Kernel, dispatch};

/// A share of the elements, which may differ from step to step, becomes 0; the others are divided by the share that is kept.
#[derive(Debug, Clone)]
pub struct Dropout {
    /// The number of its layer, which tells its random numbers from those of others.
    pub layer: usize,
    /// What it takes.
    pub input: Slot,
    /// What it gives; may be the same matrix.
    pub output: Slot,
    /// The factors, 0 or 1 / (1 - rate).
    pub mask: Slot,
    /// The gradient with respect to the output, then to the input.
    pub delta: Slot,
}

impl Dropout {
    pub(super) fn tensors(&self) -> Vec<usize> {
        vec![]
    }

    pub(super) fn forward<T: Scalar>(&self, pass: &mut Pass<'_, T>, rows: &mut MyRows<'_, '_, T>) {
        if self.input != self.output {
            rows.runs_mut([self.input, self.output], |_, [from, to]| to.copy_from_slice(from));
        }
        let Some(Noise { key, rates }) = pass.noise else { return };
        let rate = rates[self.layer];
        // An element's random number is a function of its place in the whole batch.
        let before = pass.first_row * rows.stride(self.output);
        rows.runs_mut([self.mask, self.output], |place, [mask, to]| {
            dispatch(FillMask {
                mask,
                rate: rate as f32,
                keep: T::from_f64(1.0 / (1.0 - rate)),
                key: random::key(&[key, self.layer as u64]),
                start: (before + place) as u64,
            });
            dispatch(Multiply { x: to, by: mask });
        });
    }

    pub(super) fn backward<T: Scalar>(&self, pass: &mut Pass<'_, T>, rows: &mut MyRows<'_, '_, T>) {
        if pass.noise.is_some() {
            rows.runs_mut([self.mask, self.delta], |_, [mask, delta]| dispatch(Multiply { x: delta, by: mask }));
        }
    }

    pub(super) fn gradient<T: Scalar>(&self, _: &Piece, _: &AllRows<'_, '_, T>, _: Sink<'_, T>) {
        unreachable!("dropout has no tensors")
    }

    pub(super) fn multiplied(&self) -> Option<(Slot, Slot, Factors)> {
        None
    }

    pub(super) fn writes(&self, way: Way) -> Vec<Slot> {
        match way {
            Way::Forward => vec![self.mask, self.output],
            Way::Back => vec![self.delta],
        }
    }
}

/// Factors for consecutive positions from `start`: that of position i is a pure function of the key and i.
struct FillMask<'a, T> {
    mask: &'a mut [T],
    rate: f32,
    keep: T,
    key: u64,
    start: u64,
}

impl<T: Scalar> Kernel for FillMask<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        for (i, to) in self.mask.iter_mut().enumerate() {
            let unit = random::unit(random::at(self.key, self.start + i as u64));
            *to = if unit < self.rate { T::ZERO } else { self.keep };
        }
    }
}

/// `x *= by`.
struct Multiply<'a, T> {
    x: &'a mut [T],
    by: &'a [T],
}

impl<T: Scalar> Kernel for Multiply<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        self.x.iter_mut().zip(self.by).for_each(|(x, &by)| *x *= by);
    }
}
