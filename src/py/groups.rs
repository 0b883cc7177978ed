//! Parameter groups: how they are given, which arrays decay in them, their live options.

use pyo3::exceptions::{PyKeyError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyMapping, PySequence};

use super::arrays::element;
use super::optim::{Binding, Engine, PyOptimizer, Work, with_work};
use super::recipe::Recipe;
use super::structure::{Placed, Structure};
use crate::error::Error;
use crate::optim::Config;
use crate::optim::options::Value;
use crate::scalar::Scalar;

/// What holds for all groups together.
const OF_ALL: [&str; 5] = ["clip_norm", "clip_tensor_norm", "clip_eps", "nonfinite", "accumulate"];

/// Binds a recipe to an array, a structure of arrays, or groups of such structures.
pub fn bind(py: Python<'_>, recipe: &Recipe, params: &Bound<'_, PyAny>) -> PyResult<Binding> {
    let mut leaves: Vec<Placed<'_>> = vec![];
    let (mut recipes, mut group_of) = (vec![], vec![]);
    let groups = groups_of(params)?;
    let (structure, group_names) = match groups {
        None => {
            let structure = Structure::of(params, "", &mut leaves)?;
            recipes.push(recipe.copied(py));
            group_of.resize(leaves.len(), 0);
            (structure, None)
        }
        Some(groups) => {
            let (mut structures, mut names) = (vec![], vec![]);
            for (index, (key, group)) in groups.iter().enumerate() {
                let mut recipe = recipe.copied(py);
                let mut name: Option<String> = key.as_ref().map(|key| key.str()?.extract()).transpose()?;
                for item in group.items()?.iter() {
                    let (option, value): (String, Bound<'_, PyAny>) = item.extract()?;
                    match option.as_str() {
                        "params" => {
                            let place = match key {
                                Some(key) => format!("[{}]", key.repr()?),
                                None => format!("[{index}]"),
                            };
                            structures.push(Structure::of(&value, &place, &mut leaves)?);
                        }
                        "name" if key.is_none() => name = value.extract()?,
                        option if OF_ALL.contains(&option) => {
                            let message = format!("{option} is about all groups together: give it to the optimizer");
                            return Err(PyValueError::new_err(message));
                        }
                        option => recipe.set(option, &value)?,
                    }
                }
                names.push(name);
                recipes.push(recipe);
                group_of.resize(leaves.len(), index);
            }
            let keys: Option<Vec<_>> = groups.into_iter().map(|(key, _)| key.map(Bound::unbind)).collect();
            let structure = match keys {
                Some(keys) => Structure::Mapping(keys.into_iter().zip(structures).collect()),
                None => Structure::Sequence(structures),
            };
            (structure, Some(names))
        }
    };
    let Some((first, path)) = leaves.first() else {
        return Err(Error::value("params", "no array", "at least one array").into());
    };
    let element = element(first.as_borrowed(), &format!("params{path}"))?;
    let configs: Vec<Config> = recipes.iter().map(|recipe| recipe.config.clone()).collect();
    let engine = match element.precision() == f32::NAME {
        true => Engine::Single(Work::new(configs, &group_of, &leaves)?),
        false => Engine::Double(Work::new(configs, &group_of, &leaves)?),
    };
    let mut binding = Binding { structure, group_names, engine };
    let selected = binding.selected(py, &recipes)?;
    with_work!(&mut binding.engine, work => work.optimizer.set_selected(&selected));
    Ok(binding)
}

/// A group's key, where groups come in a mapping, and the group.
type Keyed<'py> = (Option<Bound<'py, PyAny>>, Bound<'py, PyMapping>);

/// The groups, where `params` is a sequence of mappings with a "params" in each, or a mapping of such mappings.
fn groups_of<'py>(params: &Bound<'py, PyAny>) -> PyResult<Option<Vec<Keyed<'py>>>> {
    let mut items = vec![];
    if let Ok(mapping) = params.cast::<PyMapping>() {
        for item in mapping.items()?.iter() {
            let (key, value): (Bound<'py, PyAny>, Bound<'py, PyAny>) = item.extract()?;
            items.push((Some(key), value));
        }
    } else if let Ok(sequence) = params.cast::<PySequence>() {
        for value in sequence.try_iter()? {
            items.push((None, value?));
        }
    }
    let mut groups = vec![];
    for (key, value) in items {
        match value.cast_into::<PyMapping>() {
            Ok(mapping) if mapping.contains("params")? => groups.push((key, mapping)),
            _ => return Ok(None),
        }
    }
    Ok((!groups.is_empty()).then_some(groups))
}

impl Binding {
    /// Which arrays decay where not all do, in each group as its recipe says. A mask that has already met the arrays, so that
    /// it is no longer there, stays as it is.
    pub fn selected(&self, py: Python<'_>, recipes: &[Recipe]) -> PyResult<Vec<bool>> {
        let mut names = vec![];
        self.structure.names(py, "", &mut names)?;
        let matrices = with_work!(&self.engine, work => work.arrays.matrices());
        let mut selected = vec![];
        for (group, recipe) in recipes.iter().enumerate() {
            let tensors: Vec<_> = self.tensors(group).collect();
            let range = selected.len()..selected.len() + tensors.len();
            match &recipe.mask {
                Some(mask) => {
                    let arrays = with_work!(&self.engine, work => work.arrays.all(py));
                    let mask = mask.bind(py);
                    selected.extend(masked(self.part(group), mask, &names[range.clone()], &arrays[range])?);
                }
                None if decays_by_mask(&recipe.config) => selected.extend(self.mask(group)),
                None => selected.extend_from_slice(&matrices[range]),
            }
        }
        Ok(selected)
    }

