//! Training as a whole: the same bits for every number of workers, and however a batch passes through.

use ndarray::Array2;

use super::claims::{Gradient, Parameters, Share};
use super::cuts::Cuts;
use super::data::{Data, Inputs, Weights};
use super::memory::{MAX_ROWS, Workspace};
use super::objective::{self, GradientOptions, value_and_grads};
use super::stages::NormKind;
use super::trainer::{Epoch, Monitor, Options, fit};
use super::{Architecture, Network, layers, predict, random};
use crate::interrupt::Interrupt;
use crate::kernels::activation::Activation;
use crate::kernels::loss::{Loss, Targets};
use crate::kernels::matmul::Factors;
use crate::kernels::sparse::{Csr, Indices};
use crate::optim::options::{Convention, Value};
use crate::optim::{Config, Optimizer};
use crate::scalar::Scalar;
use crate::simd::amx::emulator::with_tiles;
use crate::simd::{self, hold_level};
use crate::stop::Stop;
use crate::team;

fn described(widths: &[usize], activation: Activation, loss: &str) -> Architecture {
    Architecture::plain(widths, activation, Loss::from_name(loss).unwrap())
}

fn network(widths: &[usize], activation: Activation, loss: &str) -> Network {
    Network::new(&described(widths, activation, loss))
}

fn numbers<T: Scalar>(len: usize, seed: u64) -> Vec<T> {
    let key = random::key(&[seed]);
    (0..len).map(|i| T::from_f64(f64::from(random::unit(random::at(key, i as u64))) - 0.5)).collect()
}

#[derive(Default)]
struct Losses(Vec<f64>);

impl Monitor for Losses {
    fn epoch(&mut self, epoch: &Epoch) -> Option<Stop> {
        self.0.push(epoch.loss);
        None
    }
}

/// The elements that are not zero, their columns, and where each row begins.
fn compressed<T: Scalar>(x: &Array2<T>) -> (Vec<T>, Vec<i32>, Vec<i32>) {
    let (mut values, mut columns, mut starts) = (vec![], vec![], vec![0]);
    for row in x.rows() {
        for (column, &value) in row.iter().enumerate().filter(|(_, value)| **value != T::ZERO) {
            values.push(value);
            columns.push(column as i32);
        }
        starts.push(values.len() as i32);
    }
    (values, columns, starts)
}

fn trained<T: Scalar>(
    network: &Network,
    rows: usize,
    batch: usize,
    config: &Config,
    (threads, cuts): (usize, Cuts),
    sparse: bool,
) -> (Vec<T>, Vec<f64>) {
    let (inputs, outputs) = (network.inputs(), network.outputs());
    let mut x = Array2::from_shape_vec((rows, inputs), numbers::<T>(rows * inputs, 1)).unwrap();
    x.indexed_iter_mut().filter(|((i, j), _)| (i + 3 * j) % 5 < 3).for_each(|(_, x)| *x = T::ZERO);
    let (elements, columns, starts) = compressed(&x);
    let csr = Csr::new(&elements, Indices::Short(&columns), Indices::Short(&starts), inputs, 1).unwrap();
    let x = if sparse { Inputs::Sparse(csr) } else { Inputs::Dense(x.view()) };
    let values = numbers::<T>(rows * outputs, 2);
    let classes: Vec<u32> = (0..rows).map(|i| (i * 7 % outputs) as u32).collect();
    let targets = if network.loss.takes_classes() { Targets::Classes(&classes) } else { Targets::Values(&values) };
    let weights: Vec<T> = numbers::<T>(rows, 3).into_iter().map(|w| w + T::ONE).collect();
    let data = Data { x, targets, weights: Some(Weights { values: &weights, unit: 1.0 }) };
    let mut params = numbers::<T>(network.tensors.len(), 4);
    let mut optimizer = Optimizer::new(config, &network.tensors.sizes()).unwrap();
    let options =
        Options { batch_size: Some(batch), epochs: 3, seed: 5, threads: Some(threads), cuts, ..brief_options() };
    let mut losses = Losses::default();
    let (stopped, _) = fit(network, &mut params, &mut optimizer, (&data, Some(&data)), &options, &mut losses, None);
    assert_eq!(stopped.unwrap(), Stop::Epochs);
    (params, losses.0)
}

