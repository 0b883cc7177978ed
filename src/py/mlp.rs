//! The network: NumPy arrays in, training with the GIL released, NumPy arrays out.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use numpy::{
    Element, PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2, PyReadwriteArray1,
    PyUntypedArrayMethods,
};
use pyo3::prelude::*;

use super::inputs::BorrowedInputs;
use super::optim::PyOptimizer;
use crate::error::Error;
use crate::kernels::activation::Activation;
use crate::kernels::loss::{Loss, Targets};
use crate::mlp::data::Data;
use crate::mlp::memory::{MAX_ROWS, Workspace};
use crate::mlp::objective::{self, How};
use crate::mlp::trainer::{self, Epoch, Monitor, Options};
use crate::mlp::{Architecture, Network, predict};
use crate::optim::Optimizer;
use crate::scalar::Scalar;
use crate::stop::Stop;

/// Adds everything of this module to the extension.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyNetwork>()
}

/// What differs between the two precisions.
trait Precision: Scalar + Element {
    fn optimizer(optimizer: &mut PyOptimizer) -> Option<&mut Optimizer<Self>>;
    fn workspace(kept: &mut Kept) -> &mut Option<Workspace<Self>>;
}

impl Precision for f32 {
    fn optimizer(optimizer: &mut PyOptimizer) -> Option<&mut Optimizer<f32>> {
        optimizer.single()
    }
    fn workspace(kept: &mut Kept) -> &mut Option<Workspace<f32>> {
        &mut kept.single
    }
}

impl Precision for f64 {
    fn optimizer(optimizer: &mut PyOptimizer) -> Option<&mut Optimizer<f64>> {
        optimizer.double()
    }
    fn workspace(kept: &mut Kept) -> &mut Option<Workspace<f64>> {
        &mut kept.double
    }
}

/// The memory of the last batch, kept for a loop that asks for gradients again and again.
#[derive(Default)]
struct Kept {
    single: Option<Workspace<f32>>,
    double: Option<Workspace<f64>>,
}

/// The core of a network: its structure, without parameters. `schuss.MLP` is its public face.
#[pyclass(name = "Network", module = "schuss._schuss", frozen)]
pub struct PyNetwork {
    network: Network,
    noisy: bool,
    kept: Mutex<Kept>,
}

/// Calls a generic method with the precision of `theta`.
macro_rules! by_dtype {
    ($theta:expr, $object:ident.$method:ident($($argument:expr),*)) => {
        if $theta.cast::<PyArray1<f32>>().is_ok() {
            $object.$method::<f32>($($argument),*)
        } else {
            $object.$method::<f64>($($argument),*)
        }
    };
}

/// Rows to learn from as they come from Python, all checked and converted there: inputs, targets, weights.
type Rows<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>, Option<Bound<'py, PyAny>>);

/// Their borrowed arrays.
struct Borrowed<'py, T: Precision> {
    x: BorrowedInputs<'py, T>,
    classes: Option<PyReadonlyArray1<'py, u32>>,
    values: Option<PyReadonlyArray2<'py, T>>,
    weights: Option<PyReadonlyArray1<'py, T>>,
}

impl<'py, T: Precision> Borrowed<'py, T> {
    fn new(network: &Network, (x, targets, weights): &Rows<'py>) -> PyResult<Self> {
        let (inputs, outputs) = (network.inputs(), network.outputs());
        let x = BorrowedInputs::new(x, inputs)?;
        let rows = match &x {
            BorrowedInputs::Dense(x) if !x.is_c_contiguous() => {
                return Err(Error::value("X", "another layout", "C-contiguous").into());
            }
            x => x.view()?.nrows(),
        };
        if rows > u32::MAX as usize {
            return Err(Error::value("X", format!("{rows} rows"), "of fewer than 2^32 rows").into());
        }
        let (mut classes, mut values) = (None, None);
        if network.loss.takes_classes() {
            let array: PyReadonlyArray1<u32> = targets.extract()?;
            if let Some(&class) = array.as_slice()?.iter().find(|&&class| class as usize >= outputs) {
                return Err(Error::value("y", class, format!("class indices below {outputs}")).into());
            }
            check_shape("y", array.shape(), &[rows])?;
            classes = Some(array);
        } else {
            let array: PyReadonlyArray2<T> = targets.extract()?;
            check_shape("y", array.shape(), &[rows, outputs])?;
            values = Some(array);
        }
        let weights: Option<PyReadonlyArray1<T>> = weights.as_ref().map(|weights| weights.extract()).transpose()?;
        if let Some(weights) = &weights {
            check_shape("sample_weight", weights.shape(), &[rows])?;
        }
        Ok(Borrowed { x, classes, values, weights })
    }

