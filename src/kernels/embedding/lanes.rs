//! Short runs of numbers, a register at a time: a loop that the compiler cuts by itself would take them one by one.

use crate::simd::Vector;

/// Reads up to a register.
#[inline(always)]
pub fn read<V: Vector>(from: &[V::Elem]) -> V {
    if from.len() == V::LANES { V::full(from) } else { V::read(from) }
}

/// Writes up to a register.
#[inline(always)]
pub fn write<V: Vector>(x: V, to: &mut [V::Elem]) {
    if to.len() == V::LANES { x.put(to) } else { x.write(to) }
}
