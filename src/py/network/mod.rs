//! The network: NumPy arrays in, training with the GIL released, NumPy arrays out.

mod best;
mod borrow;
mod class;
mod data;
mod embeddings;
mod fit;
mod inputs;
mod keywords;
mod peers;
mod spec;
mod tensor;
mod vector;
mod watch;

pub use class::register;
