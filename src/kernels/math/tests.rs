mod exact;

use exact::Exact;

use crate::kernels::activation::Activation;
use crate::scalar::Scalar;
use crate::simd::{FlushDenormals, Isa, Kernel, at_every_level, dispatch};

/// What is tested: the functions themselves, or as an activation, which is how most are used.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Function {
    Exp,
    ExpNonpositive,
    ExpM1Nonpositive,
    Activation(Activation),
}

const FUNCTIONS: [Function; 12] = [
    Function::Exp,
    Function::ExpNonpositive,
    Function::ExpM1Nonpositive,
    Function::Activation(Activation::LeakyRelu),
    Function::Activation(Activation::Elu),
    Function::Activation(Activation::Selu),
    Function::Activation(Activation::Gelu),
    Function::Activation(Activation::Silu),
    Function::Activation(Activation::Mish),
    Function::Activation(Activation::Tanh),
    Function::Activation(Activation::Sigmoid),
    Function::Activation(Activation::Softplus),
];

struct Each<'a, T> {
    function: Function,
    x: &'a mut [T],
}

impl<T: Scalar> Kernel for Each<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        for x in self.x {
            *x = match self.function {
                Function::Exp => super::exp::<I, T>(*x),
                Function::ExpNonpositive => super::exp_nonpositive::<I, T>(*x),
                _ => super::exp_m1_nonpositive::<I, T>(*x),
            };
        }
    }
}

impl Function {
    fn of<T: Scalar>(self, x: &[T]) -> Vec<T> {
        let mut y = x.to_vec();
        match self {
            Function::Activation(activation) => activation.forward_in_place(&mut y),
            function => dispatch(Each { function, x: &mut y }),
        }
        y
    }

    fn takes(self, x: f64) -> bool {
        x <= 0.0 || !matches!(self, Function::ExpNonpositive | Function::ExpM1Nonpositive)
    }

    /// Good to many more digits than single precision has.
    fn reference(self, x: f64) -> f64 {
        let softplus = |x: f64| x.max(0.0) + (-x.abs()).exp().ln_1p();
        let elu = |x: f64| if x > 0.0 { x } else { x.exp_m1() };
        match self {
            Function::Exp | Function::ExpNonpositive => x.exp(),
            Function::ExpM1Nonpositive => x.exp_m1(),
            Function::Activation(activation) => match activation {
                Activation::LeakyRelu => x.max(0.01 * x),
                Activation::Elu => elu(x),
                Activation::Selu if x > 0.0 => 1.0507009873554805 * x,
                Activation::Selu => 1.7580993408473768 * elu(x),
                // Double precision, which is tested below, and has other coefficients.
                Activation::Gelu => super::gelu::<crate::simd::Portable, f64>(x),
                Activation::Silu if x < -700.0 => 0.0,
                Activation::Silu => x / (1.0 + (-x).exp()),
                Activation::Mish if x < -700.0 => 0.0,
                Activation::Mish => x * softplus(x).tanh(),
                Activation::Tanh => x.tanh(),
                Activation::Sigmoid if x < 0.0 => x.exp() / (1.0 + x.exp()),
                Activation::Sigmoid => 1.0 / (1.0 + (-x).exp()),
                Activation::Softplus => softplus(x),
                _ => unreachable!("none of those above"),
            },
        }
    }

    fn exact(self, x: f64) -> Exact {
        let x = Exact::from(x);
        let elu = |x: Exact| if x.0 > 0.0 { x } else { x.exp_m1() };
        match self {
            Function::Exp | Function::ExpNonpositive => x.exp(),
            Function::ExpM1Nonpositive => x.exp_m1(),
            Function::Activation(activation) => match activation {
                Activation::LeakyRelu if x.0 > 0.0 => x,
                Activation::LeakyRelu => x / 100.0.into(),
                Activation::Elu => elu(x),
                Activation::Selu if x.0 > 0.0 => Exact(1.0507009873554805, 3.9874847667154144e-17) * x,
                Activation::Selu => Exact(1.7580993408473768, 1.41535193800845e-17) * elu(x),
                Activation::Gelu => x.gelu(),
                Activation::Silu => x.silu(),
                Activation::Mish => x.mish(),
                Activation::Tanh => x.tanh(),
                Activation::Sigmoid => x.sigmoid(),
                Activation::Softplus => x.softplus(),
                _ => unreachable!("none of those above"),
            },
        }
    }

