//! What an optimizer is made with: its options, and those of its groups, before there are arrays.

use pyo3::prelude::*;

use super::selector::Selector;
use crate::error::{Error, Result};
use crate::optim::options::{Convention, Value};
use crate::optim::{Config, Curve, WEIGHT_DECAY};
use crate::py::options::from_python;
use crate::py::schedule::{is_schedule, schedule_named, schedule_of};
use crate::py::structure::Placed;

/// Options that hold for all groups together, because they are about the whole step.
const OF_WHOLE_STEP: [&str; 5] = ["clip_norm", "clip_tensor_norm", "clip_eps", "nonfinite", "accumulate"];

/// The kind of weight decay, and what may leave it without effect.
const OF_DECAY: [&str; 2] = ["decay", "decay_in_update"];

/// Whether an option is one of these.
pub fn is_of_whole_step(option: &str) -> bool {
    OF_WHOLE_STEP.contains(&option)
}

/// Groups of one rule. The first has the optimizer's own options; the others select the arrays that are theirs.
pub struct Recipe {
    pub groups: Vec<Group>,
}

/// The options of a group.
pub struct Group {
    pub config: Config,
    pub extras: Extras,
}

/// What the core does not know of a group.
#[derive(Default)]
pub struct Extras {
    pub name: Option<String>,
    /// Which arrays are its own, where it selects them.
    pub selector: Option<Selector>,
    /// The mask that `decay_where` is.
    pub mask: Option<Py<PyAny>>,
    /// Whether that is what is left of a function: what it has decided about the arrays that it has met.
    pub is_left: bool,
}

impl Recipe {
    /// One group.
    pub fn new(group: Group) -> Self {
        Recipe { groups: vec![group] }
    }

    /// The first group that selects each array; 0 where none does. Refuses groups that are left without arrays.
    pub fn group_of(&self, names: &[String], arrays: &[Placed<'_>]) -> PyResult<Vec<usize>> {
        let place_of = |index: usize| format!("params[{}][\"params\"]", index - 1);
        let group_of = |(name, (array, _)): (&String, &Placed<'_>)| {
            for (index, group) in self.groups.iter().enumerate() {
                if let Some(selector) = &group.extras.selector
                    && selector.takes(&place_of(index), name, array)?
                {
                    return Ok(index);
                }
            }
            Ok(0)
        };
        let group_of = names.iter().zip(arrays).map(group_of).collect::<PyResult<Vec<_>>>()?;
        for (index, group) in self.groups.iter().enumerate() {
            if let (Some(selector), false) = (&group.extras.selector, group_of.contains(&index))
                && let Some((array, _)) = arrays.first()
            {
                let names = names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
                let expected = format!("a selection of arrays that no group before it has, of {names}");
                let got = selector.to_python(array.py())?.repr()?;
                return Err(Error::value(place_of(index), got, expected).into());
            }
        }
        Ok(group_of)
    }

    /// Gives schedules that have no length of their own that of so many steps.
    pub fn set_length(&mut self, steps: f64) -> Result<()> {
        for Group { config, .. } in &mut self.groups {
            *config = config.clone().with_length(steps)?;
        }
        Ok(())
    }

    /// The same again.
    pub fn copied(&self, py: Python<'_>) -> Self {
        Recipe { groups: self.groups.iter().map(|group| group.copied(py)).collect() }
    }
}

impl Group {
    /// A rule with a convention's defaults.
    pub fn new(rule: &str, convention: Convention) -> Result<Self> {
        Ok(Group { config: Config::new(rule, convention)?, extras: Extras::default() })
    }

    /// Changes options, which must have an effect together. Some have changed where it fails.
    pub fn set_all<'py>(&mut self, options: impl Iterator<Item = (String, Bound<'py, PyAny>)>) -> PyResult<()> {
        let mut of_decay = false;
        for (name, value) in options {
            self.restore(&name, &value)?;
            of_decay |= OF_DECAY.contains(&name.as_str());
        }
        if of_decay {
            self.config.expect_decay_in_use()?;
        }
        Ok(())
    }

    /// Changes the learning rate or an option, which must have an effect. Nothing has changed where it fails.
    pub fn set(&mut self, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let before = self.config.clone();
        self.restore(name, value)?;
        if OF_DECAY.contains(&name)
            && let Err(error) = self.config.expect_decay_in_use()
        {
            self.config = before;
            return Err(error.into());
        }
        Ok(())
    }

    /// Changes the learning rate or an option to what it was once. Nothing has changed where it fails.
    pub fn restore(&mut self, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        if name == "lr" {
            self.config = self.config.clone().with_schedule(schedule_of(value)?);
            return Ok(());
        }
        if name == WEIGHT_DECAY && is_schedule(value) {
            self.config = self.config.clone().with_decay_curve(Curve::new(name, schedule_named(name, value)?)?)?;
            return Ok(());
        }
        let parsed = from_python(&self.config.options().option(name)?, value)?;
        self.config.set(name, parsed)?;
        if name == "decay_where" {
            self.extras.mask = (parsed == Value::Mask).then(|| value.clone().unbind());
            self.extras.is_left = false;
        }
        Ok(())
    }

    /// The same again.
    pub fn copied(&self, py: Python<'_>) -> Self {
        Group { config: self.config.clone(), extras: self.extras.copied(py) }
    }
}

impl Extras {
    /// The same again.
    pub fn copied(&self, py: Python<'_>) -> Self {
        Extras {
            name: self.name.clone(),
            selector: self.selector.as_ref().map(|selector| selector.copied(py)),
            mask: self.mask.as_ref().map(|mask| mask.clone_ref(py)),
            is_left: self.is_left,
        }
    }
}
