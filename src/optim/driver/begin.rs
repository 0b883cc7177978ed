//! The beginning of a step: a look at all gradients.

use super::active::Active;
use super::norms::{Look, first_nonfinite, norm, norms, zero_if_finite};
use super::parallel::Direction;
use super::tensors::Gradients;
use crate::error::{Error, Result};
use crate::optim::optimizer::{Optimizer, Rates};
use crate::optim::step::Step;
use crate::scalar::Scalar;

/// Looks at all gradients, then fixes the scalars of the step.
pub(super) fn begin<T: Scalar>(
    optimizer: &mut Optimizer<T>,
    rates: &Rates,
    grads: &impl Gradients<T>,
    active: &Active,
    threads: usize,
) -> Result<Step<T>> {
    let surroundings = *optimizer.surroundings();
    let look = Look { active, threads, direction: Direction::of_look(optimizer.step_count() + 1) };
    let offsets = grads.sparse().unwrap_or(optimizer.offsets());
    let of_tensors = surroundings.clip_tensor_norm.map(|max| (max, norms(grads, offsets, look)));
    let of_all = optimizer.needs_norm().then(|| match &of_tensors {
        // The norm of what is left after each tensor was clipped.
        Some((max, norms)) => {
            norms.iter().map(|n| (n * surroundings.clip_factor(*max, *n)).powi(2)).sum::<f64>().sqrt()
        }
        None if optimizer.clips() => norm(grads, look),
        None => zero_if_finite(grads, look),
    });
    let mut step = match optimizer.begin_step_at(rates, of_all) {
        Err(Error::NonFinite { step, .. }) => {
            let tensor = first_nonfinite(grads, active).unwrap_or(0);
            return Err(Error::NonFinite { place: grads.gradient_name(tensor), step });
        }
        other => other?,
    };
    if let Some((max, norms)) = of_tensors {
        step.factors = norms.iter().map(|&norm| T::from_f64(surroundings.clip_factor(max, norm))).collect();
    }
    Ok(step)
}
