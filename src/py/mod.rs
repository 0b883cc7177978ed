//! The bridge to Python: converts, releases the GIL, delegates.

use pyo3::prelude::*;

#[pymodule]
fn _schuss(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))
}
