//! The bridge to Python: converts, releases the GIL, delegates.

mod arrays;
mod errors;
mod groups;
mod lbfgs;
mod network;
mod optim;
mod options;
mod recipe;
mod registry;
mod schedule;
mod state;
mod structure;

use pyo3::prelude::*;

#[pymodule]
fn _schuss(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add("NonFiniteError", module.py().get_type::<errors::NonFiniteError>())?;
    module.add_class::<schedule::PySchedule>()?;
    optim::register(module)?;
    lbfgs::register(module)?;
    registry::register(module)?;
    network::register(module)
}
