//! NumPy arrays as what the core works on: parameters bound once, gradients checked and seen anew at each step.
//!
//! Arrays are read through NumPy's own struct, so that a step over hundreds of small ones costs little more than its
//! arithmetic. All of the bridge's `unsafe` is here.

mod bound;
mod fields;
mod half;
mod rows;
mod walk;

pub use bound::{Arrays, element, is_array};
