//! The multilayer perceptron and its trainer.

pub mod batch;
pub mod network;
pub mod params;
pub mod predict;
pub mod random;
#[cfg(test)]
mod tests;
pub mod trainer;

pub use network::Network;
pub use params::Shape;
