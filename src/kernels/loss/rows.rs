//! The rows of a batch as the losses see them.

use crate::scalar::Scalar;
use crate::simd::Isa;

/// What the network should have said.
#[derive(Debug, Clone, Copy)]
pub enum Targets<'a, T> {
    /// The column of each row that is 1, all others being 0.
    Classes(&'a [u32]),
    /// One number for each output, row after row without gaps.
    Values(&'a [T]),
}

/// Rows of a batch: what a loss is given besides the preactivations z, and where it goes.
///
/// There are as many rows as `row_loss` is long, each of `outputs` numbers.
pub struct LossRows<'a, T> {
    /// Numbers of each row.
    pub outputs: usize,
    /// From one row of z to the next; what lies between rows is left alone.
    pub stride: usize,
    /// What the network should have said.
    pub targets: Targets<'a, T>,
    /// One weight for each row; without them, 1.
    pub weights: Option<&'a [T]>,
    /// One weight for each output. With them a row's loss is the sum over its outputs of weight times loss, in place of
    /// the mean or the sum without weights; cross-entropy, which is one loss for all outputs, has none.
    pub output_weights: Option<&'a [f64]>,
    /// The loss of each row times its weight, to be written.
    pub row_loss: &'a mut [f64],
}

impl<T: Scalar> LossRows<'_, T> {
    /// Panics unless all slices are as long as they should be, and all classes below `outputs`.
    pub(super) fn check(&self, z: &[T]) {
        let rows = self.row_loss.len();
        assert!(self.outputs > 0 && self.outputs <= self.stride, "a row needs outputs that fit into its stride");
        assert!(rows == 0 || z.len() >= (rows - 1) * self.stride + self.outputs, "z is too short for {rows} rows");
        match self.targets {
            Targets::Classes(classes) => {
                assert_eq!(classes.len(), rows, "one class for each row");
                assert!(classes.iter().all(|c| (*c as usize) < self.outputs), "a class is not below {}", self.outputs);
            }
            Targets::Values(values) => assert_eq!(values.len(), rows * self.outputs, "one target for each output"),
        }
        assert!(self.weights.is_none_or(|w| w.len() == rows), "one weight for each row");
        assert!(self.output_weights.is_none_or(|w| w.len() == self.outputs), "one weight for each output");
    }

    /// The numbers of a row in `values`, which have no gaps.
    #[inline(always)]
    pub(super) fn of<'b>(&self, row: usize, values: &'b [T]) -> &'b [T] {
        &values[row * self.outputs..][..self.outputs]
    }

    #[inline(always)]
    pub(super) fn weight(&self, row: usize) -> f64 {
        self.weights.map_or(1.0, |w| w[row].to_f64())
    }

    /// A row that weighs nothing says nothing, whatever is in it: nothing times infinity would be no number.
    #[inline(always)]
    pub(super) fn leave_out(&mut self, row: usize, gradient: Option<&mut [T]>) {
        self.row_loss[row] = 0.0;
        gradient.into_iter().for_each(|gradient| gradient.fill(T::ZERO));
    }
}

/// The preactivations, which a gradient may replace.
pub trait Logits<T> {
    /// All of them.
    fn all(&self) -> &[T];
    /// The same to write to; nothing where only the loss is wanted.
    fn all_mut(&mut self) -> Option<&mut [T]>;
}

impl<T: Scalar> Logits<T> for &[T] {
    #[inline(always)]
    fn all(&self) -> &[T] {
        self
    }
    #[inline(always)]
    fn all_mut(&mut self) -> Option<&mut [T]> {
        None
    }
}

impl<T: Scalar> Logits<T> for &mut [T] {
    #[inline(always)]
    fn all(&self) -> &[T] {
        self
    }
    #[inline(always)]
    fn all_mut(&mut self) -> Option<&mut [T]> {
        Some(self)
    }
}

/// The factors of a loss and its gradient.
#[derive(Clone, Copy)]
pub struct Factors {
    /// Of each output's part in the loss of its row.
    pub share: f64,
    /// Of the gradient alone.
    pub scale: f64,
}

/// A loss of whole rows with its gradient.
pub trait RowLoss: Copy {
    fn evaluate<I: Isa, T: Scalar>(self, z: impl Logits<T>, rows: LossRows<T>, factors: Factors);
}

/// A sum whose order depends on the length alone, in eight strands.
#[inline(always)]
pub fn sum<T: Scalar>(x: &[T]) -> f64 {
    const STRANDS: usize = 8;
    let mut strands = [0.0; STRANDS];
    let chunks = x.chunks_exact(STRANDS);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (strand, x) in strands.iter_mut().zip(chunk) {
            *strand += x.to_f64();
        }
    }
    for (strand, x) in strands.iter_mut().zip(rest) {
        *strand += x.to_f64();
    }
    let mut total = 0.0;
    for strand in &strands[..STRANDS.min(x.len())] {
        total += strand;
    }
    total
}
