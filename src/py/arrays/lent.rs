//! Memory of the core, shown to Python for the time of a call.

use std::ffi::c_int;

use pyo3::ffi;
use pyo3::prelude::*;

/// Python's PyBUF_READ and PyBUF_WRITE, which its stable interface has under no name before 3.11.
const READ: c_int = 0x100;
const WRITE: c_int = 0x200;

/// Calls `work` with a memoryview of these bytes, which shows nothing any more afterwards.
pub fn lend<R>(py: Python<'_>, bytes: &[u8], work: impl FnOnce(&Bound<'_, PyAny>) -> PyResult<R>) -> PyResult<R> {
    // SAFETY: the view is read-only.
    unsafe { view(py, bytes.as_ptr().cast_mut(), bytes.len(), READ, work) }
}

/// The same, to be written to.
pub fn lend_mut<R>(
    py: Python<'_>,
    bytes: &mut [u8],
    work: impl FnOnce(&Bound<'_, PyAny>) -> PyResult<R>,
) -> PyResult<R> {
    // SAFETY: nobody else has the bytes.
    unsafe { view(py, bytes.as_mut_ptr(), bytes.len(), WRITE, work) }
}

/// # Safety
/// So many bytes are there during the call, and may be accessed in that way.
unsafe fn view<R>(
    py: Python<'_>,
    start: *mut u8,
    len: usize,
    access: c_int,
    work: impl FnOnce(&Bound<'_, PyAny>) -> PyResult<R>,
) -> PyResult<R> {
    // SAFETY: the interpreter is attached, and the caller vouches for the bytes.
    let view = unsafe {
        let view = ffi::PyMemoryView_FromMemory(start.cast(), len as ffi::Py_ssize_t, access);
        Bound::from_owned_ptr_or_err(py, view)?
    };
    let result = work(&view);
    // Refused where somebody still looks at it, as the traceback of an exception does: that is then what is raised.
    let released = view.call_method0("release");
    let result = result?;
    released?;
    Ok(result)
}
