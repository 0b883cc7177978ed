//! The most multiply-adds that this machine does, as JSON, in GFLOP/s: the yardstick of `benches/bench.py`.
//!
//! `cargo bench --no-default-features --bench peak`

use std::hint::black_box;
use std::sync::Mutex;
use std::time::Instant;

use schuss::scalar::Scalar;
use schuss::simd::{Isa, Kernel, Vector, dispatch};
use schuss::team;

/// Multiply-adds of each register in one sample: some ten milliseconds.
const LENGTH: usize = 2_000_000;
const SAMPLES: usize = 7;

/// Independent chains of multiply-adds, all in registers. Returns how many floating-point operations that was.
struct Chains<T>(T);

impl<T: Scalar> Kernel for Chains<T> {
    type Output = f64;

    #[inline(always)]
    fn run<I: Isa>(self) -> f64 {
        // As many as hide the latency, no more than the register file holds.
        if I::TILE_ROWS > 6 { chains::<T, I, 24>(self.0) } else { chains::<T, I, 12>(self.0) }
    }
}

#[inline(always)]
fn chains<T: Scalar, I: Isa, const N: usize>(start: T) -> f64 {
    let factor = T::Vector::<I>::splat(black_box(start));
    let mut sums = [T::Vector::<I>::splat(black_box(start)); N];
    for _ in 0..LENGTH {
        sums.iter_mut().for_each(|sum| *sum = sum.fma(factor, factor));
    }
    black_box(sums);
    (2 * LENGTH * N * T::Vector::<I>::LANES) as f64
}

/// The best of some samples on so many cores at once.
fn peak<T: Scalar>(cores: usize) -> f64 {
    let best = Mutex::new(0f64);
    team::run(cores, |worker| {
        for _ in 0..SAMPLES {
            worker.meet();
            let start = Instant::now();
            let flops = dispatch(Chains(T::from_f64(0.5)));
            worker.meet();
            let rate = flops * worker.count as f64 / start.elapsed().as_secs_f64() / 1e9;
            if worker.index == 0 {
                let mut best = best.lock().expect("no worker panics");
                *best = best.max(rate);
            }
        }
    });
    best.into_inner().expect("no worker panics")
}

fn main() {
    let cores = schuss::cores::cores();
    let line = |name, one, all| format!(r#""{name}": {{"one core": {one:.1}, "all cores": {all:.1}}}"#);
    let single = line("float32", peak::<f32>(1), peak::<f32>(cores));
    let double = line("float64", peak::<f64>(1), peak::<f64>(cores));
    println!(r#"{{"cores": {cores}, "simd": "{}", {single}, {double}}}"#, schuss::simd::level().name());
}
