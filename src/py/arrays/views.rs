//! Parameters and gradients as the core works on them.

use std::marker::PhantomData;
use std::ops::Range;

use super::fields::Element;
use super::half::LARGEST_HALF;
use super::param::Param;
use super::row_gradient::RowGradient;
use super::walk::Walk;
use crate::optim::driver::{Gradients, Tensors};
use crate::scalar::Scalar;

/// Elements that are copied at a time where an array's elements do not lie in order.
const CHUNK: usize = 1024;

/// Parameters and gradients of a range of positions among the gradients. Two views never share a position, so threads may use one each.
pub struct Views<'a, T> {
    params: &'a [Param],
    grads: &'a [Walk],
    rows: &'a [Option<RowGradient<T>>],
    offsets: &'a [usize],
    positions: &'a [usize],
    /// Whether some parameters are of `float16`.
    narrow: bool,
    range: Range<usize>,
    element: PhantomData<&'a mut [T]>,
}

// SAFETY: a view is the only one of its positions, which are distinct elements in memory: parameters share none with each
// other or with gradients. `Arrays::views` has its caller vouch that nobody else touches them.
unsafe impl<T: Send> Send for Views<'_, T> {}
// SAFETY: through a shared reference only gradients are read, which nobody writes.
unsafe impl<T: Sync> Sync for Views<'_, T> {}

impl<'a, T: Scalar> Views<'a, T> {
    /// All of them: for each parameter where it and its gradient are, or the gradient of some rows; where each tensor begins
    /// among all elements (`offsets`) and its gradient among all gradients (`positions`). `narrow` is whether some are of `float16`.
    pub fn new(
        params: &'a [Param],
        grads: &'a [Walk],
        rows: &'a [Option<RowGradient<T>>],
        offsets: &'a [usize],
        positions: &'a [usize],
        narrow: bool,
    ) -> Self {
        let range = 0..positions[positions.len() - 1];
        Views { params, grads, rows, offsets, positions, narrow, range, element: PhantomData }
    }

    /// A tensor's gradient, where it has only some rows.
    #[inline]
    fn rows(&self, tensor: usize) -> Option<&'a RowGradient<T>> {
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
        let Views { params, grads, rows, offsets, positions, narrow, range, element } = self;
        let view = |range| Views { params, grads, rows, offsets, positions, narrow, range, element };
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
                    // SAFETY: these elements exist, and this view is the only one of their gradients' positions, and so of them.
                    unsafe { visit_params(param, place, g, |from, p, g| visit(tensor, offset + from, p, g)) }
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
                    param.read(from, &mut p[..n]);
                    grad.read(from, &mut g[..n]);
                    visit(tensor, offset + from, &mut p[..n], &g[..n]);
                    param.write(from, &p[..n]);
                }
            }
        });
    }
}

/// Calls `visit(place, parameters, gradients)` for the elements of a parameter that belong to gradients from `place` on.
///
/// # Safety
/// The elements must exist, and nobody else may look at them meanwhile.
unsafe fn visit_params<T: Scalar>(
    param: &Walk,
    place: usize,
    gradients: &[T],
    mut visit: impl FnMut(usize, &mut [T], &[T]),
) {
    if let Some(p) = param.contiguous() {
        // SAFETY: the caller vouches for the elements, `contiguous` for their order and alignment.
        let p = unsafe { std::slice::from_raw_parts_mut(p.cast::<T>().add(place), gradients.len()) };
        return visit(place, p, gradients);
    }
    let mut p = [T::ZERO; CHUNK];
    for (index, g) in gradients.chunks(CHUNK).enumerate() {
        let (from, p) = (place + index * CHUNK, &mut p[..g.len()]);
        // SAFETY: the caller vouches for the elements.
        unsafe {
            param.read(from, p);
            visit(from, p, g);
            param.write(from, p);
        }
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
                unsafe { grad.read(from, &mut g[..n]) };
                visit(tensor, &g[..n]);
            }
        });
    }

    fn gradient_name(&self, tensor: usize) -> String {
        format!("grads{}", self.params[tensor].path)
    }

    fn param_name(&self, tensor: usize) -> String {
        format!("params{}", self.params[tensor].path)
    }

    fn has_narrow(&self) -> bool {
        self.narrow
    }

    fn limit(&self, tensor: usize) -> Option<f64> {
        (self.params[tensor].element == Element::F16).then_some(LARGEST_HALF)
    }
}
