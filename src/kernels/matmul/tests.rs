use super::operand::Operand;
use super::{CHAINS, Init, NARROW, Scratch, Sizes, matmul, matmul_unless};
use crate::interrupt::Interrupt;
use crate::scalar::Scalar;
use crate::simd::{self, Level};
use crate::stop::Stop;
use ndarray::{Array2, ArrayView2, s};

pub(in crate::kernels) fn numbers<T: Scalar>(rows: usize, cols: usize, seed: u64) -> Array2<T> {
    let mut state = seed;
    Array2::from_shape_fn((rows, cols), |_| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        T::from_f64((state >> 40) as f64 / (1u64 << 23) as f64 - 1.0)
    })
}

/// The definition, one element at a time.
fn element<T: Scalar>(init: T, a: &ArrayView2<'_, T>, b: &ArrayView2<'_, T>, i: usize, j: usize) -> T {
    let fma = |x: T, y: T, z: T| if simd::level() == Level::Portable { x * y + z } else { x.mul_add(y, z) };
    if b.ncols() <= NARROW && Operand::of(a).by_rows() {
        let mut sums = [T::ZERO; CHAINS];
        for p in 0..a.ncols() {
            sums[p % CHAINS] = fma(a[[i, p]], b[[p, j]], sums[p % CHAINS]);
        }
        for half in [8, 4, 2, 1] {
            for q in 0..half {
                sums[q] += sums[q + half];
            }
        }
        return init + sums[0];
    }
    (0..a.ncols()).fold(init, |sum, p| fma(a[[i, p]], b[[p, j]], sum))
}

fn check<T: Scalar>(rows: usize, depth: usize, cols: usize, form: usize, init: usize) {
    check_beside::<T>((rows, depth, cols), form, init, 3);
}

/// With so many numbers beside each row of the output.
fn check_beside<T: Scalar>((rows, depth, cols): (usize, usize, usize), form: usize, init: usize, beside: usize) {
    let (a, b, bias) = (numbers::<T>(rows, depth, 1), numbers::<T>(depth, cols, 2), numbers::<T>(1, cols, 3));
    let (at, bt) = (a.t().as_standard_layout().into_owned(), b.t().as_standard_layout().into_owned());
    let a = if form == 2 { at.t() } else { a.view() };
    let b = if form == 1 { bt.t() } else { b.view() };
    let before = numbers::<T>(rows, cols + beside, 4);
    let mut out = before.clone();
    let bias = bias.as_slice().unwrap();
    let init = [Init::Zero, Init::Row(bias), Init::Keep][init];
    matmul(
        out.slice_mut(s![.., ..cols]),
        init,
        a,
        b,
        &mut Scratch::new(Sizes { rows, depth, cols, ..Sizes::default() }).unwrap(),
    );
    for i in 0..rows {
        for j in 0..cols {
            let begin = match init {
                Init::Zero => T::ZERO,
                Init::Row(bias) => bias[j],
                Init::Keep => before[[i, j]],
            };
            assert!(
                out[[i, j]] == element(begin, &a, &b, i, j),
                "{} {rows}x{depth}x{cols} form {form} at {i},{j}",
                T::NAME
            );
        }
        assert!(out.slice(s![i, cols..]) == before.slice(s![i, cols..]), "wrote beside the output");
    }
}

#[test]
fn blocks_of_large_products_change_no_bit() {
    simd::at_every_level(|_| {
        for (rows, depth, cols) in [(150, 600, 133), (300, 530, 150), (601, 300, 130), (3, 300, 600), (1, 300, 600)] {
            for form in 0..3 {
                check::<f32>(rows, depth, cols, form, form);
                check::<f64>(rows, depth, cols, form, (form + 1) % 3);
            }
        }
    });
}

#[test]
fn every_element_is_its_chain_bit_for_bit_at_every_level() {
    simd::at_every_level(|_| {
        for rows in [1, 2, 5, 8, 12, 13, 14, 28, 31, 64] {
            for depth in [0, 1, 3, 16, 33, 256, 300, 777] {
                for cols in [1, 2, 4, 5, 7, 8, 10, 16, 17, 32, 33, 40, 48, 70] {
                    let form = (rows + depth + cols) % 3;
                    check::<f32>(rows, depth, cols, form, (rows + cols) % 3);
                    check::<f64>(rows, depth, cols, (form + 1) % 3, (depth + cols) % 3);
                }
            }
        }
    });
}

#[test]
fn products_with_few_columns_are_their_chains_at_every_level() {
    simd::at_every_level(|_| {
        for rows in [15, 16, 31, 32, 33, 47, 100] {
            for depth in [0, 1, 15, 16, 33, 500] {
                for cols in NARROW + 1..CHAINS {
                    for form in [0, 2] {
                        check::<f32>(rows, depth, cols, form, (rows + cols) % 3);
                        check::<f64>(rows, depth, cols, form, (depth + cols) % 3);
                    }
                }
            }
        }
    });
}

#[test]
fn products_with_few_columns_and_nothing_beside_them_begin_as_others() {
    simd::at_every_level(|_| {
        for rows in [2, 5, 15, 16, 33, 64, 199] {
            for cols in 1..=NARROW {
                for (form, init) in (0..9).map(|case| (case / 3, case % 3)) {
                    check_beside::<f32>((rows, 17, cols), form, init, 0);
                    check_beside::<f64>((rows, 3, cols), form, init, 0);
                }
            }
        }
    });
}

#[test]
fn long_products_of_every_shape_break_off() {
    let interrupt = Interrupt::new(|| Some(Stop::Interrupted));
    while !interrupt.look() {
        std::thread::yield_now();
    }
    for (rows, depth, cols) in [(4096, 2500, 10), (512, 1024, 256)] {
        let stored = [Array2::<f32>::zeros((rows, depth)), Array2::zeros((depth, rows))];
        for a in [stored[0].view(), stored[1].t()] {
            let (b, mut out) = (Array2::zeros((depth, cols)), Array2::ones((rows, cols)));
            let mut scratch = Scratch::new(Sizes { rows, depth, cols, ..Sizes::default() }).unwrap();
            matmul_unless(&interrupt.lookout(false), out.view_mut(), Init::Zero, a, b.view(), &mut scratch);
            assert!(out.iter().all(|&x| x == 1.0), "{rows} x {depth} x {cols} went on");
        }
    }
}
