//! Products whose factors are rounded to bfloat16, and summed in single precision.
//!
//! bfloat16 is the upper half of a `f32`: its sign, its exponent, and 8 bits of its significand, the hidden one included. Both
//! operands are rounded to the nearest such number, of two to the even one, while they are packed as pairs along the inner
//! index. Products of two are exact in `f32`; their sum is not, so its order is fixed.
//!
//! Element (i, j) of `a · b` is one chain over pairs of inner indices in increasing order, begun at the initial value. In each
//! pair the odd index is added first, then the even one, each by one fused multiply-add that takes denormal numbers for zero
//! and gives none: that is the processors' instruction (`VDPBF16PS` of Intel's Architecture Instruction Set Extensions,
//! where the rounding is `VCVTNE2PS2BF16`). An odd depth ends with a zero. As with single factors, neither tiles nor blocks
//! change the order, so any split of rows or columns gives the same bits.
//!
//! [`multiply`] is where a kernel is chosen by what the machine has; there is one today.

#[cfg(target_arch = "x86_64")]
mod pack;
#[cfg(target_arch = "x86_64")]
mod pairs;
#[cfg(all(test, target_arch = "x86_64"))]
mod tests;

use super::blocks::NARROW;
use super::operand::Task;
use crate::simd;

/// The product.
///
/// # Panics
/// Where the machine has no instruction for it: `Factors::check` would have said so.
pub fn multiply(task: Task<'_, f32>) {
    assert!(simd::has_bfloat16(), "no product of bfloat16 without its instruction");
    // With few columns its transpose fills the lanes, with the same chains.
    let turned = task.cols <= NARROW && task.rows > task.cols;
    let task = if turned { task.t() } else { task };
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the machine has the instructions.
    unsafe {
        pairs::multiply(task, turned)
    };
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (task, turned);
}
