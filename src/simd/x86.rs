//! AVX2 and AVX-512.

use std::arch::x86_64::*;
use std::ops::{Add, Div, Mul, Neg, Sub};

use super::isa::{Isa, Kernel};
use super::register::register;
use super::vector::Vector;

register!(
    Zmm32, __m512, f32, 16, Ymm32, _mm512_set1_ps, _mm512_loadu_ps, _mm512_storeu_ps,
    [_mm512_add_ps _mm512_sub_ps _mm512_mul_ps divide_by_estimate], _mm512_sqrt_ps,
    |x, a, b| fma _mm512_fmadd_ps(x, a, b), max _mm512_max_ps(x, a), min _mm512_min_ps(x, a),
    8 eight_by_eight four_singles, __mmask16 _mm512_maskz_loadu_ps _mm512_mask_storeu_ps
);
register!(
    Zmm64, __m512d, f64, 8, Ymm64, _mm512_set1_pd, _mm512_loadu_pd, _mm512_storeu_pd,
    [_mm512_add_pd _mm512_sub_pd _mm512_mul_pd _mm512_div_pd], _mm512_sqrt_pd,
    |x, a, b| fma _mm512_fmadd_pd(x, a, b), max _mm512_max_pd(x, a), min _mm512_min_pd(x, a),
    4 four_by_four four_by_four, __mmask8 _mm512_maskz_loadu_pd _mm512_mask_storeu_pd
);
register!(
    Ymm32, __m256, f32, 8, Ymm32, _mm256_set1_ps, _mm256_loadu_ps, _mm256_storeu_ps,
    [_mm256_add_ps _mm256_sub_ps _mm256_mul_ps _mm256_div_ps], _mm256_sqrt_ps,
    |x, a, b| fma _mm256_fmadd_ps(x, a, b), max _mm256_max_ps(x, a), min _mm256_min_ps(x, a),
    8 eight_by_eight four_singles, u8 load_some_singles store_some_singles
);
register!(
    Ymm64, __m256d, f64, 4, Ymm64, _mm256_set1_pd, _mm256_loadu_pd, _mm256_storeu_pd,
    [_mm256_add_pd _mm256_sub_pd _mm256_mul_pd _mm256_div_pd], _mm256_sqrt_pd,
    |x, a, b| fma _mm256_fmadd_pd(x, a, b), max _mm256_max_pd(x, a), min _mm256_min_pd(x, a),
    4 four_by_four four_by_four, u8 load_some_doubles store_some_doubles
);

/// Quotient by the processor's estimate of the divisor's inverse and one step of Newton's method, within one unit in the
/// last place: the divider has roots to take. Divisors from 2^126 on count as infinite, denormal ones as zero.
///
/// # Safety
/// The machine must have AVX-512 F and DQ.
#[inline(always)]
unsafe fn divide_by_estimate(a: __m512, b: __m512) -> __m512 {
    // SAFETY: the caller's promise.
    unsafe {
        let inverse = _mm512_rcp14_ps(b);
        let estimate = _mm512_mul_ps(a, inverse);
        let better = _mm512_fmadd_ps(_mm512_fnmadd_ps(b, estimate, a), inverse, estimate);
        // NaN, zeros, infinities and denormals cannot be made better.
        const FINAL: i32 = 0xbf;
        _mm512_mask_mov_ps(better, _mm512_fpclass_ps_mask::<FINAL>(estimate), estimate)
    }
}

/// The masks of AVX2 from bits, one for each lane, and what they are for.
macro_rules! masked {
    ($mask:ident $load:ident $store:ident $raw:ident $elem:ident, $load_raw:ident $store_raw:ident, $bits:expr, $of:ident $equal:ident) => {
        /// # Safety
        /// The machine must have AVX2.
        #[inline(always)]
        unsafe fn $mask(mask: u8) -> __m256i {
            // SAFETY: the caller's promise.
            unsafe {
                let bits = $bits;
                $equal(_mm256_and_si256($of(mask.into()), bits), bits)
            }
        }

        /// # Safety
        /// As above, and the numbers of the mask must be readable.
        #[inline(always)]
        unsafe fn $load(mask: u8, from: *const $elem) -> $raw {
            // SAFETY: the caller's promise.
            unsafe { $load_raw(from, $mask(mask)) }
        }

        /// # Safety
        /// As above, and the numbers of the mask must be writable.
        #[inline(always)]
        unsafe fn $store(to: *mut $elem, mask: u8, x: $raw) {
            // SAFETY: the caller's promise.
            unsafe { $store_raw(to, $mask(mask), x) }
        }
    };
}
masked!(
    mask_of_singles load_some_singles store_some_singles __m256 f32, _mm256_maskload_ps _mm256_maskstore_ps,
    _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128), _mm256_set1_epi32 _mm256_cmpeq_epi32
);
masked!(
    mask_of_doubles load_some_doubles store_some_doubles __m256d f64, _mm256_maskload_pd _mm256_maskstore_pd,
    _mm256_setr_epi64x(1, 2, 4, 8), _mm256_set1_epi64x _mm256_cmpeq_epi64
);

