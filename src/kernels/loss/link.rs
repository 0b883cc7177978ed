//! What turns the last layer's preactivations into predictions.

use super::softmax::softmax;
use crate::kernels::math;
use crate::kernels::onnx::Onnx;
use crate::scalar::Scalar;
use crate::simd::{Isa, Kernel, dispatch};

/// The function from preactivations z to predictions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// z
    Identity,
    /// e^z / sum e^z over the outputs.
    Softmax,
    /// 1 / (1 + e^-z)
    Sigmoid,
    /// e^z
    Exp,
}

impl Link {
    /// All of them.
    pub const ALL: &'static [Link] = &[Link::Identity, Link::Softmax, Link::Sigmoid, Link::Exp];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Link::Identity => "identity",
            Link::Softmax => "softmax",
            Link::Sigmoid => "sigmoid",
            Link::Exp => "exp",
        }
    }

    /// The prediction from z.
    pub fn formula(self) -> &'static str {
        match self {
            Link::Identity => "z",
            Link::Softmax => "softmax(z)",
            Link::Sigmoid => "s(z)",
            Link::Exp => "e^z",
        }
    }

    /// The same function in ONNX, where an array's last axis is that of the outputs.
    pub fn onnx(self) -> Onnx {
        match self {
            Link::Identity => Onnx::Argument,
            Link::Softmax => Onnx::operator("Softmax"),
            Link::Sigmoid => Onnx::operator("Sigmoid"),
            Link::Exp => Onnx::operator("Exp"),
        }
    }

    /// Preactivations to predictions, in place: rows of `outputs` numbers that begin `stride` apart.
    ///
    /// # Panics
    /// If a row does not fit into its stride, or the last one into `z`.
    pub fn apply<T: Scalar>(self, z: &mut [T], outputs: usize, stride: usize) {
        assert!(outputs > 0 && outputs <= stride, "a row needs outputs that fit into its stride");
        let last = z.len() % stride;
        assert!(last == 0 || last >= outputs, "the last row has {last} of {outputs} outputs");
        if self != Link::Identity {
            dispatch(Apply { link: self, z, outputs, stride });
        }
    }
}

struct Apply<'a, T> {
    link: Link,
    z: &'a mut [T],
    outputs: usize,
    stride: usize,
}

impl<T: Scalar> Kernel for Apply<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        let Apply { link, z, outputs, stride } = self;
        match link {
            Link::Identity => {}
            Link::Softmax => softmax::<I, T>(z, outputs, stride),
            Link::Sigmoid => each(z, outputs, stride, math::sigmoid::<I, T>),
            Link::Exp => each(z, outputs, stride, math::exp::<I, T>),
        }
    }
}

/// Replaces each output by a function of it.
#[inline(always)]
fn each<T: Scalar>(z: &mut [T], outputs: usize, stride: usize, function: impl Fn(T) -> T) {
    // Without gaps the rows are one.
    let (width, stride) = if outputs == stride { (z.len(), z.len().max(1)) } else { (outputs, stride) };
    for row in z.chunks_mut(stride) {
        for x in &mut row[..width] {
            *x = function(*x);
        }
    }
}
