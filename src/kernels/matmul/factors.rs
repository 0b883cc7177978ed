//! What products multiply, and the memory for factors that are rounded first.

use crate::buffer::Buffer;
use crate::caches::Caches;
use crate::error::{Error, Result};
use crate::scalar::Scalar;
use crate::simd;

/// What the factors of products are before they are multiplied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Factors {
    /// As they are.
    #[default]
    Exact,
    /// Rounded to bfloat16; of single precision.
    Bfloat16,
}

impl Factors {
    /// Their names: what users call the precision of products.
    pub const NAMES: [(&str, Factors); 3] =
        [("float32", Factors::Exact), ("float64", Factors::Exact), ("bfloat16", Factors::Bfloat16)];

    /// Those of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, factors)| *factors)
    }

    /// Refuses what numbers of that type, or this machine, cannot do.
    pub fn check<T: Scalar>(self) -> Result<()> {
        match self {
            Factors::Exact => Ok(()),
            Factors::Bfloat16 if T::SIGNIFICAND_BITS != f32::SIGNIFICAND_BITS => {
                Err(Error::value("precision", "\"bfloat16\"", format!("None or {:?} with dtype {0}", T::NAME)))
            }
            Factors::Bfloat16 if !simd::has_bfloat16() => {
                let expected = format!(
                    "None or \"float32\" on a machine with {}: products of bfloat16 need AVX-512 (F, BW, DQ, VL) and AVX512_BF16",
                    simd::description()
                );
                Err(Error::value("precision", "\"bfloat16\"", expected))
            }
            Factors::Bfloat16 => Ok(()),
        }
    }

    /// The largest magnitude that a factor may get, of one that is not larger than `bound`.
    pub fn bound(self, bound: f64) -> f64 {
        /// The largest finite bfloat16.
        const MOST: f64 = 255.0 * (1u128 << 120) as f64;
        match self {
            Factors::Exact => bound,
            Factors::Bfloat16 => match bound * (1.0 + 1.0 / 256.0) {
                rounded if rounded <= MOST => rounded,
                _ => f64::INFINITY,
            },
        }
    }
}

/// Bytes of a pair of bfloat16.
const PAIR: usize = 4;
/// Columns of a panel of `b`.
pub const PANEL_COLS: usize = 32;
/// Columns of a panel that lie side by side in any case; the most pairs of inner indices by which a panel is filled up, too.
const LINE: usize = 16;
/// The most rows of a tile.
const TILE_ROWS: usize = 32;

/// A worker's own memory for packed operands of rounded factors, for products of all shapes.
#[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "no kernel uses it"))]
pub struct Packs {
    /// A block of `a`: pairs in the bits of a number each.
    pub(super) block: Buffer<f32>,
    /// A panel of `b`.
    pub(super) panel: Buffer<f32>,
    /// A tile on its way to an output whose rows do not lie side by side, or that has no room for all of it.
    pub(super) spare: Buffer<f32>,
    /// The most pairs of inner indices that a panel has.
    pub(super) pairs: usize,
}

impl Packs {
    /// A panel takes most of the first-level cache, a block half of the second one: panels are packed for each block.
    pub fn new() -> Result<Self> {
        let Caches { first, second } = Caches::here();
        let pairs = (first / 16 * 15 / (PANEL_COLS * PAIR)).clamp(64, 512);
        let zeroed = |len| Buffer::zeroed(len, "a product of matrices");
        let (block, panel) = (zeroed(second / 2 / PAIR)?, zeroed((pairs + LINE) * PANEL_COLS)?);
        Ok(Packs { block, panel, spare: zeroed(TILE_ROWS * PANEL_COLS)?, pairs })
    }
}
