//! What a NumPy array is: type, dtype, shape, strides, flags.

use numpy::npyffi::flags::{NPY_ARRAY_ALIGNED, NPY_ARRAY_C_CONTIGUOUS, NPY_ARRAY_F_CONTIGUOUS, NPY_ARRAY_WRITEABLE};
use numpy::npyffi::objects::{_PyArray_GET_ITEM_DATA, _PyDataType_GET_ITEM_DATA, PyArray_Descr, PyArrayObject_fields};
use numpy::npyffi::{NPY_TYPES, NpyTypes, PyArrayObject, npy_intp};
use pyo3::prelude::*;
use pyo3::{Borrowed, ffi};

use crate::scalar::Scalar;

/// How NumPy names the byte order of this machine where a dtype was asked for with that order.
const NATIVE_ORDER: u8 = if cfg!(target_endian = "little") { b'<' } else { b'>' };

/// The dtypes of parameters and gradients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    /// `float16`, computed with in `f32`.
    F16,
    /// `float32`.
    F32,
    /// `float64`.
    F64,
    /// `complex64`: two `f32`.
    C64,
    /// `complex128`: two `f64`.
    C128,
}

impl Element {
    /// All of them, as errors list them.
    pub const ALL: &str = "an array of float16, float32, float64, complex64 or complex128";

    /// NumPy's name.
    pub fn name(self) -> &'static str {
        match self {
            Element::F16 => "float16",
            Element::F32 => f32::NAME,
            Element::F64 => f64::NAME,
            Element::C64 => "complex64",
            Element::C128 => "complex128",
        }
    }

    /// The type of the state that belongs to such a parameter.
    pub fn of_state(self) -> Element {
        if self == Element::F16 { Element::F32 } else { self }
    }

    /// Whether such a parameter takes gradients and state of another type.
    pub fn takes(self, other: Element) -> bool {
        other == self || other == self.of_state()
    }

    /// NumPy's name of the type that is computed with.
    pub fn precision(self) -> &'static str {
        match self {
            Element::F16 | Element::F32 | Element::C64 => f32::NAME,
            Element::F64 | Element::C128 => f64::NAME,
        }
    }

    /// How many real numbers an element is.
    pub fn parts(self) -> usize {
        if matches!(self, Element::C64 | Element::C128) { 2 } else { 1 }
    }

    /// Bytes of each of these.
    pub fn size(self) -> usize {
        match self {
            Element::F16 => 2,
            Element::F32 | Element::C64 => 4,
            Element::F64 | Element::C128 => 8,
        }
    }
}

/// The fields of a NumPy array, as they are while nothing else runs in the interpreter.
#[derive(Clone, Copy)]
pub struct Fields<'a>(&'a PyArrayObject_fields);

impl<'a> Fields<'a> {
    /// The array's fields, or None where the object is no array.
    #[inline]
    pub fn of(object: Borrowed<'a, '_, PyAny>) -> Option<Self> {
        // SAFETY: the interpreter is attached, the object is alive, and its type is looked at before its fields.
        unsafe {
            let array_type = numpy::npyffi::get_type_object(object.py(), NpyTypes::PyArray_Type);
            let is_array = ffi::Py_TYPE(object.as_ptr()) == array_type
                || ffi::PyObject_TypeCheck(object.as_ptr(), array_type) != 0;
            is_array.then(|| Fields(&*_PyArray_GET_ITEM_DATA(object.as_ptr().cast::<PyArrayObject>())))
        }
    }

    /// The same for what is of NumPy's own class; None for arrays of other classes, too.
    #[inline]
    pub fn of_plain(object: Borrowed<'a, '_, PyAny>) -> Option<Self> {
        // SAFETY: as for `Fields::of`.
        unsafe {
            let array_type = numpy::npyffi::get_type_object(object.py(), NpyTypes::PyArray_Type);
            (ffi::Py_TYPE(object.as_ptr()) == array_type).then(|| Fields::of_array(object))
        }
    }

    /// The fields of an object that [`Fields::of`] has found to be an array: it stays one.
    #[inline]
    pub fn of_array(array: Borrowed<'a, '_, PyAny>) -> Self {
        debug_assert!(Fields::of(array).is_some());
        // SAFETY: the interpreter is attached, the object is alive, and an array, whose memory keeps its layout even where
        // its class is replaced.
        unsafe { Fields(&*_PyArray_GET_ITEM_DATA(array.as_ptr().cast::<PyArrayObject>())) }
    }

