//! Optimizers as values: compared and printed.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use super::object::{PyOptimizer, RecipeOrBinding, reading};
use super::recipe::{Group, is_of_whole_step};
use crate::optim::WEIGHT_DECAY;
use crate::optim::options::{Convention, Value};
use crate::py::schedule::learning_rate;

/// Recipes are equal where they do the same; optimizers at work are only themselves.
pub fn equal(slf: &Bound<'_, PyOptimizer>, other: &Bound<'_, PyAny>) -> PyResult<bool> {
    let Ok(other) = other.cast::<PyOptimizer>() else { return Ok(false) };
    if slf.is(other) {
        return Ok(true);
    }
    let (a, b) = (&reading(slf)?.inner, &reading(other)?.inner);
    let (RecipeOrBinding::Recipe(a), RecipeOrBinding::Recipe(b)) = (a, b) else { return Ok(false) };
    if !slf.get_type().is(other.get_type()) || a.groups.len() != b.groups.len() {
        return Ok(false);
    }
    for (a, b) in a.groups.iter().zip(&b.groups) {
        let outside = |group: &Group| {
            let (extras, py) = (&group.extras, slf.py());
            let mask = extras.mask.as_ref().map(|mask| mask.bind(py).clone());
            let selector = extras.selector.as_ref().map(|selector| selector.to_python(py)).transpose()?;
            let curve = group.config.decay_curve().map(|curve| learning_rate(py, curve.schedule())).transpose()?;
            (learning_rate(py, group.config.schedule())?, curve, mask, selector, extras.name.as_ref()).into_pyobject(py)
        };
        if a.config.options() != b.config.options() || !outside(a)?.eq(outside(b)?)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The call that makes the recipe; where it is at work, on how many arrays and how far it has come.
pub fn text(inner: &RecipeOrBinding, py: Python<'_>) -> PyResult<String> {
    let options = inner.config(0).options();
    let convention = options.convention();
    let mut arguments = vec![];
    if inner.len() > 1 && inner.extras(1).selector.is_some() {
        arguments.push(groups(inner, py)?.repr()?.to_string());
    }
    arguments.push(format!("lr={}", learning_rate(py, inner.config(0).schedule())?.repr()?));
    for (option, value) in options.iter() {
        let follows = option.name == WEIGHT_DECAY && inner.config(0).decay_curve().is_some();
        if follows || value != option.defaults[convention as usize] {
            arguments.push(match value {
                _ if follows || value == Value::Mask => {
                    format!("{}={}", option.name, inner.option(py, 0, (option, value))?.repr()?)
                }
                _ => format!("{}={value}", option.name),
            });
        }
    }
    if convention != Convention::Lecture {
        arguments.push(format!("convention={:?}", convention.name()));
    }
    let mut text = format!("{}({})", inner.config(0).spec().name, arguments.join(", "));
    if let RecipeOrBinding::Bound(bound) = inner {
        let steps = inner.counts().steps;
        let plural = if bound.len() == 1 { "" } else { "s" };
        text += &format!(" of {} array{plural} at step {steps}", bound.len());
    }
    Ok(text)
}

/// The groups that select their arrays: each with the options that are not those of the optimizer itself.
fn groups<'py>(inner: &RecipeOrBinding, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
    let groups = PyList::empty(py);
    for index in 1..inner.len() {
        let (extras, config, own) = (inner.extras(index), inner.config(index), inner.config(0));
        let group = PyDict::new(py);
        if let Some(selector) = &extras.selector {
            group.set_item("params", selector.to_python(py)?)?;
        }
        if let Some(name) = &extras.name {
            group.set_item("name", name)?;
        }
        let (lr, own_lr) = (learning_rate(py, config.schedule())?, learning_rate(py, own.schedule())?);
        if !lr.eq(own_lr)? {
            group.set_item("lr", lr)?;
        }
        for ((option, value), (_, own)) in config.options().iter().zip(own.options().iter()) {
            let (value, own_value) = (inner.option(py, index, (option, value))?, inner.option(py, 0, (option, own))?);
            if !is_of_whole_step(option.name) && !value.eq(own_value)? {
                group.set_item(option.name, value)?;
            }
        }
        groups.append(group)?;
    }
    Ok(groups)
}
