//! One tile of a product: its sums stay in registers.

use crate::simd::{Vector, prefetch};

/// Rows of `a`: the number of row r at inner index p is at `ptr + r * row + p * col`.
#[derive(Clone, Copy)]
pub struct Strip<T> {
    pub ptr: *const T,
    pub row: usize,
    pub col: usize,
}

/// Columns of `b`: `count` rows of whole registers from `ptr`, `stride` apart.
#[derive(Clone, Copy)]
pub struct Panel<T> {
    pub ptr: *const T,
    pub stride: usize,
    pub count: usize,
}

/// What the sums of a tile begin with.
#[derive(Clone, Copy)]
pub enum Begin<T> {
    Zero,
    /// The same row for each of its rows.
    Row(*const T),
    /// What its place holds.
    Keep,
}

/// Where a tile goes: rows from `to`, `stride` apart, of which the last register has `tail` numbers.
#[derive(Clone, Copy)]
pub struct Place<T> {
    pub to: *mut T,
    pub stride: usize,
    pub tail: usize,
    /// The tile that is next, if it is to be called to the caches meanwhile.
    pub next: Option<*const T>,
}

/// R rows by N registers.
///
/// # Safety
/// The strip, the panel and what the sums begin with must be readable, the place writable, for the whole tile.
#[inline(always)]
pub unsafe fn tile<V: Vector, const R: usize, const N: usize>(
    strip: Strip<V::Elem>,
    panel: Panel<V::Elem>,
    begin: Begin<V::Elem>,
    place: Place<V::Elem>,
) {
    let mut sums = [[V::splat(V::Elem::default()); N]; R];
    let from = match begin {
        Begin::Zero => None,
        Begin::Row(row) => Some((row, 0)),
        Begin::Keep => Some((place.to.cast_const(), place.stride)),
    };
    // SAFETY: the caller vouches for the memory.
    unsafe {
        if let Some((from, stride)) = from {
            for (r, sums) in sums.iter_mut().enumerate() {
                for (n, sum) in sums.iter_mut().enumerate() {
                    *sum =
                        load::<V>(from.add(r * stride + n * V::LANES), if n + 1 < N { V::LANES } else { place.tail });
                }
            }
        }
        add(&mut sums, strip, panel, place);
        for (r, sums) in sums.iter().enumerate() {
            for (n, &sum) in sums.iter().enumerate() {
                let to = place.to.add(r * place.stride + n * V::LANES);
                store::<V>(sum, to, if n + 1 < N { V::LANES } else { place.tail });
            }
        }
    }
}

/// A register of so many numbers; the other lanes are 0. (A closure would not be compiled for the instruction set.)
///
/// # Safety
/// So many must be readable.
#[inline(always)]
unsafe fn load<V: Vector>(from: *const V::Elem, count: usize) -> V {
    // SAFETY: the caller's promise.
    unsafe { if count == V::LANES { V::load(from) } else { V::read(std::slice::from_raw_parts(from, count)) } }
}

/// The first numbers of a register, so many.
///
/// # Safety
/// So many must be writable.
#[inline(always)]
unsafe fn store<V: Vector>(x: V, to: *mut V::Elem, count: usize) {
    // SAFETY: the caller's promise.
    unsafe { if count == V::LANES { x.store(to) } else { x.write(std::slice::from_raw_parts_mut(to, count)) } }
}

/// Adds the products.
///
/// # Safety
/// As for [`tile`].
#[inline(always)]
unsafe fn add<V: Vector, const R: usize, const N: usize>(
    sums: &mut [[V; N]; R],
    strip: Strip<V::Elem>,
    panel: Panel<V::Elem>,
    place: Place<V::Elem>,
) {
    let (mut a, mut b) = (strip.ptr, panel.ptr);
    // Row by row at an even pace: many calls at once would keep the product's own loads waiting.
    let (mut left, mut calls) = (panel.count, if place.next.is_some() { R } else { 0 });
    let pace = (left / (R + 1)).max(1);
    // SAFETY: the caller vouches for the memory.
    unsafe {
        loop {
            let now = if calls == 0 { left } else { pace.min(left) };
            // One of the two strides is 1, which spares the loop to compute addresses.
            if strip.row == 1 {
                for p in 0..now {
                    let across = std::array::from_fn(|n| V::load(b.add(p * panel.stride + n * V::LANES)));
                    add_product(sums, a.add(p * strip.col), 1, across);
                }
            } else {
                let unrolled = now / UNROLLED * UNROLLED;
                for p in (0..unrolled).step_by(UNROLLED) {
                    for p in p..p + UNROLLED {
                        let across = std::array::from_fn(|n| V::load(b.add(p * panel.stride + n * V::LANES)));
                        add_product(sums, a.add(p), strip.row, across);
                    }
                }
                for p in unrolled..now {
                    let across = std::array::from_fn(|n| V::load(b.add(p * panel.stride + n * V::LANES)));
                    add_product(sums, a.add(p), strip.row, across);
                }
            }
            (a, b) = (a.add(now * strip.col), b.add(now * panel.stride));
            left -= now;
            let (Some(next), true) = (place.next, left > 0) else { break };
            calls -= 1;
            for n in 0..N {
                prefetch(next.wrapping_add(calls * place.stride + n * V::LANES));
            }
        }
    }
}

/// Inner indices that rows which lie apart take together.
const UNROLLED: usize = 4;

/// Adds the products of one inner index.
///
/// # Safety
/// `a` must be readable for all rows, `stride` apart.
#[inline(always)]
unsafe fn add_product<V: Vector, const R: usize, const N: usize>(
    sums: &mut [[V; N]; R],
    a: *const V::Elem,
    stride: usize,
    across: [V; N],
) {
    for (r, sums) in sums.iter_mut().enumerate() {
        // SAFETY: the caller vouches for the memory.
        let x = V::splat(unsafe { *a.add(r * stride) });
        for (sum, y) in sums.iter_mut().zip(across) {
            *sum = x.fma(y, *sum);
        }
    }
}
