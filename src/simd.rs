//! Which vector instructions this machine has, found at run time, and one way to run a loop compiled for each.
//!
//! A [`Kernel`] is written once, generic over [`Isa`]. [`dispatch`] calls it inside a function that was compiled with the
//! instruction set of the machine, so plain loops in it are vectorised for that set, and [`Vector`] gives explicit
//! registers where a loop needs them. Everything between `dispatch` and the loop must be `#[inline(always)]`.

use std::ops::{Add, Div, Mul, Neg, Sub};
use std::sync::atomic::{AtomicU8, Ordering};

use crate::scalar::Scalar;

/// The instruction sets that kernels are compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Level {
    /// What every processor of the target has, without fused multiply-add.
    Portable = 1,
    /// x86-64 with AVX2 and FMA.
    Avx2 = 2,
    /// x86-64 with AVX-512 F, BW, DQ and VL.
    Avx512 = 3,
    /// 64-bit Arm.
    Neon = 4,
}

impl Level {
    /// Every level, with the name that `SCHUSS_SIMD` takes.
    pub const ALL: [(Level, &'static str); 4] =
        [(Level::Portable, "portable"), (Level::Avx2, "avx2"), (Level::Avx512, "avx512"), (Level::Neon, "neon")];

    /// The level's name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(level, _)| *level == self).map_or("unknown", |(_, name)| name)
    }

    /// The level of that name.
    pub fn from_name(name: &str) -> Option<Level> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(level, _)| *level)
    }

    /// Whether this machine can run it.
    pub fn available(self) -> bool {
        match self {
            Level::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => {
                Level::Avx2.available()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
            }
            #[cfg(target_arch = "aarch64")]
            Level::Neon => true,
            #[allow(unreachable_patterns)]
            _ => false,
        }
    }

    fn best() -> Level {
        [Level::Avx512, Level::Avx2, Level::Neon].into_iter().find(|l| l.available()).unwrap_or(Level::Portable)
    }
}

/// 0 until the first use.
static CURRENT: AtomicU8 = AtomicU8::new(0);

/// The level in use: the best one of this machine, or the one that the environment variable `SCHUSS_SIMD` names.
#[inline]
pub fn level() -> Level {
    match CURRENT.load(Ordering::Relaxed) {
        1 => Level::Portable,
        2 => Level::Avx2,
        3 => Level::Avx512,
        4 => Level::Neon,
        _ => detect(),
    }
}

#[cold]
fn detect() -> Level {
    let asked = std::env::var("SCHUSS_SIMD").ok().and_then(|name| Level::from_name(&name));
    let level = asked.filter(|l| l.available()).unwrap_or_else(Level::best);
    CURRENT.store(level as u8, Ordering::Relaxed);
    level
}

/// Sets the level for the whole process; a switch for tests and benchmarks. False where the machine lacks it.
pub fn set_level(level: Level) -> bool {
    let available = level.available();
    if available {
        CURRENT.store(level as u8, Ordering::Relaxed);
    }
    available
}

/// Asks for the cache line of an address, which need not be a valid one, where the processor can be asked.
#[inline(always)]
pub fn prefetch<T>(address: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch reads nothing that the program could see, and never faults.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(address.cast())
    };
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

/// While it lives, this thread takes denormal numbers for zero: they are of no use to training and cost a hundredfold.
pub struct FlushDenormals {
    before: u64,
}

impl FlushDenormals {
    #[cfg(target_arch = "x86_64")]
    const BITS: u64 = 0x8040; // flush to zero, denormals are zero
    #[cfg(target_arch = "aarch64")]
    const BITS: u64 = 1 << 24;
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    const BITS: u64 = 0;

