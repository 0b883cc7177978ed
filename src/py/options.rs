//! Options between Python and the core, and the tables from which the classes are made.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use super::foreign::{as_list, as_mapping, boolean, is_text, number_of_any_size as number, shown};
use crate::error::Error;
use crate::optim::WEIGHT_DECAY;
use crate::optim::options::{Kind, Opt, Value, one_of};
use crate::optim::registry::SPECS;

/// An option's value; its range is not looked at.
pub fn from_python(option: &Opt, value: &Bound<'_, PyAny>) -> PyResult<Value> {
    let parsed = match option.kind {
        Kind::OptionalNumber(_) | Kind::OptionalCount(_) if value.is_none() => Some(Value::Nothing),
        Kind::Number(_) | Kind::OptionalNumber(_) => number(value)?.map(Value::Number),
        Kind::Count(_) | Kind::OptionalCount(_) => number(value)?.map(|x| count(option, value, x)).transpose()?,
        Kind::Flag => boolean(value).map(Value::Flag),
        Kind::Choice(_) => match value.extract::<String>() {
            Ok(name) if name.len() > 80 => None,
            Ok(name) => Some(option.chosen(&name)?),
            Err(_) => None,
        },
        Kind::Mask(_) => match value.extract::<String>() {
            Ok(name) if name.len() > 80 => None,
            Ok(name) => Some(option.chosen(&name)?),
            Err(_) if is_text(value) => None,
            Err(_) => is_mask(value)?.then_some(Value::Mask),
        },
        Kind::Pair(_) if is_text(value) => None,
        Kind::Pair(_) => match as_list(value)?.filter(|pair| pair.len() == 2) {
            Some(pair) => {
                let (first, second) = (number(&pair.get_item(0)?)?, number(&pair.get_item(1)?)?);
                first.zip(second).map(|(first, second)| Value::Pair(first, second))
            }
            None => None,
        },
    };
    match parsed {
        Some(parsed) => Ok(parsed),
        None => Err(Error::type_(option.name, shown(value)?, option.accepted()).into()),
    }
}

/// A whole number, which may have come as one of another kind.
fn count(option: &Opt, value: &Bound<'_, PyAny>, x: f64) -> PyResult<Value> {
    match x >= 0.0 && x <= u64::MAX as f64 && x.fract() == 0.0 {
        true => Ok(Value::Count(x as u64)),
        false => Err(Error::value(option.name, shown(value)?, option.accepted()).into()),
    }
}

/// Whether it can be a mask over parameters: a function, or booleans in any structure.
fn is_mask(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    Ok(value.is_callable() || boolean(value).is_some() || as_mapping(value)?.is_some() || as_list(value)?.is_some())
}

/// An option's value as Python has it; None for a mask.
pub fn to_python(py: Python<'_>, value: Value) -> PyResult<Bound<'_, PyAny>> {
    Ok(match value {
        Value::Number(x) => x.into_pyobject(py)?.into_any(),
        Value::Count(n) => n.into_pyobject(py)?.into_any(),
        Value::Flag(on) => on.into_pyobject(py)?.to_owned().into_any(),
        Value::Choice(name) => name.into_pyobject(py)?.into_any(),
        Value::Pair(a, b) => (a, b).into_pyobject(py)?.into_any(),
        Value::Mask | Value::Nothing => py.None().into_bound(py),
    })
}

/// The tables of all optimizer classes, as dicts; each default is a tuple, one for each of `conventions`.
#[pyfunction]
pub fn rules(py: Python<'_>) -> PyResult<Bound<'_, PyList>> {
    let rules = PyList::empty(py);
    for spec in SPECS {
        let options = PyList::empty(py);
        for option in spec.all_options() {
            let entry = PyDict::new(py);
            let kind = match option.kind {
                Kind::Number(_) if option.name == WEIGHT_DECAY => "float or Schedule".to_owned(),
                Kind::Number(_) => "float".to_owned(),
                Kind::OptionalNumber(_) => "float or None".to_owned(),
                Kind::Count(_) => "int".to_owned(),
                Kind::OptionalCount(_) => "int or None".to_owned(),
                Kind::Flag => "bool".to_owned(),
                Kind::Choice(names) => one_of(names),
                Kind::Mask(names) => format!("{} or mask", one_of(names)),
                Kind::Pair(_) => "(float, float)".to_owned(),
            };
            let range = match option.kind {
                Kind::Number(range) | Kind::OptionalNumber(range) => range.to_string(),
                Kind::Pair(pair) => pair.to_string(),
                Kind::Count(low) | Kind::OptionalCount(low) => format!(">= {low}"),
                _ => String::new(),
            };
            let defaults = option.defaults.map(|value| to_python(py, value));
            entry.set_item("name", option.name)?;
            entry.set_item("type", kind)?;
            entry.set_item("range", range)?;
            entry.set_item("defaults", defaults.into_iter().collect::<PyResult<Vec<_>>>()?)?;
            entry.set_item("doc", option.doc)?;
            options.append(entry)?;
        }
        let rule = PyDict::new(py);
        rule.set_item("name", spec.name)?;
        rule.set_item("summary", spec.summary)?;
        rule.set_item("notes", spec.notes)?;
        rule.set_item("reference", spec.reference)?;
        rule.set_item("lr", spec.lr)?;
        rule.set_item("options", options)?;
        rules.append(rule)?;
    }
    Ok(rules)
}
