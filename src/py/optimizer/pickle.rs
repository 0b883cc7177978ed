//! An optimizer on its way through pickle and copy.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

use super::binding::Binding;
use super::object::{PyOptimizer, RecipeOrBinding, reading, writing};
use super::plan::{Grouping, Plan};
use super::recipe::{Group, Recipe};
use super::saved::set_options;
use super::selector::Selector;
use super::state::{load, options_of, saved};
use crate::error::Error;
use crate::optim::options::Convention;
use crate::py::schedule::{PySchedule, learning_rate, schedule_named};

const GROUPINGS: [(&str, Grouping); 3] =
    [("one", Grouping::One), ("parts", Grouping::Parts), ("selections", Grouping::Selections)];

/// The class, then for [`restore`] what makes one of its objects this one. The arrays are the very ones that it updates, so
/// whoever copies them together with the optimizer gets an optimizer of the copies.
pub fn reduced<'py>(slf: &Bound<'py, PyOptimizer>) -> PyResult<Bound<'py, PyTuple>> {
    let (py, inner) = (slf.py(), &reading(slf)?.inner);
    let parts = PyDict::new(py);
    let (groups, selectors) = (PyList::empty(py), PyList::empty(py));
    if let RecipeOrBinding::Bound(bound) = inner {
        parts.update(saved(inner, py)?.as_mapping())?;
        parts.set_item("params", bound.structure.build(py, &mut bound.arrays(py).into_iter())?)?;
        parts.set_item("names", &bound.names)?;
        parts.set_item(
            "grouping",
            GROUPINGS.iter().find(|(_, grouping)| *grouping == bound.grouping).map(|(name, _)| name),
        )?;
        parts.set_item("open", opened(inner))?;
        parts.set_item("masks", masks(py, bound)?)?;
    }
    for index in 0..inner.len() {
        let group = options_of(py, inner, index)?;
        group.set_item("lr", learning_rate(py, inner.config(index).schedule())?)?;
        groups.append(group)?;
        let selector = selector_of(py, inner, index);
        selectors.append(selector.map(|selector| selector.to_python(py)).transpose()?)?;
    }
    parts.set_item("param_groups", groups)?;
    parts.set_item("selectors", selectors)?;
    parts.set_item("convention", inner.config(0).options().convention().name())?;
    if let Ok(attributes) = slf.getattr("__dict__") {
        parts.set_item("attributes", attributes)?;
    }
    (py.import("copyreg")?.getattr("__newobj__")?, (slf.get_type(),), parts).into_pyobject(py)
}

/// Schedules that were given a length when the optimizer was bound, and had none: group, option, and as they were given.
pub fn opened(inner: &RecipeOrBinding) -> Vec<(usize, &'static str, PySchedule)> {
    let of = |group| {
        inner.config(group).open().map(move |(name, schedule)| (group, name, PySchedule::from(schedule.clone())))
    };
    (0..inner.len()).flat_map(of).collect()
}

/// For each group the mask as it was given; text where that was a function that is not there any more.
fn masks<'py>(py: Python<'py>, bound: &Binding) -> PyResult<Bound<'py, PyList>> {
    let masks = PyList::empty(py);
    for group in 0..bound.configs().len() {
        let extras = bound.extras(group);
        match extras.is_left {
            true => masks.append("left")?,
            false => masks.append(&extras.mask)?,
        }
    }
    Ok(masks)
}

/// What selects a group's arrays. A mask that has met them is given as their names: it may be a function that nothing can
/// store.
fn selector_of(py: Python<'_>, inner: &RecipeOrBinding, group: usize) -> Option<Selector> {
    let selector = inner.extras(group).selector.as_ref()?;
    Some(match (inner, selector) {
        (RecipeOrBinding::Bound(bound), Selector::Mask(_)) => {
            Selector::of_names(bound.members(group).into_iter().map(|array| bound.names[array].as_str()))
        }
        _ => selector.copied(py),
    })
}