    fn data(&self) -> PyResult<Data<'_, T>> {
        let targets = match (&self.classes, &self.values) {
            (Some(classes), _) => Targets::Classes(classes.as_slice()?),
            (None, Some(values)) => Targets::Values(values.as_slice()?),
            (None, None) => Targets::Values(&[]),
        };
        let weights = self.weights.as_ref().map(|weights| weights.as_slice()).transpose()?;
        Ok(Data { x: self.x.view()?, targets, weights })
    }
}

fn check_shape(name: &str, got: &[usize], expected: &[usize]) -> PyResult<()> {
    if got == expected {
        return Ok(());
    }
    Err(Error::value(name, format!("shape {got:?}"), format!("of shape {expected:?}")).into())
}

#[pymethods]
impl PyNetwork {
    #[new]
    #[pyo3(signature = (widths, activations, loss, l2, l2_per_weight, dropout, *, loss_parameter=None, output_weights=None))]
    #[allow(clippy::too_many_arguments)]
    fn new(
        widths: Vec<usize>,
        activations: Vec<String>,
        loss: &str,
        l2: f64,
        l2_per_weight: bool,
        dropout: Vec<f64>,
        loss_parameter: Option<f64>,
        output_weights: Option<Vec<f64>>,
    ) -> PyResult<Self> {
        if widths.len() < 2 || widths.contains(&0) {
            let expected = "at least two widths, from inputs to outputs, all positive";
            return Err(Error::value("layers", format!("{widths:?}"), expected).into());
        }
        let hidden = widths.len() - 2;
        check_shape("activation", &[activations.len()], &[hidden])?;
        check_shape("dropout", &[dropout.len()], &[hidden])?;
        let names = |all: Vec<&str>| format!("one of {}", all.join(", "));
        let activation = |name: &String| {
            Activation::from_name(name).ok_or_else(|| {
                let expected = names(Activation::ALL.iter().map(|a| a.name()).collect());
                Error::value("activation", format!("{name:?}"), expected)
            })
        };
        let activations = activations.iter().map(activation).collect::<Result<_, _>>()?;
        let loss = Loss::from_name(loss).ok_or_else(|| {
            Error::value("loss", format!("{loss:?}"), names(Loss::ALL.iter().map(|l| l.name()).collect()))
        })?;
        if let Some(rate) = dropout.iter().find(|rate| !(0.0..1.0).contains(*rate)) {
            return Err(Error::value("dropout", rate, "at least 0 and below 1").into());
        }
        if !(l2 >= 0.0 && l2.is_finite()) {
            return Err(Error::value("l2", l2, "finite and not negative").into());
        }
        let loss = loss_parameter.map_or(Ok(loss), |parameter| loss.with_parameter(parameter))?;
        if let Some(weights) = &output_weights {
            check_shape("output_weights", &[weights.len()], &[widths[hidden + 1]])?;
            if loss.takes_classes() || !weights.iter().all(|weight| *weight >= 0.0 && weight.is_finite()) {
                let expected = "finite and not negative, for a loss that is a sum over outputs";
                return Err(Error::value("output_weights", format!("{weights:?}"), expected).into());
            }
        }
        let norm = None;
        let architecture = Architecture { widths, activations, norm, dropout, loss, output_weights, l2, l2_per_weight };
        let noisy = architecture.dropout.iter().any(|&rate| rate > 0.0);
        Ok(PyNetwork { network: Network::new(&architecture), noisy, kept: Mutex::default() })
    }

    /// The number of parameters.
    #[getter]
    fn n_params(&self) -> usize {
        self.network.tensors.len()
    }

    /// Whether targets are class indices.
    #[getter]
    fn takes_classes(&self) -> bool {
        self.network.loss.takes_classes()
    }

    /// How many workers a training with batches of that size deserves.
    fn workers(&self, batch_size: usize) -> usize {
        trainer::workers(&self.network, batch_size)
    }

    /// The bound of each layer's uniform initial weights.
    fn init_bounds(&self) -> Vec<f64> {
        let bounds = self.network.tensors.iter().filter_map(|tensor| match tensor.initial {
            crate::mlp::tensors::Initial::Uniform(bound) => Some(bound),
            crate::mlp::tensors::Initial::Constant(_) => None,
        });
        bounds.collect()
    }

