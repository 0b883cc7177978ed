//! The Python objects that an optimizer holds, for the garbage collector: a function that gives the learning rate may belong to
//! the very object that keeps the optimizer.

use pyo3::{PyTraverseError, PyVisit};

use super::binding::Binding;
use super::object::RecipeOrBinding;
use super::recipe::{Extras, Group, Recipe};
use super::selector::Selector;
use crate::optim::Config;
use crate::py::precision::dispatch;
use crate::py::schedule;

/// Shows the collector every reference.
pub fn visited(inner: &RecipeOrBinding, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
    for group in 0..inner.len() {
        of_group(inner.config(group), inner.extras(group), visit)?;
    }
    if let RecipeOrBinding::Bound(bound) = inner {
        let Binding { structure, stepper, .. } = &**bound;
        structure.for_each_key(&mut |key| visit.call(key))?;
        dispatch!(stepper, stepper => stepper.objects().try_for_each(|object| visit.call(object)))?;
    }
    Ok(())
}

fn of_group(config: &Config, extras: &Extras, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
    let open = config.open().map(|(_, schedule)| schedule);
    [config.schedule()].into_iter().chain(open).try_for_each(|schedule| schedule::visited(schedule, visit))?;
    if let Some(Selector::Mask(mask)) = &extras.selector {
        visit.call(mask)?;
    }
    extras.mask.as_ref().map_or(Ok(()), |mask| visit.call(mask))
}

/// Lets every reference go; what is left is a recipe.
pub fn clear(inner: &mut RecipeOrBinding) {
    let mut config = inner.config(0).clone();
    if config.schedule().calls_outside()
        && let Ok(frozen) = config.clone().with_lr(0.0)
    {
        config = frozen;
    }
    let old =
        std::mem::replace(inner, RecipeOrBinding::Recipe(Recipe::new(Group { config, extras: Extras::default() })));
    drop(old);
}
