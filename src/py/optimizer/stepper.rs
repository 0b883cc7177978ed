//! The core's optimizer with the arrays that it updates, in one precision.

use pyo3::Borrowed;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::buffer::{copied, filled};
use crate::cores::cores;
use crate::optim::{Config, Optimizer, Rates, driver};
use crate::py::arrays::{Arrays, is_array};
use crate::py::calls::Call;
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

    /// The first part of a step: takes the gradients out of the caller's structure. Python may run.
    #[inline]
    pub fn collect(&mut self, structure: &Structure, grads: &Bound<'_, PyAny>) -> PyResult<()> {
        let Stepper { optimizer, arrays, gradients } = self;
        gradients.clear();
        arrays.begin();
        structure.collect("grads", grads.as_borrowed(), gradients)?;
        for (index, gradient) in gradients.iter_mut().enumerate() {
            let given = gradient.bind_borrowed(grads.py());
            if let Ok(pair) = given.cast::<PyTuple>() {
                optimizer.expect_rows_allowed()?;
                arrays.set_rows(index, &pair)?;
            } else if arrays.is_number(index) && !is_array(given) {
                *gradient = from_scalar(given)?.unbind();
            }
        }
        Ok(())
    }

    /// The last part: updates the arrays. What was collected may have changed since, so it is only looked at now, and no
    /// Python runs any more in this thread.
    #[inline]
    pub fn update(&mut self, py: Python<'_>, rates: &Rates) -> PyResult<()> {
        let Stepper { optimizer, arrays, gradients } = self;
        if (0..gradients.len()).any(|index| arrays.has_rows(index)) {
            // A learning rate that is a function may have set an option since.
            optimizer.expect_rows_allowed()?;
        }
        let large = arrays.place_gradients() >= RELEASE;
        let pins = if large { Some(arrays.pin(py, gradients)?) } else { None };
        arrays.verify(py)?;
        for (index, gradient) in gradients.iter().enumerate() {
            if !arrays.has_rows(index) {
                arrays.set_gradient(index, gradient.bind_borrowed(py))?;
            }
        }
        // SAFETY: parameters and gradients were looked at just now, gradients are kept alive in `gradients`, and nothing is
        // resized that is pinned. While other threads run, this object stays borrowed, and its documentation reserves
        // parameters and gradients for the step.
        let views = unsafe { arrays.views() };
        match large {
            true => Call::begin()?.detach(py, || driver::step_at(optimizer, rates, views, cores()))?,
            false => driver::step_at(optimizer, rates, views, 1)?,
        };
        drop(pins);
        Ok(())
    }

    /// Lets the gradients go that were collected.
    #[inline]
    pub fn release(&mut self) {
        self.gradients.clear();
    }

    /// All Python objects that it holds.
    pub fn objects(&self) -> impl Iterator<Item = &Py<PyAny>> {
        self.arrays.objects().chain(&self.gradients)
    }

    /// The averaged parameters, each as a new array: where a group keeps no average the parameters as they are. None where
    /// no group keeps one.
    pub fn averaged<'py>(&self, py: Python<'py>) -> PyResult<Option<Vec<Bound<'py, PyAny>>>> {
        let (mut averages, mut any) = (vec![], false);
        for tensor in 0..self.arrays.len() {
            let params = self.param(py, tensor)?;
            let mut average = copied(&params, "an average of the parameters")?;
            any |= self.optimizer.averaged(tensor, &params, &mut average);
            averages.push(self.array_of_state(py, tensor, &average)?);
        }
        Ok(any.then_some(averages))
    }

    /// A copy of a parameter, in the order of its state.
    pub fn param(&self, py: Python<'_>, tensor: usize) -> PyResult<Vec<T>> {
        let mut params = filled(T::ZERO, self.optimizer.range(tensor).len(), "a copy of the parameters")?;
        self.arrays.read_param(py, tensor, &mut params)?;
        Ok(params)
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
