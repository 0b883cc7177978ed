//! `schuss.schedules` and learning rates.

use std::sync::Arc;

use numpy::{IntoPyArray, PyReadonlyArrayDyn};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::errors::foreign;
use crate::optim::schedule::{Custom, FORMS, Schedule};

/// A learning rate as a function of the step; made by the functions of `schuss.schedules`.
///
/// Call it with a step, counted from 0, or with an array of steps. It remembers nothing between calls.
#[pyclass(name = "Schedule", module = "schuss.schedules", frozen)]
pub struct PySchedule {
    schedule: Schedule,
    /// What it was made from: a form and its numbers, or "warmup" with its numbers and what follows.
    recipe: Py<PyTuple>,
}

#[pymethods]
impl PySchedule {
    #[new]
    #[pyo3(signature = (form, *numbers))]
    fn new(py: Python<'_>, form: &str, numbers: &Bound<'_, PyTuple>) -> PyResult<Self> {
        let schedule = if form == "warmup" {
            let (steps, start, then): (f64, f64, Bound<'_, PyAny>) = numbers.extract()?;
            Schedule::warmup(steps, start, schedule_of(&then)?)?
        } else {
            let numbers = numbers.iter().map(|number| number.extract()).collect::<PyResult<Vec<f64>>>()?;
            Schedule::form(form, &numbers)?
        };
        let mut recipe = vec![form.into_pyobject(py)?.into_any()];
        recipe.extend(numbers.iter());
        Ok(PySchedule { schedule, recipe: PyTuple::new(py, recipe)?.unbind() })
    }

    fn __call__<'py>(&self, py: Python<'py>, step: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        if let Ok(step) = step.extract::<f64>() {
            return Ok(self.at(step)?.into_pyobject(py)?.into_any());
        }
        let steps = py.import("numpy")?.call_method1("asarray", (step, "float64"))?;
        let steps: PyReadonlyArrayDyn<'py, f64> = steps.extract()?;
        let mut values = steps.as_array().to_owned();
        for value in &mut values {
            *value = self.at(*value)?;
        }
        Ok(values.into_pyarray(py).into_any())
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let recipe = self.recipe.bind(py);
        let form: String = recipe.get_item(0)?.extract()?;
        let fields = FORMS
            .iter()
            .find(|known| known.name == form)
            .map_or(vec!["steps", "start", "then"], |known| known.fields.iter().map(|(name, _)| *name).collect());
        let mut arguments = vec![];
        for (name, value) in fields.iter().zip(recipe.iter().skip(1)) {
            arguments.push(format!("{name}={}", value.repr()?));
        }
        Ok(format!("{form}({})", arguments.join(", ")))
    }

    fn __eq__(&self, py: Python<'_>, other: &Bound<'_, PyAny>) -> PyResult<bool> {
        match other.cast::<PySchedule>() {
            Ok(other) => self.recipe.bind(py).eq(other.get().recipe.bind(py)),
            Err(_) => Ok(false),
        }
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> (Bound<'py, PyAny>, Py<PyTuple>) {
        (slf.get_type().into_any(), slf.get().recipe.clone_ref(slf.py()))
    }
}

impl PySchedule {
    fn at(&self, step: f64) -> PyResult<f64> {
        if step.is_nan() || step < 0.0 {
            return Err(PyValueError::new_err(format!("step must be at least 0, got {step}")));
        }
        Ok(self.schedule.value(step)?)
    }
}

/// The schedule that a number, a schedule or any callable of the step stands for.
pub fn schedule_of(object: &Bound<'_, PyAny>) -> PyResult<Schedule> {
    if let Ok(schedule) = object.cast::<PySchedule>() {
        return Ok(schedule.get().schedule.clone());
    }
    if let Ok(lr) = object.extract::<f64>() {
        return Ok(Schedule::constant(lr)?);
    }
    if !object.is_callable() {
        let got = object.get_type().qualname()?;
        return Err(PyTypeError::new_err(format!(
            "lr must be a number, a schedule or a callable of the step, got {got}"
        )));
    }
    let function = object.clone().unbind();
    let call =
        move |step: f64| Python::attach(|py| function.call1(py, (step as u64,))?.extract::<f64>(py)).map_err(foreign);
    Ok(Schedule::Custom(Custom(Arc::new(call))))
}
