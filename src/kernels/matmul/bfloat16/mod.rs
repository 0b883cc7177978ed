//! Products whose factors are rounded to bfloat16, and summed in single precision.
//!
//! bfloat16 is the upper half of a `f32`: its sign, its exponent, and 8 bits of its significand, the hidden one included. Both
//! operands are rounded to the nearest such number, of two to the even one, while they are packed as pairs along the inner
//! index. Products of two are exact in `f32`; their sum is not, so its order is fixed.
//!
//! Element (i, j) of `a · b` is one chain in increasing order of inner indices, begun at the initial value, of what the processor's
//! instruction adds at once, with fused multiply-adds that take denormal numbers for zero and give none:
//!
//! - [`pairs`] adds a pair of inner indices, the odd one first (`VDPBF16PS` of Intel's Architecture Instruction Set Extensions,
//!   where the rounding is `VCVTNE2PS2BF16`).
//! - [`tiles`] adds 32 of them: the sum of the even ones and that of the odd ones, each a chain of its own from zero
//!   (`TDPBF16PS`, Advanced Matrix Extensions).
//!
//! What is missing at the end of the depth is zero. As with single factors, neither tiles nor blocks change the order, so any split
//! of rows or columns gives the same bits; which of the two instructions adds is a matter of the machine alone.

#[cfg(target_arch = "x86_64")]
mod pack;
#[cfg(target_arch = "x86_64")]
mod pairs;
#[cfg(all(test, target_arch = "x86_64"))]
mod tests;
#[cfg(target_arch = "x86_64")]
mod tiles;
#[cfg(target_arch = "x86_64")]
mod walk;

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
    let task = if task.cols <= NARROW && task.rows > task.cols { task.t() } else { task };
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the machine has the instructions.
    unsafe {
        if tiles::are_used() { tiles::product(task) } else { walk::product::<pairs::Pairs>(task) }
    };
    #[cfg(not(target_arch = "x86_64"))]
    let _ = task;
}