    /// Starts to flush.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        let before = Self::get();
        Self::set(before | Self::BITS);
        FlushDenormals { before }
    }

    fn get() -> u64 {
        #[cfg(target_arch = "x86_64")]
        {
            let mut word = 0u32;
            // SAFETY: stores the floating-point control word to a local.
            unsafe { std::arch::asm!("stmxcsr [{}]", in(reg) &mut word, options(nostack)) };
            u64::from(word)
        }
        #[cfg(target_arch = "aarch64")]
        {
            let word: u64;
            // SAFETY: reads the floating-point control register.
            unsafe { std::arch::asm!("mrs {}, fpcr", out(reg) word, options(nomem, nostack)) };
            word
        }
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        0
    }

    fn set(word: u64) {
        #[cfg(target_arch = "x86_64")]
        {
            let word = word as u32;
            // SAFETY: changes only how denormals are treated, and `drop` restores it.
            unsafe { std::arch::asm!("ldmxcsr [{}]", in(reg) &word, options(nostack, readonly)) };
        }
        #[cfg(target_arch = "aarch64")]
        // SAFETY: as above.
        unsafe {
            std::arch::asm!("msr fpcr, {}", in(reg) word, options(nomem, nostack))
        };
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        let _ = word;
    }
}

impl Drop for FlushDenormals {
    fn drop(&mut self) {
        Self::set(self.before);
    }
}

/// Tests run side by side and the level is the process's own: who switches it holds this alone.
#[cfg(test)]
static TURN: std::sync::RwLock<()> = std::sync::RwLock::new(());

/// Keeps the level as it is, for a test that compares bits.
#[cfg(test)]
pub(crate) fn hold_level() -> impl Drop {
    TURN.read().unwrap_or_else(|failed| failed.into_inner())
}

/// Runs a test at every level of this machine.
#[cfg(test)]
pub(crate) fn at_every_level(mut test: impl FnMut(Level)) {
    let _turn = TURN.write().unwrap_or_else(|failed| failed.into_inner());
    let before = level();
    for (level, _) in Level::ALL {
        if set_level(level) {
            test(level);
        }
    }
    set_level(before);
}

/// A loop, written once for every instruction set.
pub trait Kernel {
    /// What it returns.
    type Output;
    /// The loop. Must be `#[inline(always)]`, as must be all that it calls.
    fn run<I: Isa>(self) -> Self::Output;
}

/// Runs a kernel compiled for the current level.
#[inline]
pub fn dispatch<K: Kernel>(kernel: K) -> K::Output {
    match level() {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `level` returns only levels that `available` confirmed on this machine.
        Level::Avx512 => unsafe { x86::run_avx512(kernel) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Level::Avx2 => unsafe { x86::run_avx2(kernel) },
        #[cfg(target_arch = "aarch64")]
        Level::Neon => kernel.run::<neon::Neon>(),
        _ => kernel.run::<Portable>(),
    }
}

/// An instruction set.
pub trait Isa: 'static {
    /// Its `f32` register.
    type F32: Vector<Elem = f32>;
    /// Its `f64` register.
    type F64: Vector<Elem = f64>;
    /// Whether it has fused multiply-add.
    const FMA: bool;
    /// Rows of a register tile of a matrix product, two registers across: as many as the register file holds.
    const TILE_ROWS: usize;

    /// `a * b + c`: rounded once where the instruction set can, else twice.
    #[inline(always)]
    fn fma<T: Scalar>(a: T, b: T, c: T) -> T {
        if Self::FMA { a.mul_add(b, c) } else { a * b + c }
    }
}

