//! Exponentially weighted averages of series.

use pyo3::prelude::*;

use crate::optim::ewa;

/// Replaces each value by the exponentially weighted average up to it; see `schuss.ewa`.
#[pyfunction]
pub fn ewa_in_place(mut series: numpy::PyReadwriteArray1<'_, f64>, beta: f64, bias_correction: bool) -> PyResult<()> {
    Ok(ewa::in_place(series.as_slice_mut()?, beta, bias_correction)?)
}
