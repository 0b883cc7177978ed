//! Arrays that must stay where they are while other Python threads run.

use pyo3::prelude::*;
use pyo3::types::{PyTuple, PyWeakrefReference};

use super::fields::Fields;

/// Weak references to arrays: NumPy resizes no array that has one, not even with `refcheck=False`.
///
/// What gets past it is only what takes memory away by force, such as a call of `ndarray.__setstate__`.
#[derive(Default)]
pub struct Pins(Vec<Py<PyWeakrefReference>>);

impl Pins {
    /// An array, and the arrays whose memory it is a view of, or a tuple of arrays; other objects need no pin.
    pub fn add(&mut self, array: &Bound<'_, PyAny>) -> PyResult<()> {
        if let Ok(arrays) = array.cast::<PyTuple>() {
            return arrays.iter().try_for_each(|array| self.add(&array));
        }
        let mut array = array.clone();
        while let Some(fields) = Fields::of(array.as_borrowed()) {
            self.0.push(PyWeakrefReference::new(&array)?.unbind());
            let Some(base) = fields.base(array.py()) else { break };
            array = base;
        }
        Ok(())
    }
}
