//! The Python object: a recipe, or an optimizer at work.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::IntoPyObjectExt;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;

use super::binding::Binding;
use super::given::Given;
use super::plan::{Grouping, Plan};
use super::recipe::{Extras, Group, Recipe, is_of_whole_step};
use super::stepper::Stepper;
use crate::error::Error;
use crate::mlp::Network;
use crate::optim::options::{Opt, Value};
use crate::optim::{Config, Counts, Optimizer, WEIGHT_DECAY};
use crate::py::options::to_python;
use crate::py::precision::dispatch;
use crate::py::schedule::{is_schedule, learning_rate, schedule_of};
use crate::scalar::Scalar;

/// The base of all optimizers: updates NumPy arrays in place.
///
/// Its subclasses (`SGD`, `Adam`, ...) are made from the tables of the rules.
#[pyclass(name = "Optimizer", module = "schuss", subclass)]
pub struct PyOptimizer {
    pub inner: RecipeOrBinding,
    /// Whether a step is waiting for a schedule, which may look at this object but not make another step.
    asking: Arc<AtomicBool>,
}

/// Says for as long as it lives that an optimizer's step waits for a schedule.
pub struct Asking(Arc<AtomicBool>);

impl Asking {
    /// Of an optimizer that is idle.
    pub fn new(optimizer: &PyOptimizer) -> Self {
        optimizer.asking.store(true, Ordering::Relaxed);
        Asking(optimizer.asking.clone())
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// An optimizer, to be looked at.
#[inline]
pub fn reading<'py>(optimizer: &Bound<'py, PyOptimizer>) -> PyResult<PyRef<'py, PyOptimizer>> {
    optimizer.try_borrow().map_err(|_| busy())
}

/// An optimizer, to be changed.
#[inline]
pub fn writing<'py>(optimizer: &Bound<'py, PyOptimizer>) -> PyResult<PyRefMut<'py, PyOptimizer>> {
    optimizer.try_borrow_mut().map_err(|_| busy())
}

#[cold]
fn busy() -> PyErr {
    PyRuntimeError::new_err("this optimizer is in use by a training or a step that is under way")
}

/// What an optimizer is in Python.
pub enum RecipeOrBinding {
    Recipe(Recipe),
    Bound(Box<Binding>),
}

impl PyOptimizer {
    /// A recipe, or an optimizer at work.
    pub fn of(inner: RecipeOrBinding) -> Self {
        PyOptimizer { inner, asking: Arc::default() }
    }

    /// Refuses a step, and whatever replaces the state, while a step waits for a schedule.
    #[inline]
    pub fn expect_idle(&self) -> PyResult<()> {
        if self.asking.load(Ordering::Relaxed) { Err(busy()) } else { Ok(()) }
    }

    /// The core's optimizer; refuses one whose arrays are not the tensors of a network that lie in `params`: rules, masks and
    /// groups look at each of them.
    pub fn core<T: Scalar>(&mut self, network: &Network, params: &[T]) -> Result<&mut Optimizer<T>, Error> {
        let refused = |got| Error::value("optimizer", got, "bound to the parameters of this network, net.params");
        let RecipeOrBinding::Bound(bound) = &mut self.inner else { return Err(refused("a recipe")) };
        let tensors = &network.tensors;
        let is_own = |stepper: &Stepper<T>| {
            let mut ranges = tensors.iter().map(|tensor| tensor.range()).enumerate();
            stepper.arrays.len() == tensors.count()
                && ranges.all(|(number, range)| stepper.arrays.is_at(number, &params[range]))
        };
        let stepper = bound.stepper.get_mut::<Stepper<T>>().filter(|stepper| is_own(stepper));
        stepper.map(|stepper| &mut stepper.optimizer).ok_or_else(|| refused("one of other arrays"))
    }
}

impl RecipeOrBinding {
    /// What a recipe without groups becomes with the "params" of the constructor.
    pub fn with_params(mut recipe: Recipe, params: &Bound<'_, PyAny>) -> PyResult<Self> {
        let plan = match Given::read(&recipe.groups[0], params)? {
            Given::Arrays => Plan::of_arrays(recipe, params, None)?,
            Given::Parts(parts) => Plan::of_parts(params.py(), parts, None)?,
            Given::Selections(groups) => {
                recipe.groups.extend(groups);
                return Ok(RecipeOrBinding::Recipe(recipe));
            }
        };
        RecipeOrBinding::bound(params.py(), plan)
    }

    /// A recipe at work on arrays, whose names may be given.
    pub fn bound_to<'py>(
        recipe: Recipe,
        params: &Bound<'py, PyAny>,
        names: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Self> {
        let plan = match (Given::read(&recipe.groups[0], params)?, recipe.groups.len()) {
            (Given::Arrays, _) => Plan::of_arrays(recipe, params, names)?,
            (Given::Parts(parts), 1) => Plan::of_parts(params.py(), parts, names)?,
            (Given::Parts(_), _) => {
                let expected = "arrays, as this recipe has groups that select them";
                return Err(Error::value("params", "groups of arrays", expected).into());
            }
            (Given::Selections(_), _) => {
                return Err(Error::value("params", "groups of names", "arrays: bind is given what they select").into());
            }
        };
        RecipeOrBinding::bound(params.py(), plan)
    }

    /// At work on arrays that can be written.
    pub fn bound(py: Python<'_>, plan: Plan<'_>) -> PyResult<Self> {
        plan.groups.iter().try_for_each(|group| group.config.expect_length())?;
        let binding = Binding::new(py, plan)?;
        dispatch!(&binding.stepper, stepper => stepper.arrays.verify(py))?;
        Ok(RecipeOrBinding::Bound(Box::new(binding)))
    }

