//! `schuss.schedules` and learning rates.

use std::any::Any;

use numpy::PyReadwriteArrayDyn;
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyTuple, PyType};
use pyo3::{PyTraverseError, PyVisit};

use super::arguments::{flag, number, numbers, wrong_count};
use super::calls::Call;
use super::errors::foreign;
use super::foreign::{items, number_of_any_size, shown};
use crate::error::{Error, Fault, Result};
use crate::optim::plateau::{Plateau, Settings};
use crate::optim::schedule::{Custom, FORMS, Function, OPEN, Schedule};
use crate::simd::FlushDenormals;

/// A learning rate as a function of the step; made by the functions of `schuss.schedules`.
///
/// Call it with a step, counted from 0, or with an array of steps: the learning rate of that update, a float, or an
/// array of float64 of the same shape. It remembers nothing between calls. Schedules are values: they are equal where
/// they are made the same way, and may be hashed, copied and pickled where functions in them may.
///
/// Parameters
/// ----------
/// form : str
///     The name of the function that makes such a schedule, for copies and pickles.
/// *arguments
///     All that this function would be given, defaults included.
///
/// Raises
/// ------
/// TypeError, ValueError
///     When it is made, as that function; when it is called, if a step is no number, negative or NaN, if `total_steps`
///     is not known, or if a function in it gives no number that is finite and at least 0.
///
/// Examples
/// --------
/// >>> import numpy as np
/// >>> from schuss.schedules import linear
/// >>> schedule = linear(0.1, total_steps=100)
/// >>> schedule(50)
/// 0.05
/// >>> schedule(np.array([0, 50, 100]))
/// array([0.1 , 0.05, 0.  ])
#[pyclass(name = "Schedule", module = "schuss.schedules", frozen)]
pub struct PySchedule {
    schedule: Schedule,
}

impl From<Schedule> for PySchedule {
    fn from(schedule: Schedule) -> Self {
        PySchedule { schedule }
    }
}

#[pymethods]
impl PySchedule {
    #[new]
    #[pyo3(signature = (form, *arguments))]
    fn new(form: &str, arguments: &Bound<'_, PyTuple>) -> PyResult<Self> {
        let given: Vec<_> = arguments.iter().collect();
        let schedule = match (form, given.as_slice()) {
            ("warmup", [then, steps, start]) => {
                let (steps, start) = (number("warmup_steps", steps)?, number("warmup_start", start)?);
                Schedule::warmup(steps, start, schedule_named("schedule", then)?)?
            }
            ("join", [schedules, boundaries]) => {
                let schedules = items(schedules)?.into_iter().enumerate();
                let part = |(index, part)| schedule_named(&format!("schedules[{index}]"), &part);
                let parts = schedules.map(part).collect::<PyResult<_>>()?;
                Schedule::join(parts, numbers("boundaries", boundaries)?)?
            }
            ("plateau", [lr, factor, patience, threshold, relative, maximize, cooldown, min_lr]) => {
                Schedule::Plateau(Plateau::new(Settings {
                    lr: number("lr", lr)?,
                    factor: number("factor", factor)?,
                    patience: number("patience", patience)?,
                    threshold: number("threshold", threshold)?,
                    relative: flag("relative", relative)?,
                    maximize: flag("maximize", maximize)?,
                    cooldown: number("cooldown", cooldown)?,
                    min_lr: number("min_lr", min_lr)?,
                })?)
            }
            ("warmup", _) => return Err(wrong_count(form, given.len(), 3)),
            ("join", _) => return Err(wrong_count(form, given.len(), 2)),
            ("plateau", _) => return Err(wrong_count(form, given.len(), 8)),
            _ => Schedule::form(form, &numbers_of_form(form, &given)?)?,
        };
        Ok(PySchedule { schedule })
    }

