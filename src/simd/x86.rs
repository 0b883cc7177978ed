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
    upright_zmm32 four four_singles, __mmask16 _mm512_maskz_loadu_ps _mm512_mask_storeu_ps
);
register!(
    Zmm64, __m512d, f64, 8, Ymm64, _mm512_set1_pd, _mm512_loadu_pd, _mm512_storeu_pd,
    [_mm512_add_pd _mm512_sub_pd _mm512_mul_pd _mm512_div_pd], _mm512_sqrt_pd,
    |x, a, b| fma _mm512_fmadd_pd(x, a, b), max _mm512_max_pd(x, a), min _mm512_min_pd(x, a),
    upright_zmm64, __mmask8 _mm512_maskz_loadu_pd _mm512_mask_storeu_pd
);
register!(
    Ymm32, __m256, f32, 8, Ymm32, _mm256_set1_ps, _mm256_loadu_ps, _mm256_storeu_ps,
    [_mm256_add_ps _mm256_sub_ps _mm256_mul_ps _mm256_div_ps], _mm256_sqrt_ps,
    |x, a, b| fma _mm256_fmadd_ps(x, a, b), max _mm256_max_ps(x, a), min _mm256_min_ps(x, a),
    upright_ymm32 four four_singles, u8 load_some_singles store_some_singles
);
register!(
    Ymm64, __m256d, f64, 4, Ymm64, _mm256_set1_pd, _mm256_loadu_pd, _mm256_storeu_pd,
    [_mm256_add_pd _mm256_sub_pd _mm256_mul_pd _mm256_div_pd], _mm256_sqrt_pd,
    |x, a, b| fma _mm256_fmadd_pd(x, a, b), max _mm256_max_pd(x, a), min _mm256_min_pd(x, a),
    upright_ymm64, u8 load_some_doubles store_some_doubles
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

/// Sixteen bytes of a row in each quarter of a register, as they are read: that takes no shuffle.
macro_rules! quarters {
    ($singles:ident $doubles:ident $raw:ident $raw_doubles:ident $begin:ident $to_doubles:ident $($insert:ident $quarter:literal)*) => {
        /// The rows are `apart` numbers apart.
        ///
        /// # Safety
        /// The machine must have the instruction set, and the rows be readable.
        #[inline(always)]
        unsafe fn $singles(from: *const f32, apart: usize) -> $raw {
            // SAFETY: the caller's promise.
            unsafe {
                let rows = $begin(_mm_loadu_ps(from));
                $(let rows = $insert::<$quarter>(rows, _mm_loadu_ps(from.add($quarter * apart)));)*
                rows
            }
        }

        /// As above.
        ///
        /// # Safety
        /// As above.
        #[inline(always)]
        unsafe fn $doubles(from: *const f64, apart: usize) -> $raw_doubles {
            // SAFETY: the caller's promise; a double takes the place of two singles.
            unsafe { $to_doubles($singles(from.cast(), 2 * apart)) }
        }
    };
}
quarters!(zmm32_of_rows zmm64_of_rows __m512 __m512d _mm512_castps128_ps512 _mm512_castps_pd
    _mm512_insertf32x4 1 _mm512_insertf32x4 2 _mm512_insertf32x4 3);
quarters!(ymm32_of_rows ymm64_of_rows __m256 __m256d _mm256_castps128_ps256 _mm256_castps_pd _mm256_insertf128_ps 1);

/// Four rows of as many numbers, in each quarter of a register: pairs of rows, then pairs of pairs.
macro_rules! four_rows {
    ($name:ident $rows:ident, $low:ident $high:ident $shuffle:ident $store:ident) => {
        /// [`Vector::upright`], or [`Vector::transpose_four`].
        ///
        /// # Safety
        /// The machine must have the instruction set, `from` be readable and `to` writable for the whole block.
        #[inline(always)]
        unsafe fn $name(from: *const f32, stride: usize, to: *mut f32, to_stride: usize) {
            // SAFETY: the caller's promise.
            unsafe {
                let (a, b) = ($rows(from, 4 * stride), $rows(from.add(stride), 4 * stride));
                let (c, d) = ($rows(from.add(2 * stride), 4 * stride), $rows(from.add(3 * stride), 4 * stride));
                let (ab, cd) = ($low(a, b), $low(c, d));
                $store(to, $shuffle::<0x44>(ab, cd));
                $store(to.add(to_stride), $shuffle::<0xee>(ab, cd));
                let (ab, cd) = ($high(a, b), $high(c, d));
                $store(to.add(2 * to_stride), $shuffle::<0x44>(ab, cd));
                $store(to.add(3 * to_stride), $shuffle::<0xee>(ab, cd));
            }
        }
    };
}
four_rows!(upright_zmm32 zmm32_of_rows, _mm512_unpacklo_ps _mm512_unpackhi_ps _mm512_shuffle_ps _mm512_storeu_ps);
four_rows!(upright_ymm32 ymm32_of_rows, _mm256_unpacklo_ps _mm256_unpackhi_ps _mm256_shuffle_ps _mm256_storeu_ps);
four_rows!(four_singles xmm32_of_rows, _mm_unpacklo_ps _mm_unpackhi_ps _mm_shuffle_ps _mm_storeu_ps);

/// A register that has only one quarter.
///
/// # Safety
/// The row must be readable.
#[inline(always)]
unsafe fn xmm32_of_rows(from: *const f32, _: usize) -> __m128 {
    // SAFETY: the caller's promise.
    unsafe { _mm_loadu_ps(from) }
}

/// Two rows of as many numbers, in each quarter of a register.
macro_rules! two_rows {
    ($name:ident $rows:ident, $low:ident $high:ident $store:ident) => {
        /// [`Vector::upright`].
        ///
        /// # Safety
        /// The machine must have the instruction set, `from` be readable and `to` writable for the whole block.
        #[inline(always)]
        unsafe fn $name(from: *const f64, stride: usize, to: *mut f64, to_stride: usize) {
            // SAFETY: the caller's promise.
            unsafe {
                let (a, b) = ($rows(from, 2 * stride), $rows(from.add(stride), 2 * stride));
                $store(to, $low(a, b));
                $store(to.add(to_stride), $high(a, b));
            }
        }
    };
}
two_rows!(upright_zmm64 zmm64_of_rows, _mm512_unpacklo_pd _mm512_unpackhi_pd _mm512_storeu_pd);
two_rows!(upright_ymm64 ymm64_of_rows, _mm256_unpacklo_pd _mm256_unpackhi_pd _mm256_storeu_pd);

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
