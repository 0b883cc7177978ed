//! Losses that are a sum of one term for each output.

use super::rows::{Logits, RowLoss, Rows, Targets, sum};
use crate::scalar::Scalar;
use crate::simd::Isa;

/// The loss of one output and its derivative by z, in double precision: it is little work and the sums stay exact.
pub trait Term: Copy {
    fn loss<I: Isa>(self, z: f64, y: f64) -> f64;
    fn slope<I: Isa>(self, z: f64, y: f64) -> f64;
}

/// How many numbers are worked on at a time, in double precision, on the stack.
const BLOCK: usize = 128;
/// The same for a few rows, as they come in steps of one: clearing a large block would take longer than they do.
const SMALL_BLOCK: usize = 16;

impl<E: Term> RowLoss for E {
    #[inline(always)]
    fn evaluate<I: Isa, T: Scalar>(self, share: f64, z: impl Logits<T>, rows: Rows<T>) {
        if rows.row_loss.len() * rows.outputs <= SMALL_BLOCK {
            in_blocks::<I, T, SMALL_BLOCK>(self, share, z, rows);
        } else {
            in_blocks::<I, T, BLOCK>(self, share, z, rows);
        }
    }
}

#[inline(always)]
fn in_blocks<I: Isa, T: Scalar, const BLOCK: usize>(term: impl Term, share: f64, mut z: impl Logits<T>, rows: Rows<T>) {
    let Rows { outputs, stride, .. } = rows;
    let (mut x, mut y, mut losses) = ([0.0; BLOCK], [0.0; BLOCK], [0.0; BLOCK]);
    // Whole rows where several fit into a block, else a part of one.
    let width = outputs.min(BLOCK);
    let group = BLOCK / width;
    let count = rows.row_loss.len();
    for first in (0..count).step_by(group) {
        let group = group.min(count - first);
        for column in (0..outputs).step_by(width) {
            let width = width.min(outputs - column);
            let used = group * width;
            match rows.targets {
                // Rows without gaps are one.
                Targets::Values(values) if stride == outputs => {
                    let place = first * outputs + column;
                    widen(&z.all()[place..][..used], &mut x[..used]);
                    widen(&values[place..][..used], &mut y[..used]);
                }
                _ => {
                    for i in 0..group {
                        let row = first + i;
                        let place = i * width..(i + 1) * width;
                        widen(&z.all()[row * stride + column..][..width], &mut x[place.clone()]);
                        match rows.targets {
                            Targets::Values(values) => widen(&rows.of(row, values)[column..][..width], &mut y[place]),
                            Targets::Classes(classes) => {
                                y[place.clone()].fill(0.0);
                                if let Some(one) = y[place].get_mut((classes[row] as usize).wrapping_sub(column)) {
                                    *one = 1.0;
                                }
                            }
                        }
                    }
                }
            }
            for ((x, y), loss) in x[..used].iter_mut().zip(&y[..used]).zip(&mut losses[..used]) {
                *loss = term.loss::<I>(*x, *y);
                *x = term.slope::<I>(*x, *y);
            }
            if let Some(weights) = rows.output_weights {
                let weights = weights[column..][..width].iter().cycle();
                for ((x, loss), weight) in x[..used].iter_mut().zip(&mut losses[..used]).zip(weights) {
                    *x *= weight;
                    *loss *= weight;
                }
            }
            if outputs == 1 && rows.weights.is_none() && stride == 1 {
                // What the loop below does, in a form that becomes vector instructions.
                let factor = share * rows.scale;
                rows.row_loss[first..][..used].iter_mut().zip(&losses).for_each(|(to, loss)| *to = share * loss);
                if let Some(z) = z.all_mut() {
                    z[first..][..used].iter_mut().zip(&x).for_each(|(z, slope)| *z = T::from_f64(slope * factor));
                }
                continue;
            }
            for i in 0..group {
                let row = first + i;
                let place = i * width..(i + 1) * width;
                let weight = rows.weight(row) * share;
                let so_far = if column == 0 { 0.0 } else { rows.row_loss[row] };
                rows.row_loss[row] = so_far + weight * sum(&losses[place.clone()]);
                let factor = weight * rows.scale;
                if let Some(z) = z.all_mut() {
                    for (z, slope) in z[row * stride + column..][..width].iter_mut().zip(&x[place]) {
                        *z = T::from_f64(slope * factor);
                    }
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
