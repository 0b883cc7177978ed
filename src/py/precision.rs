//! float32 or float64: the one place where the bridge chooses between them.

use std::any::Any;

use numpy::{Element, PyArrayDyn};
use pyo3::prelude::*;

use crate::scalar::Scalar;

/// A number type that is computed with for Python.
pub trait Precision: Scalar + Element {}

impl Precision for f32 {}
impl Precision for f64 {}

/// What exists for either precision, for the one that is in use.
pub enum Either<Single, Double> {
    Single(Single),
    Double(Double),
}

/// The precision alone.
pub type Dtype = Either<(), ()>;

/// Does the same in either precision: with what is in an [`Either`], or with the number type of a [`Dtype`].
macro_rules! dispatch {
    ($dtype:expr, <$number:ident> => $body:expr) => {
        match $dtype {
            $crate::py::precision::Either::Single(_) => {
                type $number = f32;
                $body
            }
            $crate::py::precision::Either::Double(_) => {
                type $number = f64;
                $body
            }
        }
    };
    ($either:expr, $one:pat => $body:expr) => {
        match $either {
            $crate::py::precision::Either::Single($one) => $body,
            $crate::py::precision::Either::Double($one) => $body,
        }
    };
}

pub(super) use dispatch;

impl<Single: Any, Double: Any> Either<Single, Double> {
    /// What is inside, where that is a `One`: how a function that is generic over the precision gets at its own.
    pub fn get_mut<One: Any>(&mut self) -> Option<&mut One> {
        dispatch!(self, one => (one as &mut dyn Any).downcast_mut())
    }
}

impl Dtype {
    /// Of a float32 array; the other one for everything else, whose conversion says what is wrong with it.
    pub fn of(array: &Bound<'_, PyAny>) -> Self {
        match array.cast::<PyArrayDyn<f32>>() {
            Ok(_) => Either::Single(()),
            Err(_) => Either::Double(()),
        }
    }
}
