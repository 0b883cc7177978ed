//! The class behind every optimizer.

use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple, PyType};
use pyo3::{Borrowed, IntoPyObjectExt};

use super::arrays::{Arrays, is_array};
use super::groups::{ParamGroup, bind};
use super::options::{rules, to_python};
use super::recipe::Recipe;
use super::schedule::learning_rate;
use super::state;
use super::structure::{Placed, Structure};
use crate::optim::options::{Convention, Value};
use crate::optim::{Config, Optimizer, driver, ewa};
use crate::scalar::Scalar;
use crate::team;

/// Adds everything of this module to the extension.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyOptimizer>()?;
    module.add_class::<ParamGroup>()?;
    module.add_function(wrap_pyfunction!(rules, module)?)?;
    module.add_function(wrap_pyfunction!(ewa_in_place, module)?)
}

/// The base of all optimizers: updates NumPy arrays in place.
///
/// Its subclasses (`SGD`, `Adam`, ...) are made from the tables of the rules.
#[pyclass(name = "Optimizer", module = "schuss", subclass)]
pub struct PyOptimizer {
    /// What it was made with; a bound optimizer's groups hold the present values.
    pub(super) recipe: Recipe,
    pub(super) bound: Option<Binding>,
}

/// An optimizer's arrays and state.
pub(super) struct Binding {
    pub structure: Structure,
    /// The groups' names, where `params` were groups with options of their own.
    pub group_names: Option<Vec<Option<String>>>,
    pub engine: Engine,
}

/// The two precisions.
pub(super) enum Engine {
    Single(Work<f32>),
    Double(Work<f64>),
}

/// Arrays of one precision with the optimizer at work on them.
pub(super) struct Work<T: Scalar> {
    pub optimizer: Optimizer<T>,
    pub arrays: Arrays<T>,
    /// Keeps gradients alive during a step.
    kept: Vec<Py<PyAny>>,
}

/// Does the same with either precision.
macro_rules! with_work {
    ($engine:expr, $work:ident => $body:expr) => {
        match $engine {
            $crate::py::optim::Engine::Single($work) => $body,
            $crate::py::optim::Engine::Double($work) => $body,
        }
    };
}

pub(super) use with_work;

/// Elements from which on a step lets other Python threads run.
const RELEASE: usize = 64 * 1024;

impl<T: Scalar> Work<T> {
    pub fn new(groups: Vec<Config>, group_of: &[usize], arrays: &[Placed<'_>]) -> PyResult<Self> {
        let arrays = Arrays::bind(arrays)?;
        let optimizer = Optimizer::with_groups(groups, &arrays.sizes(), group_of)?;
        Ok(Work { optimizer, arrays, kept: vec![] })
    }

    #[inline]
    fn step(&mut self, structure: &Structure, grads: &Bound<'_, PyAny>) -> PyResult<()> {
        let Work { optimizer, arrays, kept } = self;
        arrays.begin(grads.py())?;
        let visited = structure.visit(grads.as_borrowed(), &mut |index, gradient| {
            if let Ok(pair) = gradient.cast::<PyTuple>() {
                optimizer.expect_rows_allowed()?;
                return arrays.set_rows(index, &pair);
            }
            let gradient = match arrays.is_number(index) && !is_array(gradient) {
                true => from_scalar(gradient)?,
                false => gradient.to_owned(),
            };
            arrays.set_gradient(index, gradient.as_borrowed())?;
            kept.push(gradient.unbind());
            Ok(())
        });
        let result = visited.and_then(|()| {
            let large = arrays.place_gradients() >= RELEASE;
            // SAFETY: every gradient was set and is kept alive in `kept`. While other threads run, this object stays
            // borrowed, and its documentation reserves parameters and gradients for the step.
            let views = unsafe { arrays.views() };
            match large {
                true => grads.py().detach(|| driver::step(optimizer, views, team::cores())),
                false => driver::step(optimizer, views, 1),
            }
            .map_err(PyErr::from)
        });
        kept.clear();
        result.map(|_| ())
    }

    /// The averaged parameters, each as a new array; None where there are none.
    fn averaged<'py>(&self, py: Python<'py>) -> PyResult<Option<Vec<Bound<'py, PyAny>>>> {
        let empty = py.import("numpy")?.getattr("empty")?;
        let mut averages = vec![];
        for tensor in 0..self.arrays.len() {
            let len = self.optimizer.range(tensor).len();
            let (mut params, mut average) = (vec![T::ZERO; len], vec![T::ZERO; len]);
            self.arrays.read_param(py, tensor, &mut params)?;
            if !self.optimizer.averaged(tensor, &params, &mut average) {
                return Ok(None);
            }
            let array = empty.call1((self.arrays.shape(py, tensor)?, self.arrays.state_dtype(tensor)))?;
            self.arrays.write_like(tensor, array.as_borrowed(), &average)?;
            averages.push(array);
        }
        Ok(Some(averages))
    }
}