    /// Trains `theta` in place: records of the epochs (loss, val_loss, lr, penalty, seconds), why it stopped, and the exception
    /// that stopped it, not raised so that the records are not lost.
    ///
    /// `on_epoch(number, loss, val_loss)` is called now and then, to show progress; `each_epoch(loss, val_loss, lr, penalty)`
    /// after every epoch, and training stops where it returns True. Both may read `theta`, and must not change it.
    #[pyo3(signature = (theta, optimizer, data, validation, *, batch_size, epochs, first_epoch, shuffle, seed, threads, target_loss, on_epoch, each_epoch=None, max_seconds=None, tells=true))]
    #[allow(clippy::too_many_arguments)]
    fn fit<'py>(
        &self,
        theta: &Bound<'py, PyAny>,
        optimizer: &Bound<'py, PyOptimizer>,
        data: Rows<'py>,
        validation: Option<Rows<'py>>,
        batch_size: Option<usize>,
        epochs: usize,
        first_epoch: u64,
        shuffle: bool,
        seed: u64,
        threads: Option<usize>,
        target_loss: Option<f64>,
        on_epoch: Option<Py<PyAny>>,
        each_epoch: Option<Py<PyAny>>,
        max_seconds: Option<f64>,
        tells: bool,
    ) -> PyResult<Fitted> {
        let options = Options { batch_size, epochs, first_epoch, shuffle, seed, threads, target_loss, tells };
        let watch = Watch {
            start: Instant::now(),
            shown: None,
            on_epoch,
            each_epoch,
            max_seconds: max_seconds.unwrap_or(f64::INFINITY),
            records: vec![],
            raised: None,
        };
        by_dtype!(theta, self.fit_as(theta, optimizer, data, validation, options, watch))
    }

    /// Predictions of the rows of `x`, or logits.
    fn predict<'py>(
        &self,
        theta: &Bound<'py, PyAny>,
        x: &Bound<'py, PyAny>,
        raw: bool,
        threads: Option<usize>,
    ) -> PyResult<Bound<'py, PyAny>> {
        by_dtype!(theta, self.predict_as(theta, x, raw, threads))
    }

    /// The objective on some rows.
    fn loss(&self, theta: &Bound<'_, PyAny>, data: Rows<'_>, threads: Option<usize>) -> PyResult<f64> {
        by_dtype!(theta, self.loss_as(theta, data, threads))
    }

    /// The objective on some rows; its gradient to `grads`.
    #[pyo3(signature = (theta, data, grads, dropout_seed, threads))]
    fn loss_and_grads(
        &self,
        theta: &Bound<'_, PyAny>,
        data: Rows<'_>,
        grads: &Bound<'_, PyAny>,
        dropout_seed: Option<u64>,
        threads: Option<usize>,
    ) -> PyResult<f64> {
        by_dtype!(theta, self.loss_and_grads_as(theta, data, grads, dropout_seed, threads))
    }
}

/// Loss, validation loss, learning rate, the penalty's part of the loss, seconds since the start.
type Record = (f64, Option<f64>, f64, f64, f64);