    fn __call__<'py>(&self, py: Python<'py>, step: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        if let Some(step) = number_of_any_size(step)? {
            return Ok(self.at(step)?.into_pyobject(py)?.into_any());
        }
        // NumPy lets other threads run while it converts many numbers.
        let _call = Call::begin()?;
        let got = shown(step)?;
        let refused = || Error::type_("step", &got, "a number or an array of numbers");
        let values = py.import("numpy")?.call_method1("array", (step,)).map_err(|raised| {
            let is_no_array = raised.is_instance_of::<PyTypeError>(py) || raised.is_instance_of::<PyValueError>(py);
            if is_no_array { refused().into() } else { raised }
        })?;
        let kind = values.getattr("dtype")?.getattr("kind")?.extract::<String>()?;
        if !"fiu".contains(&kind) {
            return Err(refused().into());
        }
        let values = values.call_method1("astype", ("float64",))?;
        for value in values.extract::<PyReadwriteArrayDyn<'py, f64>>()?.as_array_mut() {
            *value = self.at(*value)?;
        }
        Ok(values)
    }

    /// The same schedule with a length, where it was made without `total_steps`.
    ///
    /// Parameters
    /// ----------
    /// total_steps : int
    ///     Steps.
    ///
    /// Returns
    /// -------
    /// Schedule
    ///     One that had a length is as it was.
    ///
    /// Raises
    /// ------
    /// TypeError, ValueError
    ///     If it is no number of steps, or its warm-up takes as many.
    fn with_length(&self, total_steps: &Bound<'_, PyAny>) -> PyResult<Self> {
        let total = number("total_steps", total_steps)?;
        Ok(self.schedule.clone().with_length(total)?.into())
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let (name, arguments) = parts(py, &self.schedule)?;
        let arguments = arguments.into_iter().map(|(name, value)| Ok(format!("{name}={}", value.repr()?)));
        Ok(format!("{name}({})", arguments.collect::<PyResult<Vec<_>>>()?.join(", ")))
    }

    fn __eq__(slf: &Bound<'_, Self>, other: &Bound<'_, PyAny>) -> PyResult<bool> {
        match other.cast::<PySchedule>() {
            Ok(other) => Self::__reduce__(slf)?.1.eq(Self::__reduce__(other)?.1),
            Err(_) => Ok(false),
        }
    }

    fn __hash__(slf: &Bound<'_, Self>) -> PyResult<isize> {
        Self::__reduce__(slf)?.1.hash()
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let py = slf.py();
        let (name, arguments) = parts(py, &slf.get().schedule)?;
        let mut values = vec![name.into_pyobject(py)?.into_any()];
        values.extend(arguments.into_iter().map(|(_, value)| value));
        Ok((slf.get_type().into_any(), PyTuple::new(py, values)?))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> std::result::Result<(), PyTraverseError> {
        visited(&self.schedule, &visit)
    }
}

impl PySchedule {
    fn at(&self, step: f64) -> PyResult<f64> {
        self.schedule.expect_length()?;
        if step.is_nan() || step < 0.0 {
            return Err(PyValueError::new_err(format!("step must be at least 0, got {step}")));
        }
        Ok(self.schedule.value(step)?)
    }
}

/// Arguments by name.
type Arguments<'py> = Vec<(&'static str, Bound<'py, PyAny>)>;

/// The name of the function that makes a schedule, and its arguments.
fn parts<'py>(py: Python<'py>, schedule: &Schedule) -> PyResult<(&'static str, Arguments<'py>)> {
    let numbers =
        |values: &[f64]| PyTuple::new(py, values.iter().map(|&x| plain(py, x)).collect::<PyResult<Vec<_>>>()?);
    Ok(match schedule {
        Schedule::Form(form, values) => {
            let (values, steps) = values.split_at(form.fields.len());
            let named = form.fields.iter().zip(values).map(|((name, _), &value)| match value {
                OPEN => Ok((*name, py.None().into_bound(py))),
                _ => Ok((*name, plain(py, value)?)),
            });
            let mut arguments = named.collect::<PyResult<Arguments<'_>>>()?;
            if let Some(name) = form.steps {
                arguments.push((name, numbers(steps)?.into_any()));
            }
            (form.name, arguments)
        }
        Schedule::Warmup { steps, start, then } => {
            let then = learning_rate(py, then)?;
            ("warmup", vec![("schedule", then), ("steps", plain(py, *steps)?), ("start", plain(py, *start)?)])
        }
        Schedule::Join { parts, boundaries } => {
            let parts = parts.iter().map(|part| learning_rate(py, part)).collect::<PyResult<Vec<_>>>()?;
            let parts = PyTuple::new(py, parts)?.into_any();
            ("join", vec![("schedules", parts), ("boundaries", numbers(boundaries)?.into_any())])
        }
        Schedule::Plateau(plateau) => {
            let s = plateau.settings;
            let flag = |on: bool| on.into_bound_py_any(py);
            let arguments = vec![
                ("lr", plain(py, s.lr)?),
                ("factor", plain(py, s.factor)?),
                ("patience", plain(py, s.patience)?),
                ("threshold", plain(py, s.threshold)?),
                ("relative", flag(s.relative)?),
                ("maximize", flag(s.maximize)?),
                ("cooldown", plain(py, s.cooldown)?),
                ("min_lr", plain(py, s.min_lr)?),
            ];
            ("plateau", arguments)
        }
        Schedule::Custom(_) => ("custom", vec![("schedule", learning_rate(py, schedule)?)]),
    })
}

