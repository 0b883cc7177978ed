//! The way through a product: a block of the first factor is packed, then one panel of the second after the other, and both are
//! multiplied.

use super::super::blocks::even;
use super::super::factors::{PANEL_COLS, Packs};
use super::super::operand::{Operand, Output, Start, Task};
use super::pack::{self, LANES};
use crate::simd::prefetch;

/// Registers, or tiles, across a panel.
pub const WIDE: usize = PANEL_COLS / LANES;

/// What multiplies a packed block by a packed panel.
///
/// # Safety
/// All of it needs the instructions of [`product`], and its own.
pub trait Multiplier {
    /// Blocks have a multiple of so many rows, except for the last.
    const ROWS: usize;
    /// Inner indices that are added together, an even number: a block begins at a multiple of it, and the packs of its rest end with zeros.
    const STEP: usize;

    /// What a thread holds while it multiplies panels. It is let go where foreign code may run, which may need the same.
    type Ready;

    /// # Safety
    /// The machine must have what the multiplier needs.
    unsafe fn ready() -> Self::Ready;

    /// A block of `a`, rows and inner indices by the first one and their number.
    ///
    /// # Safety
    /// The block must lie in `a`, and in `to`.
    unsafe fn packed(a: Operand<f32>, rows: (usize, usize), inner: (usize, usize), to: *mut u32) -> Block;

    /// All rows of a block by a panel of N registers across.
    ///
    /// # Safety
    /// The thread must be ready, both must be packed, and what the panel says of the output must hold for so many rows.
    unsafe fn multiply<const N: usize>(block: Block, rows: usize, panel: Panel);
}

/// A block of `a` in pairs. For registers, that of row i and the k-th two inner indices is at `ptr + i * row + k * pair`; for tiles, a
/// row's share of a line of them is `row` words.
#[derive(Clone, Copy)]
pub struct Block {
    pub ptr: *const u32,
    pub row: usize,
    pub pair: usize,
}

impl Block {
    /// The same without the rows above this one.
    #[inline(always)]
    pub fn below(self, row: usize) -> Self {
        Block { ptr: self.ptr.wrapping_add(row * self.row), ..self }
    }
}

/// A panel of `b`, and where its products with a block of `a` go: from `row` and `col` on, `width` columns.
#[derive(Clone, Copy)]
pub struct Panel {
    pub b: *const u32,
    /// Lines of the panel, zeros at the end included.
    pub pairs: usize,
    pub width: usize,
    out: Output<f32>,
    init: Start<f32>,
    row: usize,
    col: usize,
    /// Room for a tile.
    spare: *mut f32,
}

/// Where the sums of a tile begin and where they go, each with the distance of its rows.
#[derive(Clone, Copy)]
pub struct Places {
    pub start: (*const f32, usize),
    pub to: (*mut f32, usize),
}

/// Of a start that all rows share.
static ZEROS: [f32; PANEL_COLS] = [0.0; PANEL_COLS];

impl Panel {
    /// The same without the rows above this one.
    #[inline(always)]
    pub fn below(self, row: usize) -> Self {
        Panel { row: self.row + row, ..self }
    }

    /// Calls so many rows of the output to the caches, if they lie there side by side.
    #[inline(always)]
    pub fn call(&self, rows: usize) {
        let &Panel { out, row, col, width, .. } = self;
        if out.col == 1 {
            for i in 0..rows {
                for j in (0..width).step_by(LANES) {
                    prefetch(out.ptr.wrapping_add((row + i) * out.row + col + j).cast_const());
                }
            }
        }
    }

    /// The places of so many rows: the output itself where they lie there side by side and the tile `fits`, else the spare one.
    ///
    /// # Safety
    /// The rows must lie in the output, and in the spare place; what the bias is indexed by, in the bias.
    #[inline(always)]
    pub unsafe fn begin(&self, rows: usize, fits: bool) -> Places {
        let &Panel { out, init, row, col, width, spare, .. } = self;
        let to = out.ptr.wrapping_add(row * out.row + col * out.col);
        let start = match init {
            Start::Zero => Some((ZEROS.as_ptr(), 0)),
            Start::Row(bias) => Some((bias.wrapping_add(col), 0)),
            Start::Column(_) => None,
            Start::Keep => Some((to.cast_const(), out.row)),
        };
        if let Some(start) = start
            && fits
            && out.col == 1
        {
            return Places { start, to: (to, out.row) };
        }
        for i in 0..rows {
            for j in 0..width {
                // SAFETY: the caller vouches for both places and the bias.
                unsafe {
                    *spare.add(i * PANEL_COLS + j) = match init {
                        Start::Zero => 0.0,
                        Start::Row(bias) => *bias.add(col + j),
                        Start::Column(bias) => *bias.add(row + i),
                        Start::Keep => *to.add(i * out.row + j * out.col),
                    };
                }
            }
        }
        Places { start: (spare.cast_const(), PANEL_COLS), to: (spare, PANEL_COLS) }
    }

