//! Pure functions on slices and views.

pub mod activation;
pub mod blend;
pub mod embedding;
pub mod loss;
pub mod math;
pub mod matmul;
pub mod norm;
pub mod onnx;
pub mod sparse;
pub mod sums;
