//! The product, tile by tile.
//!
//! Blocks of inner indices; in each, blocks of rows of `a`, small enough for the second-level cache; for each, panels of
//! columns of `b`, small enough for the first. A panel meets all tiles of its block of rows one after the other.

use std::mem::MaybeUninit;
use std::ptr;

use super::blocks::{Blocks, MAX_TILE_ROWS, WIDE};
use super::operand::{Start, Task};
use super::pack::{PackPanel, PackStrips};
use super::strips::Strips;
use super::tiles::{BY_ROWS, CALLING, Calls, PACK, Panel, READ, Rows, SIDE_BY_SIDE, Strip, tile, tile_and_pack};
use crate::interrupt::Lookout;
use crate::scalar::Scalar;
use crate::simd::{Isa, Kernel, MOST_LANES, Vector};

/// The most numbers across a tile: eight of the largest registers, of a single row.
const MAX_TILE_COLS: usize = 8 * MOST_LANES;
/// Zeros of any type of numbers.
static ZEROS: [u64; MAX_TILE_COLS] = [0; MAX_TILE_COLS];

/// Tiles that take the way by a spare one; others go straight into the output, in a form of their rows of `a`.
const SPARE: u8 = 2;

/// The product, tile by tile.
pub struct Tiled<'a, 'b, T>(pub &'b mut Task<'a, T>);

/// Some columns of one block of inner indices.
#[derive(Clone, Copy)]
struct Columns<T> {
    first: usize,
    col: usize,
    width: usize,
    panel: Panel<T>,
    /// Whether those behind them are to be called to the caches.
    calls: bool,
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

impl<T: Scalar> Kernel for Tiled<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        let Task { rows, cols, depth, a, .. } = *self.0;
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
                    unsafe { I::apart(PackStrips { to, a, inner: (first, count), rows: (row, end) }) };
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

impl<T: Scalar> Tiled<'_, '_, T> {
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
        let Task { cols, b, .. } = *self.0;
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
            // What is packed for an earlier block of rows is there.
            let packs_now = packs && (rows.first == 0 || !several);
            // SAFETY: the panel lies in `b`.
            let panel = Panel { ptr: unsafe { b.at(first, col) }, stride: b.row, count };
            let calls = blocks.calls_b && packs_now && col + width < cols;
            let mut tiles =
                Tiles { task: self.0, rows, next: rows.first, columns: Columns { first, col, width, panel, calls } };
            if packs {
                let to = panels.at(if several { col * count } else { 0 }, padded * count + lanes);
                if packs_now && !tiles.pack_with_first::<I>(to) {
                    // SAFETY: the panel lies in `b`; the scratch holds it.
                    unsafe { I::apart(PackPanel { to, b, inner: (first, count), columns: (col, width), padded }) };
                }
                tiles.columns.panel = Panel { ptr: to.cast_const(), stride: padded, count };
            }
            match padded / lanes {
                8 => tiles.down::<I, 8, false>(),
                4 => tiles.down::<I, 4, false>(),
                2 => tiles.down::<I, 2, false>(),
                1 => tiles.down::<I, 1, false>(),
                _ => tiles.down::<I, 1, true>(),
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
    /// The first row of the next tile.
    next: usize,
    columns: Columns<T>,
}

impl<T: Scalar> Tiles<'_, T> {
    /// Lets the first tile, where it is one of the tallest and widest, pack the columns of `b` as it reads them: says
    /// whether it has.
    #[inline(always)]
    fn pack_with_first<I: Isa>(&mut self, packed: *mut T) -> bool {
        let Task { b, out, init, .. } = self.task;
        let direct = out.col == 1 && !matches!(init, Start::Column(_));
        let whole = self.columns.width == WIDE * T::Vector::<I>::LANES && direct && b.by_rows();
        let tallest = Strips::of::<I>(self.next, self.rows.end).next() == Some((self.next, I::TILE_ROWS));
        if !(whole && tallest) {
            return false;
        }
        let side_by_side = self.rows.packed.is_some() || self.task.a.row == 1;
        // SAFETY: as for `each`; the scratch holds the panel.
        unsafe {
            match (I::TILE_ROWS, side_by_side) {
                (12, true) => I::apart(First::<T, 12, SIDE_BY_SIDE>(self, packed)),
                (12, false) => I::apart(First::<T, 12, BY_ROWS>(self, packed)),
                (6, true) => I::apart(First::<T, 6, SIDE_BY_SIDE>(self, packed)),
                (6, false) => I::apart(First::<T, 6, BY_ROWS>(self, packed)),
                _ => return false,
            }
        }
        self.next += I::TILE_ROWS;
        true
    }

