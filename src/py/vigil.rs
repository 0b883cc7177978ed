//! Who looks at signals and the clock for work that runs without the GIL.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pyo3::exceptions::{PyException, PyKeyboardInterrupt};
use pyo3::prelude::*;

use super::calls::{self, Call};
use crate::interrupt::Interrupt;
use crate::simd::FlushDenormals;
use crate::stop::Stop;

pyo3::create_exception!(
    schuss,
    OutOfTime,
    PyException,
    "The time that was allowed is over; nothing has come of the call."
);

/// What other threads end work with: Python's signals reach its main thread only.
#[pyclass(module = "schuss._schuss", frozen)]
#[derive(Default)]
pub struct StopFlag(Arc<AtomicBool>);

#[pymethods]
impl StopFlag {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// From now on the work is to end.
    fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it is.
    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What ends work before its end: a signal's exception, the time that was allowed, the interpreter's exit, a flag.
pub struct Vigil {
    pub interrupt: Interrupt,
    raised: Arc<Mutex<Option<PyErr>>>,
}

impl Vigil {
    /// From now on. Python's signals reach its main thread only: others need not wait for the GIL.
    pub fn new(py: Python<'_>, max_seconds: Option<f64>, flag: Option<&StopFlag>) -> PyResult<Self> {
        let flag = flag.map(|flag| Arc::clone(&flag.0));
        let start = Instant::now();
        let limit = max_seconds
            .map_or(Duration::MAX, |seconds| Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX));
        let gets_signals = is_main_thread(py)?;
        let raised: Arc<Mutex<Option<PyErr>>> = Arc::default();
        let keep = Arc::clone(&raised);
        let interrupt = Interrupt::new(move || {
            // A signal's handler is Python: its numbers are not flushed.
            let check = || Python::attach(|py| py.check_signals());
            let signal = || gets_signals.then(|| FlushDenormals::pause(check)).and_then(|checked| checked.err());

            let exception = if calls::is_exiting() { Some(calls::exits()) } else { signal() };
            if let Some(exception) = exception {
                return Some(keep_exception(&keep, exception));
            }
            if flag.as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed)) {
                return Some(Stop::Interrupted);
            }
            (start.elapsed() >= limit).then_some(Stop::MaxTime)
        });
        Ok(Vigil { interrupt, raised })
    }

    /// Keeps an exception that ends the work, from elsewhere; the reason that it is.
    pub fn keep(&self, exception: PyErr) -> Stop {
        keep_exception(&self.raised, exception)
    }

    /// The exception that has ended the work, if one has.
    pub fn exception(&self) -> Option<PyErr> {
        self.raised.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

fn keep_exception(kept: &Mutex<Option<PyErr>>, exception: PyErr) -> Stop {
    let stop = Python::attach(|py| reason(py, &exception));
    *kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(exception);
    stop
}

/// Why work that an exception has ended stopped.
pub fn reason(py: Python<'_>, exception: &PyErr) -> Stop {
    if exception.is_instance_of::<PyKeyboardInterrupt>(py) { Stop::Interrupted } else { Stop::Error }
}

fn is_main_thread(py: Python<'_>) -> PyResult<bool> {
    let threading = py.import("threading")?;
    threading.call_method0("main_thread")?.getattr("ident")?.eq(threading.call_method0("get_ident")?)
}

/// Does work without the GIL whose result is of use only where it comes to its end. Where that may take long it is interrupted by
/// what a [`Vigil`] sees.
pub fn interruptible<R: Send>(
    call: &Call,
    py: Python<'_>,
    is_long: bool,
    max_seconds: Option<f64>,
    work: impl FnOnce(&Interrupt) -> R + Send,
) -> PyResult<R> {
    if !is_long {
        return Ok(call.detach(py, || work(&Interrupt::never())));
    }
    let vigil = Vigil::new(py, max_seconds, None)?;
    let result = call.detach(py, || work(&vigil.interrupt));
    match (vigil.exception(), vigil.interrupt.reason()) {
        (Some(exception), _) => Err(exception),
        (None, Some(_)) => Err(OutOfTime::new_err("the time that was allowed is over")),
        (None, None) => Ok(result),
    }
}
