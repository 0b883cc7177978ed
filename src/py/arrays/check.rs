//! Whether an object is an array of a dtype that is taken.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};
use pyo3::{Borrowed, intern};

use super::fields::{Element, Fields};
use crate::error::{Error, Result};

/// The fields of an array; refuses everything else.
#[inline]
pub fn expect_array<'a>(object: Borrowed<'a, '_, PyAny>, name: &str) -> Result<Fields<'a>> {
    match unmasked(object) {
        Some(fields) => Ok(fields),
        None => Err(refused(object, name)),
    }
}

/// The fields of an array without a mask, which would not be heeded; None for everything else.
#[inline]
pub fn unmasked<'a>(object: Borrowed<'a, '_, PyAny>) -> Option<Fields<'a>> {
    Fields::of_plain(object).or_else(|| of_subclass(object))
}

#[cold]
fn of_subclass<'a>(object: Borrowed<'a, '_, PyAny>) -> Option<Fields<'a>> {
    Fields::of(object).filter(|_| !is_masked(object))
}

#[cold]
fn refused(object: Borrowed<'_, '_, PyAny>, name: &str) -> Error {
    if is_array(object) {
        return Error::type_(name, "a masked array", "an array without a mask: fill it, or take its data");
    }
    let got = object.get_type().qualname().map_or_else(|_| "another object".into(), |name| name.to_string());
    Error::type_(name, got, "a NumPy array")
}

/// Whether it is one of NumPy's masked arrays. Nothing of the caller's runs here: where their module has not been imported
/// there are none, and a module gives its classes by itself.
fn is_masked(object: Borrowed<'_, '_, PyAny>) -> bool {
    let py = object.py();
    // SAFETY: the interpreter is attached; the dict of modules is borrowed from it.
    let modules = unsafe { Borrowed::from_ptr(py, pyo3::ffi::PyImport_GetModuleDict()) };
    let Ok(modules) = modules.cast::<PyDict>() else { return false };
    let Ok(Some(module)) = modules.get_item(intern!(py, "numpy.ma")) else { return false };
    let Ok(class) = module.getattr(intern!(py, "MaskedArray")) else { return false };
    class.cast::<PyType>().is_ok_and(|class| object.get_type().is_subclass(class).unwrap_or(false))
}

/// Refuses an array of another dtype than a parameter of `element` takes.
pub fn expect_element(array: Borrowed<'_, '_, PyAny>, fields: Fields<'_>, name: &str, element: Element) -> Result<()> {
    match fields.element() {
        Some(found) if element.takes(found) => Ok(()),
        _ => Err(Error::type_(name, dtype_text(array), format!("an array of {}", element.name()))),
    }
}

/// The dtype of an array, for an error.
#[cold]
fn dtype_text(array: Borrowed<'_, '_, PyAny>) -> String {
    let dtype = array.getattr("dtype").and_then(|dtype| dtype.str());
    dtype.map_or_else(|_| "another dtype".into(), |dtype| dtype.to_string())
}

/// Whether the object is a NumPy array.
#[inline]
pub fn is_array(object: Borrowed<'_, '_, PyAny>) -> bool {
    Fields::of(object).is_some()
}

/// The dtype of an array that is to be a parameter.
pub fn element(array: Borrowed<'_, '_, PyAny>, name: &str) -> Result<Element> {
    let fields = expect_array(array, name)?;
    fields.element().ok_or_else(|| Error::type_(name, dtype_text(array), Element::ALL))
}