/// A register of `LANES` numbers.
pub trait Vector:
    Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self> + Neg<Output = Self>
{
    /// What it holds.
    type Elem: Scalar;
    /// How many.
    const LANES: usize;

    /// All lanes the same.
    fn splat(x: Self::Elem) -> Self;
    /// Reads `LANES` numbers.
    ///
    /// # Safety
    /// `from` must be readable for `LANES` numbers.
    unsafe fn load(from: *const Self::Elem) -> Self;
    /// Writes `LANES` numbers.
    ///
    /// # Safety
    /// `to` must be writable for `LANES` numbers.
    unsafe fn store(self, to: *mut Self::Elem);
    /// `self * a + b`, lane by lane, as [`Isa::fma`].
    fn fma(self, a: Self, b: Self) -> Self;
    /// The larger of two; `other` where one is NaN.
    fn max(self, other: Self) -> Self;
    /// Square root: in single precision within 1e-7 of it, relatively; 0 and infinity are their own.
    fn sqrt(self) -> Self;

    /// Reads the first `LANES` numbers of a slice.
    #[inline(always)]
    fn full(from: &[Self::Elem]) -> Self {
        assert!(from.len() >= Self::LANES);
        // SAFETY: so many are there.
        unsafe { Self::load(from.as_ptr()) }
    }
    /// Writes to the first `LANES` places of a slice.
    #[inline(always)]
    fn put(self, to: &mut [Self::Elem]) {
        assert!(to.len() >= Self::LANES);
        // SAFETY: so many are there.
        unsafe { self.store(to.as_mut_ptr()) }
    }
    /// Reads a slice of at most `LANES` numbers; the other lanes are 0.
    #[inline(always)]
    fn read(from: &[Self::Elem]) -> Self {
        let mut all = [Self::Elem::ZERO; MOST_LANES];
        all[..from.len()].copy_from_slice(from);
        // SAFETY: no register has more lanes.
        unsafe { Self::load(all.as_ptr()) }
    }
    /// Writes its first lanes to a slice of at most `LANES` numbers.
    #[inline(always)]
    fn write(self, to: &mut [Self::Elem]) {
        let mut all = [Self::Elem::ZERO; MOST_LANES];
        // SAFETY: no register has more lanes.
        unsafe { self.store(all.as_mut_ptr()) };
        to.copy_from_slice(&all[..to.len()]);
    }

    /// The side of the square that [`Vector::transpose`] moves.
    const SQUARE: usize = 4;
    /// Copies a square, element (i, j) to (j, i); the strides are from one row to the next.
    ///
    /// # Safety
    /// `from` must be readable, `to` writable, for the whole square.
    #[inline(always)]
    unsafe fn transpose(from: *const Self::Elem, stride: usize, to: *mut Self::Elem, to_stride: usize) {
        for i in 0..Self::SQUARE {
            for j in 0..Self::SQUARE {
                // SAFETY: the caller vouches for both squares.
                unsafe { *to.add(j * to_stride + i) = *from.add(i * stride + j) };
            }
        }
    }
}

/// The lanes of the largest register.
pub const MOST_LANES: usize = 16;

/// No vector instructions named: the compiler takes what the target always has.
pub struct Portable;

impl Isa for Portable {
    type F32 = Lanes<f32, 4>;
    type F64 = Lanes<f64, 2>;
    const FMA: bool = false;
    const TILE_ROWS: usize = 4;
}

/// A register as a plain array.
#[derive(Clone, Copy)]
pub struct Lanes<T, const N: usize>([T; N]);

impl<T: Scalar, const N: usize> Vector for Lanes<T, N> {
    type Elem = T;
    const LANES: usize = N;

    #[inline(always)]
    fn splat(x: T) -> Self {
        Lanes([x; N])
    }
    #[inline(always)]
    unsafe fn load(from: *const T) -> Self {
        // SAFETY: the caller vouches for `N` readable numbers; an array has no stricter alignment than its elements.
        Lanes(unsafe { *from.cast::<[T; N]>() })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut T) {
        // SAFETY: as for `load`.
        unsafe { *to.cast::<[T; N]>() = self.0 }
    }
    #[inline(always)]
    fn fma(self, a: Self, b: Self) -> Self {
        Lanes(std::array::from_fn(|i| self.0[i] * a.0[i] + b.0[i]))
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        Lanes(std::array::from_fn(|i| if self.0[i] > other.0[i] { self.0[i] } else { other.0[i] }))
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        Lanes(self.0.map(T::sqrt))
    }
}

macro_rules! operators_of_lanes {
    ($($op:ident $name:ident),+) => {
        $(impl<T: Scalar, const N: usize> $op for Lanes<T, N> {
            type Output = Self;
            #[inline(always)]
            fn $name(self, other: Self) -> Self {
                Lanes(std::array::from_fn(|i| self.0[i].$name(other.0[i])))
            }
        })+
    };
}
operators_of_lanes!(Add add, Sub sub, Mul mul, Div div);