    /// The bounds in ulp that docs/kernels.md states, for single and double precision.
    fn bounds(self) -> (f64, f64) {
        match self {
            Function::Activation(Activation::LeakyRelu) => (1.0, 1.0),
            _ => (2.0, 4.0),
        }
    }
}

/// The distance between neighbours of type `T` around y.
fn ulp<T: Scalar>(y: f64) -> f64 {
    let (digits, least) = if T::NAME == "float32" { (23, -126) } else { (52, -1022) };
    let exponent = ((y.abs().to_bits() >> 52) as i32 - 1023).max(least) - digits;
    // In two steps, as the least is denormal.
    f64::from(exponent / 2).exp2() * f64::from(exponent - exponent / 2).exp2()
}

/// The error of y in ulp of the right answer; one that is beyond the largest number must be infinity.
fn error<T: Scalar>(y: T, right: Exact) -> f64 {
    let most = if T::NAME == "float32" { f32::MAX as f64 } else { f64::MAX };
    let y = y.to_f64();
    if y == right.0 && right.1 == 0.0 {
        0.0
    } else if right.0.abs() > most {
        if y == right.0.signum() * f64::INFINITY { 0.0 } else { f64::INFINITY }
    } else {
        ((y - right.0) - right.1).abs() / ulp::<T>(right.0)
    }
}

/// The largest error, and where.
#[derive(Clone, Copy)]
struct Worst(f64, f64);

impl Worst {
    fn see(&mut self, x: f64, error: f64) {
        // Not `error > self.0`: NaN is the worst.
        if error.is_nan() || error > self.0 {
            *self = Worst(if error.is_nan() { f64::INFINITY } else { error }, x);
        }
    }
}

/// Every `step`-th float, in blocks, with what the function should make of it.
fn sweep_single(function: Function, from: u32, to: u32, step: usize) -> Worst {
    let mut worst = Worst(0.0, 0.0);
    let bits: Vec<u32> = (from..=to).step_by(step << 16).collect();
    for first in bits {
        let last = first.saturating_add((step << 16) as u32 - 1).min(to);
        let x: Vec<f32> = (first..=last)
            .step_by(step)
            .map(f32::from_bits)
            .filter(|x| !x.is_nan() && function.takes(f64::from(*x)))
            .collect();
        for (x, y) in x.iter().zip(function.of(&x)) {
            worst.see(f64::from(*x), error(y, function.reference(f64::from(*x)).into()));
        }
    }
    worst
}

#[test]
fn single_precision_keeps_its_bound_at_all_exponents() {
    at_every_level(|level| {
        for function in FUNCTIONS {
            let Worst(error, x) = sweep_single(function, 0, u32::MAX, 4999);
            assert!(error <= function.bounds().0, "{}: {function:?}({x:e}) is wrong by {error} ulp", level.name());
        }
    });
}

/// Doubles of all exponents, denormal ones included, and more of them where the functions do something.
fn doubles() -> Vec<f64> {
    let exponents =
        (0..2047u64).flat_map(|e| (0..8).map(move |i| f64::from_bits((e << 52) | (i * 0x1_FFFF_1234_5679))));
    let near = (0..40_000).map(|i| f64::from(i) * 0.0013370042);
    let far = (0..4_000).map(|i| 680.0 + f64::from(i) * 0.0234567891);
    exponents.chain(near).chain(far).chain([f64::INFINITY]).flat_map(|x| [x, -x]).collect()
}

