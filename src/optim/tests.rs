//! What holds for every rule.

use super::driver::step;
use super::options::{Convention, Value};
use super::rule::{Over, SPECS};
use super::schedule::Schedule;
use super::{Config, Optimizer, Slices};
use crate::error::Error;
use crate::scalar::Scalar;
use crate::simd::hold_level;

/// Numbers that look random, in (-1, 1).
fn noise(n: usize, seed: u64) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    };
    (0..n).map(|_| next()).collect()
}

fn cast<T: Scalar>(values: &[f64]) -> Vec<T> {
    values.iter().map(|&x| T::from_f64(x)).collect()
}

/// Every class in every convention, alone and with everything around it.
fn all() -> Vec<Config> {
    let conventions = [Convention::Lecture, Convention::Torch, Convention::Optax, Convention::Keras];
    let plain = SPECS.iter().flat_map(|spec| conventions.map(|c| Config::new(spec.name, c).unwrap()));
    plain
        .flat_map(|config| {
            let full = [("weight_decay", Value::Number(0.1)), ("clip_norm", Value::Number(2.0))];
            let full = full.iter().fold(config.clone(), |config, (name, value)| config.with(name, *value).unwrap());
            let coupled = full.clone().with("decay", Value::Choice("coupled")).unwrap();
            [config, full, coupled]
        })
        .collect()
}

/// The parameters after three steps on tensors of these sizes, as one vector.
fn run<T: Scalar>(config: &Config, sizes: &[usize], threads: usize) -> Vec<T> {
    let len = sizes.iter().sum();
    let mut optimizer = Optimizer::<T>::new(config, sizes).unwrap();
    let mut params = cast::<T>(&noise(len, 1));
    for seed in 2..5 {
        let grads = cast::<T>(&noise(len, seed));
        let (mut p, mut g, mut pairs) = (&mut params[..], &grads[..], vec![]);
        for &size in sizes {
            let (params, later_params) = p.split_at_mut(size);
            let (grads, later_grads) = g.split_at(size);
            pairs.push((params, grads));
            (p, g) = (later_params, later_grads);
        }
        assert!(!step(&mut optimizer, Slices::new(pairs), threads).unwrap());
    }
    params
}

#[test]
fn a_list_of_tensors_on_any_number_of_threads_equals_one_flat_vector() {
    let _level = hold_level();
    let sizes = [1, 0, 70_000, 3, 1023, 40_000];
    let flat = [sizes.iter().sum()];
    for config in all() {
        let per_tensor = config.rule().sums() == Over::Tensor;
        let expected = run::<f32>(&config, if per_tensor { &sizes } else { &flat }, 1);
        assert!(expected.iter().all(|x| x.is_finite()));
        for threads in [1, 2, 3] {
            assert!(run::<f32>(&config, &sizes, threads) == expected, "{config:?}, {threads} threads");
        }
        let flat = if per_tensor { &sizes[..] } else { &flat };
        assert!(run::<f64>(&config, &sizes, 2) == run::<f64>(&config, flat, 1), "{config:?}, float64");
    }
}

#[test]
fn each_class_descends() {
    for config in all() {
        let mut optimizer = Optimizer::<f64>::new(
            &config.clone().with_lr(if config.spec().name == "Prodigy" { 1.0 } else { 0.01 }).unwrap(),
            &[2],
        )
        .unwrap();
        let mut p = [1.0, -2.0];
        for _ in 0..200 {
            let g = p;
            step(&mut optimizer, Slices::new([(&mut p[..], &g[..])]), 1).unwrap();
        }
        assert!(p[0].hypot(p[1]) < 2.234, "{config:?} went to {p:?}");
    }
}

