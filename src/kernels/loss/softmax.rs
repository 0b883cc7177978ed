//! Rows of exponentials that share a sum: softmax and the cross-entropy on it.

use super::rows::{Factors, Logits, LossRows, RowLoss, Targets, sum};
use crate::kernels::math;
use crate::scalar::Scalar;
use crate::simd::Isa;

/// How many exponentials are worked on at a time, on the stack.
const AT_ONCE: usize = 128;

/// What is made of a row of exponentials.
trait Goal<T> {
    /// Looks at a row of preactivations while they are there. The result comes back in `finish`.
    fn begin(&self, row: usize, z: &[T], largest: T) -> f64;
    /// `e` is the row's e^(z - largest), to be overwritten where a place for it was given, and `total` its sum.
    fn finish(&mut self, row: usize, e: Option<&mut [T]>, total: f64, begun: f64);
}

/// Each row of z to e^z / sum e^z, in place.
#[inline(always)]
pub fn softmax<I: Isa, T: Scalar>(z: &mut [T], outputs: usize, stride: usize) {
    let count = z.len().div_ceil(stride);
    exponentials::<I, T>(z, outputs, stride, count, Probabilities);
}

/// The sum of q (ln sum e^z - z), and its gradient (sum q) softmax - q: one loss for all outputs. Of each row's targets y,
/// `smoothing` is spread evenly over its outputs: q = (1 - smoothing) y + smoothing (sum y) / outputs.
#[derive(Clone, Copy)]
pub struct CrossEntropy {
    pub smoothing: f64,
}

impl RowLoss for CrossEntropy {
    #[inline(always)]
    fn evaluate<I: Isa, T: Scalar>(self, z: impl Logits<T>, rows: LossRows<T>, factors: Factors) {
        let (outputs, stride, count) = (rows.outputs, rows.stride, rows.row_loss.len());
        exponentials::<I, T>(
            z,
            outputs,
            stride,
            count,
            Likelihood { rows, scale: factors.scale, smoothing: self.smoothing },
        );
    }
}

struct Probabilities;

impl<T: Scalar> Goal<T> for Probabilities {
    #[inline(always)]
    fn begin(&self, _: usize, _: &[T], _: T) -> f64 {
        0.0
    }

    #[inline(always)]
    fn finish(&mut self, _: usize, e: Option<&mut [T]>, total: f64, _: f64) {
        let factor = T::from_f64(1.0 / total);
        for e in e.into_iter().flatten() {
            *e *= factor;
        }
    }
}

/// The loss of each row, and its gradient times `scale`.
struct Likelihood<'a, T> {
    rows: LossRows<'a, T>,
    scale: f64,
    smoothing: f64,
}

impl<T: Scalar> Goal<T> for Likelihood<'_, T> {
    /// How far the targets' preactivation, or its mean, lies below the largest.
    #[inline(always)]
    fn begin(&self, row: usize, z: &[T], largest: T) -> f64 {
        let below = |z: T| largest.to_f64() - z.to_f64();
        let (of_targets, mass) = match self.rows.targets {
            Targets::Classes(classes) => (below(z[classes[row] as usize]), 1.0),
            Targets::Values(values) => {
                let y = self.rows.of(row, values);
                (y.iter().zip(z).map(|(y, z)| y.to_f64() * below(*z)).sum(), sum(y))
            }
        };
        if self.smoothing == 0.0 {
            return of_targets;
        }
        let mut of_all = 0.0;
        for &z in z {
            of_all += below(z);
        }
        (1.0 - self.smoothing) * of_targets + self.smoothing * mass * of_all / z.len() as f64
    }

    #[inline(always)]
    fn finish(&mut self, row: usize, e: Option<&mut [T]>, total: f64, below: f64) {
        let weight = self.rows.weight(row);
        if weight == 0.0 {
            return self.rows.leave_out(row, e);
        }
        // The largest e is 1, so this keeps the digits of a loss near 0.
        let ln_total = (total - 1.0).ln_1p();
        let scale = weight * self.scale;
        match self.rows.targets {
            Targets::Classes(classes) => {
                self.rows.row_loss[row] = weight * (below + ln_total);
                let Some(e) = e else { return };
                let class = classes[row] as usize;
                // softmax - 1, without subtracting two numbers that were rounded.
                let aim = (e[class].to_f64() - total) * (scale / total);
                let factor = T::from_f64(scale / total);
                for e in e.iter_mut() {
                    *e *= factor;
                }
                let moved = self.smoothing * scale;
                e[class] = T::from_f64(aim + moved);
                self.spread(e, moved);
            }
            Targets::Values(values) => {
                let y = self.rows.of(row, values);
                let mass = sum(y);
                self.rows.row_loss[row] = weight * (below + mass * ln_total);
                let (factor, kept) = (mass / total, 1.0 - self.smoothing);
                let Some(e) = e else { return };
                for (e, y) in e.iter_mut().zip(y) {
                    *e = T::from_f64((e.to_f64() * factor - kept * y.to_f64()) * scale);
                }
                self.spread(e, self.smoothing * mass * scale);
            }
        }
    }
}

