//! NumPy arrays as what the core works on: parameters bound once, gradients checked and seen anew at each step.
//!
//! Arrays are read through NumPy's own struct, so that a step over hundreds of small ones costs little more than its
//! arithmetic. All of the bridge's `unsafe` is here, but for the call in `optimizer/stepper.rs` that
//! vouches for a step's arrays.

mod bound;
mod check;
mod fields;
mod half;
pub mod lent;
pub mod new;
mod overlap;
mod param;
mod pins;
mod row_gradient;
mod row_pair;
mod views;
mod walk;

pub use bound::Arrays;
pub use check::{element, is_array};
pub use pins::Pins;
