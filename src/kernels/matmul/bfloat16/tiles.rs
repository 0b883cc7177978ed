//! Multiplication by tiles of Intel's Advanced Matrix Extensions: 16 rows by 16 columns take the products of 32 inner indices at
//! once.
//!
//! The instructions are written as such, since stable Rust knows the tiles by no other name.

use std::arch::asm;
use std::sync::atomic::{AtomicU8, Ordering};

use ndarray::Array2;

use super::super::factors::Factors;
use super::super::operand::{Operand, Output, Start, Task};
use super::super::scratch::{Scratch, Sizes};
use super::pack::{self, LANES};
use super::walk::{self, Block, Multiplier, Panel};
use crate::simd::{self, Level, amx};

/// Rows of a tile, and pairs of inner indices in one of `a`.
const TILE: usize = 16;
/// Bytes of a row of a tile.
const ROW: usize = 64;
/// Pairs of a tile.
const WORDS: usize = TILE * LANES;

/// Whether products use the tiles: where the level in use has them, the system lets this process, and they multiply as they should.
pub fn are_used() -> bool {
    const UNKNOWN: u8 = 0;
    const YES: u8 = 1;
    const NO: u8 = 2;
    static WORK: AtomicU8 = AtomicU8::new(UNKNOWN);
    let known = || WORK.load(Ordering::Relaxed);
    if simd::level() == Level::Amx && known() == UNKNOWN {
        // SAFETY: the level's processors have AVX-512 with bfloat16, and the process may use the tiles.
        let work = amx::allowed() && unsafe { multiply_as_they_should() };
        // The first answer counts for all threads.
        let _ = WORK.compare_exchange(UNKNOWN, if work { YES } else { NO }, Ordering::Relaxed, Ordering::Relaxed);
    }
    simd::level() == Level::Amx && known() == YES
}

/// A product by tiles.
///
/// # Safety
/// As for [`walk::product`]; the process must be allowed to use the tiles.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma")]
pub unsafe fn product(task: Task<'_, f32>) {
    // SAFETY: the caller's promise.
    unsafe { walk::product::<Tiles>(task) };
}

/// Whether a product of whole numbers, which no order of additions changes, is right: a system below this one may say that there are
/// tiles, and not keep them.
///
/// # Safety
/// As for [`product`].
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma")]
pub unsafe fn multiply_as_they_should() -> bool {
    let (rows, depth, cols) = (2 * TILE + 1, 70, 2 * TILE + 1);
    let a = Array2::from_shape_fn((rows, depth), |(i, p)| ((5 * i + 3 * p) % 13) as f32 - 6.0);
    let b = Array2::from_shape_fn((depth, cols), |(p, j)| ((7 * j + 2 * p) % 11) as f32 - 5.0);
    let mut out = Array2::<f32>::zeros((rows, cols));
    let Ok(mut scratch) = Scratch::new(Sizes { rows, depth, cols, factors: Factors::Bfloat16 }) else {
        return false;
    };
    let task = Task {
        out: Output { ptr: out.as_mut_ptr(), row: cols, col: 1 },
        init: Start::Zero,
        a: Operand::of(&a.view()),
        b: Operand::of(&b.view()),
        rows,
        cols,
        depth,
        scratch: &mut scratch,
        lookout: None,
    };
    // SAFETY: the caller's promise; the task is of these matrices.
    unsafe { product(task) };
    out.indexed_iter().all(|((i, j), sum)| *sum == (0..depth).map(|p| a[[i, p]] * b[[p, j]]).sum::<f32>())
}

/// Tiles that are in use on this thread, until this is dropped: without them, nobody need save them.
struct Shapes;

/// What `LDTILECFG` reads: shapes of up to 16 tiles, of which there are eight.
#[repr(C, align(64))]
struct Configuration {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    /// Bytes of a row.
    bytes: [u16; 16],
    rows: [u8; 16],
}

/// Eight tiles, all as large as can be.
static WHOLE: Configuration = {
    let mut whole = Configuration { palette: 1, start_row: 0, reserved: [0; 14], bytes: [0; 16], rows: [0; 16] };
    let mut tile = 0;
    while tile < 8 {
        (whole.bytes[tile], whole.rows[tile]) = (ROW as u16, TILE as u8);
        tile += 1;
    }
    whole
};

impl Shapes {
    /// # Safety
    /// The process must be allowed to use the tiles.
    unsafe fn set() -> Self {
        // SAFETY: the caller's promise.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const WHOLE, options(nostack, preserves_flags)) };
        Shapes
    }
}

impl Drop for Shapes {
    fn drop(&mut self) {
        // SAFETY: they were set.
        unsafe { asm!("tilerelease", options(nostack, preserves_flags)) };
    }
}

/// Sums in tiles 0 to 3, of up to two rows and two columns of them; 4 and 5 are of the block, 6 and 7 of the panel.
struct Tiles;

impl Multiplier for Tiles {
    const ROWS: usize = 2 * TILE;
    const STEP: usize = 2 * TILE;
    type Ready = Shapes;

    unsafe fn ready() -> Shapes {
        // SAFETY: the caller's promise.
        unsafe { Shapes::set() }
    }