fn check<T: Scalar>(network: &Network, rows: usize, batch: usize, config: &Config) {
    let (params, losses) = trained::<T>(network, rows, batch, config, (1, Cuts::Rows), false);
    assert!(params.iter().all(|p| p.is_finite()));
    for how in [
        (2, Cuts::Rows),
        (2, Cuts::Columns),
        (3, Cuts::Cheapest),
        (3, Cuts::Columns),
        (4, Cuts::Both),
        (8, Cuts::Rows),
        (8, Cuts::Both),
        (16, Cuts::Both),
    ] {
        for sparse in [false, true] {
            let other = trained::<T>(network, rows, batch, config, how, sparse);
            let tensors: Vec<_> = network.tensors.iter().map(|tensor| (tensor.rows, tensor.cols)).collect();
            assert!(other.0 == params && other.1 == losses, "{tensors:?} on {how:?}, sparse: {sparse}");
        }
    }
}

#[test]
fn parameters_are_the_same_bits_for_every_number_of_threads_and_with_sparse_rows() {
    let _level = hold_level();
    let adam = Config::new("adam", Convention::Lecture).unwrap();
    let clipped = adam.clone().with("clip_norm", Value::Number(0.5)).unwrap();
    let trusting = adam.clone().with("nonfinite", Value::Choice("ignore")).unwrap();
    let alone = Config::new("lamb", Convention::Lecture).unwrap();
    for config in [&adam, &clipped, &trusting, &alone] {
        check::<f32>(&network(&[8, 32, 32, 1], Activation::Relu, "mse"), 200, 32, config);
        check::<f32>(&network(&[54, 256, 256, 7], Activation::Gelu, "cross_entropy"), 300, 128, config);
        check::<f64>(&network(&[5, 1, 3, 1000], Activation::Tanh, "sse"), 30, 7, config);
        check::<f32>(&network(&[1, 1], Activation::Relu, "mae"), 20, 1, config);
        let mut all = described(&[9, 33, 17, 2], Activation::Silu, "cross_entropy");
        (all.l2, all.dropout) = (0.01, vec![0.3, 0.5]);
        for norm in [None, Some(NormKind::Layer), Some(NormKind::Rms)] {
            all.norm = norm;
            check::<f32>(&Network::new(&all), 100, 48, config);
            check::<f64>(&Network::new(&all), 100, 100, config);
        }
    }
}

#[test]
fn rounded_factors_give_the_same_bits_for_every_number_of_threads_too() {
    let _level = hold_level();
    if !simd::has_bfloat16() {
        return eprintln!("not tested: this machine has {}", simd::description());
    }
    rounded_factors_give_the_same_bits(&[2, 3, 5, 8], &[(40, 1), (90, 7), (200, 64), (4400, 4300)]);
}

/// Where the processor has no tiles, they are emulated.
#[test]
fn rounded_factors_give_the_same_bits_with_tiles_as_well() {
    with_tiles(|| rounded_factors_give_the_same_bits(&[2, 3], &[(90, 7), (200, 64)]));
}

fn rounded_factors_give_the_same_bits(all_threads: &[usize], batches: &[(usize, usize)]) {
    let config = Config::new("adam", Convention::Lecture).unwrap();
    for (widths, loss) in [(&[13, 40, 33, 7][..], "cross_entropy"), (&[1, 5, 1], "mse"), (&[70, 50, 3], "huber")] {
        let plain = Architecture { norm: Some(NormKind::Layer), ..described(widths, Activation::Silu, loss) };
        let network = Network::new(&Architecture { factors: Factors::Bfloat16, ..plain.clone() });
        for &(rows, batch) in batches {
            let one = trained::<f32>(&network, rows, batch, &config, (1, Cuts::Rows), false);
            assert!(one != trained::<f32>(&Network::new(&plain), rows, batch, &config, (1, Cuts::Rows), false));
            for &threads in all_threads {
                let other = trained::<f32>(&network, rows, batch, &config, (threads, Cuts::Both), false);
                assert!(one == other, "{widths:?} {batch} of {rows} rows on {threads} threads");
            }
            let sparse = trained::<f32>(&network, rows, batch, &config, (1, Cuts::Rows), true);
            assert!(sparse == trained::<f32>(&network, rows, batch, &config, (3, Cuts::Columns), true));
        }
    }
}

