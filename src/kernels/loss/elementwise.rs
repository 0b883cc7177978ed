//! Losses that are a sum of one term for each output.

use super::rows::{Factors, Logits, LossRows, RowLoss, Targets, sum};
use crate::scalar::Scalar;
use crate::simd::Isa;

/// The loss of one output and its derivative by z, in double precision: it is little work and the sums stay exact.
pub trait Term: Copy {
    fn loss<I: Isa>(self, z: f64, y: f64) -> f64;
    fn slope<I: Isa>(self, z: f64, y: f64) -> f64;
}

/// How many numbers are worked on at a time, on the stack.
const AT_ONCE: usize = 128;
/// The same for a few rows, as they come in steps of one: clearing a large block would take longer than they do.
const FEW_AT_ONCE: usize = 16;

impl<E: Term> RowLoss for E {
    #[inline(always)]
    fn evaluate<I: Isa, T: Scalar>(self, z: impl Logits<T>, rows: LossRows<T>, factors: Factors) {
        if rows.row_loss.len() * rows.outputs <= FEW_AT_ONCE {
            in_blocks::<I, T, FEW_AT_ONCE>(self, z, rows, factors);
        } else {
            in_blocks::<I, T, AT_ONCE>(self, z, rows, factors);
        }
    }
}

#[inline(always)]
fn in_blocks<I: Isa, T: Scalar, const N: usize>(
    term: impl Term,
    mut z: impl Logits<T>,
    mut rows: LossRows<T>,
    factors: Factors,
) {
    let mut block = Block { z: [0.0; N], y: [0.0; N], losses: [0.0; N] };
    // Whole rows where several fit into a block, else a part of one.
    let width = rows.outputs.min(N);
    let group = N / width;
    let count = rows.row_loss.len();
    for first in (0..count).step_by(group) {
        let group = group.min(count - first);
        for column in (0..rows.outputs).step_by(width) {
            let part = Part { first, rows: group, column, width: width.min(rows.outputs - column) };
            block.read(part, z.all(), &rows);
            block.evaluate::<I>(term, part, rows.output_weights);
            block.write(part, &mut z, &mut rows, factors);
        }
    }
}

/// Some columns of some rows.
#[derive(Clone, Copy)]
struct Part {
    first: usize,
    rows: usize,
    column: usize,
    width: usize,
}

impl Part {
    #[inline(always)]
    fn len(self) -> usize {
        self.rows * self.width
    }
}

/// The numbers of a part in double precision, row after row without gaps. The slopes take the place of z.
struct Block<const N: usize> {
    z: [f64; N],
    y: [f64; N],
    losses: [f64; N],
}

impl<const N: usize> Block<N> {
    #[inline(always)]
    fn read<T: Scalar>(&mut self, part: Part, z: &[T], rows: &LossRows<T>) {
        let Part { first, column, width, .. } = part;
        if let (Targets::Values(values), true) = (rows.targets, rows.stride == rows.outputs) {
            // Rows without gaps are one.
            let place = first * rows.outputs + column;
            widen(&z[place..][..part.len()], &mut self.z[..part.len()]);
            widen(&values[place..][..part.len()], &mut self.y[..part.len()]);
            return;
        }
        for i in 0..part.rows {
            let row = first + i;
            let place = i * width..(i + 1) * width;
            widen(&z[row * rows.stride + column..][..width], &mut self.z[place.clone()]);
            let y = &mut self.y[place];
            match rows.targets {
                Targets::Values(values) => widen(&rows.of(row, values)[column..][..width], y),
                Targets::Classes(classes) => {
                    y.fill(0.0);
                    if let Some(one) = y.get_mut((classes[row] as usize).wrapping_sub(column)) {
                        *one = 1.0;
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn evaluate<I: Isa>(&mut self, term: impl Term, part: Part, output_weights: Option<&[f64]>) {
        let (z, losses) = (&mut self.z[..part.len()], &mut self.losses[..part.len()]);
        for ((z, y), loss) in z.iter_mut().zip(&self.y[..part.len()]).zip(&mut *losses) {
            *loss = term.loss::<I>(*z, *y);
            *z = term.slope::<I>(*z, *y);
        }
        if let Some(weights) = output_weights {
            let weights = weights[part.column..][..part.width].iter().cycle();
            for ((slope, loss), weight) in z.iter_mut().zip(losses).zip(weights) {
                *slope *= weight;
                *loss *= weight;
            }
        }
    }

    #[inline(always)]
    fn write<T: Scalar>(&self, part: Part, z: &mut impl Logits<T>, rows: &mut LossRows<T>, factors: Factors) {
        let Part { first, column, width, .. } = part;
        let Factors { share, scale } = factors;
        if rows.outputs == 1 && rows.weights.is_none() && rows.stride == 1 {
            // What the loop below does, in a form that becomes vector instructions.
            let factor = share * scale;
            rows.row_loss[first..][..part.len()].iter_mut().zip(&self.losses).for_each(|(to, loss)| *to = share * loss);
            if let Some(z) = z.all_mut() {
                z[first..][..part.len()]
                    .iter_mut()
                    .zip(&self.z)
                    .for_each(|(z, slope)| *z = T::from_f64(slope * factor));
            }
            return;
        }
        for i in 0..part.rows {
            let row = first + i;
            let place = i * width..(i + 1) * width;
            let weight = rows.weight(row) * share;
            if weight == 0.0 {
                rows.leave_out(row, z.all_mut().map(|z| &mut z[row * rows.stride + column..][..width]));
                continue;
            }
            let so_far = if column == 0 { 0.0 } else { rows.row_loss[row] };
            rows.row_loss[row] = so_far + weight * sum(&self.losses[place.clone()]);
            let factor = weight * scale;
            if let Some(z) = z.all_mut() {
                for (z, slope) in z[row * rows.stride + column..][..width].iter_mut().zip(&self.z[place]) {
                    *z = T::from_f64(slope * factor);
                }
            }
        }
    }
}

#[inline(always)]
fn widen<T: Scalar>(from: &[T], to: &mut [f64]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = from.to_f64();
    }
}
