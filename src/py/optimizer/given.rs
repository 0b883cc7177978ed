//! Groups as they come from Python.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyMapping, PyString};

use super::recipe::{Group, is_of_whole_step};
use super::selector::Selector;
use crate::error::Error;
use crate::py::foreign::{as_list, as_mapping, shown};

/// What "params" of an optimizer are.
pub enum Given<'py> {
    /// An array, or a structure of arrays.
    Arrays,
    /// Groups with arrays of their own.
    Parts(Vec<Part<'py>>),
    /// Groups that select arrays by name.
    Selections(Vec<Group>),
}

/// A group with arrays of its own.
pub struct Part<'py> {
    /// Its key, where groups come in a mapping.
    pub key: Option<Bound<'py, PyAny>>,
    /// Its number or key in brackets.
    pub place: String,
    pub arrays: Bound<'py, PyAny>,
    pub group: Group,
}

impl<'py> Given<'py> {
    /// Reads groups, whose options start as those of `base`.
    pub fn read(base: &Group, params: &Bound<'py, PyAny>) -> PyResult<Self> {
        let Some(groups) = groups_of(params)? else { return Ok(Given::Arrays) };
        let (mut parts, mut selections) = (vec![], vec![]);
        for (index, (key, mapping)) in groups.into_iter().enumerate() {
            let place = match &key {
                Some(key) => format!("[{}]", key.repr()?),
                None => format!("[{index}]"),
            };
            let mut group = read_options(base, key.as_ref(), &place, &mapping)?;
            let arrays = mapping.get_item("params")?;
            group.extras.selector = Selector::parse(&arrays, &format!("params{place}[\"params\"]"))?;
            match group.extras.selector {
                Some(_) => selections.push(group),
                None => parts.push(Part { key, place, arrays, group }),
            }
        }
        match (parts.len(), selections.len()) {
            (_, 0) => Ok(Given::Parts(parts)),
            (0, _) => Ok(Given::Selections(selections)),
            (parts, selections) => {
                let got = format!("{parts} of arrays and {selections} of names");
                Err(Error::type_("params", got, "groups of arrays alone, or groups of names alone").into())
            }
        }
    }
}

/// A group's key, where groups come in a mapping, and the group.
type Keyed<'py> = (Option<Bound<'py, PyAny>>, Bound<'py, PyMapping>);

/// The groups, where `params` is a sequence of mappings with a "params" in each, or a mapping of such mappings.
fn groups_of<'py>(params: &Bound<'py, PyAny>) -> PyResult<Option<Vec<Keyed<'py>>>> {
    let mut items = vec![];
    if let Some(mapping) = as_mapping(params)? {
        for item in mapping.items()?.iter() {
            let (key, value): (Bound<'py, PyAny>, Bound<'py, PyAny>) = item.extract()?;
            items.push((Some(key), value));
        }
    } else if let Some(sequence) = as_list(params)? {
        items.extend(sequence.iter().map(|value| (None, value)));
    }
    let mut groups = vec![];
    for (key, value) in items {
        match as_mapping(&value)? {
            Some(mapping) if mapping.contains("params")? => groups.push((key, mapping)),
            _ => return Ok(None),
        }
    }
    Ok((!groups.is_empty()).then_some(groups))
}

/// The options of a group, all but its "params".
fn read_options(
    base: &Group,
    key: Option<&Bound<'_, PyAny>>,
    place: &str,
    mapping: &Bound<'_, PyMapping>,
) -> PyResult<Group> {
    let mut group = base.copied(mapping.py());
    group.extras.name = key.map(|key| key.str()?.extract()).transpose()?;
    let mut options = vec![];
    for item in mapping.items()?.iter() {
        let (option, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = item.extract()?;
        let Ok(name) = option.cast::<PyString>() else {
            return Err(
                Error::type_(format!("a key of params{place}"), shown(&option)?, "the name of an option").into()
            );
        };
        match name.to_str()? {
            "params" => (),
            "name" if key.is_none() => {
                let got = shown(&value)?;
                let refused = |_| PyErr::from(Error::type_("name", got, "text, or None"));
                group.extras.name = value.extract().map_err(refused)?;
            }
            option if is_of_whole_step(option) => {
                let message = format!("{option} is about all groups together: give it to the optimizer");
                return Err(PyValueError::new_err(message));
            }
            option => options.push((option.to_owned(), value)),
        }
    }
    group.set_all(options.into_iter())?;
    Ok(group)
}
