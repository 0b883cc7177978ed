//! The product, tile by tile.
//!
//! Blocks of inner indices; in each, blocks of rows of `a`, small enough for the second-level cache; for each, panels of
//! columns of `b`, small enough for the first. A panel meets all tiles of its block of rows one after the other.

use std::mem::MaybeUninit;

use super::blocks::{Blocks, MAX_TILE_ROWS, WIDE};
use super::operand::{Output, Start, Task};
use super::pack::{pack_panel, pack_strips};
use super::tiles::{Panel, Rows, Strip, tile};
use crate::interrupt::Lookout;
use crate::scalar::Scalar;
use crate::simd::{Isa, Kernel, MOST_LANES, Vector};

/// The most numbers across a tile: eight of the largest registers, of a single row.
const MAX_TILE_COLS: usize = 8 * MOST_LANES;
/// Zeros of any type of numbers.
static ZEROS: [u64; MAX_TILE_COLS] = [0; MAX_TILE_COLS];

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
struct Block<T> {
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
                if !self.across::<I>(&blocks, Block { first: row, end, packed }, (first, count)) {
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
    fn across<I: Isa>(&self, blocks: &Blocks, rows: Block<T>, (first, count): (usize, usize)) -> bool {
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
    unsafe fn down<I: Isa, V: Vector<Elem = T>, const N: usize>(&self, rows: Block<T>, columns: Columns<T>) {
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

    /// One tile, straight into the output where whole registers of its rows lie, else by way of a spare one.
    #[inline(always)]
    unsafe fn place<V: Vector<Elem = T>, const R: usize, const N: usize>(
        &self,
        row: usize,
        rows: Block<T>,
        Columns { first, col, width, panel }: Columns<T>,
    ) {
        let Output { ptr, row: out_row, col: out_col } = self.0.out;
        let init = if first == 0 { self.0.init } else { Start::Keep };
        let (full, zeros) = (N * V::LANES, ZEROS.as_ptr().cast::<T>());
        // SAFETY: the tile lies in `a`, the panel and the output; `spare` holds the largest tile.
        unsafe {
            let strip = match rows.packed {
                Some(ptr) => Strip { ptr: ptr.add((row - rows.first) * panel.count), row: 1, col: R },
                None => Strip { ptr: self.0.a.at(row, first), row: self.0.a.row, col: self.0.a.col },
            };
            if width == full && out_col == 1 {
                let to = Rows { ptr: ptr.add(row * out_row + col), stride: out_row };
                let begin = match init {
                    Start::Zero => Rows { ptr: zeros, stride: 0 },
                    Start::Row(bias) => Rows { ptr: bias.add(col), stride: 0 },
                    Start::Keep => Rows { ptr: to.ptr.cast_const(), stride: out_row },
                };
                // A deep product comes back to its output, which is no longer in the caches by then.
                let next = (self.0.depth > panel.count).then(|| to.ptr.wrapping_add(R * out_row).cast_const());
                return tile::<V, R, N>(strip, panel, begin, to, next);
            }
            let mut spare = MaybeUninit::<[T; MAX_TILE_ROWS * WIDE * MOST_LANES]>::uninit();
            let to = Rows { ptr: spare.as_mut_ptr().cast::<T>(), stride: full };
            for n in 0..R * N {
                V::splat(T::ZERO).store(to.ptr.add(n * V::LANES));
            }
            let begin = Rows { ptr: to.ptr.cast_const(), stride: full };
            if out_col != 1 {
                // The columns of the caller's product are the rows of this one.
                let at = |i: usize, j: usize| ptr.add((row + i) * out_row + (col + j) * out_col);
                for i in 0..R {
                    for j in 0..width {
                        *to.ptr.add(i * full + j) = match init {
                            Start::Zero => T::ZERO,
                            Start::Row(bias) => *bias.add(row + i),
                            Start::Keep => *at(i, j),
                        };
                    }
                }
                tile::<V, R, N>(strip, panel, begin, to, None);
                for i in 0..R {
                    for j in 0..width {
                        *at(i, j) = *to.ptr.add(i * full + j);
                    }
                }
                return;
            }
            let out = Rows { ptr: ptr.add(row * out_row + col), stride: out_row };
            match init {
                Start::Zero => {}
                Start::Row(bias) => copy_rows::<V, R>(Rows { ptr: bias.add(col), stride: 0 }, width, to),
                Start::Keep => copy_rows::<V, R>(Rows { ptr: out.ptr.cast_const(), stride: out_row }, width, to),
            }
            tile::<V, R, N>(strip, panel, begin, to, None);
            copy_rows::<V, R>(begin, width, out);
        }
    }
}

/// Copies R rows of so many numbers.
///
/// # Safety
/// They must be readable, and their places writable.
#[inline(always)]
unsafe fn copy_rows<V: Vector, const R: usize>(from: Rows<*const V::Elem>, width: usize, to: Rows<*mut V::Elem>) {
    let whole = width / V::LANES * V::LANES;
    for r in 0..R {
        // SAFETY: the caller's promise.
        unsafe {
            let (from, to) = (from.ptr.add(r * from.stride), to.ptr.add(r * to.stride));
            for n in (0..whole).step_by(V::LANES) {
                V::load(from.add(n)).store(to.add(n));
            }
            if whole < width {
                let rest = std::slice::from_raw_parts_mut(to.add(whole), width - whole);
                V::read(std::slice::from_raw_parts(from.add(whole), width - whole)).write(rest);
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
