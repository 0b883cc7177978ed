//! The class: what Python asks of a network.

use std::any::Any;
use std::sync::{Mutex, PoisonError};

use numpy::PyArrayMethods;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::best::PyBest;
use super::data::{BorrowedRows, GivenRows};
use super::fit::{Fit, FitOptions, ShardsOfStep, Summed};
use super::inputs::BorrowedInputs;
use super::spec::{NetworkSpec, factors_of};
use super::tensor::TensorInfo;
use super::vector::{reading, writing};
use super::watch::{EpochRecord, Fitted};
use crate::error::Error;
use crate::interrupt::Interrupt;
use crate::kernels::matmul::Factors;
use crate::mlp::memory::{MAX_ROWS, Workspace};
use crate::mlp::objective::{self, GradientOptions};
use crate::mlp::shards::Shards;
use crate::mlp::stages::NormKind;
use crate::mlp::trainer::{self, KnownTeam};
use crate::mlp::{Network, layers, predict};
use crate::py::arrays::Pins;
use crate::py::arrays::new::zeros;
use crate::py::calls::Call;
use crate::py::optimizer::{self, PyOptimizer};
use crate::py::precision::{Dtype, Precision, dispatch};
use crate::py::vigil::{StopFlag, interruptible};
use crate::stop::Stop;

/// Adds everything of this module to the extension.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("STOPS", PyTuple::new(module.py(), Stop::ALL.iter().map(|stop| stop.name()))?)?;
    module.add("NORMS", PyTuple::new(module.py(), NormKind::ALL.iter().map(|norm| norm.name()))?)?;
    module.add("NORM_EPS", NormKind::EPS)?;
    module.add("PRECISIONS", PyTuple::new(module.py(), Factors::NAMES.iter().map(|(name, _)| *name))?)?;
    module.add_function(wrap_pyfunction!(check_precision, module)?)?;
    module.add_function(wrap_pyfunction!(pieces, module)?)?;
    module.add_class::<PyBest>()?;
    module.add_class::<EpochRecord>()?;
    module.add_class::<StopFlag>()?;
    module.add_class::<TensorInfo>()?;
    module.add_class::<PyNetwork>()
}

/// The rows that each shard has of its own, where batches of so many of all rows take theirs from those: where they begin and end.
#[pyfunction]
fn pieces(rows: usize, batch_size: usize, shards: usize) -> Vec<(usize, usize)> {
    let pieces = Shards::all(shards.max(1)).pieces(rows, batch_size.max(1));
    pieces.into_iter().map(|piece| (piece.start, piece.end)).collect()
}

/// Refuses a precision of products that this machine does not have.
#[pyfunction]
fn check_precision(precision: &str) -> PyResult<()> {
    match factors_of(precision)? {
        Factors::Exact => Ok(()),
        factors => Ok(factors.check::<f32>()?),
    }
}

/// The core of a network: its structure, without parameters. `schuss.MLP` is its public face.
#[pyclass(name = "Network", module = "schuss._schuss", frozen)]
pub struct PyNetwork {
    network: Network,
    /// The memory of the last batch, for a loop that asks for gradients again and again: a [`Workspace`].
    spare: Mutex<Option<Box<dyn Any + Send>>>,
    /// What trainings so far have found out.
    team: Mutex<KnownTeam>,
}

/// With how many threads at most, and for how long.
#[derive(Clone, Copy)]
struct How {
    threads: Option<usize>,
    max_seconds: Option<f64>,
}

#[pymethods]
impl PyNetwork {
    /// Makes it from a [`NetworkSpec`] in keywords.
    #[new]
    #[pyo3(signature = (**spec))]
    fn new(py: Python<'_>, spec: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let spec = NetworkSpec::read(spec.unwrap_or(&PyDict::new(py)))?;
        Ok(PyNetwork { network: spec.build()?, spare: Mutex::default(), team: Mutex::default() })
    }

    /// The number of parameters.
    #[getter]
    fn n_params(&self) -> usize {
        self.network.tensors.len()
    }

    /// How many workers a training with batches of that size deserves.
    fn workers(&self, batch_size: usize) -> usize {
        trainer::workers(&self.network, batch_size)
    }

    /// What the parameters are, in their order.
    fn tensors(&self) -> Vec<TensorInfo> {
        self.network.tensors.iter().map(TensorInfo::new).collect()
    }

