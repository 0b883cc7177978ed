//! What gradients are multiplied by before a rule sees them.

use std::ops::{Mul, Neg};

use crate::scalar::Scalar;

/// A factor of gradients, as a product of two: the factor that clips a very large norm is less than the smallest number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    factor: f64,
    /// A power of two.
    power: f64,
}

impl Scale {
    /// Gradients as they are.
    pub const ONE: Scale = Scale { factor: 1.0, power: 1.0 };

    /// `of / norm`.
    pub fn quotient(of: f64, norm: f64) -> Self {
        let power = match norm {
            _ if of >= norm * 2f64.powi(-500) => 1.0,
            ..1.0 => 2f64.powi(-500),
            _ => 2f64.powi(-1000),
        };
        Scale { factor: of / (norm * power), power }
    }

    /// A number times it.
    pub fn times(self, number: f64) -> f64 {
        number * self.power * self.factor
    }

    /// As a number of the type of the gradients, which takes what it cannot hold of it into the gradients.
    #[inline(always)]
    pub fn prepare<T: Scalar>(self, grads: &mut [T]) -> T {
        // A power of two: nothing is rounded.
        let root = T::MIN_POSITIVE.to_f64().sqrt();
        let Scale { mut factor, mut power } = self;
        while (factor * power).abs() < root && factor != 0.0 {
            grads.iter_mut().for_each(|g| *g *= T::from_f64(root));
            if power < 1.0 { power /= root } else { factor /= root }
        }
        T::from_f64(factor * power)
    }
}

impl Mul for Scale {
    type Output = Scale;
    fn mul(self, other: Scale) -> Scale {
        Scale { factor: self.factor * other.factor, power: self.power * other.power }
    }
}

impl Neg for Scale {
    type Output = Scale;
    fn neg(self) -> Scale {
        Scale { factor: -self.factor, ..self }
    }
}
