//! 64-bit Arm.

use std::arch::aarch64::*;
use std::ops::{Add, Div, Mul, Neg, Sub};

use super::isa::{Isa, Kernel};
use super::register::register;
use super::vector::Vector;

register!(
    Q32, float32x4_t, f32, 4, Q32, vdupq_n_f32, vld1q_f32, vst1q_f32,
    [vaddq_f32 vsubq_f32 vmulq_f32 vdivq_f32], vsqrtq_f32,
    |x, a, b| fma vfmaq_f32(b, x, a), max vbslq_f32(vcgtq_f32(x, a), x, a),
    min vbslq_f32(vcltq_f32(x, a), x, a)
);
register!(
    Q64, float64x2_t, f64, 2, Q64, vdupq_n_f64, vld1q_f64, vst1q_f64,
    [vaddq_f64 vsubq_f64 vmulq_f64 vdivq_f64], vsqrtq_f64,
    |x, a, b| fma vfmaq_f64(b, x, a), max vbslq_f64(vcgtq_f64(x, a), x, a),
    min vbslq_f64(vcltq_f64(x, a), x, a)
);

pub struct Neon;
impl Isa for Neon {
    type F32 = Q32;
    type F64 = Q64;
    const FMA: bool = true;
    const TILE_ROWS: usize = 12;
    #[inline(never)]
    unsafe fn apart<K: Kernel>(kernel: K) -> K::Output {
        kernel.run::<Self>()
    }
}
