//! Vectors in the form of all parameters, borrowed from Python.

use numpy::{PyArray1, PyArrayMethods, PyReadonlyArray1, PyReadwriteArray1, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::prelude::*;

use super::borrow::unavailable;
use super::data::check_shape;
use crate::error::Error;
use crate::py::precision::Precision;

/// Borrows one to read, as others may at the same time.
pub fn reading<'py, T: Precision>(
    name: &str,
    given: &Bound<'py, PyAny>,
    len: usize,
) -> PyResult<PyReadonlyArray1<'py, T>> {
    vector(name, given, len)?.try_readonly().map_err(|error| unavailable(name, error))
}

/// Borrows one to write.
pub fn writing<'py, T: Precision>(
    name: &str,
    given: &Bound<'py, PyAny>,
    len: usize,
) -> PyResult<PyReadwriteArray1<'py, T>> {
    vector(name, given, len)?.try_readwrite().map_err(|error| unavailable(name, error))
}

fn vector<'a, 'py, T: Precision>(
    name: &str,
    given: &'a Bound<'py, PyAny>,
    len: usize,
) -> Result<&'a Bound<'py, PyArray1<T>>, Error> {
    let Ok(vector) = given.cast::<PyArray1<T>>() else {
        let expected = format!("a vector of the network's dtype, float32 or float64, of {len} elements");
        return Err(Error::type_(name, described(given), expected));
    };
    check_shape(name, vector.shape(), &[len])?;
    if !vector.is_c_contiguous() {
        return Err(Error::value(name, "another layout", "C-contiguous"));
    }
    if !vector.is_aligned() {
        return Err(Error::value(name, "an array that is not aligned in memory", "aligned"));
    }
    Ok(vector)
}

fn described(given: &Bound<'_, PyAny>) -> String {
    match given.cast::<PyUntypedArray>() {
        Ok(array) => format!("an array of {} of shape {:?}", array.dtype(), array.shape()),
        Err(_) => given.get_type().to_string(),
    }
}
