//! What a step would leave, before anything is changed.

use super::measure::Sums;
use super::tensors::Tensors;
use crate::buffer::Buffer;
use crate::error::Result;
use crate::optim::calm::{Care, Peaks};
use crate::optim::optimizer::Optimizer;
use crate::optim::options::NonFinite;
use crate::optim::rehearsal::Stage;
use crate::optim::rule::SumScope;
use crate::optim::step::Step;
use crate::scalar::Scalar;

/// Rehearses a step that is begun, where it needs that. Where it would leave NaN or infinity, it is taken back and refused: an
/// error, or false where it is left out.
#[inline]
pub(super) fn rehearse<T: Scalar>(
    optimizer: &mut Optimizer<T>,
    tensors: &mut impl Tensors<T>,
    step: &mut Step<T>,
    care: Care,
) -> Result<bool> {
    let looks = optimizer.surroundings().nonfinite != NonFinite::Ignore;
    if care == Care::None && !tensors.has_narrow() || step.skipped() || !looks {
        return Ok(true);
    }
    *step = step.with(care);
    match look_ahead(optimizer, tensors, step) {
        Ok(peaks) => {
            optimizer.learn(peaks);
            Ok(true)
        }
        Err(tensor) => {
            optimizer.undo_step();
            optimizer.refuse(format!("the update of {}", tensors.param_name(tensor))).map(|()| false)
        }
    }
}

/// The largest magnitudes that it would leave, or the first tensor where something would not be finite.
#[cold]
fn look_ahead<T: Scalar>(
    optimizer: &mut Optimizer<T>,
    tensors: &mut impl Tensors<T>,
    step: &Step<T>,
) -> std::result::Result<Peaks, usize> {
    let mut step = step.clone();
    let mut slots = optimizer.take_slots();
    let memories = optimizer.memories().to_vec();
    if step.sum_scope() != SumScope::Nothing {
        let sums = sums(optimizer, tensors, &step, &mut slots);
        optimizer.conclude(&mut step, &sums);
    }
    let sound = optimizer.memories().iter().flatten().all(|number| number.is_finite());
    optimizer.set_memories(memories);
    let limits: Vec<_> = (0..optimizer.tensors()).map(|tensor| tensors.limit(tensor).unwrap_or(f64::MAX)).collect();
    let mut found = if sound { Ok(Peaks::default()) } else { Err(0) };
    for_each(optimizer, tensors, &mut slots, |(tensor, _), params, grads, slots| {
        if let Ok(peaks) = found {
            let of_run = step.rehearse(tensor, params, grads, slots, limits[tensor]);
            found = of_run.map(|of_run| peaks.and(of_run)).ok_or(tensor);
        }
    });
    optimizer.put_slots(slots);
    found
}

/// What the rule wants to know of all elements, from copies of them.
fn sums<T: Scalar>(
    optimizer: &Optimizer<T>,
    tensors: &mut impl Tensors<T>,
    step: &Step<T>,
    slots: &mut [Buffer<T>],
) -> Vec<[f64; 2]> {
    let mut sums = Sums::new(optimizer, step);
    for_each(optimizer, tensors, slots, |(tensor, place), params, grads, slots| {
        let mut stage = Stage::new(params.len());
        for start in (0..params.len()).step_by(stage.len()) {
            let range = start..params.len().min(start + stage.len());
            stage.set(params, slots, range.clone());
            let (params, mut copies) = stage.arrays(range.len());
            sums.add((tensor, place + start), params, &grads[range], &mut copies[..slots.len()]);
        }
    });
    sums.finish()
}

/// Calls `visit((tensor, place), parameters, gradients, state)` for runs of all tensors that are not frozen.
fn for_each<T: Scalar>(
    optimizer: &Optimizer<T>,
    tensors: &mut impl Tensors<T>,
    slots: &mut [Buffer<T>],
    mut visit: impl FnMut((usize, usize), &[T], &[T], &mut [&mut [T]]),
) {
    tensors.for_each(|tensor, place, params, grads| {
        if !optimizer.is_frozen(tensor) {
            let range = place..place + params.len();
            let mut run: Vec<_> = slots.iter_mut().map(|slot| &mut slot[range.clone()]).collect();
            visit((tensor, place), params, grads, &mut run);
        }
    });
}