    /// The numbers of a group's arrays.
    pub fn tensors(&self, group: usize) -> impl Iterator<Item = usize> + '_ {
        let count = with_work!(&self.engine, work => work.arrays.len());
        (0..count).filter(move |&tensor| with_work!(&self.engine, work => work.optimizer.group_of(tensor)) == group)
    }

    /// Which of a group's arrays are selected now.
    pub fn mask(&self, group: usize) -> Vec<bool> {
        let is_selected = |tensor| with_work!(&self.engine, work => work.optimizer.is_selected(tensor));
        self.tensors(group).map(is_selected).collect()
    }

    /// The structure of a group.
    fn part(&self, group: usize) -> &Structure {
        match (&self.group_names, &self.structure) {
            (Some(_), Structure::Sequence(parts)) => &parts[group],
            (Some(_), Structure::Mapping(parts)) => &parts[group].1,
            _ => &self.structure,
        }
    }

    /// The name of a group, where it has one.
    pub fn group_name(&self, group: usize) -> Option<&str> {
        self.group_names.as_ref()?[group].as_deref()
    }
}

/// Whether `decay_where` is a mask.
pub fn decays_by_mask(config: &Config) -> bool {
    config.options().iter().any(|(_, value)| value == Value::Mask)
}

/// A mask for the arrays of a structure: a callable, a flat list, or a structure like it.
fn masked(
    structure: &Structure,
    mask: &Bound<'_, PyAny>,
    names: &[String],
    arrays: &[Bound<'_, PyAny>],
) -> PyResult<Vec<bool>> {
    let truth = |place: &str, value: Bound<'_, PyAny>| {
        value.extract::<bool>().map_err(|_| {
            let got = value.repr().map_or_else(|_| "another object".to_owned(), |repr| repr.to_string());
            PyTypeError::new_err(format!("{place} must be True or False, got {got}"))
        })
    };
    if mask.is_callable() {
        let calls = names.iter().zip(arrays);
        return calls
            .map(|(name, array)| truth(&format!("decay_where({name:?}, ...)"), mask.call1((name, array))?))
            .collect();
    }
    if let Some(flat) = mask.extract::<Vec<bool>>().ok().filter(|flat| flat.len() == names.len()) {
        return Ok(flat);
    }
    let mut selected = vec![];
    structure.visit_as("decay_where", mask.as_borrowed(), &mut |index, value| {
        selected.push(truth(&format!("decay_where of {:?}", names[index]), value.to_owned())?);
        Ok(())
    })?;
    Ok(selected)
}

/// One group's options, live.
#[pyclass(module = "schuss", mapping, frozen)]
pub struct ParamGroup {
    optimizer: Py<PyOptimizer>,
    index: usize,
}

#[pymethods]
impl ParamGroup {
    fn __getitem__<'py>(&self, py: Python<'py>, key: &str) -> PyResult<Bound<'py, PyAny>> {
        let optimizer = self.optimizer.borrow(py);
        match key {
            "lr" => Ok(optimizer.lr_of(self.index)?.into_pyobject(py)?.into_any()),
            "params" => Ok(self.params(py, &optimizer)?.into_any()),
            "name" if optimizer.group_name(self.index).is_some() => {
                Ok(optimizer.group_name(self.index).into_pyobject(py)?.into_any())
            }
            _ => {
                let found = optimizer.groups()[self.index].options().iter().find(|(option, _)| option.name == key);
                let missing = || Err(PyKeyError::new_err(key.to_owned()));
                found.map_or_else(missing, |(_, value)| optimizer.option(py, self.index, value))
            }
        }
    }

    fn __setitem__(&self, key: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        if matches!(key, "params" | "name") {
            let message = format!("{key} of a group cannot be replaced: make a new optimizer");
            return Err(PyValueError::new_err(message));
        }
        let mut optimizer = self.optimizer.borrow_mut(value.py());
        let mut recipe = optimizer.recipe_of(value.py(), self.index);
        recipe.set(key, value)?;
        optimizer.set_group(value.py(), self.index, recipe)
    }

    /// The keys: "params", "name" where the group has one, "lr" and the options.
    fn keys(&self, py: Python<'_>) -> Vec<&'static str> {
        let optimizer = self.optimizer.borrow(py);
        let name = optimizer.group_name(self.index).map(|_| "name");
        let options = optimizer.groups()[self.index].options().iter().map(|(option, _)| option.name);
        ["params"].into_iter().chain(name).chain(["lr"]).chain(options).collect()
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(self.keys(py).into_pyobject(py)?.try_iter()?.into_any())
    }

    fn __len__(&self, py: Python<'_>) -> usize {
        self.keys(py).len()
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let mut items = vec![];
        for key in self.keys(py).into_iter().filter(|key| *key != "params") {
            items.push(format!("{key:?}: {}", self.__getitem__(py, key)?.repr()?));
        }
        Ok(format!("ParamGroup({{{}}})", items.join(", ")))
    }
}

impl ParamGroup {
    /// The group of that number.
    pub fn new(optimizer: &Bound<'_, PyOptimizer>, index: usize) -> Self {
        ParamGroup { optimizer: optimizer.clone().unbind(), index }
    }

    fn params<'py>(&self, py: Python<'py>, optimizer: &PyOptimizer) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        if let Some(bound) = &optimizer.bound {
            let arrays = with_work!(&bound.engine, work => work.arrays.all(py));
            bound.tensors(self.index).try_for_each(|tensor| list.append(&arrays[tensor]))?;
        }
        Ok(list)
    }
}
