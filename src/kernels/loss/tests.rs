use super::{Link, Loss, LossRows, Reduction, TargetKind, Targets};
use crate::scalar::Scalar;
use crate::simd::at_every_level;

/// The loss of that name.
fn named(name: &str) -> Loss {
    Loss::from_name(name).unwrap()
}

/// Every loss, and parameters other than the defaults, and labels that are smoothed.
fn losses() -> Vec<Loss> {
    let mut all = Loss::ALL.to_vec();
    all.extend(["cross_entropy", "binary_cross_entropy"].map(|name| named(name).with_smoothing(0.2).unwrap()));
    all.extend([named("huber").with_parameter(0.3).unwrap(), named("quantile").with_parameter(0.9).unwrap()]);
    all
}

/// Numbers between -1 and 1 that look random.
fn noise(len: usize, seed: u64) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

fn cast<T: Scalar>(x: &[f64]) -> Vec<T> {
    x.iter().map(|x| T::from_f64(*x)).collect()
}

fn assert_near(got: f64, want: f64, tolerance: f64, what: &str) {
    assert!((got - want).abs() <= tolerance * want.abs().max(1.0), "{what}: {got} but should be {want}");
}

/// A batch with gaps between its rows, which hold `GAP`.
struct Batch {
    outputs: usize,
    stride: usize,
    z: Vec<f64>,
    classes: Vec<u32>,
    values: Vec<f64>,
    weights: Vec<f64>,
}

const GAP: f64 = 77.0;

impl Batch {
    fn new(rows: usize, outputs: usize, gap: usize) -> Self {
        let stride = outputs + gap;
        let mut z: Vec<f64> = noise(rows * stride, 1).iter().map(|z| 3.0 * z).collect();
        for row in z.chunks_mut(stride) {
            row[outputs..].fill(GAP);
        }
        Batch {
            outputs,
            stride,
            z,
            classes: (0..rows).map(|row| (row * 7 % outputs) as u32).collect(),
            values: noise(rows * outputs, 2).iter().map(|y| y.abs()).collect(),
            weights: noise(rows, 3).iter().map(|w| w.abs() + 0.1).collect(),
        }
    }

    fn rows(&self) -> usize {
        self.classes.len()
    }

    /// Row losses and gradient, of the classes or of the values.
    fn gradient<T: Scalar>(&self, loss: Loss, classes: bool, scale: f64) -> (Vec<f64>, Vec<T>) {
        let (mut z, values) = (cast::<T>(&self.z), cast::<T>(&self.values));
        let targets = if classes { Targets::Classes(&self.classes) } else { Targets::Values(&values) };
        let mut row_loss = vec![0.0; self.rows()];
        let weights = cast(&self.weights);
        let scale = T::from_f64(scale);
        loss.gradient(&mut z, scale, self.loss_rows(targets, &weights, &mut row_loss));
        (row_loss, z)
    }

    fn value<T: Scalar>(&self, loss: Loss, classes: bool) -> Vec<f64> {
        let (z, values) = (cast::<T>(&self.z), cast::<T>(&self.values));
        let targets = if classes { Targets::Classes(&self.classes) } else { Targets::Values(&values) };
        let mut row_loss = vec![0.0; self.rows()];
        loss.value(&z, self.loss_rows(targets, &cast(&self.weights), &mut row_loss));
        row_loss
    }

    fn loss_rows<'a, T>(&self, targets: Targets<'a, T>, weights: &'a [T], row_loss: &'a mut [f64]) -> LossRows<'a, T> {
        let (outputs, stride) = (self.outputs, self.stride);
        LossRows { outputs, stride, targets, weights: Some(weights), output_weights: None, row_loss }
    }

    /// The rows `from..` as a batch of their own.
    fn tail(&self, from: usize) -> Self {
        Batch {
            outputs: self.outputs,
            stride: self.stride,
            z: self.z[from * self.stride..].to_vec(),
            classes: self.classes[from..].to_vec(),
            values: self.values[from * self.outputs..].to_vec(),
            weights: self.weights[from..].to_vec(),
        }
    }
}

/// Rows without gaps or weights.
fn without_weights<'a, T>(outputs: usize, targets: Targets<'a, T>, row_loss: &'a mut [f64]) -> LossRows<'a, T> {
    LossRows { outputs, stride: outputs, targets, weights: None, output_weights: None, row_loss }
}

