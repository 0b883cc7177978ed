//! The arrays of one optimizer: parameters that it keeps, gradients that it is lent for a step.

use std::marker::PhantomData;
use std::ops::Range;

use numpy::PyReadonlyArray1;
use numpy::npyffi::npy_intp;
use numpy::npyffi::objects::PyArray_Descr;
use pyo3::Borrowed;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::fields::{Element, Fields, shape_text};
use super::rows::Rows;
use super::walk::{Order, Walk};
use crate::error::{Error, Result};
use crate::optim::driver::{Gradients, Tensors};
use crate::scalar::Scalar;

/// Elements that are copied at a time where an array's elements do not lie in order.
const CHUNK: usize = 1024;

/// The parameters of an optimizer, all computed with in `T`, and the gradients of the step that is being made.
pub struct Arrays<T> {
    params: Vec<Param>,
    /// One for each parameter.
    grads: Vec<Walk>,
    /// Where each tensor begins among all elements, then their number.
    offsets: Vec<usize>,
    /// The addresses that parameters take, in order and disjoint.
    extents: Vec<(usize, usize)>,
    /// Copies of gradients that share memory with parameters.
    copies: Vec<Vec<T>>,
    /// For each parameter its gradient, where that has only some rows; empty where none has.
    rows: Vec<Option<Rows<T>>>,
    /// Where each tensor's gradients begin among all gradients, then their number; as `offsets`, where no rows are left out.
    positions: Vec<usize>,
}

/// A parameter, with what it was when it was bound.
struct Param {
    array: Py<PyAny>,
    /// Where it is in the caller's structure, for example `[0]["w"]`.
    path: String,
    element: Element,
    data: *mut u8,
    shape: Vec<npy_intp>,
    strides: Vec<npy_intp>,
    descr: *mut PyArray_Descr,
    c_contiguous: bool,
    f_contiguous: bool,
    order: Order,
    walk: Walk,
}

// SAFETY: the pointers are only followed while the interpreter is attached or through `Views`, which has its own contract.
unsafe impl<T: Send> Send for Arrays<T> {}
// SAFETY: as above; shared references only read the pointers.
unsafe impl<T: Sync> Sync for Arrays<T> {}

impl Param {
    /// Refuses what cannot be updated in place.
    fn bind(array: &Bound<'_, PyAny>, path: String, precision: &str) -> Result<Self> {
        let name = format!("params{path}");
        let fields = expect_array(array.as_borrowed(), &name)?;
        let element = element(array.as_borrowed(), &name)?;
        if element.precision() != precision {
            let expected = format!("an array whose numbers are of {precision}, as those of the first one are");
            return Err(Error::type_(name, element.name(), expected));
        }
        let mut walk = Walk::empty();
        let order = Order::of_memory(fields);
        walk.set(fields, &order, element);
        if !fields.writeable() {
            return Err(Error::value(name, "a read-only array", "writable"));
        }
        if walk.may_overlap_itself(element.size()) {
            let got = format!("an array of strides {:?} whose elements may overlap", fields.strides());
            return Err(Error::value(name, got, "an array whose elements have memory of their own"));
        }
        Ok(Param {
            array: array.clone().unbind(),
            path,
            element,
            data: fields.data(),
            shape: fields.shape().to_vec(),
            strides: fields.strides().to_vec(),
            descr: fields.descr(),
            c_contiguous: fields.c_contiguous() && fields.aligned(),
            f_contiguous: fields.f_contiguous() && fields.aligned(),
            order,
            walk,
        })
    }

    /// Refuses a parameter that is no longer what it was when it was bound.
    #[inline]
    fn verify(&self, py: Python<'_>) -> Result<()> {
        let fields = Fields::of_array(self.array.bind_borrowed(py));
        let same = fields.data() == self.data
            && fields.descr() == self.descr
            && equal(fields.shape(), &self.shape)
            && equal(fields.strides(), &self.strides);
        if same && fields.writeable() {
            return Ok(());
        }
        Err(self.changed(if same { "read-only now" } else { "another shape, dtype or memory than then" }))
    }

