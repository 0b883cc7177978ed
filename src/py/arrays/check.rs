//! Whether an object is an array of a dtype that is taken.

use pyo3::Borrowed;
use pyo3::prelude::*;

use super::fields::{Element, Fields};
use crate::error::{Error, Result};

/// The fields of an array; refuses everything else.
pub fn expect_array<'a>(object: Borrowed<'a, '_, PyAny>, name: &str) -> Result<Fields<'a>> {
    Fields::of(object).ok_or_else(|| {
        let got = object.get_type().qualname().map_or_else(|_| "another object".into(), |name| name.to_string());
        Error::type_(name, got, "a NumPy array")
    })
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
