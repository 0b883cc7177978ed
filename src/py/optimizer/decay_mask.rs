//! Masks: which arrays of a group decay.

use pyo3::prelude::*;

use super::selector::truth;
use crate::py::foreign::{as_list, boolean};
use crate::py::structure::Structure;

/// The arrays of a group among those of a structure.
pub struct Members<'a, 'py> {
    pub structure: &'a Structure,
    /// The names of the structure's arrays.
    pub names: &'a [String],
    pub arrays: &'a [Bound<'py, PyAny>],
    /// Which of them are the group's.
    pub numbers: Vec<usize>,
}

impl Members<'_, '_> {
    /// What a mask says of each: a callable, a flat list for the group's arrays or for all, or a structure like that of all.
    pub fn selected_by(&self, mask: &Bound<'_, PyAny>) -> PyResult<Vec<bool>> {
        if mask.is_callable() {
            let of_array = |&number: &usize| {
                let name = &self.names[number];
                truth(&format!("decay_where({name:?}, ...)"), &mask.call1((name, &self.arrays[number]))?)
            };
            return self.numbers.iter().map(of_array).collect();
        }
        let flat: Option<Vec<bool>> = match as_list(mask)? {
            Some(list) => list.iter().map(|entry| boolean(&entry)).collect(),
            None => None,
        };
        if let Some(flat) = flat.as_ref().filter(|flat| flat.len() == self.numbers.len()) {
            return Ok(flat.clone());
        }
        let all = match flat.filter(|flat| flat.len() == self.names.len()) {
            Some(flat) => flat,
            None => {
                let mut given = vec![];
                self.structure.collect("decay_where", mask.as_borrowed(), &mut given)?;
                let of_array = |(value, name): (&Py<PyAny>, &String)| {
                    truth(&format!("decay_where of {name:?}"), value.bind(mask.py()))
                };
                given.iter().zip(self.names).map(of_array).collect::<PyResult<_>>()?
            }
        };
        Ok(self.numbers.iter().map(|&number| all[number]).collect())
    }
}
