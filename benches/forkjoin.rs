//! What forking and joining costs: the team beside the pool, for the kinds of work that this library has.
//!
//! `cargo bench --no-default-features --bench forkjoin [-- name ...] [--rounds n]`
//!
//! Microseconds are medians; in parentheses the median of the ratios to the first way's time just before.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ndarray::{Array2, s};
use schuss::cores::cores;
use schuss::interrupt::Interrupt;
use schuss::kernels::activation::Activation;
use schuss::kernels::loss::Loss;
use schuss::kernels::sparse::{Csr, Indices};
use schuss::mlp::data::Inputs;
use schuss::mlp::predict::predict;
use schuss::mlp::{Architecture, Network};
use schuss::optim::options::Convention;
use schuss::optim::{Config, Optimizer, Slices, driver};
use schuss::share::share;
use schuss::{pool, team};

/// What the team does with parts that anyone may take, as an optimizer's step has it: from first to last or from last to first.
fn on_the_team<P: Send>(parts: Vec<P>, threads: usize, up: bool, work: impl Fn(P) + Sync) {
    let parts: Vec<_> = parts.into_iter().map(|part| Mutex::new(Some(part))).collect();
    let take = |part: usize| parts[part].lock().expect("no panic").take().into_iter().for_each(&work);
    team::run(threads, |worker| {
        let own = worker.share(parts.len(), 1);
        let others = (own.end..parts.len()).chain(0..own.start);
        match up {
            true => own.chain(others.rev()).for_each(take),
            false => own.rev().chain(others).for_each(take),
        }
    });
}

