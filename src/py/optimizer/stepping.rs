//! A step as Python asks for it, in three parts: gradients are collected, schedules are asked, arrays are looked at and updated.
//! In the first two the caller's code may run, and do anything; in the last one none does.

use pyo3::prelude::*;

use super::binding::Binding;
use super::object::{Asking, PyOptimizer, writing};
use crate::optim::Rates;
use crate::py::precision::dispatch;

/// See `Optimizer.step`.
#[inline]
pub fn step(slf: &Bound<'_, PyOptimizer>, grads: &Bound<'_, PyAny>) -> PyResult<()> {
    let mut this = writing(slf)?;
    this.expect_idle()?;
    let Binding { structure, stepper, .. } = this.inner.binding_mut()?;
    dispatch!(stepper, stepper => {
        if stepper.optimizer.asks_outside() {
            drop(this);
            return step_asking(slf, grads);
        }
        let collected = stepper.collect(structure, grads);
        let result = collected.and_then(|()| stepper.update(grads.py(), &stepper.optimizer.rates()?));
        stepper.release();
        result
    })
}

/// The same where a function of the caller's gives the learning rate: it may look at this optimizer.
#[cold]
fn step_asking(slf: &Bound<'_, PyOptimizer>, grads: &Bound<'_, PyAny>) -> PyResult<()> {
    let (_asking, groups, steps);
    {
        let mut this = writing(slf)?;
        let Binding { structure, stepper, .. } = this.inner.binding_mut()?;
        dispatch!(stepper, stepper => {
            stepper.collect(structure, grads).inspect_err(|_| stepper.release())?;
            (groups, steps) = (stepper.optimizer.groups().to_vec(), stepper.optimizer.step_count());
        });
        _asking = Asking::new(&this);
    }
    let rates = Rates::of(&groups, steps);
    let mut this = writing(slf)?;
    dispatch!(&mut this.inner.binding_mut()?.stepper, stepper => {
        let result = rates.map_err(PyErr::from).and_then(|rates| stepper.update(slf.py(), &rates));
        stepper.release();
        result
    })
}
