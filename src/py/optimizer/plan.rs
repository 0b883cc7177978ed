//! Arrays, and the groups that they belong to, before they are bound.

use pyo3::prelude::*;
use pyo3::types::PyString;

use super::given::Part;
use super::recipe::{Group, Recipe};
use crate::error::Error;
use crate::py::arrays::is_array;
use crate::py::foreign::{items, kind};
use crate::py::structure::{Placed, Structure};

/// How groups and arrays belong together.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Grouping {
    /// There is one group.
    One,
    /// Each entry of the structure is a group.
    Parts,
    /// Groups select arrays by name, wherever they are in the structure; the first has those that are left.
    Selections,
}

/// What is to be bound.
pub struct Plan<'py> {
    pub structure: Structure,
    pub arrays: Vec<Placed<'py>>,
    /// The arrays' names.
    pub names: Vec<String>,
    pub grouping: Grouping,
    pub groups: Vec<Group>,
    /// The group of each array.
    pub group_of: Vec<usize>,
}

impl<'py> Plan<'py> {
    /// A recipe, and the arrays that it is for.
    pub fn of_arrays(recipe: Recipe, params: &Bound<'py, PyAny>, names: Option<&Bound<'py, PyAny>>) -> PyResult<Self> {
        let mut arrays = vec![];
        let structure = Structure::of("params", params, "", &mut arrays)?;
        let names = names_of(params.py(), &structure, arrays.len(), names)?;
        let group_of = recipe.group_of(&names, &arrays)?;
        let grouping = if recipe.groups.len() > 1 { Grouping::Selections } else { Grouping::One };
        Ok(Plan { structure, arrays, names, grouping, groups: recipe.groups, group_of })
    }

    /// Groups with arrays of their own.
    pub fn of_parts(py: Python<'py>, parts: Vec<Part<'py>>, names: Option<&Bound<'py, PyAny>>) -> PyResult<Self> {
        let (mut arrays, mut group_of) = (vec![], vec![]);
        let (mut keys, mut structures, mut groups) = (vec![], vec![], vec![]);
        for (index, part) in parts.into_iter().enumerate() {
            structures.push(Structure::of("params", &part.arrays, &part.place, &mut arrays)?);
            group_of.resize(arrays.len(), index);
            keys.extend(part.key.map(Bound::unbind));
            groups.push(part.group);
        }
        let structure = match keys.is_empty() {
            true => Structure::Sequence(structures),
            false => Structure::Mapping(keys.into_iter().zip(structures).collect()),
        };
        let names = names_of(py, &structure, arrays.len(), names)?;
        Ok(Plan { structure, arrays, names, grouping: Grouping::Parts, groups, group_of })
    }

    /// What an optimizer was bound to before, as pickle and copy give it back.
    pub fn again(
        params: &Bound<'py, PyAny>,
        names: &Bound<'py, PyAny>,
        grouping: Grouping,
        groups: Vec<Group>,
        group_of: Vec<usize>,
    ) -> PyResult<Self> {
        let mut arrays = vec![];
        let structure = Structure::of("params", params, "", &mut arrays)?;
        let names = names_of(params.py(), &structure, arrays.len(), Some(names))?;
        let parts: Vec<&Structure> = match &structure {
            _ if grouping != Grouping::Parts => vec![],
            Structure::Leaf => vec![],
            Structure::Sequence(parts) => parts.iter().collect(),
            Structure::Mapping(parts) => parts.iter().map(|(_, part)| part).collect(),
        };
        let of_parts = (0..).zip(&parts).flat_map(|(group, part)| std::iter::repeat_n(group, part.count()));
        let fits = match grouping {
            Grouping::One => groups.len() == 1 && group_of.iter().all(|&group| group == 0),
            Grouping::Parts => groups.len() == parts.len() && of_parts.eq(group_of.iter().copied()),
            Grouping::Selections => group_of.iter().all(|&group| group < groups.len()),
        };
        if !fits || group_of.len() != arrays.len() {
            let expected = format!("the groups of {} arrays, below {}", arrays.len(), groups.len());
            return Err(Error::value("group_of", format!("{group_of:?}"), expected).into());
        }
        Ok(Plan { structure, arrays, names, grouping, groups, group_of })
    }
}

/// The names of arrays: those that are given, else what the structure calls them.
fn names_of(
    py: Python<'_>,
    structure: &Structure,
    count: usize,
    given: Option<&Bound<'_, PyAny>>,
) -> PyResult<Vec<String>> {
    let Some(given) = given else {
        let mut names = vec![];
        structure.names(py, "", &mut names)?;
        return Ok(names);
    };
    let names = strings(given)?;
    if names.len() != count {
        return Err(
            Error::value("names", format!("{} strings", names.len()), format!("{count}, one for each array")).into()
        );
    }
    Ok(names)
}

/// What a sequence or another iterable of strings holds.
fn strings(given: &Bound<'_, PyAny>) -> PyResult<Vec<String>> {
    let refuse = |got: &Bound<'_, PyAny>| -> PyResult<PyErr> {
        Ok(Error::type_("names", kind(got)?, "strings, one for each array").into())
    };
    // An array without dimensions has what is needed to look at each entry, but refuses it.
    let is_scalar = is_array(given.as_borrowed()) && given.len().is_err();
    if given.is_instance_of::<PyString>() || !given.hasattr("__iter__")? || is_scalar {
        return Err(refuse(given)?);
    }
    let mut names = vec![];
    for entry in items(given)? {
        match entry.cast::<PyString>() {
            Ok(name) => names.push(name.to_str()?.to_owned()),
            Err(_) => return Err(refuse(&entry)?),
        }
    }
    Ok(names)
}
