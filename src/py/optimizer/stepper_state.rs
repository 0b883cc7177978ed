//! The state arrays of a stepper, read and written.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use super::saved::Saved;
use super::stepper::Stepper;
use crate::error::Error;
use crate::optim::options::NonFinite;
use crate::optim::{Config, Optimizer};
use crate::scalar::Scalar;

impl<T: Scalar> Stepper<T> {
    /// The state arrays, each as a list of arrays shaped like the parameters.
    pub fn state_arrays<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let state = PyDict::new(py);
        for (number, (name, slot)) in self.optimizer.slot_names().iter().zip(self.optimizer.slots()).enumerate() {
            let arrays = PyList::empty(py);
            for tensor in 0..self.arrays.len() {
                arrays.append(match self.optimizer.starts_late(number, tensor) {
                    true => self.array_of_state(py, tensor, &self.param(py, tensor)?)?,
                    false => self.array_of_state(py, tensor, &slot[self.optimizer.range(tensor)])?,
                })?;
            }
            state.set_item(name, arrays)?;
        }
        Ok(state)
    }

    /// An optimizer of the same tensors with these groups, and the numbers and arrays of a saved state.
    pub fn with_state(&self, groups: Vec<Config>, saved: &Saved<'_, '_>) -> PyResult<Optimizer<T>> {
        let group_of: Vec<_> = (0..self.arrays.len()).map(|tensor| self.optimizer.group_of(tensor)).collect();
        let mut loaded = Optimizer::with_groups(groups, &self.arrays.sizes(), &group_of)?;
        for group in 0..loaded.groups().len() {
            let names: Vec<_> = loaded.memory(group).map(|(name, _)| name).collect();
            for (name, number) in names.into_iter().zip(loaded.memory_mut(group)) {
                *number = saved.remembered(group, name)?;
            }
        }
        let names = loaded.slot_names().to_vec();
        for (slot, arrays) in saved.arrays(&names)?.iter().enumerate() {
            for (tensor, array) in arrays.iter().enumerate() {
                let place = || format!("state_dict[\"state\"][{:?}][{}]", names[slot], saved.places[tensor]);
                let (range, of_group) = (loaded.range(tensor), loaded.group_of(tensor));
                let config = &loaded.groups()[of_group];
                let may_be_nan = config.surroundings().nonfinite == NonFinite::Ignore;
                let not_negative = config.slots().iter().any(|own| own.name == names[slot] && own.not_negative);
                let values = &mut loaded.slots_mut()[slot][range];
                self.arrays.read_like(tensor, array.as_borrowed(), &place, values)?;
                if !may_be_nan && let Some(x) = values.iter().find(|x| !x.is_finite()) {
                    let got = if x.to_f64().is_nan() { "NaN" } else { "infinity" };
                    return Err(Error::value(place(), format!("{got} in it"), "an array of finite numbers").into());
                }
                if not_negative && let Some(x) = values.iter().find(|x| **x < T::ZERO) {
                    return Err(Error::value(place(), x.to_f64(), "an array without negative numbers").into());
                }
            }
        }
        Ok(loaded)
    }
}