/// One row, no weight.
fn one<T: Scalar>(loss: Loss, z: &[f64], targets: Targets<T>) -> (f64, Vec<f64>) {
    let (mut z, mut row_loss) = (cast::<T>(z), [0.0]);
    let outputs = z.len();
    loss.gradient(&mut z, T::ONE, without_weights(outputs, targets, &mut row_loss));
    (row_loss[0], z.iter().map(|z| z.to_f64()).collect())
}

#[test]
fn the_gradient_is_that_of_finite_differences() {
    for loss in losses() {
        for (outputs, gap) in [(1, 0), (1, 2), (2, 0), (3, 0), (7, 1), (10, 0), (130, 0), (300, 5)] {
            for classes in [true, false] {
                let mut batch = Batch::new(3, outputs, gap);
                let scale = 0.7;
                let (_, gradient) = batch.gradient::<f64>(loss, classes, scale);
                for (at, got) in gradient.into_iter().enumerate() {
                    if at % batch.stride >= outputs {
                        assert_eq!(got, GAP, "{loss:?} wrote between the rows");
                        continue;
                    }
                    let z = batch.z[at];
                    let h = 1e-5;
                    let mut total = |z: f64| -> f64 {
                        batch.z[at] = z;
                        batch.value::<f64>(loss, classes).iter().sum()
                    };
                    let difference = (total(z + h) - total(z - h)) / (2.0 * h) * scale;
                    batch.z[at] = z;
                    assert_near(got, difference, 1e-6, &format!("{loss:?}, {outputs} outputs, at {at}"));
                }
            }
        }
    }
}

#[test]
fn losses_have_the_values_of_their_formulas() {
    let (z, y) = ([1.5, -2.0, 0.25], [0.5, 1.0, 0.25]);
    let term = |f: &dyn Fn(f64, f64) -> f64| -> f64 { z.iter().zip(y).map(|(z, y)| f(*z, y)).sum() };
    let sigmoid = |z: f64| 1.0 / (1.0 + (-z).exp());
    let total: f64 = z.iter().map(|z| z.exp()).sum();
    for (loss, want) in [
        (named("mse"), 10.0 / 3.0),
        (named("sse"), 10.0),
        (named("mae"), 4.0 / 3.0),
        (named("huber").with_parameter(1.0).unwrap(), (0.5 + 2.5) / 3.0),
        (named("huber").with_parameter(2.0).unwrap(), (0.5 + 4.0) / 3.0),
        (named("log_cosh"), (1f64.cosh().ln() + 3f64.cosh().ln()) / 3.0),
        (named("quantile").with_parameter(0.9).unwrap(), (0.1 + 2.7) / 3.0),
        (named("cross_entropy"), term(&|z, y| -y * (z.exp() / total).ln())),
        (named("binary_cross_entropy"), term(&|z, y| -y * sigmoid(z).ln() - (1.0 - y) * (1.0 - sigmoid(z)).ln()) / 3.0),
        (named("poisson"), term(&|z, y| z.exp() - y * z) / 3.0),
    ] {
        assert_near(one::<f64>(loss, &z, Targets::Values(&y)).0, want, 1e-14, loss.name());
        assert_near(one::<f32>(loss, &z, Targets::Values(&cast(&y))).0, want, 1e-6, loss.name());
    }
}

#[test]
fn smoothed_labels_are_those_of_the_formula() {
    let (z, share) = ([0.3, -1.0, 2.0, 0.1], 0.15);
    // The targets that the same loss has without smoothing.
    for (name, aim, other) in [
        ("cross_entropy", 1.0 - share + share / 4.0, share / 4.0),
        ("binary_cross_entropy", 1.0 - share / 2.0, share / 2.0),
    ] {
        let smooth = named(name).with_smoothing(share).unwrap();
        let soft = one::<f64>(named(name), &z, Targets::Values(&[other, other, aim, other]));
        for targets in [Targets::Classes(&[2]), Targets::Values(&[0.0, 0.0, 1.0, 0.0])] {
            let got = one::<f64>(smooth, &z, targets);
            assert_near(got.0, soft.0, 1e-14, name);
            for (a, b) in got.1.iter().zip(&soft.1) {
                assert_near(*a, *b, 1e-14, name);
            }
        }
        let hard = one::<f64>(smooth.with_hard_labels(), &z, Targets::Classes(&[2]));
        assert_eq!(hard, one::<f64>(named(name), &z, Targets::Classes(&[2])));
    }
}

