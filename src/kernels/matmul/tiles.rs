//! Products tile by tile: a tile's sums stay in registers.

use std::mem::MaybeUninit;

use super::operand::{Output, Start, Task};
use super::pack::pack;
use crate::interrupt::Lookout;
use crate::scalar::Scalar;
use crate::simd::{Isa, Kernel, Vector, prefetch};

/// Inner indices per packed panel: a panel of two AVX-512 registers times this fills 64 KiB, a part of the second-level cache.
const DEPTH: usize = 512;
/// Registers across a tile.
const WIDE: usize = 2;
/// The tallest tile of any instruction set.
const MAX_TILE_ROWS: usize = 12;
/// The most elements that a tile of any instruction set has, across.
const MAX_TILE_COLS: usize = 32;

/// Numbers of the largest panel.
pub const PANEL_LEN: usize = DEPTH * MAX_TILE_COLS;

/// The product, tile by tile.
pub struct Tiled<'a, T>(pub Task<'a, T>);

impl<T: Scalar> Kernel for Tiled<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        let lanes = T::Vector::<I>::LANES;
        let Task { rows, cols, depth, b, .. } = self.0;
        let mut first = 0;
        // Once through even where there is nothing to add, so that the output is set.
        loop {
            let count = DEPTH.min(depth - first);
            let mut col = 0;
            while col < cols {
                if self.0.lookout.is_some_and(Lookout::says_stop) {
                    return;
                }
                let width = (WIDE * lanes).min(cols - col);
                let padded = if width <= lanes { lanes } else { WIDE * lanes };
                // Packing pays for itself from several tiles on; an edge is packed to be padded with zeros.
                let packed = rows > 8 * I::TILE_ROWS || width != padded || !b.by_rows();
                // SAFETY: the block lies in `b`; `scratch` holds the largest panel.
                let (from, stride) = unsafe {
                    if packed {
                        pack::<T, I>(self.0.scratch, b, first, count, col, width, padded);
                        (self.0.scratch.as_ptr(), padded)
                    } else {
                        (b.at(first, col), b.row)
                    }
                };
                let panel = Panel { first, count, col, width, from, stride };
                // SAFETY: `matmul` has checked that all positions below `rows`, `cols`, `depth` lie in their matrices.
                unsafe {
                    if padded == lanes {
                        self.column::<I, 1>(panel);
                    } else {
                        self.column::<I, WIDE>(panel);
                    }
                }
                col += width;
            }
            first += count;
            if first >= depth {
                break;
            }
        }
    }
}

