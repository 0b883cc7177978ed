use std::arch::x86_64::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ndarray::{Array2, ArrayView2, s};

use super::super::tests::numbers;
use super::super::{Factors, Init, Scratch, Sizes, matmul, matmul_unless};
use super::tiles;
use crate::interrupt::{Interrupt, Lookout};
use crate::simd::amx::emulator::{self, with_tiles};
use crate::simd::{self, FlushDenormals, Level};

/// Their memory fits all sizes.
const ROUNDED: Sizes = Sizes { rows: 0, depth: 0, cols: 0, factors: Factors::Bfloat16 };

/// Rounded to the nearest bfloat16, of two to the even one; denormal numbers to zero, NaN to a quiet one.
fn rounded(x: f32) -> f32 {
    let bits = flushed(x).to_bits();
    if x.is_nan() {
        return f32::from_bits((bits | 0x0040_0000) & 0xffff_0000);
    }
    f32::from_bits((bits + 0x7fff + (bits >> 16 & 1)) & 0xffff_0000)
}

fn flushed(x: f32) -> f32 {
    if x.is_subnormal() { 0f32.copysign(x) } else { x }
}

/// `x * y + sum`, rounded once; what is smaller than normal numbers even when rounded to more digits than it has is zero.
fn fma(x: f32, y: f32, sum: f32) -> f32 {
    flushed(flushed(x).mul_add(flushed(y), flushed(sum)))
}

/// The instruction: a sum and two pairs, each even one before the odd one.
fn pair(sum: f32, x: [f32; 2], y: [f32; 2]) -> f32 {
    fma(x[0], y[0], fma(x[1], y[1], sum))
}

/// What a tile adds to a sum: that of the even ones of 32 products, and that of the odd ones.
fn step(sum: f32, x: impl Fn(usize) -> f32, y: impl Fn(usize) -> f32) -> f32 {
    let half = |first: usize| (first..32).step_by(2).fold(0.0, |sum, p| fma(x(p), y(p), sum));
    flushed(flushed(sum) + flushed(half(0) + half(1)))
}

/// The definition of a product, one element at a time.
fn element(init: f32, a: &ArrayView2<'_, f32>, b: &ArrayView2<'_, f32>, i: usize, j: usize) -> f32 {
    let x = |p: usize| if p < a.ncols() { rounded(a[[i, p]]) } else { 0.0 };
    let y = |p: usize| if p < a.ncols() { rounded(b[[p, j]]) } else { 0.0 };
    if tiles::are_used() {
        (0..a.ncols()).step_by(32).fold(init, |sum, first| step(sum, |p| x(first + p), |p| y(first + p)))
    } else {
        (0..a.ncols()).step_by(2).fold(init, |sum, p| pair(sum, [x(p), x(p + 1)], [y(p), y(p + 1)]))
    }
}

/// The instruction on all lanes.
#[target_feature(enable = "avx512f,avx512bf16")]
fn multiplied(sums: &[f32; 16], x: &[f32; 32], y: &[f32; 32]) -> [f32; 16] {
    let mut out = [0.0; 16];
    // SAFETY: arrays as large as registers.
    unsafe {
        let read = |from: &[f32; 32]| {
            let words: [u16; 32] = std::array::from_fn(|i| (from[i].to_bits() >> 16) as u16);
            _mm512_loadu_si512(words.as_ptr().cast())
        };
        let pairs = |words: __m512i| std::mem::transmute::<__m512i, __m512bh>(words);
        let sums = _mm512_dpbf16_ps(_mm512_loadu_ps(sums.as_ptr()), pairs(read(x)), pairs(read(y)));
        _mm512_storeu_ps(out.as_mut_ptr(), sums);
    }
    out
}

