//! The bridge to Python: converts, releases the GIL, delegates.

mod arguments;
mod arrays;
mod calls;
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
mod vigil;

use pyo3::prelude::*;

// It relies on the GIL: arrays of users are looked at while no other thread runs Python.
#[pymodule(gil_used = true)]
fn _schuss(module: &Bound<'_, PyModule>) -> PyResult<()> {
    // Before anything is computed with other bits than were asked for.
    crate::simd::asked()?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add("NonFiniteError", module.py().get_type::<errors::NonFiniteError>())?;
    module.add("OutOfTime", module.py().get_type::<vigil::OutOfTime>())?;
    calls::register(module)?;
    module.add_class::<schedule::PySchedule>()?;
    module.add_class::<optimizer::PyOptimizer>()?;
    module.add_class::<optimizer::ParamGroup>()?;
    module.add_function(wrap_pyfunction!(options::rules, module)?)?;
    module.add_function(wrap_pyfunction!(ewa::ewa_in_place, module)?)?;
    lbfgs::register(module)?;
    registry::register(module)?;
    network::register(module)
}
