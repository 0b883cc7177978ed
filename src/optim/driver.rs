//! One whole step over tensors that lie apart: figure of all gradients, then the fused update, on one thread or several.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::config::NonFinite;
use super::figure;
use super::optimizer::Optimizer;
use super::rule::{MAX_SLOTS, Over, Sums};
use super::step::Step;
use crate::buffer::Buffer;
use crate::error::{Error, Result};
use crate::scalar::Scalar;
use crate::simd::FlushDenormals;
use crate::team;

/// Gradients of all tensors. Positions count them, one tensor after the other: they are those of the flat vector of all
/// parameters, unless some elements have no gradient and are left alone.
pub trait Gradients<T>: Send + Sync {
    /// Where some elements have none: the position of each tensor's first gradient, then their number.
    fn sparse(&self) -> Option<&[usize]> {
        None
    }

    /// Calls `visit(tensor, gradients)` for runs of consecutive elements of a range of positions, in order.
    fn for_each_gradient(&self, range: Range<usize>, visit: impl FnMut(usize, &[T]));

    /// What errors call a tensor's gradient.
    fn gradient_name(&self, tensor: usize) -> String {
        format!("gradient {tensor}")
    }
}

/// Parameters and their gradients, which can be divided among threads.
pub trait Tensors<T>: Gradients<T> + Sized {
    /// Divides them at a position.
    fn split_at(self, position: usize) -> (Self, Self);

    /// Where the element is in the flat vector that the gradient at a position belongs to.
    fn place(&self, position: usize) -> usize {
        position
    }

    /// Calls `visit(tensor, place, parameters, gradients)` for runs of consecutive elements, in order.
    fn for_each(&mut self, visit: impl FnMut(usize, usize, &mut [T], &[T]));
}

/// Elements below which a second thread costs more than it brings.
const PER_THREAD: usize = 32 * 1024;
/// Elements that a thread takes at a time, and how often it does at most.
const PER_PART: usize = 16 * 1024;
const MOST_PARTS: usize = 32;

/// Updates the parameters of `tensors` by one step of `optimizer`, with up to `threads` threads. True where it was skipped.
///
/// Where the optimizer averages several gradients, all calls but the last of each round only gather. Fails, with nothing
/// changed, where a gradient is not finite and the options say so, or where the learning-rate schedule fails.
pub fn step<T: Scalar>(optimizer: &mut Optimizer<T>, tensors: impl Tensors<T>, threads: usize) -> Result<bool> {
    let _flushed = FlushDenormals::new();
    let threads = threads.min(count(optimizer, &tensors) / PER_THREAD).max(1);
    let accumulate = optimizer.around().accumulate;
    if accumulate > 1 {
        return gather(optimizer, tensors, threads, accumulate);
    }
    let mut step = begin(optimizer, &tensors, threads)?;
    update(optimizer, tensors, &mut step, threads);
    Ok(step.skipped())
}

/// The number of gradients.
fn count<T: Scalar>(optimizer: &Optimizer<T>, grads: &impl Gradients<T>) -> usize {
    grads.sparse().and_then(|offsets| offsets.last().copied()).unwrap_or(optimizer.len())
}

/// Looks at all gradients, then fixes the scalars of the step.
fn begin<T: Scalar>(optimizer: &mut Optimizer<T>, grads: &impl Gradients<T>, threads: usize) -> Result<Step<T>> {
    let (len, around) = (count(optimizer, grads), *optimizer.around());
    let way = Way::of_look(optimizer.step_count() + 1);
    let offsets = grads.sparse().unwrap_or(optimizer.offsets());
    let norms = around.clip_tensor_norm.map(|max| (max, figure::norms(grads, offsets, threads, way)));
    let norm = optimizer.needs_norm().then(|| match &norms {
        // The norm of what is left after each tensor was clipped.
        Some((max, norms)) => norms.iter().map(|n| (n * around.clip_factor(*max, *n)).powi(2)).sum::<f64>().sqrt(),
        None if optimizer.clips() => figure::norm(grads, len, threads, way),
        None => figure::zero_if_finite(grads, len, threads, way),
    });
    let mut step = match optimizer.begin_step(norm) {
        Err(Error::NonFinite { step, .. }) => {
            let tensor = figure::first_nonfinite(grads, len).unwrap_or(0);
            return Err(Error::NonFinite { place: grads.gradient_name(tensor), step });
        }
        other => other?,
    };
    if let Some((max, norms)) = norms {
        step.factors = norms.iter().map(|&norm| T::from_f64(around.clip_factor(max, norm))).collect();
    }
    Ok(step)
}