    /// The arrays and their state; refuses a recipe.
    #[inline]
    pub fn binding(&self) -> PyResult<&Binding> {
        match self {
            RecipeOrBinding::Recipe(_) => Err(unbound()),
            RecipeOrBinding::Bound(bound) => Ok(bound),
        }
    }

    /// The same, to be changed.
    #[inline]
    pub fn binding_mut(&mut self) -> PyResult<&mut Binding> {
        match self {
            RecipeOrBinding::Recipe(_) => Err(unbound()),
            RecipeOrBinding::Bound(bound) => Ok(bound),
        }
    }

    /// The number of groups.
    pub fn len(&self) -> usize {
        match self {
            RecipeOrBinding::Recipe(recipe) => recipe.groups.len(),
            RecipeOrBinding::Bound(bound) => bound.configs().len(),
        }
    }

    /// The present configuration of a group.
    pub fn config(&self, group: usize) -> &Config {
        match self {
            RecipeOrBinding::Recipe(recipe) => &recipe.groups[group].config,
            RecipeOrBinding::Bound(bound) => &bound.configs()[group],
        }
    }

    /// What the core does not know of a group.
    pub fn extras(&self, group: usize) -> &Extras {
        match self {
            RecipeOrBinding::Recipe(recipe) => &recipe.groups[group].extras,
            RecipeOrBinding::Bound(bound) => bound.extras(group),
        }
    }

    /// The value of an option of a group, as Python has it.
    pub fn option<'py>(
        &self,
        py: Python<'py>,
        group: usize,
        (option, value): (Opt, Value),
    ) -> PyResult<Bound<'py, PyAny>> {
        if let (WEIGHT_DECAY, Some(curve)) = (option.name, self.config(group).decay_curve()) {
            return learning_rate(py, curve.schedule());
        }
        match (value, self) {
            (Value::Mask, RecipeOrBinding::Bound(bound)) => bound.mask(group).into_bound_py_any(py),
            (Value::Mask, RecipeOrBinding::Recipe(_)) => self.extras(group).mask.as_ref().into_bound_py_any(py),
            (value, _) => to_python(py, value),
        }
    }

    /// How many steps it has taken.
    pub fn counts(&self) -> Counts {
        match self {
            RecipeOrBinding::Recipe(_) => Counts::default(),
            RecipeOrBinding::Bound(bound) => dispatch!(&bound.stepper, stepper => stepper.optimizer.counts()),
        }
    }

    /// Changes an option of a group; of all where it is about the whole step.
    pub fn set(&mut self, group: usize, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let groups = if is_of_whole_step(name) { 0..self.len() } else { group..group + 1 };
        self.set_in(groups, name, value)
    }

    /// Changes an option of every group.
    pub fn set_all(&mut self, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        self.set_in(0..self.len(), name, value)
    }

    fn set_in(&mut self, groups: Range<usize>, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        match self {
            RecipeOrBinding::Bound(bound) => {
                if name == "lr" || name == WEIGHT_DECAY && is_schedule(value) {
                    schedule_of(value)?.expect_length()?;
                }
                bound.set(groups, name, value)
            }
            RecipeOrBinding::Recipe(recipe) => {
                let mut changed = recipe.copied(value.py());
                changed.groups[groups].iter_mut().try_for_each(|group| group.set(name, value))?;
                *recipe = changed;
                Ok(())
            }
        }
    }

    /// The recipe with the present options, for other arrays.
    pub fn recipe(&self, py: Python<'_>) -> PyResult<Recipe> {
        let bound = match self {
            RecipeOrBinding::Recipe(recipe) => return Ok(recipe.copied(py)),
            RecipeOrBinding::Bound(bound) => bound,
        };
        if bound.grouping == Grouping::Parts && self.len() > 1 {
            let expected = "a recipe, or have one group, or groups that select arrays by name";
            return Err(Error::value("the optimizer", "groups of arrays", expected).into());
        }
        if (0..self.len()).any(|group| bound.extras(group).is_left) {
            return Err(PyValueError::new_err(
                "decay_where must be set again before this optimizer is bound to other arrays: the function that it was \
                 was not stored with it",
            ));
        }
        let afresh = |group: Group| Group { config: group.config.afresh(), ..group };
        let mut groups: Vec<_> = (0..self.len()).map(|group| afresh(bound.group(py, group))).collect();
        if bound.grouping == Grouping::Parts {
            groups[0].extras.name = None;
        }
        Ok(Recipe { groups })
    }
}

impl PyOptimizer {
    /// Refuses a group that was there once: the optimizer has been given another state since.
    pub fn expect_group(&self, group: usize) -> PyResult<()> {
        match group < self.inner.len() {
            true => Ok(()),
            false => Err(PyRuntimeError::new_err("this parameter group is no longer one of its optimizer's")),
        }
    }
}

/// The learning rate of a group's next step, before its factor. A function that gives it may look at the optimizer, and
/// change it.
pub fn next_lr(optimizer: &Bound<'_, PyOptimizer>, group: usize) -> PyResult<f64> {
    let (schedule, steps);
    {
        let this = reading(optimizer)?;
        this.expect_group(group)?;
        (schedule, steps) = (this.inner.config(group).schedule().clone(), this.inner.counts().steps);
    }
    Ok(schedule.value(steps as f64)?)
}

#[cold]
fn unbound() -> PyErr {
    PyRuntimeError::new_err("this optimizer is a recipe: it was made without params and has no arrays to work on")
}