fn worst_double(function: Function, x: &[f64], right: &[Exact]) -> Worst {
    let mut worst = Worst(0.0, 0.0);
    for ((x, y), right) in x.iter().zip(function.of(x)).zip(right) {
        worst.see(*x, error(y, *right));
    }
    worst
}

/// The doubles that a function takes, and what it should make of them.
fn cases(function: Function) -> (Vec<f64>, Vec<Exact>) {
    let far = |x: f64| x.abs() > 1000.0;
    let x: Vec<f64> = doubles().into_iter().filter(|x| function.takes(*x)).collect();
    // Beyond 1000 the exact functions, which are made for numbers, would overflow; there the answers are plain.
    let right = x.iter().map(|x| if far(*x) { function.reference(*x).into() } else { function.exact(*x) });
    (x.clone(), right.collect())
}

#[test]
fn double_precision_keeps_its_bound_at_all_exponents() {
    for function in FUNCTIONS {
        let (x, right) = cases(function);
        at_every_level(|level| {
            let Worst(error, x) = worst_double(function, &x, &right);
            assert!(error <= function.bounds().1, "{}: {function:?}({x:e}) is wrong by {error} ulp", level.name());
        });
    }
}

#[test]
fn signs_of_zero_and_nan_are_kept() {
    fn check<T: Scalar>() {
        let nan = T::INFINITY - T::INFINITY;
        for function in FUNCTIONS {
            let y = function.of(&[T::ZERO, -T::ZERO, nan]);
            let right = function.reference(0.0);
            assert!(error(y[0], right.into()) <= 2.0 && error(y[1], right.into()) <= 2.0, "{function:?}(0)");
            if matches!(function, Function::ExpM1Nonpositive | Function::Activation(Activation::Tanh)) {
                assert!(y[1].to_f64().is_sign_negative(), "{function:?}(-0)");
            }
            assert!(y[2].to_f64().is_nan(), "{function:?}(NaN)");
        }
    }
    at_every_level(|_| {
        check::<f32>();
        check::<f64>();
    });
}

#[test]
fn flushed_denormals_cost_a_rounding_at_most() {
    at_every_level(|_| {
        for function in FUNCTIONS {
            let x: Vec<f32> = (0..u32::MAX).step_by(65_521).map(f32::from_bits).collect();
            let x: Vec<f32> = x.into_iter().filter(|x| x.is_normal() && function.takes(f64::from(*x))).collect();
            let plain = function.of(&x);
            let flushed = {
                let _flush = FlushDenormals::new();
                function.of(&x)
            };
            for ((x, a), b) in x.iter().zip(plain).zip(flushed) {
                assert!(
                    a == b || (a - b).abs() <= 2.0 * f32::MIN_POSITIVE + f32::EPSILON * a.abs(),
                    "{function:?}({x:e}): {a:e} or {b:e}"
                );
            }
        }
    });
}

/// Not run by default: it visits every third float that is neither tiny nor beyond the ends, and prints the table of
/// docs/kernels.md. `cargo test --no-default-features --release -- --ignored --nocapture the_largest_errors`
#[test]
#[ignore = "takes minutes"]
fn the_largest_errors() {
    for function in FUNCTIONS {
        let (x, right) = cases(function);
        at_every_level(|level| {
            let mut single = sweep_single(function, 0, u32::MAX, 4999);
            for sign in [0, 1 << 31] {
                let (from, to) = ((2f32.powi(-13)).to_bits(), 120f32.to_bits());
                let Worst(error, x) = sweep_single(function, from | sign, to | sign, 3);
                single.see(x, error);
            }
            let double = worst_double(function, &x, &right);
            println!(
                "{:9} {function:?}: float32 {:.3} at {:e}, float64 {:.3} at {:e}",
                level.name(),
                single.0,
                single.1,
                double.0,
                double.1
            );
            let bounds = function.bounds();
            assert!(single.0 <= bounds.0 && double.0 <= bounds.1, "{function:?} breaks its bound");
        });
    }
}
