//! The methods of every optimizer in Python.

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple, PyType};
use pyo3::{PyTraverseError, PyVisit};

use super::binding::Binding;
use super::object::{PyOptimizer, RecipeOrBinding, next_lr, reading, writing};
use super::param_group::ParamGroup;
use super::recipe::{Group, Recipe};
use super::{pickle, references, state, stepping, value};
use crate::error::Error;
use crate::optim::options::{Convention, one_of};
use crate::py::arguments::number;
use crate::py::calls::Call;
use crate::py::foreign::shown;
use crate::py::precision::dispatch;
use crate::py::schedule::PySchedule;

/// The convention of that name.
fn convention_of(name: &Bound<'_, PyAny>) -> PyResult<Convention> {
    match name.cast::<PyString>() {
        Ok(name) if name.len()? <= 80 => Ok(Convention::from_name(name.to_str()?)?),
        _ => Err(Error::type_("convention", shown(name)?, one_of(&Convention::NAMES)).into()),
    }
}

#[pymethods]
impl PyOptimizer {
    #[new]
    #[classmethod]
    #[pyo3(signature = (params=None, lr=None, *, convention=None, **options))]
    fn new(
        cls: &Bound<'_, PyType>,
        params: Option<&Bound<'_, PyAny>>,
        lr: Option<&Bound<'_, PyAny>>,
        convention: Option<&Bound<'_, PyAny>>,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let _call = Call::begin()?;
        let Ok(rule) = cls.getattr("_rule").and_then(|rule| rule.extract::<String>()) else {
            return Err(PyTypeError::new_err("Optimizer is the base of the optimizers: use one of them, such as Adam"));
        };
        let mut group = Group::new(&rule, convention.map_or(Ok(Convention::Lecture), convention_of)?)?;
        if let Some(lr) = lr {
            group.set("lr", lr)?;
        }
        let options = options.into_iter().flatten().map(|(name, value)| Ok((name.extract()?, value)));
        group.set_all(options.collect::<PyResult<Vec<_>>>()?.into_iter())?;
        let recipe = Recipe::new(group);
        let inner = match params {
            Some(params) => RecipeOrBinding::with_params(recipe, params)?,
            None => RecipeOrBinding::Recipe(recipe),
        };
        Ok(PyOptimizer::of(inner))
    }

