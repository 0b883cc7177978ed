//! Multiplication by AVX-512 BF16: a register of sums takes a pair of products for each of its lanes at once.

use std::arch::x86_64::*;

use super::super::operand::Operand;
use super::pack::{self, LANES};
use super::walk::{Block, Multiplier, Panel, Places, stride};

/// Rows of a tile: with so many, sums take 24 of the 32 registers.
const TILE_ROWS: usize = 12;

/// Sums in vector registers. Needs no instructions of its own.
pub struct Pairs;

impl Multiplier for Pairs {
    const ROWS: usize = TILE_ROWS;
    const STEP: usize = 2;
    type Ready = ();

    unsafe fn ready() {}

    /// Packed the way that it lies.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma")]
    unsafe fn packed(
        a: Operand<f32>,
        (row, tall): (usize, usize),
        (first, count): (usize, usize),
        to: *mut u32,
    ) -> Block {
        // SAFETY: the caller's promise.
        unsafe {
            let from = a.at(row, first);
            if a.by_rows() {
                let stride = stride(count.div_ceil(2));
                pack::along(from, a.row, (tall, count), to, (stride, LANES));
                Block { ptr: to, row: stride, pair: 1 }
            } else {
                let padded = tall.next_multiple_of(LANES);
                pack::across(from, a.col, count, tall, to, padded);
                Block { ptr: to, row: 1, pair: padded }
            }
        }
    }

    /// The tallest tiles that fit, then smaller ones.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma")]
    unsafe fn multiply<const N: usize>(block: Block, rows: usize, panel: Panel) {
        let mut row = 0;
        macro_rules! tiles_of {
            ($($height:literal)*) => {
                $(while rows - row >= $height {
                    let (block, panel) = (block.below(row), panel.below(row));
                    // SAFETY: the rows lie in the block; a tile of any width fits.
                    unsafe {
                        let places = panel.begin($height, true);
                        tile::<$height, N>(block, panel, places);
                        panel.end($height, places);
                    }
                    row += $height;
                })*
            };
        }
        tiles_of!(12 8 6 4 2 1);
    }
}

/// R rows by N registers: the whole sum of the block in registers.
///
/// # Safety
/// The tile must be readable and writable at its places, and lie in the block and the panel.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma")]
#[inline]
unsafe fn tile<const R: usize, const N: usize>(
    block: Block,
    panel: Panel,
    Places { start: (start, start_stride), to: (to, stride) }: Places,
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
