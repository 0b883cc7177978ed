//! Normalisation of each row of a layer, then a gain and a shift for each column.

use super::super::claims::{AllRows, MyRows};
use super::super::slots::{Slot, Way};
use super::super::tensors::Piece;
use super::pass::{Pass, Sink};
use crate::kernels::matmul::Factors;
use crate::kernels::norm::{AddProducts, Normalise, NormaliseBack, Rows, ScaleAndShift};
use crate::kernels::sums::AddRows;
use crate::scalar::Scalar;
use crate::simd::dispatch;

/// How a row is normalised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormKind {
    /// To mean 0 and variance 1. J. L. Ba, J. R. Kiros, G. Hinton, Layer Normalization, 2016, arXiv:1607.06450.
    Layer,
    /// To root mean square 1; without a shift. B. Zhang and R. Sennrich, Root Mean Square Layer Normalization, NeurIPS 2019.
    Rms,
}

impl NormKind {
    /// All of them.
    pub const ALL: &'static [NormKind] = &[NormKind::Layer, NormKind::Rms];
    /// Added to the variance, or the mean square, before its root is taken: it keeps constant rows finite.
    pub const EPS: f64 = 1e-5;

    /// The name that users write.
    pub fn name(self) -> &'static str {
        match self {
            NormKind::Layer => "layer",
            NormKind::Rms => "rms",
        }
    }

    /// The norm of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|norm| norm.name() == name)
    }

    /// Whether it moves rows to mean 0.
    pub fn centres(self) -> bool {
        self == NormKind::Layer
    }

    /// Whether it has shifts besides gains.
    pub fn shifts(self) -> bool {
        self == NormKind::Layer
    }
}

/// y = n(x) * gain + shift, where n(x) takes the place of x.
#[derive(Debug, Clone)]
pub struct Norm {
    /// How.
    pub kind: NormKind,
    /// The tensor of gains.
    pub gain: usize,
    /// The tensor of shifts.
    pub shift: Option<usize>,
    /// x, then n(x).
    pub input: Slot,
    /// y; the same matrix where nothing is kept.
    pub output: Slot,
    /// What each row was multiplied with, for the way back.
    pub scales: Option<Slot>,
    /// The gradient with respect to x.
    pub delta_input: Slot,
    /// The gradient with respect to y.
    pub delta_output: Slot,
}

impl Norm {
    pub(super) fn tensors(&self) -> Vec<usize> {
        [Some(self.gain), self.shift].into_iter().flatten().collect()
    }

    fn rows_of<T: Scalar>(&self, rows: &MyRows<'_, '_, T>) -> Rows {
        Rows { cols: rows.cols(self.input), stride: rows.stride(self.input), centred: self.kind.centres() }
    }

    pub(super) fn forward<T: Scalar>(&self, pass: &mut Pass<'_, T>, rows: &mut MyRows<'_, '_, T>) {
        let shape = self.rows_of(rows);
        match self.scales {
            Some(scales) => {
                let [x, scales] = rows.several_mut([self.input, scales]);
                dispatch(Normalise { x, shape, eps: NormKind::EPS, scales });
                let [normal, y] = rows.several_mut([self.input, self.output]);
                y.copy_from_slice(normal);
            }
            None => dispatch(Normalise { x: rows.flat_mut(self.input), shape, eps: NormKind::EPS, scales: &mut [] }),
        }
        let (gain, shift) = (pass.tensor(self.gain), self.shift.map(|shift| pass.tensor(shift)));
        dispatch(ScaleAndShift { x: rows.flat_mut(self.output), stride: shape.stride, gain, shift });
    }

    pub(super) fn backward<T: Scalar>(&self, pass: &mut Pass<'_, T>, rows: &mut MyRows<'_, '_, T>) {
        let (shape, gain) = (self.rows_of(rows), pass.tensor(self.gain));
        let scales = self.scales.expect("training keeps the factors of rows");
        let [normal, scales, delta, to] = rows.several_mut([self.input, scales, self.delta_output, self.delta_input]);
        dispatch(NormaliseBack { normal, scales, delta, to, shape, gain });
    }

    pub(super) fn gradient<T: Scalar>(&self, piece: &Piece, rows: &AllRows<'_, '_, T>, sink: Sink<'_, T>) {
        let Sink { grads, .. } = sink;
        let cols = piece.tile.cols.clone();
        grads.fill(T::ZERO);
        let delta = rows.columns(self.delta_output, cols.clone());
        if piece.tensor == self.gain {
            dispatch(AddProducts { sums: grads, a: rows.columns(self.input, cols), b: delta });
        } else {
            dispatch(AddRows { sums: grads, rows: delta });
        }
    }

    pub(super) fn multiplied(&self) -> Option<(Slot, Slot, Factors)> {
        Some((self.input, self.delta_output, Factors::Exact))
    }

    pub(super) fn writes(&self, way: Way) -> Vec<Slot> {
        match way {
            Way::Forward => vec![self.input, self.output],
            Way::Back => vec![self.delta_input],
        }
    }
}
