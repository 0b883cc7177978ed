//! Blocks of a matrix copied to where they are read fast.

use super::operand::Operand;
use crate::scalar::Scalar;
use crate::simd::{Isa, Vector};

/// Copies a block of `b` to `panel`, row after row, each padded with zeros.
///
/// # Safety
/// The block must lie in `b`, and `count * padded` numbers in `panel`.
#[inline(always)]
pub unsafe fn pack<T: Scalar, I: Isa>(
    panel: &mut [T],
    b: Operand<T>,
    first: usize,
    count: usize,
    col: usize,
    width: usize,
    padded: usize,
) {
    let lanes = T::Vector::<I>::LANES;
    let panel = panel.as_mut_ptr();
    // SAFETY: the caller vouches for both blocks.
    unsafe {
        let from = b.at(first, col);
        if width < padded {
            std::slice::from_raw_parts_mut(panel, count * padded).fill(T::ZERO);
        }
        if !b.by_rows() {
            let side = T::Vector::<I>::SQUARE;
            let (whole_p, whole_j) = (count / side * side, width / side * side);
            for j in (0..whole_j).step_by(side) {
                for p in (0..whole_p).step_by(side) {
                    let to = panel.add(p * padded + j);
                    T::Vector::<I>::transpose(from.add(p + j * b.col), b.col, to, padded);
                }
            }
            for j in 0..width {
                for p in if j < whole_j { whole_p } else { 0 }..count {
                    *panel.add(p * padded + j) = *from.add(p + j * b.col);
                }
            }
        } else if width == padded {
            for p in 0..count {
                for n in 0..padded / lanes {
                    T::Vector::<I>::load(from.add(p * b.row + n * lanes)).store(panel.add(p * padded + n * lanes));
                }
            }
        } else {
            for p in 0..count {
                std::ptr::copy_nonoverlapping(from.add(p * b.row), panel.add(p * padded), width);
            }
        }
    }
}
