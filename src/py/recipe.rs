//! A configuration as it is given in Python.

use pyo3::prelude::*;

use super::options::from_python;
use super::schedule::schedule_of;
use crate::optim::Config;
use crate::optim::options::{Convention, Value};

/// A configuration, and beside it what the core does not know.
pub struct Recipe {
    pub config: Config,
    /// The mask that `decay_where` is, until it meets arrays.
    pub mask: Option<Py<PyAny>>,
}

impl Recipe {
    /// A rule with a convention's defaults.
    pub fn new(rule: &str, convention: Convention) -> PyResult<Self> {
        Ok(Recipe { config: Config::new(rule, convention)?, mask: None })
    }

    /// Changes the learning rate or an option. Nothing has changed where it fails.
    pub fn set(&mut self, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        if name == "lr" {
            self.config = self.config.clone().with_schedule(schedule_of(value)?);
            return Ok(());
        }
        let parsed = from_python(&self.config.options().option(name)?, value)?;
        self.config.set(name, parsed)?;
        if name == "decay_where" {
            self.mask = (parsed == Value::Mask).then(|| value.clone().unbind());
        }
        Ok(())
    }

    /// The same again.
    pub fn copied(&self, py: Python<'_>) -> Self {
        Recipe { config: self.config.clone(), mask: self.mask.as_ref().map(|mask| mask.clone_ref(py)) }
    }
}
