//! The product by AVX-512 BF16: a register of sums takes a pair of products for each of its lanes at once.

use std::arch::x86_64::*;

use super::super::blocks::even;
use super::super::factors::PANEL_COLS;
use super::super::operand::{Operand, Output, Start, Task};
use super::pack::{self, LANES};
use crate::interrupt::Lookout;

/// Registers across a tile.
const WIDE: usize = PANEL_COLS / LANES;
/// Rows of a tile: with so many, sums take 24 of the 32 registers.
const TILE_ROWS: usize = 12;

/// A block of `a` in pairs: that of row i and the k-th two inner indices is at `ptr + i * row + k * pair`.
#[derive(Clone, Copy)]
struct Block {
    ptr: *const u32,
    row: usize,
    pair: usize,
}

/// `out = init + a · b`, which is the transpose of the caller's product where it is `turned`.
///
/// # Safety
/// The machine must have AVX-512 F, BW, DQ, VL and BF16. All positions below the task's `rows`, `cols` and `depth` must lie in
/// their matrices.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma")]
pub unsafe fn multiply(task: Task<'_, f32>, turned: bool) {
    let Task { rows, cols, depth, .. } = task;
    let packs = task.scratch.packs.as_mut().expect("memory for rounded factors");
    // Of equal depths, so that none is a small one; even, for pairs.
    let deep = depth.div_ceil(depth.div_ceil(2 * packs.pairs).max(1)).next_multiple_of(2).max(2);
    let (room, a, b) =
        (packs.block.len(), packs.block.as_mut_ptr().cast::<u32>(), packs.panel.as_mut_ptr().cast::<u32>());
    let mut first = 0;
    // Once through even where there is nothing to add, so that the output is set.
    loop {
        let count = deep.min(depth - first);
        let height = height(rows, count, room);
        for row in (0..rows).step_by(height) {
            let tall = height.min(rows - row);
            // SAFETY: the block lies in `a`, panels in `b`; both fit in the packs.
            unsafe {
                let block = packed(task.a, (row, tall), (first, count), a);
                for col in (0..cols).step_by(WIDE * LANES) {
                    if task.lookout.is_some_and(Lookout::says_stop) {
                        return;
                    }
                    let width = (WIDE * LANES).min(cols - col);
                    let padded = width.next_multiple_of(LANES);
                    pack::panel(task.b, (first, count), (col, width), b, padded);
                    let init = if first == 0 { task.init } else { Start::Keep };
                    let panel = Panel { out: task.out, init, turned, row, col, width, b, pairs: count.div_ceil(2) };
                    if padded == LANES {
                        column::<1>(block, tall, panel);
                    } else {
                        column::<WIDE>(block, tall, panel);
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
fn stride(pairs: usize) -> usize {
    let padded = pairs.next_multiple_of(LANES);
    if padded.is_multiple_of(128) { padded + LANES } else { padded }
}

/// Rows of `a` that are packed together, with that many inner indices, in so many words.
fn height(rows: usize, count: usize, room: usize) -> usize {
    let most = (room / stride(count.div_ceil(2).max(1)) - LANES) / TILE_ROWS * TILE_ROWS;
    even(rows, most).next_multiple_of(TILE_ROWS)
}

/// A block of `a`, packed the way that it lies.
///
/// # Safety
/// The machine must have the instructions, the block lie in `a`, and in `to`.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma")]
unsafe fn packed(a: Operand<f32>, (row, tall): (usize, usize), (first, count): (usize, usize), to: *mut u32) -> Block {
    // SAFETY: the caller's promise.
    unsafe {
        let from = a.at(row, first);
        if a.by_rows() {
            let stride = stride(count.div_ceil(2));
            pack::along(from, a.row, tall, count, to, stride);
            Block { ptr: to, row: stride, pair: 1 }
        } else {
            let padded = tall.next_multiple_of(LANES);
            pack::across(from, a.col, count, tall, to, padded);
            Block { ptr: to, row: 1, pair: padded }
        }
    }
}

/// A panel of `b`, and where its products with a block of `a` go: from `row` and `col` on, `width` columns.
#[derive(Clone, Copy)]
struct Panel {
    out: Output<f32>,
    init: Start<f32>,
    /// Whether the bias has an element for each row.
    turned: bool,
    row: usize,
    col: usize,
    width: usize,
    b: *const u32,
    pairs: usize,
}

/// All tiles of one panel: the tallest that fit, then smaller ones.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma")]
unsafe fn column<const N: usize>(block: Block, tall: usize, panel: Panel) {
    let mut row = 0;
    macro_rules! tiles_of {
        ($($height:literal)*) => {
            $(while tall - row >= $height {
                let block = Block { ptr: block.ptr.wrapping_add(row * block.row), ..block };
                // SAFETY: the rows lie in the block.
                unsafe { place::<$height, N>(block, Panel { row: panel.row + row, ..panel }) };
                row += $height;
            })*
        };
    }
    tiles_of!(12 8 6 4 2 1);
}

/// One tile, straight into the output where its rows lie there as such, else by way of a spare one.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma")]
unsafe fn place<const R: usize, const N: usize>(block: Block, panel: Panel) {
    const ACROSS: usize = WIDE * LANES;
    let Panel { out, init, turned, row, col, width, .. } = panel;
    let zeros = [0.0f32; ACROSS];
    // SAFETY: the tile lies in the output, and its columns in the bias.
    unsafe {
        let to = out.ptr.wrapping_add(row * out.row + col * out.col);
        if out.col == 1 && !(turned && matches!(init, Start::Row(_))) {
            let start = match init {
                Start::Zero => (zeros.as_ptr(), 0),
                Start::Row(bias) => (bias.add(col), 0),
                Start::Keep => (to.cast_const(), out.row),
            };
            return tile::<R, N>(block, panel, start, (to, out.row));
        }
        let mut spare = [0.0f32; TILE_ROWS * ACROSS];
        for (i, line) in spare.chunks_exact_mut(ACROSS).enumerate().take(R) {
            for (j, x) in line.iter_mut().enumerate().take(width) {
                *x = match init {
                    Start::Zero => 0.0,
                    Start::Row(bias) => *bias.add(if turned { row + i } else { col + j }),
                    Start::Keep => *to.add(i * out.row + j * out.col),
                };
            }
        }
        let at = spare.as_mut_ptr();
        tile::<R, N>(block, panel, (at.cast_const(), ACROSS), (at, ACROSS));
        for (i, line) in spare.chunks_exact(ACROSS).enumerate().take(R) {
            for (j, x) in line.iter().enumerate().take(width) {
                *to.add(i * out.row + j * out.col) = *x;
            }
        }
    }
}

/// R rows by N registers: the whole sum of the block in registers.
///
/// # Safety
/// The tile must be readable at `start` and writable at `to`, and lie in the block and the panel.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma")]
#[inline]
unsafe fn tile<const R: usize, const N: usize>(
    block: Block,
    panel: Panel,
    (start, start_stride): (*const f32, usize),
    (to, stride): (*mut f32, usize),
) {
    let mut lanes = [__mmask16::MAX; N];
    for (n, lanes) in lanes.iter_mut().enumerate() {
        let count = panel.width.saturating_sub(n * LANES).min(LANES);
        *lanes = ((1u32 << count) - 1) as __mmask16;
    }
    let mut sums = [[_mm512_setzero_ps(); N]; R];
    // SAFETY: the caller's promise.
    unsafe {
        for (r, sums) in sums.iter_mut().enumerate() {
            for (n, sum) in sums.iter_mut().enumerate() {
                *sum = _mm512_maskz_loadu_ps(lanes[n], start.wrapping_add(r * start_stride + n * LANES));
            }
        }
        let (mut a, mut b) = (block.ptr, panel.b);
        for _ in 0..panel.pairs {
            let mut across = [_mm512_setzero_si512(); N];
            for (n, across) in across.iter_mut().enumerate() {
                *across = _mm512_loadu_si512(b.add(n * LANES).cast());
            }
            for (r, sums) in sums.iter_mut().enumerate() {
                let x = _mm512_set1_epi32(*a.add(r * block.row) as i32);
                for (sum, y) in sums.iter_mut().zip(across) {
                    *sum = _mm512_dpbf16_ps(*sum, pairs_of(x), pairs_of(y));
                }
            }
            b = b.add(N * LANES);
            a = a.wrapping_add(block.pair);
        }
        for (r, sums) in sums.iter().enumerate() {
            for (n, sum) in sums.iter().enumerate() {
                _mm512_mask_storeu_ps(to.wrapping_add(r * stride + n * LANES), lanes[n], *sum);
            }
        }
    }
}

/// Words as pairs.
#[target_feature(enable = "avx512f,avx512bf16")]
#[inline]
fn pairs_of(words: __m512i) -> __m512bh {
    // SAFETY: two types of the same register.
    unsafe { std::mem::transmute(words) }
}
