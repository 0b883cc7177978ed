//! The caller's structure: one array, or sequences and mappings of them, nested as they like.

use pyo3::Borrowed;
use pyo3::exceptions::{PyKeyError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use super::calls::Call;
use super::foreign::{as_list, as_mapping};
use crate::error::Error;

/// Where the arrays are in what the caller gave.
pub enum Structure {
    /// An array.
    Leaf,
    /// A list, a tuple or another sequence.
    Sequence(Vec<Structure>),
    /// A dict or another mapping, in its order.
    Mapping(Vec<(Py<PyAny>, Structure)>),
}

/// How deep sequences and mappings may be nested. They are walked by functions that call themselves, so that one that holds
/// itself would take all of the stack.
const MAX_DEPTH: usize = 100;

/// An array and where it is, for example `[0]["w"]`.
pub type Placed<'py> = (Bound<'py, PyAny>, String);

impl Structure {
    /// The structure of `object`, which errors call `name`; its arrays are added to `leaves` in order, their places after
    /// `path`.
    pub fn of<'py>(
        name: &str,
        object: &Bound<'py, PyAny>,
        path: &str,
        leaves: &mut Vec<Placed<'py>>,
    ) -> PyResult<Structure> {
        Structure::of_level(name, object, path, 0, leaves)
    }

    fn of_level<'py>(
        name: &str,
        object: &Bound<'py, PyAny>,
        path: &str,
        depth: usize,
        leaves: &mut Vec<Placed<'py>>,
    ) -> PyResult<Structure> {
        if depth > MAX_DEPTH {
            let got = "one that is deeper, or that holds itself";
            return Err(Error::value(name, got, format!("a structure of at most {MAX_DEPTH} levels")).into());
        }
        if let Some(mapping) = as_mapping(object)? {
            let mut items = vec![];
            for item in mapping.items()?.iter() {
                let (key, value): (Bound<'py, PyAny>, Bound<'py, PyAny>) = item.extract()?;
                let path = format!("{path}[{}]", key.repr()?);
                items.push((key.unbind(), Structure::of_level(name, &value, &path, depth + 1, leaves)?));
            }
            return Ok(Structure::Mapping(items));
        }
        if let Some(items) = as_list(object)? {
            let of_item = |(index, item): (usize, Bound<'py, PyAny>)| {
                Structure::of_level(name, &item, &format!("{path}[{index}]"), depth + 1, leaves)
            };
            return Ok(Structure::Sequence(items.iter().enumerate().map(of_item).collect::<PyResult<_>>()?));
        }
        leaves.push((object.clone(), path.to_owned()));
        Ok(Structure::Leaf)
    }

    /// Adds what `object`, which must have this structure and which errors call `name`, has at the places of the arrays.
    ///
    /// Python may run: a mapping's look-ups, a sequence's items. So nothing is known of any array until this is over.
    #[inline]
    pub fn collect(&self, name: &str, object: Borrowed<'_, '_, PyAny>, leaves: &mut Vec<Py<PyAny>>) -> PyResult<()> {
        self.collect_from(object, &|| name.to_owned(), leaves)
    }

    /// Calls `visit` for each key, as a garbage collector does.
    pub fn for_each_key<E>(&self, visit: &mut dyn FnMut(&Py<PyAny>) -> Result<(), E>) -> Result<(), E> {
        match self {
            Structure::Leaf => Ok(()),
            Structure::Sequence(items) => items.iter().try_for_each(|item| item.for_each_key(visit)),
            Structure::Mapping(items) => items.iter().try_for_each(|(key, item)| {
                visit(key)?;
                item.for_each_key(visit)
            }),
        }
    }

    /// The number of arrays.
    pub fn count(&self) -> usize {
        match self {
            Structure::Leaf => 1,
            Structure::Sequence(items) => items.iter().map(Structure::count).sum(),
            Structure::Mapping(items) => items.iter().map(|(_, item)| item.count()).sum(),
        }
    }

    /// The names of the arrays, such as "encoder.w" and "0"; of one array alone, "".
    pub fn names(&self, py: Python<'_>, path: &str, names: &mut Vec<String>) -> PyResult<()> {
        let within = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        match self {
            Structure::Leaf => names.push(path.to_owned()),
            Structure::Sequence(items) => {
                for (index, item) in items.iter().enumerate() {
                    item.names(py, &within(&index.to_string()), names)?;
                }
            }
            Structure::Mapping(items) => {
                for (key, item) in items {
                    item.names(py, &within(&key.bind(py).str()?.to_string()), names)?;
                }
            }
        }
        Ok(())
    }

    /// The structure again, as lists and dicts, with other leaves.
    pub fn build<'py>(
        &self,
        py: Python<'py>,
        leaves: &mut dyn Iterator<Item = Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        match self {
            Structure::Leaf => {
                leaves.next().ok_or_else(|| PyValueError::new_err("fewer arrays than the structure has"))
            }
            Structure::Sequence(items) => {
                let list = PyList::empty(py);
                items.iter().try_for_each(|item| list.append(item.build(py, leaves)?))?;
                Ok(list.into_any())
            }
            Structure::Mapping(items) => {
                let dict = PyDict::new(py);
                items.iter().try_for_each(|(key, item)| dict.set_item(key, item.build(py, leaves)?))?;
                Ok(dict.into_any())
            }
        }
    }

    fn collect_from(
        &self,
        object: Borrowed<'_, '_, PyAny>,
        path: &dyn Fn() -> String,
        leaves: &mut Vec<Py<PyAny>>,
    ) -> PyResult<()> {
        match self {
            Structure::Leaf => {
                leaves.push(object.to_owned().unbind());
                Ok(())
            }
            Structure::Sequence(items) => {
                if let Ok(list) = object.cast::<PyList>() {
                    expect_len(list.len(), items.len(), path)?;
                    for (index, item) in items.iter().enumerate() {
                        let path = || format!("{}[{index}]", path());
                        item.collect_from(list.get_item(index)?.as_borrowed(), &path, leaves)?;
                    }
                    return Ok(());
                }
                let Some(list) = as_list(&object)? else {
                    return Err(wrong_kind(object, "a sequence", path));
                };
                self.collect_from(list.as_any().as_borrowed(), path, leaves)
            }
            Structure::Mapping(items) => {
                let Some(mapping) = as_mapping(&object)? else {
                    return Err(wrong_kind(object, "a mapping", path));
                };
                let of_user = !object.is_exact_instance_of::<PyDict>();
                let _call = of_user.then(Call::begin).transpose()?;
                expect_len(mapping.len()?, items.len(), path)?;
                for (key, item) in items {
                    let key = key.bind(object.py());
                    let place = || format!("{}[{}]", path(), key.repr().map_or_else(|_| "?".into(), |r| r.to_string()));
                    let value = mapping.get_item(key).map_err(|raised| without(raised, key.py(), &place))?;
                    item.collect_from(value.as_borrowed(), &place, leaves)?;
                }
                Ok(())
            }
        }
    }
}

#[inline]
fn expect_len(got: usize, expected: usize, path: &dyn Fn() -> String) -> PyResult<()> {
    if got == expected {
        return Ok(());
    }
    Err(PyValueError::new_err(format!("{} must be {expected} entries as in params, got {got}", path())))
}

/// A key that a mapping does not have; whatever else its look-up raises is its own.
#[cold]
fn without(raised: PyErr, py: Python<'_>, place: &dyn Fn() -> String) -> PyErr {
    match raised.is_instance_of::<PyKeyError>(py) {
        true => PyValueError::new_err(format!("{} must be there as in params, got a mapping without it", place())),
        false => raised,
    }
}

#[cold]
fn wrong_kind(object: Borrowed<'_, '_, PyAny>, expected: &str, path: &dyn Fn() -> String) -> PyErr {
    let got = object.get_type().qualname().map_or_else(|_| "another object".into(), |name| name.to_string());
    PyTypeError::new_err(format!("{} must be {expected} as in params, got {got}", path()))
}