/// The instruction that rounds.
#[target_feature(enable = "avx512f,avx512bf16")]
fn converted(x: &[f32; 32]) -> [f32; 32] {
    let mut words = [0u16; 32];
    // SAFETY: arrays as large as registers.
    unsafe {
        let pairs = _mm512_cvtne2ps_pbh(_mm512_loadu_ps(x[16..].as_ptr()), _mm512_loadu_ps(x.as_ptr()));
        _mm512_storeu_si512(words.as_mut_ptr().cast(), std::mem::transmute::<__m512bh, __m512i>(pairs));
    }
    words.map(|word| f32::from_bits(u32::from(word) << 16))
}

fn same(x: f32, y: f32) -> bool {
    x.to_bits() == y.to_bits() || x.is_nan() && y.is_nan()
}

/// Whether there is something to test. Where not, the tests say so: elsewhere these kernels never run.
fn is_there() -> bool {
    let there = simd::has_bfloat16();
    if !there {
        eprintln!("not tested: this machine has {}", simd::description());
    }
    there
}

fn random(seed: u64) -> impl FnMut() -> u32 {
    let mut state = seed;
    move || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 32) as u32
    }
}

/// Numbers of all kinds: any bits, some whose products fall out of the range of normal numbers, special ones.
fn any(kind: usize, next: &mut impl FnMut() -> u32) -> f32 {
    const SPECIAL: [u32; 22] = [
        0,
        0x8000_0000,
        1,
        0x8000_0001,
        0x007f_ffff,
        0x0080_0000,
        0x8080_0000,
        0x7f80_0000,
        0xff80_0000,
        0x7fc0_0000,
        0x7f80_0001,
        0xffc1_2345,
        0x7f7f_ffff,
        0xff7f_ffff,
        0x7f7f_7fff,
        0x7f7f_8000,
        0x3f80_0000,
        0xbf80_0000,
        0x3f80_8000,
        0x3f81_8000,
        0x3f80_8001,
        0x3f81_7fff,
    ];
    match kind {
        0 => f32::from_bits(next()),
        1 => f32::from_bits(next() & 0x81ff_ffff | 0x3e00_0000),
        2 => f32::from_bits(next() & 0x807f_ffff | (next() % 20 + 52) << 23),
        3 => f32::from_bits(SPECIAL[next() as usize % SPECIAL.len()]),
        _ => any(next() as usize % 4, next),
    }
}

#[test]
fn the_model_is_the_instruction_bit_for_bit() {
    let _level = simd::hold_level();
    if !is_there() {
        return;
    }
    let mut next = random(5);
    for kind in 0..5 {
        for _ in 0..40_000 {
            let sums: [f32; 16] = std::array::from_fn(|_| any(kind, &mut next) * if kind == 2 { 1e-20 } else { 1.0 });
            let [x, y]: [[f32; 32]; 2] = std::array::from_fn(|_| std::array::from_fn(|_| any(kind, &mut next)));
            // SAFETY: the machine has the instructions.
            let (xs, ys) = unsafe { (converted(&x), converted(&y)) };
            for lane in 0..32 {
                assert!(
                    same(xs[lane], rounded(x[lane])),
                    "{:x} is rounded to {:x}",
                    x[lane].to_bits(),
                    xs[lane].to_bits()
                );
            }
            // SAFETY: as above.
            let out = unsafe { multiplied(&sums, &xs, &ys) };
            for (lane, out) in out.into_iter().enumerate() {
                let at = |of: &[f32; 32]| [of[2 * lane], of[2 * lane + 1]];
                let expected = pair(sums[lane], at(&xs), at(&ys));
                assert!(
                    same(out, expected),
                    "{} and {:?} times {:?}: {out:e}, {expected:e}",
                    sums[lane],
                    at(&xs),
                    at(&ys)
                );
            }
        }
    }
}

#[test]
fn flushing_or_not_makes_no_difference() {
    let _level = simd::hold_level();
    if is_there() {
        flushing_makes_no_difference();
    }
}

fn flushing_makes_no_difference() {
    let product = || {
        let mut next = random(9);
        let mut some = |_| any(2, &mut next);
        let (a, b) = (Array2::from_shape_fn((13, 70), &mut some), Array2::from_shape_fn((70, 40), &mut some));
        let mut out = Array2::zeros((13, 40));
        let mut scratch = Scratch::new(ROUNDED).unwrap();
        matmul(out.view_mut(), Init::Zero, a.view(), b.view(), &mut scratch);
        out
    };
    let plain = product();
    let _flushing = FlushDenormals::new();
    assert!(plain.iter().zip(&product()).all(|(x, y)| same(*x, *y)));
}

