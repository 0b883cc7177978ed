//! L-BFGS: the recipe that users make, and the core at work for whoever evaluates the function.

use ndarray::ArrayView1;
use numpy::{PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};

use super::arguments::Given;
use super::arrays::new::{vector, zeros};
use super::precision::{Dtype, Either, Precision, dispatch};
use crate::buffer::with_capacity;
use crate::error::Error;
use crate::optim::lbfgs::{Lbfgs, Progress, Reason, Settings, State, Wolfe};

/// Adds everything of this module to the extension.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyLbfgs>()?;
    module.add_class::<LbfgsRun>()
}

/// Limited-memory BFGS with a strong Wolfe line search: the recipe for smooth functions whose gradient is exact.
///
/// It chooses its own steps, so it has no learning rate and no `step`: it works in `minimize`, `MLP.fit` and the
/// estimators, which let it evaluate the function several times per step. With H the inverse curvature that the last `history_size` steps describe::
///
///     p <- p - a * H g
///     f(p - a H g) <= f(p) - c1 * a * g.Hg        # sufficient decrease
///     abs(g(p - a H g).Hg) <= c2 * g.Hg           # curvature
///
/// A probe whose value or gradient is not finite is a step that was too long: the line search turns back. Where no
/// lower point is found the curvature is forgotten, and the search starts again along the gradient.
///
/// Parameters
/// ----------
/// history_size : int, default 10
///     How many past steps describe the curvature; each keeps two vectors as long as the parameters.
/// tolerance_grad : float, default 1e-8
///     Converged when no component of the gradient is larger than this in magnitude.
/// tolerance_change : float, default 1e-14
///     Converged when a step lowers the function by no more than this, relative to its value.
/// max_line_search : int, default 25
///     The most evaluations in one line search.
/// c1 : float, default 1e-4
///     Sufficient decrease, between 0 and `c2`.
/// c2 : float, default 0.9
///     Curvature, between `c1` and 1.
///
/// Raises
/// ------
/// TypeError, ValueError
///     If a parameter is no number, or out of its range.
///
/// References
/// ----------
/// Nocedal, Updating quasi-Newton matrices with limited storage (1980); Nocedal and Wright, Numerical optimization
/// (2006), algorithms 3.5, 3.6, 7.4 and 7.5.
///
/// Examples
/// --------
/// >>> import numpy as np, schuss as sc
/// >>> result = sc.minimize(lambda x: np.cosh(x - 2).sum(), np.zeros(3), jac=lambda x: np.sinh(x - 2), optimizer=sc.LBFGS())
/// >>> result.x.round(6)
/// array([2., 2., 2.])
#[pyclass(name = "LBFGS", module = "schuss", frozen, eq)]
#[derive(PartialEq)]
pub struct PyLbfgs {
    settings: Settings,
}

