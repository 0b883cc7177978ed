//! What holds for every rule.

use super::driver::step;
use super::options::{Convention, NonFinite, Options, Value};
use super::registry::{SPECS, spec};
use super::rule::SumScope;
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
        let per_tensor = config.rule().sum_scope() == SumScope::Tensor;
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
            assert_eq!(refused, Err(Error::NonFinite { place: "gradient 1".into(), step: 1, epoch: None }));
            assert_eq!((optimizer.step_count(), &p[..]), (0, &[1.0; 5][..]));

            optimizer.set_group(0, config.clone().with("nonfinite", Value::Choice("skip")).unwrap()).unwrap();
            assert_eq!(step(&mut optimizer, Slices::new([(&mut p[..], &g[..])]), 1), Ok(true));
            assert_eq!((optimizer.step_count(), optimizer.counts().skipped, &p[..]), (0, 1, &[1.0; 5][..]));
            assert!(optimizer.slots().iter().flat_map(|slot| slot.iter()).all(|&x| x == 0.0));

            optimizer.set_group(0, config.with("nonfinite", Value::Choice("ignore")).unwrap()).unwrap();
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
    assert!(message("momentun", Value::Nothing).starts_with("option of Adam must be one of lr, betas, eps"));
    assert!(message("weigth_decay", Value::Nothing).ends_with("got \"weigth_decay\": did you mean \"weight_decay\"?"));
    assert!(Config::new("Adamm", Convention::Lecture).unwrap_err().to_string().contains("one of: sgd, "));
}

#[test]
fn every_class_reads_its_options_in_every_convention() {
    // A name or a kind that a rule gets wrong panics here.
    assert_eq!(all().len(), SPECS.len() * 4 * 3);
    let misread: [fn(&Options); 6] = [
        |options| _ = options.number("momentun"),
        |options| _ = options.number("clip_norm"),
        |options| _ = options.optional("eps"),
        |options| _ = options.flag("betas"),
        |options| _ = options.pair("maximize"),
        |options| _ = options.choice::<NonFinite>("decay"),
    ];
    for read in misread {
        let options = Options::new(spec("adam").unwrap(), Convention::Lecture);
        let panic = std::panic::catch_unwind(|| read(&options)).unwrap_err();
        assert!(panic.downcast_ref::<String>().unwrap().contains("Adam"));
    }
}

/// One step on tensors that lie one after the other in `params` and `grads`.
fn step_flat(optimizer: &mut Optimizer<f64>, params: &mut [f64], grads: &[f64], threads: usize) -> bool {
    let (mut params, mut pairs) = (params, vec![]);
    for tensor in 0..optimizer.tensors() {
        let range = optimizer.range(tensor);
        let (own, later) = params.split_at_mut(range.len());
        pairs.push((own, &grads[range]));
        params = later;
    }
    step(optimizer, Slices::new(pairs), threads).unwrap()
}

#[test]
fn a_frozen_group_stays_as_it_is_and_its_gradients_do_not_matter() {
    let _level = hold_level();
    let sizes = [40_000, 3, 70_000, 0, 20_000];
    let group_of = [1, 0, 0, 1, 1];
    let len: usize = sizes.iter().sum();
    for config in all().into_iter().filter(|config| config.options().convention() == Convention::Lecture) {
        for around in [("accumulate", Value::Count(2)), ("clip_tensor_norm", Value::Number(0.1))] {
            let config = config.clone().with(around.0, around.1).unwrap();
            let frozen = config.clone().with_lr(0.0).unwrap();
            let make = || {
                let mut optimizer =
                    Optimizer::<f64>::with_groups(vec![config.clone(), frozen.clone()], &sizes, &group_of).unwrap();
                optimizer.slots_mut().iter_mut().for_each(|slot| slot[..40_000].fill(0.5));
                optimizer
            };
            let (mut one, mut two) = (make(), make());
            let (mut params, mut others) = (noise(len, 1), noise(len, 1));
            for seed in 2..6 {
                let mut grads = noise(len, seed);
                grads[..40_000].fill(f64::NAN);
                grads[110_003..].fill(f64::INFINITY);
                assert!(!step_flat(&mut one, &mut params, &grads, 1));
                grads[..40_000].fill(1e3);
                grads[110_003..].fill(-1e3);
                assert!(!step_flat(&mut two, &mut others, &grads, 2));
            }
            assert!(params == others && params[40_000..110_003] != noise(len, 1)[40_000..110_003], "{config:?}");
            assert!(params[..40_000] == noise(len, 1)[..40_000] && params[110_003..] == noise(len, 1)[110_003..]);
            // What a frozen group was to gather is dropped with the round.
            let kept = one.slot_names().iter().zip(one.slots()).filter(|(name, _)| **name != "gathered");
            assert!(kept.into_iter().all(|(_, slot)| slot[..40_000].iter().all(|&x| x == 0.5)));
            assert_eq!(one.step_count(), if around.0 == "accumulate" { 2 } else { 4 });
            let starts: Vec<_> = frozen.rule().memory();
            assert_eq!(one.memory(1).collect::<Vec<_>>(), starts);
        }
    }
}

