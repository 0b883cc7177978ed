//! Products with few columns and many rows: their transpose fills the lanes, with the same chains.
//!
//! A tile is some columns of `b` high and some rows of `a` wide. Those rows are turned into a panel, where they do not lie side by
//! side already; the tile is turned back on its way to the output.

use std::mem::MaybeUninit;

use super::blocks::{CHAINS, NARROW, WIDE};
use super::operand::{Start, Task};
use super::pack::pack_panel;
use super::tiles::{Calls, Panel, Rows, SIDE_BY_SIDE, Strip, tile};
use crate::interrupt::Lookout;
use crate::scalar::Scalar;
use crate::simd::{Isa, Kernel, MOST_LANES, Vector};

/// The most numbers across a tile.
const ACROSS: usize = WIDE * MOST_LANES;
/// Inner indices that are turned at a time: the processor turns some while it multiplies the last ones.
const DEPTH: usize = 128;
/// The fewest rows of `a` that are worth the turning.
const ROWS: usize = 16;

/// The product with so few columns, where this is the faster way: says whether it was.
pub struct Turned<'a, 'b, T>(pub &'b mut Task<'a, T>);

impl<T: Scalar> Turned<'_, '_, T> {
    /// Whether it may be: asked first, since most products are others.
    #[inline(always)]
    pub fn may_suit(task: &Task<'_, T>) -> bool {
        task.cols > NARROW && task.cols < CHAINS && task.b.by_rows()
    }

    /// Whether it is. Where `a` is transposed, nothing has to be turned.
    #[inline(always)]
    fn suits<I: Isa>(&self) -> bool {
        let Task { a, rows, cols, .. } = *self.0;
        let fills = 3 * cols >= 2 * cols.next_multiple_of(T::Vector::<I>::LANES);
        I::TILE_ROWS > 1 && if a.by_rows() { !fills && rows >= ROWS } else { rows > cols }
    }
}

impl<T: Scalar> Kernel for Turned<'_, '_, T> {
    type Output = bool;

    #[inline(always)]
    fn run<I: Isa>(self) -> bool {
        if !self.suits::<I>() {
            return false;
        }
        let Task { rows, depth, a, ref mut scratch, .. } = *self.0;
        let (lanes, to) = (T::Vector::<I>::LANES, scratch.panels.as_mut_ptr());
        let (width, room) = (WIDE * lanes, scratch.panels.len());
        // The sums of a panel, a column of the output after the other.
        let mut sums = [MaybeUninit::<T>::uninit(); CHAINS * ACROSS];
        let sums = Rows { ptr: sums.as_mut_ptr().cast::<T>(), stride: width };
        for row in (0..rows).step_by(width) {
            if self.0.lookout.is_some_and(Lookout::says_stop) {
                break;
            }
            let across = width.min(rows - row);
            let packs = across < width || a.by_rows();
            let deep = if packs { DEPTH.min(depth) } else { depth };
            assert!(!packs || room >= width * deep + lanes, "the scratch of a product is too small");
            // SAFETY: `matmul` has checked that all positions below `rows`, `cols` and `depth` lie in their matrices.
            unsafe {
                self.begin::<I>(sums, row, across);
                let mut first = 0;
                while first < depth {
                    let count = deep.min(depth - first);
                    let panel = if packs {
                        pack_panel::<T, I>(to, a.t(), (first, count), (row, across), width);
                        Panel { ptr: to.cast_const(), stride: width, count }
                    } else {
                        Panel { ptr: a.at(row, first), stride: a.col, count }
                    };
                    self.add::<I>(panel, first, sums);
                    first += count;
                }
                self.finish::<I>(sums.ptr, row, across);
            }
        }
        true
    }
}

impl<T: Scalar> Turned<'_, '_, T> {
    /// What the sums of some rows begin with.
    ///
    /// # Safety
    /// The rows must lie in the output, and the sums be writable for [`CHAINS`] columns.
    #[inline(always)]
    unsafe fn begin<I: Isa>(&self, sums: Rows<*mut T>, row: usize, across: usize) {
        let Task { out, init, cols, .. } = *self.0;
        // SAFETY: the caller's promise.
        unsafe {
            for j in 0..CHAINS {
                let x = match init {
                    Start::Row(bias) if j < cols => *bias.add(j),
                    Start::Column(_) => unreachable!("a start of transposed products"),
                    _ => T::ZERO,
                };
                for n in 0..WIDE {
                    T::Vector::<I>::splat(x).store(sums.ptr.add(j * sums.stride + n * T::Vector::<I>::LANES));
                }
            }
            if matches!(init, Start::Keep) {
                for i in 0..across {
                    for j in 0..cols {
                        *sums.ptr.add(j * sums.stride + i) = *out.ptr.add((row + i) * out.row + j * out.col);
                    }
                }
            }
        }
    }

