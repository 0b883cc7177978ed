//! One group's options, live.

use pyo3::exceptions::{PyKeyError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyList;
use pyo3::{PyTraverseError, PyVisit};

use super::object::{PyOptimizer, RecipeOrBinding, next_lr, reading, writing};

/// One group's options, live: a mapping from names to values, which are those that the next step uses.
///
/// `Optimizer.param_groups` has them; there is no other way to make one. ``group["lr"]`` is the number of the next
/// step, before `lr_factor`, also where it is a schedule. ``group["params"]`` is a list of the group's arrays, of a
/// recipe what selects them.
///
/// Setting ``group["lr"] = 0.1`` or another option takes effect at the next step. An option of the whole step, such
/// as `clip_norm`, is set in all groups.
///
/// Raises
/// ------
/// KeyError
///     If what is read is none of the group's keys.
/// TypeError, ValueError
///     If what is set is no option of the rule, or its value is not accepted; "params" and "name" stay. Nothing has
///     changed then.
/// RuntimeError
///     If the optimizer is in use by a training or a step.
#[pyclass(module = "schuss", mapping, frozen)]
pub struct ParamGroup {
    optimizer: Py<PyOptimizer>,
    index: usize,
}

#[pymethods]
impl ParamGroup {
    fn __getitem__<'py>(&self, py: Python<'py>, key: &str) -> PyResult<Bound<'py, PyAny>> {
        if key == "lr" {
            return Ok(next_lr(self.optimizer.bind(py), self.index)?.into_pyobject(py)?.into_any());
        }
        let this = self.optimizer(py)?;
        let inner = &this.inner;
        let name = inner.extras(self.index).name.as_ref();
        match key {
            "params" => self.params(py, inner),
            "name" if name.is_some() => Ok(name.into_pyobject(py)?.into_any()),
            _ => {
                let found = inner.config(self.index).options().iter().find(|(option, _)| option.name == key);
                let missing = || Err(PyKeyError::new_err(key.to_owned()));
                found.map_or_else(missing, |(option, value)| inner.option(py, self.index, (option, value)))
            }
        }
    }

    fn __setitem__(&self, key: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        if matches!(key, "params" | "name") {
            let message = format!("{key} of a group cannot be replaced: make a new optimizer");
            return Err(PyValueError::new_err(message));
        }
        let mut this = writing(self.optimizer.bind(value.py()))?;
        this.expect_group(self.index)?;
        this.inner.set(self.index, key, value)
    }

    /// The keys: "params", "name" where the group has one, "lr" and the options.
    fn keys(&self, py: Python<'_>) -> PyResult<Vec<&'static str>> {
        let this = self.optimizer(py)?;
        let inner = &this.inner;
        let name = inner.extras(self.index).name.as_ref().map(|_| "name");
        let options = inner.config(self.index).options().iter().map(|(option, _)| option.name);
        Ok(["params"].into_iter().chain(name).chain(["lr"]).chain(options).collect())
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(self.keys(py)?.into_pyobject(py)?.try_iter()?.into_any())
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.keys(py)?.len())
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let mut items = vec![];
        for key in self.keys(py)?.into_iter().filter(|key| *key != "params") {
            items.push(format!("{key:?}: {}", self.__getitem__(py, key)?.repr()?));
        }
        Ok(format!("ParamGroup({{{}}})", items.join(", ")))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.optimizer)
    }
}

impl ParamGroup {
    /// The group of that number.
    pub fn new(optimizer: &Bound<'_, PyOptimizer>, index: usize) -> Self {
        ParamGroup { optimizer: optimizer.clone().unbind(), index }
    }

    /// The optimizer, to be looked at.
    fn optimizer<'py>(&self, py: Python<'py>) -> PyResult<PyRef<'py, PyOptimizer>> {
        let this = reading(self.optimizer.bind(py))?;
        this.expect_group(self.index)?;
        Ok(this)
    }

    /// Its arrays; of a recipe, what selects them.
    fn params<'py>(&self, py: Python<'py>, inner: &RecipeOrBinding) -> PyResult<Bound<'py, PyAny>> {
        match (inner, &inner.extras(self.index).selector) {
            (RecipeOrBinding::Recipe(_), Some(selector)) => selector.to_python(py),
            (RecipeOrBinding::Recipe(_), None) => Ok(PyList::empty(py).into_any()),
            (RecipeOrBinding::Bound(bound), _) => {
                let arrays = bound.arrays(py);
                let members = bound.members(self.index).into_iter().map(|number| &arrays[number]);
                Ok(members.collect::<Vec<_>>().into_pyobject(py)?)
            }
        }
    }
}
