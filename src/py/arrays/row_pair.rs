//! A gradient of some rows as it comes from Python: a pair of indices and values.

use numpy::PyReadonlyArray1;
use numpy::npyffi::npy_intp;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::check::{expect_array, expect_element};
use super::fields::{Fields, shape_text};
use super::param::Param;
use super::row_gradient::{RowGradient, WHAT};
use super::walk::Walk;
use crate::buffer::{filled, with_capacity};
use crate::error::{Error, Result};
use crate::py::calls::Call;
use crate::scalar::Scalar;

/// The gradient of a parameter of which the pair names the rows: an array of indices along axis 0, and one of values.
pub fn row_gradient<T: Scalar>(param: &Param, pair: &Bound<'_, PyTuple>) -> PyResult<RowGradient<T>> {
    let name = format!("grads{}", param.path);
    let Some(&len) = param.shape.first() else {
        return Err(Error::type_(name, "a pair", "a number, as its parameter has no rows").into());
    };
    let Ok((indices, values)) = pair.extract::<(Bound<'_, PyAny>, Bound<'_, PyAny>)>() else {
        let got = format!("a tuple of {}", pair.len());
        return Err(Error::type_(name, got, "an array, or a pair (rows, values)").into());
    };
    let rows = row_indices(&indices, format!("rows of {name}"), len)?;
    let fields = expect_values(param, &values, format!("values of {name}"), rows.len())?;
    let (place, backwards) = param.order.first_axis();
    let (outer, inner) = param.order.around(place, &param.shape);
    let inner = inner * param.element.parts();
    let mut loaded = filled(T::ZERO, outer * rows.len() * inner, WHAT)?;
    let mut walk = Walk::empty();
    let element = fields.element().unwrap_or(param.element);
    walk.set(fields, &param.order.first_axis_forwards(), element);
    // SAFETY: the array has these elements, and the interpreter is attached.
    unsafe { walk.read(0, &mut loaded) };
    let len = len as usize;
    let in_memory = |row: usize| if backwards { len - 1 - row } else { row };
    let rows: Vec<_> = rows.into_iter().map(in_memory).collect();
    Ok(RowGradient::new(&rows, &loaded, len, outer, inner)?)
}

/// The values' fields; refuses values of another dtype or shape than `count` rows of the parameter have.
fn expect_values<'a>(param: &Param, values: &'a Bound<'_, PyAny>, name: String, count: usize) -> Result<Fields<'a>> {
    let fields = expect_array(values.as_borrowed(), &name)?;
    expect_element(values.as_borrowed(), fields, &name, param.element)?;
    let mut expected = param.shape.clone();
    expected[0] = count as npy_intp;
    if fields.shape() != expected {
        let got = format!("shape {}", shape_text(fields.shape()));
        return Err(Error::value(name, got, format!("of shape {}", shape_text(&expected))));
    }
    Ok(fields)
}

/// Row indices below `len`.
fn row_indices(indices: &Bound<'_, PyAny>, name: String, len: npy_intp) -> PyResult<Vec<usize>> {
    let fields = expect_array(indices.as_borrowed(), &name)?;
    let dtype = indices.getattr("dtype")?;
    if !matches!(dtype.getattr("kind")?.extract::<char>()?, 'i' | 'u') {
        return Err(Error::type_(name, dtype, "an array of integers").into());
    }
    if fields.shape().len() != 1 {
        let got = format!("shape {}", shape_text(fields.shape()));
        return Err(Error::value(name, got, "of one axis").into());
    }
    let within = |index: i64| usize::try_from(index).ok().filter(|_| index < len as i64);
    // NumPy lets other threads run while it converts many numbers.
    let _call = Call::begin()?;
    // What does not fit becomes negative, and is refused with the others.
    let numbers: PyReadonlyArray1<'_, i64> = indices.call_method1("astype", ("int64",))?.extract()?;
    let mut rows = with_capacity(numbers.len()?, WHAT)?;
    for (place, &index) in numbers.as_array().iter().enumerate() {
        let Some(row) = within(index) else {
            let got = indices.call_method1("item", (place,))?;
            return Err(Error::value(&name, got, format!("indices >= 0 and < {len}")).into());
        };
        rows.push(row);
    }
    Ok(rows)
}