    /// Brings so many rows to the output that are in the spare place.
    ///
    /// # Safety
    /// As for [`begin`](Self::begin), which must have given these places.
    #[inline(always)]
    pub unsafe fn end(&self, rows: usize, places: Places) {
        let &Panel { out, row, col, width, spare, .. } = self;
        if places.to.0 != spare {
            return;
        }
        let to = out.ptr.wrapping_add(row * out.row + col * out.col);
        for i in 0..rows {
            for j in 0..width {
                // SAFETY: the caller vouches for both places.
                unsafe { *to.add(i * out.row + j * out.col) = *spare.add(i * PANEL_COLS + j) };
            }
        }
    }
}

/// `out = init + a · b`.
///
/// # Safety
/// The machine must have AVX-512 F, BW, DQ, VL and BF16, and what the multiplier needs. All positions below the task's `rows`,
/// `cols` and `depth` must lie in their matrices.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma")]
pub unsafe fn product<M: Multiplier>(task: Task<'_, f32>) {
    let Task { rows, cols, depth, .. } = task;
    let Packs { block, panel, spare, pairs } = task.scratch.packs.as_mut().expect("memory for rounded factors");
    // Of equal depths, so that none is a small one.
    let deep = depth.div_ceil(depth.div_ceil(2 * *pairs).max(1)).next_multiple_of(M::STEP).max(M::STEP);
    let (room, a, b) = (block.len(), block.as_mut_ptr().cast::<u32>(), panel.as_mut_ptr().cast::<u32>());
    // SAFETY: the caller's promise.
    let mut ready = unsafe { M::ready() };
    let mut first = 0;
    // Once through even where there is nothing to add, so that the output is set.
    loop {
        let count = deep.min(depth - first);
        let (filled, pairs) = (count.div_ceil(2), count.next_multiple_of(M::STEP) / 2);
        let height = height::<M>(rows, pairs, room);
        for row in (0..rows).step_by(height) {
            let tall = height.min(rows - row);
            // SAFETY: the block lies in `a`, panels in `b`; both fit in the packs.
            unsafe {
                let block = M::packed(task.a, (row, tall), (first, count), a);
                for col in (0..cols).step_by(PANEL_COLS) {
                    if let Some(lookout) = task.lookout {
                        // Who asks whether to go on lets handlers of signals run, which may multiply as well.
                        drop(ready);
                        if lookout.says_stop() {
                            return;
                        }
                        ready = M::ready();
                    }
                    let width = PANEL_COLS.min(cols - col);
                    let padded = width.next_multiple_of(LANES);
                    pack::panel(task.b, (first, count), (col, width), b, padded);
                    b.add(filled * padded).write_bytes(0, (pairs - filled) * padded);
                    let init = if first == 0 { task.init } else { Start::Keep };
                    let (out, spare) = (task.out, spare.as_mut_ptr());
                    let panel = Panel { b, pairs, width, out, init, row, col, spare };
                    if padded == LANES {
                        M::multiply::<1>(block, tall, panel);
                    } else {
                        M::multiply::<WIDE>(block, tall, panel);
                    }
                }
            }
        }
        first += count;
        if first >= depth {
            break;
        }
    }
}

/// Words from one line of a block of `a` to the next: never a multiple of a large power of two, whose lines would all compete
/// for the same few places of the first-level cache.
pub fn stride(pairs: usize) -> usize {
    let padded = pairs.next_multiple_of(LANES);
    if padded.is_multiple_of(128) { padded + LANES } else { padded }
}

/// Rows of `a` that are packed together, with that many pairs of inner indices, in so many words.
fn height<M: Multiplier>(rows: usize, pairs: usize, room: usize) -> usize {
    let most = (room / stride(pairs.max(1)) - LANES) / M::ROWS * M::ROWS;
    even(rows, most).next_multiple_of(M::ROWS)
}
