//! Products with a matrix of which only the elements that are not zero are stored: compressed sparse rows (CSR).
//!
//! An element is the chain of fused multiply-adds of [`super::matmul`] without the terms that are zero, hence the same
//! number, bit for bit, as long as the other factor is finite.

mod csr;
mod products;
#[cfg(test)]
mod tests;

pub use csr::{Csr, Indices};
pub use products::{AddTransposed, Product};