    /// Trains `theta` in place: the records of the epochs, why it stopped, and the exception that stopped it, not raised so
    /// that the records are not lost.
    ///
    /// `on_epoch` is called with the record of each epoch, and training stops where it returns True. It may read `theta`, and
    /// must not change it.
    #[pyo3(signature = (theta, optimizer, data, validation, options, on_epoch=None))]
    fn fit<'py>(
        &self,
        theta: &Bound<'py, PyAny>,
        optimizer: &Bound<'py, PyOptimizer>,
        data: GivenRows<'py>,
        validation: Option<GivenRows<'py>>,
        options: &Bound<'py, PyDict>,
        on_epoch: Option<Py<PyAny>>,
    ) -> PyResult<Fitted> {
        let fit = Fit { network: &self.network, optimizer, options: FitOptions::read(options)?, on_epoch };
        dispatch!(Dtype::of(theta), <T> => self.fit_as::<T>(theta, fit, data, validation))
    }

    /// Refuses an optimizer that could not train `theta`.
    fn expect_own(&self, theta: &Bound<'_, PyAny>, optimizer: &Bound<'_, PyOptimizer>) -> PyResult<()> {
        let mut optimizer = optimizer::writing(optimizer)?;
        dispatch!(Dtype::of(theta), <T> => {
            let theta = reading::<T>("theta", theta, self.network.tensors.len())?;
            optimizer.core::<T>(&self.network, theta.as_slice()?)?;
        });
        Ok(())
    }

    /// The gradients of some shards of the step at which `options` start, for a training that collects them: what they leave of the tree,
    /// a row for each node, and loss and weight of each shard.
    #[pyo3(signature = (theta, data, options))]
    fn shard_sums<'py>(
        &self,
        theta: &Bound<'py, PyAny>,
        data: GivenRows<'py>,
        options: &Bound<'py, PyDict>,
    ) -> PyResult<Summed<'py>> {
        let work = ShardsOfStep { network: &self.network, options: FitOptions::read(options)? };
        dispatch!(Dtype::of(theta), <T> => self.shard_sums_as::<T>(theta, work, data))
    }

    /// Predictions of the rows of `x`, or logits.
    #[pyo3(signature = (theta, x, raw, threads, max_seconds=None))]
    fn predict<'py>(
        &self,
        theta: &Bound<'py, PyAny>,
        x: &Bound<'py, PyAny>,
        raw: bool,
        threads: Option<usize>,
        max_seconds: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let how = How { threads, max_seconds };
        dispatch!(Dtype::of(theta), <T> => self.predict_as::<T>(theta, x, raw, how))
    }

    /// All preactivations and activations of the rows of `x`, one layer after the other in each row.
    #[pyo3(signature = (theta, x, threads))]
    fn layers<'py>(
        &self,
        theta: &Bound<'py, PyAny>,
        x: &Bound<'py, PyAny>,
        threads: Option<usize>,
    ) -> PyResult<Bound<'py, PyAny>> {
        dispatch!(Dtype::of(theta), <T> => self.layers_as::<T>(theta, x, threads))
    }

    /// The objective on some rows.
    #[pyo3(signature = (theta, data, threads, max_seconds=None))]
    fn loss(
        &self,
        theta: &Bound<'_, PyAny>,
        data: GivenRows<'_>,
        threads: Option<usize>,
        max_seconds: Option<f64>,
    ) -> PyResult<f64> {
        let how = How { threads, max_seconds };
        dispatch!(Dtype::of(theta), <T> => self.loss_as::<T>(theta, data, how))
    }

    /// The objective on some rows; its gradient to `out`.
    #[pyo3(signature = (theta, data, out, dropout_seed, threads, max_seconds=None))]
    fn loss_and_grads(
        &self,
        theta: &Bound<'_, PyAny>,
        data: GivenRows<'_>,
        out: &Bound<'_, PyAny>,
        dropout_seed: Option<u64>,
        threads: Option<usize>,
        max_seconds: Option<f64>,
    ) -> PyResult<f64> {
        let how = How { threads, max_seconds };
        dispatch!(Dtype::of(theta), <T> => self.loss_and_grads_as::<T>(theta, data, out, dropout_seed, how))
    }
}

