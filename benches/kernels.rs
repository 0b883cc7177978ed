//! What the elementwise kernels cost: nanoseconds per element at each SIMD level, and gigabytes a second read and written.
//!
//! `cargo bench --no-default-features --bench kernels [name...]`

use std::hint::black_box;
use std::time::Instant;

use schuss::kernels::activation::Activation;
use schuss::kernels::loss::{Loss, LossRows, Targets};
use schuss::scalar::Scalar;
use schuss::simd::{Level, set_level};

/// Numbers that stay in the first cache.
const LEN: usize = 2048;

/// The fastest of many runs, in nanoseconds. `prepare` is not counted.
fn time(mut prepare: impl FnMut(), mut run: impl FnMut()) -> f64 {
    let once = || {
        prepare();
        let begin = Instant::now();
        run();
        begin.elapsed().as_nanos() as f64
    };
    std::iter::repeat_with(once).take(300).fold(f64::INFINITY, f64::min)
}

fn report(name: &str, kind: &str, dtype: &str, level: Level, nanoseconds: f64, bytes: usize) {
    println!(
        "{name:22} {kind:9} {dtype} {:9} {:8.3} ns {:7.1} GB/s",
        level.name(),
        nanoseconds,
        bytes as f64 / nanoseconds
    );
}

/// Numbers between -6 and 6, where every function has something to do.
fn spread<T: Scalar>(len: usize) -> Vec<T> {
    (0..len).map(|i| T::from_f64((i * 7919 % 12_000) as f64 / 1000.0 - 6.0)).collect()
}

fn activations<T: Scalar>(level: Level, wanted: &dyn Fn(&str) -> bool) {
    let z = spread::<T>(LEN);
    for activation in Activation::ALL.iter().filter(|a| wanted(a.name())) {
        let a = std::cell::RefCell::new(z.clone());
        let forward =
            time(|| a.borrow_mut().copy_from_slice(&z), || activation.forward_in_place(black_box(&mut a.borrow_mut())));
        let backward =
            time(|| a.borrow_mut().fill(T::ONE), || activation.backward(black_box(&z), black_box(&mut a.borrow_mut())));
        let size = size_of::<T>();
        report(activation.name(), "forward", T::NAME, level, forward / LEN as f64, 2 * size);
        report(activation.name(), "backward", T::NAME, level, backward / LEN as f64, 3 * size);
    }
}

fn losses<T: Scalar>(level: Level, wanted: &dyn Fn(&str) -> bool) {
    for loss in Loss::ALL.iter().filter(|loss| wanted(loss.name())) {
        for outputs in [1, 2, 7, 10, 100, 1000] {
            let rows = LEN.div_ceil(outputs);
            let (len, z) = (rows * outputs, spread::<T>(rows * outputs));
            let y = vec![T::ONE; len];
            let classes: Vec<u32> = (0..rows).map(|row| (row % outputs) as u32).collect();
            let targets = if loss.takes_classes() { Targets::Classes(&classes) } else { Targets::Values(&y) };
            let (x, mut row_loss) = (std::cell::RefCell::new(z.clone()), vec![0.0; rows]);
            let nanoseconds = time(
                || x.borrow_mut().copy_from_slice(&z),
                || {
                    let x = &mut x.borrow_mut();
                    let (stride, weights, output_weights, row_loss) = (outputs, None, None, &mut row_loss[..]);
                    let rows = LossRows { outputs, stride, targets, weights, output_weights, row_loss };
                    loss.gradient(black_box(x), T::ONE, rows);
                },
            );
            let name = format!("{} x {outputs}", loss.name());
            report(&name, "gradient", T::NAME, level, nanoseconds / len as f64, 2 * size_of::<T>());
        }
    }
}

fn main() {
    let names: Vec<String> = std::env::args().skip(1).filter(|name| name != "--bench").collect();
    let is_known = |name: &str| {
        Activation::ALL.iter().any(|a| a.name() == name) || Loss::ALL.iter().any(|loss| loss.name() == name)
    };
    if let Some(name) = names.iter().find(|name| !is_known(name)) {
        panic!("{name}: no activation or loss");
    }
    let wanted = |name: &str| names.is_empty() || names.iter().any(|n| n == name);
    for (level, _) in Level::ALL {
        if set_level(level) {
            activations::<f32>(level, &wanted);
            activations::<f64>(level, &wanted);
            losses::<f32>(level, &wanted);
            losses::<f64>(level, &wanted);
        }
    }
}
