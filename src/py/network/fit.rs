//! One training: its options, and the arrays that it borrows.

use std::ops::Range;
use std::time::Duration;

use numpy::PyArrayMethods;
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
use crate::mlp::shards::Shards;
use crate::mlp::trainer::{self, KnownTeam, Monitor, Options, Position};
use crate::py::arrays::new::zeros;
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
        let count = given.optional("shards")?.unwrap_or(1);
        let part: Option<(usize, usize)> = given.optional("part")?;
        let (peers, shards) = match (peers, part) {
            (Some(peers), _) => PyPeers::new(&peers, count).map(|(peers, shards)| (Some(peers), shards))?,
            (None, Some((start, stop))) => (None, part_of(count, start..stop)?),
            (None, None) => (None, Shards::all(count)),
        };
        let core = Options {
            batch_size: given.optional("batch_size")?,
            shards,
            sharded: given.optional("sharded")?.unwrap_or(false),
            all_rows: given.optional("all_rows")?,
            epochs: given.required("epochs")?,
            first_epoch: given.required("first_epoch")?,
            epochs_before: given.optional("epochs_before")?.unwrap_or(0),
            start: given.optional("start")?.map_or_else(Position::default, position),
            shuffle: given.required("shuffle")?,
            seed: given.required("seed")?,
            threads: given.optional("threads")?,
            thread_limit: given.optional("thread_limit")?,
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

/// Some consecutive shards, for somebody who collects them.
fn part_of(count: usize, part: Range<usize>) -> Result<Shards, Error> {
    match part.start < part.end && part.end <= count && count > 1 {
        true => Ok(Shards::contributed(count, part)),
        false => Err(Error::value("part", format!("{part:?}"), format!("some of {count} shards"))),
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
    /// Trains `params`, by teams of the size that is known to be quick.
    pub fn run<T: Precision>(
        self,
        params: &mut [T],
        data: &GivenRows<'py>,
        validation: Option<&GivenRows<'py>>,
        known: &mut KnownTeam,
    ) -> PyResult<Fitted> {
        let call = Call::begin()?;
        let with_lengths = with_lengths(self.network, self.options.total_steps)?;
        let network = with_lengths.as_ref().unwrap_or(self.network);
        let (py, options) = (self.optimizer.py(), &self.options.core);
        let threads = options.threads.or(options.thread_limit);
        let data = BorrowedRows::new(network, data, threads)?;
        let validation = validation.map(|rows| BorrowedRows::new(network, rows, threads)).transpose()?;
        let (data, validation) = (data.data()?, validation.as_ref().map(BorrowedRows::data).transpose()?);
        let mut optimizer = writing(self.optimizer)?;
        optimizer.expect_idle()?;
        let optimizer = optimizer.core(network, params)?;
        check_rows(options, &data)?;
        let best = self.options.best.as_ref();
        let mut best = best.map(|best| BestAtWork::new(best, network, validation.is_some())).transpose()?;
        let lent = best.as_mut().map(BestAtWork::lend).transpose()?;
        let ends = (self.options.max_seconds, self.options.stop_flag.as_ref().map(Bound::get));
        let watch = Watch::new(py, ends, self.on_epoch)?;
        let mut watch = watch.recording_steps(self.options.records_steps).with_peers(self.options.peers);
        let rows = (&data, validation.as_ref());
        let team = trainer::team_size(network, options, data.len(), known);
        let how = (team, &mut watch as &mut dyn Monitor, lent);
        let (outcome, position) =
            call.detach(py, || trainer::fit_in_teams(network, params, optimizer, rows, options, how));
        best.into_iter().for_each(BestAtWork::conclude);
        Ok(watch.conclude(py, outcome, position))
    }
}

/// Computes some shards of a step.
pub struct ShardsOfStep<'a, 'py> {
    pub network: &'a Network,
    pub options: FitOptions<'py>,
}

/// The nodes of the tree that they leave, and loss and weight of each shard.
pub type Summed<'py> = (Bound<'py, PyAny>, Vec<f64>);

impl<'py> ShardsOfStep<'_, 'py> {
    /// At `params`.
    pub fn run<T: Precision>(self, py: Python<'py>, params: &[T], data: &GivenRows<'py>) -> PyResult<Summed<'py>> {
        let call = Call::begin()?;
        let with_lengths = with_lengths(self.network, self.options.total_steps)?;
        let network = with_lengths.as_ref().unwrap_or(self.network);
        let options = &self.options.core;
        let data = BorrowedRows::new(network, data, options.threads)?;
        let data = data.data()?;
        check_rows(options, &data)?;
        if !options.shards.are_shared() {
            return Err(Error::value("part", "none", "some of the shards").into());
        }
        let nodes = zeros::<T>(py, (options.shards.moves().len(), params.len()))?;
        let mut written = nodes.readwrite();
        let to = written.as_slice_mut()?;
        let figures = call.detach(py, || trainer::shard_sums(network, params, &data, options, to))?;
        drop(written);
        Ok((nodes.into_any(), figures))
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

/// Refuses a start between the rows of a step, and other rows than those of the shards of this process.
fn check_rows<T: Precision>(options: &Options, data: &Data<'_, T>) -> Result<(), Error> {
    let Options { shards, start, .. } = options;
    let rows = options.all_rows.unwrap_or(data.len());
    let batch_size = options.batch_size.unwrap_or(rows).max(1);
    let own = match options.sharded && shards.count() > 1 {
        true => shards.pieces(rows, batch_size)[shards.mine()].iter().map(Range::len).sum(),
        false => rows,
    };
    if data.len() != own {
        return Err(Error::value("X", format!("{} rows", data.len()), format!("{own} rows")));
    }
    if start.row == rows || start.row < rows && start.row.is_multiple_of(batch_size) {
        return Ok(());
    }
    Err(Error::value("start", start.row, format!("a multiple of {batch_size}, or {rows}")))
}