/// Updates all elements, in one pass, or in two where the rule needs sums in between.
fn update<T: Scalar>(optimizer: &mut Optimizer<T>, mut tensors: impl Tensors<T>, step: &mut Step<T>, threads: usize) {
    if step.skipped() {
        return;
    }
    let len = count(optimizer, &tensors);
    if step.sums() != Over::Nothing {
        let (sums, back) = measure(optimizer, tensors, step);
        optimizer.conclude(step, &sums);
        tensors = back;
    }
    let way = Way::of_update(optimizer.step_count());
    let mut whole = Part::whole(optimizer, tensors);
    if threads == 1 {
        whole.update(step);
    } else {
        let parts = (len / PER_PART).clamp(threads, MOST_PARTS * threads);
        in_parallel(whole.divide(len, parts), threads, way, |mut part| part.update(step));
    }
}

/// Adds a gradient to those of this round; makes the step where it is the last.
fn gather<T: Scalar>(
    optimizer: &mut Optimizer<T>,
    tensors: impl Tensors<T>,
    threads: usize,
    accumulate: u64,
) -> Result<bool> {
    let len = optimizer.len();
    let looks = optimizer.around().nonfinite != NonFinite::Ignore;
    if let Some(tensor) = looks.then(|| figure::first_nonfinite(&tensors, len)).flatten() {
        return match optimizer.refuse() {
            Err(Error::NonFinite { step, .. }) => Err(Error::NonFinite { place: tensors.gradient_name(tensor), step }),
            other => other.map(|()| true),
        };
    }
    let Some(slot) = optimizer.gathered() else { return Ok(false) };
    let last = optimizer.counts().gathered + 1 >= accumulate;
    // Asked before anything changes: a schedule may fail.
    (0..optimizer.groups().len()).try_for_each(|group| optimizer.lr(group).map(|_| ()))?;
    let share = T::from_f64(1.0 / accumulate as f64);
    let mut whole = Part::whole(optimizer, tensors);
    whole.add_gradients(slot, share);
    let tensors = whole.tensors;
    optimizer.gather();
    if !last {
        return Ok(false);
    }
    let gathered = Gathered { values: optimizer.slots()[slot].clone(), offsets: optimizer.offsets().to_vec() };
    let mut step = begin(optimizer, &gathered, threads)?;
    update(optimizer, tensors, &mut step, threads);
    Ok(step.skipped())
}

/// Gradients that were gathered in a state array.
struct Gathered<T> {
    values: Buffer<T>,
    offsets: Vec<usize>,
}

impl<T: Scalar> Gradients<T> for Gathered<T> {
    fn for_each_gradient(&self, range: Range<usize>, mut visit: impl FnMut(usize, &[T])) {
        for (tensor, bounds) in self.offsets.windows(2).enumerate() {
            let (start, end) = (bounds[0].max(range.start), bounds[1].min(range.end));
            if start < end {
                visit(tensor, &self.values[start..end]);
            }
        }
    }
}

/// The first pass of a rule that needs sums, on one thread: the sums of each tensor or group, and the tensors.
fn measure<T: Scalar, W: Tensors<T>>(optimizer: &mut Optimizer<T>, tensors: W, step: &Step<T>) -> (Vec<[f64; 2]>, W) {
    let over = step.sums();
    let groups: Vec<_> = (0..optimizer.tensors()).map(|tensor| optimizer.group_of(tensor)).collect();
    let key = |tensor: usize| if over == Over::Tensor { tensor } else { groups[tensor] };
    let mut sums = vec![[0.0; 2]; if over == Over::Tensor { optimizer.tensors() } else { optimizer.groups().len() }];
    let offsets = optimizer.offsets().to_vec();
    let mut whole = Part::whole(optimizer, tensors);
    // Sums of blocks of positions are added in order, so that runs do not decide what is summed together.
    let mut open: Option<(usize, usize, Sums)> = None;
    let mut close = |open: Option<(usize, usize, Sums)>| {
        if let Some((_, key, of_block)) = open {
            let [a, b] = of_block.total();
            sums[key][0] += a;
            sums[key][1] += b;
        }
    };
    whole.for_each(|tensor, position, params, grads, slots| {
        let origin = if over == Over::Tensor { offsets[tensor] } else { 0 };
        let mut done = 0;
        while done < params.len() {
            let at = position + done - origin;
            let (block, n) = (at / figure::BLOCK, (figure::BLOCK - at % figure::BLOCK).min(params.len() - done));
            if open.as_ref().is_none_or(|(b, k, _)| (*b, *k) != (block, key(tensor))) {
                close(open.take());
                open = Some((block, key(tensor), Sums::at(at)));
            }
            let range = done..done + n;
            let mut run: [&mut [T]; MAX_SLOTS] = Default::default();
            for (to, from) in run.iter_mut().zip(slots.iter_mut()).filter(|(_, from)| !from.is_empty()) {
                *to = &mut from[range.clone()];
            }
            if let Some((_, _, sums)) = &mut open {
                step.measure(tensor, &mut params[range.clone()], &grads[range.clone()], &mut run, sums);
            }
            done += n;
        }
    });
    close(open);
    (sums, whole.tensors)
}

