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

/// What all losses are given, but for z.
pub struct Rows<'a, T> {
    pub outputs: usize,
    pub stride: usize,
    pub targets: Targets<'a, T>,
    pub weights: Option<&'a [T]>,
    pub output_weights: Option<&'a [f64]>,
    pub scale: f64,
    pub row_loss: &'a mut [f64],
}

impl<T: Scalar> Rows<'_, T> {
    pub fn check(&self, z: &[T]) {
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
    pub fn of<'b>(&self, row: usize, values: &'b [T]) -> &'b [T] {
        &values[row * self.outputs..][..self.outputs]
    }

    #[inline(always)]
    pub fn weight(&self, row: usize) -> f64 {
        self.weights.map_or(1.0, |w| w[row].to_f64())
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

/// A loss of whole rows with its gradient. `share` is the factor of each output's part.
pub trait RowLoss: Copy {
    fn evaluate<I: Isa, T: Scalar>(self, share: f64, z: impl Logits<T>, rows: Rows<T>);
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