/// Makes a new optimizer what another one was.
pub fn restore(slf: &Bound<'_, PyOptimizer>, parts: &Bound<'_, PyDict>) -> PyResult<()> {
    let convention = Convention::from_name(&part_as::<String>(parts, "convention", "a string")?)?;
    let base = Group::new(reading(slf)?.inner.config(0).spec().name, convention)?;
    let mut groups = vec![];
    let selectors: Vec<Bound<'_, PyAny>> = part_as(parts, "selectors", "a list")?;
    let all_options: Vec<Bound<'_, PyDict>> = part_as(parts, "param_groups", "a list of dicts")?;
    if selectors.len() != all_options.len() {
        let expected = format!("{}, one for each group", all_options.len());
        return Err(Error::value("selectors", selectors.len(), expected).into());
    }
    for (saved, selector) in all_options.iter().zip(selectors) {
        let mut group = base.copied(slf.py());
        group.extras.name = part_or_none(saved, "name", "a string")?;
        group.extras.selector = Selector::parse(&selector, "selectors")?;
        set_options(&mut group, saved)?;
        groups.push(group);
    }
    if groups.is_empty() {
        return Err(PyValueError::new_err("param_groups must be those of an optimizer, got none"));
    }
    let inner = match parts.get_item("params")? {
        None => RecipeOrBinding::Recipe(Recipe { groups }),
        Some(params) => {
            let plan = again(&params, parts, groups)?;
            let mut inner = RecipeOrBinding::Bound(Box::new(Binding::new(slf.py(), plan)?));
            load(&mut inner, parts)?;
            restore_given(inner.binding_mut()?, parts)?;
            inner
        }
    };
    {
        let mut this = writing(slf)?;
        this.expect_idle()?;
        this.inner = inner;
    }
    match parts.get_item("attributes")? {
        Some(attributes) => slf.getattr("__dict__")?.call_method1("update", (attributes,)).map(|_| ()),
        None => Ok(()),
    }
}

/// What an optimizer was made with, as far as its state does not say it. Earlier versions did not save this.
fn restore_given(bound: &mut Binding, parts: &Bound<'_, PyDict>) -> PyResult<()> {
    let count = bound.configs().len();
    let open: Option<Vec<(usize, String, Bound<'_, PyAny>)>> = part_or_none(parts, "open", "a list of schedules")?;
    for (group, name, schedule) in open.into_iter().flatten().filter(|(group, ..)| *group < count) {
        bound.set_open(group, &name, schedule_named(&name, &schedule)?)?;
    }
    let masks: Option<Vec<Bound<'_, PyAny>>> = part_or_none(parts, "masks", "a list")?;
    masks.into_iter().flatten().take(count).enumerate().for_each(|(group, mask)| bound.set_mask(group, &mask));
    Ok(())
}

/// What a saved optimizer must have.
fn part_as<'py, T: FromPyObjectOwned<'py>>(parts: &Bound<'py, PyDict>, name: &str, expected: &str) -> PyResult<T> {
    let part = part_or_none(parts, name, expected)?;
    part.ok_or_else(|| PyValueError::new_err(format!("the state of an optimizer must have {name:?}")))
}

fn part_or_none<'py, T: FromPyObjectOwned<'py>>(
    parts: &Bound<'py, PyDict>,
    name: &str,
    expected: &str,
) -> PyResult<Option<T>> {
    let Some(part) = parts.get_item(name)? else { return Ok(None) };
    match part.extract() {
        Ok(value) => Ok(Some(value)),
        Err(_) => Err(Error::type_(name, part.get_type().qualname()?, expected).into()),
    }
}

/// The arrays and groups as they were bound. They may lie in memory that is read-only here: a step says so.
fn again<'py>(params: &Bound<'py, PyAny>, parts: &Bound<'py, PyDict>, groups: Vec<Group>) -> PyResult<Plan<'py>> {
    let name: String = part_as(parts, "grouping", "a string")?;
    let Some(&(_, grouping)) = GROUPINGS.iter().find(|(known, _)| *known == name) else {
        return Err(PyValueError::new_err(format!("grouping must be one of an optimizer's, got {name:?}")));
    };
    let group_of = part_as(parts, "group_of", "the number of each array's group")?;
    Plan::again(params, &part_as(parts, "names", "strings")?, grouping, groups, group_of)
}
