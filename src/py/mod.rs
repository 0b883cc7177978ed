//! The bridge to Python: converts, releases the GIL, delegates.

use pyo3::prelude::*;

#[pymodule]
fn _schuss(_module: &Bound<'_, PyModule>) -> PyResult<()> {
    Ok(())
}
