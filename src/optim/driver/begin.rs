//! The beginning of a step: a look at all gradients.

use super::active::Active;
use super::norms::{Look, bound, first_nonfinite, norm, norms};
use super::parallel::Direction;
use super::tensors::Gradients;
use crate::error::{Error, Result};
use crate::optim::calm::Care;
use crate::optim::optimizer::{Optimizer, Rates};
use crate::optim::options::NonFinite;
use crate::optim::step::Step;
use crate::scalar::Scalar;

/// Looks at all gradients, then fixes the scalars of the step. Besides, how the step must be made.
pub(super) fn begin<T: Scalar>(
    optimizer: &mut Optimizer<T>,
    rates: &Rates,
    grads: &impl Gradients<T>,
    active: &Active,
    threads: usize,
) -> Result<(Step<T>, Care)> {
    let surroundings = *optimizer.surroundings();
    let look = Look { active, threads, direction: Direction::of_look(optimizer.step_count() + 1) };
    let offsets = grads.sparse().unwrap_or(optimizer.offsets());
    let of_tensors = surroundings.clip_tensor_norm.map(|max| (max, norms(grads, offsets, look)));
    let of_all = optimizer.needs_norm().then(|| match &of_tensors {
        // The norm of what is left after each tensor was clipped.
        Some((max, norms)) => {
            norms.iter().map(|n| surroundings.clip_factor(*max, *n).times(*n).powi(2)).sum::<f64>().sqrt()
        }
        None if optimizer.clips() => norm(grads, look),
        None => bound(grads, look),
    });
    let mut step = match optimizer.begin_step_at(rates, of_all) {
        Err(Error::NonFinite { step, epoch, .. }) => {
            let tensor = first_nonfinite(grads, active).unwrap_or(0);
            return Err(Error::NonFinite { place: grads.gradient_name(tensor), step, epoch });
        }
        other => other?,
    };
    if let Some((max, norms)) = of_tensors {
        step.factors = norms.iter().map(|&norm| surroundings.clip_factor(max, norm)).collect();
    }
    let looks = surroundings.nonfinite != NonFinite::Ignore;
    let care = of_all.filter(|_| looks).map_or(Care::None, |largest| step.care(largest));
    Ok((step, care))
}