impl<T: Scalar, const N: usize> Neg for Lanes<T, N> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        Lanes(self.0.map(T::neg))
    }
}

/// A register of the processor: its type, its element, and the intrinsics behind each operation.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
macro_rules! register {
    (
        $name:ident, $raw:ident, $elem:ident, $lanes:literal, $splat:ident, $load:ident, $store:ident,
        [$add:ident $sub:ident $mul:ident $div:ident], $sqrt:ident,
        |$x:ident, $a:ident, $b:ident| fma $fma:expr, max $max:expr
        $(, $side:literal $transpose:ident)? $(, $mask:ident $load_some:ident $store_some:ident)?
    ) => {
        /// A vector register.
        #[derive(Clone, Copy)]
        pub struct $name($raw);

        register!(@operators $name, Add add $add, Sub sub $sub, Mul mul $mul, Div div $div);

        impl Neg for $name {
            type Output = Self;
            #[inline(always)]
            fn neg(self) -> Self {
                Self::splat(-0.0) - self
            }
        }

        impl Vector for $name {
            type Elem = $elem;
            const LANES: usize = $lanes;

            #[inline(always)]
            fn splat(x: $elem) -> Self {
                // SAFETY: this type is only used below `dispatch`, which has confirmed the instruction set.
                unsafe { $name($splat(x)) }
            }
            #[inline(always)]
            unsafe fn load(from: *const $elem) -> Self {
                // SAFETY: the caller vouches for the memory, `dispatch` for the instruction set.
                unsafe { $name($load(from)) }
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $elem) {
                // SAFETY: the caller vouches for the memory, `dispatch` for the instruction set.
                unsafe { $store(to, self.0) }
            }
            #[inline(always)]
            fn fma(self, a: Self, b: Self) -> Self {
                let ($x, $a, $b) = (self.0, a.0, b.0);
                // SAFETY: this type is only used below `dispatch`, which has confirmed the instruction set.
                unsafe { $name($fma) }
            }
            #[inline(always)]
            fn max(self, other: Self) -> Self {
                let ($x, $a) = (self.0, other.0);
                // SAFETY: as above.
                unsafe { $name($max) }
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                // SAFETY: as above.
                unsafe { $name($sqrt(self.0)) }
            }
            $(
                const SQUARE: usize = $side;
                #[inline(always)]
                unsafe fn transpose(from: *const $elem, stride: usize, to: *mut $elem, to_stride: usize) {
                    // SAFETY: the caller vouches for the memory, `dispatch` for the instruction set.
                    unsafe { $transpose(from, stride, to, to_stride) }
                }
            )?
            $(
                #[inline(always)]
                fn read(from: &[$elem]) -> Self {
                    assert!(from.len() <= $lanes);
                    // SAFETY: the mask leaves the numbers of the slice; `dispatch` has confirmed the instruction set.
                    unsafe { $name($load_some(((1u32 << from.len()) - 1) as $mask, from.as_ptr())) }
                }
                #[inline(always)]
                fn write(self, to: &mut [$elem]) {
                    assert!(to.len() <= $lanes);
                    // SAFETY: as above.
                    unsafe { $store_some(to.as_mut_ptr(), ((1u32 << to.len()) - 1) as $mask, self.0) }
                }
            )?
        }
    };
    (@operators $name:ident, $($op:ident $method:ident $intrinsic:ident),+) => {
        $(impl $op for $name {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                // SAFETY: this type is only used below `dispatch`, which has confirmed the instruction set.
                unsafe { $name($intrinsic(self.0, other.0)) }
            }
        })+
    };
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Add, Div, Isa, Kernel, Mul, Neg, Sub, Vector};
    use std::arch::x86_64::*;

    register!(
        Zmm32, __m512, f32, 16, _mm512_set1_ps, _mm512_loadu_ps, _mm512_storeu_ps,
        [_mm512_add_ps _mm512_sub_ps _mm512_mul_ps divide_by_estimate], _mm512_sqrt_ps,
        |x, a, b| fma _mm512_fmadd_ps(x, a, b), max _mm512_max_ps(x, a), 8 eight_by_eight,
        __mmask16 _mm512_maskz_loadu_ps _mm512_mask_storeu_ps
    );
    register!(
        Zmm64, __m512d, f64, 8, _mm512_set1_pd, _mm512_loadu_pd, _mm512_storeu_pd,
        [_mm512_add_pd _mm512_sub_pd _mm512_mul_pd _mm512_div_pd], _mm512_sqrt_pd,
        |x, a, b| fma _mm512_fmadd_pd(x, a, b), max _mm512_max_pd(x, a), 4 four_by_four,
        __mmask8 _mm512_maskz_loadu_pd _mm512_mask_storeu_pd
    );
    register!(
        Ymm32, __m256, f32, 8, _mm256_set1_ps, _mm256_loadu_ps, _mm256_storeu_ps,
        [_mm256_add_ps _mm256_sub_ps _mm256_mul_ps _mm256_div_ps], _mm256_sqrt_ps,
        |x, a, b| fma _mm256_fmadd_ps(x, a, b), max _mm256_max_ps(x, a), 8 eight_by_eight
    );
    register!(
        Ymm64, __m256d, f64, 4, _mm256_set1_pd, _mm256_loadu_pd, _mm256_storeu_pd,
        [_mm256_add_pd _mm256_sub_pd _mm256_mul_pd _mm256_div_pd], _mm256_sqrt_pd,
        |x, a, b| fma _mm256_fmadd_pd(x, a, b), max _mm256_max_pd(x, a), 4 four_by_four
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
    }

    pub struct Avx2;
    impl Isa for Avx2 {
        type F32 = Ymm32;
        type F64 = Ymm64;
        const FMA: bool = true;
        const TILE_ROWS: usize = 6;
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
    pub fn run_avx512<K: Kernel>(kernel: K) -> K::Output {
        kernel.run::<Avx512>()
    }

    #[target_feature(enable = "avx2,fma")]
    pub fn run_avx2<K: Kernel>(kernel: K) -> K::Output {
        kernel.run::<Avx2>()
    }
}

