//! Double-double numbers, with about 31 digits, and the elementary functions in them: slow, plain, and built on nothing
//! but the four operations. They say what the functions under test should have returned.

use std::ops::{Add, Div, Mul, Neg, Sub};

/// The sum of a number and a much smaller one.
#[derive(Clone, Copy, Debug)]
pub struct Exact(pub f64, pub f64);

const LN_2: Exact = Exact(std::f64::consts::LN_2, 2.3190468138462996e-17);
const ROOT: Exact = Exact(0.3989422804014327, -2.49232720227773e-17); // 1 / sqrt(2 pi)

fn two_sum(a: f64, b: f64) -> Exact {
    let sum = a + b;
    let rest = sum - a;
    Exact(sum, (a - (sum - rest)) + (b - rest))
}

impl From<f64> for Exact {
    fn from(x: f64) -> Self {
        Exact(x, 0.0)
    }
}

impl Neg for Exact {
    type Output = Exact;
    fn neg(self) -> Exact {
        Exact(-self.0, -self.1)
    }
}

impl Add for Exact {
    type Output = Exact;
    fn add(self, other: Exact) -> Exact {
        let (high, low) = (two_sum(self.0, other.0), two_sum(self.1, other.1));
        let sum = two_sum(high.0, high.1 + low.0);
        two_sum(sum.0, sum.1 + low.1)
    }
}

impl Sub for Exact {
    type Output = Exact;
    fn sub(self, other: Exact) -> Exact {
        self + -other
    }
}

impl Mul for Exact {
    type Output = Exact;
    fn mul(self, other: Exact) -> Exact {
        let product = self.0 * other.0;
        let rest = self.0.mul_add(other.0, -product);
        two_sum(product, rest + (self.0 * other.1 + self.1 * other.0))
    }
}

impl Div for Exact {
    type Output = Exact;
    fn div(self, other: Exact) -> Exact {
        let first = self.0 / other.0;
        let rest = self - other * first.into();
        let second = rest.0 / other.0;
        let rest = rest - other * second.into();
        two_sum(first, second) + (rest.0 / other.0).into()
    }
}

impl Exact {
    /// e^x - 1 by its series, for small x.
    fn exp_m1_series(self) -> Exact {
        let (mut term, mut sum) = (self, self);
        for n in 2..30 {
            term = term * self / f64::from(n).into();
            sum = sum + term;
        }
        sum
    }

    pub fn exp(self) -> Exact {
        let n = (self.0 / LN_2.0).round();
        let r = self - LN_2 * n.into();
        let e = r.exp_m1_series() + 1.0.into();
        // In two steps, so that the power is always a number.
        let half = (n / 2.0).trunc();
        let scale = |x: Exact, n: f64| Exact(x.0 * n.exp2(), x.1 * n.exp2());
        scale(scale(e, half), n - half)
    }

    pub fn exp_m1(self) -> Exact {
        if self.0.abs() < 0.5 { self.exp_m1_series() } else { self.exp() - 1.0.into() }
    }

    /// ln(1 + x) for x >= 0
    fn ln_1p(self) -> Exact {
        if self.0 < 1e-5 {
            return (1..8)
                .rev()
                .fold(0.0.into(), |sum: Exact, n| (Exact::from(1.0) / f64::from(n).into() - sum) * self);
        }
        // One step of Newton's method doubles the digits.
        let guess = Exact::from(self.0.ln_1p());
        guess + (self + 1.0.into()) * (-guess).exp() - 1.0.into()
    }

    pub fn sigmoid(self) -> Exact {
        let e = Exact::from(-self.0.abs()).exp();
        (if self.0 < 0.0 { e } else { 1.0.into() }) / (e + 1.0.into())
    }

    pub fn tanh(self) -> Exact {
        if self.0.abs() > 30.0 {
            return self.0.signum().into();
        }
        let e = (self + self).exp_m1();
        e / (e + 2.0.into())
    }

    pub fn softplus(self) -> Exact {
        let tail = Exact::from(-self.0.abs()).exp().ln_1p();
        if self.0 > 0.0 { self + tail } else { tail }
    }

    /// `self` e^x for a very negative x, with no denormal number on the way.
    fn times_exp(self, x: Exact) -> Exact {
        let product = self * (x + LN_2 * 200.0.into()).exp();
        let scale = (-200f64).exp2();
        Exact(product.0 * scale, product.1 * scale)
    }

    pub fn silu(self) -> Exact {
        if self.0 < -600.0 { self.times_exp(self) } else { self * self.sigmoid() }
    }

    pub fn mish(self) -> Exact {
        if self.0 > 50.0 {
            return self;
        }
        if self.0 < -600.0 {
            return self.times_exp(self);
        }
        let w = self.exp();
        let n = w * (w + 2.0.into());
        self * n / (n + 2.0.into())
    }

    /// z times the probability that a standard normal number is smaller than z.
    pub fn gelu(self) -> Exact {
        let a = if self.0 < 0.0 { -self } else { self };
        let power = -(a * a) * 0.5.into();
        if a.0 < 6.0 {
            // a bell (1 + a^2 / 3 + a^4 / (3 5) + ...) is the probability between 0 and a.
            let (mut term, mut sum) = (self, self);
            for n in 1..200 {
                term = term * self * self / f64::from(2 * n + 1).into();
                sum = sum + term;
            }
            return self * (power.exp() * ROOT * sum + 0.5.into());
        }
        // The probability beyond a is bell / (a + 1 / (a + 2 / (a + 3 / ...))).
        let fraction = (1..60).rev().fold(a, |below, n| a + Exact::from(f64::from(n)) / below);
        let beyond = (a * ROOT / fraction).times_exp(power);
        if self.0 < 0.0 { -beyond } else { self - beyond }
    }
}

#[test]
fn known_digits() {
    // From a library of 60 digits.
    for (x, high, low) in [
        (Exact::from(1.0).exp(), std::f64::consts::E, 1.4456468917292502e-16),
        (Exact::from(-0.25).exp_m1(), -0.22119921692859512, -1.0231869534531498e-17),
        (Exact::from(1.0).softplus(), 1.3132616875182228, 2.515869523777819e-17),
        (Exact::from(-20.0).softplus(), 2.061153620314381e-09, -1.0113320447997458e-25),
        (Exact::from(0.125).tanh(), 0.12435300177159621, -2.1451880813141441e-19),
        (Exact::from(3.0).tanh(), 0.9950547536867305, -1.2991892863562624e-17),
        (Exact::from(-5.0).sigmoid(), 0.0066928509242848554, 1.2155506224878793e-19),
        (Exact::from(-1.0).gelu(), -0.15865525393145705, -4.9468552901786335e-18),
        (Exact::from(-5.5).gelu(), -1.0444259356238245e-07, -3.337942499739722e-24),
        (Exact::from(-8.0).gelu(), -4.976768459417427e-15, -1.9932695125469625e-31),
        (Exact::from(2.0).gelu(), 1.9544997361036416, 2.7699526216779393e-18),
        (Exact::from(-2.0).mish(), -0.2525014826957089, 1.5076753724395152e-17),
        (Exact::from(3.0).mish(), 2.9865350049679575, -2.2154325776488216e-16),
    ] {
        let error = x - Exact(high, low);
        assert!(error.0.abs() < 1e-20 * high.abs(), "{x:?} should be {high:?} + {low:?}");
    }
}
