//! A run of elements as a rule sees it.

use crate::reductions::PositionalSums;
use crate::scalar::Scalar;
use crate::simd::{Isa, MOST_LANES, Vector};

/// A run of consecutive elements: parameters, their gradients and their state.
pub struct Run<'a, 's, T> {
    /// Parameters.
    pub params: &'a mut [T],
    /// Gradients, clipped and decayed.
    pub grads: &'a [T],
    /// State, in the order of `Rule::slots`.
    pub slots: &'a mut [&'s mut [T]],
    /// Strength of weight decay, for a rule that decays itself; else 0.
    pub decay: T,
}

/// The two sums over elements that a rule may need.
pub type RuleSums = PositionalSums<2>;

/// A register with the same number in every lane.
#[inline(always)]
pub fn splat<T: Scalar, I: Isa>(x: T) -> T::Vector<I> {
    T::Vector::<I>::splat(x)
}

/// Memory for the largest register, within one cache line: what was just written there is read without delay.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line<T>([T; MOST_LANES]);

impl<T: Scalar> Line<T> {
    const ZERO: Self = Line([T::ZERO; MOST_LANES]);
}

impl<T: Scalar> Run<'_, '_, T> {
    /// Calls `f(parameter, gradient, state)` for every element, with the first `N` state arrays.
    #[inline(always)]
    pub fn each<const N: usize>(self, f: impl Fn(&mut T, T, [&mut T; N])) {
        let n = self.params.len();
        let (params, grads) = (&mut self.params[..n], &self.grads[..n]);
        let (slots, _) = self.slots.split_first_chunk_mut::<N>().expect("as many slots as the rule asked for");
        // Equal lengths, told to the compiler: it drops the bounds checks and vectorises.
        let mut slots = slots.each_mut().map(|slot| &mut slot[..n]);
        for i in 0..n {
            f(&mut params[i], grads[i], slots.each_mut().map(|slot| &mut slot[i]));
        }
    }

    /// As [`Run::each`], with registers full of elements: for rules with a root, which registers take faster.
    ///
    /// `f` should only call what is `#[inline(always)]`, which no closure can be.
    #[inline(always)]
    pub fn each_vector<I: Isa, const N: usize>(
        self,
        f: impl Fn(&mut T::Vector<I>, T::Vector<I>, [&mut T::Vector<I>; N]),
    ) {
        let lanes = T::Vector::<I>::LANES;
        let Run { params, grads, slots, .. } = self;
        let whole = params.len() - params.len() % lanes;
        let (slots, _) = slots.split_first_chunk_mut::<N>().expect("as many slots as the rule asked for");
        let (params, last_params) = params.split_at_mut(whole);
        let (grads, last_grads) = grads.split_at(whole);
        let mut last_slots: [&mut [T]; N] = std::array::from_fn(|_| &mut [][..]);
        let mut slots = slots.each_mut().map(|slot| &mut slot[..whole + last_params.len()]);
        for (slot, last) in slots.iter_mut().zip(&mut last_slots) {
            (*slot, *last) = std::mem::take(slot).split_at_mut(whole);
        }
        // What fills no register goes through the same loop, so that `f` is compiled once: in a register's worth of memory,
        // with zeros behind.
        let (mut p, mut g, mut s) = (Line::ZERO, Line::ZERO, [Line::ZERO; N]);
        let used = if last_params.is_empty() { 0 } else { lanes };
        if used > 0 {
            T::Vector::<I>::read(last_params).put(&mut p.0);
            T::Vector::<I>::read(last_grads).put(&mut g.0);
            for (s, last) in s.iter_mut().zip(&last_slots) {
                T::Vector::<I>::read(last).put(&mut s.0);
            }
        }
        // Not an array of both: to read what was just written in smaller parts takes longer than many an update.
        let (mut params, mut grads, mut slots) = (params, grads, slots.each_mut().map(|slot| &mut **slot));
        let (mut last_p, last_g, mut last_s) = (&mut p.0[..used], &g.0[..used], s.each_mut().map(|s| &mut s.0[..used]));
        for is_last in [false, true] {
            if is_last {
                (params, grads, slots) = (std::mem::take(&mut last_p), last_g, last_s.each_mut().map(std::mem::take));
            }
            for start in (0..params.len()).step_by(lanes) {
                let mut p = T::Vector::<I>::full(&params[start..]);
                let mut state = slots.each_ref().map(|slot| T::Vector::<I>::full(&slot[start..]));
                f(&mut p, T::Vector::<I>::full(&grads[start..]), state.each_mut());
                p.put(&mut params[start..]);
                for (slot, state) in slots.iter_mut().zip(state) {
                    state.put(&mut slot[start..]);
                }
            }
        }
        if used > 0 {
            T::Vector::<I>::full(&p.0).write(last_params);
            for (s, last) in s.iter().zip(last_slots) {
                T::Vector::<I>::full(&s.0).write(last);
            }
        }
    }

    /// Calls `f(parameter, gradient, state)` for every element and adds the products of the two pairs that it returns to the
    /// two sums.
    #[inline(always)]
    pub fn sum_each<I: Isa, const N: usize>(self, sums: &mut RuleSums, f: impl Fn(T, T, [&mut T; N]) -> [(T, T); 2]) {
        let n = self.params.len();
        let (params, grads) = (&self.params[..n], &self.grads[..n]);
        let (slots, _) = self.slots.split_first_chunk_mut::<N>().expect("as many slots as the rule asked for");
        let mut slots = slots.each_mut().map(|slot| &mut slot[..n]);
        sums.add_products::<T, I>(n, |i| f(params[i], grads[i], slots.each_mut().map(|slot| &mut slot[i])));
    }
}
