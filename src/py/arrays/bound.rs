//! The arrays of one optimizer: parameters that it keeps, gradients that it is lent for a step.

use pyo3::Borrowed;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::check::unmasked;
use super::fields::Element;
use super::overlap::Extents;
use super::param::{Param, equal};
use super::pins::Pins;
use super::row_gradient::RowGradient;
use super::row_pair::row_gradient;
use super::views::Views;
use super::walk::Walk;
use crate::buffer::filled;
use crate::error::Result;
use crate::scalar::Scalar;

/// The parameters of an optimizer, all computed with in `T`, and the gradients of the step that is being made.
pub struct Arrays<T> {
    params: Vec<Param>,
    /// One for each parameter.
    grads: Vec<Walk>,
    /// Where each tensor begins among all elements, then their number.
    offsets: Vec<usize>,
    /// Whether some parameters are of `float16`.
    narrow: bool,
    /// The addresses that parameters take.
    extents: Extents,
    /// Copies of gradients that share memory with parameters.
    copies: Vec<Vec<T>>,
    /// For each parameter its gradient, where that has only some rows; empty where none has.
    rows: Vec<Option<RowGradient<T>>>,
    /// Where each tensor's gradients begin among all gradients, then their number; as `offsets`, where no rows are left out.
    positions: Vec<usize>,
}

// SAFETY: the pointers are only followed while the interpreter is attached or through `Views`, which has its own contract.
unsafe impl<T: Send> Send for Arrays<T> {}
// SAFETY: as above; shared references only read the pointers.
unsafe impl<T: Sync> Sync for Arrays<T> {}

impl<T: Scalar> Arrays<T> {
    /// Binds arrays, each with its place in the caller's structure. Refuses arrays that share memory. Those that are read-only
    /// are refused by [`Self::verify`].
    pub fn bind(arrays: &[(Bound<'_, PyAny>, String)]) -> PyResult<Self> {
        let bind = |(array, path): &(Bound<'_, PyAny>, String)| Param::bind(array, path.clone(), T::NAME);
        let params = arrays.iter().map(bind).collect::<Result<Vec<_>>>()?;
        let mut offsets = vec![0];
        for param in &params {
            let len: usize = param.shape.iter().map(|&n| n as usize).product();
            offsets.push(offsets[offsets.len() - 1] + len * param.element.parts());
        }
        let extents = Extents::disjoint(arrays)?;
        let grads = vec![Walk::empty(); params.len()];
        let narrow = params.iter().any(|param| param.element == Element::F16);
        Ok(Arrays { params, grads, offsets, narrow, extents, copies: vec![], rows: vec![], positions: vec![] })
    }

    /// Number of arrays.
    pub fn len(&self) -> usize {
        self.params.len()
    }

    /// The dtype of an array's state.
    pub fn state_dtype(&self, index: usize) -> &'static str {
        self.params[index].element.of_state().name()
    }

    /// The real numbers that each array is made of.
    pub fn sizes(&self) -> Vec<usize> {
        self.offsets.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    /// Whether these numbers are an array's: as many, at its address and in its order.
    pub fn is_at(&self, index: usize, numbers: &[T]) -> bool {
        let start = self.params[index].walk.contiguous();
        self.offsets[index + 1] - self.offsets[index] == numbers.len()
            && start.is_some_and(|start| start.addr() == numbers.as_ptr().addr())
    }

    /// Whether an array has no axes.
    pub fn is_number(&self, index: usize) -> bool {
        self.params[index].shape.is_empty()
    }

    /// The shape that an array had when it was bound.
    pub fn shape<'py>(&self, py: Python<'py>, index: usize) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.params[index].shape)
    }

    /// Whether each array has two or more axes.
    pub fn matrices(&self) -> Vec<bool> {
        self.params.iter().map(|param| param.shape.len() >= 2).collect()
    }

    /// Reads a parameter, in the order of its state.
    pub fn read_param(&self, py: Python<'_>, index: usize, to: &mut [T]) -> Result<()> {
        self.params[index].verify_layout(py)?;
        // SAFETY: the parameter is what it was when it was bound, and the interpreter is attached.
        unsafe { self.params[index].walk.read(0, to) };
        Ok(())
    }