    #[cold]
    fn changed(&self, got: &str) -> Error {
        Error::value(format!("params{}", self.path), got, "as it was when the optimizer was made")
    }
}

/// Whether two short slices are equal, without the call that `==` makes of it.
#[inline]
fn equal(a: &[npy_intp], b: &[npy_intp]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a == b)
}

fn expect_array<'a>(object: Borrowed<'a, '_, PyAny>, name: &str) -> Result<Fields<'a>> {
    Fields::of(object).ok_or_else(|| {
        let got = object.get_type().qualname().map_or_else(|_| "another object".into(), |name| name.to_string());
        Error::type_(name, got, "a NumPy array")
    })
}

fn expect_element(array: Borrowed<'_, '_, PyAny>, fields: Fields<'_>, name: &str, element: Element) -> Result<()> {
    match fields.element() {
        Some(found) if element.takes(found) => Ok(()),
        _ => Err(Error::type_(name, dtype_text(array), format!("an array of {}", element.name()))),
    }
}

/// The dtype of an array, for an error.
#[cold]
fn dtype_text(array: Borrowed<'_, '_, PyAny>) -> String {
    let dtype = array.getattr("dtype").and_then(|dtype| dtype.str());
    dtype.map_or_else(|_| "another dtype".into(), |dtype| dtype.to_string())
}

/// Whether the object is a NumPy array.
#[inline]
pub fn is_array(object: Borrowed<'_, '_, PyAny>) -> bool {
    Fields::of(object).is_some()
}

/// The dtype of an array that is to be a parameter.
pub fn element(array: Borrowed<'_, '_, PyAny>, name: &str) -> Result<Element> {
    let fields = expect_array(array, name)?;
    fields.element().ok_or_else(|| Error::type_(name, dtype_text(array), Element::ALL))
}