#[pymethods]
impl PyLbfgs {
    #[new]
    #[pyo3(
        signature = (history_size=Given::Default, tolerance_grad=Given::Default, tolerance_change=Given::Default,
                     max_line_search=Given::Default, c1=Given::Default, c2=Given::Default),
        text_signature = "(history_size=10, tolerance_grad=1e-8, tolerance_change=1e-14, max_line_search=25, c1=0.0001, c2=0.9)"
    )]
    fn new(
        py: Python<'_>,
        history_size: Given,
        tolerance_grad: Given,
        tolerance_change: Given,
        max_line_search: Given,
        c1: Given,
        c2: Given,
    ) -> PyResult<Self> {
        let Settings { history_size: size, tolerance_grad: grad, tolerance_change: change, wolfe } =
            Settings::default();
        let settings = Settings {
            history_size: history_size.count(py, "history_size", size).map_err(|error| no_parameters(py, error))?,
            tolerance_grad: tolerance_grad.number(py, "tolerance_grad", grad)?,
            tolerance_change: tolerance_change.number(py, "tolerance_change", change)?,
            wolfe: Wolfe {
                c1: c1.number(py, "c1", wolfe.c1)?,
                c2: c2.number(py, "c2", wolfe.c2)?,
                max_probes: max_line_search.count(py, "max_line_search", wolfe.max_probes)?,
            },
        };
        settings.check()?;
        Ok(PyLbfgs { settings })
    }

    /// int: How many past steps describe the curvature.
    #[getter]
    fn history_size(&self) -> usize {
        self.settings.history_size
    }

    /// float: Largest gradient component at which it has converged.
    #[getter]
    fn tolerance_grad(&self) -> f64 {
        self.settings.tolerance_grad
    }

    /// float: Smallest relative decrease that is worth another step.
    #[getter]
    fn tolerance_change(&self) -> f64 {
        self.settings.tolerance_change
    }

    /// int: The most evaluations in one line search.
    #[getter]
    fn max_line_search(&self) -> usize {
        self.settings.wolfe.max_probes
    }

    /// float: The constant of sufficient decrease.
    #[getter]
    fn c1(&self) -> f64 {
        self.settings.wolfe.c1
    }

    /// float: The constant of the curvature condition.
    #[getter]
    fn c2(&self) -> f64 {
        self.settings.wolfe.c2
    }

    fn __repr__(&self) -> String {
        let Settings { history_size, tolerance_grad, tolerance_change, wolfe: Wolfe { c1, c2, max_probes } } =
            self.settings;
        format!(
            "LBFGS(history_size={history_size}, tolerance_grad={tolerance_grad:?}, tolerance_change={tolerance_change:?}, \
             max_line_search={max_probes}, c1={c1:?}, c2={c2:?})"
        )
    }

    fn __hash__(slf: &Bound<'_, Self>) -> PyResult<isize> {
        slf.get().arguments().into_pyobject(slf.py())?.hash()
    }

    /// For copies and pickles, and for savers that ask for nothing else.
    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> (Bound<'py, PyType>, Arguments) {
        (slf.get_type(), slf.get().arguments())
    }
}

/// What a recipe is made of, in the order of its arguments.
type Arguments = (usize, f64, f64, usize, f64, f64);

impl PyLbfgs {
    fn arguments(&self) -> Arguments {
        let Settings { history_size, tolerance_grad, tolerance_change, wolfe: Wolfe { c1, c2, max_probes } } =
            self.settings;
        (history_size, tolerance_grad, tolerance_change, max_probes, c1, c2)
    }
}

/// One minimisation under way: evaluate at `point`, `tell` the result, until it stops.
#[pyclass(module = "schuss")]
pub struct LbfgsRun(Either<Lbfgs<f32>, Lbfgs<f64>>);

#[pymethods]
impl LbfgsRun {
    /// Starts `recipe` at `x`, a vector of float32 or float64.
    #[new]
    fn new(recipe: &PyLbfgs, x: &Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(LbfgsRun(match Dtype::of(x) {
            Either::Single(()) => Either::Single(Lbfgs::new(recipe.settings, numbers(x)?)?),
            Either::Double(()) => Either::Double(Lbfgs::new(recipe.settings, numbers(x)?)?),
        }))
    }

    /// Goes on from a `state`.
    #[staticmethod]
    fn resume(recipe: &PyLbfgs, state: &Bound<'_, PyDict>) -> PyResult<Self> {
        let x = entry(state, "x")?;
        Ok(LbfgsRun(match Dtype::of(&x) {
            Either::Single(()) => Either::Single(Lbfgs::resume(recipe.settings, read_state(state)?)?),
            Either::Double(()) => Either::Double(Lbfgs::resume(recipe.settings, read_state(state)?)?),
        }))
    }

    /// What is known at the best point, a dict of new arrays; None before the start has been evaluated.
    #[getter]
    fn state<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        dispatch!(&self.0, run => run.state()?.map(|state| write_state(py, &state)).transpose())
    }

    /// Where to evaluate next: a new array.
    #[getter]
    fn point<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        dispatch!(&self.0, run => Ok(vector(py, run.point())?.into_any()))
    }

    /// Takes in value and gradient at `point`. Returns "searching", "stepped" (`point` before this call is the new best),
    /// or why it stopped: "gradient", "change", "no_descent", "not_finite".
    fn tell(&mut self, value: f64, gradient: &Bound<'_, PyAny>) -> PyResult<&'static str> {
        dispatch!(&mut self.0, run => tell(run, value, &numbers(gradient)?))
    }

    /// The best point so far with its value and gradient: (x, value, gradient), new arrays.
    #[getter]
    fn best<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, f64, Bound<'py, PyAny>)> {
        dispatch!(&self.0, run => {
            let array = |from| PyResult::Ok(vector(py, from)?.into_any());
            Ok((array(run.x())?, run.value(), array(run.gradient())?))
        })
    }
}