#[test]
fn a_gradient_that_is_not_finite_changes_nothing_or_is_counted() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for clip in [Value::Nothing, Value::Number(1.0)] {
            let config = Config::new("Adam", Convention::Lecture).unwrap().with("clip_norm", clip).unwrap();
            let mut p = [1.0f32; 5];
            let g = [0.5, 0.5, bad, 0.5, 0.5];
            let mut optimizer = Optimizer::new(&config, &[2, 3]).unwrap();
            let (a, b) = p.split_at_mut(2);
            let refused = step(&mut optimizer, Slices::new([(a, &g[..2]), (b, &g[2..])]), 1);
            assert_eq!(refused, Err(Error::NonFinite { place: "gradient 1".into(), step: 1 }));
            assert_eq!((optimizer.step_count(), &p[..]), (0, &[1.0; 5][..]));

            optimizer.set_group(0, config.clone().with("nonfinite", Value::Choice("skip")).unwrap());
            assert_eq!(step(&mut optimizer, Slices::new([(&mut p[..], &g[..])]), 1), Ok(true));
            assert_eq!((optimizer.step_count(), optimizer.counts().skipped, &p[..]), (0, 1, &[1.0; 5][..]));
            assert!(optimizer.slots().iter().flat_map(|slot| slot.iter()).all(|&x| x == 0.0));

            optimizer.set_group(0, config.with("nonfinite", Value::Choice("ignore")).unwrap());
            assert_eq!(step(&mut optimizer, Slices::new([(&mut p[..], &g[..])]), 1), Ok(false));
            assert!(p[0] < 1.0);
        }
    }
}

#[test]
fn clipping_uses_the_norm_of_all_gradients_even_where_squares_overflow() {
    let config = Config::new("SGD", Convention::Lecture).unwrap().with_lr(1.0).unwrap();
    let config = config.with("clip_norm", Value::Number(1.0)).unwrap();
    let mut optimizer = Optimizer::new(&config, &[1, 1]).unwrap();
    let (mut a, mut b) = ([0.0], [0.0]);
    step(&mut optimizer, Slices::new([(&mut a[..], &[3e200][..]), (&mut b[..], &[4e200][..])]), 1).unwrap();
    assert!((a[0] + 0.6f64).abs() < 1e-15 && (b[0] + 0.8f64).abs() < 1e-15, "{a:?} {b:?}");
}

#[test]
fn groups_have_their_own_options_and_state() {
    let plain = Config::new("SGD", Convention::Torch).unwrap().with_lr(1.0).unwrap();
    let heavy = plain.clone().with("momentum", Value::Number(0.5)).unwrap();
    let mut optimizer = Optimizer::with_groups(vec![plain, heavy], &[1, 1], &[0, 1]).unwrap();
    let (mut a, mut b) = ([0.0], [0.0]);
    for _ in 0..2 {
        step(&mut optimizer, Slices::new([(&mut a[..], &[1.0][..]), (&mut b[..], &[1.0][..])]), 1).unwrap();
    }
    assert_eq!((a, b), ([-2.0], [-2.5]));
    assert_eq!(optimizer.slots().len(), 1);
    assert_eq!(optimizer.slots()[0][..], [0.0, 1.5]);
}

#[test]
fn the_schedule_is_read_at_the_number_of_steps_taken() {
    let schedule = Schedule::form("step", &[1.0, 1.0, 0.5]).unwrap();
    let config = Config::new("SGD", Convention::Lecture).unwrap().with_schedule(schedule);
    let mut optimizer = Optimizer::new(&config, &[1]).unwrap();
    let mut p = [0.0];
    for expected in [-1.0, -1.5, -1.75] {
        step(&mut optimizer, Slices::new([(&mut p[..], &[1.0][..])]), 1).unwrap();
        assert_eq!(p, [expected]);
    }
    assert_eq!(optimizer.lr(0), Ok(0.125));
}

#[test]
fn options_that_are_wrong_are_named() {
    let config = Config::new("Adam", Convention::Lecture).unwrap();
    let message = |name, value| config.clone().with(name, value).unwrap_err().to_string();
    assert_eq!(message("eps", Value::Number(-1.0)), "eps must be a finite number >= 0, got -1.0");
    assert_eq!(message("betas", Value::Pair(0.9, 1.0)), "betas must be two finite numbers in [0, 1), got (0.9, 1.0)");
    assert_eq!(message("amsgrad", Value::Number(1.0)), "amsgrad must be True or False, got 1.0");
    assert!(message("momentun", Value::Nothing).starts_with("option of Adam must be one of betas, eps"));
    assert!(Config::new("Adamm", Convention::Lecture).unwrap_err().to_string().contains("one of: sgd, "));
}