#[test]
fn a_row_is_wrong_where_its_most_probable_classes_are() {
    let errors = |z: &[f64], outputs, targets| {
        let mut wrong = vec![0.0; z.len() / outputs];
        named("mse").errors(z, without_weights(outputs, targets, &mut wrong));
        wrong
    };
    let z = [0.1, 2.0, -1.0, 2.0, 2.0, 1.0, f64::NAN, 0.0, 0.0, 0.0, f64::NAN, 0.0];
    assert_eq!(errors(&z, 3, Targets::Classes(&[1, 0, 0, 2])), [0.0, 0.0, 1.0, 1.0]);
    assert_eq!(errors(&z, 3, Targets::Classes(&[0, 1, 1, 1])), [1.0; 4]);
    let (z, y) = ([0.0, 2.0, -1.0, f64::NAN], [0.5, 1.0, 0.4, 0.0]);
    assert_eq!(errors(&z, 1, Targets::Values(&y)), [0.0, 0.0, 0.0, 1.0]);
    assert_eq!(errors(&z, 2, Targets::Values(&y)), [0.0, 1.0]);
    // The weight of the row, and nothing of what lies between rows.
    let mut wrong = [0.0; 2];
    let weights = Some(&[0.25, 4.0][..]);
    let targets = Targets::Classes(&[0, 0]);
    let rows = LossRows { outputs: 2, stride: 3, targets, weights, output_weights: None, row_loss: &mut wrong };
    named("cross_entropy").errors(&[0.0, 1.0, 9.0, 1.0, 0.0], rows);
    assert_eq!(wrong, [0.25, 0.0]);
}

#[test]
fn only_labels_are_smoothed_and_by_a_share() {
    for loss in Loss::ALL {
        assert_eq!(loss.with_smoothing(0.0), Ok(*loss));
        let takes = matches!(loss.name(), "cross_entropy" | "binary_cross_entropy");
        assert_eq!(loss.with_smoothing(0.5).is_ok(), takes, "{loss:?}");
        for outside in [-0.1, 1.0, f64::NAN, f64::INFINITY] {
            let message = loss.with_smoothing(outside).unwrap_err().to_string();
            assert!(message.contains("label_smoothing"), "{message}");
        }
    }
}

#[test]
fn a_class_is_a_row_with_a_single_one() {
    let z = [0.3, -1.0, 2.0, 0.1];
    for loss in losses() {
        let class = one::<f64>(loss, &z, Targets::Classes(&[2]));
        let row = one::<f64>(loss, &z, Targets::Values(&[0.0, 0.0, 1.0, 0.0]));
        assert_near(class.0, row.0, 1e-15, loss.name());
        for (a, b) in class.1.iter().zip(&row.1) {
            assert_near(*a, *b, 1e-15, loss.name());
        }
    }
}

#[test]
fn predictions_are_what_the_loss_is_least_for() {
    for (outputs, gap) in [(1, 0), (3, 2), (10, 0), (200, 0), (300, 7)] {
        let batch = Batch::new(9, outputs, gap);
        for loss in losses() {
            let mut p = batch.z.clone();
            loss.link_in_place(&mut p, outputs, batch.stride);
            for (row, z) in p.chunks(batch.stride).zip(batch.z.chunks(batch.stride)) {
                assert_eq!(row[outputs..], z[outputs..], "{loss:?} wrote between the rows");
                let total: f64 = z[..outputs].iter().map(|z| z.exp()).sum();
                for (p, z) in row[..outputs].iter().zip(z) {
                    let want = match loss.info().link {
                        Link::Softmax => z.exp() / total,
                        Link::Sigmoid => 1.0 / (1.0 + (-z).exp()),
                        Link::Exp => z.exp(),
                        Link::Identity => *z,
                    };
                    assert_near(*p, want, 1e-14, loss.name());
                }
            }
        }
    }
    // The last row may end with its outputs.
    let mut z = [1.0, 1.0, 9.0, 1.0, 1.0];
    named("cross_entropy").link_in_place(&mut z, 2, 3);
    assert_eq!(z, [0.5, 0.5, 9.0, 0.5, 0.5]);
}

