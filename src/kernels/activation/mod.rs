//! The activations of a layer, each beside its derivative.
//!
//! A new one is a `info::Function` in `functions` and its name in `registry`.

mod functions;
mod info;
mod registry;
#[cfg(test)]
mod tests;

pub use info::{ActivationInfo, Init};
pub use registry::Activation;
