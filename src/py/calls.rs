//! Calls that let other Python threads run, and what becomes of them when the interpreter exits.
//!
//! A thread that Python ends in the middle of a call, as it does with daemon threads at exit, would be unwound through this
//! library's frames, which aborts the process. So at exit, while all threads still run, the calls of other threads than the
//! exiting one are asked to end, with `SystemExit`, and new ones are refused; the exit waits for them a moment.

use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pyo3::exceptions::PySystemExit;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::per_process::has_forked;

/// For how long the exit waits for the calls of other threads: they look around much more often, but user code that they have
/// called may do anything.
const PATIENCE: Duration = Duration::from_secs(2);

/// How many calls are under way. Below 0 in a child that was forked within a call, when that ends there.
static UNDER_WAY: AtomicIsize = AtomicIsize::new(0);
/// The thread that exits; 0 before that.
static EXITING: AtomicUsize = AtomicUsize::new(0);

/// A number for this thread that no other one has while it lives.
fn this_thread() -> usize {
    thread_local!(static HERE: u8 = const { 0 });
    HERE.with(|here| std::ptr::from_ref(here) as usize)
}

/// Whether the interpreter exits and this thread is not the one that does it: it must not go on.
pub fn is_exiting() -> bool {
    let exiting = EXITING.load(Ordering::SeqCst);
    exiting != 0 && exiting != this_thread()
}

/// What ends a call at exit: silently, as a thread ends.
pub fn exits() -> PyErr {
    PySystemExit::new_err("the interpreter exits")
}

/// A call under way in which other threads may run: because it lets them, or because Python code is called in it.
pub struct Call(());

impl Call {
    /// Begins one, unless the interpreter exits.
    pub fn begin() -> PyResult<Self> {
        // Counted first: either it is seen by the exit, or it sees the exit.
        UNDER_WAY.fetch_add(1, Ordering::SeqCst);
        let call = Call(());
        if is_exiting() { Err(exits()) } else { Ok(call) }
    }

    /// Does work while other Python threads run.
    pub fn detach<R: Send>(&self, py: Python<'_>, work: impl FnOnce() -> R + Send) -> R {
        py.detach(work)
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        UNDER_WAY.fetch_sub(1, Ordering::SeqCst);
    }
}

/// To be called when the interpreter is about to exit.
#[pyfunction]
fn end_calls(py: Python<'_>) {
    EXITING.store(this_thread(), Ordering::SeqCst);
    // A subinterpreter that lives until the end is told of it when nobody can let go of the interpreter and get it back.
    if UNDER_WAY.load(Ordering::SeqCst) <= 0 {
        return;
    }
    py.detach(|| {
        let begin = Instant::now();
        while UNDER_WAY.load(Ordering::SeqCst) > 0 && begin.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(1));
        }
    });
}

/// To be called in a forked child: its parent's threads, those in a call and those that wait for work, are not there.
#[pyfunction]
fn forget_calls() {
    UNDER_WAY.store(0, Ordering::SeqCst);
    EXITING.store(0, Ordering::SeqCst);
    has_forked();
}

/// Has them called.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    py.import("atexit")?.call_method1("register", (wrap_pyfunction!(end_calls, module)?,))?;
    if let Ok(register_at_fork) = py.import("os")?.getattr("register_at_fork") {
        let after = PyDict::new(py);
        after.set_item("after_in_child", wrap_pyfunction!(forget_calls, module)?)?;
        register_at_fork.call((), Some(&after))?;
    }
    Ok(())
}
