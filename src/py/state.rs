//! The state of an optimizer: as plain data, and on its way through pickle and copy.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{IntoPyDict, PyDict, PyList, PyTuple};

use super::groups::bind;
use super::optim::{PyOptimizer, Work, with_work};
use super::recipe::Recipe;
use super::schedule::learning_rate;
use crate::error::Error;
use crate::optim::options::Convention;
use crate::optim::{Config, Counts, Optimizer};
use crate::scalar::Scalar;

/// What a group's memory calls the steps in which it was frozen, where there were any.
const FROZEN_STEPS: &str = "frozen_steps";

/// See `Optimizer.state_dict`.
pub fn saved<'py>(optimizer: &PyOptimizer, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
    let engine = &optimizer.bound_ref()?.engine;
    let [groups, memories, schedules] = std::array::from_fn(|_| PyList::empty(py));
    for (index, config) in optimizer.groups().iter().enumerate() {
        let group = options(py, optimizer, index)?;
        group.set_item("lr", config.schedule().as_constant())?;
        groups.append(group)?;
        schedules.append(config.schedule().memory())?;
        let memory = PyDict::new(py);
        with_work!(engine, work => work.optimizer.memory(index).try_for_each(|(name, x)| memory.set_item(name, x)))?;
        let frozen_steps = with_work!(engine, work => work.optimizer.frozen_steps(index));
        if frozen_steps > 0 {
            memory.set_item(FROZEN_STEPS, frozen_steps)?;
        }
        memories.append(memory)?;
    }
    let counts = with_work!(engine, work => work.optimizer.counts());
    let dict = PyDict::new(py);
    dict.set_item("optimizer", optimizer.config().spec().name)?;
    dict.set_item("step_count", counts.steps)?;
    dict.set_item("skipped_steps", counts.skipped)?;
    dict.set_item("gathered", counts.gathered)?;
    dict.set_item("param_groups", groups)?;
    dict.set_item("memory", memories)?;
    dict.set_item("schedules", schedules)?;
    dict.set_item("state", with_work!(engine, work => work.slots(py))?)?;
    Ok(dict)
}

/// See `Optimizer.load_state_dict`.
pub fn load(optimizer: &mut PyOptimizer, saved: &Bound<'_, PyDict>) -> PyResult<()> {
    let py = saved.py();
    let part = |name: &str| {
        saved.get_item(name)?.ok_or_else(|| PyValueError::new_err(format!("state_dict must have {name:?}")))
    };
    let (name, given) = (optimizer.config().spec().name, part("optimizer")?.extract::<String>()?);
    if given != name {
        return Err(Error::value("state_dict[\"optimizer\"]", format!("{given:?}"), format!("{name:?}")).into());
    }
    let count = optimizer.groups().len();
    let of_groups = |name: &str| {
        let dicts: Vec<Bound<'_, PyDict>> = part(name)?.extract()?;
        if dicts.len() != count {
            let place = format!("state_dict[{name:?}]");
            return Err(Error::value(place, format!("{} groups", dicts.len()), format!("{count} groups")).into());
        }
        PyResult::Ok(dicts)
    };
    let mut recipes = vec![];
    for (index, saved) in of_groups("param_groups")?.iter().enumerate() {
        let name: Option<String> = saved.get_item("name")?.map(|name| name.extract()).transpose()?.flatten();
        if let (Some(name), Some(own)) = (name, optimizer.group_name(index))
            && name != own
        {
            let place = format!("state_dict[\"param_groups\"][{index}][\"name\"]");
            return Err(Error::value(place, format!("{name:?}"), format!("{own:?}")).into());
        }
        recipes.push(changed(optimizer.recipe_of(py, index), saved)?);
    }
    let schedules: Vec<Vec<f64>> = part("schedules")?.extract()?;
    for (index, (recipe, memory)) in recipes.iter_mut().zip(&schedules).enumerate() {
        let own = recipe.config.schedule().memory().len();
        if own != 0 && own != memory.len() {
            let place = format!("state_dict[\"schedules\"][{index}]");
            return Err(Error::value(place, format!("{memory:?}"), format!("{own} numbers")).into());
        }
        recipe.config.schedule_mut().set_memory(memory);
    }
    let counts = Counts {
        steps: part("step_count")?.extract()?,
        skipped: part("skipped_steps")?.extract()?,
        gathered: part("gathered")?.extract()?,
    };
    let (memories, slots) = (of_groups("memory")?, part("state")?.extract()?);
    let bound = optimizer.bound_mut()?;
    let selected = bound.selected(py, &recipes)?;
    let groups = recipes.into_iter().map(|recipe| recipe.config).collect();
    with_work!(&mut bound.engine, work => {
        work.load(groups, &memories, counts, &slots)?;
        work.optimizer.set_selected(&selected);
    });
    Ok(())
}

