//! Single arguments from Python by their names, which errors say.

use pyo3::Borrowed;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBool;

use super::foreign::{self, shown};
use crate::error::Error;

/// An argument that is checked once its name is known.
pub enum Given {
    Default,
    Value(Py<PyAny>),
}

impl<'py> FromPyObject<'_, 'py> for Given {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        Ok(Given::Value(value.to_owned().unbind()))
    }
}

impl Given {
    /// As [`count`].
    pub fn count(&self, py: Python<'_>, name: &str, default: usize) -> PyResult<usize> {
        match self {
            Given::Default => Ok(default),
            Given::Value(value) => count(name, value.bind(py)),
        }
    }

    /// As [`number`].
    pub fn number(&self, py: Python<'_>, name: &str, default: f64) -> PyResult<f64> {
        match self {
            Given::Default => Ok(default),
            Given::Value(value) => number(name, value.bind(py)),
        }
    }
}

/// A real number.
pub fn number(name: &str, value: &Bound<'_, PyAny>) -> PyResult<f64> {
    if let Some(x) = foreign::number(value)? {
        return Ok(x);
    }
    match foreign::number_of_any_size(value)? {
        Some(_) => Err(Error::value(name, shown(value)?, "a number that a float holds").into()),
        None => Err(Error::type_(name, shown(value)?, "a number").into()),
    }
}

/// An integer that is not negative; one that no machine counts to is refused by name.
pub fn count(name: &str, value: &Bound<'_, PyAny>) -> PyResult<usize> {
    let got = shown(value)?;
    if value.is_instance_of::<PyBool>() || !foreign::is_scalar(value, "iu")? {
        return Err(Error::type_(name, got, "an integer").into());
    }
    let Ok(index) = value.call_method0("__index__") else {
        return Err(Error::type_(name, got, "an integer").into());
    };
    index
        .extract::<i64>()
        .ok()
        .and_then(|count| usize::try_from(count).ok())
        .ok_or_else(|| PyValueError::new_err(format!("{name} must be an integer from 0 to 2**63 - 1, got {got}")))
}

/// True or False, of Python's or NumPy's.
pub fn flag(name: &str, value: &Bound<'_, PyAny>) -> PyResult<bool> {
    match foreign::boolean(value) {
        Some(on) => Ok(on),
        None => Err(Error::type_(name, shown(value)?, "True or False").into()),
    }
}

/// Real numbers of a sequence or an array of one dimension; infinite where no float is as large.
pub fn numbers(name: &str, value: &Bound<'_, PyAny>) -> PyResult<Vec<f64>> {
    let found: Option<Vec<_>> = match foreign::is_ordered(value)? {
        true => foreign::items(value)?.iter().map(foreign::number_of_any_size).collect::<PyResult<_>>()?,
        false => None,
    };
    found.map_or_else(|| Err(Error::type_(name, shown(value)?, "a sequence of numbers").into()), Ok)
}

/// An error about the number of arguments.
pub fn wrong_count(name: &str, got: usize, expected: usize) -> PyErr {
    PyTypeError::new_err(format!("{name} must be given {expected} arguments, got {got}"))
}
