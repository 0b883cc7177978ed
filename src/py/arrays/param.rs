//! One parameter of an optimizer, and what it was when it was bound.

use numpy::npyffi::npy_intp;
use pyo3::Borrowed;
use pyo3::prelude::*;

use super::check::{element, expect_array, expect_element, unmasked};
use super::fields::{Element, Fields, shape_text};
use super::walk::{Order, Walk};
use crate::error::{Error, Result};

/// A parameter, with what it was when it was bound.
pub struct Param {
    pub array: Py<PyAny>,
    /// Where it is in the caller's structure, for example `[0]["w"]`.
    pub path: String,
    pub element: Element,
    data: *mut u8,
    pub shape: Vec<npy_intp>,
    strides: Vec<npy_intp>,
    /// Kept, so that no other dtype can be at its address.
    descr: Py<PyAny>,
    pub c_contiguous: bool,
    pub f_contiguous: bool,
    pub order: Order,
    pub walk: Walk,
}

impl Param {
    /// Refuses what could not be updated in place even if it were writable.
    pub fn bind(array: &Bound<'_, PyAny>, path: String, precision: &str) -> Result<Self> {
        let name = format!("params{path}");
        let fields = expect_array(array.as_borrowed(), &name)?;
        let element = element(array.as_borrowed(), &name)?;
        if element.precision() != precision {
            let expected = format!("an array whose numbers are of {precision}, as those of the first one are");
            return Err(Error::type_(name, element.name(), expected));
        }
        let mut walk = Walk::empty();
        let order = Order::of_memory(fields);
        walk.set(fields, &order, element);
        if walk.may_overlap_itself(element.size()) {
            let got = format!("an array of strides {:?} whose elements may overlap", fields.strides());
            return Err(Error::value(name, got, "an array whose elements have memory of their own"));
        }
        Ok(Param {
            array: array.clone().unbind(),
            path,
            element,
            data: fields.data(),
            shape: fields.shape().to_vec(),
            strides: fields.strides().to_vec(),
            descr: fields.descr_object(array.py()).unbind(),
            c_contiguous: fields.c_contiguous() && fields.aligned(),
            f_contiguous: fields.f_contiguous() && fields.aligned(),
            order,
            walk,
        })
    }

    /// Refuses a parameter that is no longer what it was when it was bound, or that may not be written.
    #[inline]
    pub fn verify(&self, py: Python<'_>) -> Result<()> {
        let fields = self.verify_layout(py)?;
        if fields.writeable() {
            return Ok(());
        }
        Err(Error::value(format!("params{}", self.path), "a read-only array", "writable"))
    }

    /// Refuses a parameter that is no longer what it was when it was bound.
    #[inline]
    pub fn verify_layout<'a>(&'a self, py: Python<'a>) -> Result<Fields<'a>> {
        let fields = Fields::of_array(self.array.bind_borrowed(py));
        let same = fields.data() == self.data
            && self.has_descr(fields)
            && equal(fields.shape(), &self.shape)
            && equal(fields.strides(), &self.strides);
        if same { Ok(fields) } else { Err(self.changed()) }
    }

    /// Whether an array has the very dtype of this one.
    #[inline]
    pub fn has_descr(&self, fields: Fields<'_>) -> bool {
        fields.descr().cast() == self.descr.as_ptr()
    }

    #[cold]
    fn changed(&self) -> Error {
        let got = "another shape, dtype or memory than then";
        Error::value(format!("params{}", self.path), got, "as it was when the optimizer was made")
    }

    /// The fields of an array of this parameter's shape, and its dtype where that is right for a gradient or state.
    pub fn accepted<'a>(&self, array: Borrowed<'a, '_, PyAny>) -> Option<(Fields<'a>, Element)> {
        let fields = unmasked(array).filter(|fields| fields.shape() == self.shape)?;
        Some((fields, fields.element().filter(|&element| self.element.takes(element))?))
    }

    /// What is wrong with an array that is to be this parameter's gradient.
    #[cold]
    pub fn refuse_gradient(&self, gradient: Borrowed<'_, '_, PyAny>) -> Error {
        self.refuse(gradient, format!("grads{}", self.path))
    }

    /// What is wrong with an array that is to have this parameter's shape and dtype.
    #[cold]
    pub fn refuse(&self, gradient: Borrowed<'_, '_, PyAny>, name: String) -> Error {
        let fields = match expect_array(gradient, &name) {
            Ok(fields) => fields,
            Err(error) => return error,
        };
        match expect_element(gradient, fields, &name, self.element) {
            Err(error) => error,
            Ok(()) => {
                let got = format!("shape {}", shape_text(fields.shape()));
                Error::value(name, got, format!("of shape {}", shape_text(&self.shape)))
            }
        }
    }
}

/// Whether two short slices are equal, without the call that `==` makes of it.
#[inline]
pub fn equal(a: &[npy_intp], b: &[npy_intp]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a == b)
}
