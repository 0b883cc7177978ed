//! The best epoch of a training, as Python keeps it from one part of the training to the next.

use numpy::PyReadwriteArray1;
use pyo3::prelude::*;

use super::vector::writing;
use crate::error::{Error, Result};
use crate::kernels::loss::Link;
use crate::mlp::Network;
use crate::mlp::trainer::{Best, Criterion, Found, Patience, Selection};
use crate::optim::options::one_of;
use crate::py::precision::Precision;

/// The best epoch so far, by the validation data, and the rule that finds it and says when to look no further.
///
/// Parameters
/// ----------
/// criterion : {"loss", "error_rate"}
///     What an epoch is judged by; the smaller, the better. The rate is the weighted share of rows with a wrong class.
/// latest : bool
///     Whether of several that are equally good the latest is the best one, not the first.
/// patience : tuple of (float, float), optional
///     To end after an epoch whose number is above the first times that of the best one, plus the second.
#[pyclass(name = "Best", module = "schuss._schuss")]
pub struct PyBest {
    selection: Selection,
    found: Found,
    /// array or None: Where the parameters of the best epoch are kept by `Network.fit`, if they are.
    #[pyo3(get, set)]
    theta: Option<Py<PyAny>>,
}

#[pymethods]
impl PyBest {
    #[new]
    #[pyo3(signature = (criterion="loss", latest=false, patience=None))]
    fn new(criterion: &str, latest: bool, patience: Option<(f64, f64)>) -> PyResult<Self> {
        let names: Vec<_> = Criterion::ALL.iter().map(|criterion| criterion.name()).collect();
        let unknown = || Error::value("criterion", format!("{criterion:?}"), one_of(&names));
        let criterion = Criterion::from_name(criterion).ok_or_else(unknown)?;
        let patience = patience.map(|(factor, plus)| Patience { factor, plus });
        Ok(PyBest { selection: Selection { criterion, latest, patience }, found: Found::default(), theta: None })
    }

    /// int or None: The number of the best epoch, from 1.
    #[getter]
    fn epoch(&self) -> Option<u64> {
        Some(self.found.epoch).filter(|&epoch| epoch > 0)
    }

    /// float: What it was judged by; infinite before there is one.
    #[getter]
    fn score(&self) -> f64 {
        self.found.score
    }

    /// Looks at an epoch that is done: whether it is the best one, and whether to go no further.
    fn see(&mut self, epoch: u64, score: f64) -> (bool, bool) {
        let is_best = self.found.see(&self.selection, epoch, score);
        (is_best, self.found.is_long_ago(&self.selection, epoch))
    }

    /// Goes on from what it had found.
    fn restore(&mut self, epoch: Option<u64>, score: f64) {
        self.found = Found { epoch: epoch.unwrap_or(0), score };
    }
}

/// It at work in one part of a training.
pub struct BestAtWork<'py, T: Precision> {
    of: Bound<'py, PyBest>,
    selection: Selection,
    found: Found,
    theta: Option<PyReadwriteArray1<'py, T>>,
}

impl<'py, T: Precision> BestAtWork<'py, T> {
    /// For that network, which must know what it is judged by.
    pub fn new(of: &Bound<'py, PyBest>, network: &Network, validates: bool) -> PyResult<Self> {
        let best = of.borrow();
        check(&best.selection, network, validates)?;
        let kept = best.theta.as_ref().map(|theta| writing::<T>("best", theta.bind(of.py()), network.tensors.len()));
        Ok(BestAtWork { of: of.clone(), selection: best.selection, found: best.found, theta: kept.transpose()? })
    }

    /// What the trainer takes.
    pub fn lend(&mut self) -> PyResult<Best<'_, T>> {
        let params = self.theta.as_mut().map(|theta| theta.as_slice_mut()).transpose()?;
        Ok(Best { selection: self.selection, found: &mut self.found, params })
    }

    /// Keeps what was found.
    pub fn conclude(self) {
        self.of.borrow_mut().found = self.found;
    }
}

fn check(selection: &Selection, network: &Network, validates: bool) -> Result<()> {
    if !validates {
        return Err(Error::value("best", "no validation data", "given with some to judge epochs by"));
    }
    let has_classes = matches!(network.loss.info().link, Link::Softmax | Link::Sigmoid);
    match selection.criterion {
        Criterion::ErrorRate if !has_classes => {
            let expected = format!("\"loss\" with {}, which has no classes", network.loss.name());
            Err(Error::value("criterion", "\"error_rate\"", expected))
        }
        _ => Ok(()),
    }
}
