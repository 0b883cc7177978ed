//! Settings by name, as a dict brings them.

use pyo3::conversion::FromPyObjectOwned;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Settings that are taken out one by one; one that nobody takes is a misspelt one.
pub struct Keywords<'py>(Bound<'py, PyDict>);

impl<'py> Keywords<'py> {
    pub fn new(given: &Bound<'py, PyDict>) -> PyResult<Self> {
        Ok(Keywords(given.copy()?))
    }

    /// A setting that must be there.
    pub fn required<T: FromPyObjectOwned<'py>>(&self, name: &str) -> PyResult<T> {
        self.optional(name)?.ok_or_else(|| PyTypeError::new_err(format!("argument '{name}' is missing")))
    }

    /// A setting, unless it is left out or None.
    pub fn optional<T: FromPyObjectOwned<'py>>(&self, name: &str) -> PyResult<Option<T>> {
        let Some(value) = self.0.get_item(name)? else { return Ok(None) };
        self.0.del_item(name)?;
        value.extract::<Option<T>>().map_err(|error| {
            let (py, error): (_, PyErr) = (value.py(), error.into());
            if !error.is_instance_of::<PyTypeError>(py) {
                return error;
            }
            PyTypeError::new_err(format!("argument '{name}': {}", error.value(py)))
        })
    }

    /// Refuses what nobody has taken.
    pub fn finish(self) -> PyResult<()> {
        match self.0.keys().iter().next() {
            Some(name) => Err(PyTypeError::new_err(format!("unexpected argument {}", name.repr()?))),
            None => Ok(()),
        }
    }
}
