//! The update of all elements.

use super::active::Active;
use super::measure::measure;
use super::parallel::{Direction, in_parallel};
use super::part::Part;
use super::tensors::Tensors;
use crate::optim::optimizer::Optimizer;
use crate::optim::rule::SumScope;
use crate::optim::step::Step;
use crate::scalar::Scalar;

/// Elements that a thread takes at a time, and how often it does at most.
const ELEMENTS_PER_PART: usize = 16 * 1024;
const PARTS_PER_THREAD: usize = 32;

/// Updates all elements that are not frozen.
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
    let whole = Part::whole(&mut slots, tensors, active.end());
    match active.is_all() {
        true => update_parts(optimizer, [whole], step, threads),
        false => update_parts(optimizer, whole.active(active), step, threads),
    }
    optimizer.put_slots(slots);
}

/// Updates all elements of some parts, in one pass, or in two where the rule needs sums in between.
#[inline]
fn update_parts<'a, T: Scalar, W: Tensors<T> + 'a>(
    optimizer: &mut Optimizer<T>,
    mut parts: impl AsMut<[Part<'a, T, W>]> + IntoIterator<Item = Part<'a, T, W>>,
    step: &mut Step<T>,
    threads: usize,
) {
    if step.sum_scope() != SumScope::Nothing {
        let sums = measure(optimizer, parts.as_mut(), step);
        optimizer.conclude(step, &sums);
    }
    if threads == 1 {
        return parts.as_mut().iter_mut().for_each(|part| part.update(step));
    }
    let elements: usize = parts.as_mut().iter().map(Part::len).sum();
    let count = (elements / ELEMENTS_PER_PART).clamp(threads, PARTS_PER_THREAD * threads);
    let share = |part: &Part<'a, T, W>| (count * part.len()).div_ceil(elements);
    let divided = parts.into_iter().flat_map(|part| {
        let share = share(&part);
        part.divide(share)
    });
    in_parallel(divided.collect(), threads, Direction::of_update(optimizer.step_count()), |mut part| part.update(step));
}
