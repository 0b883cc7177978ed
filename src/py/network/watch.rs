//! Who watches a training for Python: signals, time, records of the epochs, a callback.

use std::time::Instant;

use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;

use crate::error::Result;
use crate::mlp::trainer::{Epoch, Monitor, Position};
use crate::simd::FlushDenormals;
use crate::stop::Stop;

/// What an epoch brought.
#[pyclass(module = "schuss._schuss", frozen, get_all)]
#[derive(Debug, Clone, Copy)]
pub struct EpochRecord {
    /// int: Its number in this training, from 1.
    number: usize,
    /// float: The objective over the epoch.
    loss: f64,
    /// float or None: The objective on the validation data.
    val_loss: Option<f64>,
    /// float or None: The learning rate of the last step.
    lr: Option<f64>,
    /// float: The penalty's part of `loss`.
    penalty: f64,
    /// float: Since the training began.
    seconds: f64,
}

#[pymethods]
impl EpochRecord {
    fn __repr__(&self) -> String {
        format!("{self:?}")
    }
}

/// A [`Position`] as Python has it: row, loss, weight, penalty, learning rate.
pub type PlainPosition = (usize, f64, f64, f64, f64);

/// What a training gives back: records, why it stopped, the exception to raise, and where in an epoch it ended.
pub type Fitted = (Vec<EpochRecord>, &'static str, Option<PyErr>, PlainPosition);

/// The monitor.
pub struct Watch {
    start: Instant,
    max_seconds: f64,
    on_epoch: Option<Py<PyAny>>,
    records: Vec<EpochRecord>,
    raised: Option<PyErr>,
}

impl Watch {
    /// Begins to watch. `on_epoch` gets each record, and stops the training where it returns something true.
    pub fn new(max_seconds: Option<f64>, on_epoch: Option<Py<PyAny>>) -> Self {
        let max_seconds = max_seconds.unwrap_or(f64::INFINITY);
        Watch { start: Instant::now(), max_seconds, on_epoch, records: vec![], raised: None }
    }

    /// Why to stop, if so; an exception is a reason, and kept.
    fn heed(&mut self, py: Python<'_>, wish: PyResult<Option<Stop>>) -> Option<Stop> {
        wish.unwrap_or_else(|raised| {
            let stop = reason(py, &raised);
            self.raised = Some(raised);
            Some(stop)
        })
    }

    /// What the callback says to an epoch.
    fn call_back(&self, py: Python<'_>, record: EpochRecord) -> PyResult<Option<Stop>> {
        let Some(on_epoch) = &self.on_epoch else { return Ok(None) };
        Ok(on_epoch.call1(py, (record,))?.is_truthy(py)?.then_some(Stop::Callback))
    }

    /// The results of a training that has ended.
    pub fn conclude(mut self, py: Python<'_>, outcome: Result<Stop>, position: Position) -> Fitted {
        if outcome.is_ok() && self.raised.is_none() {
            // A signal since the last look: raised by Python after this call, it would take the records with it.
            self.raised = py.check_signals().err();
        }
        let (stop, error) = match (outcome, self.raised) {
            (Err(error), _) => (Stop::Error, Some(error.into())),
            (Ok(_), Some(raised)) => (reason(py, &raised), Some(raised)),
            (Ok(stop), None) => (stop, None),
        };
        let Position { row, loss, weight, penalty, lr } = position;
        (self.records, stop.name(), error, (row, loss, weight, penalty, lr))
    }
}

fn reason(py: Python<'_>, raised: &PyErr) -> Stop {
    if raised.is_instance_of::<PyKeyboardInterrupt>(py) { Stop::Interrupted } else { Stop::Error }
}

impl Monitor for Watch {
    fn tick(&mut self) -> Option<Stop> {
        let late = self.start.elapsed().as_secs_f64() >= self.max_seconds;
        let look = |py: Python<'_>| self.heed(py, py.check_signals().map(|()| late.then_some(Stop::MaxTime)));
        FlushDenormals::pause(|| Python::attach(look))
    }

    fn epoch(&mut self, epoch: &Epoch) -> Option<Stop> {
        let Epoch { number, loss, val_loss, penalty, lr } = *epoch;
        let seconds = self.start.elapsed().as_secs_f64();
        let record = EpochRecord { number: number + 1, loss, val_loss, lr: Some(lr), penalty, seconds };
        self.records.push(record);
        // Without a callback there is no need to wait for the GIL.
        self.on_epoch.as_ref()?;
        let show = |py: Python<'_>| {
            let wish = self.call_back(py, record);
            self.heed(py, wish)
        };
        FlushDenormals::pause(|| Python::attach(show))
    }
}
