//! The elements of an array one after the other, whatever its strides.

use numpy::npyffi::npy_intp;

use super::fields::{Element, Fields};
use super::half::{narrowed, widened};
use crate::scalar::Scalar;

/// One axis in memory.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Axis {
    len: usize,
    /// Distance of neighbours, in bytes.
    stride: isize,
}

/// An order of axes, outermost first, each possibly walked backwards: for a parameter the order in which its memory lies.
///
/// State arrays are kept in this order, so that a Fortran-ordered or reversed parameter is as fast as any other.
#[derive(Debug, Clone, Default)]
pub struct Order(Vec<(usize, bool)>);

impl Order {
    /// The order in which the array lies in memory.
    pub fn of_memory(fields: Fields<'_>) -> Order {
        let strides = fields.strides();
        let mut axes: Vec<usize> = (0..strides.len()).filter(|&axis| fields.shape()[axis] != 1).collect();
        axes.sort_by_key(|&axis| std::cmp::Reverse(strides[axis].unsigned_abs()));
        Order(axes.into_iter().map(|axis| (axis, strides[axis] < 0)).collect())
    }

    /// Where axis 0 is in this order, which leaves out axes of length 1, and whether it is walked backwards.
    pub fn first_axis(&self) -> (usize, bool) {
        let found = self.0.iter().position(|&(axis, _)| axis == 0);
        found.map_or((0, false), |place| (place, self.0[place].1))
    }

    /// The same order, but with axis 0 walked forwards, whatever its length.
    pub fn first_axis_forwards(&self) -> Order {
        let (place, _) = self.first_axis();
        let mut axes = self.0.clone();
        axes.retain(|&(axis, _)| axis != 0);
        axes.insert(place, (0, false));
        Order(axes)
    }

    /// The number of elements of the axes before and behind a place in this order, axis 0 left out.
    pub fn around(&self, place: usize, shape: &[npy_intp]) -> (usize, usize) {
        let product = |axes: &[(usize, bool)]| {
            axes.iter().filter(|&&(axis, _)| axis != 0).map(|&(axis, _)| shape[axis] as usize).product()
        };
        let (before, behind) = self.0.split_at(place);
        (product(before), product(behind))
    }
}

/// Where the elements of an array are, in some [`Order`].
#[derive(Debug, Clone)]
pub struct Walk {
    start: *mut u8,
    /// Outermost first, joined where two can be walked as one.
    axes: Vec<Axis>,
    /// All elements lie in order, without gaps and aligned: `axes` is not looked at.
    contiguous: bool,
    /// Elements are `float16`.
    half: bool,
}

impl Walk {
    /// No elements yet.
    pub fn empty() -> Self {
        Walk { start: std::ptr::null_mut(), axes: vec![], contiguous: true, half: false }
    }

    /// Elements that lie in order from `start`.
    #[inline]
    pub fn set_contiguous(&mut self, start: *mut u8) {
        (self.start, self.contiguous) = (start, true);
    }

    /// The elements of an array in an order: of complex ones the real part, then the imaginary part.
    pub fn set(&mut self, fields: Fields<'_>, order: &Order, element: Element) {
        let size = element.size();
        let mut start = fields.data();
        self.axes.clear();
        for &(axis, backwards) in &order.0 {
            let (len, mut stride) = (fields.shape()[axis] as usize, fields.strides()[axis]);
            if backwards && len > 0 {
                start = start.wrapping_offset((len as isize - 1) * stride);
                stride = -stride;
            }
            self.push(Axis { len, stride });
        }
        if element.parts() > 1 {
            self.push(Axis { len: element.parts(), stride: size as isize });
        }
        self.start = start;
        self.half = element == Element::F16;
        self.contiguous = !self.half
            && fields.aligned()
            && match self.axes.as_slice() {
                [] => true,
                [axis] => axis.stride == size as isize || axis.len == 0,
                axes => axes.iter().any(|axis| axis.len == 0),
            };
        if self.axes.is_empty() {
            self.axes.push(Axis { len: 1, stride: size as isize });
        }
    }

    /// Adds an innermost axis.
    fn push(&mut self, axis: Axis) {
        match self.axes.last_mut() {
            Some(outer) if outer.stride == axis.stride * axis.len as isize => {
                *outer = Axis { len: outer.len * axis.len, stride: axis.stride };
            }
            _ => self.axes.push(axis),
        }
    }

    /// The first element, where all lie in order.
    #[inline]
    pub fn contiguous(&self) -> Option<*mut u8> {
        self.contiguous.then_some(self.start)
    }

