//! Pure functions on slices and views.

pub mod matmul;
