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
    /// Its positions.
    range: Range<usize>,
    /// Where the state begins in the flat vector.
    start: usize,
}

impl<'a, T: Scalar, W: Tensors<T>> Part<'a, T, W> {
    /// All `len` elements.
    #[inline]
    pub fn whole(slots: &'a mut [Buffer<T>], tensors: W, len: usize) -> Self {
        let count = slots.len();
        let mut all: [&mut [T]; MAX_SLOTS] = Default::default();
        for (to, from) in all.iter_mut().zip(slots) {
            *to = from;
        }
        Part { tensors, slots: all, count, range: 0..len, start: 0 }
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
            Part {
                tensors: left,
                slots: lefts,
                count: self.count,
                range: self.range.start..position,
                start: self.start,
            },
            Part { tensors: right, slots: rights, count: self.count, range: position..self.range.end, start: place },
        )
    }

    /// The ranges of it that are active.
    pub fn active(self, active: &Active) -> Vec<Self> {
        let (mut later, mut parts) = (self, vec![]);
        for range in active.ranges() {
            let part;
            (_, later) = later.split_at(range.start);
            (part, later) = later.split_at(range.end);
            parts.push(part);
        }
        parts
    }

    /// The number of its elements.
    pub fn len(&self) -> usize {
        self.range.len()
    }

    /// So many parts of equal size; at least one.
    pub fn divide(self, count: usize) -> Vec<Self> {
        let (range, mut divided, mut rest) = (self.range.clone(), Vec::with_capacity(count), self);
        for index in 1..count {
            let (left, right) = rest.split_at(range.start + range.len() * index / count);
            divided.push(left);
            rest = right;
        }
        divided.push(rest);
        divided
    }

    /// Updates all its elements.
    pub fn update(&mut self, step: &Step<T>) {
        self.for_each(|tensor, _, params, grads, slots| step.apply(tensor, params, grads, slots));
    }

    /// Calls `visit(tensor, place, parameters, gradients, state)` for runs of consecutive elements, in order.
    pub fn for_each(&mut self, mut visit: impl FnMut(usize, usize, &mut [T], &[T], &mut [&mut [T]])) {
        let &mut Part { ref mut tensors, ref mut slots, count, start, .. } = self;
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