impl<T: Scalar> Arrays<T> {
    /// Binds arrays, each with its place in the caller's structure. Refuses arrays that share memory.
    pub fn bind(arrays: &[(Bound<'_, PyAny>, String)]) -> PyResult<Self> {
        let bind = |(array, path): &(Bound<'_, PyAny>, String)| Param::bind(array, path.clone(), T::NAME);
        let params = arrays.iter().map(bind).collect::<Result<Vec<_>>>()?;
        let mut offsets = vec![0];
        for param in &params {
            let len: usize = param.shape.iter().map(|&n| n as usize).product();
            offsets.push(offsets[offsets.len() - 1] + len * param.element.parts());
        }
        let extents = disjoint_extents(arrays)?;
        let grads = vec![Walk::empty(); params.len()];
        Ok(Arrays { params, grads, offsets, extents, copies: vec![], rows: vec![], positions: vec![] })
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
        self.params[index].verify(py)?;
        // SAFETY: the parameter is what it was when it was bound, and the interpreter is attached.
        unsafe { read(&self.params[index].walk, 0, to) };
        Ok(())
    }

    /// The array itself.
    pub fn array<'py>(&self, py: Python<'py>, index: usize) -> &Bound<'py, PyAny> {
        self.params[index].array.bind(py)
    }

    /// Refuses parameters that are no longer what they were, and forgets the gradients of the last step.
    #[inline]
    pub fn begin(&mut self, py: Python<'_>) -> Result<()> {
        self.copies.clear();
        self.rows.clear();
        self.params.iter().try_for_each(|param| param.verify(py))
    }

    /// Takes a parameter's gradient for this step.
    #[inline]
    pub fn set_gradient(&mut self, index: usize, gradient: Borrowed<'_, '_, PyAny>) -> Result<()> {
        let param = &self.params[index];
        let Some(fields) = Fields::of(gradient) else { return Err(refuse(gradient, param)) };
        let element = match fields.descr() == param.descr {
            true => Some(param.element),
            false => fields.element().filter(|&element| param.element.takes(element)),
        };
        let Some(element) = element.filter(|_| equal(fields.shape(), &param.shape)) else {
            return Err(refuse(gradient, param));
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
        if self.touches_params(extent) {
            self.copy_gradient(index);
        }
        Ok(())
    }

    /// Takes a gradient of some rows for this step: a pair of an array of their indices along axis 0, and one of their
    /// gradients. They are copied.
    pub fn set_rows(&mut self, index: usize, pair: &Bound<'_, PyTuple>) -> PyResult<()> {
        let param = &self.params[index];
        let of = |part: &str| format!("{part} of grads{}", param.path);
        let Some((&len, others)) = param.shape.split_first() else {
            let name = format!("grads{}", param.path);
            return Err(Error::type_(name, "a pair", "a number, as its parameter has no rows").into());
        };
        let Ok((indices, values)) = pair.extract::<(Bound<'_, PyAny>, Bound<'_, PyAny>)>() else {
            let got = format!("a tuple of {}", pair.len());
            return Err(Error::type_(format!("grads{}", param.path), got, "an array, or a pair (rows, values)").into());
        };
        let rows = row_indices(&indices, of("rows"), len)?;
        let values = values.as_borrowed();
        let fields = expect_array(values, &of("values"))?;
        expect_element(values, fields, &of("values"), param.element)?;
        let expected: Vec<_> = [rows.len() as npy_intp].iter().chain(others).copied().collect();
        if fields.shape() != expected {
            let got = format!("shape {}", shape_text(fields.shape()));
            return Err(Error::value(of("values"), got, format!("of shape {}", shape_text(&expected))).into());
        }
        let (place, backwards) = param.order.first_axis();
        let (outer, inner) = param.order.around(place, &param.shape);
        let inner = inner * param.element.parts();
        let mut loaded = vec![T::ZERO; outer * rows.len() * inner];
        let mut walk = Walk::empty();
        let element = fields.element().unwrap_or(param.element);
        walk.set(fields, &param.order.first_axis_forwards(), element);
        // SAFETY: the array has these elements, and the interpreter is attached.
        unsafe { read(&walk, 0, &mut loaded) };
        let len = len as usize;
        let in_memory = |row: usize| if backwards { len - 1 - row } else { row };
        let rows: Vec<_> = rows.into_iter().map(in_memory).collect();
        let rows = Rows::new(&rows, &loaded, len, outer, inner);
        self.rows.resize_with(self.params.len(), || None);
        self.rows[index] = Some(rows);
        Ok(())
    }

    /// Fixes where each tensor's gradients are among all, now that they are set; gives their number.
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

    #[inline]
    fn touches_params(&self, (low, high): (usize, usize)) -> bool {
        match (self.extents.first(), self.extents.last()) {
            (Some(first), Some(last)) if low < last.1 && first.0 < high => {
                let next = self.extents.partition_point(|&(_, end)| end <= low);
                self.extents.get(next).is_some_and(|&(start, _)| start < high)
            }
            _ => false,
        }
    }

    /// A gradient that shares memory with parameters is what it was before the step.
    #[cold]
    fn copy_gradient(&mut self, index: usize) {
        let mut copy = vec![T::ZERO; self.offsets[index + 1] - self.offsets[index]];
        // SAFETY: the gradient has the parameter's shape and dtype and was set in this step.
        unsafe { read(&self.grads[index], 0, &mut copy) };
        self.grads[index].set_contiguous(copy.as_mut_ptr().cast());
        self.copies.push(copy);
    }

    /// Parameters and gradients, for the core.
    ///
    /// # Safety
    /// Since `begin`, `set_gradient` or `set_rows` must have succeeded for every array, then `place_gradients`; until the views
    /// are dropped every gradient must be kept alive, and nobody may write to gradients or touch parameters.
    pub unsafe fn views(&mut self) -> Views<'_, T> {
        let Arrays { params, grads, offsets, rows, positions, .. } = &*self;
        let positions = if rows.is_empty() { offsets } else { positions };
        let range = 0..positions[positions.len() - 1];
        Views { params, grads, rows, offsets, positions, range, element: PhantomData }
    }

    /// All parameters, in their order.
    pub fn all<'py>(&self, py: Python<'py>) -> Vec<Bound<'py, PyAny>> {
        (0..self.len()).map(|index| self.array(py, index).clone()).collect()
    }

    /// Reads an array of the shape and dtype of a parameter, in the order of its state.
    pub fn read_like(&mut self, index: usize, array: Borrowed<'_, '_, PyAny>, to: &mut [T]) -> Result<()> {
        self.set_gradient(index, array)?;
        // SAFETY: `set_gradient` has checked shape and dtype; the interpreter is attached, so the array stays.
        unsafe { read(&self.grads[index], 0, to) };
        Ok(())
    }

    /// Writes state to an array of the shape and dtype of a parameter.
    pub fn write_like(&self, index: usize, array: Borrowed<'_, '_, PyAny>, values: &[T]) -> Result<()> {
        let param = &self.params[index];
        let fields = Fields::of(array).filter(|fields| fields.shape() == param.shape && fields.writeable());
        let typed = fields.and_then(|fields| Some((fields, fields.element().filter(|&e| param.element.takes(e))?)));
        let Some((fields, element)) = typed else { return Err(refuse(array, param)) };
        let mut walk = Walk::empty();
        walk.set(fields, &param.order, element);
        assert_eq!(values.len(), fields.len() * element.parts());
        // SAFETY: shape and dtype are right, and the interpreter is attached.
        unsafe { write(&walk, 0, values) };
        Ok(())
    }
}

