//! Elementary functions of one number, written so that a plain loop over them is vectorised: no branches, no tables,
//! only arithmetic, comparisons that choose, and one shift. An element gets the same bits in a vector and alone.
//!
//! All rest on e^x = 2^n (1 + p), with n the integer nearest x / ln 2 and p = e^r - 1 a polynomial in the remainder r,
//! which is computed in two steps (W. J. Cody and W. Waite, Software Manual for the Elementary Functions, 1980).
//! Coefficients are minimax fits, made by `math/minimax.py`. docs/kernels.md has the error bounds.
//!
//! `T` is the type that is computed in, `P` the one whose precision the result needs.

mod exponential;
mod sigmoids;
#[cfg(test)]
mod tests;
mod turns;
mod wide;

pub use exponential::{choose, exp, exp_m1_nonpositive, exp_nonpositive};
pub use sigmoids::{sigmoid, silu, silu_slope, tanh};
pub use turns::cos_sin_of_turns;
pub use wide::{gelu, gelu_slope, ln_cosh, mish, mish_slope, softplus, softplus_of_minus_abs};