#[test]
fn the_gradient_is_that_of_finite_differences_through_norm_dropout_and_penalty() {
    for norm in [None, Some(NormKind::Layer), Some(NormKind::Rms)] {
        for activation in [Activation::Softplus, Activation::Mish] {
            let mut described = described(&[4, 9, 6, 3], activation, "cross_entropy");
            (described.norm, described.l2, described.dropout) = (norm, 0.1, vec![0.25, 0.5]);
            check_gradient(&Network::new(&described));
        }
    }
}

#[test]
fn the_gradient_has_the_same_bits_for_every_cut() {
    let _level = hold_level();
    for norm in [None, Some(NormKind::Rms)] {
        let mut described = described(&[40, 100, 70, 3], Activation::Silu, "cross_entropy");
        (described.norm, described.dropout) = (norm, vec![0.25, 0.5]);
        let network = Network::new(&described);
        let x = Array2::from_shape_vec((50, 40), numbers::<f32>(2000, 1)).unwrap();
        let classes: Vec<u32> = (0..50).map(|i| i % 3).collect();
        let data = Data { x: Inputs::Dense(x.view()), targets: Targets::Classes(&classes), weights: None };
        let params = numbers::<f32>(network.tensors.len(), 2);
        let grads = |threads, cuts| {
            let mut workspace = network.workspace(50, false).unwrap();
            let mut grads = vec![0.0; params.len()];
            let how = GradientOptions { noise: Some(3), threads: Some(threads), cuts, ..GradientOptions::default() };
            let value = value_and_grads(&network, &params, &data, how, &mut workspace, &mut grads).unwrap();
            (value, grads)
        };
        let expected = grads(1, Cuts::Rows);
        for threads in [2, 3, 4, 6, 16] {
            for cuts in [Cuts::Rows, Cuts::Columns, Cuts::Both, Cuts::Cheapest] {
                assert!(grads(threads, cuts) == expected, "{norm:?} {threads} {cuts:?}");
            }
        }
    }
}

fn check_gradient(network: &Network) {
    let x = Array2::from_shape_vec((10, 4), numbers::<f64>(40, 1)).unwrap();
    let classes: Vec<u32> = (0..10).map(|i| i % 3).collect();
    let data = Data { x: Inputs::Dense(x.view()), targets: Targets::Classes(&classes), weights: None };
    let mut params = numbers::<f64>(network.tensors.len(), 2);
    let mut workspace = network.workspace(10, false).unwrap();
    let mut grads = vec![0.0; params.len()];
    let mut ignored = grads.clone();
    let how = |threads| GradientOptions { noise: Some(3), threads, ..GradientOptions::default() };
    value_and_grads(network, &params, &data, how(Some(2)), &mut workspace, &mut grads).unwrap();
    for i in 0..params.len() {
        let at = params[i];
        let mut loss = |p: f64| {
            params[i] = p;
            value_and_grads(network, &params, &data, how(None), &mut workspace, &mut ignored).unwrap()
        };
        let slope = (loss(at + 1e-5) - loss(at - 1e-5)) / 2e-5;
        params[i] = at;
        assert!((slope - grads[i]).abs() < 1e-8, "parameter {i}: {slope} {}", grads[i]);
    }
}

#[test]
fn a_batch_in_pieces_has_the_gradient_of_the_whole() {
    let network = network(&[3, 5, 2], Activation::Tanh, "mse");
    let rows = MAX_ROWS + 100;
    let x = Array2::from_shape_vec((rows, 3), numbers::<f64>(rows * 3, 1)).unwrap();
    let y = numbers::<f64>(rows * 2, 2);
    let params = numbers::<f64>(network.tensors.len(), 3);
    let mut halves = vec![];
    let mut gradient = |part: std::ops::Range<usize>| {
        let x = x.slice(ndarray::s![part.clone(), ..]);
        let data =
            Data { x: Inputs::Dense(x), targets: Targets::Values(&y[part.start * 2..part.end * 2]), weights: None };
        let mut grads = vec![0.0; params.len()];
        let mut workspace = network.workspace(data.len(), false).unwrap();
        let loss = value_and_grads(&network, &params, &data, GradientOptions::default(), &mut workspace, &mut grads);
        let value = objective::value(&network, &params, &data, Some(2), &Interrupt::never());
        assert!((loss.unwrap() - value.unwrap()).abs() < 1e-12);
        halves.push((grads, part.len() as f64 / rows as f64));
    };
    gradient(0..rows);
    gradient(0..1000);
    gradient(1000..rows);
    for i in 0..params.len() {
        let sum: f64 = halves[1..].iter().map(|(grads, share)| grads[i] * share).sum();
        assert!((sum - halves[0].0[i]).abs() < 1e-12);
    }
}