#[test]
fn a_group_that_thaws_begins_as_if_it_was_new() {
    let _level = hold_level();
    let around = [("lookahead", Value::Count(2)), ("ema", Value::Number(0.9))];
    for config in all() {
        let config = around.iter().fold(config, |config, (name, value)| config.with(name, *value).unwrap());
        let frozen = config.clone().with("lr_factor", Value::Number(0.0)).unwrap();
        // Norms are of both tensors: they are clipped one by one where that is possible.
        let one_by_one = |config: Config| {
            let config = config.with("clip_norm", Value::Nothing).unwrap();
            config.with("clip_tensor_norm", Value::Number(0.5)).unwrap()
        };
        let (config, frozen) = (one_by_one(config), one_by_one(frozen));
        let mut thawing = Optimizer::<f64>::with_groups(vec![frozen, config.clone()], &[5, 5], &[0, 1]).unwrap();
        let mut new = Optimizer::<f64>::new(&config, &[5]).unwrap();
        let (mut params, mut expected) = (noise(10, 1), noise(10, 1)[..5].to_vec());
        for seed in 2..5 {
            step_flat(&mut thawing, &mut params, &noise(10, seed), 1);
        }
        let mut average = [0.0; 5];
        assert!(thawing.averaged(0, &params[..5], &mut average) && average == expected[..]);
        // A state that is saved and loaded in between knows it, too.
        let mut resumed = Optimizer::<f64>::with_groups(thawing.groups().to_vec(), &[5, 5], &[0, 1]).unwrap();
        resumed.slots_mut().iter_mut().zip(thawing.slots()).for_each(|(to, from)| to.copy_from_slice(from));
        for group in 0..2 {
            let memory: Vec<_> = thawing.memory(group).map(|(_, x)| x).collect();
            resumed.memory_mut(group).copy_from_slice(&memory);
        }
        resumed.resume(thawing.counts(), &[0, 1].map(|group| thawing.progress(group)));
        resumed.set_group(0, config.clone()).unwrap();
        for seed in 5..9 {
            step_flat(&mut resumed, &mut params, &noise(10, seed), 1);
            step_flat(&mut new, &mut expected, &noise(10, seed)[..5], 1);
        }
        assert_eq!(params[..5], expected[..], "{config:?}");
        let frozen = [0, 1].map(|group| resumed.progress(group).frozen_steps);
        assert_eq!((resumed.step_count(), frozen), (7, [3, 0]));
    }
}

#[test]
fn a_factor_multiplies_the_scheduled_rate_and_only_a_constant_zero_freezes() {
    let schedule = Schedule::form("linear", &[1.0, 2.0, 0.0]).unwrap();
    let config = Config::new("SGD", Convention::Lecture).unwrap().with_schedule(schedule);
    let config = config.with("weight_decay", Value::Number(0.5)).unwrap();
    let config = config.with("decay", Value::Choice("independent")).unwrap();
    let tenth = config.clone().with("lr_factor", Value::Number(0.125)).unwrap();
    let mut optimizer = Optimizer::with_groups(vec![config, tenth], &[1, 1], &[0, 1]).unwrap();
    let mut params = [0.0, 0.0];
    for (expected, lr) in [([-1.0, -0.125], 0.125), ([-1.0, -0.125], 0.0625), ([-0.5, -0.0625], 0.0)] {
        assert_eq!(optimizer.lr(1), Ok(lr));
        step_flat(&mut optimizer, &mut params, &[1.0, 1.0], 1);
        assert_eq!(params, expected);
    }
    assert!(!optimizer.is_frozen(0) && !optimizer.is_frozen(1));
    assert!(Config::new("SGD", Convention::Lecture).unwrap().with("lr_factor", Value::Number(-0.1)).is_err());
}

#[test]
fn a_state_array_that_waits_for_the_parameters_still_does_after_another_change() {
    let config = Config::new("SGD", Convention::Lecture).unwrap().with_lr(1.0).unwrap();
    let mut optimizer = Optimizer::new(&config, &[1]).unwrap();
    let mut params = [4.0];
    step_flat(&mut optimizer, &mut params, &[0.0], 1);
    let config = config.with("lookahead", Value::Count(1)).unwrap();
    optimizer.set_group(0, config.clone()).unwrap();
    optimizer.set_group(0, config.with_lr(2.0).unwrap()).unwrap();
    step_flat(&mut optimizer, &mut params, &[1.0], 1);
    assert_eq!(params, [3.0]);
}
