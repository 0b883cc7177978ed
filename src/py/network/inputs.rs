//! The inputs of rows as they come from Python: an array, or the arrays of a sparse matrix.

use ndarray::s;
use numpy::{PyArray1, PyReadonlyArray1, PyReadonlyArray2, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::borrow::borrowed;
use crate::cores::cores;
use crate::error::Error;
use crate::kernels::sparse::{Csr, Indices};
use crate::mlp::Network;
use crate::mlp::data::Inputs;
use crate::mlp::embeddings::{Embedding, InputStage};
use crate::pool;
use crate::py::precision::Precision;

/// Numbers of levels that a thread checks together.
const CHECKED_TOGETHER: usize = 256 * 1024;

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
pub enum BorrowedIndices<'py> {
    Short(PyReadonlyArray1<'py, i32>),
    Long(PyReadonlyArray1<'py, i64>),
}

impl<'py> BorrowedIndices<'py> {
    fn new(given: &Bound<'py, PyAny>) -> PyResult<Self> {
        Ok(match given.cast::<PyArray1<i32>>() {
            Ok(_) => BorrowedIndices::Short(borrowed("X", given)?),
            Err(_) => BorrowedIndices::Long(borrowed("X", given)?),
        })
    }

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
    /// An array, or a tuple `(data, indices, indptr, columns)` of compressed sparse rows, that may go into a network.
    pub fn new(x: &Bound<'py, PyAny>, network: &Network, threads: Option<usize>) -> PyResult<Self> {
        let inputs = Self::of_width(x, network.inputs())?;
        inputs.check(&network.input_stage, threads)?;
        Ok(inputs)
    }

    /// Refuses what embeddings cannot take.
    fn check(&self, stage: &InputStage, threads: Option<usize>) -> PyResult<()> {
        let x = match self {
            _ if stage.is_empty() => return Ok(()),
            BorrowedInputs::Sparse { .. } => {
                let expected = "dense for a network with embeddings or input_scale";
                return Err(Error::value("X", "a sparse matrix", expected).into());
            }
            BorrowedInputs::Dense(x) => x.as_array(),
        };
        for embedding in &stage.embeddings {
            let Embedding::Category { column, levels, .. } = *embedding else { continue };
            let (codes, most) = (x.column(column), levels as f64);
            let unknown = pool::find_first(codes.len(), CHECKED_TOGETHER, threads.unwrap_or_else(cores), |range| {
                let is_level = |code: f64| code >= 0.0 && code < most && code.trunc() == code;
                codes.slice(s![range]).iter().map(|code| code.to_f64()).find(|&code| !is_level(code))
            });
            if let Some(code) = unknown {
                let expected = format!("whole numbers from 0 to {}, the levels of the category", levels - 1);
                return Err(Error::value("X", format!("{code} in column {column}"), expected).into());
            }
        }
        Ok(())
    }

    /// Of so many columns.
    fn of_width(x: &Bound<'py, PyAny>, width: usize) -> PyResult<Self> {
        let (borrowed, got) = if let Ok(parts) = x.cast::<PyTuple>() {
            let (values, columns, starts, got): (Bound<'py, PyAny>, Bound<'py, PyAny>, Bound<'py, PyAny>, _) =
                parts.extract()?;
            let (columns, starts) = (BorrowedIndices::new(&columns)?, BorrowedIndices::new(&starts)?);
            (BorrowedInputs::Sparse { values: borrowed("X", &values)?, columns, starts, width }, got)
        } else {
            let x: PyReadonlyArray2<'py, T> = borrowed("X", x)?;
            if !x.is_c_contiguous() {
                return Err(Error::value("X", "another layout", "C-contiguous").into());
            }
            if !x.is_aligned() {
                return Err(Error::value("X", "an array that is not aligned in memory", "aligned").into());
            }
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
