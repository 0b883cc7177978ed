//! Microseconds per training step of the networks of `benches/bench.py`, without Python: for work on the engine.
//!
//! `cargo bench --no-default-features --bench train [-- name ...] [--threads n] [--cuts columns] [--float64] [--bfloat16] [--sparse share]`

use std::hint::black_box;
use std::time::Instant;

use ndarray::Array2;
use schuss::kernels::activation::Activation;
use schuss::kernels::loss::{Loss, Targets};
use schuss::kernels::matmul::Factors;
use schuss::kernels::sparse::{Csr, Indices};
use schuss::mlp::cuts::Cuts;
use schuss::mlp::data::{Data, Inputs};
use schuss::mlp::trainer::{Epoch, Monitor, Options, fit};
use schuss::mlp::{Architecture, Network, random};
use schuss::optim::options::Convention;
use schuss::optim::{Config, Optimizer};
use schuss::scalar::Scalar;
use schuss::stop::Stop;

const NETWORKS: &[(&str, &[usize], usize, &str)] = &[
    ("sgd1", &[8, 32, 1], 1, "mse"),
    ("tiny", &[8, 32, 32, 1], 32, "mse"),
    ("small", &[16, 64, 64, 1], 128, "mse"),
    ("tab", &[54, 256, 256, 7], 256, "cross_entropy"),
    ("fmnist", &[784, 256, 128, 10], 128, "cross_entropy"),
    ("wide", &[784, 1024, 1024, 10], 256, "cross_entropy"),
    ("huge", &[1024, 4096, 4096, 10], 1024, "cross_entropy"),
    // Of `benches/estimators.py`, where numbers are float64.
    ("digits", &[64, 64, 10], 200, "cross_entropy"),
    ("cancer", &[30, 64, 1], 200, "binary_cross_entropy"),
    ("housing", &[13, 64, 1], 200, "mse"),
    ("adult", &[108, 64, 1], 200, "binary_cross_entropy"),
];

/// What a value follows, and what none does.
const VALUED: &[&str] = &["--threads", "--cuts", "--sparse"];
const FLAGS: &[&str] = &["--float64", "--bfloat16"];

/// Notes when each epoch ends.
struct Clock(Vec<Instant>);

impl Monitor for Clock {
    fn epoch(&mut self, _: &Epoch) -> Option<Stop> {
        self.0.push(Instant::now());
        None
    }
}

/// The elements of `x` that are not zero, their columns, and where each row begins.
fn compressed<T: Scalar>(x: &Array2<T>) -> (Vec<T>, Vec<i32>, Vec<i64>) {
    let (mut values, mut columns, mut starts) = (vec![], vec![], vec![0]);
    for row in x.rows() {
        for (column, &x) in row.iter().enumerate().filter(|(_, x)| **x != T::ZERO) {
            values.push(x);
            columns.push(column as i32);
        }
        starts.push(values.len() as i64);
    }
    (values, columns, starts)
}

/// How to run the networks.
struct How {
    threads: Option<usize>,
    cuts: Cuts,
    factors: Factors,
    /// The share of inputs that are not zero, where they are stored as a sparse matrix.
    share: Option<f64>,
}

fn network(widths: &[usize], loss: &str, factors: Factors) -> Network {
    let plain = Architecture::plain(widths, Activation::Relu, Loss::from_name(loss).expect("a loss"));
    Network::new(&Architecture { factors, ..plain })
}