/// What is wrong with a gradient.
#[cold]
fn refuse(gradient: Borrowed<'_, '_, PyAny>, param: &Param) -> Error {
    let name = format!("grads{}", param.path);
    let fields = match expect_array(gradient, &name) {
        Ok(fields) => fields,
        Err(error) => return error,
    };
    match expect_element(gradient, fields, &name, param.element) {
        Err(error) => error,
        Ok(()) => {
            let got = format!("shape {}", shape_text(fields.shape()));
            Error::value(name, got, format!("of shape {}", shape_text(&param.shape)))
        }
    }
}

/// The memory of the parameters as disjoint extents; refuses parameters that share an element.
fn disjoint_extents(arrays: &[(Bound<'_, PyAny>, String)]) -> PyResult<Vec<(usize, usize)>> {
    let mut spans: Vec<((usize, usize), usize)> = vec![];
    for (index, (array, _)) in arrays.iter().enumerate() {
        let fields = Fields::of(array.as_borrowed()).filter(|fields| fields.len() > 0);
        if let Some((fields, element)) = fields.and_then(|fields| Some((fields, fields.element()?))) {
            spans.push((fields.extent(element), index));
        }
    }
    spans.sort_unstable();
    let mut extents: Vec<(usize, usize)> = vec![];
    let mut open: Vec<(usize, usize)> = vec![];
    for ((low, high), index) in spans {
        open.retain(|&(other_high, _)| other_high > low);
        // Extents may be interleaved without sharing an element: two columns of one matrix.
        for &(_, other) in &open {
            if share_memory(&arrays[index].0, &arrays[other].0) {
                let (first, second) = (index.min(other), index.max(other));
                let got = format!("an array that shares memory with params{}", arrays[first].1);
                let expected = "an array with memory of its own";
                return Err(Error::value(format!("params{}", arrays[second].1), got, expected).into());
            }
        }
        open.push((high, index));
        match extents.last_mut() {
            Some(last) if low < last.1 => last.1 = last.1.max(high),
            _ => extents.push((low, high)),
        }
    }
    Ok(extents)
}

/// Whether two arrays have an element in common; true where NumPy cannot tell in reasonable time.
fn share_memory(a: &Bound<'_, PyAny>, b: &Bound<'_, PyAny>) -> bool {
    let shares = || a.py().import("numpy")?.call_method1("shares_memory", (a, b, 1_000_000))?.extract::<bool>();
    shares().unwrap_or(true)
}

/// Reads elements of a walk.
///
/// # Safety
/// As for [`Walk::load`].
unsafe fn read<T: Scalar>(walk: &Walk, from: usize, to: &mut [T]) {
    match walk.contiguous() {
        _ if to.is_empty() => (),
        // SAFETY: the caller vouches for the elements, `contiguous` for their order and alignment.
        Some(start) => to.copy_from_slice(unsafe { std::slice::from_raw_parts(start.cast::<T>().add(from), to.len()) }),
        // SAFETY: the caller vouches for the elements.
        None => unsafe { walk.load(from, to) },
    }
}

/// Writes elements of a walk.
///
/// # Safety
/// As for [`Walk::store`].
unsafe fn write<T: Scalar>(walk: &Walk, from: usize, values: &[T]) {
    match walk.contiguous() {
        _ if values.is_empty() => (),
        // SAFETY: as for `read`.
        Some(start) => unsafe { start.cast::<T>().add(from).copy_from_nonoverlapping(values.as_ptr(), values.len()) },
        // SAFETY: the caller vouches for the elements.
        None => unsafe { walk.store(from, values) },
    }
}

/// Row indices below `len`.
fn row_indices(indices: &Bound<'_, PyAny>, name: String, len: npy_intp) -> PyResult<Vec<usize>> {
    let fields = expect_array(indices.as_borrowed(), &name)?;
    let dtype = indices.getattr("dtype")?;
    if !matches!(dtype.getattr("kind")?.extract::<char>()?, 'i' | 'u') {
        return Err(Error::type_(name, dtype, "an array of integers").into());
    }
    if fields.shape().len() != 1 {
        let got = format!("shape {}", shape_text(fields.shape()));
        return Err(Error::value(name, got, "of one axis").into());
    }
    let within = |index: i64| {
        let row = usize::try_from(index).ok().filter(|_| index < len as i64);
        row.ok_or_else(|| Error::value(&name, index, format!("indices >= 0 and < {len}")))
    };
    // What does not fit becomes negative, and is refused with the others.
    let indices: PyReadonlyArray1<'_, i64> = indices.call_method1("astype", ("int64",))?.extract()?;
    Ok(indices.as_array().iter().map(|&index| within(index)).collect::<Result<_>>()?)
}

/// Parameters and gradients of a range of positions among the gradients. Two views never share a position, so threads may use one each.
pub struct Views<'a, T> {
    params: &'a [Param],
    grads: &'a [Walk],
    rows: &'a [Option<Rows<T>>],
    offsets: &'a [usize],
    positions: &'a [usize],
    range: Range<usize>,
    element: PhantomData<&'a mut [T]>,
}

// SAFETY: a view is the only one of its positions, which are distinct elements in memory: parameters share none with each
// other or with gradients. `Arrays::views` has its caller vouch that nobody else touches them.
unsafe impl<T: Send> Send for Views<'_, T> {}
// SAFETY: through a shared reference only gradients are read, which nobody writes.
unsafe impl<T: Sync> Sync for Views<'_, T> {}

impl<'a, T: Scalar> Views<'a, T> {
    /// A tensor's gradient, where it has only some rows.
    #[inline]
    fn rows(&self, tensor: usize) -> Option<&'a Rows<T>> {
        self.rows.get(tensor).and_then(Option::as_ref)
    }

    /// Calls `visit(tensor, elements of the tensor)` for the tensors that have elements in a range of positions.
    #[inline]
    fn for_each_tensor(offsets: &[usize], range: Range<usize>, mut visit: impl FnMut(usize, Range<usize>)) {
        let mut tensor = offsets.partition_point(|&offset| offset <= range.start).saturating_sub(1);
        let mut position = range.start;
        while position < range.end {
            let (start, end) = (offsets[tensor], offsets[tensor + 1].min(range.end));
            if position < end {
                visit(tensor, position - start..end - start);
                position = end;
            }
            tensor += 1;
        }
    }
}

