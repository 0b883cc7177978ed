//! What the driver asks of those who have parameters and gradients.

use std::ops::Range;

/// Gradients of all tensors. Positions count them, one tensor after the other: they are those of the flat vector of all
/// parameters, unless some elements have no gradient and are left alone.
pub trait Gradients<T>: Send + Sync {
    /// Where some elements have none: the position of each tensor's first gradient, then their number.
    fn sparse(&self) -> Option<&[usize]> {
        None
    }

    /// Calls `visit(tensor, gradients)` for runs of consecutive elements of a range of positions, in order.
    fn for_each_gradient(&self, range: Range<usize>, visit: impl FnMut(usize, &[T]));

    /// What errors call a tensor's gradient.
    fn gradient_name(&self, tensor: usize) -> String {
        format!("gradient {tensor}")
    }

    /// What errors call the tensor itself.
    fn param_name(&self, tensor: usize) -> String {
        format!("parameter {tensor}")
    }

    /// Whether some parameters are of a type that holds less than what they are computed with.
    fn has_narrow(&self) -> bool {
        false
    }

    /// The largest number that a tensor's parameters can hold, where that is less than what they are computed with can.
    fn limit(&self, _tensor: usize) -> Option<f64> {
        None
    }
}

/// Parameters and their gradients, which can be divided among threads.
pub trait Tensors<T>: Gradients<T> + Sized {
    /// Divides them at a position.
    fn split_at(self, position: usize) -> (Self, Self);

    /// Where the element is in the flat vector that the gradient at a position belongs to.
    fn place(&self, position: usize) -> usize {
        position
    }

    /// Calls `visit(tensor, place, parameters, gradients)` for runs of consecutive elements, in order.
    fn for_each(&mut self, visit: impl FnMut(usize, usize, &mut [T], &[T]));
}
