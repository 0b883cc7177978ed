//! `float16`, the type in which NumPy stores numbers that are too many for 32 bits each.
//!
//! Both directions work without denormal `f32` numbers, which are flushed while a step is made.

/// Numbers up to this are rounded to a finite `float16`.
pub const LARGEST_HALF: f64 = 65519.0;

/// The same number.
#[inline]
pub fn widened(half: u16) -> f32 {
    let (exponent, fraction) = (u32::from(half >> 10 & 31), u32::from(half & 0x3ff));
    let magnitude = match exponent {
        0 => fraction as f32 * (1.0 / (1 << 24) as f32),
        31 => f32::from_bits(0x7f80_0000 | fraction << 13),
        _ => f32::from_bits((exponent + 112) << 23 | fraction << 13),
    };
    if half >> 15 == 0 { magnitude } else { -magnitude }
}

/// The nearest `float16`, of two the even one; infinity beyond its range.
#[inline]
pub fn narrowed(x: f32) -> u16 {
    let (sign, bits) = ((x.to_bits() >> 16) as u16 & 0x8000, x.to_bits() & 0x7fff_ffff);
    let magnitude = match bits {
        // NaN stays one where its lowest bits are cut off.
        0x7f80_0001.. => 0x7e00 | (bits >> 13) as u16 & 0x3ff,
        0x4780_0000.. => 0x7c00,
        0x3880_0000.. => {
            let rebased = bits - (112 << 23);
            ((rebased + 0xfff + (rebased >> 13 & 1)) >> 13) as u16
        }
        // Adding 2^23 leaves no place for a fraction: the sum is rounded, and the result of the subtraction exact.
        _ => ((x.abs() * (1 << 24) as f32 + (1 << 23) as f32) - (1 << 23) as f32) as u16,
    };
    sign | magnitude
}