impl<T: Scalar> Likelihood<'_, T> {
    /// Takes an even share of that much from each output's gradient.
    #[inline(always)]
    fn spread(&self, gradient: &mut [T], mass: f64) {
        if self.smoothing != 0.0 {
            let share = T::from_f64(mass / gradient.len() as f64);
            for g in gradient {
                *g -= share;
            }
        }
    }
}

/// Computes the exponentials of all rows, in blocks that hold several narrow rows or a part of a wide one.
#[inline(always)]
fn exponentials<I: Isa, T: Scalar>(
    mut z: impl Logits<T>,
    outputs: usize,
    stride: usize,
    count: usize,
    mut goal: impl Goal<T>,
) {
    let mut block = [T::ZERO; AT_ONCE];
    let (mut largest, mut begun, mut totals) = ([T::ZERO; AT_ONCE], [0.0; AT_ONCE], [0.0; AT_ONCE]);
    let width = outputs.min(AT_ONCE);
    let group = AT_ONCE / width;
    for first in (0..count).step_by(group) {
        let group = group.min(count - first);
        for i in 0..group {
            let row = &z.all()[(first + i) * stride..][..outputs];
            largest[i] = maximum(row);
            begun[i] = goal.begin(first + i, row, largest[i]);
            totals[i] = 0.0;
        }
        for column in (0..outputs).step_by(width) {
            let width = width.min(outputs - column);
            let part = |i: usize| (first + i) * stride + column;
            for i in 0..group {
                for (e, z) in block[i * width..][..width].iter_mut().zip(&z.all()[part(i)..]) {
                    *e = *z - largest[i];
                }
            }
            for e in &mut block[..group * width] {
                *e = math::exp_nonpositive::<I, T>(*e);
            }
            for i in 0..group {
                let e = &block[i * width..][..width];
                totals[i] += sum(e);
                if let Some(z) = z.all_mut() {
                    z[part(i)..][..width].copy_from_slice(e);
                }
            }
        }
        for i in 0..group {
            let row = (first + i) * stride;
            goal.finish(first + i, z.all_mut().map(|z| &mut z[row..][..outputs]), totals[i], begun[i]);
        }
    }
}

/// The largest number of a row; of equal zeros, either.
#[inline(always)]
fn maximum<T: Scalar>(row: &[T]) -> T {
    const STRANDS: usize = 16;
    let larger = |a: T, b: T| if b > a { b } else { a };
    let mut strands = [row[0]; STRANDS];
    let chunks = row.chunks_exact(STRANDS);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (strand, x) in strands.iter_mut().zip(chunk) {
            *strand = larger(*strand, *x);
        }
    }
    let mut most = if row.len() < STRANDS { row[0] } else { strands.into_iter().fold(row[0], larger) };
    for x in rest {
        most = larger(most, *x);
    }
    most
}
