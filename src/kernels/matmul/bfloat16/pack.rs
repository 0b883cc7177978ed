//! Blocks of matrices rounded to bfloat16, as pairs along the inner index: the even one in the lower half of each word.

use std::arch::x86_64::*;

use super::super::operand::Operand;

/// Lanes of a register.
pub const LANES: usize = 16;

/// So many numbers of `from`, at most a register's, and zeros.
#[target_feature(enable = "avx512f")]
#[inline]
unsafe fn load(from: *const f32, count: usize) -> __m512 {
    match count {
        LANES.. => {
            // SAFETY: the caller vouches for `count` numbers.
            unsafe { _mm512_loadu_ps(from) }
        }
        // SAFETY: as above.
        _ => unsafe { _mm512_maskz_loadu_ps(((1u32 << count) - 1) as __mmask16, from) },
    }
}

/// Two registers rounded: `low` in the lower half.
#[target_feature(enable = "avx512f,avx512bf16")]
#[inline]
fn round(low: __m512, high: __m512) -> __m512i {
    // SAFETY: two types of the same register.
    unsafe { std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(high, low)) }
}

/// The order that makes pairs of the halves of a register: a lane of the lower one, that of the upper one, the next lane.
#[target_feature(enable = "avx512f")]
#[inline]
fn by_lane() -> __m512i {
    let mut order = [0u16; 2 * LANES];
    for lane in 0..LANES {
        order[2 * lane] = lane as u16;
        order[2 * lane + 1] = (LANES + lane) as u16;
    }
    // SAFETY: an array as large as the register.
    unsafe { _mm512_loadu_si512(order.as_ptr().cast()) }
}

/// Lines that lie along the inner index: each becomes a line of pairs, `stride` words apart, whose registers are `step` words apart.
///
/// # Safety
/// There must be `lines` lines of `count` numbers at `from`, `apart` numbers apart, and room for the pairs at `to`, each line's
/// rounded up to whole registers.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
#[inline]
pub unsafe fn along(
    from: *const f32,
    apart: usize,
    (lines, count): (usize, usize),
    to: *mut u32,
    (stride, step): (usize, usize),
) {
    for line in 0..lines {
        // SAFETY: the caller vouches for both lines.
        unsafe {
            let (from, to) = (from.add(line * apart), to.add(line * stride));
            for (k, p) in (0..count).step_by(2 * LANES).enumerate() {
                let (low, high) = ((count - p).min(LANES), (count - p).saturating_sub(LANES));
                let pairs = round(load(from.add(p), low), load(from.wrapping_add(p + LANES), high));
                _mm512_storeu_si512(to.add(k * step).cast(), pairs);
            }
        }
    }
}

/// Lines that lie across the inner index, `count` of them with `width` numbers each: two at a time become a line of `padded`
/// pairs, zeros behind the last of them.
///
/// # Safety
/// As for [`along`]; `padded` must be whole registers.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
#[inline]
pub unsafe fn across(from: *const f32, apart: usize, count: usize, width: usize, to: *mut u32, padded: usize) {
    // SAFETY: the caller vouches for all lines.
    unsafe {
        let order = by_lane();
        for p in (0..count).step_by(2) {
            let (even, to) = (from.add(p * apart), to.add(p / 2 * padded));
            for j in (0..padded).step_by(LANES) {
                let left = width.saturating_sub(j);
                let low = load(even.wrapping_add(j), left);
                let high = load(even.wrapping_add(apart + j), if p + 1 < count { left } else { 0 });
                _mm512_storeu_si512(to.add(j).cast(), _mm512_permutexvar_epi16(order, round(low, high)));
            }
        }
    }
}

