//! One whole step over tensors that lie apart: figure of all gradients, then the fused update, on one thread or several.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::figure;
use super::optimizer::Optimizer;
use super::rule::MAX_SLOTS;
use super::step::Step;
use crate::error::{Error, Result};
use crate::scalar::Scalar;
use crate::simd::FlushDenormals;
use crate::team;

/// Parameters and their gradients, which can be divided among threads.
///
/// Positions are those of the flat vector of all elements, one tensor after the other.
pub trait Tensors<T>: Send + Sync + Sized {
    /// Divides them at a position.
    fn split_at(self, position: usize) -> (Self, Self);

    /// Calls `visit(tensor, position, parameters, gradients)` for runs of consecutive elements, in order.
    fn for_each(&mut self, visit: impl FnMut(usize, usize, &mut [T], &[T]));

    /// Calls `visit(tensor, gradients)` for runs of consecutive elements of a range of positions, in order.
    fn for_each_gradient(&self, range: Range<usize>, visit: impl FnMut(usize, &[T]));

    /// What errors call a tensor's gradient.
    fn gradient_name(&self, tensor: usize) -> String {
        format!("gradient {tensor}")
    }
}

/// Elements below which a second thread costs more than it brings.
const PER_THREAD: usize = 32 * 1024;

/// Updates the parameters of `tensors` by one step of `optimizer`, with up to `threads` threads. True where it was skipped.
///
/// Fails, with nothing changed, where a gradient is not finite and the optimizer's options say so, or where the
/// learning-rate schedule fails.
pub fn step<T: Scalar>(optimizer: &mut Optimizer<T>, tensors: impl Tensors<T>, threads: usize) -> Result<bool> {
    let _flushed = FlushDenormals::new();
    let len = optimizer.len();
    let threads = threads.min(len / PER_THREAD).max(1);
    let norm = optimizer.needs_norm().then(|| match optimizer.clips() {
        true => figure::norm(&tensors, len, threads),
        false => figure::zero_if_finite(&tensors, len, threads),
    });
    let step = match optimizer.begin_step(norm) {
        Err(Error::NonFinite { step, .. }) => {
            let tensor = figure::first_nonfinite(&tensors, len).unwrap_or(0);
            return Err(Error::NonFinite { place: tensors.gradient_name(tensor), step });
        }
        other => other?,
    };
    let mut slots: [&mut [T]; MAX_SLOTS] = Default::default();
    for (to, from) in slots.iter_mut().zip(optimizer.slots_mut()) {
        *to = from;
    }
    let mut whole = Part { tensors, slots, start: 0 };
    if threads == 1 {
        whole.update(&step);
    } else {
        in_parallel(whole.divide(len, threads), |mut part| part.update(&step));
    }
    Ok(step.skipped())
}

/// Calls `work` for every part, each on a thread of its own while there are threads.
pub(super) fn in_parallel<P: Send>(parts: Vec<P>, work: impl Fn(P) + Sync) {
    let parts: Vec<_> = parts.into_iter().map(|part| Mutex::new(Some(part))).collect();
    team::run(parts.len(), |worker| {
        for part in parts.iter().skip(worker.index).step_by(worker.count) {
            let part = part.lock().unwrap_or_else(PoisonError::into_inner).take();
            part.into_iter().for_each(&work);
        }
    });
}

/// A share of the elements: parameters, gradients and state.
struct Part<'a, T, W> {
    tensors: W,
    slots: [&'a mut [T]; MAX_SLOTS],
    start: usize,
}

impl<T: Scalar, W: Tensors<T>> Part<'_, T, W> {
    fn divide(self, len: usize, parts: usize) -> Vec<Self> {
        let mut divided = Vec::with_capacity(parts);
        let mut rest = self;
        for index in 1..parts {
            let (left, right) = rest.split_at(len * index / parts);
            divided.push(left);
            rest = right;
        }
        divided.push(rest);
        divided
    }

    fn split_at(self, position: usize) -> (Self, Self) {
        let (left, right) = self.tensors.split_at(position);
        let mut lefts: [&mut [T]; MAX_SLOTS] = Default::default();
        let mut rights: [&mut [T]; MAX_SLOTS] = Default::default();
        for (index, slot) in self.slots.into_iter().enumerate().filter(|(_, slot)| !slot.is_empty()) {
            (lefts[index], rights[index]) = slot.split_at_mut(position - self.start);
        }
        (
            Part { tensors: left, slots: lefts, start: self.start },
            Part { tensors: right, slots: rights, start: position },
        )
    }

    fn update(&mut self, step: &Step<T>) {
        let Part { tensors, slots, start } = self;
        tensors.for_each(|tensor, position, params, grads| {
            let range = position - *start..position - *start + params.len();
            let mut run: [&mut [T]; MAX_SLOTS] = Default::default();
            for (to, from) in run.iter_mut().zip(slots.iter_mut()).filter(|(_, from)| !from.is_empty()) {
                *to = &mut from[range.clone()];
            }
            step.apply(tensor, params, grads, &mut run);
        });
    }
}
