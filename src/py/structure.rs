//! The caller's structure: one array, or sequences and mappings of them, nested as they like.

use pyo3::Borrowed;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyMapping, PySequence, PyString, PyTuple};

/// Where the arrays are in what the caller gave.
pub enum Structure {
    /// An array.
    Leaf,
    /// A list, a tuple or another sequence.
    Sequence(Vec<Structure>),
    /// A dict or another mapping, in its order.
    Mapping(Vec<(Py<PyAny>, Structure)>),
}

/// An array and where it is, for example `[0]["w"]`.
pub type Placed<'py> = (Bound<'py, PyAny>, String);

impl Structure {
    /// The structure of `object`; its arrays are added to `leaves` in order.
    pub fn of<'py>(object: &Bound<'py, PyAny>, path: &str, leaves: &mut Vec<Placed<'py>>) -> PyResult<Structure> {
        if let Ok(mapping) = object.cast::<PyMapping>() {
            let mut items = vec![];
            for item in mapping.items()?.iter() {
                let (key, value): (Bound<'py, PyAny>, Bound<'py, PyAny>) = item.extract()?;
                let structure = Structure::of(&value, &format!("{path}[{}]", key.repr()?), leaves)?;
                items.push((key.unbind(), structure));
            }
            return Ok(Structure::Mapping(items));
        }
        if let Some(items) = as_list(object)? {
            let of_item =
                |(index, item): (usize, Bound<'py, PyAny>)| Structure::of(&item, &format!("{path}[{index}]"), leaves);
            return Ok(Structure::Sequence(items.iter().enumerate().map(of_item).collect::<PyResult<_>>()?));
        }
        leaves.push((object.clone(), path.to_owned()));
        Ok(Structure::Leaf)
    }

    /// Calls `visit(index, array)` for every array of `object`, which must have this structure.
    #[inline]
    pub fn visit(
        &self,
        object: Borrowed<'_, '_, PyAny>,
        visit: &mut dyn FnMut(usize, Borrowed<'_, '_, PyAny>) -> PyResult<()>,
    ) -> PyResult<()> {
        self.visit_as("grads", object, visit)
    }

    /// The same for what errors call by another name than "grads".
    #[inline]
    pub fn visit_as(
        &self,
        name: &str,
        object: Borrowed<'_, '_, PyAny>,
        visit: &mut dyn FnMut(usize, Borrowed<'_, '_, PyAny>) -> PyResult<()>,
    ) -> PyResult<()> {
        self.visit_from(object, &mut 0, &|| name.to_owned(), visit)
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

    fn visit_from(
        &self,
        object: Borrowed<'_, '_, PyAny>,
        next: &mut usize,
        path: &dyn Fn() -> String,
        visit: &mut dyn FnMut(usize, Borrowed<'_, '_, PyAny>) -> PyResult<()>,
    ) -> PyResult<()> {
        match self {
            Structure::Leaf => {
                *next += 1;
                visit(*next - 1, object)
            }
            Structure::Sequence(items) => {
                if let Ok(list) = object.cast::<PyList>() {
                    expect_len(list.len(), items.len(), path)?;
                    for (index, item) in items.iter().enumerate() {
                        let path = || format!("{}[{index}]", path());
                        item.visit_from(list.get_item(index)?.as_borrowed(), next, &path, visit)?;
                    }
                    return Ok(());
                }
                let Some(list) = as_list(&object)? else {
                    return Err(wrong_kind(object, "a sequence", path));
                };
                self.visit_from(list.as_any().as_borrowed(), next, path, visit)
            }
            Structure::Mapping(items) => {
                let Ok(mapping) = object.cast::<PyMapping>() else {
                    return Err(wrong_kind(object, "a mapping", path));
                };
                expect_len(mapping.len()?, items.len(), path)?;
                for (key, item) in items {
                    let key = key.bind(object.py());
                    let place = || format!("{}[{}]", path(), key.repr().map_or_else(|_| "?".into(), |r| r.to_string()));
                    let Ok(value) = mapping.get_item(key) else {
                        let message = format!("{} must be there as in params, got a mapping without it", place());
                        return Err(PyValueError::new_err(message));
                    };
                    item.visit_from(value.as_borrowed(), next, &place, visit)?;
                }
                Ok(())
            }
        }
    }
}

/// A sequence as a list; None for what is no sequence of arrays.
pub fn as_list<'py>(object: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyList>>> {
    if let Ok(list) = object.cast::<PyList>() {
        return Ok(Some(list.clone()));
    }
    if object.is_instance_of::<PyString>() {
        return Ok(None);
    }
    if let Ok(tuple) = object.cast::<PyTuple>() {
        return Ok(Some(tuple.to_list()));
    }
    match object.cast::<PySequence>() {
        Ok(sequence) => Ok(Some(sequence.to_list()?)),
        Err(_) => Ok(None),
    }
}

#[inline]
fn expect_len(got: usize, expected: usize, path: &dyn Fn() -> String) -> PyResult<()> {
    if got == expected {
        return Ok(());
    }
    Err(PyValueError::new_err(format!("{} must be {expected} entries as in params, got {got}", path())))
}

#[cold]
fn wrong_kind(object: Borrowed<'_, '_, PyAny>, expected: &str, path: &dyn Fn() -> String) -> PyErr {
    let got = object.get_type().qualname().map_or_else(|_| "another object".into(), |name| name.to_string());
    PyTypeError::new_err(format!("{} must be {expected} as in params, got {got}", path()))
}
