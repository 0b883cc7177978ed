//! Which arrays belong to a group, by their names.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::error::Error;
use crate::py::arrays::is_array;
use crate::py::foreign::{as_list, as_mapping, boolean, shown};

/// What a group says about its arrays instead of naming them itself.
pub enum Selector {
    /// Any of these patterns matches the name: see Python's `fnmatch.fnmatchcase`.
    Patterns(Vec<String>),
    /// A callable of name and array.
    Mask(Py<PyAny>),
}

impl Selector {
    /// What a group's "params" say; None where they are arrays.
    pub fn parse(params: &Bound<'_, PyAny>, place: &str) -> PyResult<Option<Self>> {
        if let Ok(pattern) = params.cast::<PyString>() {
            return Ok(Some(Selector::Patterns(vec![pattern.to_str()?.to_owned()])));
        }
        if is_array(params.as_borrowed()) || as_mapping(params)?.is_some() {
            return Ok(None);
        }
        let Some(items) = as_list(params)? else {
            return Ok(params.is_callable().then(|| Selector::Mask(params.clone().unbind())));
        };
        let patterns: Vec<String> = items
            .iter()
            .filter(|item| item.is_instance_of::<PyString>())
            .map(|item| item.extract())
            .collect::<PyResult<_>>()?;
        match patterns.len() {
            0 => Ok(None),
            n if n == items.len() => Ok(Some(Selector::Patterns(patterns))),
            n => {
                let got = format!("{n} patterns among {} entries", items.len());
                Err(Error::type_(place, got, "patterns of names alone, or arrays alone").into())
            }
        }
    }

    /// Exactly the arrays of these names.
    pub fn of_names<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        // Within brackets the special characters stand for themselves.
        let escaped = |name: &str| name.replace('[', "[[]").replace('*', "[*]").replace('?', "[?]");
        Selector::Patterns(names.map(escaped).collect())
    }

    /// Whether it selects an array; `place` is what errors call it.
    pub fn takes(&self, place: &str, name: &str, array: &Bound<'_, PyAny>) -> PyResult<bool> {
        let py = array.py();
        match self {
            Selector::Patterns(patterns) => {
                let matches = py.import("fnmatch")?.getattr("fnmatchcase")?;
                for pattern in patterns {
                    if matches.call1((name, pattern))?.is_truthy()? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Selector::Mask(mask) => truth(&format!("{place}({name:?}, ...)"), &mask.bind(py).call1((name, array))?),
        }
    }

    /// As it was given; one pattern as a string.
    pub fn to_python<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match self {
            Selector::Patterns(patterns) => match patterns.as_slice() {
                [pattern] => Ok(pattern.into_pyobject(py)?.into_any()),
                patterns => Ok(patterns.into_pyobject(py)?.into_any()),
            },
            Selector::Mask(mask) => Ok(mask.bind(py).clone()),
        }
    }

    /// The same again.
    pub fn copied(&self, py: Python<'_>) -> Self {
        match self {
            Selector::Patterns(patterns) => Selector::Patterns(patterns.clone()),
            Selector::Mask(mask) => Selector::Mask(mask.clone_ref(py)),
        }
    }
}

/// A boolean of Python's or NumPy's, nothing else.
pub fn truth(place: &str, value: &Bound<'_, PyAny>) -> PyResult<bool> {
    match boolean(value) {
        Some(truth) => Ok(truth),
        None => Err(PyTypeError::new_err(format!("{place} must be True or False, got {}", shown(value)?))),
    }
}