impl<T: Scalar> Tensors<T> for Views<'_, T> {
    fn split_at(self, position: usize) -> (Self, Self) {
        assert!(self.range.start <= position && position <= self.range.end);
        let Views { params, grads, rows, offsets, positions, range, element } = self;
        let view = |range| Views { params, grads, rows, offsets, positions, range, element };
        (view(range.start..position), view(position..range.end))
    }

    fn place(&self, position: usize) -> usize {
        if self.rows.is_empty() {
            return position;
        }
        let tensor = self.positions.partition_point(|&start| start <= position) - 1;
        let within = position - self.positions[tensor];
        // Behind the last gradient there is no tensor any more.
        let len = self.offsets[self.offsets.len() - 1];
        if tensor == self.params.len() {
            return len;
        }
        self.offsets[tensor] + self.rows(tensor).map_or(within, |rows| rows.place(within))
    }

    #[inline]
    fn for_each(&mut self, mut visit: impl FnMut(usize, usize, &mut [T], &[T])) {
        Self::for_each_tensor(self.positions, self.range.clone(), |tensor, elements| {
            let (param, grad, offset) = (&self.params[tensor].walk, &self.grads[tensor], self.offsets[tensor]);
            if let Some(rows) = self.rows(tensor) {
                return rows.for_each(elements, |place, g| {
                    if let Some(p) = param.contiguous() {
                        // SAFETY: the parameter has these elements in order and aligned; this view is the only one of
                        // their gradients' positions, and so of them.
                        let p = unsafe { std::slice::from_raw_parts_mut(p.cast::<T>().add(place), g.len()) };
                        return visit(tensor, offset + place, p, g);
                    }
                    let mut p = [T::ZERO; CHUNK];
                    for (index, g) in g.chunks(CHUNK).enumerate() {
                        let (from, p) = (place + index * CHUNK, &mut p[..g.len()]);
                        // SAFETY: as above.
                        unsafe {
                            read(param, from, p);
                            visit(tensor, offset + from, p, g);
                            write(param, from, p);
                        }
                    }
                });
            }
            if let (Some(p), Some(g)) = (param.contiguous(), grad.contiguous()) {
                let (from, n) = (elements.start, elements.len());
                // SAFETY: both have these elements in order and aligned; this view is the only one of these positions.
                let (p, g) = unsafe {
                    (
                        std::slice::from_raw_parts_mut(p.cast::<T>().add(from), n),
                        std::slice::from_raw_parts(g.cast::<T>().add(from), n),
                    )
                };
                return visit(tensor, offset + from, p, g);
            }
            let (mut p, mut g) = ([T::ZERO; CHUNK], [T::ZERO; CHUNK]);
            for from in elements.clone().step_by(CHUNK) {
                let n = CHUNK.min(elements.end - from);
                // SAFETY: the elements exist, and this view is the only one of these positions.
                unsafe {
                    read(param, from, &mut p[..n]);
                    read(grad, from, &mut g[..n]);
                    visit(tensor, offset + from, &mut p[..n], &g[..n]);
                    write(param, from, &p[..n]);
                }
            }
        });
    }
}

