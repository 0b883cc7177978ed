//! The update of all elements.

use super::active::Active;
use super::measure::measure;
use super::parallel::{Direction, in_parallel};
use super::part::Parts;
use super::tensors::Tensors;
use crate::optim::optimizer::Optimizer;
use crate::optim::rule::SumScope;
use crate::optim::step::Step;
use crate::scalar::Scalar;

/// Elements that a thread takes at a time, and how often it does at most.
const ELEMENTS_PER_PART: usize = 16 * 1024;
const PARTS_PER_THREAD: usize = 32;

/// Updates all elements, in one pass, or in two where the rule needs sums in between.
pub(super) fn update<T: Scalar>(
    optimizer: &mut Optimizer<T>,
    tensors: impl Tensors<T>,
    active: &Active,
    step: &mut Step<T>,
    threads: usize,
) {
    if step.skipped() {
        return;
    }
    // Out of the optimizer, which concludes the step, for as long as parts of them are lent.
    let mut slots = optimizer.take_slots();
    let mut parts = Parts::new(&mut slots, tensors, active);
    if step.sum_scope() != SumScope::Nothing {
        let sums = measure(optimizer, &mut parts, step);
        optimizer.conclude(step, &sums);
    }
    if threads == 1 {
        parts.iter_mut().for_each(|part| part.update(step));
    } else {
        let count = (active.count() / ELEMENTS_PER_PART).clamp(threads, PARTS_PER_THREAD * threads);
        let direction = Direction::of_update(optimizer.step_count());
        in_parallel(parts.divide(count), threads, direction, |mut part| part.update(step));
    }
    optimizer.put_slots(slots);
}
