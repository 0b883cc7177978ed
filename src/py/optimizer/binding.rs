//! An optimizer at work: its arrays, their structure, and the groups that they belong to.

use std::ops::Range;

use pyo3::prelude::*;
use pyo3::types::PyString;

use super::decay_mask::Members;
use super::plan::{Grouping, Plan};
use super::recipe::{Extras, Group};
use super::stepper::Stepper;
use crate::error::Error;
use crate::optim::schedule::Schedule;
use crate::optim::{Config, Optimizer};
use crate::py::arrays::element;
use crate::py::precision::{Either, dispatch};
use crate::py::structure::Structure;
use crate::scalar::Scalar;

/// An optimizer's arrays and state.
pub struct Binding {
    pub structure: Structure,
    pub stepper: Either<Stepper<f32>, Stepper<f64>>,
    pub grouping: Grouping,
    /// The arrays' names.
    pub names: Vec<String>,
    /// One for each group.
    extras: Vec<Extras>,
}

impl Binding {
    /// Binds arrays.
    pub fn new(py: Python<'_>, plan: Plan<'_>) -> PyResult<Self> {
        let Plan { structure, arrays, names, grouping, groups, group_of } = plan;
        let Some((first, path)) = arrays.first() else {
            return Err(Error::value("params", "no array", "at least one array").into());
        };
        let element = element(first.as_borrowed(), &format!("params{path}"))?;
        let (configs, extras): (Vec<_>, Vec<_>) = groups.into_iter().map(|group| (group.config, group.extras)).unzip();
        let stepper = match element.precision() == f32::NAME {
            true => Either::Single(Stepper::new(configs, &group_of, &arrays)?),
            false => Either::Double(Stepper::new(configs, &group_of, &arrays)?),
        };
        let mut binding = Binding { structure, stepper, grouping, names, extras };
        let masks = binding.extras.iter().map(|extras| extras.mask.as_ref()).enumerate();
        let selected = binding.selected(py, masks)?;
        binding.set_selected(&selected);
        Ok(binding)
    }

    /// The groups' configurations.
    pub fn configs(&self) -> &[Config] {
        dispatch!(&self.stepper, stepper => stepper.optimizer.groups())
    }

    /// What the core does not know of a group.
    pub fn extras(&self, group: usize) -> &Extras {
        &self.extras[group]
    }

    /// A group as it is now.
    pub fn group(&self, py: Python<'_>, group: usize) -> Group {
        Group { config: self.configs()[group].clone(), extras: self.extras[group].copied(py) }
    }

