//! Rows to learn from, borrowed from Python.

use numpy::{PyReadonlyArray1, PyReadonlyArray2, PyUntypedArrayMethods};
use pyo3::prelude::*;

use super::inputs::BorrowedInputs;
use crate::error::Error;
use crate::kernels::loss::Targets;
use crate::mlp::Network;
use crate::mlp::data::Data;
use crate::py::precision::Precision;

/// Rows as they come from Python, all checked and converted there: inputs, targets, weights.
pub type GivenRows<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>, Option<Bound<'py, PyAny>>);

/// Their borrowed arrays.
pub struct BorrowedRows<'py, T: Precision> {
    x: BorrowedInputs<'py, T>,
    targets: BorrowedTargets<'py, T>,
    weights: Option<PyReadonlyArray1<'py, T>>,
}

enum BorrowedTargets<'py, T: Precision> {
    Classes(PyReadonlyArray1<'py, u32>),
    Values(PyReadonlyArray2<'py, T>),
}

impl<'py, T: Precision> BorrowedRows<'py, T> {
    pub fn new(network: &Network, (x, targets, weights): &GivenRows<'py>) -> PyResult<Self> {
        let x = BorrowedInputs::new(x, network.inputs())?;
        let rows = match &x {
            BorrowedInputs::Dense(x) if !x.is_c_contiguous() => {
                return Err(Error::value("X", "another layout", "C-contiguous").into());
            }
            x => x.view()?.nrows(),
        };
        if rows > u32::MAX as usize {
            return Err(Error::value("X", format!("{rows} rows"), "of fewer than 2^32 rows").into());
        }
        let targets = BorrowedTargets::new(network, targets, rows)?;
        let weights: Option<PyReadonlyArray1<T>> = weights.as_ref().map(|weights| weights.extract()).transpose()?;
        if let Some(weights) = &weights {
            check_shape("sample_weight", weights.shape(), &[rows])?;
        }
        Ok(BorrowedRows { x, targets, weights })
    }

    pub fn data(&self) -> PyResult<Data<'_, T>> {
        let targets = match &self.targets {
            BorrowedTargets::Classes(classes) => Targets::Classes(classes.as_slice()?),
            BorrowedTargets::Values(values) => Targets::Values(values.as_slice()?),
        };
        let weights = self.weights.as_ref().map(|weights| weights.as_slice()).transpose()?;
        Ok(Data { x: self.x.view()?, targets, weights })
    }
}

impl<'py, T: Precision> BorrowedTargets<'py, T> {
    fn new(network: &Network, targets: &Bound<'py, PyAny>, rows: usize) -> PyResult<Self> {
        let outputs = network.outputs();
        if !network.loss.takes_classes() {
            let values: PyReadonlyArray2<T> = targets.extract()?;
            check_shape("y", values.shape(), &[rows, outputs])?;
            return Ok(BorrowedTargets::Values(values));
        }
        let classes: PyReadonlyArray1<u32> = targets.extract()?;
        if let Some(&class) = classes.as_slice()?.iter().find(|&&class| class as usize >= outputs) {
            return Err(Error::value("y", class, format!("class indices below {outputs}")).into());
        }
        check_shape("y", classes.shape(), &[rows])?;
        Ok(BorrowedTargets::Classes(classes))
    }
}

/// Refuses an array of another shape.
pub fn check_shape(name: &str, got: &[usize], expected: &[usize]) -> Result<(), Error> {
    if got == expected {
        return Ok(());
    }
    Err(Error::value(name, format!("shape {got:?}"), format!("of shape {expected:?}")))
}
