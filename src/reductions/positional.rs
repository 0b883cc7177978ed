//! Sums in which an element's position alone decides with which others it is summed.

use crate::scalar::Scalar;
use crate::simd::{Isa, Kernel, dispatch};

/// Element `i` of the whole goes to sum `i % LANES`.
const LANES: usize = 16;

/// `N` sums over elements, in double precision: they depend on the elements' positions, not on how these come in runs.
#[derive(Debug, Clone)]
pub struct PositionalSums<const N: usize> {
    lanes: [[f64; LANES]; N],
    position: usize,
}

impl<const N: usize> PositionalSums<N> {
    /// Nothing summed yet; the next element is the one at `position`.
    pub fn at(position: usize) -> Self {
        PositionalSums { lanes: [[0.0; LANES]; N], position }
    }

    /// Goes on at another position.
    pub fn go_to(&mut self, position: usize) {
        self.position = position;
    }

    /// The sums.
    pub fn total(&self) -> [f64; N] {
        self.lanes.map(|lanes| lanes.iter().sum())
    }

    /// Adds a run of `count` elements: for each, to every sum the product of the two factors that `factors` returns.
    #[inline(always)]
    pub fn add_products<T: Scalar, I: Isa>(&mut self, count: usize, mut factors: impl FnMut(usize) -> [(T, T); N]) {
        let (mut of_run, mut start) = ([[(T::ZERO, T::ZERO); N]; LANES], 0);
        while start < count {
            let first = self.position % LANES;
            let some = (LANES - first).min(count - start);
            for (of_element, i) in of_run.iter_mut().zip(start..start + some) {
                *of_element = factors(i);
            }
            for (lane, of_element) in (first..first + some).zip(&of_run) {
                for (lanes, &(a, b)) in self.lanes.iter_mut().zip(of_element) {
                    lanes[lane] = I::fma(a.to_f64(), b.to_f64(), lanes[lane]);
                }
            }
            (start, self.position) = (start + some, self.position + some);
        }
    }
}

impl PositionalSums<1> {
    /// Adds the squares of a run of elements, each multiplied by `scale` before.
    pub fn add_squares<T: Scalar>(&mut self, run: &[T], scale: f64) {
        dispatch(AddSquares { lanes: &mut self.lanes[0], position: self.position, run, scale });
        self.position += run.len();
    }
}

struct AddSquares<'a, T> {
    lanes: &'a mut [f64; LANES],
    position: usize,
    run: &'a [T],
    scale: f64,
}

impl<T: Scalar> Kernel for AddSquares<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        let scale = self.scale;
        let add = |lane: &mut f64, x: T| {
            let x = x.to_f64() * scale;
            *lane = I::fma(x, x, *lane);
        };
        let mut lanes = *self.lanes;
        let first = self.position % LANES;
        let (head, rest) = self.run.split_at(((LANES - first) % LANES).min(self.run.len()));
        for (lane, &x) in lanes[first..].iter_mut().zip(head) {
            add(lane, x);
        }
        let (middle, tail) = rest.as_chunks::<LANES>();
        for chunk in middle {
            for (lane, &x) in lanes.iter_mut().zip(chunk) {
                add(lane, x);
            }
        }
        for (lane, &x) in lanes.iter_mut().zip(tail) {
            add(lane, x);
        }
        *self.lanes = lanes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::at_every_level;

    struct AddProducts<'a>(&'a mut PositionalSums<1>, &'a [f64]);

    impl Kernel for AddProducts<'_> {
        type Output = ();
        #[inline(always)]
        fn run<I: Isa>(self) {
            self.0.add_products::<f64, I>(self.1.len(), |i| [(self.1[i], self.1[i])]);
        }
    }

    #[test]
    fn runs_do_not_matter_and_products_are_summed_as_squares_are() {
        let x: Vec<f64> = (0..100).map(|i| 1.0 / f64::from(i + 3)).collect();
        at_every_level(|level| {
            let mut whole = PositionalSums::<1>::at(5);
            whole.add_squares(&x, 1.0);
            for cuts in [[0, 1], [11, 12], [11, 27], [50, 100]] {
                let (mut squares, mut products) = (PositionalSums::<1>::at(5), PositionalSums::<1>::at(5));
                for run in [&x[..cuts[0]], &x[cuts[0]..cuts[1]], &x[cuts[1]..]] {
                    squares.add_squares(run, 1.0);
                    dispatch(AddProducts(&mut products, run));
                }
                assert_eq!(squares.total(), whole.total(), "{level:?}, cut at {cuts:?}");
                assert_eq!(products.total(), whole.total(), "{level:?}, cut at {cuts:?}");
            }
        });
    }
}
