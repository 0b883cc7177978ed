//! Rows to learn from, borrowed from Python.

use numpy::{PyReadonlyArray1, PyReadonlyArray2, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::borrow::borrowed;
use super::inputs::BorrowedInputs;
use crate::cores::cores;
use crate::error::Error;
use crate::kernels::loss::Targets;
use crate::mlp::Network;
use crate::mlp::data::{Data, Weights};
use crate::pool;
use crate::py::precision::Precision;

/// Classes that a thread checks together, in about 0.1 ms.
const CHECKED_TOGETHER: usize = 256 * 1024;

/// Rows as they come from Python, all checked and converted there: inputs, targets, weights, which may come with their unit.
pub type GivenRows<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>, Option<Bound<'py, PyAny>>);

/// Their borrowed arrays.
pub struct BorrowedRows<'py, T: Precision> {
    x: BorrowedInputs<'py, T>,
    /// How many threads may check them; None for as many as there are cores.
    threads: Option<usize>,
    targets: BorrowedTargets<'py, T>,
    /// With their unit.
    weights: Option<(PyReadonlyArray1<'py, T>, f64)>,
}

enum BorrowedTargets<'py, T: Precision> {
    Classes(PyReadonlyArray1<'py, u32>),
    Values(PyReadonlyArray2<'py, T>),
}

impl<'py, T: Precision> BorrowedRows<'py, T> {
    pub fn new(network: &Network, (x, targets, weights): &GivenRows<'py>, threads: Option<usize>) -> PyResult<Self> {
        let x = BorrowedInputs::new(x, network, threads)?;
        let rows = x.nrows();
        if rows > u32::MAX as usize {
            return Err(Error::value("X", format!("{rows} rows"), "of fewer than 2^32 rows").into());
        }
        let targets = BorrowedTargets::new(network, targets, rows, threads)?;
        let weights = weights.as_ref().map(weights_in_unit::<T>).transpose()?;
        if let Some((weights, _)) = &weights {
            check_shape("sample_weight", weights.shape(), &[rows])?;
        }
        Ok(BorrowedRows { x, threads, targets, weights })
    }

    pub fn data<'a>(&'a self) -> PyResult<Data<'a, T>> {
        let targets = match &self.targets {
            BorrowedTargets::Classes(classes) => Targets::Classes(classes.as_slice()?),
            BorrowedTargets::Values(values) => Targets::Values(values.as_slice()?),
        };
        let in_unit = |(values, unit): &'a (PyReadonlyArray1<'py, T>, f64)| {
            PyResult::Ok(Weights { values: values.as_slice()?, unit: *unit })
        };
        let weights = self.weights.as_ref().map(in_unit).transpose()?;
        Ok(Data { x: self.x.view(self.threads)?, targets, weights })
    }
}

impl<'py, T: Precision> BorrowedTargets<'py, T> {
    fn new(network: &Network, targets: &Bound<'py, PyAny>, rows: usize, threads: Option<usize>) -> PyResult<Self> {
        let outputs = network.outputs();
        if !network.loss.takes_classes() {
            let values: PyReadonlyArray2<'py, T> = borrowed("y", targets)?;
            check_shape("y", values.shape(), &[rows, outputs])?;
            return Ok(BorrowedTargets::Values(values));
        }
        let classes: PyReadonlyArray1<'py, u32> = borrowed("y", targets)?;
        let all = classes.as_slice()?;
        let unknown = pool::find_first(all.len(), CHECKED_TOGETHER, threads.unwrap_or_else(cores), |range| {
            all[range].iter().copied().find(|&class| class as usize >= outputs)
        });
        if let Some(class) = unknown {
            return Err(Error::value("y", class, format!("class indices below {outputs}")).into());
        }
        check_shape("y", classes.shape(), &[rows])?;
        Ok(BorrowedTargets::Classes(classes))
    }
}

/// Weights, and their unit: 1 where they come alone.
fn weights_in_unit<'py, T: Precision>(given: &Bound<'py, PyAny>) -> PyResult<(PyReadonlyArray1<'py, T>, f64)> {
    match given.cast::<PyTuple>() {
        Ok(pair) => {
            let (weights, unit): (Bound<'py, PyAny>, f64) = pair.extract()?;
            Ok((borrowed("sample_weight", &weights)?, unit))
        }
        Err(_) => Ok((borrowed("sample_weight", given)?, 1.0)),
    }
}

/// Refuses an array of another shape.
pub fn check_shape(name: &str, got: &[usize], expected: &[usize]) -> Result<(), Error> {
    if got == expected {
        return Ok(());
    }
    Err(Error::value(name, format!("shape {got:?}"), format!("of shape {expected:?}")))
}
