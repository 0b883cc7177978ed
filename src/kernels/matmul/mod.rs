//! Matrix products whose bits do not depend on how the work is cut.
//!
//! Element (i, j) of `a · b` is one chain of fused multiply-adds over the inner index in increasing order, begun at the
//! initial value: `(((init + a[i,0]·b[0,j]) + a[i,1]·b[1,j]) + …)`. Neither tiles nor blocks nor edges change that
//! order, so any split of rows or columns over any number of threads gives the same bits, and so do AVX2, AVX-512 and
//! NEON. (The portable level rounds twice per term; its bits are its own.) The one exception is [`NARROW`].
//!
//! This is why the product is written here instead of taken from a library: theirs choose blocks, kernels and the order
//! of additions by the shape of each call. `benches/peers` measures it against `faer` and `gemm`.

mod bfloat16;
mod blocks;
mod factors;
mod narrow;
mod operand;
mod pack;
mod product;
mod scratch;
mod strips;
#[cfg(test)]
pub(super) mod tests;
mod tiled;
mod tiles;
mod turned;

pub use blocks::{CHAINS, MAX_TILE_ROWS, NARROW};
pub use factors::Factors;
pub(super) use narrow::add_in_pairs;
pub use product::{Init, matmul, matmul_unless, transposed_unless};
pub use scratch::{Scratch, Sizes};
