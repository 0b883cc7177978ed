//! The product, tile by tile.
//!
//! Blocks of inner indices; in each, blocks of rows of `a`, small enough for the second-level cache; for each, panels of
//! columns of `b`, small enough for the first. A panel meets all tiles of its block of rows one after the other.

use std::mem::MaybeUninit;

use super::blocks::{Blocks, MAX_TILE_BYTES, MAX_TILE_ROWS, WIDE};
use super::operand::{Output, Start, Task};
use super::pack::{pack_panel, pack_strips};
use super::tiles::{Begin, Panel, Place, Strip, tile};
use crate::interrupt::Lookout;
use crate::scalar::Scalar;
use crate::simd::{Isa, Kernel, Vector};

/// The product, tile by tile.
pub struct Tiled<'a, T>(pub Task<'a, T>);

/// Some columns of one block of inner indices.
#[derive(Clone, Copy)]
struct Columns<T> {
    first: usize,
    col: usize,
    width: usize,
    panel: Panel<T>,
}

/// Some rows: where their strips lie packed, if they do.
#[derive(Clone, Copy)]
struct Rows<T> {
    first: usize,
    end: usize,
    packed: Option<*const T>,
}

impl<T: Scalar> Kernel for Tiled<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        let Task { rows, cols, depth, a, .. } = self.0;
        let blocks = Blocks::of::<T, I>((rows, depth, cols), a.by_rows());
        let mut first = 0;
        // Once through even where there is nothing to add, so that the output is set.
        loop {
            let count = blocks.depth.min(depth - first);
            for row in (0..rows).step_by(blocks.rows) {
                let end = rows.min(row + blocks.rows);
                let packed = blocks.packs_a.then(|| {
                    let to = self.0.scratch.block.as_mut_ptr();
                    assert!(self.0.scratch.block.len() >= (end - row) * count, "the scratch of a product is too small");
                    // SAFETY: the rows lie in `a`, and the block holds them.
                    unsafe { pack_strips::<T, I>(to, a, (first, count), Strips::of::<I>(row, end)) };
                    to.cast_const()
                });
                if !self.across::<I>(&blocks, Rows { first: row, end, packed }, (first, count)) {
                    return;
                }
            }
            first += count;
            if first >= depth {
                break;
            }
        }
    }
}

