//! Shares of the elements of all tensors, that threads can take.

use std::ops::Range;

use super::active::Active;
use super::tensors::Tensors;
use crate::buffer::Buffer;
use crate::optim::slot::MAX_SLOTS;
use crate::optim::step::Step;
use crate::scalar::Scalar;

/// A share of the elements: parameters, gradients and state.
pub(super) struct Part<'a, T, W> {
    tensors: W,
    slots: [&'a mut [T]; MAX_SLOTS],
    /// How many of them there are.
    count: usize,
    /// Where the state begins in the flat vector.
    start: usize,
}

impl<'a, T: Scalar, W: Tensors<T>> Part<'a, T, W> {
    fn whole(slots: &'a mut [Buffer<T>], tensors: W) -> Self {
        let count = slots.len();
        let mut all: [&mut [T]; MAX_SLOTS] = Default::default();
        for (to, from) in all.iter_mut().zip(slots) {
            *to = from;
        }
        Part { tensors, slots: all, count, start: 0 }
    }

    fn split_at(self, position: usize) -> (Self, Self) {
        let place = self.tensors.place(position);
        let (left, right) = self.tensors.split_at(position);
        let mut lefts: [&mut [T]; MAX_SLOTS] = Default::default();
        let mut rights: [&mut [T]; MAX_SLOTS] = Default::default();
        for (index, slot) in self.slots.into_iter().enumerate().take(self.count) {
            (lefts[index], rights[index]) = slot.split_at_mut(place - self.start);
        }
        (
            Part { tensors: left, slots: lefts, start: self.start, count: self.count },
            Part { tensors: right, slots: rights, start: place, count: self.count },
        )
    }

    /// Updates all its elements.
    pub fn update(&mut self, step: &Step<T>) {
        self.for_each(|tensor, _, params, grads, slots| step.apply(tensor, params, grads, slots));
    }

    /// Calls `visit(tensor, place, parameters, gradients, state)` for runs of consecutive elements, in order.
    pub fn for_each(&mut self, mut visit: impl FnMut(usize, usize, &mut [T], &[T], &mut [&mut [T]])) {
        let &mut Part { ref mut tensors, ref mut slots, count, start } = self;
        tensors.for_each(|tensor, place, params, grads| {
            let range = place - start..place - start + params.len();
            let mut run: [&mut [T]; MAX_SLOTS] = Default::default();
            for (to, from) in run.iter_mut().zip(&mut slots[..count]) {
                *to = &mut from[range.clone()];
            }
            visit(tensor, place, params, grads, &mut run[..count]);
        });
    }
}

/// All elements that are not frozen: a part for each range of them, nearly always one.
pub(super) struct Parts<'a, T, W> {
    first: (Range<usize>, Part<'a, T, W>),
    rest: Vec<(Range<usize>, Part<'a, T, W>)>,
}

impl<'a, T: Scalar, W: Tensors<T>> Parts<'a, T, W> {
    /// Of all tensors, with their state.
    pub fn new(slots: &'a mut [Buffer<T>], tensors: W, active: &Active) -> Self {
        let mut later = Part::whole(slots, tensors);
        if active.is_all() {
            return Parts { first: (0..active.end(), later), rest: vec![] };
        }
        let mut parts = vec![];
        for range in active.ranges() {
            let part;
            (_, later) = later.split_at(range.start);
            (part, later) = later.split_at(range.end);
            parts.push((range, part));
        }
        Parts { first: parts.remove(0), rest: parts }
    }

    /// The parts in order.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Part<'a, T, W>> {
        std::iter::once(&mut self.first).chain(&mut self.rest).map(|(_, part)| part)
    }

    /// About `count` parts of equal size.
    pub fn divide(self, count: usize) -> Vec<Part<'a, T, W>> {
        let all: usize = std::iter::once(&self.first).chain(&self.rest).map(|(range, _)| range.len()).sum();
        let mut divided = Vec::with_capacity(count + self.rest.len());
        for (range, part) in std::iter::once(self.first).chain(self.rest) {
            let (share, mut rest) = ((count * range.len()).div_ceil(all.max(1)), part);
            for index in 1..share {
                let (left, right) = rest.split_at(range.start + range.len() * index / share);
                divided.push(left);
                rest = right;
            }
            divided.push(rest);
        }
        divided
    }
}