    /// N registers across, or one of half the size.
    #[inline(always)]
    fn down<I: Isa, const N: usize, const HALF: bool>(&self) {
        let lanes = if HALF { <T::Vector<I> as Vector>::Half::LANES } else { T::Vector::<I>::LANES };
        let begins_alike = !matches!(self.task.init, Start::Column(_));
        let direct = self.columns.width == N * lanes && self.task.out.col == 1 && begins_alike;
        match (direct, self.rows.packed.is_some() || self.task.a.row == 1) {
            (true, true) => self.each::<I, N, HALF, SIDE_BY_SIDE>(),
            (true, false) => self.each::<I, N, HALF, BY_ROWS>(),
            _ => self.each::<I, N, HALF, SPARE>(),
        }
    }

    /// A function for each height of tiles.
    #[inline(always)]
    fn each<I: Isa, const N: usize, const HALF: bool, const FORM: u8>(&self) {
        let mut strips = Strips::of::<I>(self.next, self.rows.end);
        while let Some((row, height)) = strips.next() {
            let end = strips.past(height);
            // SAFETY: `matmul` has checked that all positions below `rows`, `cols`, `depth` lie in their matrices.
            unsafe {
                match height {
                    12 if N <= 2 && I::TILE_ROWS >= 12 => I::apart(Down::<T, 12, N, HALF, FORM>(self, row, end)),
                    8 if N <= 2 && I::TILE_ROWS >= 8 => I::apart(Down::<T, 8, N, HALF, FORM>(self, row, end)),
                    6 if N <= 2 && I::TILE_ROWS >= 6 => I::apart(Down::<T, 6, N, HALF, FORM>(self, row, end)),
                    4 if N <= 2 && I::TILE_ROWS >= 4 => I::apart(Down::<T, 4, N, HALF, FORM>(self, row, end)),
                    2 if N <= 4 && I::TILE_ROWS >= 2 => I::apart(Down::<T, 2, N, HALF, FORM>(self, row, end)),
                    1 => I::apart(Down::<T, 1, N, HALF, FORM>(self, row, end)),
                    _ => unreachable!("a height of strips"),
                }
            }
        }
    }

    /// The rows of `a` of a tile.
    #[inline(always)]
    unsafe fn strip<const R: usize>(&self, row: usize) -> Strip<T> {
        let Columns { first, panel, .. } = self.columns;
        let a = self.task.a;
        // SAFETY: the rows lie in `a`, packed or not.
        unsafe {
            match self.rows.packed {
                Some(ptr) => Strip { ptr: ptr.add((row - self.rows.first) * panel.count), row: 1, col: R },
                None => Strip { ptr: a.at(row, first), row: a.row, col: a.col },
            }
        }
    }

    /// One tile of whole registers, straight into the output.
    #[inline(always)]
    unsafe fn place<V: Vector<Elem = T>, const R: usize, const N: usize, const FORM: u8, const PACKS: bool>(
        &self,
        row: usize,
        packed: *mut T,
    ) {
        let Columns { first, col, panel, .. } = self.columns;
        let Task { out, depth, .. } = self.task;
        // SAFETY: the tile lies in `a`, the panel and the output.
        unsafe {
            let to = Rows { ptr: out.ptr.add(row * out.row + col), stride: out.row };
            let begin = match self.task.init {
                Start::Zero if first == 0 => Rows { ptr: ZEROS.as_ptr().cast::<T>(), stride: 0 },
                Start::Row(bias) if first == 0 => Rows { ptr: bias.add(col), stride: 0 },
                _ => Rows { ptr: to.ptr.cast_const(), stride: to.stride },
            };
            // A deep product comes back to its output, which is no longer in the caches by then.
            let output = (*depth > panel.count).then(|| to.ptr.wrapping_add(R * out.row).cast_const());
            // Low tiles are those of small products, too.
            let calls = if R >= CALLING && self.columns.calls { self.calls::<V, R>(row) } else { Calls::NONE };
            let calls = Calls { output, ..calls };
            tile_and_pack::<V, R, N, FORM, PACKS>(self.strip::<R>(row), panel, packed, begin, to, calls);
        }
    }

    /// The share of the columns to come that a tile calls: of their rows, or of columns whose numbers lie side by side.
    #[inline(always)]
    fn calls<V: Vector<Elem = T>, const R: usize>(&self, row: usize) -> Calls<T> {
        let Columns { first, col, width, panel, .. } = self.columns;
        let (Task { b, cols, .. }, Block { first: top, end, .. }) = (self.task, self.rows);
        let next = col + width;
        // What does not begin with a cache line ends in one more: that of the first register behind it.
        let beside = usize::from(!b.ptr.addr().is_multiple_of(V::LANES * size_of::<T>()));
        let (runs, length, stride) = match b.by_rows() {
            true => (panel.count, width.min(cols - next).div_ceil(V::LANES) + beside, b.row),
            false => (width.min(cols - next), panel.count.div_ceil(V::LANES) + beside, b.col),
        };
        let before = |row: usize| runs * length * (row - top) / (end - top);
        Calls {
            run: b.ptr.wrapping_add(first * b.row + next * b.col + before(row) / length * stride),
            stride,
            length,
            count: before(row + R) - before(row),
            first: before(row) % length,
            ..Calls::NONE
        }
    }