    /// Tiles as they are loaded, whichever way the rows lie: one after the other along the inner index.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma")]
    unsafe fn packed(
        a: Operand<f32>,
        (row, tall): (usize, usize),
        (first, count): (usize, usize),
        to: *mut u32,
    ) -> Block {
        let words = count.div_ceil(Self::STEP) * WORDS;
        for group in (0..tall).step_by(TILE) {
            let (sizes, strides) = (((tall - group).min(TILE), count), (LANES, WORDS));
            // SAFETY: the caller's promise.
            unsafe {
                let (from, to) = (a.at(row + group, first), to.add(group / TILE * words));
                match a.by_rows() {
                    true => pack::along(from, a.row, sizes, to, strides),
                    false => pack::upright(from, a.col, sizes, to, strides),
                }
            }
        }
        Block { ptr: to, row: words / TILE, pair: 1 }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma")]
    unsafe fn multiply<const N: usize>(block: Block, rows: usize, panel: Panel) {
        for row in (0..rows).step_by(2 * TILE) {
            let (block, panel) = (block.below(row), panel.below(row));
            // What a tile adds to is far away; what the next one does is on its way meanwhile.
            panel.below(2 * TILE).call((rows - row).saturating_sub(2 * TILE).min(2 * TILE));
            // SAFETY: the rows lie in the block, which ends with whole tiles.
            unsafe {
                match rows - row {
                    left @ ..=TILE => tiles::<1, N>(block, left, panel),
                    left => tiles::<2, N>(block, left.min(2 * TILE), panel),
                }
            }
        }
    }
}

/// One instruction between a tile and memory, whose rows are some bytes apart.
macro_rules! memory {
    ($instruction:literal, $at:expr, $apart:expr) => {
        asm!($instruction, at = in(reg) $at, apart = in(reg) $apart, options(nostack, preserves_flags))
    };
}

/// Instructions for each 32 inner indices, of which there are some.
macro_rules! for_each_step {
    ($block:ident, $panel:ident, $across:expr, $($instruction:literal)*) => {
        asm!(
            "2:",
            $($instruction,)*
            "add {upper}, 1024",
            "add {lower}, 1024",
            "add {b}, {step}",
            "dec {steps}",
            "jnz 2b",
            upper = inout(reg) $block.ptr => _,
            lower = inout(reg) $block.below(TILE).ptr => _,
            row = in(reg) ROW,
            b = inout(reg) $panel.b => _,
            line = in(reg) $across * ROW,
            step = const $across * ROW * TILE,
            steps = inout(reg) $panel.pairs / TILE => _,
            options(nostack),
        )
    };
}

/// Up to R by N tiles of sums: so many rows.
///
/// # Safety
/// The tiles must lie in the block and the panel, be set, and the rows lie in the output.
unsafe fn tiles<const R: usize, const N: usize>(block: Block, rows: usize, panel: Panel) {
    // SAFETY: the caller's promise. Nothing else uses tiles, so that none need be named as changed.
    unsafe {
        let places = panel.begin(rows, rows == R * TILE && panel.width == N * LANES);
        let ((start, apart), (to, stride)) = (places.start, places.to);
        let (right, below) = (LANES, TILE);
        memory!("tileloadd tmm0, [{at} + {apart}*1]", start, 4 * apart);
        if N == 2 {
            memory!("tileloadd tmm1, [{at} + {apart}*1]", start.wrapping_add(right), 4 * apart);
        }
        if R == 2 {
            memory!("tileloadd tmm2, [{at} + {apart}*1]", start.wrapping_add(below * apart), 4 * apart);
        }
        if R == 2 && N == 2 {
            memory!("tileloadd tmm3, [{at} + {apart}*1]", start.wrapping_add(below * apart + right), 4 * apart);
        }
        match (R, N) {
            _ if panel.pairs == 0 => {}
            (1, 1) => for_each_step!(block, panel, 1,
                "tileloadd tmm6, [{b} + {line}*1]"
                "tileloadd tmm4, [{upper} + {row}*1]"
                "tdpbf16ps tmm0, tmm4, tmm6"
            ),
            (1, _) => for_each_step!(block, panel, 2,
                "tileloadd tmm6, [{b} + {line}*1]"
                "tileloadd tmm4, [{upper} + {row}*1]"
                "tdpbf16ps tmm0, tmm4, tmm6"
                "tileloadd tmm7, [{b} + {line}*1 + 64]"
                "tdpbf16ps tmm1, tmm4, tmm7"
            ),
            (_, 1) => for_each_step!(block, panel, 1,
                "tileloadd tmm6, [{b} + {line}*1]"
                "tileloadd tmm4, [{upper} + {row}*1]"
                "tdpbf16ps tmm0, tmm4, tmm6"
                "tileloadd tmm5, [{lower} + {row}*1]"
                "tdpbf16ps tmm2, tmm5, tmm6"
            ),
            _ => for_each_step!(block, panel, 2,
                "tileloadd tmm6, [{b} + {line}*1]"
                "tileloadd tmm4, [{upper} + {row}*1]"
                "tdpbf16ps tmm0, tmm4, tmm6"
                "tileloadd tmm7, [{b} + {line}*1 + 64]"
                "tdpbf16ps tmm1, tmm4, tmm7"
                "tileloadd tmm5, [{lower} + {row}*1]"
                "tdpbf16ps tmm2, tmm5, tmm6"
                "tdpbf16ps tmm3, tmm5, tmm7"
            ),
        }
        memory!("tilestored [{at} + {apart}*1], tmm0", to, 4 * stride);
        if N == 2 {
            memory!("tilestored [{at} + {apart}*1], tmm1", to.wrapping_add(right), 4 * stride);
        }
        if R == 2 {
            memory!("tilestored [{at} + {apart}*1], tmm2", to.wrapping_add(below * stride), 4 * stride);
        }
        if R == 2 && N == 2 {
            memory!("tilestored [{at} + {apart}*1], tmm3", to.wrapping_add(below * stride + right), 4 * stride);
        }
        panel.end(rows, places);
    }
}
