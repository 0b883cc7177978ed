//! A worker's own memory for products.

use super::blocks::{MAX_DEPTH, MAX_TILE_BYTES, MAX_TILE_ROWS, MIN_DEPTH, MIN_ROWS, NARROW, PACKED_A_COLS, most_rows};
use super::factors::{Factors, Packs};
use crate::buffer::Buffer;
use crate::error::Result;
use crate::scalar::Scalar;

/// What products a scratch is for: their largest sizes, and what they multiply.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sizes {
    /// Rows of the output.
    pub rows: usize,
    /// Inner indices.
    pub depth: usize,
    /// Columns of the output.
    pub cols: usize,
    /// What each of them multiplies.
    pub factors: Factors,
}

/// A worker's own memory for what is packed.
pub struct Scratch<T> {
    /// A block of `a`.
    pub(super) block: Buffer<T>,
    /// Panels of `b`.
    pub(super) panels: Buffer<T>,
    /// Both, where factors are rounded: every product made with this is then one of such factors.
    pub(super) packs: Option<Packs>,
}

impl<T: Scalar> Scratch<T> {
    /// Enough for products of at most these sizes, at every level of instructions.
    pub fn new(Sizes { rows, depth, cols, factors }: Sizes) -> Result<Self> {
        factors.check::<T>()?;
        if factors == Factors::Bfloat16 {
            return Ok(Scratch { block: Buffer::default(), panels: Buffer::default(), packs: Some(Packs::new()?) });
        }
        let (size, deep) = (size_of::<T>(), depth.min(MAX_DEPTH));
        let panel = MAX_TILE_BYTES / size;
        let panels =
            if rows > MIN_ROWS { cols.next_multiple_of(panel) } else { panel.min(cols.next_multiple_of(panel)) };
        let narrow = depth.saturating_mul(NARROW);
        let block = match rows >= MAX_TILE_ROWS && cols >= PACKED_A_COLS {
            true => rows.next_multiple_of(MAX_TILE_ROWS).min(most_rows::<T>(MIN_DEPTH)).saturating_mul(deep),
            false => 0,
        };
        let what = "a product of matrices";
        Ok(Scratch {
            block: Buffer::zeroed(block, what)?,
            panels: Buffer::zeroed(panels.saturating_mul(deep).saturating_add(panel).max(narrow), what)?,
            packs: None,
        })
    }
}
