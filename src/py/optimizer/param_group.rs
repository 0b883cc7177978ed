//! One group's options, live.

use pyo3::exceptions::{PyKeyError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString};
use pyo3::{PyTraverseError, PyVisit};

use super::object::{PyOptimizer, RecipeOrBinding, next_lr, reading, writing};
use crate::error::Error;
use crate::py::foreign::shown;

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
    fn __getitem__<'py>(&self, py: Python<'py>, key: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        match key.cast::<PyString>() {
            Ok(key) => self.item(py, key.to_str()?),
            Err(_) => Err(PyKeyError::new_err((key.clone().unbind(),))),
        }
    }

    fn __setitem__(&self, key: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let Ok(name) = key.cast::<PyString>() else {
            return Err(Error::type_("a key of a group", shown(key)?, "the name of an option").into());
        };
        let name = name.to_str()?;
        if matches!(name, "params" | "name") {
            let message = format!("{name} of a group cannot be replaced: make a new optimizer");
            return Err(PyValueError::new_err(message));
        }
        let mut this = writing(self.optimizer.bind(value.py()))?;
        this.expect_group(self.index)?;
        this.inner.set(self.index, name, value)
    }

    fn __contains__(&self, py: Python<'_>, key: &Bound<'_, PyAny>) -> PyResult<bool> {
        let keys = self.keys(py)?;
        Ok(key.cast::<PyString>().is_ok_and(|key| keys.iter().any(|own| key == own)))
    }

    /// The keys: "params", "name" where the group has one, "lr" and the options.
    fn keys(&self, py: Python<'_>) -> PyResult<Vec<&'static str>> {
        let this = self.optimizer(py)?;
        let inner = &this.inner;
        let name = inner.extras(self.index).name.as_ref().map(|_| "name");
        let options = inner.config(self.index).options().iter().map(|(option, _)| option.name);
        Ok(["params"].into_iter().chain(name).chain(["lr"]).chain(options).collect())
    }

    /// The values of the keys, in their order.
    fn values<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        self.keys(py)?.into_iter().map(|key| self.item(py, key)).collect()
    }

    /// Each key with its value.
    fn items<'py>(&self, py: Python<'py>) -> PyResult<Vec<(&'static str, Bound<'py, PyAny>)>> {
        self.keys(py)?.into_iter().map(|key| Ok((key, self.item(py, key)?))).collect()
    }

    /// The value of a key; the default where there is no such key.
    ///
    /// Parameters
    /// ----------
    /// key : str
    ///     One of `keys`.
    /// default : object, optional
    ///     What any other key has.
    ///
    /// Returns
    /// -------
    /// object
    ///     As ``group[key]`` gives it.
    ///
    /// Raises
    /// ------
    /// RuntimeError
    ///     While a training or a step uses the optimizer.
    #[pyo3(signature = (key, default=None, /))]
    fn get<'py>(
        &self,
        key: &Bound<'py, PyAny>,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = key.py();
        if self.__contains__(py, key)? { self.__getitem__(py, key).map(Some) } else { Ok(default) }
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
            items.push(format!("{key:?}: {}", self.item(py, key)?.repr()?));
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

    /// The value of a key.
    fn item<'py>(&self, py: Python<'py>, key: &str) -> PyResult<Bound<'py, PyAny>> {
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