/// Columns of the output that are not the product's.
const BESIDE: usize = 3;

fn check(shape: (usize, usize, usize), form: usize, init: usize, kind: Option<usize>) {
    check_in(shape, form, init, kind, BESIDE);
}

fn check_in((rows, depth, cols): (usize, usize, usize), form: usize, init: usize, kind: Option<usize>, beside: usize) {
    let mut next = random((rows * depth + cols) as u64);
    let (a, b) = match kind {
        None => (numbers::<f32>(rows, depth, 1), numbers::<f32>(depth, cols, 2)),
        Some(kind) => {
            let mut some = |_| any(kind, &mut next);
            (Array2::from_shape_fn((rows, depth), &mut some), Array2::from_shape_fn((depth, cols), &mut some))
        }
    };
    let bias = numbers::<f32>(1, cols, 3);
    let (at, bt) = (a.t().as_standard_layout().into_owned(), b.t().as_standard_layout().into_owned());
    let a = if form == 2 { at.t() } else { a.view() };
    let b = if form == 1 { bt.t() } else { b.view() };
    let before = numbers::<f32>(rows, cols + beside, 4);
    let mut out = before.clone();
    let bias = bias.as_slice().unwrap();
    let init = [Init::Zero, Init::Row(bias), Init::Keep][init];
    let mut scratch = Scratch::new(ROUNDED).unwrap();
    matmul(out.slice_mut(s![.., ..cols]), init, a, b, &mut scratch);
    for i in 0..rows {
        for j in 0..cols {
            let begin = match init {
                Init::Zero => 0.0,
                Init::Row(bias) => bias[j],
                Init::Keep => before[[i, j]],
            };
            let expected = element(begin, &a, &b, i, j);
            assert!(
                same(out[[i, j]], expected),
                "{rows}x{depth}x{cols} form {form} at {i},{j}: {:e}, not {expected:e}",
                out[[i, j]]
            );
        }
        assert!(out.slice(s![i, cols..]) == before.slice(s![i, cols..]), "wrote beside the output");
    }
}

#[test]
fn every_element_is_its_chain_bit_for_bit() {
    let _level = simd::hold_level();
    if !is_there() {
        return;
    }
    for rows in [1, 2, 5, 12, 13, 31, 64] {
        for depth in [0, 1, 2, 3, 16, 31, 33, 256, 479, 481, 777] {
            for cols in [1, 2, 4, 5, 7, 10, 16, 17, 32, 33, 48, 70] {
                for form in 0..3 {
                    let init = (rows + depth + cols + form) % 3;
                    check((rows, depth, cols), form, init, None);
                    check_in((rows, depth, cols), form, (init + 1) % 3, None, 0);
                }
            }
        }
    }
}

#[test]
fn blocks_of_tall_and_deep_operands_change_nothing() {
    let _level = simd::hold_level();
    if !is_there() {
        return;
    }
    for form in 0..3 {
        for init in 0..3 {
            check((700, 600, 35), form, init, None);
            check((900, 1500, 3), form, init, None);
            check((4200, 3, 5), form, init, None);
        }
    }
}

#[test]
fn numbers_of_all_kinds_go_the_same_way() {
    let _level = simd::hold_level();
    if !is_there() {
        return;
    }
    for kind in 0..5 {
        for depth in [1, 2, 7, 40] {
            for form in 0..3 {
                check((14, depth, 35), form, form, Some(kind));
                check((35, depth, 2), form, form, Some(kind));
            }
        }
    }
}