#[pymethods]
impl PyOptimizer {
    #[new]
    #[classmethod]
    #[pyo3(signature = (params=None, lr=None, *, convention="lecture", **options))]
    fn new(
        cls: &Bound<'_, PyType>,
        params: Option<&Bound<'_, PyAny>>,
        lr: Option<&Bound<'_, PyAny>>,
        convention: &str,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let Ok(rule) = cls.getattr("_rule").and_then(|rule| rule.extract::<String>()) else {
            return Err(PyTypeError::new_err("Optimizer is the base of the optimizers: use one of them, such as Adam"));
        };
        let mut recipe = Recipe::new(&rule, Convention::from_name(convention)?)?;
        if let Some(lr) = lr {
            recipe.set("lr", lr)?;
        }
        for (name, value) in options.into_iter().flatten() {
            recipe.set(&name.extract::<String>()?, &value)?;
        }
        let bound = params.map(|params| bind(params.py(), &recipe, params)).transpose()?;
        Ok(PyOptimizer { recipe, bound })
    }

    /// A new optimizer with the same options, bound to parameters; this one stays as it is.
    ///
    /// Parameters
    /// ----------
    /// params : array, sequence or mapping
    ///     What the new one updates in place.
    ///
    /// Returns
    /// -------
    /// Optimizer
    ///     Of the same class, at step 0 with fresh state.
    fn bind<'py>(slf: &Bound<'py, Self>, params: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let recipe = slf.borrow().recipe_of(slf.py(), 0);
        let bound = Some(bind(slf.py(), &recipe, params)?);
        let new = slf.get_type().call0()?;
        *new.cast::<Self>()?.borrow_mut() = PyOptimizer { recipe, bound };
        Ok(new)
    }

    /// Updates the parameters by one step.
    ///
    /// All or nothing: whatever is wrong with an argument is reported before anything changes. Large steps run on
    /// several threads and let other Python threads run meanwhile, which must not touch parameters or gradients.
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
    ///     If a gradient has NaN or infinity in it and ``nonfinite="raise"``.
    fn step(&mut self, grads: &Bound<'_, PyAny>) -> PyResult<()> {
        let Binding { structure, engine, .. } = self.bound_mut()?;
        with_work!(engine, work => work.step(structure, grads))
    }

    /// float: The learning rate of the next step, of the first group, before its `lr_factor`; setting it sets a constant in
    /// every group.
    #[getter]
    fn lr(&self) -> PyResult<f64> {
        self.lr_of(0)
    }

    #[setter]
    fn set_lr(&mut self, lr: &Bound<'_, PyAny>) -> PyResult<()> {
        (0..self.groups().len()).try_for_each(|group| {
            let mut recipe = self.recipe_of(lr.py(), group);
            recipe.set("lr", lr)?;
            self.set_group(lr.py(), group, recipe)
        })
    }

    /// Tells schedules that depend on results the newest one; all others take no notice.
    ///
    /// `MLP.fit` and `minimize` do it by themselves.
    ///
    /// Parameters
    /// ----------
    /// result : float
    ///     Such as the validation loss of an epoch: see `schuss.schedules.plateau`.
    fn tell(&mut self, result: f64) -> PyResult<()> {
        with_work!(&mut self.bound_mut()?.engine, work => work.optimizer.tell(result));
        Ok(())
    }

    /// int: Steps taken; skipped steps are not among them.
    #[getter]
    fn step_count(&self) -> u64 {
        self.bound.as_ref().map_or(0, |bound| with_work!(&bound.engine, work => work.optimizer.step_count()))
    }

    /// int: Steps left out because a gradient was not finite (``nonfinite="skip"``).
    #[getter]
    fn skipped_steps(&self) -> u64 {
        self.bound.as_ref().map_or(0, |bound| with_work!(&bound.engine, work => work.optimizer.skipped_steps()))
    }

    /// list of ParamGroup: The groups' live options: ``opt.param_groups[0]["lr"] = 0.1`` takes effect at the next step.
    #[getter]
    fn param_groups(slf: &Bound<'_, Self>) -> Vec<ParamGroup> {
        let count = slf.borrow().groups().len();
        (0..count).map(|index| ParamGroup::new(slf, index)).collect()
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
    fn averaged_params<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let Binding { structure, engine, .. } = self.bound_ref()?;
        let Some(averages) = with_work!(engine, work => work.averaged(py))? else {
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
    ///     ``optimizer`` (name), ``step_count``, ``skipped_steps``, ``param_groups`` (a dict of options for each group;
    ///     ``lr`` is None where it is a schedule: that is a function of ``step_count``) and ``state`` (for each state
    ///     array a list of copies, shaped like the parameters and of their dtype); ``gathered`` (gradients since the last
    ///     step, with `accumulate`) and ``memory`` (for each group the numbers that its rule remembers,
    ///     and the steps in which it was frozen, where there were any).
    fn state_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        state::saved(self, py)
    }

    /// Continues from a state that `state_dict` has given: options, counts and state arrays are taken over.
    ///
    /// Parameters
    /// ----------
    /// state_dict : dict
    ///     Of an optimizer of the same class with parameters of the same shapes and dtype. Where its ``lr`` is None
    ///     the present learning rate or schedule stays.
    ///
    /// Raises
    /// ------
    /// TypeError, ValueError
    ///     If it does not fit; nothing has changed then.
    fn load_state_dict(&mut self, state_dict: &Bound<'_, PyDict>) -> PyResult<()> {
        state::load(self, state_dict)
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        state::reduced(slf)
    }

    fn __setstate__(slf: &Bound<'_, Self>, parts: &Bound<'_, PyDict>) -> PyResult<()> {
        state::restore(slf, parts)
    }

    /// Recipes are equal where they do the same; optimizers at work are only themselves.
    fn __eq__(slf: &Bound<'_, Self>, other: &Bound<'_, PyAny>) -> PyResult<bool> {
        let Ok(other) = other.cast::<Self>() else { return Ok(false) };
        if slf.is(other) {
            return Ok(true);
        }
        let (a, b) = (slf.borrow(), other.borrow());
        if a.bound.is_some() || b.bound.is_some() || !slf.get_type().is(other.get_type()) {
            return Ok(false);
        }
        let outside = |optimizer: &Self| {
            let mask = optimizer.recipe.mask.as_ref().map(|mask| mask.bind(slf.py()).clone());
            (learning_rate(slf.py(), optimizer.config().schedule())?, mask).into_pyobject(slf.py())
        };
        Ok(a.config().options() == b.config().options() && outside(&a)?.eq(outside(&b)?)?)
    }

    /// Of the class alone, which cannot change.
    fn __hash__(slf: &Bound<'_, Self>) -> PyResult<isize> {
        slf.get_type().hash()
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let spec = self.config().spec();
        let config = &self.groups()[0];
        let convention = config.options().convention();
        let lr = learning_rate(py, config.schedule())?.repr()?;
        let mut text = format!("{}(lr={lr}", spec.name);
        for (option, value) in config.options().iter() {
            if value != option.defaults[convention as usize] {
                match value {
                    Value::Mask => text += &format!(", {}={}", option.name, self.option(py, 0, value)?.repr()?),
                    _ => text += &format!(", {}={value}", option.name),
                }
            }
        }
        if convention != Convention::Lecture {
            text += &format!(", convention={:?}", convention.name());
        }
        text += ")";
        if let Some(bound) = &self.bound {
            let (arrays, steps) = (with_work!(&bound.engine, work => work.arrays.len()), self.step_count());
            text += &format!(" of {arrays} array{} at step {steps}", if arrays == 1 { "" } else { "s" });
        }
        Ok(text)
    }
}

