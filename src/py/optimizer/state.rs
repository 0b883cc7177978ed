//! The state of an optimizer at work, as plain data.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

use super::binding::Binding;
use super::object::RecipeOrBinding;
use super::recipe::Extras;
use super::saved::{FROZEN_STEPS, Saved, since};
use crate::optim::{Optimizer, WEIGHT_DECAY};
use crate::py::precision::{Either, dispatch};
use crate::py::schedule::learning_rate;

/// See `Optimizer.state_dict`.
pub fn saved<'py>(inner: &RecipeOrBinding, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
    let bound = inner.binding()?;
    let [groups, memories, schedules] = std::array::from_fn(|_| PyList::empty(py));
    for (index, config) in bound.configs().iter().enumerate() {
        let group = options_of(py, inner, index)?;
        group.set_item("lr", config.schedule().as_constant())?;
        if config.decay_curve().is_some() {
            group.set_item(WEIGHT_DECAY, py.None())?;
        }
        groups.append(group)?;
        schedules.append(config.schedule().memory())?;
        let memory = PyDict::new(py);
        dispatch!(&bound.stepper, stepper => {
            stepper.optimizer.memory(index).try_for_each(|(name, number)| memory.set_item(name, number))?;
        });
        let progress = dispatch!(&bound.stepper, stepper => stepper.optimizer.progress(index));
        let began = config.slots().into_iter().zip(progress.since).map(|(slot, steps)| (since(slot.name), steps));
        for (name, steps) in [(FROZEN_STEPS.to_owned(), progress.frozen_steps)].into_iter().chain(began) {
            if steps > 0 {
                memory.set_item(name, steps)?;
            }
        }
        memories.append(memory)?;
    }
    let counts = dispatch!(&bound.stepper, stepper => stepper.optimizer.counts());
    let dict = PyDict::new(py);
    dict.set_item("optimizer", inner.config(0).spec().name)?;
    dict.set_item("step_count", counts.steps)?;
    dict.set_item("skipped_steps", counts.skipped)?;
    dict.set_item("gathered", counts.gathered)?;
    dict.set_item("param_groups", groups)?;
    dict.set_item("names", &bound.names)?;
    dict.set_item("group_of", PyTuple::new(py, bound.group_of())?)?;
    dict.set_item("memory", memories)?;
    dict.set_item("schedules", schedules)?;
    dict.set_item("state", dispatch!(&bound.stepper, stepper => stepper.state_arrays(py))?)?;
    Ok(dict)
}

/// The options of a group, with its name where it has one.
pub fn options_of<'py>(py: Python<'py>, inner: &RecipeOrBinding, group: usize) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    if let Some(name) = &inner.extras(group).name {
        dict.set_item("name", name)?;
    }
    for (option, value) in inner.config(group).options().iter() {
        dict.set_item(option.name, inner.option(py, group, (option, value))?)?;
    }
    Ok(dict)
}

/// See `Optimizer._given`.
pub fn given<'py>(py: Python<'py>, inner: &RecipeOrBinding, group: usize) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("lr", learning_rate(py, inner.config(group).schedule())?)?;
    dict.update(options_of(py, inner, group)?.as_mapping())?;
    let extras = inner.extras(group);
    if let Some(mask) = extras.mask.as_ref().filter(|_| !extras.is_left) {
        dict.set_item("decay_where", mask)?;
    }
    Ok(dict)
}

/// See `Optimizer.load_state_dict`. Nothing has changed where it fails.
pub fn load(inner: &mut RecipeOrBinding, state_dict: &Bound<'_, PyDict>) -> PyResult<()> {
    let (py, bound) = (state_dict.py(), inner.binding_mut()?);
    let Read { loaded, mut extras } = read(state_dict, bound)?;
    let masks = extras.iter().map(|extras| extras.mask.as_ref()).enumerate();
    let selected = bound.selected(py, masks)?;
    for (group, extras) in extras.iter_mut().enumerate() {
        let own = bound.extras(group);
        let are_same = || bound.members(group).into_iter().map(|array| selected[array]).eq(bound.mask(group));
        if extras.mask.is_some() && own.mask.is_some() && are_same() {
            // A state has what a mask has decided, and this is what decides so.
            (extras.mask, extras.is_left) = (own.mask.as_ref().map(|mask| mask.clone_ref(py)), own.is_left);
        }
    }
    bound.replace(loaded, &selected, extras);
    Ok(())
}

/// See `Optimizer._can_continue`.
pub fn can_continue(inner: &RecipeOrBinding, state_dict: &Bound<'_, PyDict>) -> PyResult<bool> {
    let bound = inner.binding()?;
    match read(state_dict, bound) {
        Ok(Read { loaded, .. }) => {
            let mut own = bound.configs().iter().enumerate();
            Ok(dispatch!(&loaded, loaded => own.all(|(group, config)| loaded.expect_changeable(group, config).is_ok())))
        }
        Err(error) if error.is_instance_of::<PyValueError>(state_dict.py()) => Ok(false),
        Err(error) => Err(error),
    }
}

/// A state that is to be loaded: an optimizer that has it, and what its groups have beside their options.
struct Read {
    loaded: Either<Optimizer<f32>, Optimizer<f64>>,
    extras: Vec<Extras>,
}

fn read(state_dict: &Bound<'_, PyDict>, bound: &Binding) -> PyResult<Read> {
    let saved = Saved::new(state_dict, bound)?;
    let groups = saved.groups(state_dict.py())?;
    let counts = saved.counts(groups[0].config.surroundings().accumulate)?;
    let (configs, extras): (Vec<_>, Vec<_>) = groups.into_iter().map(|group| (group.config, group.extras)).unzip();
    let progress = saved.progress(&configs, counts.steps)?;
    let mut loaded = match &bound.stepper {
        Either::Single(stepper) => Either::Single(stepper.with_state(configs, &saved)?),
        Either::Double(stepper) => Either::Double(stepper.with_state(configs, &saved)?),
    };
    dispatch!(&mut loaded, loaded => loaded.resume(counts, &progress));
    Ok(Read { loaded, extras })
}
