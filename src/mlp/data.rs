//! Rows to learn from, or to predict for.

use std::ops::Range;

use ndarray::{ArrayView2, s};

use crate::kernels::loss::Targets;
use crate::kernels::sparse::Csr;
use crate::scalar::Scalar;
use crate::simd::prefetch;

/// The inputs of rows.
#[derive(Clone, Copy)]
pub enum Inputs<'a, T> {
    /// All of them. To train, contiguous and row-major.
    Dense(ArrayView2<'a, T>),
    /// Those that are not zero.
    Sparse(Csr<'a, T>),
}

impl<'a, T: Scalar> Inputs<'a, T> {
    /// The number of rows.
    pub fn nrows(&self) -> usize {
        match self {
            Inputs::Dense(x) => x.nrows(),
            Inputs::Sparse(x) => x.nrows(),
        }
    }

    /// The sparse matrix, if it is one.
    pub fn sparse(&self) -> Option<Csr<'a, T>> {
        match *self {
            Inputs::Dense(_) => None,
            Inputs::Sparse(x) => Some(x),
        }
    }

    /// The same, for a shorter time.
    #[inline]
    pub fn reborrow<'b>(self) -> Inputs<'b, T>
    where
        'a: 'b,
    {
        match self {
            Inputs::Dense(x) => Inputs::Dense(x.reborrow()),
            Inputs::Sparse(x) => Inputs::Sparse(x),
        }
    }

    /// Consecutive rows.
    pub fn slice(&self, rows: Range<usize>) -> Inputs<'_, T> {
        match self {
            Inputs::Dense(x) => Inputs::Dense(x.slice(s![rows, ..])),
            Inputs::Sparse(x) => Inputs::Sparse(x.slice(rows)),
        }
    }
}

/// Rows to learn from.
#[derive(Clone, Copy)]
pub struct Data<'a, T> {
    /// Inputs.
    pub x: Inputs<'a, T>,
    /// What to predict.
    pub targets: Targets<'a, T>,
    /// Weights of the rows, or 1 for all.
    pub weights: Option<Weights<'a, T>>,
}

/// Weights of rows. Those that the type of the inputs cannot hold come in another unit.
#[derive(Clone, Copy)]
pub struct Weights<'a, T> {
    /// In that unit.
    pub values: &'a [T],
    /// What it is.
    pub unit: f64,
}

impl<T: Scalar> Data<'_, T> {
    /// The number of rows.
    pub fn len(&self) -> usize {
        self.x.nrows()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Asks for the first cache lines of some rows; the processor itself fetches what follows them.
    pub fn prefetch(&self, order: &[u32]) {
        for &row in order {
            match self.x {
                Inputs::Dense(x) => prefetch(x.as_ptr().wrapping_offset(row as isize * x.strides()[0])),
                Inputs::Sparse(x) => x.prefetch(row as usize),
            }
            match self.targets {
                Targets::Classes(classes) => prefetch(&raw const classes[row as usize]),
                Targets::Values(values) => prefetch(&raw const values[row as usize * values.len() / self.len()]),
            }
        }
    }

    /// The sum of the weights of some rows, in that order, in the unit of the weights.
    pub fn weight_of(&self, order: &[u32]) -> f64 {
        match self.weights {
            None => order.len() as f64,
            Some(Weights { values, .. }) => order.iter().map(|&row| values[row as usize].to_f64()).sum(),
        }
    }

    /// The sum of the weights of all rows, in their unit.
    pub fn weight(&self) -> f64 {
        match self.weights {
            None => self.len() as f64,
            Some(Weights { values, .. }) => values.iter().map(|weight| weight.to_f64()).sum(),
        }
    }

    /// The unit of the weights.
    pub fn unit(&self) -> f64 {
        self.weights.map_or(1.0, |weights| weights.unit)
    }

    /// The targets of consecutive rows.
    pub fn targets_of(&self, rows: Range<usize>) -> Targets<'_, T> {
        match self.targets {
            Targets::Classes(classes) => Targets::Classes(&classes[rows]),
            Targets::Values(values) => {
                let outputs = values.len() / self.len().max(1);
                Targets::Values(&values[rows.start * outputs..rows.end * outputs])
            }
        }
    }
}
