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

/// `sums += x * factor`
#[inline(always)]
pub fn add_scaled<V: Vector>(sums: &mut [V::Elem], x: &[V::Elem], factor: V::Elem) {
    let factor = V::splat(factor);
    for (sums, x) in sums.chunks_mut(V::LANES).zip(x.chunks(V::LANES)) {
        write(read::<V>(x).fma(factor, read(sums)), sums);
    }
}
