//! Matrix products whose bits do not depend on how the work is cut.
//!
//! Element (i, j) of `a · b` is one chain of fused multiply-adds over the inner index in increasing order, begun at the
//! initial value: `(((init + a[i,0]·b[0,j]) + a[i,1]·b[1,j]) + …)`. Neither tiles nor blocks nor edges change that
//! order, so any split of rows or columns over any number of threads gives the same bits, and so do AVX2, AVX-512 and
//! NEON. (The portable level rounds twice per term; its bits are its own.) The one exception is [`NARROW`].
//!
//! This is why the product is written here instead of taken from a library: theirs choose blocks, kernels and the order
//! of additions by the shape of each call. `benches/peers` measures it against `faer` and `gemm`.

use std::mem::MaybeUninit;

use ndarray::{ArrayView2, ArrayViewMut2};

use crate::scalar::Scalar;
use crate::simd::{Isa, Kernel, Vector, dispatch, prefetch};

/// Inner indices per packed panel: a panel of two AVX-512 registers times this fills 64 KiB, a part of the second-level cache.
const DEPTH: usize = 512;
/// Registers across a tile.
const WIDE: usize = 2;
/// The tallest tile of any instruction set.
const MAX_TILE_ROWS: usize = 12;
/// The most elements that a tile of any instruction set has, across.
const MAX_TILE_COLS: usize = 32;
/// With at most this many columns in `b` (and plain rows in `a`), a lane per column would leave most lanes idle. There, an
/// element is the sum of [`CHAINS`] interleaved chains instead, for every number of rows.
pub const NARROW: usize = 4;
/// The interleaved chains of a narrow product: term p belongs to chain p mod 16.
pub const CHAINS: usize = 16;

/// What the chains of a product begin with.
#[derive(Clone, Copy)]
pub enum Init<'a, T> {
    /// Nothing: 0.
    Zero,
    /// The same row for every row: a bias.
    Row(&'a [T]),
    /// What the output already holds.
    Keep,
}

/// A worker's own memory for packed panels.
pub struct Scratch<T> {
    panel: crate::buffer::Buffer<T>,
}

impl<T: Scalar> Scratch<T> {
    /// Enough for products of at most `depth` inner indices.
    pub fn new(depth: usize) -> Self {
        Scratch { panel: crate::buffer::Buffer::zeroed((DEPTH * MAX_TILE_COLS).max(NARROW * depth)) }
    }
}

/// `out = init + a · b`.
///
/// `b` and `out` are row-major, or have unit column stride; `a` and `b` may also be transposed views of such matrices.
pub fn matmul<T: Scalar>(
    out: ArrayViewMut2<'_, T>,
    init: Init<'_, T>,
    a: ArrayView2<'_, T>,
    b: ArrayView2<'_, T>,
    scratch: &mut Scratch<T>,
) {
    let (rows, depth, cols) = (a.nrows(), a.ncols(), b.ncols());
    assert!(b.nrows() == depth && out.dim() == (rows, cols), "shapes of a product disagree");
    if rows == 0 || cols == 0 {
        return;
    }
    let a = Operand::of(&a);
    let b = Operand::of(&b);
    let mut out = out;
    let out = Output { ptr: out.as_mut_ptr(), row: out.strides()[0] as usize, col: out.strides()[1] as usize };
    assert!(out.col == 1 || cols == 1, "the output of a product must have contiguous rows");
    let init = match init {
        Init::Row(row) => {
            assert!(row.len() >= cols, "the bias of a product is too short");
            Start::Row(row.as_ptr())
        }
        Init::Zero => Start::Zero,
        Init::Keep => Start::Keep,
    };
    if cols <= NARROW && a.by_rows() {
        assert!(scratch.panel.len() >= cols * depth, "the scratch of a product is too small");
        dispatch(Dots { out, init, a, b, rows, cols, depth, panel: &mut scratch.panel });
    } else if cols < CHAINS && !a.by_rows() && b.by_rows() && rows > cols {
        // A weight gradient with few columns: its transpose fills the lanes, with the same chains.
        let out = Output { ptr: out.ptr, row: 1, col: out.row };
        dispatch(Tiled { out, init, a: b.t(), b: a.t(), rows: cols, cols: rows, depth, panel: &mut scratch.panel });
    } else {
        dispatch(Tiled { out, init, a, b, rows, cols, depth, panel: &mut scratch.panel });
    }
}

