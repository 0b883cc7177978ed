//! Arrays of rows, borrowed from Python to read.

use ndarray::Dimension;
use numpy::{BorrowError, Element, PyArray, PyArrayMethods, PyReadonlyArray};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use crate::error::Error;

/// Borrows one that Python code of ours has made: of the right dtype, and of as many axes as it should have.
pub fn borrowed<'py, T: Element, D: Dimension>(
    name: &str,
    given: &Bound<'py, PyAny>,
) -> PyResult<PyReadonlyArray<'py, T, D>> {
    given.cast::<PyArray<T, D>>()?.try_readonly().map_err(|error| unavailable(name, error))
}

/// What is raised where an array is in use, or may not be written.
pub fn unavailable(name: &str, error: BorrowError) -> PyErr {
    match error {
        BorrowError::NotWriteable => Error::value(name, "a read-only array", "writable").into(),
        _ => PyRuntimeError::new_err(format!(
            "{name} is in use by a call that has not ended, such as one in another thread, or was when this process was forked: \
             what a call writes, parameters of a network that is training among it, is nobody else's meanwhile"
        )),
    }
}
