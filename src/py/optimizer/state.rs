//! The state of an optimizer at work, as plain data.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

use super::binding::Binding;
use super::object::Stage;
use super::recipe::Group;
use super::stepper::Stepper;
use crate::error::Error;
use crate::optim::{Config, Counts, Optimizer};
use crate::py::precision::dispatch;
use crate::scalar::Scalar;

/// See `Optimizer.state_dict`.
pub fn saved<'py>(stage: &Stage, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
    let bound = stage.binding()?;
    let [groups, memories, schedules] = std::array::from_fn(|_| PyList::empty(py));
    for (index, config) in bound.configs().iter().enumerate() {
        let group = options_of(py, stage, index)?;
        group.set_item("lr", config.schedule().as_constant())?;
        groups.append(group)?;
        schedules.append(config.schedule().memory())?;
        let memory = PyDict::new(py);
        dispatch!(&bound.stepper, stepper => {
            stepper.optimizer.memory(index).try_for_each(|(name, number)| memory.set_item(name, number))?;
        });
        memories.append(memory)?;
    }
    let counts = dispatch!(&bound.stepper, stepper => stepper.optimizer.counts());
    let dict = PyDict::new(py);
    dict.set_item("optimizer", stage.config(0).spec().name)?;
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
pub fn options_of<'py>(py: Python<'py>, stage: &Stage, group: usize) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    if let Some(name) = &stage.extras(group).name {
        dict.set_item("name", name)?;
    }
    for (option, value) in stage.config(group).options().iter() {
        dict.set_item(option.name, stage.option(py, group, value)?)?;
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
pub fn load(stage: &mut Stage, state_dict: &Bound<'_, PyDict>) -> PyResult<()> {
    let py = state_dict.py();
    let bound = stage.binding_mut()?;
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
    let masks = groups.iter().map(|group| group.extras.mask.as_ref()).enumerate();
    let selected = bound.selected(py, masks)?;
    let (configs, extras) = groups.into_iter().map(|group| (group.config, group.extras)).unzip();
    dispatch!(&mut bound.stepper, stepper => {
        let mut loaded = stepper.with_state(configs, &memories, &arrays)?;
        loaded.set_counts(counts.steps, counts.skipped);
        loaded.set_gathered(counts.gathered);
        loaded.set_selected(&selected);
        stepper.optimizer = loaded;
    });
    bound.set_extras(extras);
    Ok(())
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

impl<T: Scalar> Stepper<T> {
    /// The state arrays, each as a list of arrays shaped like the parameters.
    fn state_arrays<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let state = PyDict::new(py);
        for (name, slot) in self.optimizer.slot_names().iter().zip(self.optimizer.slots()) {
            let arrays = PyList::empty(py);
            for tensor in 0..self.arrays.len() {
                arrays.append(self.array_of_state(py, tensor, &slot[self.optimizer.range(tensor)])?)?;
            }
            state.set_item(name, arrays)?;
        }
        Ok(state)
    }

    /// An optimizer of the same tensors with these groups, numbers and state arrays.
    fn with_state(
        &mut self,
        groups: Vec<Config>,
        memories: &[Bound<'_, PyDict>],
        state: &Bound<'_, PyDict>,
    ) -> PyResult<Optimizer<T>> {
        let group_of: Vec<_> = (0..self.arrays.len()).map(|tensor| self.optimizer.group_of(tensor)).collect();
        let mut loaded = Optimizer::with_groups(groups, &self.arrays.sizes(), &group_of)?;
        self.read_state_arrays(&mut loaded, state)?;
        for (group, memory) in memories.iter().enumerate() {
            let names: Vec<_> = loaded.memory(group).map(|(name, _)| name).collect();
            for (name, number) in names.into_iter().zip(loaded.memory_mut(group)) {
                let place = format!("state_dict[\"memory\"][{group}]");
                let saved = memory.get_item(name)?.and_then(|saved| saved.extract().ok());
                *number = saved.ok_or_else(|| Error::value(place, memory, format!("numbers, {name:?} among them")))?;
            }
        }
        Ok(loaded)
    }

    fn read_state_arrays(&mut self, loaded: &mut Optimizer<T>, state: &Bound<'_, PyDict>) -> PyResult<()> {
        let names = loaded.slot_names().to_vec();
        if state.len() != names.len() {
            let expected = format!("the arrays {}", names.join(", "));
            return Err(Error::value("state_dict[\"state\"]", state.keys(), expected).into());
        }
        for (slot, name) in names.iter().enumerate() {
            let place = format!("state_dict[\"state\"][{name:?}]");
            let arrays =
                state.get_item(name)?.map(|arrays| arrays.try_iter()?.collect::<PyResult<Vec<_>>>()).transpose()?;
            let Some(arrays) = arrays.filter(|arrays| arrays.len() == self.arrays.len()) else {
                let expected = format!("a list of {} arrays", self.arrays.len());
                return Err(Error::value(place, "something else", expected).into());
            };
            for (tensor, array) in arrays.iter().enumerate() {
                let range = loaded.range(tensor);
                self.arrays.read_like(tensor, array.as_borrowed(), &mut loaded.slots_mut()[slot][range])?;
            }
        }
        Ok(())
    }
}