/// Element (i, j) is at `ptr + i * row + j * col`; one of the two strides is 1.
#[derive(Clone, Copy)]
struct Operand<T> {
    ptr: *const T,
    row: usize,
    col: usize,
}

impl<T> Operand<T> {
    fn of(view: &ArrayView2<'_, T>) -> Self {
        let (row, col) = (view.strides()[0], view.strides()[1]);
        // A stride along an axis of length 1 is never used (ndarray's slices have 0 there): call it what suits.
        let (row, col) = if view.ncols() <= 1 { (row, if row == 1 { col.max(1) } else { 1 }) } else { (row, col) };
        let (row, col) = if view.nrows() <= 1 { (if col == 1 { row.max(1) } else { 1 }, col) } else { (row, col) };
        assert!(row >= 0 && col >= 0 && (row == 1 || col == 1), "an operand of a product must be contiguous one way");
        Operand { ptr: view.as_ptr(), row: row as usize, col: col as usize }
    }

    /// Whether the elements of a row lie side by side.
    #[inline(always)]
    fn by_rows(self) -> bool {
        self.col == 1
    }

    #[inline(always)]
    fn t(self) -> Self {
        Operand { ptr: self.ptr, row: self.col, col: self.row }
    }

    /// # Safety
    /// (i, j) must lie in the matrix.
    #[inline(always)]
    unsafe fn at(self, i: usize, j: usize) -> *const T {
        // SAFETY: the caller vouches for the position.
        unsafe { self.ptr.add(i * self.row + j * self.col) }
    }
}

#[derive(Clone, Copy)]
struct Output<T> {
    ptr: *mut T,
    row: usize,
    col: usize,
}

#[derive(Clone, Copy)]
enum Start<T> {
    Zero,
    /// Indexed by the column of the caller's product.
    Row(*const T),
    Keep,
}

/// The product, tile by tile.
struct Tiled<'a, T> {
    out: Output<T>,
    init: Start<T>,
    a: Operand<T>,
    b: Operand<T>,
    rows: usize,
    cols: usize,
    depth: usize,
    panel: &'a mut [T],
}