/// Processors without tiles have them emulated here, which takes a while.
#[test]
fn with_tiles_every_element_is_its_chain_as_well() {
    let tested = with_tiles(|| {
        assert!(tiles::are_used());
        for rows in [1, 16, 17, 32, 33, 70] {
            for depth in [0, 1, 2, 31, 32, 33, 100] {
                for cols in [1, 4, 5, 16, 17, 32, 33, 70] {
                    let form = (rows + depth + cols) % 3;
                    check((rows, depth, cols), form, (rows + cols) % 3, None);
                    check_in((rows, depth, cols), (form + 1) % 3, cols % 3, None, 0);
                    check_in((rows, depth, cols), (form + 2) % 3, depth % 3, None, 0);
                }
            }
        }
    });
    assert!(tested || !is_there() || !cfg!(target_os = "linux"));
}

#[test]
fn with_tiles_blocks_and_numbers_of_all_kinds_change_nothing_either() {
    with_tiles(|| {
        for form in 0..3 {
            check((500, 70, 35), form, form, None);
            check((40, 1500, 3), form, (form + 1) % 3, None);
            check((4200, 3, 5), form, (form + 2) % 3, None);
            for kind in 0..5 {
                check((14, 40, 35), form, form, Some(kind));
                check((35, 7, 2), form, form, Some(kind));
            }
        }
        flushing_makes_no_difference();
    });
}

#[test]
fn tiles_that_get_lost_are_not_used() {
    with_tiles(|| {
        // SAFETY: the level is one with tiles.
        let right = || unsafe { tiles::multiply_as_they_should() };
        assert!(right());
        if emulator::is_at_work() {
            emulator::be_forgetful(true);
            assert!(!right());
            emulator::be_forgetful(false);
        }
    });
}

#[test]
fn handlers_of_signals_may_multiply_by_tiles_too() {
    with_tiles(|| {
        let product = |n: usize, lookout: Option<&Lookout>| {
            let (ones, mut out) = (Array2::<f32>::ones((n, n)), Array2::<f32>::zeros((n, n)));
            let (scratch, never) = (&mut Scratch::new(ROUNDED).unwrap(), Lookout::default());
            let lookout = lookout.unwrap_or(&never);
            matmul_unless(lookout, out.view_mut(), Init::Zero, ones.view(), ones.view(), scratch);
            assert!(out.iter().all(|sum| *sum == n as f32));
        };
        let asked = Arc::new(AtomicBool::new(false));
        let noted = asked.clone();
        let interrupt = Interrupt::new(move || {
            product(40, None);
            noted.store(true, Ordering::Relaxed);
            None
        });
        // Until it is time to ask.
        std::thread::sleep(Duration::from_millis(40));
        product(512, Some(&interrupt.lookout(true)));
        assert!(asked.load(Ordering::Relaxed));
    });
}

#[test]
fn refused_where_numbers_or_instructions_do_not_suit() {
    simd::at_every_level(|level| {
        assert!(Factors::Exact.check::<f64>().is_ok());
        assert!(Factors::Bfloat16.check::<f64>().is_err() && Scratch::<f64>::new(ROUNDED).is_err());
        let there = simd::has_bfloat16();
        assert!(!there || matches!(level, Level::Avx512 | Level::Amx));
        assert_eq!(Scratch::<f32>::new(ROUNDED).is_ok(), there);
        let refusal = Factors::Bfloat16.check::<f32>().err().map(|error| error.to_string());
        assert!(refusal.is_none_or(|text| text.contains("AVX512_BF16") && text.contains(simd::description())));
    });
}

#[test]
fn no_rounded_factor_is_larger_than_its_bound() {
    let mut next = random(3);
    for _ in 0..100_000 {
        let x = any(4, &mut next);
        if x.is_finite() {
            let bound = Factors::Bfloat16.bound(f64::from(x.abs()));
            assert!(f64::from(rounded(x).abs()) <= bound, "{x:e}");
        }
    }
    assert_eq!(Factors::Bfloat16.bound(f64::from(f32::MAX)), f64::INFINITY);
    assert!(Factors::Bfloat16.bound(f64::NAN).is_infinite() && Factors::Exact.bound(f64::from(f32::MAX)).is_finite());
}