impl<T: Scalar> Tiled<'_, T> {
    /// All tiles of one panel of `b`: the tallest that fit, then smaller ones.
    #[inline(always)]
    unsafe fn column<I: Isa, const N: usize>(&self, panel: Panel<T>) {
        let mut row = 0;
        macro_rules! tiles_of {
            ($($height:literal)*) => {
                $(while $height <= I::TILE_ROWS && self.0.rows - row >= $height {
                    // SAFETY: as for this function.
                    unsafe { self.place::<I, $height, N>(row, panel) };
                    row += $height;
                })*
            };
        }
        tiles_of!(12 8 6 4 2 1);
    }

    /// One tile, straight into the output where it fits, else by way of a spare one.
    #[inline(always)]
    unsafe fn place<I: Isa, const R: usize, const N: usize>(&self, row: usize, panel: Panel<T>) {
        let Output { ptr, row: out_row, col: out_col } = self.0.out;
        let init = if panel.first == 0 { self.0.init } else { Start::Keep };
        let full = N * T::Vector::<I>::LANES;
        let direct = panel.width == full && out_col == 1;
        let mut spare = MaybeUninit::<[T; MAX_TILE_ROWS * MAX_TILE_COLS]>::uninit();
        // SAFETY: the tile lies in `a`, the panel and the output; `spare` holds the largest tile.
        unsafe {
            let at = |i: usize, j: usize| ptr.add((row + i) * out_row + (panel.col + j) * out_col);
            let (to, to_stride) = if direct { (at(0, 0), out_row) } else { (spare.as_mut_ptr().cast(), full) };
            let zeros = [T::ZERO; MAX_TILE_COLS];
            let (start, start_stride) = match init {
                Start::Zero => (zeros.as_ptr(), 0),
                Start::Row(bias) if direct => (bias.add(panel.col), 0),
                Start::Keep if direct => (to.cast_const(), to_stride),
                _ => {
                    for i in 0..R {
                        for j in 0..full {
                            *to.add(i * full + j) = match init {
                                _ if j >= panel.width => T::ZERO,
                                // Where the output is transposed, its column is the row of this tile.
                                Start::Row(bias) => *bias.add(if out_col == 1 { panel.col + j } else { row + i }),
                                _ => *at(i, j),
                            };
                        }
                    }
                    (to.cast_const(), to_stride)
                }
            };
            // A deep product comes back to its output, which is no longer in the caches by then.
            let below = (direct && self.0.depth > DEPTH).then(|| to.wrapping_add(R * out_row).cast_const());
            tile::<T, I, R, N>(
                self.0.a.at(row, panel.first),
                (self.0.a.row, self.0.a.col),
                panel,
                (start, start_stride),
                (to, to_stride),
                below,
            );
            if !direct {
                for i in 0..R {
                    for j in 0..panel.width {
                        *at(i, j) = *to.add(i * full + j);
                    }
                }
            }
        }
    }
}

/// A panel of `b`: `count` inner indices from `first`, `width` columns from `col`, its rows at `from`, `stride` apart.
#[derive(Clone, Copy)]
struct Panel<T> {
    first: usize,
    count: usize,
    col: usize,
    width: usize,
    from: *const T,
    stride: usize,
}

/// R rows by N registers: the whole sum in registers. `below` is where the next tile begins, if it is to be called to the
/// caches meanwhile.
///
/// # Safety
/// `a`, the panel and `start` must be readable, `to` writable, for the whole tile.
#[inline(always)]
unsafe fn tile<T: Scalar, I: Isa, const R: usize, const N: usize>(
    a: *const T,
    (a_row, a_col): (usize, usize),
    panel: Panel<T>,
    (start, start_stride): (*const T, usize),
    (to, to_stride): (*mut T, usize),
    below: Option<*const T>,
) {
    let lanes = T::Vector::<I>::LANES;
    // SAFETY: the caller vouches for the memory.
    unsafe {
        let mut sums: [[T::Vector<I>; N]; R] = std::array::from_fn(|r| {
            std::array::from_fn(|n| T::Vector::<I>::load(start.add(r * start_stride + n * lanes)))
        });
        let (mut a, mut b) = (a, panel.from);
        // Row by row at an even pace: many calls at once would keep the product's own loads waiting.
        let (mut left, mut calls) = (panel.count, if below.is_some() { R } else { 0 });
        let pace = (left / (R + 1)).max(1);
        loop {
            let now = if calls == 0 { left } else { pace.min(left) };
            for _ in 0..now {
                let across: [T::Vector<I>; N] = std::array::from_fn(|n| T::Vector::<I>::load(b.add(n * lanes)));
                for (r, sums) in sums.iter_mut().enumerate() {
                    let x = T::Vector::<I>::splat(*a.add(r * a_row));
                    for (sum, y) in sums.iter_mut().zip(across) {
                        *sum = x.fma(y, *sum);
                    }
                }
                b = b.add(panel.stride);
                a = a.add(a_col);
            }
            left -= now;
            let (Some(below), true) = (below, left > 0) else { break };
            calls -= 1;
            for n in 0..N {
                prefetch(below.wrapping_add(calls * to_stride + n * lanes));
            }
        }
        for (r, sums) in sums.iter().enumerate() {
            for (n, sum) in sums.iter().enumerate() {
                sum.store(to.add(r * to_stride + n * lanes));
            }
        }
    }
}
