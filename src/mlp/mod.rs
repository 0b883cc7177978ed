//! The multilayer perceptron and its trainer.

pub mod agreement;
mod architecture;
pub mod claims;
pub mod cuts;
pub mod data;
pub mod embeddings;
pub mod figures;
pub mod layers;
pub mod memory;
pub mod network;
pub mod objective;
pub mod peers;
pub mod phases;
pub mod plan;
pub mod predict;
pub mod random;
pub mod shards;
pub mod slots;
pub mod stages;
pub mod tensors;
#[cfg(test)]
mod tests;
pub mod trainer;

pub use architecture::Architecture;
pub use network::Network;
