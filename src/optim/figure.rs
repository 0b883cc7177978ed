//! Figures of all gradients together: their norm, whether they are finite.

use std::ops::Range;

use super::driver::{Gradients, Way, in_parallel};
use crate::scalar::Scalar;
use crate::simd::{Isa, Kernel, MOST_LANES, Vector, dispatch};

/// Positions whose squares are summed together. Sums of blocks are added in order, whichever thread made them.
pub const BLOCK: usize = 16 * 1024;
const LANES: usize = 16;
/// How often a thread takes some blocks, at most.
const PARTS: usize = 8;

/// The 2-norm of all gradients; NaN or infinite where an element is, and only then.
///
/// It depends neither on the number of threads nor on how the flat vector is divided into tensors: an element's position
/// decides with which others its square is summed.
pub fn norm<T: Scalar>(tensors: &impl Gradients<T>, len: usize, threads: usize, way: Way) -> f64 {
    let sum = sum_of_squares(tensors, len, threads, way, 1.0);
    if sum.is_finite() || first_nonfinite(tensors, len).is_some() {
        return sum.sqrt();
    }
    // Finite elements whose squares overflow.
    let scale = 2f64.powi(-600);
    (sum_of_squares(tensors, len, threads, way, scale).sqrt() / scale).min(f64::MAX)
}

/// The 2-norm of each tensor's gradient.
pub fn norms<T: Scalar>(grads: &impl Gradients<T>, offsets: &[usize], threads: usize, way: Way) -> Vec<f64> {
    let of_tensor = |range: &[usize]| {
        let part = Part { grads, range: range[0]..range[1] };
        norm(&part, range[1] - range[0], threads.min((range[1] - range[0]) / BLOCK).max(1), way)
    };
    offsets.windows(2).map(of_tensor).collect()
}

/// One tensor's gradient as if it was the only one.
struct Part<'a, G> {
    grads: &'a G,
    range: Range<usize>,
}

impl<T, G: Gradients<T>> Gradients<T> for Part<'_, G> {
    fn for_each_gradient(&self, range: Range<usize>, visit: impl FnMut(usize, &[T])) {
        let start = self.range.start;
        self.grads.for_each_gradient(start + range.start..start + range.end, visit);
    }
}

/// 0 where every gradient is finite, else NaN: cheaper than the norm.
pub fn zero_if_finite<T: Scalar>(tensors: &impl Gradients<T>, len: usize, threads: usize, way: Way) -> f64 {
    let finite = by_block(len, threads, way, |range| {
        let mut finite = true;
        tensors.for_each_gradient(range, |_, grads| finite &= dispatch(AllFinite(grads)));
        if finite { 0.0 } else { f64::NAN }
    });
    if finite == 0.0 { 0.0 } else { f64::NAN }
}

/// The first tensor whose gradient has NaN or infinity in it.
pub fn first_nonfinite<T: Scalar>(tensors: &impl Gradients<T>, len: usize) -> Option<usize> {
    let mut found = None;
    tensors.for_each_gradient(0..len, |tensor, grads| {
        if found.is_none() && !dispatch(AllFinite(grads)) {
            found = Some(tensor);
        }
    });
    found
}

fn sum_of_squares<T: Scalar>(tensors: &impl Gradients<T>, len: usize, threads: usize, way: Way, scale: f64) -> f64 {
    by_block(len, threads, way, |range| {
        let mut lanes = [0.0; LANES];
        let mut position = range.start;
        tensors.for_each_gradient(range, |_, grads| {
            dispatch(AddSquares { lanes: &mut lanes, position, grads, scale });
            position += grads.len();
        });
        lanes.iter().sum()
    })
}

/// The sum of `figure` over the blocks, added in order.
fn by_block(len: usize, threads: usize, way: Way, figure: impl Fn(Range<usize>) -> f64 + Sync) -> f64 {
    let blocks = len.div_ceil(BLOCK);
    let of_block = |block: usize| figure(block * BLOCK..len.min((block + 1) * BLOCK));
    if threads == 1 {
        return (0..blocks).map(of_block).sum();
    }
    let mut sums = vec![0.0; blocks];
    let share = blocks.div_ceil(PARTS * threads);
    let parts = sums.chunks_mut(share).enumerate().collect();
    in_parallel(parts, threads, way, |(part, sums): (usize, &mut [f64])| {
        for (index, sum) in sums.iter_mut().enumerate() {
            *sum = of_block(part * share + index);
        }
    });
    sums.into_iter().sum()
}

struct AllFinite<'a, T>(&'a [T]);

impl<T: Scalar> Kernel for AllFinite<'_, T> {
    type Output = bool;

    #[inline(always)]
    fn run<I: Isa>(self) -> bool {
        // 0 * x is 0 where x is finite, else NaN; four sums, so that none waits for another.
        let zero = T::Vector::<I>::splat(T::ZERO);
        let lanes = T::Vector::<I>::LANES;
        let (mut sums, mut rest) = ([zero; 4], self.0);
        while rest.len() >= 4 * lanes {
            for (i, sum) in sums.iter_mut().enumerate() {
                *sum = zero.fma(T::Vector::<I>::full(&rest[i * lanes..]), *sum);
            }
            rest = &rest[4 * lanes..];
        }
        for part in rest.chunks(lanes) {
            sums[0] = zero.fma(T::Vector::<I>::read(part), sums[0]);
        }
        let mut sum = [T::ONE; MOST_LANES];
        ((sums[0] + sums[1]) + (sums[2] + sums[3])).put(&mut sum);
        sum[..lanes].iter().all(|&x| x == T::ZERO)
    }
}

struct AddSquares<'a, T> {
    lanes: &'a mut [f64; LANES],
    position: usize,
    grads: &'a [T],
    scale: f64,
}

impl<T: Scalar> Kernel for AddSquares<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        let scale = self.scale;
        let add = |lane: &mut f64, g: T| {
            let g = g.to_f64() * scale;
            *lane = I::fma(g, g, *lane);
        };
        let mut lanes = *self.lanes;
        let first = self.position % LANES;
        let (head, rest) = self.grads.split_at(((LANES - first) % LANES).min(self.grads.len()));
        for (lane, &g) in lanes[first..].iter_mut().zip(head) {
            add(lane, g);
        }
        let (middle, tail) = rest.as_chunks::<LANES>();
        for chunk in middle {
            for (lane, &g) in lanes.iter_mut().zip(chunk) {
                add(lane, g);
            }
        }
        for (lane, &g) in lanes.iter_mut().zip(tail) {
            add(lane, g);
        }
        *self.lanes = lanes;
    }
}
