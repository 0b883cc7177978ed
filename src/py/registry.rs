//! The tables of activations, links and losses, as Python reads them.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::kernels::activation::Activation;
use crate::kernels::loss::{Link, Loss};
use crate::kernels::onnx::Onnx;

/// Adds everything of this module to the extension.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    module.add("ACTIVATIONS", PyTuple::new(py, Activation::ALL.iter().map(|activation| activation.name()))?)?;
    module.add("LOSSES", PyTuple::new(py, Loss::ALL.iter().map(|loss| loss.name()))?)?;
    module.add_function(wrap_pyfunction!(activation_table, module)?)?;
    module.add_function(wrap_pyfunction!(link_table, module)?)?;
    module.add_function(wrap_pyfunction!(loss_table, module)?)
}

/// All activations, as dicts.
#[pyfunction]
fn activation_table(py: Python<'_>) -> PyResult<Vec<Bound<'_, PyDict>>> {
    let row = |activation: &Activation| {
        let (info, row) = (activation.info(), PyDict::new(py));
        row.set_item("name", info.name)?;
        row.set_item("formula", info.formula)?;
        row.set_item("reference", info.reference)?;
        row.set_item("init", info.init.name())?;
        row.set_item("needs_input", info.needs_input)?;
        row.set_item("onnx", expression(py, &info.onnx)?)?;
        Ok(row)
    };
    Activation::ALL.iter().map(row).collect()
}

/// All links, as dicts.
#[pyfunction]
fn link_table(py: Python<'_>) -> PyResult<Vec<Bound<'_, PyDict>>> {
    let row = |link: &Link| {
        let row = PyDict::new(py);
        row.set_item("name", link.name())?;
        row.set_item("formula", link.formula())?;
        row.set_item("onnx", expression(py, &link.onnx())?)?;
        Ok(row)
    };
    Link::ALL.iter().map(row).collect()
}

/// All losses, as dicts; a parameter is its name, its default and the ends of its range, which do not belong to it.
#[pyfunction]
fn loss_table(py: Python<'_>) -> PyResult<Vec<Bound<'_, PyDict>>> {
    let row = |loss: &Loss| {
        let (info, row) = (loss.info(), PyDict::new(py));
        row.set_item("name", info.name)?;
        row.set_item("formula", info.formula)?;
        row.set_item("reference", info.reference)?;
        row.set_item("link", info.link.name())?;
        row.set_item("targets", info.targets.name())?;
        row.set_item("reduction", info.reduction.name())?;
        row.set_item("parameter", info.parameter.map(|p| (p.name, p.default, p.above, p.below)))?;
        Ok(row)
    };
    Loss::ALL.iter().map(row).collect()
}

/// None for the argument, a number for a constant, else a tuple of operator, inputs and attributes.
fn expression<'py>(py: Python<'py>, onnx: &Onnx) -> PyResult<Bound<'py, PyAny>> {
    match onnx {
        Onnx::Argument => Ok(py.None().into_bound(py)),
        Onnx::Constant(value) => Ok(value.into_pyobject(py)?.into_any()),
        Onnx::Node { operator, inputs, attributes } => {
            let inputs = inputs.iter().map(|input| expression(py, input)).collect::<PyResult<Vec<_>>>()?;
            let of_operator = PyDict::new(py);
            attributes.iter().try_for_each(|(name, value)| of_operator.set_item(name, value))?;
            Ok((*operator, PyTuple::new(py, inputs)?, of_operator).into_pyobject(py)?.into_any())
        }
    }
}