#[test]
fn extreme_preactivations_are_exact() {
    fn check<T: Scalar>() {
        let value = |loss, z: f64, y: f64| {
            let (loss, slope) = one::<T>(loss, &[z], Targets::Values(&[T::from_f64(y)]));
            (loss, slope[0])
        };
        let bce = named("binary_cross_entropy");
        assert_eq!(value(bce, 1e4, 1.0), (0.0, 0.0));
        assert_eq!(value(bce, -1e4, 0.0), (0.0, 0.0));
        assert_eq!(value(bce, 1e4, 0.0), (1e4, 1.0));
        assert_eq!(value(bce, -1e4, 1.0), (1e4, -1.0));
        assert_eq!(value(named("poisson"), -1e4, 2.0), (2e4, -2.0));
        let (loss, slope) = value(named("log_cosh"), 1e4, 0.0);
        assert_near(loss, 1e4 - std::f64::consts::LN_2, 1e-15, "log_cosh");
        assert_eq!(slope, 1.0);
        // One that is nearly hit keeps the digits of its small loss.
        for residual in [1e-10f64, -1e-10, 1e-6, -1e-3, 0.125] {
            let small = 2.0 * (0.5 * residual).sinh().powi(2);
            let (loss, _) = value(named("log_cosh"), residual, 0.0);
            assert_near(loss / small.ln_1p(), 1.0, 1e-6, "small loss");
        }
        // A confident and right output keeps the digits of its small loss and slope.
        let small = (-20f64).exp();
        for (loss, slope) in [value(bce, 20.0, 1.0), value(bce, -20.0, 0.0)] {
            assert_near(loss / small, 1.0, 1e-8, "small loss");
            assert_near(slope.abs() / small, 1.0, 1e-6, "small slope");
        }
        let ce = |z: &[f64], class: u32| one::<T>(named("cross_entropy"), z, Targets::Classes(&[class]));
        assert_eq!(ce(&[1e4, -1e4, 0.0], 0), (0.0, vec![0.0, 0.0, 0.0]));
        assert_eq!(ce(&[1e4, -1e4, 0.0], 1), (2e4, vec![1.0, -1.0, 0.0]));
        assert_eq!(ce(&[-1e4, -1e4], 1), (2f64.ln(), vec![0.5, -0.5]));
        let (loss, slope) = ce(&[20.0, 0.0], 0);
        assert_near(loss / small, 1.0, 3e-7, "small loss");
        assert_near(slope[0] / -small, 1.0, 3e-7, "small slope");
        assert_near(slope[1] / small, 1.0, 3e-7, "small slope");
        let mut p = cast::<T>(&[1e4, -1e4, 1e4]);
        named("cross_entropy").link_in_place(&mut p, 3, 3);
        assert_eq!(p, cast::<T>(&[0.5, 0.0, 0.5]));
    }
    check::<f32>();
    check::<f64>();
}

#[test]
fn values_agree_with_the_gradient_and_rows_with_themselves_anywhere() {
    fn check<T: Scalar>() {
        for loss in losses() {
            for (outputs, gap) in [(1, 0), (1, 3), (2, 0), (7, 0), (10, 6), (33, 0), (127, 0), (129, 1), (300, 0)] {
                let batch = Batch::new(300usize.div_ceil(outputs) + 5, outputs, gap);
                for classes in [true, false] {
                    let (row_loss, gradient) = batch.gradient::<T>(loss, classes, 1.0);
                    assert_eq!(row_loss, batch.value::<T>(loss, classes), "{loss:?}");
                    let mut p = cast::<T>(&batch.z);
                    loss.link_in_place(&mut p, outputs, batch.stride);
                    for from in [1, 3, batch.rows() - 1] {
                        let tail = batch.tail(from);
                        let (tail_loss, tail_gradient) = tail.gradient::<T>(loss, classes, 1.0);
                        assert_eq!(tail_loss, row_loss[from..], "{loss:?}, {outputs} outputs");
                        assert_eq!(tail_gradient, gradient[from * batch.stride..], "{loss:?}, {outputs} outputs");
                        let mut tail_p = cast::<T>(&tail.z);
                        loss.link_in_place(&mut tail_p, outputs, batch.stride);
                        assert_eq!(tail_p, p[from * batch.stride..], "{loss:?}, {outputs} outputs");
                    }
                }
            }
        }
    }
    at_every_level(|_| {
        check::<f32>();
        check::<f64>();
    });
}

