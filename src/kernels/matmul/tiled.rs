//! The product, tile by tile.
//!
//! Blocks of inner indices; in each, blocks of rows of `a`, small enough for the second-level cache; for each, panels of
//! columns of `b`, small enough for the first. A panel meets all tiles of its block of rows one after the other.

use std::mem::MaybeUninit;

use super::blocks::{Blocks, MAX_TILE_ROWS, WIDE};
use super::operand::{Start, Task};
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

/// Memory of the scratch.
#[derive(Clone, Copy)]
struct Space<T> {
    ptr: *mut T,
    len: usize,
}

impl<T: Scalar> Space<T> {
    fn of(buffer: &mut [T]) -> Self {
        Space { ptr: buffer.as_mut_ptr(), len: buffer.len() }
    }

    /// A place for so many numbers.
    #[inline(always)]
    fn at(self, first: usize, count: usize) -> *mut T {
        assert!(first <= self.len && count <= self.len - first, "the scratch of a product is too small");
        self.ptr.wrapping_add(first)
    }
}

impl<T: Scalar> Kernel for Tiled<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        let Task { rows, cols, depth, a, .. } = self.0;
        let panels = Space::of(&mut self.0.scratch.panels);
        let block = Space::of(&mut self.0.scratch.block);
        let blocks = Blocks::of::<T, I>((rows, depth, cols), a.by_rows());
        let mut first = 0;
        // Once through even where there is nothing to add, so that the output is set.
        loop {
            let count = blocks.depth.min(depth - first);
            for row in (0..rows).step_by(blocks.rows) {
                let end = rows.min(row + blocks.rows);
                // No closure: it might not be compiled for the instruction set.
                let mut packed = None;
                if blocks.packs_a {
                    let to = block.at(0, (end - row) * count);
                    // SAFETY: the rows lie in `a`, and the block holds them.
                    unsafe { pack_strips::<T, I>(to, a, (first, count), Strips::of::<I>(row, end)) };
                    packed = Some(to.cast_const());
                }
                if !self.across::<I>(&blocks, Block { first: row, end, packed }, (first, count), panels) {
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
    fn across<I: Isa>(
        &self,
        blocks: &Blocks,
        rows: Block<T>,
        (first, count): (usize, usize),
        panels: Space<T>,
    ) -> bool {
        let lanes = T::Vector::<I>::LANES;
        let Task { cols, b, .. } = self.0;
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
                    let to = panels.at(at, padded * count + lanes);
                    if rows.first == 0 || !several {
                        pack_panel::<T, I>(to, b, (first, count), (col, width), padded);
                    }
                    Panel { ptr: to.cast_const(), stride: padded, count }
                } else {
                    Panel { ptr: b.at(first, col), stride: b.row, count }
                }
            };
            let tiles = Tiles { task: &self.0, rows, columns: Columns { first, col, width, panel } };
            // SAFETY: `matmul` has checked that all positions below `rows`, `cols`, `depth` lie in their matrices.
            unsafe {
                match padded / lanes {
                    8 => I::apart(Across::<T, 8>(tiles)),
                    4 => I::apart(Across::<T, 4>(tiles)),
                    2 => I::apart(Across::<T, 2>(tiles)),
                    1 => I::apart(Across::<T, 1>(tiles)),
                    _ => I::apart(HalfAcross(tiles)),
                }
            }
            col += width;
        }
        true
    }
}

/// All tiles of some rows and columns.
struct Tiles<'a, T> {
    task: &'a Task<'a, T>,
    rows: Block<T>,
    columns: Columns<T>,
}

/// Tiles of N registers across.
struct Across<'a, T, const N: usize>(Tiles<'a, T>);

impl<T: Scalar, const N: usize> Kernel for Across<'_, T, N> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        self.0.down::<I, T::Vector<I>, N>();
    }
}

/// Tiles of a register of half the size.
struct HalfAcross<'a, T>(Tiles<'a, T>);

impl<T: Scalar> Kernel for HalfAcross<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        self.0.down::<I, <T::Vector<I> as Vector>::Half, 1>();
    }
}