impl PyOptimizer {
    /// The recipe, or the present configuration of the first group.
    pub fn config(&self) -> &Config {
        &self.groups()[0]
    }

    /// The optimizer at work, where it is bound to `float32` arrays.
    pub fn single(&mut self) -> Option<&mut Optimizer<f32>> {
        match &mut self.bound.as_mut()?.engine {
            Engine::Single(work) => Some(&mut work.optimizer),
            Engine::Double(_) => None,
        }
    }

    /// The optimizer at work, where it is bound to `float64` arrays.
    pub fn double(&mut self) -> Option<&mut Optimizer<f64>> {
        match &mut self.bound.as_mut()?.engine {
            Engine::Single(_) => None,
            Engine::Double(work) => Some(&mut work.optimizer),
        }
    }

    pub(super) fn bound_ref(&self) -> PyResult<&Binding> {
        self.bound.as_ref().ok_or_else(unbound)
    }

    pub(super) fn bound_mut(&mut self) -> PyResult<&mut Binding> {
        self.bound.as_mut().ok_or_else(unbound)
    }

    pub(super) fn groups(&self) -> &[Config] {
        match &self.bound {
            Some(bound) => with_work!(&bound.engine, work => work.optimizer.groups()),
            None => std::slice::from_ref(&self.recipe.config),
        }
    }

