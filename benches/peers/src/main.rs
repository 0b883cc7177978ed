//! Matrix products of the shapes that training has: ours against `faer` and `gemm`, one thread, GFLOP/s.
//!
//! `cargo run --release` in `benches/peers`, a crate of its own so that the library need not build its peers.

use std::hint::black_box;
use std::time::Instant;

use ndarray::{Array2, ArrayView2, ArrayViewMut2};
use schuss::kernels::matmul::{Init, Scratch, matmul};

/// Rows, inner, columns; which operand is a transposed view: forward n, input gradient b, weight gradient a.
const SHAPES: &[(usize, usize, usize, char)] = &[
    (32, 32, 32, 'n'),
    (64, 64, 64, 'n'),
    (256, 256, 256, 'n'),
    (64, 784, 256, 'n'),
    (392, 128, 256, 'a'),
    (64, 128, 256, 'b'),
    (64, 128, 10, 'n'),
    (128, 128, 10, 'a'),
    (64, 10, 128, 'b'),
    (64, 64, 1, 'n'),
    (64, 128, 1, 'a'),
    (128, 256, 7, 'n'),
    (128, 1024, 1024, 'n'),
    (512, 256, 1024, 'a'),
    (128, 1024, 1024, 'b'),
    (1, 784, 256, 'n'),
    (512, 4096, 4096, 'n'),
    (512, 4096, 4096, 'b'),
    (2048, 1024, 4096, 'a'),
];

fn view(form: char, name: char, at: &Array2<f32>) -> ArrayView2<'_, f32> {
    if form == name { at.t() } else { at.view() }
}

fn array(rows: usize, cols: usize, transposed: bool) -> Array2<f32> {
    let shape = if transposed { (cols, rows) } else { (rows, cols) };
    Array2::from_shape_fn(shape, |(i, j)| ((i * 7 + j * 13) % 17) as f32 / 17.0 - 0.5)
}

/// The best GFLOP/s of several runs of about 20 ms.
fn speed(flops: f64, mut run: impl FnMut()) -> f64 {
    run();
    let once = Instant::now();
    run();
    let repeats = (0.02 / once.elapsed().as_secs_f64()).clamp(1.0, 1e6) as usize;
    let best = (0..7)
        .map(|_| {
            let start = Instant::now();
            (0..repeats).for_each(|_| run());
            start.elapsed().as_secs_f64() / repeats as f64
        })
        .fold(f64::INFINITY, f64::min);
    flops / best / 1e9
}

fn ours(c: ArrayViewMut2<'_, f32>, a: ArrayView2<'_, f32>, b: ArrayView2<'_, f32>, scratch: &mut Scratch<f32>) {
    matmul(c, Init::Zero, a, b, scratch);
}

fn main() {
    println!("{:>22} {:>4} {:>8} {:>8} {:>8}", "rows x inner x cols", "form", "schuss", "faer", "gemm");
    let only = std::env::args().nth(1);
    for &(m, k, n, form) in SHAPES.iter().filter(|(m, k, n, _)| only.as_ref().is_none_or(|o| *o == format!("{m}x{k}x{n}"))) {
        let (a, b) = (array(m, k, form == 'a'), array(k, n, form == 'b'));
        let (a, b) = (view(form, 'a', &a), view(form, 'b', &b));
        let mut c = Array2::<f32>::zeros((m, n));
        let mut scratch = Scratch::new(k);
        let flops = 2.0 * (m * k * n) as f64;
        let schuss = speed(flops, || ours(black_box(c.view_mut()), black_box(a), black_box(b), &mut scratch));
        let strides = |v: &ArrayView2<'_, f32>| (v.strides()[0], v.strides()[1]);
        let ((ar, ac), (br, bc)) = (strides(&a), strides(&b));
        // SAFETY (both): pointers and strides describe the arrays above.
        let gemm = speed(flops, || unsafe {
            gemm::gemm(
                m,
                n,
                k,
                c.as_mut_ptr(),
                1,
                n as isize,
                false,
                a.as_ptr(),
                ac,
                ar,
                b.as_ptr(),
                bc,
                br,
                0.0,
                1.0f32,
                false,
                false,
                false,
                gemm::Parallelism::None,
            )
        });
        let faer = speed(flops, || unsafe {
            faer::linalg::matmul::matmul(
                faer::MatMut::from_raw_parts_mut(c.as_mut_ptr(), m, n, n as isize, 1),
                faer::Accum::Replace,
                faer::MatRef::from_raw_parts(a.as_ptr(), m, k, ar, ac),
                faer::MatRef::from_raw_parts(b.as_ptr(), k, n, br, bc),
                1.0f32,
                faer::Par::Seq,
            )
        });
        println!("{:>22} {form:>4} {schuss:>8.1} {faer:>8.1} {gemm:>8.1}", format!("{m} x {k} x {n}"));
    }
}