    /// A new optimizer with the same options, bound to parameters; this one stays as it is.
    ///
    /// Parameters
    /// ----------
    /// params : array, sequence or mapping
    ///     What the new one updates in place.
    /// names : iterable of str, optional
    ///     The arrays' names, one for each in the order of `params`, for groups and masks that select by name, and for
    ///     errors. Left out, they are the places in `params`, such as "0" and "encoder.w".
    /// total_steps : int, optional
    ///     The length of schedules that were made without one.
    ///
    /// Returns
    /// -------
    /// Optimizer
    ///     Of the same class, at step 0 with fresh state.
    ///
    /// Raises
    /// ------
    /// TypeError, ValueError
    ///     If `params` are no arrays that can be updated, names are not theirs, a group selects no array, a schedule
    ///     has no length, or this optimizer has several groups that are arrays: they are no recipe.
    /// RuntimeError
    ///     If this optimizer is in use by a training or a step.
    #[pyo3(signature = (params, names=None, *, total_steps=None))]
    fn bind<'py>(
        slf: &Bound<'py, Self>,
        params: &Bound<'py, PyAny>,
        names: Option<&Bound<'py, PyAny>>,
        total_steps: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let _call = Call::begin()?;
        let mut recipe = reading(slf)?.inner.recipe(slf.py())?;
        if let Some(total) = total_steps {
            recipe.set_length(number("total_steps", total)?)?;
        }
        let inner = RecipeOrBinding::bound_to(recipe, params, names)?;
        let new = slf.get_type().call0()?;
        writing(new.cast::<Self>()?)?.inner = inner;
        Ok(new)
    }

    /// Updates the parameters by one step.
    ///
    /// All or nothing: whatever is wrong with an argument is reported before anything changes. Large steps run on
    /// several threads and let other Python threads run meanwhile, which must not touch parameters or gradients; NumPy
    /// refuses to resize them then.
    ///
    /// Parameters
    /// ----------
    /// grads : array, sequence or mapping
    ///     The gradients, in the structure of `params`: same shapes, same dtypes (those of ``float16`` may be ``float32``),
    ///     any memory layout. For `SGD`, `Adagrad`, `Adam` and `AdamW` any of them may be a pair ``(rows, values)``: an
    ///     array of integers, at least 0, along the parameter's axis 0, and an array of shape
    ///     ``(len(rows), *param.shape[1:])``. Values of the same row are added. Only these rows and their state are
    ///     touched: others neither decay nor follow their momentum.
    ///
    /// Raises
    /// ------
    /// TypeError, ValueError
    ///     If structure, dtype or shape of a gradient is not that of its parameter, or if rows are given where the rule, or
    ///     `accumulate`, `lookahead`, `ema` or `swa_start`, needs all of them.
    /// NonFiniteError
    ///     With ``nonfinite="raise"``, if a gradient has NaN or infinity in it, or if the update would leave them in a
    ///     parameter or in the state, as a large `lr` does even where gradients are finite.
    /// RuntimeError
    ///     If it is a recipe, which has no arrays, or in use by a training or by another step.
    fn step(slf: &Bound<'_, Self>, grads: &Bound<'_, PyAny>) -> PyResult<()> {
        stepping::step(slf, grads)
    }

    /// float: The learning rate of the next step, of the first group, before its `lr_factor`; setting it sets a constant in
    /// every group.
    #[getter]
    fn lr(slf: &Bound<'_, Self>) -> PyResult<f64> {
        next_lr(slf, 0)
    }

    #[setter]
    fn set_lr(slf: &Bound<'_, Self>, lr: &Bound<'_, PyAny>) -> PyResult<()> {
        let _call = Call::begin()?;
        writing(slf)?.inner.set_all("lr", lr)
    }

    /// Tells schedules that depend on results the newest one; all others take no notice.
    ///
    /// `MLP.fit` and `minimize` do it by themselves.
    ///
    /// Parameters
    /// ----------
    /// result : float
    ///     Such as the validation loss of an epoch: see `schuss.schedules.plateau`. NaN is no improvement.
    ///
    /// Raises
    /// ------
    /// TypeError
    ///     If it is no number.
    /// RuntimeError
    ///     If this optimizer is a recipe, or in use by a training or a step.
    fn tell(slf: &Bound<'_, Self>, result: &Bound<'_, PyAny>) -> PyResult<()> {
        let result = number("result", result)?;
        dispatch!(&mut writing(slf)?.inner.binding_mut()?.stepper, stepper => stepper.optimizer.tell(result));
        Ok(())
    }

    /// int: Steps taken; skipped steps are not among them.
    #[getter]
    fn step_count(slf: &Bound<'_, Self>) -> PyResult<u64> {
        Ok(reading(slf)?.inner.counts().steps)
    }

    /// int: Steps left out because a gradient was not finite (``nonfinite="skip"``).
    #[getter]
    fn skipped_steps(slf: &Bound<'_, Self>) -> PyResult<u64> {
        Ok(reading(slf)?.inner.counts().skipped)
    }

    /// list of ParamGroup: The groups' live options: ``opt.param_groups[0]["lr"] = 0.1`` takes effect at the next step.
    #[getter]
    fn param_groups(slf: &Bound<'_, Self>) -> PyResult<Vec<ParamGroup>> {
        let count = reading(slf)?.inner.len();
        Ok((0..count).map(|index| ParamGroup::new(slf, index)).collect())
    }

    /// The averaged parameters: what `ema` or `swa_start` keep, or the average of a schedule-free rule.
    ///
    /// Returns
    /// -------
    /// list or dict
    ///     New arrays in the structure of `params`: use them for predictions, the parameters for gradients.
    ///
    /// Raises
    /// ------
    /// ValueError
    ///     If there is no average.
    /// RuntimeError
    ///     If this optimizer is a recipe, or in use by a training or a step.
    fn averaged_params<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let _call = Call::begin()?;
        let (this, py) = (reading(slf)?, slf.py());
        let Binding { structure, stepper, .. } = this.inner.binding()?;
        let Some(averages) = dispatch!(stepper, stepper => stepper.averaged(py))? else {
            return Err(PyValueError::new_err(
                "there is no average of the parameters: make the optimizer with ema or swa_start",
            ));
        };
        structure.build(py, &mut averages.into_iter())
    }

    /// The state as plain data: everything that a later run needs to continue bit by bit.
    ///
    /// Returns
    /// -------
    /// dict
    ///     ``optimizer`` (name), ``step_count``, ``skipped_steps``, ``gathered`` (gradients since the last step, with
    ///     `accumulate`), ``param_groups`` (a dict of options for each group; ``lr`` and ``weight_decay`` are None
    ///     where they are schedules: those are functions of ``step_count``), ``names`` and ``group_of`` (each array's
    ///     name, and the number of its group), ``memory`` (for each group the numbers that its rule remembers;
    ///     ``frozen_steps``, in which it was frozen, ``averaged_since``, the steps before its average was asked for,
    ///     and the like of other state arrays, such as ``slow_since``, where there were any), ``schedules`` (for each
    ///     group the numbers that its learning rate remembers of results, as `schuss.schedules.plateau` does) and
    ///     ``state`` (for each state array a list of copies, shaped like the parameters and of their dtype).
    ///
    /// Raises
    /// ------
    /// RuntimeError
    ///     If this optimizer is a recipe, or in use by a training or a step.
    fn state_dict<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyDict>> {
        let _call = Call::begin()?;
        state::saved(&reading(slf)?.inner, slf.py())
    }

    /// Continues from a state that `state_dict` has given: options, counts and state arrays are taken over.
    ///
    /// Parameters
    /// ----------
    /// state_dict : dict
    ///     Of an optimizer of the same class with parameters of the same names, shapes and dtype. Where its ``lr`` is None
    ///     the present learning rate or schedule stays. Arrays are found by name, or by their order where names are only
    ///     places in a list.
    ///
    /// Raises
    /// ------
    /// TypeError, ValueError
    ///     If it does not fit; nothing has changed then.
    /// RuntimeError
    ///     If this optimizer is a recipe, or in use by a training or a step.
    fn load_state_dict(slf: &Bound<'_, Self>, state_dict: &Bound<'_, PyAny>) -> PyResult<()> {
        let _call = Call::begin()?;
        let Ok(state_dict) = state_dict.cast::<PyDict>() else {
            return Err(Error::type_("state_dict", shown(state_dict)?, "a dict, as state_dict() gives it").into());
        };
        let mut this = writing(slf)?;
        this.expect_idle()?;
        state::load(&mut this.inner, state_dict)
    }

    /// Whether this optimizer's options may follow a state: its class, its groups, and what may be changed while one is at work.
    fn _can_continue(slf: &Bound<'_, Self>, state_dict: &Bound<'_, PyDict>) -> PyResult<bool> {
        let _call = Call::begin()?;
        state::can_continue(&reading(slf)?.inner, state_dict)
    }

    /// The options of a group and its learning rate as they were given: schedules, functions and masks themselves.
    fn _given<'py>(slf: &Bound<'py, Self>, group: usize) -> PyResult<Bound<'py, PyDict>> {
        let _call = Call::begin()?;
        let this = reading(slf)?;
        this.expect_group(group)?;
        state::given(slf.py(), &this.inner, group)
    }

    /// Schedules that were given a length when this was bound, and had none: group, option, and as they were given.
    fn _opened(slf: &Bound<'_, Self>) -> PyResult<Vec<(usize, &'static str, PySchedule)>> {
        let _call = Call::begin()?;
        Ok(pickle::opened(&reading(slf)?.inner))
    }

    /// Gradients since the last step, with `accumulate`.
    fn _gathered(slf: &Bound<'_, Self>) -> PyResult<u64> {
        Ok(reading(slf)?.inner.counts().gathered)
    }

    /// Gives an option of a group a schedule that has no length, in that one.
    fn _follow(
        slf: &Bound<'_, Self>,
        group: usize,
        name: &str,
        schedule: &Bound<'_, PyAny>,
        total_steps: f64,
    ) -> PyResult<()> {
        let _call = Call::begin()?;
        let mut this = writing(slf)?;
        this.expect_group(group)?;
        this.inner.binding_mut()?.follow(group, (name, schedule), total_steps)
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        let _call = Call::begin()?;
        pickle::reduced(slf)
    }

    fn __setstate__(slf: &Bound<'_, Self>, parts: &Bound<'_, PyDict>) -> PyResult<()> {
        let _call = Call::begin()?;
        pickle::restore(slf, parts)
    }

    /// Recipes are equal where they do the same; optimizers at work are only themselves.
    fn __eq__(slf: &Bound<'_, Self>, other: &Bound<'_, PyAny>) -> PyResult<bool> {
        value::equal(slf, other)
    }

    /// Of the class alone, which cannot change.
    fn __hash__(slf: &Bound<'_, Self>) -> PyResult<isize> {
        slf.get_type().hash()
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        value::text(&reading(slf)?.inner, slf.py())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        references::visited(&self.inner, &visit)
    }

    fn __clear__(&mut self) {
        references::clear(&mut self.inner);
    }
}