#[test]
fn all_layers_end_with_the_prediction() {
    let network = network(&[9, 40, 3], Activation::Gelu, "cross_entropy");
    let (params, x) = (numbers::<f32>(network.tensors.len(), 1), numbers::<f32>(250 * 9, 2));
    let (x, never) = (ndarray::ArrayView2::from_shape((250, 9), &x).unwrap(), Interrupt::never());
    let width = layers::Columns::new(&network).width();
    assert_eq!(width, 2 * (40 + 3));
    let (mut every, mut last) = (vec![0.0; 250 * width], vec![0.0; 250 * 3]);
    layers::layers(&network, &params, Inputs::Dense(x), &mut every, Some(3), &never).unwrap();
    predict::predict(&network, &params, Inputs::Dense(x), &mut last, false, Some(1), &never).unwrap();
    every.chunks(width).zip(last.chunks(3)).for_each(|(row, last)| assert_eq!(&row[width - 3..], last));
}

#[test]
fn a_prediction_does_not_depend_on_its_place() {
    let _level = hold_level();
    let normed = [None, Some(NormKind::Layer), Some(NormKind::Rms)];
    let widths = [vec![54, 256, 7], vec![8, 32, 1], vec![3, 3], vec![5, 40, 40, 20, 4]];
    for (widths, norm) in widths.iter().flat_map(|widths| normed.map(|norm| (widths, norm))) {
        let network = Network::new(&Architecture { norm, ..described(widths, Activation::Mish, "mse") });
        let (inputs, outputs) = (network.inputs(), network.outputs());
        let params = numbers::<f32>(network.tensors.len(), 1);
        let x = Array2::from_shape_vec((250, inputs), numbers::<f32>(250 * inputs, 2)).unwrap();
        let predicted = |x: ndarray::ArrayView2<'_, f32>, threads| {
            let mut out = vec![0.0; x.nrows() * outputs];
            let (x, never) = (Inputs::Dense(x), Interrupt::never());
            predict::predict(&network, &params, x, &mut out, false, Some(threads), &never).unwrap();
            out
        };
        let all = predicted(x.view(), 3);
        for i in (0..250).step_by(7) {
            let one = predicted(x.slice(ndarray::s![i..i + 1, ..]), 1);
            assert_eq!(one, all[i * outputs..(i + 1) * outputs], "{widths:?} row {i}");
        }
    }
}

/// Stops after the first epoch.
struct Brief;

impl Monitor for Brief {
    fn epoch(&mut self, _: &Epoch) -> Option<Stop> {
        Some(Stop::Callback)
    }
}

/// Interrupted when asked for so many times, and then never again.
struct Impatient(Interrupt);

impl Impatient {
    fn new(asked: usize) -> Self {
        let mut left = asked;
        Impatient(Interrupt::new(move || {
            left = left.saturating_sub(1);
            (left == 0).then_some(Stop::Interrupted)
        }))
    }
}

impl Monitor for Impatient {
    fn interrupt(&self) -> Interrupt {
        self.0.clone()
    }
    fn epoch(&mut self, _: &Epoch) -> Option<Stop> {
        None
    }
}