    /// One tile by way of a spare one: of fewer columns than registers have, or of an output whose rows are apart.
    #[inline(always)]
    unsafe fn place_by_spare<V: Vector<Elem = T>, const R: usize, const N: usize>(&self, row: usize) {
        let Columns { first, col, width, panel, .. } = self.columns;
        let out = self.task.out;
        let init = if first == 0 { self.task.init } else { Start::Keep };
        let mut spare = MaybeUninit::<[T; MAX_TILE_ROWS * WIDE * MOST_LANES]>::uninit();
        // SAFETY: the tile lies in `a`, the panel and the output; `spare` holds the largest tile.
        unsafe {
            let corner = out.ptr.add(row * out.row + col * out.col);
            let to = Rows { ptr: spare.as_mut_ptr().cast::<T>(), stride: N * V::LANES };
            let held = Rows { ptr: to.ptr.cast_const(), stride: to.stride };
            let begin = match init {
                Start::Zero => Rows { ptr: ZEROS.as_ptr().cast::<T>(), stride: 0 },
                _ => {
                    self.fill::<V, R, N>(row, init, to);
                    held
                }
            };
            let strip = self.strip::<R>(row);
            if strip.row == 1 {
                tile::<V, R, N, SIDE_BY_SIDE>(strip, panel, begin, to, Calls::NONE);
            } else {
                tile::<V, R, N, BY_ROWS>(strip, panel, begin, to, Calls::NONE);
            }
            if out.col == 1 {
                copy_rows::<V, R>(held, width, Rows { ptr: corner, stride: out.row });
            } else {
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
            let corner = out.ptr.add(row * out.row + col * out.col).cast_const();
            match init {
                Start::Row(bias) if out.col == 1 => {
                    pad_rows::<V, R, N>(Rows { ptr: bias.add(col), stride: 0 }, width, to);
                }
                Start::Keep if out.col == 1 => {
                    pad_rows::<V, R, N>(Rows { ptr: corner, stride: out.row }, width, to);
                }
                _ => {
                    for n in 0..R * N {
                        V::splat(T::ZERO).store(to.ptr.add(n * V::LANES));
                    }
                    for i in 0..R {
                        for j in 0..width {
                            *to.ptr.add(i * to.stride + j) = match init {
                                Start::Row(bias) => *bias.add(col + j),
                                Start::Column(bias) => *bias.add(row + i),
                                _ => *corner.add(i * out.row + j * out.col),
                            };
                        }
                    }
                }
            }
        }
    }
}

/// The first tile of R rows, which packs the columns that it reads.
struct First<'a, T, const R: usize, const FORM: u8>(&'a Tiles<'a, T>, *mut T);

impl<T: Scalar, const R: usize, const FORM: u8> Kernel for First<'_, T, R, FORM> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        if R <= I::TILE_ROWS {
            // SAFETY: `Tiles` vouches for all positions.
            unsafe { self.0.place::<T::Vector<I>, R, WIDE, FORM, PACK>(self.0.next, self.1) };
        }
    }
}

/// The tiles of R rows from some row up to the end of such: a function for each shape, since the compiler would compute
/// what all of them need at the beginning of every product.
struct Down<'a, T, const R: usize, const N: usize, const HALF: bool, const FORM: u8>(&'a Tiles<'a, T>, usize, usize);

impl<T: Scalar, const R: usize, const N: usize, const HALF: bool, const FORM: u8> Kernel
    for Down<'_, T, R, N, HALF, FORM>
{
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        match HALF {
            true => self.all::<<T::Vector<I> as Vector>::Half>(),
            false => self.all::<T::Vector<I>>(),
        }
    }
}

impl<T: Scalar, const R: usize, const N: usize, const HALF: bool, const FORM: u8> Down<'_, T, R, N, HALF, FORM> {
    #[inline(always)]
    fn all<V: Vector<Elem = T>>(&self) {
        for row in (self.1..self.2).step_by(R) {
            // SAFETY: `Tiles` vouches for all positions.
            unsafe {
                match FORM {
                    SPARE => self.0.place_by_spare::<V, R, N>(row),
                    _ => self.0.place::<V, R, N, FORM, READ>(row, ptr::null_mut()),
                }
            }
        }
    }
}

/// Copies R rows of so many numbers to N whole registers each, zeros behind them. What is read again is written at once:
/// a register that two stores wrote would have to wait for the cache.
///
/// # Safety
/// They must be readable, and whole registers writable.
#[inline(always)]
unsafe fn pad_rows<V: Vector, const R: usize, const N: usize>(
    from: Rows<*const V::Elem>,
    width: usize,
    to: Rows<*mut V::Elem>,
) {
    for r in 0..R {
        for n in 0..N {
            let first = (n * V::LANES).min(width);
            let count = V::LANES.min(width - first);
            // SAFETY: the caller's promise.
            unsafe {
                let row = std::slice::from_raw_parts(from.ptr.add(r * from.stride + first), count);
                V::read(row).store(to.ptr.add(r * to.stride + n * V::LANES));
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
