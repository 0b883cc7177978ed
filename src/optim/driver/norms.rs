//! What must be known of all gradients together: their norm, whether they are finite.

use std::ops::Range;

use super::active::Active;
use super::parallel::{Direction, in_parallel};
use super::tensors::Gradients;
use crate::buffer::filled;
use crate::reductions::{AllFinite, PositionalSums, Squares, largest};
use crate::scalar::Scalar;
use crate::simd::dispatch;

/// Positions whose products are summed together. Sums of blocks are added in order, whichever thread made them.
pub(super) const SUM_BLOCK: usize = 16 * 1024;
/// How often a thread takes some blocks, at most.
const PARTS_PER_THREAD: usize = 8;

/// A look at the gradients: which ones, and how.
#[derive(Clone, Copy)]
pub(super) struct Look<'a> {
    pub active: &'a Active,
    pub threads: usize,
    pub direction: Direction,
}

/// The 2-norm of all gradients; NaN or infinite where an element is, and only then.
///
/// It depends neither on the number of threads nor on how the flat vector is divided into tensors: an element's position
/// decides with which others its square is summed.
pub(super) fn norm<T: Scalar>(grads: &impl Gradients<T>, look: Look<'_>) -> f64 {
    let sum = sum_of_squares(grads, look, 1.0);
    if sum.is_finite() || first_nonfinite(grads, look.active).is_some() {
        return sum.sqrt();
    }
    // Finite elements whose squares overflow.
    let scale = 2f64.powi(-600);
    (sum_of_squares(grads, look, scale).sqrt() / scale).min(f64::MAX)
}

/// The 2-norm of each tensor's gradient, where it is active; else 0.
pub(super) fn norms<T: Scalar>(grads: &impl Gradients<T>, offsets: &[usize], look: Look<'_>) -> Vec<f64> {
    let of_tensor = |bounds: &[usize]| {
        let range = bounds[0]..bounds[1];
        if look.active.within(range.clone()).next().is_none() {
            return 0.0;
        }
        let threads = look.threads.min(range.len() / SUM_BLOCK).max(1);
        norm(&Alone { grads, start: range.start }, Look { active: &Active::all(range.len()), threads, ..look })
    };
    offsets.windows(2).map(of_tensor).collect()
}

/// One tensor's gradient as if it was the only one.
struct Alone<'a, G> {
    grads: &'a G,
    start: usize,
}

impl<T, G: Gradients<T>> Gradients<T> for Alone<'_, G> {
    fn for_each_gradient(&self, range: Range<usize>, visit: impl FnMut(usize, &[T])) {
        self.grads.for_each_gradient(self.start + range.start..self.start + range.end, visit);
    }
}

/// A bound on every element, no larger than their norm by more than roundings; NaN where one is not finite. Cheaper than the
/// norm.
pub(super) fn bound<T: Scalar>(grads: &impl Gradients<T>, look: Look<'_>) -> f64 {
    let squares = of_active(grads, look, |grads| dispatch(Squares(grads)));
    if squares.is_finite() {
        // What underflows is not counted.
        return squares.sqrt().max(T::MIN_POSITIVE.to_f64().sqrt());
    }
    // Some are not finite, or their squares overflow.
    let mut most = 0.0f64;
    for range in look.active.ranges() {
        grads.for_each_gradient(range, |_, grads| {
            let of_run = largest(grads);
            most = if most.is_nan() || of_run <= most { most } else { of_run };
        });
    }
    most
}

/// The first tensor whose gradient has NaN or infinity in it.
pub(super) fn first_nonfinite<T: Scalar>(grads: &impl Gradients<T>, active: &Active) -> Option<usize> {
    let mut found = None;
    for range in active.ranges() {
        grads.for_each_gradient(range, |tensor, grads| {
            if found.is_none() && !dispatch(AllFinite(grads)) {
                found = Some(tensor);
            }
        });
    }
    found
}

/// The sum over runs of active gradients, block by block.
fn of_active<T: Scalar>(grads: &impl Gradients<T>, look: Look<'_>, of_run: impl Fn(&[T]) -> f64 + Sync) -> f64 {
    by_block(look, |range| {
        let mut sum = 0.0;
        for range in look.active.within(range) {
            grads.for_each_gradient(range, |_, grads| sum += of_run(grads));
        }
        sum
    })
}

fn sum_of_squares<T: Scalar>(grads: &impl Gradients<T>, look: Look<'_>, scale: f64) -> f64 {
    by_block(look, |range| {
        let mut sum = PositionalSums::<1>::at(range.start);
        for range in look.active.within(range) {
            sum.go_to(range.start);
            grads.for_each_gradient(range, |_, grads| sum.add_squares(grads, scale));
        }
        let [sum] = sum.total();
        sum
    })
}

/// The sum of `reduce` over the blocks, added in order.
fn by_block(look: Look<'_>, reduce: impl Fn(Range<usize>) -> f64 + Sync) -> f64 {
    let Look { active, threads, direction } = look;
    let len = active.end();
    let blocks = len.div_ceil(SUM_BLOCK);
    let of_block = |block: usize| reduce(block * SUM_BLOCK..len.min((block + 1) * SUM_BLOCK));
    let sums = if threads == 1 { None } else { filled(0.0, blocks, "sums").ok() };
    // Without memory for the sums one thread finds the same one.
    let Some(mut sums) = sums else { return (0..blocks).map(of_block).sum() };
    let share = blocks.div_ceil(PARTS_PER_THREAD * threads);
    let parts = sums.chunks_mut(share).enumerate().collect();
    in_parallel(parts, threads, direction, |(part, sums): (usize, &mut [f64])| {
        for (index, sum) in sums.iter_mut().enumerate() {
            *sum = of_block(part * share + index);
        }
    });
    sums.into_iter().sum()
}