impl<T: Scalar> Tiles<'_, T> {
    #[inline(always)]
    fn down<I: Isa, V: Vector<Elem = T>, const N: usize>(&self) {
        for (row, height) in Strips::of::<I>(self.rows.first, self.rows.end) {
            // SAFETY: `matmul` has checked that all positions below `rows`, `cols`, `depth` lie in their matrices.
            unsafe {
                match height {
                    12 if N <= 2 && I::TILE_ROWS >= 12 => self.place::<V, 12, N>(row),
                    8 if N <= 2 && I::TILE_ROWS >= 8 => self.place::<V, 8, N>(row),
                    6 if N <= 2 && I::TILE_ROWS >= 6 => self.place::<V, 6, N>(row),
                    4 if N <= 2 && I::TILE_ROWS >= 4 => self.place::<V, 4, N>(row),
                    2 if N <= 4 && I::TILE_ROWS >= 2 => self.place::<V, 2, N>(row),
                    1 => self.place::<V, 1, N>(row),
                    _ => unreachable!("a height of strips"),
                }
            }
        }
    }

    /// One tile, straight into the output where whole registers of its rows lie, else by way of a spare one.
    #[inline(always)]
    unsafe fn place<V: Vector<Elem = T>, const R: usize, const N: usize>(&self, row: usize) {
        let Columns { first, col, width, panel } = self.columns;
        let Task { out, a, depth, .. } = self.task;
        let init = if first == 0 { self.task.init } else { Start::Keep };
        let direct = width == N * V::LANES && out.col == 1;
        let mut spare = MaybeUninit::<[T; MAX_TILE_ROWS * WIDE * MOST_LANES]>::uninit();
        // SAFETY: the tile lies in `a`, the panel and the output; `spare` holds the largest tile.
        unsafe {
            let strip = match self.rows.packed {
                Some(ptr) => Strip { ptr: ptr.add((row - self.rows.first) * panel.count), row: 1, col: R },
                None => Strip { ptr: a.at(row, first), row: a.row, col: a.col },
            };
            let corner = out.ptr.add(row * out.row + col * out.col);
            let to = match direct {
                true => Rows { ptr: corner, stride: out.row },
                false => Rows { ptr: spare.as_mut_ptr().cast::<T>(), stride: N * V::LANES },
            };
            let held = Rows { ptr: to.ptr.cast_const(), stride: to.stride };
            let begin = match init {
                Start::Zero => Rows { ptr: ZEROS.as_ptr().cast::<T>(), stride: 0 },
                Start::Row(bias) if direct => Rows { ptr: bias.add(col), stride: 0 },
                Start::Keep if direct => held,
                _ => {
                    self.fill::<V, R, N>(row, init, to);
                    held
                }
            };
            // A deep product comes back to its output, which is no longer in the caches by then.
            let next = (direct && *depth > panel.count).then(|| to.ptr.wrapping_add(R * out.row).cast_const());
            tile::<V, R, N>(strip, panel, begin, to, next);
            if !direct && out.col == 1 {
                copy_rows::<V, R>(held, width, Rows { ptr: corner, stride: out.row });
            } else if !direct {
                for i in 0..R {
                    for j in 0..width {
                        *corner.add(i * out.row + j * out.col) = *to.ptr.add(i * to.stride + j);
                    }
                }
            }
        }
    }

    /// Fills a spare tile with what the sums of one begin with.
    #[inline(always)]
    unsafe fn fill<V: Vector<Elem = T>, const R: usize, const N: usize>(
        &self,
        row: usize,
        init: Start<T>,
        to: Rows<*mut T>,
    ) {
        let Columns { col, width, .. } = self.columns;
        let out = self.task.out;
        // SAFETY: as for `place`.
        unsafe {
            for n in 0..R * N {
                V::splat(T::ZERO).store(to.ptr.add(n * V::LANES));
            }
            let corner = out.ptr.add(row * out.row + col * out.col).cast_const();
            match init {
                Start::Zero => {}
                Start::Row(bias) if out.col == 1 => {
                    copy_rows::<V, R>(Rows { ptr: bias.add(col), stride: 0 }, width, to);
                }
                Start::Keep if out.col == 1 => {
                    copy_rows::<V, R>(Rows { ptr: corner, stride: out.row }, width, to);
                }
                // Of a transposed product, whose columns are the rows of this one.
                _ => {
                    for i in 0..R {
                        for j in 0..width {
                            *to.ptr.add(i * to.stride + j) = match init {
                                Start::Row(bias) => *bias.add(row + i),
                                _ => *corner.add(i * out.row + j * out.col),
                            };
                        }
                    }
                }
            }
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
        let height = match self.tallest.min(self.end - row) {
            0 => return None,
            12.. => 12,
            8.. => 8,
            6.. => 6,
            4.. => 4,
            2.. => 2,
            1 => 1,
        };
        self.row += height;
        Some((row, height))
    }
}
