//! The state arrays of a stepper, read and written.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use super::stepper::Stepper;
use crate::error::Error;
use crate::optim::{Config, Optimizer};
use crate::scalar::Scalar;

impl<T: Scalar> Stepper<T> {
    /// The state arrays, each as a list of arrays shaped like the parameters.
    pub fn state_arrays<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let state = PyDict::new(py);
        for (name, slot) in self.optimizer.slot_names().iter().zip(self.optimizer.slots()) {
            let arrays = PyList::empty(py);
            for tensor in 0..self.arrays.len() {
                arrays.append(self.array_of_state(py, tensor, &slot[self.optimizer.range(tensor)])?)?;
            }
            state.set_item(name, arrays)?;
        }
        Ok(state)
    }

    /// An optimizer of the same tensors with these groups, numbers and state arrays.
    pub fn with_state(
        &mut self,
        groups: Vec<Config>,
        memories: &[Bound<'_, PyDict>],
        state: &Bound<'_, PyDict>,
    ) -> PyResult<Optimizer<T>> {
        let group_of: Vec<_> = (0..self.arrays.len()).map(|tensor| self.optimizer.group_of(tensor)).collect();
        let mut loaded = Optimizer::with_groups(groups, &self.arrays.sizes(), &group_of)?;
        self.read_state_arrays(&mut loaded, state)?;
        for (group, memory) in memories.iter().enumerate() {
            let names: Vec<_> = loaded.memory(group).map(|(name, _)| name).collect();
            for (name, number) in names.into_iter().zip(loaded.memory_mut(group)) {
                let place = format!("state_dict[\"memory\"][{group}]");
                let saved = memory.get_item(name)?.and_then(|saved| saved.extract().ok());
                *number = saved.ok_or_else(|| Error::value(place, memory, format!("numbers, {name:?} among them")))?;
            }
        }
        Ok(loaded)
    }

    fn read_state_arrays(&mut self, loaded: &mut Optimizer<T>, state: &Bound<'_, PyDict>) -> PyResult<()> {
        let names = loaded.slot_names().to_vec();
        if state.len() != names.len() {
            let expected = format!("the arrays {}", names.join(", "));
            return Err(Error::value("state_dict[\"state\"]", state.keys(), expected).into());
        }
        for (slot, name) in names.iter().enumerate() {
            let place = format!("state_dict[\"state\"][{name:?}]");
            let arrays =
                state.get_item(name)?.map(|arrays| arrays.try_iter()?.collect::<PyResult<Vec<_>>>()).transpose()?;
            let Some(arrays) = arrays.filter(|arrays| arrays.len() == self.arrays.len()) else {
                let expected = format!("a list of {} arrays", self.arrays.len());
                return Err(Error::value(place, "something else", expected).into());
            };
            for (tensor, array) in arrays.iter().enumerate() {
                let range = loaded.range(tensor);
                self.arrays.read_like(tensor, array.as_borrowed(), &mut loaded.slots_mut()[slot][range])?;
            }
        }
        Ok(())
    }
}