/// What a fit gives back: records, why it stopped, the exception to raise.
type Fitted = (Vec<Record>, &'static str, Option<PyErr>);

impl PyNetwork {
    fn check_theta<'py, T: Precision>(&self, theta: &Bound<'py, PyAny>) -> PyResult<PyReadwriteArray1<'py, T>> {
        let theta: PyReadwriteArray1<T> = theta.extract()?;
        check_shape("theta", theta.shape(), &[self.network.tensors.len()])?;
        Ok(theta)
    }

    fn fit_as<'py, T: Precision>(
        &self,
        theta: &Bound<'py, PyAny>,
        optimizer: &Bound<'py, PyOptimizer>,
        data: Rows<'py>,
        validation: Option<Rows<'py>>,
        options: Options,
        mut watch: Watch,
    ) -> PyResult<Fitted> {
        let py = theta.py();
        let network = &self.network;
        let data = Borrowed::<T>::new(network, &data)?;
        let validation = validation.map(|rows| Borrowed::<T>::new(network, &rows)).transpose()?;
        let (data, validation) = (data.data()?, validation.as_ref().map(Borrowed::data).transpose()?);
        let mut theta = self.check_theta::<T>(theta)?;
        let params = theta.as_slice_mut()?;
        let mut optimizer = optimizer.try_borrow_mut()?;
        let optimizer = T::optimizer(&mut optimizer).filter(|optimizer| optimizer.len() == params.len());
        let optimizer =
            optimizer.ok_or_else(|| Error::value("optimizer", "another", "bound to the parameters of this network"))?;
        let stopped =
            py.detach(|| trainer::fit(network, params, optimizer, (&data, validation.as_ref()), &options, &mut watch));
        if stopped.is_ok() && watch.raised.is_none() {
            // A signal since the last look: raised by Python after this call, it would take the records with it.
            watch.raised = py.check_signals().err();
        }
        let (stopped, error) = match stopped {
            Ok(_) if watch.raised.is_some() => ("interrupted", watch.raised),
            Ok(stop) => (stop.name(), None),
            Err(error) => ("error", Some(error.into())),
        };
        Ok((watch.records, stopped, error))
    }

    fn predict_as<'py, T: Precision>(
        &self,
        theta: &Bound<'py, PyAny>,
        x: &Bound<'py, PyAny>,
        raw: bool,
        threads: Option<usize>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let theta: PyReadonlyArray1<T> = theta.extract()?;
        check_shape("theta", theta.shape(), &[self.network.tensors.len()])?;
        let borrowed = BorrowedInputs::<T>::new(x, self.network.inputs())?;
        let x = borrowed.view()?;
        let out = PyArray2::<T>::zeros(theta.py(), (x.nrows(), self.network.outputs()), false);
        {
            let mut writable = out.readwrite();
            let (params, to) = (theta.as_slice()?, writable.as_slice_mut()?);
            let small = predict::is_quick(&self.network, x.nrows());
            let mut run = || predict::predict(&self.network, params, x, to, raw, threads);
            if small { run() } else { out.py().detach(run) }
        }
        Ok(out.into_any())
    }

    fn loss_as<T: Precision>(&self, theta: &Bound<'_, PyAny>, data: Rows<'_>, threads: Option<usize>) -> PyResult<f64> {
        let py = theta.py();
        let data = Borrowed::<T>::new(&self.network, &data)?;
        let data = data.data()?;
        let theta = self.check_theta::<T>(theta)?;
        let params = theta.as_slice()?;
        Ok(py.detach(|| objective::value(&self.network, params, &data, threads)))
    }

    fn loss_and_grads_as<T: Precision>(
        &self,
        theta: &Bound<'_, PyAny>,
        data: Rows<'_>,
        grads: &Bound<'_, PyAny>,
        dropout_seed: Option<u64>,
        threads: Option<usize>,
    ) -> PyResult<f64> {
        let py = theta.py();
        let data = Borrowed::<T>::new(&self.network, &data)?;
        let data = data.data()?;
        let theta = self.check_theta::<T>(theta)?;
        let params = theta.as_slice()?;
        let mut grads = self.check_theta::<T>(grads)?;
        let grads = grads.as_slice_mut()?;
        let noise = dropout_seed.filter(|_| self.noisy);
        // Taken out for the call, so that two threads may call at once.
        let locked = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = T::workspace(&mut locked()).take();
        let sparse = data.x.sparse().is_some();
        let mut workspace = kept
            .filter(|kept| kept.rows() >= data.len().min(MAX_ROWS) && kept.is_sparse() == sparse)
            .unwrap_or_else(|| Workspace::for_training(&self.network, data.len(), sparse));
        let loss = py.detach(|| {
            objective::value_and_grads(&self.network, params, &data, How { noise, threads }, &mut workspace, grads)
        });
        *T::workspace(&mut locked()) = Some(workspace);
        Ok(loss)
    }
}

/// How often the progress is shown.
const SHOW: Duration = Duration::from_millis(50);

/// Watches for signals, records epochs, and shows progress now and then.
struct Watch {
    start: Instant,
    shown: Option<Instant>,
    on_epoch: Option<Py<PyAny>>,
    each_epoch: Option<Py<PyAny>>,
    max_seconds: f64,
    records: Vec<Record>,
    raised: Option<PyErr>,
}

impl Watch {
    /// Whether to go on, where `result` says whether to stop.
    fn keep(&mut self, result: PyResult<bool>, reason: Stop) -> Option<Stop> {
        match result {
            Ok(false) => None,
            Ok(true) => Some(reason),
            Err(raised) => {
                self.raised = Some(raised);
                Some(Stop::Error)
            }
        }
    }
}

impl<T> Monitor<T> for Watch {
    fn tick(&mut self) -> Option<Stop> {
        let late = self.start.elapsed().as_secs_f64() >= self.max_seconds;
        let result = Python::attach(|py| py.check_signals());
        self.keep(result.map(|()| late), Stop::MaxTime)
    }

    fn epoch(&mut self, epoch: &Epoch, _params: &mut [T]) -> Option<Stop> {
        let Epoch { number, loss, val_loss, penalty, lr } = *epoch;
        self.records.push((loss, val_loss, lr, penalty, self.start.elapsed().as_secs_f64()));
        if let Some(each_epoch) = &self.each_epoch {
            let stop = Python::attach(|py| each_epoch.call1(py, (loss, val_loss, lr, penalty))?.is_truthy(py));
            if let Some(stop) = self.keep(stop, Stop::Callback) {
                return Some(stop);
            }
        }
        let on_epoch = self.on_epoch.as_ref()?;
        if self.shown.is_some_and(|shown| shown.elapsed() < SHOW) {
            return None;
        }
        self.shown = Some(Instant::now());
        let result = Python::attach(|py| on_epoch.call1(py, (number + 1, loss, val_loss)).map(|_| false));
        self.keep(result, Stop::Callback)
    }
}
