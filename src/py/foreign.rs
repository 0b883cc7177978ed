//! Objects that users give, asked what they are: whatever their own code raises meanwhile is raised.

use pyo3::PyTypeInfo;
use pyo3::exceptions::{PyOverflowError, PyRecursionError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyMapping, PySequence, PyString, PyTuple};

use super::arrays::is_array;

/// The most characters of an object that an error shows.
const SHOWN: usize = 120;

/// A mapping; None for what is none.
#[inline]
pub fn as_mapping<'py>(object: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyMapping>>> {
    if !object.is_instance_of::<PyDict>() {
        // What is known at a glance, before a class is asked whether it is a mapping.
        let is_sequence = object.is_instance_of::<PyList>() || object.is_instance_of::<PyTuple>();
        if is_sequence || is_array(object.as_borrowed()) || !object.is_instance(&PyMapping::type_object(object.py()))? {
            return Ok(None);
        }
    }
    Ok(object.cast::<PyMapping>().ok().cloned())
}

/// A sequence as a list; None for what is no sequence of arrays.
pub fn as_list<'py>(object: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyList>>> {
    if let Ok(list) = object.cast::<PyList>() {
        return Ok(Some(list.clone()));
    }
    if object.is_instance_of::<PyString>() {
        return Ok(None);
    }
    if let Ok(tuple) = object.cast::<PyTuple>() {
        return Ok(Some(tuple.to_list()));
    }
    if is_array(object.as_borrowed()) || !object.is_instance(&PySequence::type_object(object.py()))? {
        return Ok(None);
    }
    object.cast::<PySequence>().ok().map(|sequence| sequence.to_list()).transpose()
}

/// What an iterable gives, one after the other: no length that it claims is believed.
pub fn items<'py>(object: &Bound<'py, PyAny>) -> PyResult<Vec<Bound<'py, PyAny>>> {
    object.try_iter()?.collect()
}

/// A number; None for what is none. One that is too large for a float is infinite.
pub fn number(object: &Bound<'_, PyAny>) -> PyResult<Option<f64>> {
    match object.extract::<f64>() {
        Ok(x) => Ok(Some(x)),
        Err(raised) if raised.is_instance_of::<PyTypeError>(object.py()) => Ok(None),
        Err(raised) if raised.is_instance_of::<PyOverflowError>(object.py()) => Ok(Some(f64::INFINITY)),
        Err(raised) => Err(raised),
    }
}

/// What an iterable of numbers gives; None where something else is among them.
pub fn numbers(object: &Bound<'_, PyAny>) -> PyResult<Option<Vec<f64>>> {
    items(object)?.iter().map(number).collect()
}

/// A boolean of Python's or NumPy's; None for what is none.
pub fn boolean(object: &Bound<'_, PyAny>) -> Option<bool> {
    object.extract().ok()
}

/// An object as errors show it.
pub fn shown(object: &Bound<'_, PyAny>) -> PyResult<String> {
    let text = match object.repr() {
        Ok(text) => text.to_string(),
        // Lists in lists without an end.
        Err(raised) if raised.is_instance_of::<PyRecursionError>(object.py()) => kind(object)?,
        Err(raised) => return Err(raised),
    };
    Ok(shortened(text))
}

/// The same, but text as the errors of options show it.
pub fn quoted(object: &Bound<'_, PyAny>) -> PyResult<String> {
    match object.cast::<PyString>() {
        Ok(text) => Ok(shortened(format!("{:?}", text.to_string_lossy()))),
        Err(_) => shown(object),
    }
}

fn shortened(text: String) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

/// The name of an object's class.
pub fn kind(object: &Bound<'_, PyAny>) -> PyResult<String> {
    Ok(object.get_type().qualname()?.to_string())
}