/// What errors call its memory.
const WHAT: &str = "the search by L-BFGS";
/// The same error, for those who give it parameters as the other optimizers take them.
fn no_parameters(py: Python<'_>, error: PyErr) -> PyErr {
    if !error.is_instance_of::<PyTypeError>(py) {
        return error;
    }
    let hint = "LBFGS is a recipe for minimize, MLP.fit and the estimators, and takes no parameters";
    PyTypeError::new_err(format!("{}: {hint}", error.value(py)))
}

/// The numbers of a vector.
fn numbers<T: Precision>(array: &Bound<'_, PyAny>) -> PyResult<Vec<T>> {
    let array = array.extract::<PyReadonlyArray1<'_, T>>()?;
    let mut numbers = with_capacity(array.len()?, WHAT)?;
    numbers.extend(array.as_array());
    Ok(numbers)
}

fn write_state<'py, T: Precision>(py: Python<'py>, state: &State<T>) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("x", vector(py, &state.x)?)?;
    dict.set_item("value", state.value)?;
    dict.set_item("gradient", vector(py, &state.gradient)?)?;
    for (name, rows) in [("steps", &state.steps), ("changes", &state.changes)] {
        let matrix = zeros::<T>(py, (rows.len(), state.x.len()))?;
        for (to, from) in matrix.readwrite().as_array_mut().rows_mut().into_iter().zip(rows) {
            to.into_iter().zip(from).for_each(|(to, &from)| *to = from);
        }
        dict.set_item(name, matrix)?;
    }
    Ok(dict)
}

fn read_state<T: Precision>(dict: &Bound<'_, PyDict>) -> PyResult<State<T>> {
    let rows = |name| -> PyResult<Vec<Vec<T>>> {
        let matrix = entry(dict, name)?;
        let matrix = matrix.extract::<PyReadonlyArray2<'_, T>>()?;
        let copied = |row: ArrayView1<'_, T>| {
            let mut numbers = with_capacity(row.len(), WHAT)?;
            numbers.extend(row);
            Ok(numbers)
        };
        matrix.as_array().rows().into_iter().map(copied).collect()
    };
    let (x, gradient) = (numbers::<T>(&entry(dict, "x")?)?, numbers(&entry(dict, "gradient")?)?);
    let (steps, changes) = (rows("steps")?, rows("changes")?);
    let lengths = steps.iter().chain(&changes).chain([&gradient]).map(Vec::len);
    if steps.len() != changes.len() || !lengths.into_iter().all(|len| len == x.len()) {
        return Err(Error::value("state", "arrays of other shapes", format!("of {} parameters", x.len())).into());
    }
    Ok(State { x, value: entry(dict, "value")?.extract()?, gradient, steps, changes })
}

fn entry<'py>(dict: &Bound<'py, PyDict>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    Ok(dict.get_item(name)?.ok_or_else(|| Error::value("state", dict, format!("a dict with {name:?}")))?)
}

fn tell<T: Precision>(run: &mut Lbfgs<T>, value: f64, gradient: &[T]) -> PyResult<&'static str> {
    let (expected, got) = (run.x().len(), gradient.len());
    if got != expected {
        return Err(Error::value("gradient", got, format!("{expected} numbers")).into());
    }
    Ok(match run.tell(value, gradient)? {
        Progress::Searching => "searching",
        Progress::Stepped => "stepped",
        Progress::Stopped(Reason::Gradient) => "gradient",
        Progress::Stopped(Reason::Change) => "change",
        Progress::Stopped(Reason::NoDescent) => "no_descent",
        Progress::Stopped(Reason::NonFinite) => "not_finite",
    })
}