impl<T: Scalar> Gradients<T> for Views<'_, T> {
    fn sparse(&self) -> Option<&[usize]> {
        (!self.rows.is_empty()).then_some(self.positions)
    }

    #[inline]
    fn for_each_gradient(&self, range: Range<usize>, mut visit: impl FnMut(usize, &[T])) {
        Self::for_each_tensor(self.positions, range, |tensor, elements| {
            if let Some(rows) = self.rows(tensor) {
                return visit(tensor, &rows.values()[elements]);
            }
            let grad = &self.grads[tensor];
            if let Some(g) = grad.contiguous() {
                // SAFETY: the gradient has these elements in order and aligned, and nobody writes to it.
                return visit(tensor, unsafe {
                    std::slice::from_raw_parts(g.cast::<T>().add(elements.start), elements.len())
                });
            }
            let mut g = [T::ZERO; CHUNK];
            for from in elements.clone().step_by(CHUNK) {
                let n = CHUNK.min(elements.end - from);
                // SAFETY: the elements exist, and nobody writes to the gradient.
                unsafe { read(grad, from, &mut g[..n]) };
                visit(tensor, &g[..n]);
            }
        });
    }

    fn gradient_name(&self, tensor: usize) -> String {
        format!("grads{}", self.params[tensor].path)
    }
}