/// [`Vector::transpose`] of a square of 8 by 8: pairs of rows, pairs of pairs, halves.
///
/// # Safety
/// The machine must have AVX, `from` be readable and `to` writable for the whole square.
#[inline(always)]
unsafe fn eight_by_eight(from: *const f32, stride: usize, to: *mut f32, to_stride: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        let r: [__m256; 8] = std::array::from_fn(|i| _mm256_loadu_ps(from.add(i * stride)));
        let pairs: [__m256; 8] = std::array::from_fn(|i| match i % 2 {
            0 => _mm256_unpacklo_ps(r[i], r[i + 1]),
            _ => _mm256_unpackhi_ps(r[i - 1], r[i]),
        });
        let quads: [__m256; 8] = std::array::from_fn(|i| {
            let (a, b) = (pairs[i / 4 * 4 + i % 4 / 2], pairs[i / 4 * 4 + i % 4 / 2 + 2]);
            if i % 2 == 0 { _mm256_shuffle_ps::<0x44>(a, b) } else { _mm256_shuffle_ps::<0xee>(a, b) }
        });
        for i in 0..4 {
            _mm256_storeu_ps(to.add(i * to_stride), _mm256_permute2f128_ps::<0x20>(quads[i], quads[i + 4]));
            _mm256_storeu_ps(to.add((i + 4) * to_stride), _mm256_permute2f128_ps::<0x31>(quads[i], quads[i + 4]));
        }
    }
}

/// [`Vector::transpose_four`] in single precision.
///
/// # Safety
/// As for [`eight_by_eight`].
#[inline(always)]
unsafe fn four_singles(from: *const f32, stride: usize, to: *mut f32, to_stride: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        let r: [__m128; 4] = std::array::from_fn(|i| _mm_loadu_ps(from.add(i * stride)));
        let (low, high) = (_mm_unpacklo_ps(r[0], r[1]), _mm_unpacklo_ps(r[2], r[3]));
        _mm_storeu_ps(to, _mm_movelh_ps(low, high));
        _mm_storeu_ps(to.add(to_stride), _mm_movehl_ps(high, low));
        let (low, high) = (_mm_unpackhi_ps(r[0], r[1]), _mm_unpackhi_ps(r[2], r[3]));
        _mm_storeu_ps(to.add(2 * to_stride), _mm_movelh_ps(low, high));
        _mm_storeu_ps(to.add(3 * to_stride), _mm_movehl_ps(high, low));
    }
}

/// [`Vector::transpose`] of a square of 4 by 4.
///
/// # Safety
/// As for [`eight_by_eight`].
#[inline(always)]
unsafe fn four_by_four(from: *const f64, stride: usize, to: *mut f64, to_stride: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        let r: [__m256d; 4] = std::array::from_fn(|i| _mm256_loadu_pd(from.add(i * stride)));
        let even = [_mm256_unpacklo_pd(r[0], r[1]), _mm256_unpacklo_pd(r[2], r[3])];
        let odd = [_mm256_unpackhi_pd(r[0], r[1]), _mm256_unpackhi_pd(r[2], r[3])];
        _mm256_storeu_pd(to, _mm256_permute2f128_pd::<0x20>(even[0], even[1]));
        _mm256_storeu_pd(to.add(to_stride), _mm256_permute2f128_pd::<0x20>(odd[0], odd[1]));
        _mm256_storeu_pd(to.add(2 * to_stride), _mm256_permute2f128_pd::<0x31>(even[0], even[1]));
        _mm256_storeu_pd(to.add(3 * to_stride), _mm256_permute2f128_pd::<0x31>(odd[0], odd[1]));
    }
}

pub struct Avx512;
impl Isa for Avx512 {
    type F32 = Zmm32;
    type F64 = Zmm64;
    const FMA: bool = true;
    const TILE_ROWS: usize = 12;
    // Said here, not of what it calls: of a function for some instruction set the compiler heeds it in callers of the same
    // set alone.
    #[inline(never)]
    unsafe fn apart<K: Kernel>(kernel: K) -> K::Output {
        // SAFETY: the caller's promise.
        unsafe { run_avx512(kernel) }
    }
}

pub struct Avx2;
impl Isa for Avx2 {
    type F32 = Ymm32;
    type F64 = Ymm64;
    const FMA: bool = true;
    const TILE_ROWS: usize = 6;
    // Said here, not of what it calls: of a function for some instruction set the compiler heeds it in callers of the same
    // set alone.
    #[inline(never)]
    unsafe fn apart<K: Kernel>(kernel: K) -> K::Output {
        // SAFETY: the caller's promise.
        unsafe { run_avx2(kernel) }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
pub fn run_avx512<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Avx512>()
}

#[target_feature(enable = "avx2,fma")]
pub fn run_avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Avx2>()
}