impl PyNetwork {
    fn fit_as<'py, T: Precision>(
        &self,
        theta: &Bound<'py, PyAny>,
        fit: Fit<'_, 'py>,
        data: GivenRows<'py>,
        validation: Option<GivenRows<'py>>,
    ) -> PyResult<Fitted> {
        // Schedules and callbacks run meanwhile.
        let _pins = pinned([theta], std::iter::once(&data).chain(&validation))?;
        let mut theta = writing::<T>("theta", theta, self.network.tensors.len())?;
        // Taken out for the call, so that two threads may call at once.
        let locked = || self.team.lock().unwrap_or_else(PoisonError::into_inner);
        let mut team = std::mem::take(&mut *locked());
        let fitted = fit.run(theta.as_slice_mut()?, &data, validation.as_ref(), &mut team);
        *locked() = team;
        fitted
    }

    fn shard_sums_as<'py, T: Precision>(
        &self,
        theta: &Bound<'py, PyAny>,
        work: ShardsOfStep<'_, 'py>,
        data: GivenRows<'py>,
    ) -> PyResult<Summed<'py>> {
        let _pins = pinned([theta], [&data])?;
        let params = reading::<T>("theta", theta, self.network.tensors.len())?;
        work.run(theta.py(), params.as_slice()?, &data)
    }

    fn predict_as<'py, T: Precision>(
        &self,
        theta: &Bound<'py, PyAny>,
        x: &Bound<'py, PyAny>,
        raw: bool,
        how: How,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (given_theta, given_x) = (theta, x);
        let theta = reading::<T>("theta", theta, self.network.tensors.len())?;
        let borrowed = BorrowedInputs::<T>::new(x, &self.network, how.threads)?;
        let x = borrowed.view(how.threads)?;
        let out = zeros::<T>(theta.py(), (x.nrows(), self.network.outputs()))?;
        {
            let mut writable = out.readwrite();
            let (params, to) = (theta.as_slice()?, writable.as_slice_mut()?);
            let (network, rows) = (&self.network, x.nrows());
            let mut run = |interrupt: &Interrupt| predict::predict(network, params, x, to, raw, how.threads, interrupt);
            match predict::is_quick(network, rows) {
                true => run(&Interrupt::never()),
                false => {
                    let _pins = pinned([given_theta, given_x], [])?;
                    interruptible(&Call::begin()?, out.py(), predict::is_long(network, rows), how.max_seconds, run)?
                }
            }?;
        }
        Ok(out.into_any())
    }

    fn layers_as<'py, T: Precision>(
        &self,
        theta: &Bound<'py, PyAny>,
        x: &Bound<'py, PyAny>,
        threads: Option<usize>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (py, call, network) = (theta.py(), Call::begin()?, &self.network);
        let _pins = pinned([theta, x], [])?;
        let theta = reading::<T>("theta", theta, network.tensors.len())?;
        let borrowed = BorrowedInputs::<T>::new(x, network, threads)?;
        let x = borrowed.view(threads)?;
        let out = zeros::<T>(py, (x.nrows(), layers::Columns::new(network).width()))?;
        {
            let mut writable = out.readwrite();
            let (params, to) = (theta.as_slice()?, writable.as_slice_mut()?);
            interruptible(&call, py, predict::is_long(network, x.nrows()), None, |interrupt| {
                layers::layers(network, params, x, to, threads, interrupt)
            })??;
        }
        Ok(out.into_any())
    }

    fn loss_as<T: Precision>(&self, theta: &Bound<'_, PyAny>, data: GivenRows<'_>, how: How) -> PyResult<f64> {
        let (py, call) = (theta.py(), Call::begin()?);
        let _pins = pinned([theta], [&data])?;
        let data = BorrowedRows::<T>::new(&self.network, &data, how.threads)?;
        let data = data.data()?;
        let theta = reading::<T>("theta", theta, self.network.tensors.len())?;
        let params = theta.as_slice()?;
        let is_long = predict::is_long(&self.network, data.len());
        Ok(interruptible(&call, py, is_long, how.max_seconds, |interrupt| {
            objective::value(&self.network, params, &data, how.threads, interrupt)
        })??)
    }

    fn loss_and_grads_as<T: Precision>(
        &self,
        theta: &Bound<'_, PyAny>,
        data: GivenRows<'_>,
        out: &Bound<'_, PyAny>,
        dropout_seed: Option<u64>,
        how: How,
    ) -> PyResult<f64> {
        let (py, call) = (theta.py(), Call::begin()?);
        let _pins = pinned([theta, out], [&data])?;
        let data = BorrowedRows::<T>::new(&self.network, &data, how.threads)?;
        let data = data.data()?;
        let theta = reading::<T>("theta", theta, self.network.tensors.len())?;
        let params = theta.as_slice()?;
        let mut grads = writing::<T>("out", out, self.network.tensors.len())?;
        let grads = grads.as_slice_mut()?;
        let noise = dropout_seed.filter(|_| self.network.is_noisy());
        if noise.is_some() && self.network.dropout_curves.iter().any(Option::is_some) {
            let expected = "None where dropout follows a schedule: set dropout to the number that it is to be";
            return Err(Error::value("dropout_seed", "a seed", expected).into());
        }
        // Taken out for the call, so that two threads may call at once.
        let locked = || self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        let spare = locked().take().and_then(|spare| spare.downcast::<Workspace<T>>().ok());
        let sparse = data.x.sparse().is_some();
        let fits = |spare: &Workspace<T>| spare.rows() >= data.len().min(MAX_ROWS) && spare.is_sparse() == sparse;
        let mut workspace = match spare.filter(|spare| fits(spare)) {
            Some(spare) => spare,
            None => Box::new(self.network.workspace(data.len(), sparse)?),
        };
        let is_long = predict::is_long(&self.network, data.len());
        let loss = interruptible(&call, py, is_long, how.max_seconds, |interrupt| {
            let how = GradientOptions {
                noise,
                threads: how.threads,
                interrupt: interrupt.clone(),
                ..GradientOptions::default()
            };
            objective::value_and_grads(&self.network, params, &data, how, &mut workspace, grads)
        });
        *locked() = Some(workspace);
        Ok(loss??)
    }
}

/// Keeps arrays, and those of rows, where they are while other Python threads run.
fn pinned<'a, 'py: 'a>(
    arrays: impl IntoIterator<Item = &'a Bound<'py, PyAny>>,
    data: impl IntoIterator<Item = &'a GivenRows<'py>>,
) -> PyResult<Pins> {
    let mut pins = Pins::default();
    arrays.into_iter().try_for_each(|array| pins.add(array))?;
    for (x, targets, weights) in data {
        [Some(x), Some(targets), weights.as_ref()].into_iter().flatten().try_for_each(|array| pins.add(array))?;
    }
    Ok(pins)
}
