//! Steps with the average of several gradients.

use std::ops::Range;

use super::active::Active;
use super::begin::begin;
use super::norms::first_nonfinite;
use super::rehearse::rehearse;
use super::tensors::{Gradients, Tensors};
use super::update::update;
use crate::buffer::Buffer;
use crate::error::Result;
use crate::optim::optimizer::{Optimizer, Rates};
use crate::optim::options::NonFinite;
use crate::scalar::Scalar;

/// Adds a gradient to those of this round; makes the step where it is the last.
pub(super) fn gather<T: Scalar>(
    optimizer: &mut Optimizer<T>,
    rates: &Rates,
    mut tensors: impl Tensors<T>,
    active: &Active,
    threads: usize,
) -> Result<bool> {
    let looks = optimizer.surroundings().nonfinite != NonFinite::Ignore;
    if let Some(tensor) = looks.then(|| first_nonfinite(&tensors, active)).flatten() {
        return optimizer.refuse(tensors.gradient_name(tensor)).map(|()| true);
    }
    let Some(slot) = optimizer.gathered() else { return Ok(false) };
    let accumulate = optimizer.surroundings().accumulate;
    let last = optimizer.counts().gathered + 1 >= accumulate;
    let share = T::from_f64(1.0 / accumulate as f64);
    add(&tensors, active, share, &mut optimizer.slots_mut()[slot]);
    optimizer.count_gathered();
    if !last {
        return Ok(false);
    }
    // Out of the optimizer for as long as they are the step's gradients.
    let values = std::mem::take(&mut optimizer.slots_mut()[slot]);
    let gathered = Gathered { values, offsets: optimizer.offsets().to_vec() };
    let begun = begin(optimizer, rates, &gathered, active, threads);
    optimizer.slots_mut()[slot] = gathered.values;
    let ready = begun.and_then(|(mut step, care)| {
        let made = rehearse(optimizer, &mut tensors, &mut step, care)? && !step.skipped();
        Ok(made.then_some(step))
    });
    match ready {
        Ok(Some(mut step)) => {
            update(optimizer, tensors, active, &mut step, threads);
            clear_frozen(optimizer, slot);
            Ok(false)
        }
        unused => {
            // No step can be made of what was gathered: the round begins anew.
            optimizer.slots_mut()[slot].fill(T::ZERO);
            optimizer.count_none_gathered();
            unused.map(|_| true)
        }
    }
}

/// What was gathered for tensors that were frozen in the middle of a round takes no part in the next one.
fn clear_frozen<T: Scalar>(optimizer: &mut Optimizer<T>, slot: usize) {
    for tensor in 0..optimizer.tensors() {
        if optimizer.is_frozen(tensor) {
            let range = optimizer.range(tensor);
            optimizer.slots_mut()[slot][range].fill(T::ZERO);
        }
    }
}

/// Adds a share of the gradients to sums.
fn add<T: Scalar>(tensors: &impl Tensors<T>, active: &Active, share: T, sums: &mut [T]) {
    for range in active.ranges() {
        let mut rest = &mut sums[range.clone()];
        tensors.for_each_gradient(range, |_, grads| {
            let (run, later) = std::mem::take(&mut rest).split_at_mut(grads.len());
            for (sum, &g) in run.iter_mut().zip(grads) {
                let added = *sum + share * g;
                // An average is no larger than what it is of, but for roundings.
                let was_finite = sum.is_finite() && g.is_finite();
                *sum = if added.is_finite() || !was_finite { added } else { T::MAX.copysign(added) };
            }
            rest = later;
        });
    }
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
