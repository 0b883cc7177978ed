//! The inputs of rows as they come from Python: an array, or the arrays of a sparse matrix.

use numpy::{PyReadonlyArray1, PyReadonlyArray2, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::cores::cores;
use crate::error::Error;
use crate::kernels::sparse::{Csr, Indices};
use crate::mlp::data::Inputs;
use crate::py::precision::Precision;

/// Borrowed arrays.
pub enum BorrowedInputs<'py, T: Precision> {
    Dense(PyReadonlyArray2<'py, T>),
    Sparse {
        values: PyReadonlyArray1<'py, T>,
        columns: BorrowedIndices<'py>,
        starts: BorrowedIndices<'py>,
        width: usize,
    },
}

/// Integers of a sparse matrix.
#[derive(FromPyObject)]
pub enum BorrowedIndices<'py> {
    Short(PyReadonlyArray1<'py, i32>),
    Long(PyReadonlyArray1<'py, i64>),
}

impl BorrowedIndices<'_> {
    fn len(&self) -> usize {
        match self {
            BorrowedIndices::Short(all) => all.len(),
            BorrowedIndices::Long(all) => all.len(),
        }
    }

    fn indices(&self) -> PyResult<Indices<'_>> {
        Ok(match self {
            BorrowedIndices::Short(all) => Indices::Short(all.as_slice()?),
            BorrowedIndices::Long(all) => Indices::Long(all.as_slice()?),
        })
    }
}

impl<'py, T: Precision> BorrowedInputs<'py, T> {
    /// An array, or a tuple `(data, indices, indptr, columns)` of compressed sparse rows; `width` columns.
    pub fn new(x: &Bound<'py, PyAny>, width: usize) -> PyResult<Self> {
        let (borrowed, got) = if let Ok(parts) = x.cast::<PyTuple>() {
            let (values, columns, starts, got) = parts.extract()?;
            (BorrowedInputs::Sparse { values, columns, starts, width }, got)
        } else {
            let x: PyReadonlyArray2<T> = x.extract()?;
            let got = x.shape()[1];
            (BorrowedInputs::Dense(x), got)
        };
        if got == width {
            return Ok(borrowed);
        }
        Err(Error::value("X", format!("{got} columns"), format!("of {width} columns")).into())
    }

    /// How many rows there are.
    pub fn nrows(&self) -> usize {
        match self {
            BorrowedInputs::Dense(x) => x.shape()[0],
            BorrowedInputs::Sparse { starts, .. } => starts.len().saturating_sub(1),
        }
    }

    /// What the core takes; a sparse matrix is checked, by up to `threads` threads.
    pub fn view(&self, threads: Option<usize>) -> PyResult<Inputs<'_, T>> {
        Ok(match self {
            BorrowedInputs::Dense(x) => Inputs::Dense(x.as_array()),
            BorrowedInputs::Sparse { values, columns, starts, width } => {
                let threads = threads.unwrap_or_else(cores);
                Inputs::Sparse(Csr::new(values.as_slice()?, columns.indices()?, starts.indices()?, *width, threads)?)
            }
        })
    }
}
