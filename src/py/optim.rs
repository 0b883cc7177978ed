//! The class behind every optimizer, and the tables from which the classes are made.

use pyo3::Borrowed;
use pyo3::exceptions::{PyKeyError, PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyList, PyMapping, PySequence, PyString, PyType};

use super::arrays::{Arrays, Element, element, is_array};
use super::schedule::schedule_of;
use super::structure::{Placed, Structure};
use crate::error::Error;
use crate::optim::options::{Convention, Kind, Opt, Value, one_of};
use crate::optim::rule::SPECS;
use crate::optim::{Config, Counts, Optimizer, driver, ewa};
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
    recipe: Config,
    bound: Option<Binding>,
}

/// An optimizer's arrays and state.
struct Binding {
    structure: Structure,
    engine: Engine,
}

/// The two precisions.
enum Engine {
    Single(Work<f32>),
    Double(Work<f64>),
}

/// Arrays of one precision with the optimizer at work on them.
struct Work<T: Scalar> {
    optimizer: Optimizer<T>,
    arrays: Arrays<T>,
    /// Keeps gradients alive during a step.
    kept: Vec<Py<PyAny>>,
}

/// Does the same with either precision.
macro_rules! with_work {
    ($engine:expr, $work:ident => $body:expr) => {
        match $engine {
            Engine::Single($work) => $body,
            Engine::Double($work) => $body,
        }
    };
}

/// Elements from which on a step lets other Python threads run.
const RELEASE: usize = 64 * 1024;

