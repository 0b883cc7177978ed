//! New arrays of NumPy's; where there is no memory for one, its `MemoryError`.

use numpy::npyffi::{PY_ARRAY_API, npy_intp};
use numpy::{PyArray1, PyArray2, PyArrayDescrMethods, PyArrayMethods};
use pyo3::prelude::*;

use crate::py::calls::Call;
use crate::py::precision::Precision;

/// A matrix of zeros.
pub fn zeros<T: Precision>(py: Python<'_>, (rows, cols): (usize, usize)) -> PyResult<Bound<'_, PyArray2<T>>> {
    Ok(of_zeros::<T, 2>(py, [rows, cols])?.cast_into()?)
}

/// A vector with these numbers.
pub fn vector<'py, T: Precision>(py: Python<'py>, numbers: &[T]) -> PyResult<Bound<'py, PyArray1<T>>> {
    let array = of_zeros::<T, 1>(py, [numbers.len()])?.cast_into::<PyArray1<T>>()?;
    array.readwrite().as_slice_mut()?.copy_from_slice(numbers);
    Ok(array)
}

fn of_zeros<T: Precision, const N: usize>(py: Python<'_>, shape: [usize; N]) -> PyResult<Bound<'_, PyAny>> {
    // NumPy lets other threads run while it asks for memory.
    let _call = Call::begin()?;
    let mut shape = shape.map(|n| n as npy_intp);
    let dtype = numpy::dtype::<T>(py).into_dtype_ptr();
    // SAFETY: the shape has `N` lengths, the reference to the dtype is given away, and the interpreter is attached.
    unsafe {
        let array = PY_ARRAY_API.PyArray_Zeros(py, N as i32, shape.as_mut_ptr(), dtype, 0);
        Bound::from_owned_ptr_or_err(py, array)
    }
}