    /// Whether two indices may lead to overlapping elements: never wrong when it says no.
    pub fn may_overlap_itself(&self, size: usize) -> bool {
        let mut reach = size as isize;
        !self.contiguous
            && self.axes.iter().rev().any(|axis| {
                let overlaps = axis.len > 1 && axis.stride < reach;
                reach += (axis.len as isize - 1) * axis.stride;
                overlaps
            })
    }

    /// Reads elements `from..from + to.len()`.
    ///
    /// # Safety
    /// They must exist, be of type `T` or, where that is `f32`, `float16`, and not change meanwhile.
    pub unsafe fn read<T: Scalar>(&self, from: usize, to: &mut [T]) {
        match self.contiguous() {
            _ if to.is_empty() => (),
            // SAFETY: the caller vouches for the elements, `contiguous` for their order and alignment.
            Some(start) => unsafe {
                to.copy_from_slice(std::slice::from_raw_parts(start.cast::<T>().add(from), to.len()));
            },
            // SAFETY: the caller vouches for the elements.
            None => unsafe { self.read_by_lines(from, to) },
        }
    }

    /// Writes elements `from..from + values.len()`.
    ///
    /// # Safety
    /// They must exist, be of type `T` or `float16` as for `read`, and nobody else may look at them meanwhile.
    pub unsafe fn write<T: Scalar>(&self, from: usize, values: &[T]) {
        match self.contiguous() {
            _ if values.is_empty() => (),
            // SAFETY: as for `read`.
            Some(start) => unsafe {
                start.cast::<T>().add(from).copy_from_nonoverlapping(values.as_ptr(), values.len());
            },
            // SAFETY: the caller vouches for the elements.
            None => unsafe { self.write_by_lines(from, values) },
        }
    }

    /// Reads elements wherever they are.
    ///
    /// # Safety
    /// As for `read`.
    unsafe fn read_by_lines<T: Scalar>(&self, from: usize, to: &mut [T]) {
        let mut done = 0;
        self.for_each_line(from, to.len(), |line, stride, n| {
            for (i, to) in to[done..done + n].iter_mut().enumerate() {
                let element = line.wrapping_offset(i as isize * stride);
                // SAFETY: the caller vouches for the elements; no alignment is assumed.
                *to = unsafe {
                    match self.half {
                        false => element.cast::<T>().read_unaligned(),
                        true => T::from_f64(widened(element.cast::<u16>().read_unaligned()).into()),
                    }
                };
            }
            done += n;
        });
    }

    /// Writes elements wherever they are.
    ///
    /// # Safety
    /// As for `write`.
    unsafe fn write_by_lines<T: Scalar>(&self, from: usize, values: &[T]) {
        let mut done = 0;
        self.for_each_line(from, values.len(), |line, stride, n| {
            for (i, value) in values[done..done + n].iter().enumerate() {
                let element = line.wrapping_offset(i as isize * stride);
                // SAFETY: as for `read`.
                unsafe {
                    match self.half {
                        false => element.cast::<T>().write_unaligned(*value),
                        true => element.cast::<u16>().write_unaligned(narrowed(value.to_f64() as f32)),
                    }
                }
            }
            done += n;
        });
    }

    /// Calls `visit(first element, stride, number)` for the pieces of innermost lines that make up `n` elements.
    fn for_each_line(&self, from: usize, n: usize, mut visit: impl FnMut(*mut u8, isize, usize)) {
        let mut index = [0usize; MAX_AXES];
        let Some((inner, outer)) = self.axes.split_last() else { return };
        let mut rest = from / inner.len;
        let mut first = from % inner.len;
        let mut line = self.start;
        for (axis, index) in outer.iter().zip(&mut index).rev() {
            *index = rest % axis.len;
            rest /= axis.len;
            line = line.wrapping_offset(*index as isize * axis.stride);
        }
        let mut left = n;
        while left > 0 {
            let now = left.min(inner.len - first);
            visit(line.wrapping_offset(first as isize * inner.stride), inner.stride, now);
            left -= now;
            first = 0;
            for (axis, index) in outer.iter().zip(&mut index).rev() {
                *index += 1;
                line = line.wrapping_offset(axis.stride);
                if *index < axis.len {
                    break;
                }
                line = line.wrapping_offset(-(axis.len as isize * axis.stride));
                *index = 0;
            }
        }
    }
}

/// NumPy's limit is 64.
const MAX_AXES: usize = 66;
