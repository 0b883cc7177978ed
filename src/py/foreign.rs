//! Objects that users give, asked what they are: whatever their own code raises meanwhile is raised.

use pyo3::PyTypeInfo;
use pyo3::exceptions::{PyException, PyOverflowError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyDict, PyFloat, PyList, PyMapping, PyMemoryView, PySequence, PyString, PyTuple,
    PyType,
};

use super::arrays::is_array;
use super::calls::Call;

/// The most characters of an object that an error shows.
const SHOWN: usize = 120;

/// A mapping; None for what is none.
#[inline]
pub fn as_mapping<'py>(object: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyMapping>>> {
    if !object.is_instance_of::<PyDict>() {
        // What is known at a glance, before a class is asked whether it is a mapping.
        let is_sequence = object.is_instance_of::<PyList>() || object.is_instance_of::<PyTuple>();
        if is_sequence || is_array(object.as_borrowed()) {
            return Ok(None);
        }
        let _call = Call::begin()?;
        if !object.is_instance(&PyMapping::type_object(object.py()))? {
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
    if is_array(object.as_borrowed()) {
        return Ok(None);
    }
    let _call = Call::begin()?;
    if !object.is_instance(&PySequence::type_object(object.py()))? {
        return Ok(None);
    }
    object.cast::<PySequence>().ok().map(|sequence| sequence.to_list()).transpose()
}

/// What an iterable gives, one after the other: no length that it claims is believed.
pub fn items<'py>(object: &Bound<'py, PyAny>) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let _call = Call::begin()?;
    object.try_iter()?.collect()
}

/// A real number that a float holds; None for what is none, though Python would convert it: switches, text, durations, what is
/// masked.
pub fn number(object: &Bound<'_, PyAny>) -> PyResult<Option<f64>> {
    Ok(read(object)?.and_then(|read| read.ok()))
}

/// The same, infinite where no float is as large.
pub fn number_of_any_size(object: &Bound<'_, PyAny>) -> PyResult<Option<f64>> {
    match read(object)? {
        Some(Err(TooLarge)) if object.lt(0)? => Ok(Some(f64::NEG_INFINITY)),
        Some(Err(TooLarge)) => Ok(Some(f64::INFINITY)),
        read => Ok(read.and_then(|read| read.ok())),
    }
}

/// What no float is as large as.
struct TooLarge;

fn read(object: &Bound<'_, PyAny>) -> PyResult<Option<Result<f64, TooLarge>>> {
    if let Ok(float) = object.cast_exact::<PyFloat>() {
        return Ok(Some(Ok(float.value())));
    }
    if object.is_instance_of::<PyBool>() || is_text(object) || !is_scalar(object, "fiu")? {
        return Ok(None);
    }
    match object.extract::<f64>() {
        Ok(x) => Ok(Some(Ok(x))),
        Err(raised) if raised.is_instance_of::<PyTypeError>(object.py()) => Ok(None),
        Err(raised) if raised.is_instance_of::<PyOverflowError>(object.py()) => Ok(Some(Err(TooLarge))),
        Err(raised) => Err(raised),
    }
}

/// Whether it is no array, or one without dimensions; of NumPy's kinds only those that are given.
pub fn is_scalar(object: &Bound<'_, PyAny>, kinds: &str) -> PyResult<bool> {
    let Some(dtype) = object.getattr_opt("dtype")? else { return Ok(true) };
    let Some(Ok(kind)) = dtype.getattr_opt("kind")?.map(|kind| kind.extract::<String>()) else { return Ok(true) };
    let is_flat = object.getattr_opt("ndim")?.is_some_and(|ndim| ndim.extract::<usize>().is_ok_and(|count| count == 0));
    Ok(is_flat && kinds.contains(&kind) && !object.hasattr("mask")?)
}

/// Whether it is text, whose letters are numbers to Python where they are bytes.
pub fn is_text(object: &Bound<'_, PyAny>) -> bool {
    let is_bytes = object.is_instance_of::<PyBytes>()
        || object.is_instance_of::<PyByteArray>()
        || object.is_instance_of::<PyMemoryView>();
    object.is_instance_of::<PyString>() || is_bytes
}

/// Whether its entries have an order and an end: not those of sets, mappings and generators.
pub fn is_ordered(object: &Bound<'_, PyAny>) -> PyResult<bool> {
    let has_order = object.hasattr("__getitem__")? && object.hasattr("__len__")? && object.hasattr("__iter__")?;
    Ok(has_order
        && !is_text(object)
        && !object.is_instance_of::<PyType>()
        && as_mapping(object)?.is_none()
        && object.len().is_ok())
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
        Ok(text) => text.to_string_lossy().split_whitespace().collect::<Vec<_>>().join(" "),
        // Lists in lists without an end, integers too long for text, classes that cannot be shown.
        Err(raised) if raised.is_instance_of::<PyException>(object.py()) => format!("an object of {}", kind(object)?),
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
