//! Reductions of many numbers to one. Each has many chains of additions at once, in an order that depends on nothing but the
//! shape, or on nothing but positions, so that the same numbers have the same sum on every machine and thread count.

mod dot;
mod finite;
mod positional;

pub use dot::{RowSquares, dot};
pub use finite::{AllFinite, Squares, largest};
pub use positional::PositionalSums;