/// For pickle and copy: the class, then for [`restore`] what makes one of its objects this one. The arrays are the very ones
/// that it updates, so whoever copies them together with the optimizer gets an optimizer of the copies.
pub fn reduced<'py>(slf: &Bound<'py, PyOptimizer>) -> PyResult<Bound<'py, PyTuple>> {
    let (py, optimizer) = (slf.py(), slf.borrow());
    let parts = PyDict::new(py);
    if let Some(bound) = &optimizer.bound {
        parts.update(saved(&optimizer, py)?.as_mapping())?;
        let mut arrays = with_work!(&bound.engine, work => work.arrays.all(py)).into_iter();
        parts.set_item("params", bound.structure.build(py, &mut arrays)?)?;
        parts.set_item("grouped", bound.group_names.is_some())?;
    }
    let groups = PyList::empty(py);
    for (index, config) in optimizer.groups().iter().enumerate() {
        let group = options(py, &optimizer, index)?;
        group.set_item("lr", learning_rate(py, config.schedule())?)?;
        groups.append(group)?;
    }
    parts.set_item("param_groups", groups)?;
    parts.set_item("convention", optimizer.config().options().convention().name())?;
    if let Ok(attributes) = slf.getattr("__dict__") {
        parts.set_item("attributes", attributes)?;
    }
    (py.import("copyreg")?.getattr("__newobj__")?, (slf.get_type(),), parts).into_pyobject(py)
}

/// Makes a new optimizer what another one was.
pub fn restore(slf: &Bound<'_, PyOptimizer>, parts: &Bound<'_, PyDict>) -> PyResult<()> {
    let part = |name: &str| parts.as_any().get_item(name);
    let convention = Convention::from_name(&part("convention")?.extract::<String>()?)?;
    let recipe = Recipe::new(slf.borrow().config().spec().name, convention)?;
    let optimizer = match parts.get_item("params")? {
        None => {
            let recipe = changed(recipe, &part("param_groups")?.get_item(0)?.extract()?)?;
            PyOptimizer { recipe, bound: None }
        }
        Some(params) => {
            let params = match part("grouped")?.extract()? {
                true => as_groups(&params, &part("param_groups")?)?,
                false => params,
            };
            let bound = Some(bind(slf.py(), &recipe, &params)?);
            let mut optimizer = PyOptimizer { recipe, bound };
            load(&mut optimizer, parts)?;
            optimizer
        }
    };
    *slf.borrow_mut() = optimizer;
    match parts.get_item("attributes")? {
        Some(attributes) => slf.getattr("__dict__")?.call_method1("update", (attributes,)).map(|_| ()),
        None => Ok(()),
    }
}

/// The structures of the groups as groups, with the names that they had.
fn as_groups<'py>(params: &Bound<'py, PyAny>, saved: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = params.py();
    if let Ok(params) = params.cast::<PyDict>() {
        let groups = PyDict::new(py);
        for (key, params) in params {
            groups.set_item(key, [("params", params)].into_py_dict(py)?)?;
        }
        return Ok(groups.into_any());
    }
    let groups = PyList::empty(py);
    for (params, saved) in params.try_iter()?.zip(saved.try_iter()?) {
        let name = saved?.cast_into::<PyDict>()?.get_item("name")?;
        groups.append([("params", Some(params?)), ("name", name)].into_py_dict(py)?)?;
    }
    Ok(groups.into_any())
}

