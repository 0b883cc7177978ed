//! What stages are given besides rows.

use super::super::tensors::Tensors;
use crate::interrupt::Lookout;
use crate::kernels::matmul::Scratch;

/// Dropout of one step.
#[derive(Clone, Copy)]
pub struct Noise<'a> {
    /// The key of its random numbers.
    pub key: u64,
    /// The share that becomes 0 in each hidden layer.
    pub rates: &'a [f64],
}

/// One pass of rows through a network, or back.
pub struct Pass<'a, T> {
    /// What the parameters are.
    pub tensors: &'a Tensors,
    /// The parameters.
    pub params: &'a [T],
    /// Dropout, if there is any.
    pub noise: Option<Noise<'a>>,
    /// The number of the batch's first row, where the batch passes through in pieces.
    pub first_row: usize,
    /// Memory for products.
    pub scratch: &'a mut Scratch<T>,
    /// Says whether to break off: what the stages write is of no use then.
    pub lookout: &'a Lookout,
}

impl<'a, T> Pass<'a, T> {
    /// The elements of a tensor.
    #[inline]
    pub fn tensor(&self, tensor: usize) -> &'a [T] {
        &self.params[self.tensors.get(tensor).range()]
    }
}

/// Where the gradient of a piece goes.
pub struct Sink<'a, T> {
    /// The piece's elements.
    pub grads: &'a mut [T],
    /// Memory for products.
    pub scratch: &'a mut Scratch<T>,
    /// Says whether to break off: the gradient is of no use then.
    pub lookout: &'a Lookout,
}
