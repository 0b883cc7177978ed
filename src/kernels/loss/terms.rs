//! The loss of one output, beside its derivative.

use super::elementwise::Term;
use crate::kernels::math;
use crate::simd::Isa;

#[derive(Clone, Copy)]
pub struct Square;

impl Term for Square {
    #[inline(always)]
    fn loss<I: Isa>(self, z: f64, y: f64) -> f64 {
        (z - y) * (z - y)
    }
    #[inline(always)]
    fn slope<I: Isa>(self, z: f64, y: f64) -> f64 {
        2.0 * (z - y)
    }
}

/// `below` for a negative x, `above` for a positive one, else x itself: 0 or NaN.
#[inline(always)]
fn by_sign(x: f64, below: f64, above: f64) -> f64 {
    if x > 0.0 {
        above
    } else if x < 0.0 {
        below
    } else {
        x
    }
}

/// Absolute value, `down` times steeper below y, `up` times above. The slope at y is 0.
#[derive(Clone, Copy)]
pub struct Tilted {
    pub down: f64,
    pub up: f64,
}

impl Term for Tilted {
    #[inline(always)]
    fn loss<I: Isa>(self, z: f64, y: f64) -> f64 {
        self.slope::<I>(z, y) * (z - y)
    }
    #[inline(always)]
    fn slope<I: Isa>(self, z: f64, y: f64) -> f64 {
        by_sign(z - y, -self.down, self.up)
    }
}

#[derive(Clone, Copy)]
pub struct Huber {
    pub delta: f64,
}

impl Term for Huber {
    #[inline(always)]
    fn loss<I: Isa>(self, z: f64, y: f64) -> f64 {
        let residual = (z - y).abs();
        if residual <= self.delta { 0.5 * residual * residual } else { self.delta * (residual - 0.5 * self.delta) }
    }
    #[inline(always)]
    fn slope<I: Isa>(self, z: f64, y: f64) -> f64 {
        let residual = z - y;
        if residual.abs() <= self.delta { residual } else { by_sign(residual, -self.delta, self.delta) }
    }
}

#[derive(Clone, Copy)]
pub struct LogCosh;

impl Term for LogCosh {
    #[inline(always)]
    fn loss<I: Isa>(self, z: f64, y: f64) -> f64 {
        math::ln_cosh::<I>(z - y)
    }
    #[inline(always)]
    fn slope<I: Isa>(self, z: f64, y: f64) -> f64 {
        math::tanh::<I, f64>(z - y)
    }
}

/// Targets are moved towards 1/2 by the share `smoothing`.
#[derive(Clone, Copy)]
pub struct BinaryCrossEntropy {
    pub smoothing: f64,
}

impl BinaryCrossEntropy {
    #[inline(always)]
    fn target(self, y: f64) -> f64 {
        (1.0 - self.smoothing) * y + 0.5 * self.smoothing
    }
}

impl Term for BinaryCrossEntropy {
    #[inline(always)]
    fn loss<I: Isa>(self, z: f64, y: f64) -> f64 {
        let y = self.target(y);
        // softplus(z) - y z, without the large numbers that cancel where y = 1
        let linear = if z > 0.0 { (1.0 - y) * z } else { -y * z };
        linear + math::softplus_of_minus_abs::<I, f64>(z)
    }
    #[inline(always)]
    fn slope<I: Isa>(self, z: f64, y: f64) -> f64 {
        let y = self.target(y);
        // sigmoid(z) - y, likewise
        (1.0 - y) * math::sigmoid::<I, f64>(z) - y * math::sigmoid::<I, f64>(-z)
    }
}

#[derive(Clone, Copy)]
pub struct Poisson;

impl Term for Poisson {
    #[inline(always)]
    fn loss<I: Isa>(self, z: f64, y: f64) -> f64 {
        math::exp::<I, f64>(z) - y * z
    }
    #[inline(always)]
    fn slope<I: Isa>(self, z: f64, y: f64) -> f64 {
        math::exp::<I, f64>(z) - y
    }
}