#[test]
fn an_interrupted_step_leaves_no_trace() {
    let _level = hold_level();
    // Some products, some steps and some validations are longer than an interrupt takes.
    let network = network(&[40, 700, 700, 3], Activation::Tanh, "mse");
    let rows = 9000;
    let x = Array2::from_shape_vec((rows, 40), numbers::<f32>(40 * rows, 1)).unwrap();
    let y = numbers::<f32>(3 * rows, 2);
    let data = Data { x: Inputs::Dense(x.view()), targets: Targets::Values(&y), weights: None };
    let start = numbers::<f32>(network.tensors.len(), 3);
    for rule in ["adam", "lamb"] {
        let config = Config::new(rule, Convention::Torch).unwrap();
        for (batch_size, clip) in [(None, false), (Some(2000), false), (None, true)] {
            let config = match clip {
                true => config.clone().with("clip_norm", Value::Number(1.0)).unwrap(),
                false => config.clone(),
            };
            let trained = |epochs, monitor: &mut dyn Monitor| {
                let mut params = start.clone();
                let mut optimizer = Optimizer::new(&config, &network.tensors.sizes()).unwrap();
                let options = Options { epochs, batch_size, shuffle: false, ..brief_options() };
                let rows = (&data, Some(&data));
                let (stop, position) = fit(&network, &mut params, &mut optimizer, rows, &options, monitor, None);
                (params, optimizer.step_count(), stop, position.row)
            };
            let per_epoch = rows.div_ceil(batch_size.unwrap_or(rows));
            for asked in 1..6 {
                let (params, steps, stop, row) = trained(1000, &mut Impatient::new(asked));
                assert_eq!(stop, Ok(Stop::Interrupted));
                assert_eq!(row % rows, steps as usize % per_epoch * batch_size.unwrap_or(0));
                let mut expected = start.clone();
                let mut optimizer = Optimizer::new(&config, &network.tensors.sizes()).unwrap();
                let whole = steps as usize / per_epoch;
                let left = steps as usize % per_epoch * batch_size.unwrap_or(rows);
                let options = Options { epochs: whole, batch_size, shuffle: false, ..brief_options() };
                let silent = &mut Losses::default();
                let _ = fit(&network, &mut expected, &mut optimizer, (&data, None), &options, silent, None);
                if left > 0 {
                    let x = x.slice(ndarray::s![..left, ..]);
                    let data = Data { x: Inputs::Dense(x), targets: Targets::Values(&y[..3 * left]), weights: None };
                    let options = Options { epochs: 1, ..options };
                    let _ = fit(&network, &mut expected, &mut optimizer, (&data, None), &options, silent, None);
                }
                assert!(params == expected, "{rule} {batch_size:?} {clip} {asked}: {steps} steps");
            }
        }
    }
}

#[test]
fn nobody_waits_for_a_worker_that_has_left() {
    let network = network(&[2, 3, 1], Activation::Relu, "mse");
    let x = Array2::from_shape_vec((8, 2), numbers::<f32>(16, 1)).unwrap();
    let y = numbers::<f32>(8, 2);
    let data = Data { x: Inputs::Dense(x.view()), targets: Targets::Values(&y), weights: None };
    let config = Config::new("sgd", Convention::Lecture).unwrap();
    let options = brief_options();
    // A team that has lost a worker hangs; it took a few hundred tries to lose one.
    for _ in 0..2000 {
        let mut params = numbers::<f32>(network.tensors.len(), 3);
        let mut optimizer = Optimizer::new(&config, &network.tensors.sizes()).unwrap();
        let (stopped, _) = fit(&network, &mut params, &mut optimizer, (&data, None), &options, &mut Brief, None);
        assert_eq!(stopped, Ok(Stop::Callback));
    }
}

#[test]
fn a_weight_that_only_the_penalty_sees_is_found_before_any_worker_updates() {
    // A column without entries, so that the loss does not see its weight; the penalty does.
    let mut described = described(&[3, 8, 1], Activation::Relu, "mse");
    described.l2 = 0.1;
    let network = Network::new(&described);
    let (values, columns): (Vec<f32>, Vec<i32>) = (vec![0.5; 16], vec![1; 16]);
    let starts: Vec<i32> = (0..=16).collect();
    let csr = Csr::new(&values, Indices::Short(&columns), Indices::Short(&starts), 3, 1).unwrap();
    let y = numbers::<f32>(16, 2);
    let data = Data { x: Inputs::Sparse(csr), targets: Targets::Values(&y), weights: None };
    let config = Config::new("sgd", Convention::Lecture).unwrap();
    for (batch, threads) in [(4, 1), (4, 3), (16, 1), (16, 2), (16, 3)] {
        let options = Options { batch_size: Some(batch), epochs: 3, threads: Some(threads), ..brief_options() };
        for _ in 0..300 {
            let mut params = numbers::<f32>(network.tensors.len(), 3);
            params[2 * 8] = f32::NAN;
            let before: Vec<u32> = params.iter().map(|p| p.to_bits()).collect();
            let mut optimizer = Optimizer::new(&config, &network.tensors.sizes()).unwrap();
            let (stopped, _) =
                fit(&network, &mut params, &mut optimizer, (&data, None), &options, &mut Losses::default(), None);
            assert!(matches!(stopped, Err(crate::error::Error::NonFinite { .. })), "{batch} {threads}: {stopped:?}");
            assert!(
                before.iter().eq(params.iter().map(|p| p.to_bits()).collect::<Vec<_>>().iter()),
                "{batch} {threads}"
            );
        }
    }
}