    /// The present configuration of a group; a mask that has met its arrays is no longer there.
    pub(super) fn recipe_of(&self, py: Python<'_>, group: usize) -> Recipe {
        match &self.bound {
            Some(_) => Recipe { config: self.groups()[group].clone(), mask: None },
            None => self.recipe.copied(py),
        }
    }

    pub(super) fn set_group(&mut self, py: Python<'_>, group: usize, recipe: Recipe) -> PyResult<()> {
        let Some(bound) = &mut self.bound else {
            self.recipe = recipe;
            return Ok(());
        };
        let mut recipes: Vec<_> = with_work!(&bound.engine, work => {
            work.optimizer.groups().iter().map(|config| Recipe { config: config.clone(), mask: None }).collect()
        });
        recipes[group] = recipe;
        let selected = bound.selected(py, &recipes)?;
        with_work!(&mut bound.engine, work => {
            work.optimizer.set_group(group, recipes.swap_remove(group).config);
            work.optimizer.set_selected(&selected);
        });
        Ok(())
    }

    pub(super) fn group_name(&self, group: usize) -> Option<&str> {
        self.bound.as_ref()?.group_name(group)
    }

    /// The value of an option of a group, as Python has it.
    pub(super) fn option<'py>(&self, py: Python<'py>, group: usize, value: Value) -> PyResult<Bound<'py, PyAny>> {
        match (value, &self.bound) {
            (Value::Mask, Some(bound)) => bound.mask(group).into_bound_py_any(py),
            (Value::Mask, None) => self.recipe.mask.as_ref().into_bound_py_any(py),
            (value, _) => to_python(py, value),
        }
    }

    pub(super) fn lr_of(&self, group: usize) -> PyResult<f64> {
        Ok(match &self.bound {
            Some(bound) => with_work!(&bound.engine, work => {
                work.optimizer.groups()[group].schedule().value(work.optimizer.step_count() as f64)
            })?,
            None => self.config().schedule().value(0.0)?,
        })
    }
}

/// NumPy makes scalars of arrays without axes wherever it can: they are gradients of such arrays.
#[cold]
fn from_scalar<'py>(gradient: Borrowed<'_, 'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let numpy = gradient.py().import("numpy")?;
    match gradient.is_instance(&numpy.getattr("generic")?)? {
        true => numpy.call_method1("asarray", (gradient,)),
        false => Ok(gradient.to_owned()),
    }
}

#[cold]
fn unbound() -> PyErr {
    PyRuntimeError::new_err("this optimizer is a recipe: it was made without params and has no arrays to work on")
}

/// The configuration that a recipe, an optimizer or a name ("adam") stands for.
#[allow(dead_code, reason = "for the trainer")]
pub fn config_of(object: &Bound<'_, PyAny>) -> PyResult<Config> {
    if let Ok(name) = object.cast::<PyString>() {
        return Ok(Config::new(name.to_str()?, Convention::Lecture)?);
    }
    match object.cast::<PyOptimizer>() {
        Ok(optimizer) => Ok(optimizer.borrow().config().clone()),
        Err(_) => {
            let got = object.get_type().qualname()?;
            Err(PyTypeError::new_err(format!("optimizer must be an optimizer or its name, got {got}")))
        }
    }
}

/// Replaces each value by the exponentially weighted average up to it; see `schuss.ewa`.
#[pyfunction]
fn ewa_in_place(mut series: numpy::PyReadwriteArray1<'_, f64>, beta: f64, bias_correction: bool) -> PyResult<()> {
    Ok(ewa::in_place(series.as_slice_mut()?, beta, bias_correction)?)
}