/// Keeps this core busy.
fn spin(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

/// Some ways to do the same, in turn, with a pause before each call.
fn compare(name: &str, rounds: usize, pause: Duration, ways: &mut [(&str, &mut dyn FnMut())]) {
    const WARM_UP: usize = 3;
    const CALLS: usize = 8;
    let mut times = vec![vec![]; ways.len()];
    for round in 0..rounds + WARM_UP {
        for (times, (_, way)) in times.iter_mut().zip(ways.iter_mut()) {
            let call = |_| {
                spin(pause);
                let start = Instant::now();
                way();
                start.elapsed().as_secs_f64()
            };
            // The best of a few, one after the other as a loop makes them: what the machine's other work did not disturb.
            let best = (0..CALLS).map(call).fold(f64::INFINITY, f64::min);
            times.extend((round >= WARM_UP).then_some(best));
        }
    }
    print!("{name:<40}");
    for ((way, _), of_way) in ways.iter().zip(&times) {
        let ratios = of_way.iter().zip(&times[0]).map(|(time, first)| time / first);
        print!("  {way} {:>9.1} us ({:.2})", median(of_way.clone()) * 1e6, median(ratios.collect()));
    }
    println!();
}

/// Nothing to do for two threads, and a meeting of two.
fn nothing(rounds: usize) {
    const MEETINGS: usize = 1000;
    compare(
        "nothing",
        rounds,
        Duration::ZERO,
        &mut [
            ("team", &mut || on_the_team(vec![(), ()], 2, true, |()| {})),
            ("pool", &mut || pool::for_each(vec![(), ()], 2, |()| {})),
        ],
    );
    let meetings = (0..rounds).map(|_| {
        let start = Instant::now();
        team::run(2, |worker| (0..MEETINGS).for_each(|_| worker.meet()));
        start.elapsed().as_secs_f64() / MEETINGS as f64
    });
    println!("a meeting of two {:.3} us", median(meetings.collect()) * 1e6);
}

/// An optimizer with its parameters and gradients.
type Part = (Optimizer<f32>, Vec<f32>, Vec<f32>);

/// Adam in parts that do not know each other.
struct Parts(Vec<Mutex<Part>>);

impl Parts {
    fn new(parts: usize, each: usize) -> Self {
        let config = Config::new("adam", Convention::Lecture).expect("Adam");
        let part = || (Optimizer::new(&config, &[each]).expect("state"), vec![0.5; each], vec![0.1; each]);
        Parts((0..parts).map(|_| Mutex::new(part())).collect())
    }

    fn all(&self) -> Vec<usize> {
        (0..self.0.len()).collect()
    }

    fn step(&self, part: usize) {
        let (optimizer, params, grads) = &mut *self.0[part].lock().expect("no panic");
        driver::step(optimizer, Slices::new([(&mut params[..], &grads[..])]), 1).expect("finite");
    }
}

/// Steps with a pause in between, as calls of `opt.step` follow each other.
fn steps(tensors: usize, len: usize, rounds: usize) {
    let count = (tensors * len).div_ceil(16 * 1024);
    let parts = Parts::new(count, tensors * len / count);
    let turn = AtomicUsize::new(0);
    let up = || turn.fetch_add(1, Ordering::Relaxed).is_multiple_of(2);
    for pause in [0, 30, 200] {
        let name = format!("Adam, {tensors} x {len}, {pause} us between");
        compare(
            &name,
            rounds,
            Duration::from_micros(pause),
            &mut [
                ("team", &mut || on_the_team(parts.all(), cores(), up(), |part| parts.step(part))),
                ("pool", &mut || pool::for_each(parts.all(), cores(), |part| parts.step(part))),
                ("alone", &mut || on_the_team(parts.all(), 1, up(), |part| parts.step(part))),
            ],
        );
    }
}

/// Steps that follow a piece of work on a team, as in a loop of `loss_and_grads` and `opt.step`.
fn loops(len: usize, rounds: usize) {
    let parts = Parts::new(cores(), len / cores());
    let gradients = || team::run(cores(), |_| spin(Duration::from_micros(100)));
    compare(
        &format!("100 us on a team, then Adam of {len}"),
        rounds,
        Duration::ZERO,
        &mut [
            ("team", &mut || {
                gradients();
                on_the_team(parts.all(), cores(), true, |part| parts.step(part));
            }),
            ("pool", &mut || {
                gradients();
                pool::for_each(parts.all(), cores(), |part| parts.step(part));
            }),
            ("alone", &mut || {
                gradients();
                on_the_team(parts.all(), 1, true, |part| parts.step(part));
            }),
        ],
    );
}

/// Predictions, in one part for each core.
fn predictions(name: &str, widths: &[usize], rows: usize, rounds: usize) {
    let loss = Loss::from_name("mse").expect("a loss");
    let network = Network::new(&Architecture::plain(widths, Activation::Relu, loss));
    let x = Array2::<f32>::from_shape_fn((rows, widths[0]), |(i, j)| ((i * 7 + j * 3) % 13) as f32 / 13.0);
    let params: Vec<f32> = (0..network.tensors.len()).map(|i| (i % 17) as f32 / 1700.0).collect();
    let part = |index: usize| {
        let rows = share(index, cores(), rows, 8);
        (rows.clone(), Mutex::new(vec![0.0; rows.len() * network.outputs()]))
    };
    let parts: Vec<_> = (0..cores()).map(part).collect();
    let work = |(rows, out): &(Range<usize>, Mutex<Vec<f32>>)| {
        let x = Inputs::Dense(x.slice(s![rows.clone(), ..]));
        predict(&network, &params, x, &mut out.lock().expect("no panic"), true, Some(1), &Interrupt::never())
            .expect("memory");
    };
    for pause in [0, 200] {
        let name = format!("{rows} rows of {name}, {pause} us between");
        compare(
            &name,
            rounds,
            Duration::from_micros(pause),
            &mut [
                ("team", &mut || on_the_team(parts.iter().collect(), cores(), true, work)),
                ("pool", &mut || pool::for_each(parts.iter().collect(), cores(), work)),
                ("alone", &mut || on_the_team(parts.iter().collect(), 1, true, work)),
            ],
        );
    }
}

/// The check of a sparse matrix.
fn checks(elements: usize, rounds: usize) {
    const WIDTH: usize = 100;
    let (values, columns) = (vec![1f32; elements], (0..elements as i32).map(|i| i % 100).collect::<Vec<_>>());
    let starts: Vec<i64> = (0..=elements / WIDTH).map(|row| (row * WIDTH) as i64).collect();
    let check = |threads: usize| {
        let matrix = Csr::new(&values, Indices::Short(&columns), Indices::Long(&starts), WIDTH, threads);
        assert!(matrix.is_ok());
    };
    let name = format!("check of {elements} sparse elements");
    compare(&name, rounds, Duration::ZERO, &mut [("alone", &mut || check(1)), ("pool", &mut || check(cores()))]);
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let rounds = words.iter().position(|word| word == "--rounds").map(|i| words[i + 1].parse().expect("a number"));
    let rounds = rounds.unwrap_or(20);
    let all = !words.iter().any(|word| ["nothing", "loop", "step", "predict", "check"].contains(&word.as_str()));
    let named = |name: &str| all || words.iter().any(|word| word == name);
    println!("{} cores", cores());
    if named("nothing") {
        nothing(10 * rounds);
    }
    if named("loop") {
        loops(80_000, 10 * rounds);
        loops(262_144, 10 * rounds);
    }
    if named("step") {
        steps(4, 65_536, 10 * rounds);
        steps(10, 1_048_576, rounds);
    }
    if named("predict") {
        predictions("small", &[16, 64, 64, 1], 1000, 10 * rounds);
        predictions("small", &[16, 64, 64, 1], 100_000, rounds);
        predictions("wide", &[784, 1024, 1024, 10], 4000, rounds / 4 + 1);
    }
    if named("check") {
        checks(5_000_000, rounds);
    }
}