/// The options of a group, with its name where it has one.
fn options<'py>(py: Python<'py>, optimizer: &PyOptimizer, group: usize) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    if let Some(name) = optimizer.group_name(group) {
        dict.set_item("name", name)?;
    }
    for (option, value) in optimizer.groups()[group].options().iter() {
        dict.set_item(option.name, optimizer.option(py, group, value)?)?;
    }
    Ok(dict)
}

/// A recipe with saved options; where the learning rate was not saved, because it was a schedule, it stays.
fn changed(mut recipe: Recipe, saved: &Bound<'_, PyDict>) -> PyResult<Recipe> {
    for (name, value) in saved {
        match name.extract::<String>()?.as_str() {
            "lr" if value.is_none() => (),
            "name" => (),
            name => recipe.set(name, &value)?,
        }
    }
    Ok(recipe)
}

impl<T: Scalar> Work<T> {
    /// The state arrays, each as a list of arrays shaped like the parameters.
    fn slots<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let state = PyDict::new(py);
        let empty = py.import("numpy")?.getattr("empty")?;
        for (name, slot) in self.optimizer.slot_names().iter().zip(self.optimizer.slots()) {
            let arrays = PyList::empty(py);
            for tensor in 0..self.arrays.len() {
                let array = empty.call1((self.arrays.shape(py, tensor)?, self.arrays.state_dtype(tensor)))?;
                self.arrays.write_like(tensor, array.as_borrowed(), &slot[self.optimizer.range(tensor)])?;
                arrays.append(array)?;
            }
            state.set_item(name, arrays)?;
        }
        Ok(state)
    }

    /// Takes groups, counts and state arrays over; changes nothing where something is wrong with them.
    fn load(
        &mut self,
        groups: Vec<Config>,
        memories: &[Bound<'_, PyDict>],
        counts: Counts,
        state: &Bound<'_, PyDict>,
    ) -> PyResult<()> {
        let group_of: Vec<_> = (0..self.arrays.len()).map(|tensor| self.optimizer.group_of(tensor)).collect();
        let mut loaded = Optimizer::with_groups(groups, &self.arrays.sizes(), &group_of)?;
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
                return Err(
                    Error::value(place, "something else", format!("a list of {} arrays", self.arrays.len())).into()
                );
            };
            for (tensor, array) in arrays.iter().enumerate() {
                let range = loaded.range(tensor);
                self.arrays.read_like(tensor, array.as_borrowed(), &mut loaded.slots_mut()[slot][range])?;
            }
        }
        let mut frozen_steps = vec![];
        for (group, memory) in memories.iter().enumerate() {
            let frozen: u64 = memory.get_item(FROZEN_STEPS)?.map_or(Ok(0), |saved| saved.extract())?;
            if frozen > counts.steps {
                let place = format!("state_dict[\"memory\"][{group}][{FROZEN_STEPS:?}]");
                return Err(Error::value(place, frozen, format!("at most step_count, {}", counts.steps)).into());
            }
            frozen_steps.push(frozen);
            let names: Vec<_> = loaded.memory(group).map(|(name, _)| name).collect();
            for (name, number) in names.into_iter().zip(loaded.memory_mut(group)) {
                let place = format!("state_dict[\"memory\"][{group}]");
                let saved = memory.get_item(name)?.and_then(|saved| saved.extract().ok());
                *number = saved.ok_or_else(|| Error::value(place, memory, format!("numbers, {name:?} among them")))?;
            }
        }
        loaded.resume(counts, &frozen_steps);
        self.optimizer = loaded;
        Ok(())
    }
}
