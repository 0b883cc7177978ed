//! The core's optimizer with the arrays that it updates, in one precision.

use pyo3::Borrowed;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::cores::cores;
use crate::optim::{Config, Optimizer, driver};
use crate::py::arrays::{Arrays, is_array};
use crate::py::structure::{Placed, Structure};
use crate::scalar::Scalar;

/// Elements from which on a step lets other Python threads run.
const RELEASE: usize = 64 * 1024;

/// An optimizer and its arrays.
pub struct Stepper<T: Scalar> {
    pub optimizer: Optimizer<T>,
    pub arrays: Arrays<T>,
    /// Keeps gradients alive during a step.
    gradients: Vec<Py<PyAny>>,
}

impl<T: Scalar> Stepper<T> {
    /// Binds arrays; `group_of` is the group of each.
    pub fn new(groups: Vec<Config>, group_of: &[usize], arrays: &[Placed<'_>]) -> PyResult<Self> {
        let arrays = Arrays::bind(arrays)?;
        let optimizer = Optimizer::with_groups(groups, &arrays.sizes(), group_of)?;
        Ok(Stepper { optimizer, arrays, gradients: vec![] })
    }

    /// Updates the arrays by one step.
    #[inline]
    pub fn step(&mut self, structure: &Structure, grads: &Bound<'_, PyAny>) -> PyResult<()> {
        let Stepper { optimizer, arrays, gradients } = self;
        arrays.begin(grads.py())?;
        let visited = structure.visit(grads.as_borrowed(), &mut |index, gradient| {
            if let Ok(pair) = gradient.cast::<PyTuple>() {
                optimizer.expect_rows_allowed()?;
                return arrays.set_rows(index, &pair);
            }
            let gradient = match arrays.is_number(index) && !is_array(gradient) {
                true => from_scalar(gradient)?,
                false => gradient.to_owned(),
            };
            arrays.set_gradient(index, gradient.as_borrowed())?;
            gradients.push(gradient.unbind());
            Ok(())
        });
        let result = visited.and_then(|()| {
            let large = arrays.place_gradients() >= RELEASE;
            // SAFETY: every gradient was set and is kept alive in `gradients`. While other threads run, this object stays
            // borrowed, and its documentation reserves parameters and gradients for the step.
            let views = unsafe { arrays.views() };
            match large {
                true => grads.py().detach(|| driver::step(optimizer, views, cores())),
                false => driver::step(optimizer, views, 1),
            }
            .map_err(PyErr::from)
        });
        gradients.clear();
        result.map(|_| ())
    }

    /// The averaged parameters, each as a new array; None where there are none.
    pub fn averaged<'py>(&self, py: Python<'py>) -> PyResult<Option<Vec<Bound<'py, PyAny>>>> {
        let mut averages = vec![];
        for tensor in 0..self.arrays.len() {
            let len = self.optimizer.range(tensor).len();
            let (mut params, mut average) = (vec![T::ZERO; len], vec![T::ZERO; len]);
            self.arrays.read_param(py, tensor, &mut params)?;
            if !self.optimizer.averaged(tensor, &params, &mut average) {
                return Ok(None);
            }
            averages.push(self.array_of_state(py, tensor, &average)?);
        }
        Ok(Some(averages))
    }

    /// A new array of the shape of a parameter and the dtype of its state.
    pub fn array_of_state<'py>(&self, py: Python<'py>, tensor: usize, values: &[T]) -> PyResult<Bound<'py, PyAny>> {
        let shape_and_dtype = (self.arrays.shape(py, tensor)?, self.arrays.state_dtype(tensor));
        let array = py.import("numpy")?.call_method1("empty", shape_and_dtype)?;
        self.arrays.write_like(tensor, array.as_borrowed(), values)?;
        Ok(array)
    }
}

/// NumPy makes scalars of arrays without axes wherever it can: they are gradients of such arrays.
#[cold]
fn from_scalar<'py>(gradient: Borrowed<'_, 'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let numpy = gradient.py().import("numpy")?;
    match gradient.is_instance(&numpy.getattr("generic")?)? {
        true => numpy.call_method1("asarray", (gradient,)),
        false => Ok(gradient.to_owned()),
    }
}
