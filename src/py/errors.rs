//! Errors of the core as Python exceptions.

use pyo3::exceptions::{PyArithmeticError, PyMemoryError, PyTypeError, PyValueError};
use pyo3::prelude::*;

use crate::error::{Error, Foreign};

pyo3::create_exception!(
    schuss,
    NonFiniteError,
    PyArithmeticError,
    "NaN or infinity in a gradient or a loss, or in what a step would leave. Nothing was changed by that step."
);

impl From<Error> for PyErr {
    fn from(error: Error) -> PyErr {
        let message = error.to_string();
        match error {
            Error::Value(_) => PyValueError::new_err(message),
            Error::Type(_) => PyTypeError::new_err(message),
            Error::Memory { .. } => PyMemoryError::new_err(message),
            Error::NonFinite { .. } => NonFiniteError::new_err(message),
            // A Python exception that went through the core comes out as it was.
            Error::Foreign(Foreign(cause)) => match cause.downcast_ref::<PyErr>() {
                Some(exception) => Python::attach(|py| exception.clone_ref(py)),
                None => PyValueError::new_err(message),
            },
        }
    }
}

/// A Python exception on its way through the core.
pub fn foreign(exception: PyErr) -> Error {
    Error::Foreign(Foreign(std::sync::Arc::new(exception)))
}
