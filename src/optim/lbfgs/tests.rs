//! Functions whose minima are known.

use super::{Lbfgs, Progress, Reason, Settings, Wolfe};
use crate::error::Error;
use crate::scalar::Scalar;
use crate::simd::hold_level;

/// Minimises and returns the solver, the reason and the number of evaluations.
fn run<T: Scalar>(
    settings: Settings,
    start: &[f64],
    f: impl Fn(&[f64]) -> (f64, Vec<f64>),
) -> (Lbfgs<T>, Reason, usize) {
    let mut solver = Lbfgs::new(settings, start.iter().map(|&x| T::from_f64(x)).collect()).unwrap();
    for evaluations in 1..10_000 {
        let point: Vec<f64> = solver.point().iter().map(|x| x.to_f64()).collect();
        let (value, gradient) = f(&point);
        let gradient: Vec<T> = gradient.into_iter().map(T::from_f64).collect();
        let before = solver.value();
        match solver.tell(T::from_f64(value).to_f64(), &gradient).unwrap() {
            Progress::Stopped(reason) => return (solver, reason, evaluations),
            Progress::Stepped => assert!(solver.value() <= before + 1e-5 * before.abs(), "each step descends"),
            Progress::Searching => {}
        }
    }
    panic!("no end");
}

fn rosenbrock(x: &[f64]) -> (f64, Vec<f64>) {
    let mut gradient = vec![0.0; x.len()];
    let mut value = 0.0;
    for i in 0..x.len() - 1 {
        let (a, b) = (1.0 - x[i], x[i + 1] - x[i] * x[i]);
        value += a * a + 100.0 * b * b;
        gradient[i] -= 2.0 * a + 400.0 * b * x[i];
        gradient[i + 1] += 200.0 * b;
    }
    (value, gradient)
}

#[test]
fn rosenbrock_in_2_and_100_dimensions() {
    // L-BFGS-B in SciPy 1.17 takes 46 and 623 evaluations.
    for (n, most) in [(2, 60), (100, 700)] {
        let start: Vec<f64> = (0..n).map(|i| if i % 2 == 0 { -1.2 } else { 1.0 }).collect();
        let (solver, reason, evaluations) = run::<f64>(Settings::default(), &start, rosenbrock);
        assert_eq!(reason, Reason::Gradient, "{n} dimensions");
        assert!(evaluations < most, "{n} dimensions: {evaluations} evaluations");
        if n == 2 {
            assert!(solver.x().iter().all(|x| (x - 1.0).abs() < 1e-8), "{:?}", solver.x());
        }
    }
}

#[test]
fn single_precision_stops_at_its_own_limit() {
    let (solver, reason, evaluations) = run::<f32>(Settings::default(), &[-1.2, 1.0], rosenbrock);
    assert!(solver.x().iter().all(|x| (x - 1.0).abs() < 1e-3), "{:?}", solver.x());
    assert!(matches!(reason, Reason::Change | Reason::Gradient | Reason::NoDescent));
    assert!(evaluations < 120, "{evaluations} evaluations");
}

#[test]
fn an_ill_conditioned_quadratic() {
    let curvature = |i: usize| 10f64.powi(i as i32 - 3);
    let (solver, _, evaluations) = run::<f64>(Settings::default(), &[3.0; 7], |x| {
        let gradient: Vec<f64> = x.iter().enumerate().map(|(i, x)| curvature(i) * (x - 1.0)).collect();
        (x.iter().zip(&gradient).map(|(x, g)| 0.5 * (x - 1.0) * g).sum(), gradient)
    });
    assert!(solver.gradient().iter().all(|g| g.abs() <= 1e-8));
    // L-BFGS-B in SciPy 1.17 takes 89.
    assert!(evaluations < 110, "{evaluations} evaluations");
}

#[test]
fn a_run_that_resumes_goes_on_to_the_same_bits() {
    let _level = hold_level();
    let whole = run::<f64>(Settings::default(), &[-1.2, 1.0], rosenbrock);
    for stop_after in [1, 2, 7, 20, 33] {
        let mut solver = Lbfgs::new(Settings::default(), vec![-1.2, 1.0]).unwrap();
        for _ in 0..stop_after {
            let (value, gradient) = rosenbrock(solver.point());
            solver.tell(value, &gradient).unwrap();
        }
        let mut solver = Lbfgs::resume(Settings::default(), solver.state().unwrap().unwrap()).unwrap();
        while !matches!(
            {
                let (value, gradient) = rosenbrock(solver.point());
                solver.tell(value, &gradient).unwrap()
            },
            Progress::Stopped(_)
        ) {}
        assert_eq!((solver.x(), solver.value()), (whole.0.x(), whole.0.value()), "{stop_after}");
    }
}

#[test]
fn recovers_from_values_and_gradients_that_are_not_finite() {
    // Undefined for x <= 0, where the first steps lead; minimum at 1e-3.
    let (solver, reason, _) = run::<f64>(Settings::default(), &[5.0, 40.0], |x| {
        let value = x.iter().map(|x| x - 1e-3 * x.ln()).sum();
        (value, x.iter().map(|x| if *x > 0.0 { 1.0 - 1e-3 / x } else { f64::INFINITY }).collect())
    });
    assert!(matches!(reason, Reason::Gradient | Reason::Change), "{reason:?}");
    assert!(solver.x().iter().all(|x| (x - 1e-3).abs() < 1e-8), "{:?}", solver.x());
}

#[test]
fn a_start_that_is_not_finite_is_reported() {
    let (solver, reason, evaluations) = run::<f64>(Settings::default(), &[2.0], |_| (f64::NAN, vec![1.0]));
    assert_eq!((reason, evaluations, solver.x()), (Reason::NonFinite, 1, &[2.0][..]));
}

#[test]
fn a_start_at_the_minimum_is_the_answer() {
    let (solver, reason, evaluations) = run::<f64>(Settings::default(), &[1.0, 1.0], rosenbrock);
    assert_eq!((reason, evaluations, solver.x()), (Reason::Gradient, 1, &[1.0, 1.0][..]));
    let (_, reason, _) = run::<f64>(Settings::default(), &[], |_| (0.0, vec![]));
    assert_eq!(reason, Reason::Gradient);
}

#[test]
fn a_gradient_that_points_uphill_ends_the_search() {
    let (solver, reason, _) = run::<f64>(Settings::default(), &[1.0], |x| (x[0] * x[0], vec![-2.0 * x[0]]));
    assert_eq!((reason, solver.x()), (Reason::NoDescent, &[1.0][..]));
}

#[test]
fn settings_are_checked() {
    let fault = |settings| match Lbfgs::<f64>::new(settings, vec![0.0]) {
        Err(Error::Value(fault)) => fault.argument,
        other => panic!("{other:?}"),
    };
    let good = Settings::default();
    assert_eq!(fault(Settings { history_size: 0, ..good }), "history_size");
    assert_eq!(fault(Settings { tolerance_grad: -1.0, ..good }), "tolerance_grad");
    assert_eq!(fault(Settings { tolerance_change: f64::NAN, ..good }), "tolerance_change");
    assert_eq!(fault(Settings { wolfe: Wolfe { c1: 0.0, ..good.wolfe }, ..good }), "c1");
    assert_eq!(fault(Settings { wolfe: Wolfe { c2: 1e-5, ..good.wolfe }, ..good }), "c2");
    assert_eq!(fault(Settings { wolfe: Wolfe { max_probes: 0, ..good.wolfe }, ..good }), "max_line_search");
}
