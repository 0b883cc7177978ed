//! Who watches a training for Python: signals, time, records of the epochs, a callback.

use std::time::Instant;

use numpy::PyArray1;
use pyo3::prelude::*;

use super::peers::PyPeers;
use crate::buffer;
use crate::error::Result;
use crate::interrupt::Interrupt;
use crate::mlp::peers::Peers;
use crate::mlp::trainer::{Epoch, Monitor, Position, StepRecord};
use crate::py::vigil::{StopFlag, Vigil, reason};
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
    /// float or None: The share of wrong classes there, where epochs are judged by it.
    val_error: Option<f64>,
    /// float or None: The learning rate of the last step.
    lr: Option<f64>,
    /// float: The penalty's part of `loss`.
    penalty: f64,
    /// float: The weights of its rows.
    weight: f64,
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

/// The records of steps, one after the other: epoch, loss, learning rate, weight and seconds of each.
pub type PlainSteps = Option<Py<PyArray1<f64>>>;

/// What a training gives back: records, why it stopped, the exception to raise, where in an epoch it ended, and the steps, if
/// they were to be recorded.
pub type Fitted = (Vec<EpochRecord>, &'static str, Option<PyErr>, PlainPosition, PlainSteps);

/// The monitor.
pub struct Watch {
    start: Instant,
    vigil: Vigil,
    on_epoch: Option<Py<PyAny>>,
    records: Vec<EpochRecord>,
    steps: Option<Vec<f64>>,
    peers: Option<PyPeers>,
}

impl Watch {
    /// Begins to watch. `on_epoch` gets each record, and stops the training where it returns something true.
    pub fn new(
        py: Python<'_>,
        (max_seconds, flag): (Option<f64>, Option<&StopFlag>),
        on_epoch: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        let vigil = Vigil::new(py, max_seconds, flag)?;
        Ok(Watch { start: Instant::now(), vigil, on_epoch, records: vec![], steps: None, peers: None })
    }

    /// The same, and each step is recorded, or is not.
    pub fn recording_steps(self, records: bool) -> Self {
        Watch { steps: records.then(Vec::new), ..self }
    }

    /// The same, of one of several processes.
    pub fn with_peers(self, peers: Option<PyPeers>) -> Self {
        Watch { peers, ..self }
    }

    /// What the callback says to an epoch.
    fn call_back(&self, py: Python<'_>, record: EpochRecord) -> PyResult<Option<Stop>> {
        let Some(on_epoch) = &self.on_epoch else { return Ok(None) };
        Ok(on_epoch.call1(py, (record,))?.is_truthy(py)?.then_some(Stop::Callback))
    }

    /// The results of a training that has ended.
    pub fn conclude(self, py: Python<'_>, outcome: Result<Stop>, position: Position) -> Fitted {
        let mut raised = self.vigil.exception();
        if outcome.is_ok() && raised.is_none() && self.peers.is_none() {
            // A signal since the last look: raised by Python after this call, it would take the records with it.
            raised = py.check_signals().err();
        }
        let (stop, error) = match (outcome, raised) {
            (Err(error), _) => (Stop::Error, Some(error.into())),
            (Ok(_), Some(raised)) => (reason(py, &raised), Some(raised)),
            (Ok(stop), None) => (stop, None),
        };
        let Position { row, loss, weight, penalty, lr } = position;
        let steps = self.steps.map(|steps| PyArray1::from_vec(py, steps).unbind());
        (self.records, stop.name(), error, (row, loss, weight, penalty, lr), steps)
    }
}

impl Monitor for Watch {
    fn interrupt(&self) -> Interrupt {
        self.vigil.interrupt.clone()
    }

    fn peers(&mut self) -> Option<&mut dyn Peers> {
        self.peers.as_mut().map(|peers| peers as &mut dyn Peers)
    }

    fn step(&mut self, step: &StepRecord) -> Result<()> {
        let Some(steps) = &mut self.steps else { return Ok(()) };
        let StepRecord { epoch, loss, weight, lr } = *step;
        let record = [epoch as f64, loss, lr, weight, self.start.elapsed().as_secs_f64()];
        buffer::extend(steps, &record, "the record of the steps")
    }

    fn epoch(&mut self, epoch: &Epoch) -> Option<Stop> {
        let Epoch { number, loss, val_loss, val_error, penalty, weight, lr } = *epoch;
        let seconds = self.start.elapsed().as_secs_f64();
        let (number, lr) = (number + 1, Some(lr));
        let record = EpochRecord { number, loss, val_loss, val_error, lr, penalty, weight, seconds };
        self.records.push(record);
        // Without a callback there is no need to wait for the GIL.
        self.on_epoch.as_ref()?;
        let show = || Python::attach(|py| self.call_back(py, record));
        FlushDenormals::pause(show).unwrap_or_else(|raised| Some(self.vigil.keep(raised)))
    }
}