    /// The address of the element with index 0 in every axis.
    #[inline]
    pub fn data(self) -> *mut u8 {
        self.0.data.cast()
    }

    /// What the memory belongs to, where that is another object.
    pub fn base<'py>(self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        // SAFETY: NumPy keeps a reference there, or null; the interpreter is attached.
        unsafe { Bound::from_borrowed_ptr_or_opt(py, self.0.base.cast()) }
    }

    /// The lengths of the axes.
    #[inline]
    pub fn shape(self) -> &'a [npy_intp] {
        self.axes(self.0.dimensions)
    }

    /// The distances of neighbours along each axis, in bytes.
    #[inline]
    pub fn strides(self) -> &'a [npy_intp] {
        self.axes(self.0.strides)
    }

    #[inline]
    fn axes(self, numbers: *mut npy_intp) -> &'a [npy_intp] {
        match self.0.nd {
            // NumPy may have no memory for the numbers of an array without axes.
            0 => &[],
            // SAFETY: NumPy keeps `nd` numbers there.
            nd => unsafe { std::slice::from_raw_parts(numbers, nd as usize) },
        }
    }

    /// The dtype object, as an identity.
    #[inline]
    pub fn descr(self) -> *mut PyArray_Descr {
        self.0.descr
    }

    /// The dtype object.
    pub fn descr_object(self, py: Python<'_>) -> Bound<'_, PyAny> {
        // SAFETY: an array keeps a reference to its dtype; the interpreter is attached.
        unsafe { Bound::from_borrowed_ptr(py, self.0.descr.cast()) }
    }

    /// The dtype, where it is one that we take and in this machine's byte order.
    pub fn element(self) -> Option<Element> {
        // SAFETY: an array's dtype is alive and has these fields in every version of NumPy.
        let descr = unsafe { &*_PyDataType_GET_ITEM_DATA(self.0.descr) };
        let native = matches!(descr.byteorder as u8, b'=' | b'|' | NATIVE_ORDER);
        [
            (NPY_TYPES::NPY_HALF, Element::F16),
            (NPY_TYPES::NPY_FLOAT, Element::F32),
            (NPY_TYPES::NPY_DOUBLE, Element::F64),
            (NPY_TYPES::NPY_CFLOAT, Element::C64),
            (NPY_TYPES::NPY_CDOUBLE, Element::C128),
        ]
        .into_iter()
        .find(|&(number, _)| native && number as i32 == descr.type_num)
        .map(|(_, element)| element)
    }

    /// Number of elements.
    #[inline]
    pub fn len(self) -> usize {
        self.shape().iter().map(|&n| n as usize).product()
    }

    /// Whether the elements may be changed.
    #[inline]
    pub fn writeable(self) -> bool {
        self.0.flags & NPY_ARRAY_WRITEABLE != 0
    }

    /// Whether every element is where its type wants it.
    #[inline]
    pub fn aligned(self) -> bool {
        self.0.flags & NPY_ARRAY_ALIGNED != 0
    }

    /// In row-major order without gaps.
    #[inline]
    pub fn c_contiguous(self) -> bool {
        self.0.flags & NPY_ARRAY_C_CONTIGUOUS != 0
    }

    /// In column-major order without gaps.
    #[inline]
    pub fn f_contiguous(self) -> bool {
        self.0.flags & NPY_ARRAY_F_CONTIGUOUS != 0
    }

    /// The addresses from the lowest byte of an element to behind the highest; empty without elements.
    pub fn extent(self, element: Element) -> (usize, usize) {
        let size = element.size() * element.parts();
        let start = self.data() as usize;
        if self.len() == 0 {
            return (start, start);
        }
        let (mut low, mut high) = (start as isize, start as isize + size as isize);
        for (&n, &stride) in self.shape().iter().zip(self.strides()) {
            let reach = (n - 1) * stride;
            low += reach.min(0);
            high += reach.max(0);
        }
        (low as usize, high as usize)
    }
}

/// `(3, 2)`, as Python writes shapes.
pub fn shape_text(shape: &[npy_intp]) -> String {
    let numbers: Vec<_> = shape.iter().map(|n| n.to_string()).collect();
    match numbers.as_slice() {
        [one] => format!("({one},)"),
        _ => format!("({})", numbers.join(", ")),
    }
}
