use super::{Activation, Init};
use crate::scalar::Scalar;
use crate::simd::at_every_level;

/// From -12 to 12 in uneven steps, which are exact in single precision and never 0.
fn grid() -> Vec<f64> {
    (0..1001).map(|i| ((i - 500) as f64 + 0.25) * 3.0 / 128.0).collect()
}

fn cast<T: Scalar>(x: &[f64]) -> Vec<T> {
    x.iter().map(|x| T::from_f64(*x)).collect()
}

fn forward<T: Scalar>(activation: Activation, z: &[T]) -> Vec<T> {
    let mut a = z.to_vec();
    activation.forward_in_place(&mut a);
    a
}

/// da/dz
fn slope<T: Scalar>(activation: Activation, z: &[T]) -> Vec<T> {
    let mut d = vec![T::ONE; z.len()];
    let a = forward(activation, z);
    activation.backward(if activation.needs_input() { z } else { &a }, &mut d);
    d
}

#[test]
fn values_are_those_of_the_formulas() {
    let z = grid();
    let softplus = |z: f64| z.exp().ln_1p();
    let elu = |z: f64| if z > 0.0 { z } else { z.exp_m1() };
    for activation in Activation::ALL {
        let formula: &dyn Fn(f64) -> f64 = match activation {
            Activation::Identity => &|z| z,
            Activation::Relu => &|z: f64| z.max(0.0),
            Activation::LeakyRelu => &|z: f64| z.max(0.01 * z),
            Activation::Elu => &elu,
            Activation::Selu => &|z: f64| 1.0507009873554805 * if z > 0.0 { z } else { 1.6732632423543772 * elu(z) },
            // Checked against double-double numbers beside `math::gelu`; here against its differential equation below.
            Activation::Gelu => continue,
            Activation::Silu => &|z: f64| z / (1.0 + (-z).exp()),
            Activation::Mish => &|z: f64| z * softplus(z).tanh(),
            Activation::Tanh => &f64::tanh,
            Activation::Sigmoid => &|z: f64| 1.0 / (1.0 + (-z).exp()),
            Activation::Softplus => &softplus,
        };
        for ((z, a), narrow) in z.iter().zip(forward(*activation, &z)).zip(forward::<f32>(*activation, &cast(&z))) {
            let want = formula(*z);
            assert!((a - want).abs() <= 1e-14 * want.abs().max(1.0), "{activation:?}({z}): {a}, should be {want}");
            assert!((narrow as f64 - want).abs() <= 2e-7 * want.abs(), "{activation:?}({z}): {narrow}, {want}");
        }
    }
    // The values of torch.nn.functional.gelu.
    let gelu = forward(Activation::Gelu, &[-1.0, 0.5, 2.0]);
    for (a, want) in gelu.iter().zip([-0.15865525393145707, 0.34573123063700656, 1.9544997361036416]) {
        assert!((a - want).abs() < 1e-15);
    }
}

#[test]
fn slopes_are_those_of_finite_differences() {
    let z = grid();
    let h = 1e-5;
    for activation in Activation::ALL {
        let up = forward(*activation, &z.iter().map(|z| z + h).collect::<Vec<_>>());
        let down = forward(*activation, &z.iter().map(|z| z - h).collect::<Vec<_>>());
        let (wide, narrow) = (slope(*activation, &z), slope::<f32>(*activation, &cast(&z)));
        for (i, z) in z.iter().enumerate() {
            let want = (up[i] - down[i]) / (2.0 * h);
            assert!((wide[i] - want).abs() < 1e-8, "{activation:?}'({z}): {}, should be {want}", wide[i]);
            assert!((narrow[i] as f64 - wide[i]).abs() < 5e-7, "{activation:?}'({z}): {}, {}", narrow[i], wide[i]);
        }
    }
}

#[test]
fn backward_multiplies() {
    let z = grid();
    let saved: Vec<f64> = z.iter().map(|z| z * 0.05 + 0.5).collect();
    for activation in Activation::ALL {
        let (mut once, mut thrice) = (vec![1.0; z.len()], vec![3.0; z.len()]);
        activation.backward(&saved, &mut once);
        activation.backward(&saved, &mut thrice);
        assert!(once.iter().zip(&thrice).all(|(a, b)| (3.0 * a - b).abs() <= 1e-15 * b.abs()), "{activation:?}");
    }
}

#[test]
fn the_ends_are_the_limits_and_nan_shows() {
    fn check<T: Scalar>() {
        let infinity = T::INFINITY;
        let largest = T::from_f64(if T::NAME == "float32" { f32::MAX as f64 } else { f64::MAX });
        let nan = infinity - infinity;
        for activation in Activation::ALL {
            let (low, low_slope, high, high_slope) = match activation {
                Activation::Identity => (-infinity, 1.0, infinity, 1.0),
                Activation::LeakyRelu => (-infinity, 0.01, infinity, 1.0),
                Activation::Elu => (-T::ONE, 0.0, infinity, 1.0),
                Activation::Selu => (T::from_f64(-1.7580993408473768), 0.0, infinity, 1.0507009873554805),
                Activation::Tanh => (-T::ONE, 0.0, T::ONE, 0.0),
                Activation::Sigmoid => (T::ZERO, 0.0, T::ONE, 0.0),
                _ => (T::ZERO, 0.0, infinity, 1.0),
            };
            let a = forward(*activation, &[-infinity, infinity, nan]);
            assert_eq!(a[..2], [low, high], "{activation:?}");
            assert!(a[2].to_f64().is_nan(), "{activation:?} hides a NaN");
            for far in [infinity, largest] {
                let d = slope(*activation, &[-far, far]);
                assert_eq!(d[..2], cast::<T>(&[low_slope, high_slope]), "the slope of {activation:?}");
            }
        }
    }
    at_every_level(|_| {
        check::<f32>();
        check::<f64>();
    });
}

#[test]
fn a_value_does_not_depend_on_its_place() {
    fn check<T: Scalar>() {
        let z: Vec<T> = cast(&grid());
        for activation in Activation::ALL {
            let (a, d) = (forward(*activation, &z), slope(*activation, &z));
            for i in 0..z.len() {
                assert_eq!(forward(*activation, &z[i..=i]), a[i..=i], "{activation:?}");
                assert_eq!(slope(*activation, &z[i..=i]), d[i..=i], "the slope of {activation:?}");
            }
            for from in 1..40 {
                assert_eq!(forward(*activation, &z[from..]), a[from..], "{activation:?}");
                assert_eq!(slope(*activation, &z[from..]), d[from..], "the slope of {activation:?}");
            }
            let mut out = vec![T::ZERO; z.len()];
            activation.forward(&z, &mut out);
            assert_eq!(out, a);
        }
    }
    at_every_level(|_| {
        check::<f32>();
        check::<f64>();
    });
}

#[test]
fn names_lead_back_and_initialisation_follows_the_function() {
    for activation in Activation::ALL {
        assert_eq!(Activation::from_name(activation.name()), Some(*activation));
    }
    assert_eq!(Activation::from_name("swish"), None);
    assert_eq!(Activation::Relu.init(), Init::He);
    assert_eq!(Activation::Selu.init(), Init::LeCun);
    assert_eq!(Activation::Tanh.init(), Init::Glorot);
}