impl<T: Scalar> Kernel for Tiled<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        let lanes = T::Vector::<I>::LANES;
        let Tiled { rows, cols, depth, b, .. } = self;
        let mut first = 0;
        // Once through even where there is nothing to add, so that the output is set.
        loop {
            let count = DEPTH.min(depth - first);
            let mut col = 0;
            while col < cols {
                let width = (WIDE * lanes).min(cols - col);
                let padded = if width <= lanes { lanes } else { WIDE * lanes };
                // Packing pays for itself from several tiles on; an edge is packed to be padded with zeros.
                let packed = rows > 8 * I::TILE_ROWS || width != padded || !b.by_rows();
                // SAFETY: the block lies in `b`; `panel` holds DEPTH * MAX_TILE_COLS numbers.
                let (from, stride) = unsafe {
                    if packed {
                        pack::<T, I>(self.panel, b, first, count, col, width, padded);
                        (self.panel.as_ptr(), padded)
                    } else {
                        (b.at(first, col), b.row)
                    }
                };
                let block = Block { first, count, col, width, from, stride };
                // SAFETY: `matmul` has checked that all positions below `rows`, `cols`, `depth` lie in their matrices.
                unsafe {
                    if padded == lanes {
                        self.column::<I, 1>(block);
                    } else {
                        self.column::<I, WIDE>(block);
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
    unsafe fn column<I: Isa, const N: usize>(&self, block: Block<T>) {
        let mut row = 0;
        macro_rules! tiles_of {
            ($($height:literal)*) => {
                $(while $height <= I::TILE_ROWS && self.rows - row >= $height {
                    // SAFETY: as for this function.
                    unsafe { self.place::<I, $height, N>(row, block) };
                    row += $height;
                })*
            };
        }
        tiles_of!(12 8 6 4 2 1);
    }

    /// One tile, straight into the output where it fits, else by way of a spare one.
    #[inline(always)]
    unsafe fn place<I: Isa, const R: usize, const N: usize>(&self, row: usize, block: Block<T>) {
        let Output { ptr, row: out_row, col: out_col } = self.out;
        let init = if block.first == 0 { self.init } else { Start::Keep };
        let full = N * T::Vector::<I>::LANES;
        let direct = block.width == full && out_col == 1;
        let mut spare = MaybeUninit::<[T; MAX_TILE_ROWS * MAX_TILE_COLS]>::uninit();
        // SAFETY: the tile lies in `a`, the panel and the output; `spare` holds the largest tile.
        unsafe {
            let at = |i: usize, j: usize| ptr.add((row + i) * out_row + (block.col + j) * out_col);
            let (to, to_stride) = if direct { (at(0, 0), out_row) } else { (spare.as_mut_ptr().cast(), full) };
            let zeros = [T::ZERO; MAX_TILE_COLS];
            let (start, start_stride) = match init {
                Start::Zero => (zeros.as_ptr(), 0),
                Start::Row(bias) if direct => (bias.add(block.col), 0),
                Start::Keep if direct => (to.cast_const(), to_stride),
                _ => {
                    for i in 0..R {
                        for j in 0..full {
                            *to.add(i * full + j) = match init {
                                _ if j >= block.width => T::ZERO,
                                // Where the output is transposed, its column is the row of this tile.
                                Start::Row(bias) => *bias.add(if out_col == 1 { block.col + j } else { row + i }),
                                _ => *at(i, j),
                            };
                        }
                    }
                    (to.cast_const(), to_stride)
                }
            };
            // A deep product comes back to its output, which is no longer in the caches by then.
            let below = (direct && self.depth > DEPTH).then(|| to.wrapping_add(R * out_row).cast_const());
            tile::<T, I, R, N>(
                self.a.at(row, block.first),
                (self.a.row, self.a.col),
                block,
                (start, start_stride),
                (to, to_stride),
                below,
            );
            if !direct {
                for i in 0..R {
                    for j in 0..block.width {
                        *at(i, j) = *to.add(i * full + j);
                    }
                }
            }
        }
    }
}

/// A panel of `b`: `count` inner indices from `first`, `width` columns from `col`, its rows at `from`, `stride` apart.
#[derive(Clone, Copy)]
struct Block<T> {
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
/// `a`, the block and `start` must be readable, `to` writable, for the whole tile.
#[inline(always)]
unsafe fn tile<T: Scalar, I: Isa, const R: usize, const N: usize>(
    a: *const T,
    (a_row, a_col): (usize, usize),
    block: Block<T>,
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
        let (mut a, mut b) = (a, block.from);
        // Row by row at an even pace: many calls at once would keep the product's own loads waiting.
        let (mut left, mut calls) = (block.count, if below.is_some() { R } else { 0 });
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
                b = b.add(block.stride);
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

/// Copies a block of `b` to `panel`, row after row, each padded with zeros.
///
/// # Safety
/// The block must lie in `b`, and `count * padded` numbers in `panel`.
#[inline(always)]
unsafe fn pack<T: Scalar, I: Isa>(
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

/// The product with at most [`NARROW`] columns: dot products of rows of `a` with the columns of `b`.
struct Dots<'a, T> {
    out: Output<T>,
    init: Start<T>,
    a: Operand<T>,
    b: Operand<T>,
    rows: usize,
    cols: usize,
    depth: usize,
    panel: &'a mut [T],
}

impl<T: Scalar> Kernel for Dots<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        let Dots { out, init, a, b, rows, cols, depth, panel } = self;
        // SAFETY: `matmul` has checked that all positions below `rows`, `cols` and `depth` lie in their matrices.
        unsafe {
            // The columns of `b`, each contiguous: as they are where they already lie so.
            let (columns, apart) = if b.row == 1 {
                (b.ptr, b.col)
            } else {
                for p in 0..depth {
                    for j in 0..cols {
                        panel[j * depth + p] = *b.at(p, j);
                    }
                }
                (panel.as_ptr(), depth)
            };
            for i in 0..rows {
                let row = std::slice::from_raw_parts(a.at(i, 0), depth);
                for j in 0..cols {
                    let to = out.ptr.add(i * out.row + j * out.col);
                    let begin = match init {
                        Start::Zero => T::ZERO,
                        Start::Row(bias) => *bias.add(j),
                        Start::Keep => *to,
                    };
                    *to = begin + dot::<T, I>(row, std::slice::from_raw_parts(columns.add(j * apart), depth));
                }
            }
        }
    }
}

/// The sum of [`CHAINS`] interleaved chains, added up in pairs.
#[inline(always)]
fn dot<T: Scalar, I: Isa>(x: &[T], y: &[T]) -> T {
    let mut sums = [T::ZERO; CHAINS];
    let (x_chunks, x_rest) = x.as_chunks::<CHAINS>();
    let (y_chunks, y_rest) = y.as_chunks::<CHAINS>();
    for (x, y) in x_chunks.iter().zip(y_chunks) {
        for q in 0..CHAINS {
            sums[q] = I::fma(x[q], y[q], sums[q]);
        }
    }
    for (q, (&x, &y)) in x_rest.iter().zip(y_rest).enumerate() {
        sums[q] = I::fma(x, y, sums[q]);
    }
    add_in_pairs(sums)
}

/// The sum of the chains of a narrow product.
#[inline(always)]
pub(super) fn add_in_pairs<T: Scalar>(mut sums: [T; CHAINS]) -> T {
    let mut half = CHAINS / 2;
    while half > 0 {
        for q in 0..half {
            sums[q] += sums[q + half];
        }
        half /= 2;
    }
    sums[0]
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::simd::{self, Level};
    use ndarray::{Array2, s};

    pub(in crate::kernels) fn numbers<T: Scalar>(rows: usize, cols: usize, seed: u64) -> Array2<T> {
        let mut state = seed;
        Array2::from_shape_fn((rows, cols), |_| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            T::from_f64((state >> 40) as f64 / (1u64 << 23) as f64 - 1.0)
        })
    }

    /// The definition, one element at a time.
    fn element<T: Scalar>(init: T, a: &ArrayView2<'_, T>, b: &ArrayView2<'_, T>, i: usize, j: usize) -> T {
        let fma = |x: T, y: T, z: T| if simd::level() == Level::Portable { x * y + z } else { x.mul_add(y, z) };
        if b.ncols() <= NARROW && Operand::of(a).by_rows() {
            let mut sums = [T::ZERO; CHAINS];
            for p in 0..a.ncols() {
                sums[p % CHAINS] = fma(a[[i, p]], b[[p, j]], sums[p % CHAINS]);
            }
            for half in [8, 4, 2, 1] {
                for q in 0..half {
                    sums[q] += sums[q + half];
                }
            }
            return init + sums[0];
        }
        (0..a.ncols()).fold(init, |sum, p| fma(a[[i, p]], b[[p, j]], sum))
    }

    fn check<T: Scalar>(rows: usize, depth: usize, cols: usize, form: usize, init: usize) {
        let (a, b, bias) = (numbers::<T>(rows, depth, 1), numbers::<T>(depth, cols, 2), numbers::<T>(1, cols, 3));
        let (at, bt) = (a.t().as_standard_layout().into_owned(), b.t().as_standard_layout().into_owned());
        let a = if form == 2 { at.t() } else { a.view() };
        let b = if form == 1 { bt.t() } else { b.view() };
        let before = numbers::<T>(rows, cols + 3, 4);
        let mut out = before.clone();
        let bias = bias.as_slice().unwrap();
        let init = [Init::Zero, Init::Row(bias), Init::Keep][init];
        matmul(out.slice_mut(s![.., ..cols]), init, a, b, &mut Scratch::new(depth));
        for i in 0..rows {
            for j in 0..cols {
                let begin = match init {
                    Init::Zero => T::ZERO,
                    Init::Row(bias) => bias[j],
                    Init::Keep => before[[i, j]],
                };
                assert!(
                    out[[i, j]] == element(begin, &a, &b, i, j),
                    "{} {rows}x{depth}x{cols} form {form} at {i},{j}",
                    T::NAME
                );
            }
            assert!(out.slice(s![i, cols..]) == before.slice(s![i, cols..]), "wrote beside the output");
        }
    }

    #[test]
    fn every_element_is_its_chain_bit_for_bit_at_every_level() {
        simd::at_every_level(|_| {
            for rows in [1, 2, 5, 12, 13, 31, 64] {
                for depth in [0, 1, 3, 16, 33, 256, 300, 777] {
                    for cols in [1, 2, 4, 5, 7, 10, 16, 17, 32, 33, 48, 70] {
                        let form = (rows + depth + cols) % 3;
                        check::<f32>(rows, depth, cols, form, (rows + cols) % 3);
                        check::<f64>(rows, depth, cols, (form + 1) % 3, (depth + cols) % 3);
                    }
                }
            }
        });
    }
}
