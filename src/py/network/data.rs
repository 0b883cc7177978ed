//! Rows to learn from, borrowed from Python.

use numpy::{PyReadonlyArray1, PyReadonlyArray2, PyUntypedArrayMethods};
use pyo3::prelude::*;

use super::inputs::BorrowedInputs;
use crate::cores::cores;
use crate::error::Error;
use crate::kernels::loss::Targets;
use crate::mlp::Network;
use crate::mlp::data::Data;
use crate::pool;
use crate::py::precision::Precision;

/// Classes that a thread checks together, in about 0.1 ms.
const CHECKED_TOGETHER: usize = 256 * 1024;

/// Rows as they come from Python, all checked and converted there: inputs, targets, weights.
pub type GivenRows<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>, Option<Bound<'py, PyAny>>);

/// Their borrowed arrays.
pub struct BorrowedRows<'py, T: Precision> {
    x: BorrowedInputs<'py, T>,
    /// How many threads may check them; None for as many as there are cores.
    threads: Option<usize>,
    targets: BorrowedTargets<'py, T>,
    weights: Option<PyReadonlyArray1<'py, T>>,
}

enum BorrowedTargets<'py, T: Precision> {
    Classes(PyReadonlyArray1<'py, u32>),
    Values(PyReadonlyArray2<'py, T>),
}

impl<'py, T: Precision> BorrowedRows<'py, T> {
    pub fn new(network: &Network, (x, targets, weights): &GivenRows<'py>, threads: Option<usize>) -> PyResult<Self> {
        let x = BorrowedInputs::new(x, network.inputs())?;
        let rows = match &x {
            BorrowedInputs::Dense(x) if !x.is_c_contiguous() => {
                return Err(Error::value("X", "another layout", "C-contiguous").into());
            }
            x => x.nrows(),
        };
        if rows > u32::MAX as usize {
            return Err(Error::value("X", format!("{rows} rows"), "of fewer than 2^32 rows").into());
        }
        let targets = BorrowedTargets::new(network, targets, rows, threads)?;
        let weights: Option<PyReadonlyArray1<T>> = weights.as_ref().map(|weights| weights.extract()).transpose()?;
        if let Some(weights) = &weights {
            check_shape("sample_weight", weights.shape(), &[rows])?;
        }
        Ok(BorrowedRows { x, threads, targets, weights })
    }

    pub fn data(&self) -> PyResult<Data<'_, T>> {
        let targets = match &self.targets {
            BorrowedTargets::Classes(classes) => Targets::Classes(classes.as_slice()?),
            BorrowedTargets::Values(values) => Targets::Values(values.as_slice()?),
        };
        let weights = self.weights.as_ref().map(|weights| weights.as_slice()).transpose()?;
        Ok(Data { x: self.x.view(self.threads)?, targets, weights })
    }
}

impl<'py, T: Precision> BorrowedTargets<'py, T> {
    fn new(network: &Network, targets: &Bound<'py, PyAny>, rows: usize, threads: Option<usize>) -> PyResult<Self> {
        let outputs = network.outputs();
        if !network.loss.takes_classes() {
            let values: PyReadonlyArray2<T> = targets.extract()?;
            check_shape("y", values.shape(), &[rows, outputs])?;
            return Ok(BorrowedTargets::Values(values));
        }
        let classes: PyReadonlyArray1<u32> = targets.extract()?;
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

/// Refuses an array of another shape.
pub fn check_shape(name: &str, got: &[usize], expected: &[usize]) -> Result<(), Error> {
    if got == expected {
        return Ok(());
    }
    Err(Error::value(name, format!("shape {got:?}"), format!("of shape {expected:?}")))
}