#[test]
fn a_step_that_is_skipped_leaves_no_trace_in_the_books_and_the_next_is_made() {
    let mut described = described(&[1, 1], Activation::Relu, "mse");
    described.l2 = 0.1;
    let network = Network::new(&described);
    // The second batch's gradient overflows, its loss does not.
    let x = Array2::from_shape_vec((6, 1), vec![1.0, 1.0, 1e30, 1e30, 1.0, 1.0]).unwrap();
    let y: Vec<f32> = vec![0.0, 0.0, 1e15, 1e15, 0.0, 0.0];
    let data = Data { x: Inputs::Dense(x.view()), targets: Targets::Values(&y), weights: None };
    let skip = Value::Choice("skip");
    let config = Config::new("sgd", Convention::Lecture).unwrap().with("nonfinite", skip).unwrap();
    for (threads, clips) in [(1, false), (2, false), (2, true)] {
        let config = match clips {
            true => config.clone().with("clip_norm", Value::Number(1e3)).unwrap(),
            false => config.clone(),
        };
        let mut params = vec![1e-30f32, 0.0];
        let mut optimizer = Optimizer::new(&config, &network.tensors.sizes()).unwrap();
        let options =
            Options { batch_size: Some(2), epochs: 1, shuffle: false, threads: Some(threads), ..brief_options() };
        let mut losses = Losses::default();
        fit(&network, &mut params, &mut optimizer, (&data, None), &options, &mut losses, None).0.unwrap();
        assert_eq!((optimizer.step_count(), optimizer.skipped_steps()), (2, 1), "{threads} {clips}");
        assert!(losses.0[0] < 1e-6, "the skipped batch's loss, 1e30, is in the books: {}", losses.0[0]);
    }
}

fn brief_options() -> Options {
    Options { batch_size: Some(4), epochs: 2, threads: Some(3), ..Options::default() }
}

#[test]
#[expect(clippy::undocumented_unsafe_blocks, reason = "said once for the function")]
fn a_claim_refuses_what_it_does_not_cover() {
    let network = network(&[6, 8, 4], Activation::Relu, "mse");
    let (tensors, len) = (&network.tensors, network.tensors.len());
    let refused = |misuse: &(dyn Fn(&team::Worker) -> usize + Sync)| {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            team::run(1, |worker| {
                misuse(worker);
            })
        }));
        *outcome.expect_err("it must be refused").downcast::<&str>().expect("a message")
    };
    let (mut params, mut grads) = (vec![0.0f32; len], vec![0.0; len]);
    let parameters = Parameters::new(&mut params, Gradient::new(&mut grads, &mut []), vec![]);
    let share = Share::new(tensors, tensors.share(0, 2, |_| true));
    // SAFETY (of all these claims): there is one worker, and each claim is the only one.
    let beyond = refused(&|worker| unsafe { parameters.mine(worker, &share) }.grads_mut(0..len).len());
    let outside = refused(&|worker| unsafe { parameters.mine(worker, &share) }.to_update(len - 1..len).count);
    assert_eq!([beyond, outside], ["not this worker's"; 2]);
    let mut memory = Workspace::<f32>::for_prediction(&network.prediction.matrices, 4).unwrap();
    let batch = memory.share_alone(&network.prediction.matrices);
    let shared = refused(&|worker| unsafe { batch.my_rows(worker, 0..2) }.range().len());
    assert_eq!(shared, "matrices that share memory are for one worker");
    let (x, y) = (Array2::<f32>::zeros((4, 6)), vec![0.0f32; 16]);
    let data = Data { x: Inputs::Dense(x.view()), targets: Targets::Values(&y), weights: None };
    let mut memory = network.workspace::<f32>(4, false).unwrap();
    let batch = memory.share(&network.training.matrices, &data);
    let twice = refused(&|worker| unsafe { batch.my_rows(worker, 0..2) }.several_mut([1, 1]).len());
    assert_eq!(twice, "matrices that overlap");
}