impl<T: Scalar> Work<T> {
    fn new(groups: Vec<Config>, group_of: &[usize], arrays: &[Placed<'_>], element: Element) -> PyResult<Self> {
        let arrays = Arrays::bind(arrays, element)?;
        let mut optimizer = Optimizer::with_groups(groups, &arrays.sizes(), group_of)?;
        optimizer.set_matrices(&arrays.matrices());
        Ok(Work { optimizer, arrays, kept: vec![] })
    }

    #[inline]
    fn step(&mut self, structure: &Structure, grads: &Bound<'_, PyAny>) -> PyResult<()> {
        let Work { optimizer, arrays, kept } = self;
        arrays.begin(grads.py())?;
        let visited = structure.visit(grads.as_borrowed(), &mut |index, gradient| {
            let gradient = match is_array(gradient) {
                true => gradient.to_owned(),
                false => from_scalar(gradient, arrays.is_number(index))?,
            };
            arrays.set_gradient(index, gradient.as_borrowed())?;
            kept.push(gradient.unbind());
            Ok(())
        });
        let result = visited.and_then(|()| {
            let large = optimizer.len() >= RELEASE;
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

    /// The state arrays, each as a list of arrays shaped like the parameters.
    fn state<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let state = PyDict::new(py);
        let empty = py.import("numpy")?.getattr("empty")?;
        for (name, slot) in self.optimizer.slot_names().iter().zip(self.optimizer.slots()) {
            let arrays = PyList::empty(py);
            for tensor in 0..self.arrays.len() {
                let array = empty.call1((self.arrays.shape(py, tensor)?, T::NAME))?;
                self.arrays.write_like(tensor, array.as_borrowed(), &slot[self.optimizer.range(tensor)])?;
                arrays.append(array)?;
            }
            state.set_item(name, arrays)?;
        }
        Ok(state)
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
            let array = empty.call1((self.arrays.shape(py, tensor)?, T::NAME))?;
            self.arrays.write_like(tensor, array.as_borrowed(), &average)?;
            averages.push(array);
        }
        Ok(Some(averages))
    }

    /// Takes groups, counts and state arrays over; changes nothing where something is wrong with them.
    fn load(
        &mut self,
        groups: Vec<Config>,
        memories: &[Bound<'_, PyDict>],
        counts: Counts,
        state: &Bound<'_, PyDict>,
    ) -> PyResult<()> {
        let group_of: Vec<_> = (0..self.arrays.len()).map(|tensor| self.optimizer.group_of(tensor)).collect();
        let mut loaded = Optimizer::with_groups(groups, &self.arrays.sizes(), &group_of)?;
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
                return Err(
                    Error::value(place, "something else", format!("a list of {} arrays", self.arrays.len())).into()
                );
            };
            for (tensor, array) in arrays.iter().enumerate() {
                let range = loaded.range(tensor);
                self.arrays.read_like(tensor, array.as_borrowed(), &mut loaded.slots_mut()[slot][range])?;
            }
        }
        for (group, memory) in memories.iter().enumerate() {
            let names: Vec<_> = loaded.memory(group).map(|(name, _)| name).collect();
            for (name, number) in names.into_iter().zip(loaded.memory_mut(group)) {
                let place = format!("state_dict[\"memory\"][{group}]");
                let saved = memory.get_item(name)?.and_then(|saved| saved.extract().ok());
                *number = saved.ok_or_else(|| Error::value(place, memory, format!("numbers, {name:?} among them")))?;
            }
        }
        loaded.set_matrices(&self.arrays.matrices());
        loaded.set_counts(counts.steps, counts.skipped);
        loaded.set_gathered(counts.gathered);
        self.optimizer = loaded;
        Ok(())
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
        let mut recipe = Config::new(&rule, Convention::from_name(convention)?)?;
        if let Some(lr) = lr {
            recipe = recipe.with_schedule(schedule_of(lr)?);
        }
        for (name, value) in options.into_iter().flatten() {
            set_option(&mut recipe, &name.extract::<String>()?, &value)?;
        }
        let bound = params.map(|params| bind(&recipe, params)).transpose()?;
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
        let recipe = slf.borrow().config().clone();
        let bound = Some(bind(&recipe, params)?);
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
    ///     The gradients, in the structure of `params`: same shapes, same dtypes, any memory layout.
    ///
    /// Raises
    /// ------
    /// TypeError, ValueError
    ///     If structure, dtype or shape of a gradient is not that of its parameter.
    /// NonFiniteError
    ///     If a gradient has NaN or infinity in it and ``nonfinite="raise"``.
    fn step(&mut self, grads: &Bound<'_, PyAny>) -> PyResult<()> {
        let Binding { structure, engine } = self.bound_mut()?;
        with_work!(engine, work => work.step(structure, grads))
    }

    /// float: The learning rate of the next step, of the first group; setting it sets a constant in every group.
    #[getter]
    fn lr(&self) -> PyResult<f64> {
        self.lr_of(0)
    }

    #[setter]
    fn set_lr(&mut self, lr: &Bound<'_, PyAny>) -> PyResult<()> {
        let schedule = schedule_of(lr)?;
        for group in 0..self.groups().len() {
            self.set_group(group, self.groups()[group].clone().with_schedule(schedule.clone()));
        }
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
        (0..count).map(|index| ParamGroup { optimizer: slf.clone().unbind(), index }).collect()
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
        let Binding { structure, engine } = self.bound_ref()?;
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
    ///     step, with `accumulate`) and ``memory`` (for each group the numbers that its rule remembers).
    fn state_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let groups = PyList::empty(py);
        for config in self.groups() {
            let group = PyDict::new(py);
            group.set_item("lr", config.schedule().as_constant())?;
            for (option, value) in config.options().iter() {
                group.set_item(option.name, to_python(py, value)?)?;
            }
            groups.append(group)?;
        }
        let dict = PyDict::new(py);
        dict.set_item("optimizer", self.recipe.spec().name)?;
        dict.set_item("step_count", self.step_count())?;
        dict.set_item("skipped_steps", self.skipped_steps())?;
        dict.set_item("param_groups", groups)?;
        let engine = &self.bound_ref()?.engine;
        let counts = with_work!(engine, work => work.optimizer.counts());
        dict.set_item("gathered", counts.gathered)?;
        let memories = PyList::empty(py);
        for group in 0..self.groups().len() {
            let memory = PyDict::new(py);
            with_work!(engine, work => work.optimizer.memory(group).try_for_each(|(name, x)| memory.set_item(name, x)))?;
            memories.append(memory)?;
        }
        dict.set_item("memory", memories)?;
        dict.set_item("state", with_work!(engine, work => work.state(py))?)?;
        Ok(dict)
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
        let part = |name: &str| {
            state_dict.get_item(name)?.ok_or_else(|| PyValueError::new_err(format!("state_dict must have {name:?}")))
        };
        let (name, saved) = (self.recipe.spec().name, part("optimizer")?.extract::<String>()?);
        if saved != name {
            return Err(Error::value("state_dict[\"optimizer\"]", format!("{saved:?}"), format!("{name:?}")).into());
        }
        let saved: Vec<Bound<'_, PyDict>> = part("param_groups")?.extract()?;
        if saved.len() != self.groups().len() {
            let expected = format!("{} groups", self.groups().len());
            return Err(
                Error::value("state_dict[\"param_groups\"]", format!("{} groups", saved.len()), expected).into()
            );
        }
        let mut groups = vec![];
        for (config, saved) in self.groups().iter().zip(&saved) {
            let mut config = config.clone();
            for (name, value) in saved {
                match name.extract::<String>()?.as_str() {
                    "lr" if value.is_none() => (),
                    "lr" => config = config.with_schedule(schedule_of(&value)?),
                    name => set_option(&mut config, name, &value)?,
                }
            }
            groups.push(config);
        }
        let counts = Counts {
            steps: part("step_count")?.extract()?,
            skipped: part("skipped_steps")?.extract()?,
            gathered: part("gathered")?.extract()?,
        };
        let memories: Vec<Bound<'_, PyDict>> = part("memory")?.extract()?;
        if memories.len() != groups.len() {
            let expected = format!("{} groups", groups.len());
            return Err(Error::value("state_dict[\"memory\"]", format!("{} groups", memories.len()), expected).into());
        }
        let state: Bound<'_, PyDict> = part("state")?.extract()?;
        with_work!(&mut self.bound_mut()?.engine, work => work.load(groups, &memories, counts, &state))
    }

    fn __repr__(&self) -> PyResult<String> {
        let spec = self.recipe.spec();
        let config = &self.groups()[0];
        let convention = config.options().convention();
        let lr = config.schedule().as_constant().map_or("<schedule>".to_owned(), |lr| format!("{lr:?}"));
        let mut text = format!("{}(lr={lr}", spec.name);
        for (option, value) in config.options().iter() {
            if value != option.defaults[convention as usize] {
                text += &format!(", {}={value}", option.name);
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

    fn bound_ref(&self) -> PyResult<&Binding> {
        self.bound.as_ref().ok_or_else(unbound)
    }

    fn bound_mut(&mut self) -> PyResult<&mut Binding> {
        self.bound.as_mut().ok_or_else(unbound)
    }

    fn groups(&self) -> &[Config] {
        match &self.bound {
            Some(bound) => with_work!(&bound.engine, work => work.optimizer.groups()),
            None => std::slice::from_ref(&self.recipe),
        }
    }

    fn set_group(&mut self, index: usize, config: Config) {
        match &mut self.bound {
            Some(bound) => with_work!(&mut bound.engine, work => work.optimizer.set_group(index, config)),
            None => self.recipe = config,
        }
    }

    fn lr_of(&self, group: usize) -> PyResult<f64> {
        Ok(match &self.bound {
            Some(bound) => with_work!(&bound.engine, work => work.optimizer.lr(group))?,
            None => self.recipe.schedule().value(0.0)?,
        })
    }
}

/// NumPy makes scalars of arrays without axes wherever it can: they are gradients of such arrays.
#[cold]
fn from_scalar<'py>(gradient: Borrowed<'_, 'py, PyAny>, is_number: bool) -> PyResult<Bound<'py, PyAny>> {
    let numpy = gradient.py().import("numpy")?;
    match is_number && gradient.is_instance(&numpy.getattr("generic")?)? {
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

/// One group's options, live.
#[pyclass(module = "schuss", mapping, frozen)]
pub struct ParamGroup {
    optimizer: Py<PyOptimizer>,
    index: usize,
}

#[pymethods]
impl ParamGroup {
    fn __getitem__<'py>(&self, py: Python<'py>, key: &str) -> PyResult<Bound<'py, PyAny>> {
        let optimizer = self.optimizer.borrow(py);
        match key {
            "lr" => Ok(optimizer.lr_of(self.index)?.into_pyobject(py)?.into_any()),
            "params" => Ok(self.params(py, &optimizer)?.into_any()),
            _ => {
                let found = optimizer.groups()[self.index].options().iter().find(|(option, _)| option.name == key);
                found.map_or_else(|| Err(PyKeyError::new_err(key.to_owned())), |(_, value)| to_python(py, value))
            }
        }
    }

    fn __setitem__(&self, key: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let mut optimizer = self.optimizer.borrow_mut(value.py());
        let mut config = optimizer.groups()[self.index].clone();
        match key {
            "lr" => config = config.with_schedule(schedule_of(value)?),
            "params" => {
                return Err(PyValueError::new_err("params of a group cannot be replaced: make a new optimizer"));
            }
            _ => set_option(&mut config, key, value)?,
        }
        optimizer.set_group(self.index, config);
        Ok(())
    }

    /// The keys: "params", "lr" and the options.
    fn keys(&self, py: Python<'_>) -> Vec<&'static str> {
        let optimizer = self.optimizer.borrow(py);
        let options = optimizer.groups()[self.index].options().iter().map(|(option, _)| option.name);
        ["params", "lr"].into_iter().chain(options).collect()
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(self.keys(py).into_pyobject(py)?.try_iter()?.into_any())
    }

    fn __len__(&self, py: Python<'_>) -> usize {
        self.keys(py).len()
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let mut items = vec![];
        for key in self.keys(py).into_iter().filter(|key| *key != "params") {
            items.push(format!("{key:?}: {}", self.__getitem__(py, key)?.repr()?));
        }
        Ok(format!("ParamGroup({{{}}})", items.join(", ")))
    }
}

impl ParamGroup {
    fn params<'py>(&self, py: Python<'py>, optimizer: &PyOptimizer) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        if let Some(bound) = &optimizer.bound {
            with_work!(&bound.engine, work => {
                for tensor in (0..work.arrays.len()).filter(|tensor| work.optimizer.group_of(*tensor) == self.index) {
                    list.append(work.arrays.array(py, tensor))?;
                }
            });
        }
        Ok(list)
    }
}

/// Binds a recipe to an array, a structure of arrays, or a list of groups.
fn bind(recipe: &Config, params: &Bound<'_, PyAny>) -> PyResult<Binding> {
    let mut leaves: Vec<Placed<'_>> = vec![];
    let (mut configs, mut group_of) = (vec![], vec![]);
    let structure = match groups_of(params)? {
        None => {
            let structure = Structure::of(params, "", &mut leaves)?;
            configs.push(recipe.clone());
            group_of.resize(leaves.len(), 0);
            structure
        }
        Some(groups) => {
            let mut structures = vec![];
            for (index, group) in groups.iter().enumerate() {
                let mut config = recipe.clone();
                for item in group.items()?.iter() {
                    let (name, value): (String, Bound<'_, PyAny>) = item.extract()?;
                    match name.as_str() {
                        "params" => structures.push(Structure::of(&value, &format!("[{index}]"), &mut leaves)?),
                        "lr" => config = config.with_schedule(schedule_of(&value)?),
                        "clip_norm" | "clip_tensor_norm" | "clip_eps" | "nonfinite" | "accumulate" => {
                            let message = format!("{name} is about all groups together: give it to the optimizer");
                            return Err(PyValueError::new_err(message));
                        }
                        name => set_option(&mut config, name, &value)?,
                    }
                }
                configs.push(config);
                group_of.resize(leaves.len(), index);
            }
            Structure::Sequence(structures)
        }
    };
    let Some((first, path)) = leaves.first() else {
        return Err(Error::value("params", "no array", "at least one array").into());
    };
    let element = element(first.as_borrowed(), &format!("params{path}"))?;
    let engine = match element {
        Element::F32 => Engine::Single(Work::new(configs, &group_of, &leaves, element)?),
        Element::F64 => Engine::Double(Work::new(configs, &group_of, &leaves, element)?),
    };
    Ok(Binding { structure, engine })
}

/// The groups, where `params` is a sequence of mappings with a "params" in each.
fn groups_of<'py>(params: &Bound<'py, PyAny>) -> PyResult<Option<Vec<Bound<'py, PyMapping>>>> {
    let Ok(sequence) = params.cast::<PySequence>() else { return Ok(None) };
    let mut groups = vec![];
    for item in sequence.try_iter()? {
        match item?.cast_into::<PyMapping>() {
            Ok(mapping) if mapping.contains("params")? => groups.push(mapping),
            _ => return Ok(None),
        }
    }
    Ok((!groups.is_empty()).then_some(groups))
}

fn set_option(config: &mut Config, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
    let option = config.options().option(name)?;
    Ok(config.set(name, from_python(&option, value)?)?)
}

/// An option's value; its range is not looked at.
fn from_python(option: &Opt, value: &Bound<'_, PyAny>) -> PyResult<Value> {
    let is_bool = value.is_instance_of::<PyBool>();
    let number = |value: Borrowed<'_, '_, PyAny>| value.extract::<f64>().ok();
    let parsed = match option.kind {
        Kind::OptionalNumber(_) if value.is_none() => Some(Value::Nothing),
        Kind::Number(_) | Kind::OptionalNumber(_) if !is_bool => number(value.as_borrowed()).map(Value::Number),
        Kind::Flag => value.extract().ok().map(Value::Flag),
        Kind::Choice(_) => match value.extract::<String>() {
            Ok(name) => Some(option.chosen(&name)?),
            Err(_) => None,
        },
        Kind::Pair(_) => value.extract::<[f64; 2]>().ok().map(|[a, b]| Value::Pair(a, b)),
        _ => None,
    };
    match parsed {
        Some(parsed) => Ok(parsed),
        None => Err(Error::type_(option.name, value.repr()?, option.accepted()).into()),
    }
}

fn to_python(py: Python<'_>, value: Value) -> PyResult<Bound<'_, PyAny>> {
    Ok(match value {
        Value::Number(x) => x.into_pyobject(py)?.into_any(),
        Value::Flag(on) => on.into_pyobject(py)?.to_owned().into_any(),
        Value::Choice(name) => name.into_pyobject(py)?.into_any(),
        Value::Pair(a, b) => (a, b).into_pyobject(py)?.into_any(),
        Value::Nothing => py.None().into_bound(py),
    })
}

/// The tables of all optimizer classes, as dicts; each default is a tuple, one for each of `conventions`.
#[pyfunction]
fn rules(py: Python<'_>) -> PyResult<Bound<'_, PyList>> {
    let rules = PyList::empty(py);
    for spec in SPECS {
        let options = PyList::empty(py);
        for option in spec.all_options() {
            let entry = PyDict::new(py);
            let kind = match option.kind {
                Kind::Number(_) => "float".to_owned(),
                Kind::OptionalNumber(_) => "float or None".to_owned(),
                Kind::Flag => "bool".to_owned(),
                Kind::Choice(names) => one_of(names),
                Kind::Pair(_) => "(float, float)".to_owned(),
            };
            let range = match option.kind {
                Kind::Number(range) | Kind::OptionalNumber(range) | Kind::Pair(range) => range.to_string(),
                _ => String::new(),
            };
            let defaults = option.defaults.map(|value| to_python(py, value));
            entry.set_item("name", option.name)?;
            entry.set_item("type", kind)?;
            entry.set_item("range", range)?;
            entry.set_item("defaults", defaults.into_iter().collect::<PyResult<Vec<_>>>()?)?;
            entry.set_item("doc", option.doc)?;
            options.append(entry)?;
        }
        let rule = PyDict::new(py);
        rule.set_item("name", spec.name)?;
        rule.set_item("summary", spec.summary)?;
        rule.set_item("notes", spec.notes)?;
        rule.set_item("reference", spec.reference)?;
        rule.set_item("lr", spec.lr)?;
        rule.set_item("options", options)?;
        rules.append(rule)?;
    }
    Ok(rules)
}

/// Replaces each value by the exponentially weighted average up to it; see `schuss.ewa`.
#[pyfunction]
fn ewa_in_place(mut series: numpy::PyReadwriteArray1<'_, f64>, beta: f64, bias_correction: bool) -> PyResult<()> {
    Ok(ewa::in_place(series.as_slice_mut()?, beta, bias_correction)?)
}