#[cfg(target_arch = "aarch64")]
mod neon {
    use super::{Add, Div, Isa, Mul, Neg, Sub, Vector};
    use std::arch::aarch64::*;

    register!(
        Q32, float32x4_t, f32, 4, vdupq_n_f32, vld1q_f32, vst1q_f32,
        [vaddq_f32 vsubq_f32 vmulq_f32 vdivq_f32], vsqrtq_f32,
        |x, a, b| fma vfmaq_f32(b, x, a), max vbslq_f32(vcgtq_f32(x, a), x, a)
    );
    register!(
        Q64, float64x2_t, f64, 2, vdupq_n_f64, vld1q_f64, vst1q_f64,
        [vaddq_f64 vsubq_f64 vmulq_f64 vdivq_f64], vsqrtq_f64,
        |x, a, b| fma vfmaq_f64(b, x, a), max vbslq_f64(vcgtq_f64(x, a), x, a)
    );

    pub struct Neon;
    impl Isa for Neon {
        type F32 = Q32;
        type F64 = Q64;
        const FMA: bool = true;
        const TILE_ROWS: usize = 12;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kernel that a test wants to see: what registers make of some numbers.
    struct Roots<'a, T>(&'a [T], &'a mut [T]);

    impl<T: Scalar> Kernel for Roots<'_, T> {
        type Output = ();

        #[inline(always)]
        fn run<I: Isa>(self) {
            let lanes = T::Vector::<I>::LANES;
            for (from, to) in self.0.chunks(lanes).zip(self.1.chunks_mut(lanes)) {
                T::Vector::<I>::read(from).sqrt().write(to);
            }
        }
    }

