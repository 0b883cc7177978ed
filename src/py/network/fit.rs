//! One training: its options, and the arrays that it borrows.

use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::best::{BestAtWork, PyBest};
use super::data::{BorrowedRows, GivenRows};
use super::keywords::Keywords;
use super::peers::PyPeers;
use super::watch::{Fitted, PlainPosition, Watch};
use crate::error::Error;
use crate::mlp::Network;
use crate::mlp::cuts::Cuts;
use crate::mlp::data::Data;
use crate::mlp::shards::{Place, Shards};
use crate::mlp::trainer::{self, Options, Position};
use crate::optim::Optimizer;
use crate::py::calls::Call;
use crate::py::optimizer::{PyOptimizer, writing};
use crate::py::precision::Precision;
use crate::py::vigil::StopFlag;

/// How to train.
pub struct FitOptions<'py> {
    core: Options,
    max_seconds: Option<f64>,
    best: Option<Bound<'py, PyBest>>,
    /// The steps of the whole training, where they are known.
    total_steps: Option<f64>,
    records_steps: bool,
    stop_flag: Option<Bound<'py, StopFlag>>,
    /// The other processes that train with this one.
    peers: Option<PyPeers>,
}

impl<'py> FitOptions<'py> {
    /// Takes them from a dict.
    pub fn read(given: &Bound<'py, PyDict>) -> PyResult<Self> {
        let given = Keywords::new(given)?;
        let peers: Option<Bound<'py, PyAny>> = given.optional("peers")?;
        let (peers, place) = match peers.as_ref().map(PyPeers::new).transpose()? {
            Some((peers, place)) => (Some(peers), place),
            None => (None, Place { rank: 0, size: 1 }),
        };
        let core = Options {
            batch_size: given.optional("batch_size")?,
            shards: Shards::of(given.optional("shards")?.unwrap_or(1), place),
            epochs: given.required("epochs")?,
            first_epoch: given.required("first_epoch")?,
            epochs_before: given.optional("epochs_before")?.unwrap_or(0),
            start: given.optional("start")?.map_or_else(Position::default, position),
            shuffle: given.required("shuffle")?,
            seed: given.required("seed")?,
            threads: given.optional("threads")?,
            cuts: Cuts::default(),
            target_loss: given.optional("target_loss")?,
            rest: given.optional("rest_seconds")?.map(duration),
            tells: given.optional("tells")?.unwrap_or(true),
        };
        let (max_seconds, best) = (given.optional("max_seconds")?, given.optional("best")?);
        let total_steps = given.optional("total_steps")?;
        let records_steps = given.optional("records_steps")?.unwrap_or(false);
        let stop_flag = given.optional("stop_flag")?;
        given.finish()?;
        Ok(FitOptions { core, max_seconds, best, total_steps, records_steps, stop_flag, peers })
    }
}

fn position((row, loss, weight, penalty, lr): PlainPosition) -> Position {
    Position { row, loss, weight, penalty, lr }
}

/// Seconds that may be none, or more than there are.
fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX)
}

/// What learns, and how.
pub struct Fit<'a, 'py> {
    pub network: &'a Network,
    pub optimizer: &'a Bound<'py, PyOptimizer>,
    pub options: FitOptions<'py>,
    pub on_epoch: Option<Py<PyAny>>,
}

impl<'py> Fit<'_, 'py> {
    /// Trains `params`.
    pub fn run<T: Precision>(
        self,
        params: &mut [T],
        data: &GivenRows<'py>,
        validation: Option<&GivenRows<'py>>,
    ) -> PyResult<Fitted> {
        let call = Call::begin()?;
        let with_lengths = with_lengths(self.network, self.options.total_steps)?;
        let network = with_lengths.as_ref().unwrap_or(self.network);
        let (py, options) = (self.optimizer.py(), &self.options.core);
        let data = BorrowedRows::new(network, data, options.threads)?;
        let validation = validation.map(|rows| BorrowedRows::new(network, rows, options.threads)).transpose()?;
        let (data, validation) = (data.data()?, validation.as_ref().map(BorrowedRows::data).transpose()?);
        let mut optimizer = writing(self.optimizer)?;
        optimizer.expect_idle()?;
        let optimizer = optimizer.core::<T>().filter(|optimizer| has_tensors_of(optimizer, network));
        let expected = "bound to the parameters of this network, net.params";
        let optimizer = optimizer.ok_or_else(|| Error::value("optimizer", "one of other arrays", expected))?;
        check_start(&options.start, options.batch_size, &data)?;
        let best = self.options.best.as_ref();
        let mut best = best.map(|best| BestAtWork::new(best, network, validation.is_some())).transpose()?;
        let lent = best.as_mut().map(BestAtWork::lend).transpose()?;
        let ends = (self.options.max_seconds, self.options.stop_flag.as_ref().map(Bound::get));
        let watch = Watch::new(py, ends, self.on_epoch)?;
        let mut watch = watch.recording_steps(self.options.records_steps).with_peers(self.options.peers);
        let rows = (&data, validation.as_ref());
        let (outcome, position) =
            call.detach(py, || trainer::fit(network, params, optimizer, rows, options, &mut watch, lent));
        best.into_iter().for_each(BestAtWork::conclude);
        Ok(watch.conclude(py, outcome, position))
    }
}

/// The network with dropout that follows schedules of this training, if there is any.
fn with_lengths(network: &Network, total: Option<f64>) -> Result<Option<Network>, Error> {
    if network.dropout_curves.iter().all(Option::is_none) {
        return Ok(None);
    }
    let Some(total) = total else {
        return Err(Error::value("dropout", "a schedule", "numbers where X is a source of blocks"));
    };
    let curves = network.dropout_curves.iter().cloned();
    let curves = curves.map(|curve| curve.map(|curve| curve.with_length(total)).transpose());
    Ok(Some(Network { dropout_curves: curves.collect::<Result<_, _>>()?, ..network.clone() }))
}

/// Refuses a start between the rows of a step.
fn check_start<T: Precision>(start: &Position, batch_size: Option<usize>, data: &Data<'_, T>) -> Result<(), Error> {
    let batch_size = batch_size.unwrap_or(data.len()).max(1);
    if start.row == data.len() || start.row < data.len() && start.row.is_multiple_of(batch_size) {
        return Ok(());
    }
    Err(Error::value("start", start.row, format!("a multiple of {batch_size}, or {}", data.len())))
}

/// Whether the optimizer's tensors are the network's: rules, masks and groups look at each of them.
fn has_tensors_of<T: Precision>(optimizer: &Optimizer<T>, network: &Network) -> bool {
    let tensors = &network.tensors;
    optimizer.tensors() == tensors.count()
        && tensors.iter().enumerate().all(|(number, tensor)| optimizer.range(number) == tensor.range())
}
