//! Matrix products of the shapes that training has: ours against MKL, OpenBLAS, `faer` and `gemm`, one thread, GFLOP/s.
//!
//! `make products`, or `cargo run --release` in `benches/peers`, a crate of its own so that the library need not build its
//! peers; shapes such as `256x256x256` as arguments select some. MKL and OpenBLAS take part where `MKL_LIBRARY` and
//! `OPENBLAS_LIBRARY` name their shared libraries. All take turns; the best of each counts.

mod blas;

use std::hint::black_box;
use std::time::{Duration, Instant};

use ndarray::{ArrayView2, ArrayViewMut2};
use schuss::kernels::matmul::{Init, Scratch, Sizes, matmul};

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

/// Turns of each contender, and how long one takes at least.
const TURNS: usize = 9;
const TURN: Duration = Duration::from_millis(4);

/// Who computes, and how.
type Contender<'a> = (&'a str, Box<dyn FnMut() + 'a>);

/// A cache line.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line {
    _numbers: [f32; 16],
}

/// A matrix by rows that begins with a cache line, as all of a training do.
struct Matrix {
    lines: Vec<Line>,
    rows: usize,
    cols: usize,
}

impl Matrix {
    fn zeros(rows: usize, cols: usize) -> Self {
        Matrix { lines: vec![Line { _numbers: [0.0; 16] }; (rows * cols).div_ceil(16)], rows, cols }
    }

    fn numbers(rows: usize, cols: usize) -> Self {
        let mut matrix = Self::zeros(rows, cols);
        for (place, x) in matrix.slice_mut().iter_mut().enumerate() {
            let (i, j) = (place / cols, place % cols);
            *x = ((i * 7 + j * 13) % 17) as f32 / 17.0 - 0.5;
        }
        matrix
    }

    fn slice(&self) -> &[f32] {
        // SAFETY: lines are numbers without gaps, and as many are there.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.rows * self.cols) }
    }

    fn slice_mut(&mut self) -> &mut [f32] {
        let count = self.rows * self.cols;
        // SAFETY: lines are numbers without gaps, and as many are there.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), count) }
    }

    fn view(&self, transposed: bool) -> ArrayView2<'_, f32> {
        let view = ArrayView2::from_shape((self.rows, self.cols), self.slice()).expect("as many numbers");
        if transposed { view.reversed_axes() } else { view }
    }

    fn view_mut(&mut self) -> ArrayViewMut2<'_, f32> {
        ArrayViewMut2::from_shape((self.rows, self.cols), self.slice_mut()).expect("as many numbers")
    }
}

/// The operand of these sizes: its transpose is what is stored, or itself.
fn operand(rows: usize, cols: usize, transposed: bool) -> Matrix {
    if transposed { Matrix::numbers(cols, rows) } else { Matrix::numbers(rows, cols) }
}

/// Seconds of one call, the best of some turns in which all contenders alternate.
fn race(contenders: &mut [Contender<'_>]) -> Vec<f64> {
    let repeats: Vec<_> = contenders
        .iter_mut()
        .map(|(_, run)| {
            run();
            let once = Instant::now();
            run();
            (TURN.as_secs_f64() / once.elapsed().as_secs_f64().max(1e-9)).clamp(1.0, 1e6) as usize
        })
        .collect();
    let mut best = vec![f64::INFINITY; contenders.len()];
    for _ in 0..TURNS {
        for (((_, run), &repeats), best) in contenders.iter_mut().zip(&repeats).zip(&mut best) {
            let begin = Instant::now();
            (0..repeats).for_each(|_| run());
            *best = best.min(begin.elapsed().as_secs_f64() / repeats as f64);
        }
    }
    best
}

fn main() {
    let only: Vec<String> = std::env::args().skip(1).collect();
    let libraries = blas::all();
    let mut header = true;
    for &shape @ (m, k, n, form) in SHAPES {
        if !only.is_empty() && !only.contains(&format!("{m}x{k}x{n}")) {
            continue;
        }
        let (stored_a, stored_b) = (operand(m, k, form == 'a'), operand(k, n, form == 'b'));
        let (a, b) = (stored_a.view(form == 'a'), stored_b.view(form == 'b'));
        let (a_slice, b_slice) = (stored_a.slice(), stored_b.slice());
        let output = || Matrix::zeros(m, n);
        let mut contenders: Vec<Contender<'_>> = vec![];
        let (mut c, mut scratch) =
            (output(), Scratch::new(Sizes { rows: m, depth: k, cols: n, ..Sizes::default() }).expect("memory"));
        contenders.push((
            "schuss",
            Box::new(move || matmul(black_box(c.view_mut()), Init::Zero, black_box(a), black_box(b), &mut scratch)),
        ));
        for library in &libraries {
            let mut c = output();
            let run = move || {
                library.product((m, k, n), form, black_box(a_slice), black_box(b_slice), c.slice_mut());
            };
            contenders.push((library.name, Box::new(run)));
        }
        contenders.push(("faer", Box::new(faer(shape, a, b, output()))));
        contenders.push(("gemm", Box::new(gemm(shape, a, b, output()))));
        if std::mem::take(&mut header) {
            print!("{:>22} {:>4}", "rows x inner x cols", "form");
            contenders.iter().for_each(|(name, _)| print!(" {name:>8}"));
            println!(" {:>9}", "ours/BLAS");
        }
        let speeds: Vec<_> =
            race(&mut contenders).iter().map(|seconds| 2.0 * (m * k * n) as f64 / seconds / 1e9).collect();
        print!("{:>22} {form:>4}", format!("{m} x {k} x {n}"));
        speeds.iter().for_each(|speed| print!(" {speed:>8.1}"));
        let blas = speeds[1..=libraries.len()].iter().copied().fold(0.0, f64::max);
        println!(" {:>9.2}", if blas > 0.0 { speeds[0] / blas } else { f64::NAN });
    }
}

fn strides(view: &ArrayView2<'_, f32>) -> (isize, isize) {
    (view.strides()[0], view.strides()[1])
}

fn gemm<'a>(
    (m, k, n, _): (usize, usize, usize, char),
    a: ArrayView2<'a, f32>,
    b: ArrayView2<'a, f32>,
    mut c: Matrix,
) -> impl FnMut() + 'a {
    let ((ar, ac), (br, bc)) = (strides(&a), strides(&b));
    // SAFETY: pointers and strides describe the arrays.
    move || unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c.slice_mut().as_mut_ptr(),
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
        );
    }
}

fn faer<'a>(
    (m, k, n, _): (usize, usize, usize, char),
    a: ArrayView2<'a, f32>,
    b: ArrayView2<'a, f32>,
    mut c: Matrix,
) -> impl FnMut() + 'a {
    let ((ar, ac), (br, bc)) = (strides(&a), strides(&b));
    // SAFETY: pointers and strides describe the arrays.
    move || unsafe {
        faer::linalg::matmul::matmul(
            faer::MatMut::from_raw_parts_mut(c.slice_mut().as_mut_ptr(), m, n, n as isize, 1),
            faer::Accum::Replace,
            faer::MatRef::from_raw_parts(a.as_ptr(), m, k, ar, ac),
            faer::MatRef::from_raw_parts(b.as_ptr(), k, n, br, bc),
            1.0f32,
            faer::Par::Seq,
        );
    }
}