/// A number as users write it: 100 rather than 100.0.
fn plain(py: Python<'_>, x: f64) -> PyResult<Bound<'_, PyAny>> {
    match x.fract() == 0.0 && x.abs() < 1e15 {
        true => Ok((x as i64).into_pyobject(py)?.into_any()),
        false => Ok(x.into_pyobject(py)?.into_any()),
    }
}

/// A Python callable of the step.
struct Callable(Py<PyAny>);

impl Function for Callable {
    fn value(&self, step: f64) -> Result<f64> {
        let value = |py: Python<'_>| {
            // At exit Python may end this thread within the function.
            let _call = Call::begin()?;
            let value = self.0.bind(py).call1((step as u64,))?;
            let got = value.get_type().qualname()?;
            number_of_any_size(&value)?.ok_or_else(|| {
                PyTypeError::new_err(format!("lr must be a function that returns numbers, got one that returns {got}"))
            })
        };
        FlushDenormals::pause(|| Python::attach(value)).map_err(foreign)
    }

    fn copied(&self) -> Box<dyn Function> {
        Box::new(Callable(Python::attach(|py| self.0.clone_ref(py))))
    }
}

/// Shows the garbage collector every callable in a schedule.
pub fn visited(schedule: &Schedule, visit: &PyVisit<'_>) -> std::result::Result<(), PyTraverseError> {
    let mut result = Ok(());
    schedule.for_each_function(&mut |function| {
        let function: &dyn Any = function;
        if let (Ok(()), Some(Callable(object))) = (&result, function.downcast_ref()) {
            result = visit.call(object);
        }
    });
    result
}

/// The numbers of one of the forms, each named; the last argument may be a list of steps.
fn numbers_of_form(form: &str, given: &[Bound<'_, PyAny>]) -> PyResult<Vec<f64>> {
    let Some(form) = FORMS.iter().find(|known| known.name == form) else { return Ok(vec![]) };
    let (fields, rest) = given.split_at(form.fields.len().min(given.len()));
    let mut all = vec![];
    for (place, ((name, range), value)) in form.fields.iter().zip(fields).enumerate() {
        if Some(place) == form.total() && value.is_none() {
            all.push(OPEN);
            continue;
        }
        let number = number(name, value)?;
        if number.is_infinite() {
            return Err(Error::value(*name, number.to_string(), format!("a finite number {range}")).into());
        }
        all.push(number);
    }
    for value in rest {
        all.extend(numbers(form.steps.unwrap_or("schedule"), value)?);
    }
    Ok(all)
}

/// Whether it is one that `schuss.schedules` has made.
pub fn is_schedule(object: &Bound<'_, PyAny>) -> bool {
    object.cast::<PySchedule>().is_ok()
}

/// The schedule that a number, a schedule or any callable of the step stands for.
pub fn schedule_of(object: &Bound<'_, PyAny>) -> PyResult<Schedule> {
    schedule_named("lr", object)
}

/// The same, for an argument of that name.
pub fn schedule_named(name: &str, object: &Bound<'_, PyAny>) -> PyResult<Schedule> {
    if let Ok(schedule) = object.cast::<PySchedule>() {
        return Ok(schedule.get().schedule.clone());
    }
    if let Some(lr) = number_of_any_size(object)? {
        return match Schedule::constant(lr) {
            Err(Error::Value(fault)) => Err(Error::Value(Fault { argument: name.to_owned(), ..fault }).into()),
            schedule => Ok(schedule?),
        };
    }
    // A class is called to make an object, not for a number.
    if !object.is_callable() || object.is_instance_of::<PyType>() {
        return Err(Error::type_(name, shown(object)?, "a number, a schedule or a callable of the step").into());
    }
    Ok(Schedule::Custom(Custom(Box::new(Callable(object.clone().unbind())))))
}

/// The number, schedule or callable that stands for a schedule.
pub fn learning_rate<'py>(py: Python<'py>, schedule: &Schedule) -> PyResult<Bound<'py, PyAny>> {
    if let Some(lr) = schedule.as_constant() {
        return Ok(lr.into_pyobject(py)?.into_any());
    }
    if let Schedule::Custom(Custom(function)) = schedule {
        let function: &dyn Any = &**function;
        if let Some(Callable(function)) = function.downcast_ref() {
            return Ok(function.bind(py).clone());
        }
    }
    Ok(PySchedule::from(schedule.clone()).into_pyobject(py)?.into_any())
}