/// The same as [`across`] of lines that lie along the inner index: `width` of them with `count` numbers each.
///
/// # Safety
/// As for [`along`]; `padded` must be whole registers, and at `to` there must be room for whole registers of lines.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
#[inline]
pub unsafe fn turned(from: *const f32, apart: usize, count: usize, width: usize, to: *mut u32, padded: usize) {
    for j in (0..padded).step_by(LANES) {
        for p in (0..count).step_by(2 * LANES) {
            let (low, high) = ((count - p).min(LANES), (count - p).saturating_sub(LANES));
            let mut square = [_mm512_setzero_si512(); LANES];
            // SAFETY: the caller vouches for all lines.
            unsafe {
                if j + LANES <= width && high >= LANES {
                    for (i, pairs) in square.iter_mut().enumerate() {
                        let from = from.add((j + i) * apart + p);
                        *pairs = round(_mm512_loadu_ps(from), _mm512_loadu_ps(from.add(LANES)));
                    }
                } else {
                    for (i, pairs) in square.iter_mut().enumerate().take(width.saturating_sub(j)) {
                        let from = from.add((j + i) * apart + p);
                        *pairs = round(load(from, low), load(from.wrapping_add(LANES), high));
                    }
                }
                let square = transposed(square);
                let rows = (count - p).div_ceil(2);
                for (k, pairs) in square.iter().enumerate() {
                    if k < rows {
                        _mm512_storeu_si512(to.add((p / 2 + k) * padded + j).cast(), *pairs);
                    }
                }
            }
        }
    }
}

/// The same as [`along`] of lines that lie across the inner index: `count` of them with `lines` numbers each, at most a register's.
///
/// # Safety
/// As for [`along`], with room for a register of lines.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
#[inline]
pub unsafe fn upright(
    from: *const f32,
    apart: usize,
    (lines, count): (usize, usize),
    to: *mut u32,
    (stride, step): (usize, usize),
) {
    // SAFETY: the caller vouches for all lines.
    unsafe {
        let order = by_lane();
        for (k, p) in (0..count).step_by(2 * LANES).enumerate() {
            let mut square = [_mm512_setzero_si512(); LANES];
            for (pair, pairs) in square.iter_mut().enumerate().take((count - p).div_ceil(2)) {
                let even = from.add((p + 2 * pair) * apart);
                let high = if p + 2 * pair + 1 < count { lines } else { 0 };
                *pairs =
                    _mm512_permutexvar_epi16(order, round(load(even, lines), load(even.wrapping_add(apart), high)));
            }
            for (line, pairs) in transposed(square).iter().enumerate() {
                _mm512_storeu_si512(to.add(line * stride + k * step).cast(), *pairs);
            }
        }
    }
}

/// 16 by 16 words transposed: pairs of rows, pairs of pairs, then quarters of registers.
#[target_feature(enable = "avx512f")]
#[inline]
fn transposed(r: [__m512i; LANES]) -> [__m512i; LANES] {
    let mut pairs = r;
    for i in (0..LANES).step_by(2) {
        pairs[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        pairs[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    // Of rows 4q to 4q + 3, in each quarter of the register: column 4 * quarter + c.
    let mut quads = pairs;
    for q in 0..4 {
        for half in 0..2 {
            let (a, b) = (pairs[4 * q + half], pairs[4 * q + 2 + half]);
            quads[4 * q + 2 * half] = _mm512_unpacklo_epi64(a, b);
            quads[4 * q + 2 * half + 1] = _mm512_unpackhi_epi64(a, b);
        }
    }
    let mut out = quads;
    for c in 0..4 {
        let even = (
            _mm512_shuffle_i32x4::<0x88>(quads[c], quads[4 + c]),
            _mm512_shuffle_i32x4::<0x88>(quads[8 + c], quads[12 + c]),
        );
        let odd = (
            _mm512_shuffle_i32x4::<0xdd>(quads[c], quads[4 + c]),
            _mm512_shuffle_i32x4::<0xdd>(quads[8 + c], quads[12 + c]),
        );
        out[c] = _mm512_shuffle_i32x4::<0x88>(even.0, even.1);
        out[8 + c] = _mm512_shuffle_i32x4::<0xdd>(even.0, even.1);
        out[4 + c] = _mm512_shuffle_i32x4::<0x88>(odd.0, odd.1);
        out[12 + c] = _mm512_shuffle_i32x4::<0xdd>(odd.0, odd.1);
    }
    out
}

/// A block of `b` as a panel: `count` inner indices from `first`, `width` columns from `col`, lines of `padded` pairs.
///
/// # Safety
/// The block must lie in `b`; at `to` there must be room for whole registers.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
#[inline]
pub unsafe fn panel(
    b: Operand<f32>,
    (first, count): (usize, usize),
    (col, width): (usize, usize),
    to: *mut u32,
    padded: usize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let from = b.at(first, col);
        if b.by_rows() {
            across(from, b.row, count, width, to, padded)
        } else {
            turned(from, b.col, count, width, to, padded)
        }
    }
}