    /// Adds to all columns what a panel of some inner indices brings.
    ///
    /// # Safety
    /// The panel must have the width of the sums, and its inner indices lie in `b`.
    #[inline(always)]
    unsafe fn add<I: Isa>(&self, panel: Panel<T>, first: usize, sums: Rows<*mut T>) {
        let Task { b, cols, .. } = *self.0;
        // Tiles of about the same height: a low one keeps the processor waiting for its own sums.
        let tiles = cols.div_ceil(I::TILE_ROWS);
        for tile in 0..tiles {
            let (col, end) = (tile * cols / tiles, (tile + 1) * cols / tiles);
            // SAFETY: the caller's promise.
            unsafe {
                let strip = Strip { ptr: b.at(first, col), row: 1, col: b.row };
                let sums = Rows { ptr: sums.ptr.add(col * sums.stride), stride: sums.stride };
                match end - col {
                    2 => apart::<T, I, 2>(strip, panel, sums),
                    3 => apart::<T, I, 3>(strip, panel, sums),
                    4 => apart::<T, I, 4>(strip, panel, sums),
                    5 => apart::<T, I, 5>(strip, panel, sums),
                    6 => apart::<T, I, 6>(strip, panel, sums),
                    7 => apart::<T, I, 7>(strip, panel, sums),
                    8 => apart::<T, I, 8>(strip, panel, sums),
                    9 => apart::<T, I, 9>(strip, panel, sums),
                    10 => apart::<T, I, 10>(strip, panel, sums),
                    11 => apart::<T, I, 11>(strip, panel, sums),
                    12 => apart::<T, I, 12>(strip, panel, sums),
                    _ => unreachable!("a height of tiles"),
                }
            }
        }
    }

    /// Writes the sums of some rows to the output.
    ///
    /// # Safety
    /// The rows must lie in the output, and the sums be readable for [`CHAINS`] columns.
    #[inline(always)]
    unsafe fn finish<I: Isa>(&self, sums: *const T, row: usize, across: usize) {
        let Task { out, cols, .. } = *self.0;
        let (lanes, few) = (T::Vector::<I>::LANES, T::Vector::<I>::ACROSS);
        let mut turned = [MaybeUninit::<T>::uninit(); CHAINS * ACROSS];
        let turned = turned.as_mut_ptr().cast::<T>();
        // SAFETY: the caller's promise; blocks of lanes by a few divide both.
        unsafe {
            // Columns that fill a register besides are zeros: it is read whole.
            for j in (0..cols.next_multiple_of(lanes)).step_by(lanes) {
                for i in (0..WIDE * lanes).step_by(few) {
                    T::Vector::<I>::upright(
                        sums.add(j * WIDE * lanes + i),
                        WIDE * lanes,
                        turned.add(i * CHAINS + j),
                        CHAINS,
                    );
                }
            }
            for i in 0..across {
                for j in (0..cols).step_by(lanes) {
                    let to = out.ptr.add((row + i) * out.row + j);
                    let to = std::slice::from_raw_parts_mut(to, lanes.min(cols - j));
                    T::Vector::<I>::load(turned.add(i * CHAINS + j)).write(to);
                }
            }
        }
    }
}

/// Adds one tile of R columns.
///
/// # Safety
/// As for [`tile`].
#[inline(always)]
unsafe fn apart<T: Scalar, I: Isa, const R: usize>(strip: Strip<T>, panel: Panel<T>, sums: Rows<*mut T>) {
    if R <= I::TILE_ROWS {
        // SAFETY: the caller's promise.
        unsafe { I::apart(Tile::<T, R> { strip, panel, sums }) };
    }
}

/// One tile of R columns: a function for each number.
struct Tile<T, const R: usize> {
    strip: Strip<T>,
    panel: Panel<T>,
    sums: Rows<*mut T>,
}

impl<T: Scalar, const R: usize> Kernel for Tile<T, R> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        let begin = Rows { ptr: self.sums.ptr.cast_const(), stride: self.sums.stride };
        // SAFETY: `apart` promises what is needed.
        unsafe { tile::<T::Vector<I>, R, WIDE, SIDE_BY_SIDE>(self.strip, self.panel, begin, self.sums, Calls::NONE) };
    }
}
