//! The state of an optimizer at work, as plain data.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

use super::binding::Binding;
use super::object::RecipeOrBinding;
use super::recipe::Group;
use crate::error::Error;
use crate::optim::Counts;
use crate::py::precision::dispatch;

/// What a group's memory calls the steps in which it was frozen, where there were any.
const FROZEN_STEPS: &str = "frozen_steps";

/// See `Optimizer.state_dict`.
pub fn saved<'py>(inner: &RecipeOrBinding, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
    let bound = inner.binding()?;
    let [groups, memories, schedules] = std::array::from_fn(|_| PyList::empty(py));
    for (index, config) in bound.configs().iter().enumerate() {
        let group = options_of(py, inner, index)?;
        group.set_item("lr", config.schedule().as_constant())?;
        groups.append(group)?;
        schedules.append(config.schedule().memory())?;
        let memory = PyDict::new(py);
        dispatch!(&bound.stepper, stepper => {
            stepper.optimizer.memory(index).try_for_each(|(name, number)| memory.set_item(name, number))?;
        });
        let frozen_steps = dispatch!(&bound.stepper, stepper => stepper.optimizer.frozen_steps(index));
        if frozen_steps > 0 {
            memory.set_item(FROZEN_STEPS, frozen_steps)?;
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
        dict.set_item(option.name, inner.option(py, group, value)?)?;
    }
    Ok(dict)
}

/// Gives a group saved options; where the learning rate was not saved, because it was a schedule, it stays.
pub fn set_options(group: &mut Group, saved: &Bound<'_, PyDict>) -> PyResult<()> {
    for (name, value) in saved {
        match name.extract::<String>()?.as_str() {
            "lr" if value.is_none() => (),
            "name" => (),
            name => group.set(name, &value)?,
        }
    }
    Ok(())
}

/// See `Optimizer.load_state_dict`.
pub fn load(inner: &mut RecipeOrBinding, state_dict: &Bound<'_, PyDict>) -> PyResult<()> {
    let py = state_dict.py();
    let bound = inner.binding_mut()?;
    let saved = Saved { dict: state_dict, groups: bound.configs().len() };
    let (name, given) = (bound.configs()[0].spec().name, saved.part("optimizer")?.extract::<String>()?);
    if given != name {
        return Err(Error::value("state_dict[\"optimizer\"]", format!("{given:?}"), format!("{name:?}")).into());
    }
    let groups = saved.groups(bound, py)?;
    saved.expect_group_of(bound)?;
    let counts = Counts {
        steps: saved.part("step_count")?.extract()?,
        skipped: saved.part("skipped_steps")?.extract()?,
        gathered: saved.part("gathered")?.extract()?,
    };
    let (memories, arrays) = (saved.of_groups("memory")?, saved.part("state")?.extract()?);
    let frozen_steps = frozen_steps(&memories, counts.steps)?;
    let masks = groups.iter().map(|group| group.extras.mask.as_ref()).enumerate();
    let selected = bound.selected(py, masks)?;
    let (configs, extras) = groups.into_iter().map(|group| (group.config, group.extras)).unzip();
    dispatch!(&mut bound.stepper, stepper => {
        let mut loaded = stepper.with_state(configs, &memories, &arrays)?;
        loaded.resume(counts, &frozen_steps);
        loaded.set_selected(&selected);
        stepper.optimizer = loaded;
    });
    bound.set_extras(extras);
    Ok(())
}

/// The steps in which each group was frozen.
fn frozen_steps(memories: &[Bound<'_, PyDict>], steps: u64) -> PyResult<Vec<u64>> {
    let of_group = |(group, memory): (usize, &Bound<'_, PyDict>)| {
        let frozen: u64 = memory.get_item(FROZEN_STEPS)?.map_or(Ok(0), |saved| saved.extract())?;
        if frozen > steps {
            let place = format!("state_dict[\"memory\"][{group}][{FROZEN_STEPS:?}]");
            return Err(Error::value(place, frozen, format!("at most step_count, {steps}")).into());
        }
        Ok(frozen)
    };
    memories.iter().enumerate().map(of_group).collect()
}

/// A state that is to be loaded by an optimizer of so many groups.
struct Saved<'a, 'py> {
    dict: &'a Bound<'py, PyDict>,
    groups: usize,
}

impl<'py> Saved<'_, 'py> {
    fn part(&self, name: &str) -> PyResult<Bound<'py, PyAny>> {
        let part = self.dict.get_item(name)?;
        part.ok_or_else(|| PyValueError::new_err(format!("state_dict must have {name:?}")))
    }

    /// A part that is a dict for each group.
    fn of_groups(&self, name: &str) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let dicts: Vec<Bound<'py, PyDict>> = self.part(name)?.extract()?;
        if dicts.len() == self.groups {
            return Ok(dicts);
        }
        let (got, expected) = (format!("{} groups", dicts.len()), format!("{} groups", self.groups));
        Err(Error::value(format!("state_dict[{name:?}]"), got, expected).into())
    }

    /// Refuses a state whose arrays are in other groups, where it says in which.
    fn expect_group_of(&self, bound: &Binding) -> PyResult<()> {
        let Some(given) = self.dict.get_item("group_of")? else { return Ok(()) };
        let (given, own): (Vec<usize>, _) = (given.extract()?, bound.group_of());
        if given == own {
            return Ok(());
        }
        Err(Error::value("state_dict[\"group_of\"]", format!("{given:?}"), format!("{own:?}")).into())
    }

    /// The groups with the saved options.
    fn groups(&self, bound: &Binding, py: Python<'_>) -> PyResult<Vec<Group>> {
        let mut groups = vec![];
        for (index, saved) in self.of_groups("param_groups")?.iter().enumerate() {
            let name: Option<String> = saved.get_item("name")?.map(|name| name.extract()).transpose()?.flatten();
            if let (Some(name), Some(own)) = (name, &bound.extras(index).name)
                && name != *own
            {
                let place = format!("state_dict[\"param_groups\"][{index}][\"name\"]");
                return Err(Error::value(place, format!("{name:?}"), format!("{own:?}")).into());
            }
            let mut group = bound.group(py, index);
            set_options(&mut group, saved)?;
            groups.push(group);
        }
        let schedules: Vec<Vec<f64>> = self.part("schedules")?.extract()?;
        for (index, (group, memory)) in groups.iter_mut().zip(&schedules).enumerate() {
            let own = group.config.schedule().memory().len();
            if own != 0 && own != memory.len() {
                let place = format!("state_dict[\"schedules\"][{index}]");
                return Err(Error::value(place, format!("{memory:?}"), format!("{own} numbers")).into());
            }
            group.config.schedule_mut().set_memory(memory);
        }
        Ok(groups)
    }
}