#[test]
fn nan_shows_in_its_row_and_nowhere_else() {
    at_every_level(|_| {
        for loss in losses() {
            for outputs in [1, 3, 200] {
                let mut batch = Batch::new(5, outputs, 0);
                let clean = batch.gradient::<f32>(loss, false, 1.0);
                batch.z[2 * outputs] = f64::NAN;
                let (row_loss, gradient) = batch.gradient::<f32>(loss, false, 1.0);
                assert!(row_loss[2].is_nan(), "{loss:?} hides a NaN");
                assert!(gradient[2 * outputs].is_nan(), "{loss:?} hides a NaN");
                for row in [0, 1, 3, 4] {
                    assert_eq!(row_loss[row], clean.0[row]);
                    assert_eq!(gradient[row * outputs..][..outputs], clean.1[row * outputs..][..outputs]);
                }
            }
        }
    });
}

#[test]
fn a_row_that_weighs_nothing_says_nothing_whatever_is_in_it() {
    at_every_level(|_| {
        for loss in losses() {
            for (outputs, gap) in [(1, 0), (3, 2), (200, 0)] {
                let mut batch = Batch::new(5, outputs, gap);
                let clean = batch.gradient::<f64>(loss, false, 0.5);
                batch.weights[2] = 0.0;
                batch.z[2 * batch.stride] = f64::INFINITY;
                batch.values[2 * outputs] = 1e200;
                let (row_loss, gradient) = batch.gradient::<f64>(loss, false, 0.5);
                assert_eq!(row_loss, batch.value::<f64>(loss, false));
                for (row, value) in row_loss.into_iter().enumerate() {
                    let place = row * batch.stride..row * batch.stride + outputs;
                    if row == 2 {
                        assert!(value == 0.0 && gradient[place].iter().all(|g| *g == 0.0), "{loss:?}");
                    } else {
                        assert_eq!((value, &gradient[place.clone()]), (clean.0[row], &clean.1[place]));
                    }
                }
            }
        }
    });
}

#[test]
fn single_precision_is_near_double() {
    for loss in losses() {
        for outputs in [1, 10, 200] {
            let batch = Batch::new(20, outputs, 0);
            let (wide, narrow) = (batch.gradient::<f64>(loss, false, 1.0), batch.gradient::<f32>(loss, false, 1.0));
            for (a, b) in wide.0.iter().zip(&narrow.0) {
                assert_near(*b, *a, 1e-5, loss.name());
            }
            for (a, b) in wide.1.iter().zip(&narrow.1) {
                assert_near(*b as f64, *a, 2e-6, loss.name());
            }
        }
    }
}

#[test]
fn names_lead_back_and_tables_say_what_is_done() {
    for loss in Loss::ALL {
        assert_eq!(Loss::from_name(loss.name()), Some(*loss));
        assert_eq!(loss.takes_classes(), loss.info().targets == TargetKind::Classes);
        // Two outputs, one of which is as it should be: a mean halves what a sum leaves alone.
        let (two, one) = (
            one::<f64>(*loss, &[2.0, 1.0], Targets::Values(&[1.0, 1.0])).0,
            one::<f64>(*loss, &[2.0], Targets::Values(&[1.0])).0,
        );
        match loss.info().reduction {
            Reduction::Sum => assert_eq!(two, one),
            Reduction::Mean if loss.info().link == Link::Identity => assert_eq!(two, one / 2.0),
            Reduction::Mean => {}
        }
    }
    assert_eq!(Loss::from_name("rmse"), None);
    assert!(!named("sse").mean() && named("mse").mean());
}

#[test]
fn a_parameter_must_lie_in_its_range() {
    for loss in Loss::ALL {
        match loss.info().parameter {
            None => assert!(loss.with_parameter(0.5).is_err(), "{loss:?} has no parameter"),
            Some(parameter) => {
                assert_eq!(loss.with_parameter(parameter.default), Ok(*loss));
                for outside in [parameter.above, parameter.below, -1.0, f64::NAN, f64::INFINITY] {
                    let message = loss.with_parameter(outside).unwrap_err().to_string();
                    assert!(message.contains(parameter.name) && message.contains(loss.name()), "{message}");
                }
            }
        }
    }
}

#[test]
#[should_panic(expected = "not below 3")]
fn a_class_beyond_the_outputs_is_refused() {
    one::<f32>(named("cross_entropy"), &[0.0, 0.0, 0.0], Targets::Classes(&[3]));
}

#[test]
#[should_panic(expected = "too short")]
fn too_short_a_batch_is_refused() {
    named("mse").value(&[0f32; 5], without_weights(2, Targets::Classes(&[0, 1, 0]), &mut [0.0; 3]));
}
