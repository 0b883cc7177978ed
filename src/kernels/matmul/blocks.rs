//! How a product is cut into blocks: what is used again lies close to the core.

use crate::caches::Caches;
use crate::scalar::Scalar;
use crate::simd::{Isa, Vector};

/// Registers across a tile.
pub const WIDE: usize = 2;
/// The tallest tile of any instruction set.
pub const MAX_TILE_ROWS: usize = 12;
/// The most bytes that a tile of any instruction set has, across.
pub const MAX_TILE_BYTES: usize = 128;

/// With at most this many columns in `b` (and plain rows in `a`), a lane per column would leave most lanes idle. There, an
/// element is the sum of [`CHAINS`] interleaved chains instead, for every number of rows.
pub const NARROW: usize = 4;
/// The interleaved chains of a narrow product: term p belongs to chain p mod 16.
pub const CHAINS: usize = 16;

/// The fewest and the most inner indices of a full block.
pub const MIN_DEPTH: usize = 320;
pub const MAX_DEPTH: usize = 480;
/// The fewest rows of a full block.
pub const MIN_ROWS: usize = 4 * MAX_TILE_ROWS;

/// From so many rows on `b` is packed: each of its numbers is then used often enough.
const PACKED_B_ROWS: usize = 24;
/// From so many columns on a transposed `a` is packed, and one that lies by rows from four times as many on.
pub const PACKED_A_COLS: usize = 128;

/// The blocks of one product, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blocks {
    /// Rows of `a` in a block.
    pub rows: usize,
    /// Inner indices in a block.
    pub depth: usize,
    /// Whether blocks of `a` are packed.
    pub packs_a: bool,
    /// Whether panels of `b` are packed even where they need not be padded or transposed.
    pub packs_b: bool,
    /// Whether `b` is so large that its panels are called to the caches before they are packed.
    pub calls_b: bool,
}

impl Blocks {
    /// For a product of these sizes, whose first operand has its rows side by side or not.
    pub fn of<T: Scalar, I: Isa>((rows, depth, cols): (usize, usize, usize), a_by_rows: bool) -> Self {
        // The rows of a transposed one are pages apart; others are read where they are, unless they are many and used often.
        let packs_a = rows >= MAX_TILE_ROWS
            && match a_by_rows {
                true => cols >= 4 * PACKED_A_COLS && rows * depth * size_of::<T>() >= Caches::here().second / 8,
                false => cols >= PACKED_A_COLS,
            };
        // A small one is never far: half of the first cache holds it, and its rows do not drive each other out.
        let packs_b = rows >= PACKED_B_ROWS && depth * cols * size_of::<T>() > Caches::here().first / 2;
        let calls_b = packs_b && depth * cols * size_of::<T>() > Caches::here().second;
        if depth <= MIN_DEPTH && !packs_a {
            return Blocks { rows: rows.max(1), depth: depth.max(1), packs_a, packs_b, calls_b };
        }
        let panel = WIDE * T::Vector::<I>::LANES;
        // A panel of `b` stays in the first cache while the tiles of a block of `a` pass, which stays in the second. Where a
        // panel of some depth does not fit, it comes from the second, too, and the fewer visits to the output the better.
        let fits = Caches::here().first * 7 / 8 / (panel * size_of::<T>()) / 8 * 8;
        let deep = if fits < MIN_DEPTH { MAX_DEPTH } else { fits.min(MAX_DEPTH) };
        Blocks {
            rows: if packs_a { even(rows, most_rows::<T>(deep)).next_multiple_of(MAX_TILE_ROWS) } else { rows.max(1) },
            depth: even(depth, deep),
            packs_a,
            packs_b,
            calls_b,
        }
    }
}

/// The most rows of a block of `a` of that depth: it takes a quarter of the second-level cache.
pub fn most_rows<T>(depth: usize) -> usize {
    (Caches::here().second / 4 / (depth * size_of::<T>()) / MAX_TILE_ROWS * MAX_TILE_ROWS).max(MIN_ROWS)
}

/// The length of parts of at most `most` that are all about as long.
pub fn even(len: usize, most: usize) -> usize {
    if len <= most { len.max(1) } else { len.div_ceil(len.div_ceil(most)) }
}