    /// The array itself.
    pub fn array<'py>(&self, py: Python<'py>, index: usize) -> &Bound<'py, PyAny> {
        self.params[index].array.bind(py)
    }

    /// Forgets the gradients of the last step.
    #[inline]
    pub fn begin(&mut self) {
        self.copies.clear();
        self.rows.clear();
    }

    /// Refuses parameters that are no longer what they were, or that may not be written.
    #[inline]
    pub fn verify(&self, py: Python<'_>) -> Result<()> {
        self.params.iter().try_for_each(|param| param.verify(py))
    }

    /// Whether a parameter's gradient for this step is one of some rows, which has been taken already.
    #[inline]
    pub fn has_rows(&self, index: usize) -> bool {
        self.rows.get(index).is_some_and(Option::is_some)
    }

    /// Takes a parameter's gradient for this step. No Python runs, unless it is refused.
    #[inline]
    pub fn set_gradient(&mut self, index: usize, gradient: Borrowed<'_, '_, PyAny>) -> Result<()> {
        let param = &self.params[index];
        let Some(fields) = unmasked(gradient) else { return Err(param.refuse_gradient(gradient)) };
        let element = match param.has_descr(fields) {
            true => Some(param.element),
            false => fields.element().filter(|&element| param.element.takes(element)),
        };
        let Some(element) = element.filter(|_| equal(fields.shape(), &param.shape)) else {
            return Err(param.refuse_gradient(gradient));
        };
        let walk = &mut self.grads[index];
        let same_order = param.c_contiguous && fields.c_contiguous() || param.f_contiguous && fields.f_contiguous();
        let extent = if same_order && fields.aligned() && element != Element::F16 {
            walk.set_contiguous(fields.data());
            let start = fields.data() as usize;
            (start, start + (self.offsets[index + 1] - self.offsets[index]) * size_of::<T>())
        } else {
            walk.set(fields, &param.order, element);
            fields.extent(element)
        };
        if self.extents.touch(extent) {
            return self.copy_gradient(index);
        }
        Ok(())
    }

    /// Takes a gradient of some rows for this step: a pair of an array of their indices along axis 0, and one of their
    /// gradients. They are copied, in which Python may run.
    pub fn set_rows(&mut self, index: usize, pair: &Bound<'_, PyTuple>) -> PyResult<()> {
        let gradient = row_gradient(&self.params[index], pair)?;
        self.rows.resize_with(self.params.len(), || None);
        self.rows[index] = Some(gradient);
        Ok(())
    }

    /// Fixes where each tensor's gradients are among all, now that those of some rows are set; gives their number.
    #[inline]
    pub fn place_gradients(&mut self) -> usize {
        if !self.rows.is_empty() {
            self.positions.clear();
            self.positions.push(0);
            for (rows, bounds) in self.rows.iter().zip(self.offsets.windows(2)) {
                let len = rows.as_ref().map_or(bounds[1] - bounds[0], |rows| rows.values().len());
                self.positions.push(self.positions[self.positions.len() - 1] + len);
            }
        }
        let positions = if self.rows.is_empty() { &self.offsets } else { &self.positions };
        positions[positions.len() - 1]
    }

    /// A gradient that shares memory with parameters is what it was before the step.
    #[cold]
    fn copy_gradient(&mut self, index: usize) -> Result<()> {
        let len = self.offsets[index + 1] - self.offsets[index];
        let mut copy = filled(T::ZERO, len, "a copy of a gradient that shares memory with parameters")?;
        // SAFETY: the gradient has the parameter's shape and dtype and was set in this step.
        unsafe { self.grads[index].read(0, &mut copy) };
        self.grads[index].set_contiguous(copy.as_mut_ptr().cast());
        self.copies.push(copy);
        Ok(())
    }

    /// Parameters and gradients, for the core.
    ///
    /// # Safety
    /// Since `begin`, `set_rows` must have succeeded for some arrays, then `place_gradients` and `verify`, then `set_gradient`
    /// for all others. Between `verify` and the end of the views no Python may run in this thread; every gradient must be kept
    /// alive, and nobody may write to gradients or touch parameters.
    pub unsafe fn views(&mut self) -> Views<'_, T> {
        let Arrays { params, grads, offsets, narrow, rows, positions, .. } = &*self;
        Views::new(params, grads, rows, offsets, if rows.is_empty() { offsets } else { positions }, *narrow)
    }

    /// Has NumPy refuse to resize parameters and gradients for as long as the pins are there.
    pub fn pin(&self, py: Python<'_>, gradients: &[Py<PyAny>]) -> PyResult<Pins> {
        let mut pins = Pins::default();
        self.params.iter().try_for_each(|param| pins.add(param.array.bind(py)))?;
        gradients.iter().try_for_each(|gradient| pins.add(gradient.bind(py)))?;
        Ok(pins)
    }

    /// All Python objects that it holds, for the garbage collector.
    pub fn objects(&self) -> impl Iterator<Item = &Py<PyAny>> {
        self.params.iter().map(|param| &param.array)
    }

    /// All parameters, in their order.
    pub fn all<'py>(&self, py: Python<'py>) -> Vec<Bound<'py, PyAny>> {
        (0..self.len()).map(|index| self.array(py, index).clone()).collect()
    }

    /// Reads an array of the shape and dtype of a parameter, in the order of its state.
    pub fn read_like(
        &self,
        index: usize,
        array: Borrowed<'_, '_, PyAny>,
        place: &dyn Fn() -> String,
        to: &mut [T],
    ) -> Result<()> {
        let param = &self.params[index];
        let Some((fields, element)) = param.accepted(array) else { return Err(param.refuse(array, place())) };
        assert_eq!(to.len(), fields.len() * element.parts());
        let mut walk = Walk::empty();
        walk.set(fields, &param.order, element);
        // SAFETY: shape and dtype are right, and the interpreter is attached, so the array stays.
        unsafe { walk.read(0, to) };
        Ok(())
    }

    /// Writes state to an array of the shape and dtype of a parameter.
    pub fn write_like(&self, index: usize, array: Borrowed<'_, '_, PyAny>, values: &[T]) -> Result<()> {
        let param = &self.params[index];
        let Some((fields, element)) = param.accepted(array).filter(|(fields, _)| fields.writeable()) else {
            return Err(param.refuse(array, "an array of state".into()));
        };
        let mut walk = Walk::empty();
        walk.set(fields, &param.order, element);
        assert_eq!(values.len(), fields.len() * element.parts());
        // SAFETY: shape and dtype are right, and the interpreter is attached.
        unsafe { walk.write(0, values) };
        Ok(())
    }
}
