//! The bridge to Python: converts, releases the GIL, delegates.

mod arguments;
mod arrays;
mod errors;
mod ewa;
mod foreign;
mod lbfgs;
mod network;
mod optimizer;
mod options;
mod precision;
mod registry;
mod schedule;
mod structure;

use pyo3::prelude::*;

#[pymodule]
fn _schuss(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add("NonFiniteError", module.py().get_type::<errors::NonFiniteError>())?;
    module.add_class::<schedule::PySchedule>()?;
    module.add_class::<optimizer::PyOptimizer>()?;
    module.add_class::<optimizer::ParamGroup>()?;
    module.add_function(wrap_pyfunction!(options::rules, module)?)?;
    module.add_function(wrap_pyfunction!(ewa::ewa_in_place, module)?)?;
    lbfgs::register(module)?;
    registry::register(module)?;
    network::register(module)
}
