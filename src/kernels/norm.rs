//! Normalisation of rows and its derivative. A row's result depends on nothing but the row: sums over it are made in
//! double precision, in an order that depends on its length alone.

use ndarray::ArrayView2;

use crate::scalar::Scalar;
use crate::simd::{Isa, Kernel};

/// Interleaved sums over a row.
const STRANDS: usize = 16;

/// The rows of a padded matrix.
#[derive(Debug, Clone, Copy)]
pub struct Rows {
    /// Columns.
    pub cols: usize,
    /// Numbers from one row to the next.
    pub stride: usize,
    /// Whether a row's mean is taken off before it is scaled.
    pub centred: bool,
}

/// The mean of a function of the numbers of a row and their places.
#[inline(always)]
fn mean<T: Scalar>(row: &[T], f: impl Fn(usize, f64) -> f64) -> f64 {
    let mut sums = [0.0; STRANDS];
    let (chunks, rest) = row.as_chunks::<STRANDS>();
    for (number, chunk) in chunks.iter().enumerate() {
        for (i, (sum, &x)) in sums.iter_mut().zip(chunk).enumerate() {
            *sum += f(number * STRANDS + i, x.to_f64());
        }
    }
    let done = row.len() - rest.len();
    for (i, (sum, &x)) in sums.iter_mut().zip(rest).enumerate() {
        *sum += f(done + i, x.to_f64());
    }
    for half in [8, 4, 2, 1] {
        let (low, high) = sums.split_at_mut(half);
        low.iter_mut().zip(high).for_each(|(low, &mut high)| *low += high);
    }
    sums[0] / row.len() as f64
}

/// `x = (x - mean(x)) / sqrt(mean((x - mean(x))^2) + eps)` for each row, or the same with 0 for the mean.
pub struct Normalise<'a, T> {
    /// The matrix.
    pub x: &'a mut [T],
    /// Its rows.
    pub shape: Rows,
    /// Added below the root.
    pub eps: f64,
    /// Where each row's factor goes, if anywhere.
    pub scales: &'a mut [T],
}

impl<T: Scalar> Kernel for Normalise<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        let Rows { cols, stride, centred } = self.shape;
        for (number, row) in self.x.chunks_exact_mut(stride).enumerate() {
            let row = &mut row[..cols];
            let centre = if centred { mean(row, |_, x| x) } else { 0.0 };
            let square = mean(row, |_, x| (x - centre) * (x - centre));
            let scale = 1.0 / (square + self.eps).sqrt();
            // Rows that overflow must show. Scaled by 0, or by what is flushed to 0, they would look fine.
            let scale = if scale * T::MAX.to_f64() > 4.0 { scale } else { f64::NAN };
            let (near, scale) = (T::from_f64(centre), T::from_f64(scale));
            // What rounding the mean leaves counts where it is large beside the deviations.
            let rest = T::from_f64(centre - near.to_f64());
            row.iter_mut().for_each(|x| *x = (*x - near - rest) * scale);
            if let Some(to) = self.scales.get_mut(number) {
                *to = scale;
            }
        }
    }
}

/// `x = x * gain + shift`, column by column.
pub struct ScaleAndShift<'a, T> {
    /// The matrix, in padded rows.
    pub x: &'a mut [T],
    /// Numbers from one row to the next.
    pub stride: usize,
    /// One factor for each column.
    pub gain: &'a [T],
    /// What is added to each column.
    pub shift: Option<&'a [T]>,
}

impl<T: Scalar> Kernel for ScaleAndShift<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        for row in self.x.chunks_exact_mut(self.stride) {
            match self.shift {
                Some(shift) => {
                    for ((x, &gain), &shift) in row.iter_mut().zip(self.gain).zip(shift) {
                        *x = I::fma(*x, gain, shift);
                    }
                }
                None => row.iter_mut().zip(self.gain).for_each(|(x, &gain)| *x *= gain),
            }
        }
    }
}

/// The gradient before normalisation, from that behind gain and shift: with n the normalised row and e the gradient times
/// gain, `scale * (e - mean(e) - n * mean(e * n))`; without `mean(e)` where rows are not centred.
pub struct NormaliseBack<'a, T> {
    /// The normalised rows.
    pub normal: &'a [T],
    /// The factor of each.
    pub scales: &'a [T],
    /// The gradient with respect to what came out behind gain and shift.
    pub delta: &'a [T],
    /// Where the gradient with respect to what went in goes.
    pub to: &'a mut [T],
    /// The rows of all of these.
    pub shape: Rows,
    /// The gain of each column.
    pub gain: &'a [T],
}

impl<T: Scalar> Kernel for NormaliseBack<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        let Rows { cols, stride, centred } = self.shape;
        let gain = &self.gain[..cols];
        let rows = self.normal.chunks_exact(stride).zip(self.delta.chunks_exact(stride));
        for ((to, (normal, delta)), &scale) in self.to.chunks_exact_mut(stride).zip(rows).zip(self.scales) {
            let (normal, to) = (&normal[..cols], &mut to[..cols]);
            to.iter_mut().zip(delta).zip(gain).for_each(|((to, &delta), &gain)| *to = delta * gain);
            let level = if centred { mean(to, |_, e| e) } else { 0.0 };
            let slope = mean(to, |i, e| e * normal[i].to_f64());
            let (level, slope) = (T::from_f64(level), T::from_f64(slope));
            for (to, &n) in to.iter_mut().zip(normal) {
                *to = scale * I::fma(-n, slope, *to - level);
            }
        }
    }
}

/// Adds the products of two matrices, element by element, row after row.
pub struct AddProducts<'a, T> {
    /// One sum for each column.
    pub sums: &'a mut [T],
    /// A matrix with contiguous rows.
    pub a: ArrayView2<'a, T>,
    /// Another one.
    pub b: ArrayView2<'a, T>,
}

impl<T: Scalar> Kernel for AddProducts<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        for (a, b) in self.a.rows().into_iter().zip(self.b.rows()) {
            let (a, b) = (a.to_slice(), b.to_slice());
            let (a, b) = a.zip(b).expect("rows of a batch are contiguous");
            for ((sum, &a), &b) in self.sums.iter_mut().zip(a).zip(b) {
                *sum = I::fma(a, b, *sum);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::dispatch;

    #[test]
    fn a_mean_that_is_rounded_moves_no_row() {
        // 16,777,217 lies between two numbers of this type.
        let mut x = [16_777_216.0f32, 16_777_218.0];
        let shape = Rows { cols: 2, stride: 2, centred: true };
        dispatch(Normalise { x: &mut x, shape, eps: 0.0, scales: &mut [] });
        assert_eq!(x, [-1.0, 1.0]);
    }
}