    /// Gives an option of a group a schedule, of that length where it has none of its own.
    pub fn follow(&mut self, index: usize, (name, schedule): (&str, &Bound<'_, PyAny>), total: f64) -> PyResult<()> {
        let mut group = self.group(schedule.py(), index);
        group.set(name, schedule)?;
        group.config = group.config.with_length(total)?;
        dispatch!(&mut self.stepper, stepper => stepper.optimizer.set_group(index, group.config))?;
        Ok(())
    }

    /// What pickle and copy give back of a group beside its state: the mask as it was given, or that it was a function which is not
    /// there any more.
    pub fn set_mask(&mut self, group: usize, mask: &Bound<'_, PyAny>) {
        let extras = &mut self.extras[group];
        match mask.cast::<PyString>() {
            _ if extras.mask.is_none() || mask.is_none() => (),
            Ok(_) => extras.is_left = true,
            Err(_) => extras.mask = Some(mask.clone().unbind()),
        }
    }

    /// The same of a schedule: as it was before it was given its length.
    pub fn set_open(&mut self, group: usize, name: &str, schedule: Schedule) -> PyResult<()> {
        let config = self.configs()[group].clone().with_open(name, schedule)?;
        dispatch!(&mut self.stepper, stepper => stepper.optimizer.set_group(group, config))?;
        Ok(())
    }

    /// Changes an option of some groups. Nothing has changed where it fails.
    pub fn set(&mut self, groups: Range<usize>, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = value.py();
        let mut changed = vec![];
        for index in groups {
            let mut group = self.group(py, index);
            group.set(name, value)?;
            changed.push((index, group));
        }
        let selected = match name {
            "decay_where" => {
                let masks = changed.iter().map(|(index, group)| (*index, group.extras.mask.as_ref()));
                Some(self.selected(py, masks)?)
            }
            _ => None,
        };
        let (configs, extras): (Vec<_>, Vec<_>) =
            changed.into_iter().map(|(index, group)| ((index, group.config), (index, group.extras))).unzip();
        dispatch!(&mut self.stepper, stepper => stepper.optimizer.set_groups(configs))?;
        extras.into_iter().for_each(|(index, extras)| self.extras[index] = extras);
        if let Some(selected) = selected {
            self.set_selected(&selected);
        }
        Ok(())
    }

    /// Takes over a state that is loaded.
    pub fn replace(&mut self, loaded: Either<Optimizer<f32>, Optimizer<f64>>, selected: &[bool], extras: Vec<Extras>) {
        match (&mut self.stepper, loaded) {
            (Either::Single(stepper), Either::Single(loaded)) => stepper.optimizer = loaded,
            (Either::Double(stepper), Either::Double(loaded)) => stepper.optimizer = loaded,
            _ => unreachable!("a state is loaded in the precision of the parameters"),
        }
        self.set_selected(selected);
        self.extras = extras;
    }

    /// The number of arrays.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// All arrays, in order.
    pub fn arrays<'py>(&self, py: Python<'py>) -> Vec<Bound<'py, PyAny>> {
        dispatch!(&self.stepper, stepper => stepper.arrays.all(py))
    }

    /// The group of each array.
    pub fn group_of(&self) -> Vec<usize> {
        dispatch!(&self.stepper, stepper => (0..self.len()).map(|array| stepper.optimizer.group_of(array)).collect())
    }

    /// The numbers of a group's arrays.
    pub fn members(&self, group: usize) -> Vec<usize> {
        (0..).zip(self.group_of()).filter(|(_, of)| *of == group).map(|(array, _)| array).collect()
    }

    /// Which of a group's arrays decay where not all do.
    pub fn mask(&self, group: usize) -> Vec<bool> {
        let is_selected = |array| dispatch!(&self.stepper, stepper => stepper.optimizer.is_selected(array));
        self.members(group).into_iter().map(is_selected).collect()
    }

    /// Which arrays decay where not all do, with these masks for some groups: without one, a group's matrices do.
    pub fn selected<'a>(
        &self,
        py: Python<'_>,
        masks: impl Iterator<Item = (usize, Option<&'a Py<PyAny>>)>,
    ) -> PyResult<Vec<bool>> {
        let arrays = self.arrays(py);
        let mut selected: Vec<_> = dispatch!(&self.stepper, stepper => (0..self.len()).map(|array| stepper.optimizer.is_selected(array)).collect());
        let matrices = dispatch!(&self.stepper, stepper => stepper.arrays.matrices());
        for (group, mask) in masks {
            let numbers = self.members(group);
            let chosen: Vec<bool> = match mask {
                Some(mask) => self.among(&arrays, group, &numbers).selected_by(mask.bind(py))?,
                None => numbers.iter().map(|&number| matrices[number]).collect(),
            };
            numbers.into_iter().zip(chosen).for_each(|(number, chosen)| selected[number] = chosen);
        }
        Ok(selected)
    }

    fn set_selected(&mut self, selected: &[bool]) {
        dispatch!(&mut self.stepper, stepper => stepper.optimizer.set_selected(selected));
    }

    /// A group's arrays among those of the structure that a mask for it may have: its own one, where it has one.
    fn among<'a, 'py>(&'a self, arrays: &'a [Bound<'py, PyAny>], group: usize, numbers: &[usize]) -> Members<'a, 'py> {
        let part = match &self.structure {
            _ if self.grouping != Grouping::Parts => None,
            Structure::Sequence(parts) => Some(&parts[group]),
            Structure::Mapping(parts) => Some(&parts[group].1),
            Structure::Leaf => None,
        };
        let Some(structure) = part else {
            return Members { structure: &self.structure, names: &self.names, arrays, numbers: numbers.to_vec() };
        };
        // The arrays of an entry follow each other.
        let start = numbers.first().copied().unwrap_or(0);
        let range = start..start + numbers.len();
        let (names, arrays) = (&self.names[range.clone()], &arrays[range]);
        Members { structure, names, arrays, numbers: (0..numbers.len()).collect() }
    }
}