impl<T: Scalar> Tiled<'_, T> {
    /// All columns of some rows. False where it is to break off.
    #[inline(always)]
    fn across<I: Isa>(&self, blocks: &Blocks, rows: Rows<T>, (first, count): (usize, usize)) -> bool {
        let lanes = T::Vector::<I>::LANES;
        let Task { cols, b, ref scratch, .. } = self.0;
        // What is packed stays for the blocks of rows to come.
        let several = blocks.rows < self.0.rows;
        let mut col = 0;
        while col < cols {
            if self.0.lookout.is_some_and(Lookout::says_stop) {
                return false;
            }
            let registers = if b.by_rows() { registers(self.0.rows, (cols - col) / lanes) } else { WIDE };
            let width = (registers * lanes).min(cols - col);
            let padded = padded::<T, I>(width);
            let packs = blocks.packs_b || width != padded || !b.by_rows();
            // SAFETY: the panel lies in `b`; the scratch holds it.
            let panel = unsafe {
                if packs {
                    let at = if several { col * count } else { 0 };
                    assert!(
                        scratch.panels.len() >= at + padded * count + lanes,
                        "the scratch of a product is too small"
                    );
                    let to = scratch.panels.as_ptr().cast_mut().add(at);
                    if rows.first == 0 || !several {
                        pack_panel::<T, I>(to, b, (first, count), (col, width), padded);
                    }
                    Panel { ptr: to.cast_const(), stride: padded, count }
                } else {
                    Panel { ptr: b.at(first, col), stride: b.row, count }
                }
            };
            let columns = Columns { first, col, width, panel };
            // SAFETY: `matmul` has checked that all positions below `rows`, `cols`, `depth` lie in their matrices.
            unsafe {
                match padded / lanes {
                    8 => self.down::<I, T::Vector<I>, 8>(rows, columns),
                    4 => self.down::<I, T::Vector<I>, 4>(rows, columns),
                    2 => self.down::<I, T::Vector<I>, 2>(rows, columns),
                    1 => self.down::<I, T::Vector<I>, 1>(rows, columns),
                    _ => self.down::<I, <T::Vector<I> as Vector>::Half, 1>(rows, columns),
                }
            }
            col += width;
        }
        true
    }

    /// All tiles of some rows and columns.
    #[inline(always)]
    unsafe fn down<I: Isa, V: Vector<Elem = T>, const N: usize>(&self, rows: Rows<T>, columns: Columns<T>) {
        macro_rules! place {
            ($row:ident $height:ident $($of:literal)*) => {
                match $height {
                    // SAFETY: as for this function.
                    $($of if N <= 2 || $of == 1 || N == 4 && $of == 2 => unsafe {
                        self.place::<V, $of, N>($row, rows, columns);
                    },)*
                    _ => unreachable!("a height of strips"),
                }
            };
        }
        for (row, height) in Strips::of::<I>(rows.first, rows.end) {
            place!(row height 12 8 6 4 2 1);
        }
    }

    /// One tile, straight into the output where its rows lie, else by way of a spare one.
    #[inline(always)]
    unsafe fn place<V: Vector<Elem = T>, const R: usize, const N: usize>(
        &self,
        row: usize,
        rows: Rows<T>,
        Columns { first, col, width, panel }: Columns<T>,
    ) {
        let Output { ptr, row: out_row, col: out_col } = self.0.out;
        let init = if first == 0 { self.0.init } else { Start::Keep };
        // SAFETY: the tile lies in `a`, the panel and the output; `spare` holds the largest tile.
        unsafe {
            let strip = match rows.packed {
                Some(ptr) => Strip { ptr: ptr.add((row - rows.first) * panel.count), row: 1, col: R },
                None => Strip { ptr: self.0.a.at(row, first), row: self.0.a.row, col: self.0.a.col },
            };
            if out_col == 1 {
                let to = ptr.add(row * out_row + col);
                let begin = match init {
                    Start::Zero => Begin::Zero,
                    Start::Row(bias) => Begin::Row(bias.add(col)),
                    Start::Keep => Begin::Keep,
                };
                // A deep product comes back to its output, which is no longer in the caches by then.
                let next = (self.0.depth > panel.count).then(|| to.wrapping_add(R * out_row).cast_const());
                let tail = width - (N - 1) * V::LANES;
                return tile::<V, R, N>(strip, panel, begin, Place { to, stride: out_row, tail, next });
            }
            let at = |i: usize, j: usize| ptr.add((row + i) * out_row + (col + j) * out_col);
            let mut spare = MaybeUninit::<[u8; MAX_TILE_ROWS * MAX_TILE_BYTES]>::uninit();
            let (to, stride) = (spare.as_mut_ptr().cast::<T>(), N * V::LANES);
            for i in 0..R {
                for j in 0..stride {
                    let begin = match init {
                        Start::Zero => T::ZERO,
                        _ if j >= width => T::ZERO,
                        // The columns of the caller's product are the rows of this one.
                        Start::Row(bias) => *bias.add(row + i),
                        Start::Keep => *at(i, j),
                    };
                    to.add(i * stride + j).write_unaligned(begin);
                }
            }
            tile::<V, R, N>(strip, panel, Begin::Keep, Place { to, stride, tail: V::LANES, next: None });
            for i in 0..R {
                for j in 0..width {
                    *at(i, j) = to.add(i * stride + j).read_unaligned();
                }
            }
        }
    }
}

/// Registers across the tiles of so few rows that more are needed to keep the processor busy, where so many are filled.
#[inline(always)]
fn registers(rows: usize, filled: usize) -> usize {
    match rows {
        1 if filled >= 8 => 8,
        1..=3 if filled >= 4 => 4,
        _ => WIDE,
    }
}

/// Numbers of whole registers, the last of them perhaps of half the size.
#[inline(always)]
fn padded<T: Scalar, I: Isa>(width: usize) -> usize {
    let half = <T::Vector<I> as Vector>::Half::LANES;
    if width <= half { half } else { width.next_multiple_of(T::Vector::<I>::LANES) }
}

/// The strips of some rows, each as high as the tallest tile that fits: first row and height.
#[derive(Clone)]
struct Strips {
    row: usize,
    end: usize,
    tallest: usize,
}

impl Strips {
    #[inline(always)]
    fn of<I: Isa>(row: usize, end: usize) -> Self {
        Strips { row, end, tallest: I::TILE_ROWS }
    }
}

impl Iterator for Strips {
    type Item = (usize, usize);

    #[inline(always)]
    fn next(&mut self) -> Option<(usize, usize)> {
        let row = self.row;
        let most = self.tallest.min(self.end - row);
        let height = [12, 8, 6, 4, 2, 1].into_iter().find(|&height| height <= most)?;
        self.row += height;
        Some((row, height))
    }
}
