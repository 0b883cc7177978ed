//! Parameter groups: their live options, and how they are given.

use pyo3::exceptions::{PyKeyError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyMapping, PySequence};

use super::arrays::{Element, element};
use super::optim::{Binding, Engine, PyOptimizer, Work, with_work};
use super::options::{set_option, to_python};
use super::schedule::schedule_of;
use super::structure::{Placed, Structure};
use crate::error::Error;
use crate::optim::Config;

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
            _ => {
                let found = optimizer.groups()[self.index].options().iter().find(|(option, _)| option.name == key);
                found.map_or_else(|| Err(PyKeyError::new_err(key.to_owned())), |(_, value)| to_python(py, value))
            }
        }
    }

    fn __setitem__(&self, key: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let mut optimizer = self.optimizer.borrow_mut(value.py());
        let mut config = optimizer.groups()[self.index].clone();
        match key {
            "lr" => config = config.with_schedule(schedule_of(value)?),
            "params" => {
                return Err(PyValueError::new_err("params of a group cannot be replaced: make a new optimizer"));
            }
            _ => set_option(&mut config, key, value)?,
        }
        optimizer.set_group(self.index, config);
        Ok(())
    }

    /// The keys: "params", "lr" and the options.
    fn keys(&self, py: Python<'_>) -> Vec<&'static str> {
        let optimizer = self.optimizer.borrow(py);
        let options = optimizer.groups()[self.index].options().iter().map(|(option, _)| option.name);
        ["params", "lr"].into_iter().chain(options).collect()
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
            with_work!(&bound.engine, work => {
                for tensor in (0..work.arrays.len()).filter(|tensor| work.optimizer.group_of(*tensor) == self.index) {
                    list.append(work.arrays.array(py, tensor))?;
                }
            });
        }
        Ok(list)
    }
}

/// Binds a recipe to an array, a structure of arrays, or a list of groups.
pub fn bind(recipe: &Config, params: &Bound<'_, PyAny>) -> PyResult<Binding> {
    let mut leaves: Vec<Placed<'_>> = vec![];
    let (mut configs, mut group_of) = (vec![], vec![]);
    let groups = groups_of(params)?;
    let grouped = groups.is_some();
    let structure = match groups {
        None => {
            let structure = Structure::of(params, "", &mut leaves)?;
            configs.push(recipe.clone());
            group_of.resize(leaves.len(), 0);
            structure
        }
        Some(groups) => {
            let mut structures = vec![];
            for (index, group) in groups.iter().enumerate() {
                let mut config = recipe.clone();
                for item in group.items()?.iter() {
                    let (name, value): (String, Bound<'_, PyAny>) = item.extract()?;
                    match name.as_str() {
                        "params" => structures.push(Structure::of(&value, &format!("[{index}]"), &mut leaves)?),
                        "lr" => config = config.with_schedule(schedule_of(&value)?),
                        "clip_norm" | "clip_tensor_norm" | "clip_eps" | "nonfinite" | "accumulate" => {
                            let message = format!("{name} is about all groups together: give it to the optimizer");
                            return Err(PyValueError::new_err(message));
                        }
                        name => set_option(&mut config, name, &value)?,
                    }
                }
                configs.push(config);
                group_of.resize(leaves.len(), index);
            }
            Structure::Sequence(structures)
        }
    };
    let Some((first, path)) = leaves.first() else {
        return Err(Error::value("params", "no array", "at least one array").into());
    };
    let element = element(first.as_borrowed(), &format!("params{path}"))?;
    let engine = match element {
        Element::F32 => Engine::Single(Work::new(configs, &group_of, &leaves, element)?),
        Element::F64 => Engine::Double(Work::new(configs, &group_of, &leaves, element)?),
    };
    Ok(Binding { structure, grouped, engine })
}

/// The groups, where `params` is a sequence of mappings with a "params" in each.
fn groups_of<'py>(params: &Bound<'py, PyAny>) -> PyResult<Option<Vec<Bound<'py, PyMapping>>>> {
    let Ok(sequence) = params.cast::<PySequence>() else { return Ok(None) };
    let mut groups = vec![];
    for item in sequence.try_iter()? {
        match item?.cast_into::<PyMapping>() {
            Ok(mapping) if mapping.contains("params")? => groups.push(mapping),
            _ => return Ok(None),
        }
    }
    Ok((!groups.is_empty()).then_some(groups))
}