/// The median microseconds per step, and the best.
fn measure<T: Scalar>(widths: &[usize], batch: usize, loss: &str, how: &How) -> (f64, f64) {
    let network = network(widths, loss, how.factors);
    let flops = network.step_flops(batch);
    // About as many rows as a table has, and not more than a few seconds of work.
    let steps = ((4e9 / flops) as usize).clamp(2, 20_000 / batch.min(10_000));
    let (rows, inputs, outputs) = (steps * batch, network.inputs(), network.outputs());
    let number = |i: usize| T::from_f64(f64::from(random::unit(random::at(1, i as u64))) - 0.5);
    let share = how.share.unwrap_or(1.0);
    let kept = |i: usize| f64::from(random::unit(random::at(2, i as u64))) < share;
    let input = |(i, j): (usize, usize)| Some(i * inputs + j).filter(|&at| kept(at)).map_or(T::ZERO, number);
    let x = Array2::from_shape_fn((rows, inputs), input);
    let (values_of_x, columns, starts) = compressed(&x);
    let sparse =
        || Csr::new(&values_of_x, Indices::Short(&columns), Indices::Long(&starts), inputs, 1).expect("a matrix");
    let classes: Vec<u32> = (0..rows).map(|i| (i % outputs) as u32).collect();
    let values: Vec<T> = (0..rows * outputs).map(number).collect();
    let targets = if network.loss.takes_classes() { Targets::Classes(&classes) } else { Targets::Values(&values) };
    let data =
        Data { x: how.share.map_or(Inputs::Dense(x.view()), |_| Inputs::Sparse(sparse())), targets, weights: None };
    let scale = T::from_f64(0.1);
    let mut params: Vec<T> = (0..network.tensors.len()).map(|i| number(i) * scale).collect();
    let config = Config::new("adam", Convention::Lecture).expect("Adam");
    let mut optimizer = Optimizer::new(&config, &network.tensors.sizes()).expect("Adam's state");
    let options = Options {
        batch_size: Some(batch),
        epochs: std::env::var("EPOCHS").map_or(12, |n| n.parse().expect("a number")),
        threads: how.threads,
        cuts: how.cuts,
        tells: false,
        ..Options::default()
    };
    let mut clock = Clock(vec![]);
    fit(&network, &mut params, &mut optimizer, (&data, None), &options, &mut clock, None).0.expect("a finite loss");
    black_box(params);
    let mut times: Vec<f64> =
        clock.0.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64() / steps as f64 * 1e6).collect();
    times.sort_by(f64::total_cmp);
    (times[times.len() / 2], times[0])
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let after = |name: &str| {
        let at = words.iter().position(|word| word == name)?;
        Some(words.get(at + 1).unwrap_or_else(|| panic!("{name} needs a value")).as_str())
    };
    let how = How {
        threads: after("--threads").map(|n| n.parse().expect("a number")),
        cuts: match after("--cuts").unwrap_or("cheapest") {
            "cheapest" => Cuts::Cheapest,
            "rows" => Cuts::Rows,
            "columns" => Cuts::Columns,
            "both" => Cuts::Both,
            other => panic!("--cuts: cheapest, rows, columns or both, not {other}"),
        },
        factors: if words.iter().any(|word| word == "--bfloat16") { Factors::Bfloat16 } else { Factors::Exact },
        share: after("--sparse").map(|share| share.parse().expect("a number")),
    };
    let double = words.iter().any(|word| word == "--float64");
    let named = |name: &str| words.iter().any(|word| word == name);
    let all = !NETWORKS.iter().any(|(name, ..)| named(name));
    let is_known = |(i, word): (usize, &String)| {
        let is_value = i > 0 && VALUED.contains(&words[i - 1].as_str());
        is_value
            || FLAGS.contains(&word.as_str())
            || VALUED.contains(&word.as_str())
            || NETWORKS.iter().any(|(name, ..)| name == word)
    };
    if let Some((_, word)) = words.iter().enumerate().find(|&each| !is_known(each)) {
        let names: Vec<&str> = NETWORKS.iter().map(|(name, ..)| *name).collect();
        panic!("{word}: known are {}, {} and {}", names.join(", "), VALUED.join(", "), FLAGS.join(", "));
    }
    println!("{:>8} {:>12} {:>12} {:>10}", "network", "median us", "best us", "GFLOP/s");
    for &(name, widths, batch, loss) in NETWORKS.iter().filter(|(name, ..)| all || named(name)) {
        let (median, best) = match double {
            true => measure::<f64>(widths, batch, loss, &how),
            false => measure::<f32>(widths, batch, loss, &how),
        };
        let flops = network(widths, loss, how.factors).step_flops(batch);
        println!("{name:>8} {median:>12.2} {best:>12.2} {:>10.1}", flops / median / 1e3);
    }
}