    /// Quotients of numbers by others.
    struct Quotients<'a, T>(&'a [T], &'a [T], &'a mut [T]);

    impl<T: Scalar> Kernel for Quotients<'_, T> {
        type Output = ();

        #[inline(always)]
        fn run<I: Isa>(self) {
            let lanes = T::Vector::<I>::LANES;
            for ((a, b), to) in self.0.chunks(lanes).zip(self.1.chunks(lanes)).zip(self.2.chunks_mut(lanes)) {
                (T::Vector::<I>::read(a) / T::Vector::<I>::read(b)).write(to);
            }
        }
    }

    /// 97 significands with each of some exponents, which fill no register.
    fn numbers(exponents: std::ops::Range<u32>) -> Vec<f32> {
        let with = |exponent: u32| (0..97u32).map(move |i| f32::from_bits(exponent << 23 | ((i * 86_479) & 0x7f_ffff)));
        exponents.flat_map(with).collect()
    }

    #[test]
    fn roots_are_exact_at_every_level() {
        let numbers = numbers(0..256);
        let doubles: Vec<f64> = numbers.iter().map(|&x| f64::from(x)).collect();
        at_every_level(|level| {
            let (mut roots, mut exact) = (vec![0.0; numbers.len()], vec![0.0; numbers.len()]);
            dispatch(Roots(&numbers, &mut roots));
            dispatch(Roots(&doubles, &mut exact));
            for ((x, root), exact) in doubles.iter().zip(roots).zip(exact) {
                assert!(exact == x.sqrt() || x.is_nan());
                assert!(root == exact as f32 || x.is_nan(), "{level:?}: the root of {x} is not {root}");
            }
        });
    }

    #[test]
    fn quotients_are_within_their_bound_at_every_level() {
        let divisors = numbers(1..253);
        for sign in [1.0, -1.0] {
            let dividends: Vec<f32> = (0..divisors.len()).map(|i| sign * divisors[i * 7919 % divisors.len()]).collect();
            at_every_level(|level| {
                let mut quotients = vec![0.0; divisors.len()];
                dispatch(Quotients(&dividends, &divisors, &mut quotients));
                for ((a, b), quotient) in dividends.iter().zip(&divisors).zip(quotients) {
                    let exact = f64::from(*a) / f64::from(*b);
                    let near = (f64::from(quotient) / exact - 1.0).abs() <= 1.2e-7;
                    let beyond = match exact.abs() {
                        large if large > f64::from(f32::MAX) => quotient == f32::INFINITY * sign,
                        small if small < f64::from(f32::MIN_POSITIVE) => f64::from(quotient).abs() <= 1.2e-38,
                        _ => false,
                    };
                    assert!(near || beyond, "{level:?}: {a} / {b} is not {quotient}");
                }
            });
        }
    }

    #[test]
    fn quotients_with_zero_infinity_and_nan() {
        let (inf, nan) = (f32::INFINITY, f32::NAN);
        let (a, b) = ([1.0, -1.0, 0.0, 0.0, inf, inf, 3.0, nan, 0.0], [0.0, 0.0, 5.0, 0.0, 2.0, inf, -inf, 1.0, nan]);
        at_every_level(|_| {
            let mut quotients = [0.0f32; 9];
            dispatch(Quotients(&a, &b, &mut quotients));
            for ((a, b), quotient) in a.iter().zip(b).zip(quotients) {
                assert!(quotient == a / b || quotient.is_nan() && (a / b).is_nan(), "{a} / {b} is not {quotient}");
            }
        });
    }

    #[test]
    fn a_part_of_a_register_reads_and_writes_nothing_beside_it() {
        at_every_level(|_| {
            for len in 0..40 {
                let numbers: Vec<f64> = (0..len).map(|i| (i * i) as f64).collect();
                let mut to = vec![-1.0; len + 16];
                dispatch(Roots(&numbers, &mut to[8..8 + len]));
                assert!((0..len).all(|i| to[8 + i] == i as f64));
                assert!(to[..8].iter().chain(&to[8 + len..]).all(|&x| x == -1.0));
            }
        });
    }
}