/// Calls `work` for every part, with so many threads.
///
/// Each thread has parts of its own, always the same ones, so that they may stay in its cache; after those it takes what others
/// have left, from their other end: one that has to be woken first delays nobody.
pub(super) fn in_parallel<P: Send>(parts: Vec<P>, threads: usize, way: Way, work: impl Fn(P) + Sync) {
    let parts: Vec<_> = parts.into_iter().map(|part| Mutex::new(Some(part))).collect();
    let take = |part: usize| {
        let part = parts[part].lock().unwrap_or_else(PoisonError::into_inner).take();
        part.into_iter().for_each(&work);
    };
    team::run(threads, |worker| {
        let own = worker.share(parts.len(), 1);
        let others = (own.end..parts.len()).chain(0..own.start);
        match way {
            Way::Up => own.chain(others.rev()).for_each(take),
            Way::Down => own.rev().chain(others).for_each(take),
        }
    });
}

/// The order of the parts. Every pass begins where the last one ended: what it finds there is still in the cache.
#[derive(Clone, Copy)]
pub(super) enum Way {
    /// From first to last.
    Up,
    /// From last to first.
    Down,
}

impl Way {
    /// Of the update in this step.
    fn of_update(step: u64) -> Way {
        if step.is_multiple_of(2) { Way::Up } else { Way::Down }
    }

    /// Of a look at the gradients before it.
    fn of_look(step: u64) -> Way {
        if step.is_multiple_of(2) { Way::Down } else { Way::Up }
    }
}

/// A share of the elements: parameters, gradients and state.
struct Part<'a, T, W> {
    tensors: W,
    slots: [&'a mut [T]; MAX_SLOTS],
    /// How many of them there are.
    count: usize,
    start: usize,
}

impl<'a, T: Scalar, W: Tensors<T>> Part<'a, T, W> {
    fn whole(optimizer: &'a mut Optimizer<T>, tensors: W) -> Self {
        let count = optimizer.slot_names().len();
        let mut slots: [&mut [T]; MAX_SLOTS] = Default::default();
        for (to, from) in slots.iter_mut().zip(optimizer.slots_mut()) {
            *to = from;
        }
        Part { tensors, slots, count, start: 0 }
    }

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

    fn split_at(self, cut: usize) -> (Self, Self) {
        let position = self.tensors.place(cut);
        let (left, right) = self.tensors.split_at(cut);
        let mut lefts: [&mut [T]; MAX_SLOTS] = Default::default();
        let mut rights: [&mut [T]; MAX_SLOTS] = Default::default();
        for (index, slot) in self.slots.into_iter().enumerate().take(self.count) {
            (lefts[index], rights[index]) = slot.split_at_mut(position - self.start);
        }
        (
            Part { tensors: left, slots: lefts, start: self.start, count: self.count },
            Part { tensors: right, slots: rights, start: position, count: self.count },
        )
    }

    fn update(&mut self, step: &Step<T>) {
        self.for_each(|tensor, _, params, grads, slots| step.apply(tensor, params, grads, slots));
    }

    fn add_gradients(&mut self, slot: usize, share: T) {
        self.for_each(|_, _, _, grads, slots| {
            for (sum, &g) in slots[slot].iter_mut().zip(grads) {
                *sum += share * g;
            }
        });
    }

    /// Calls `visit(tensor, place, parameters, gradients, state)` for runs of consecutive elements, in order.
    fn for_each(&mut self, mut visit: impl FnMut(usize, usize, &mut [T], &[T], &mut [&mut [T]])) {
        let &mut Part { ref mut tensors, ref mut slots, count, start } = self;
        tensors.for_each(|tensor, position, params, grads| {
            let range = position - start..position - start + params.len();
            let mut run: [&mut [T]; MAX_SLOTS] = Default::default();
            for (to, from) in run.iter_mut().zip(&mut slots[..count]) {
                *to = &mut from[range.clone()];
            }
            visit(tensor, position, params, grads, &mut run[..count]);
        });
    }
}
