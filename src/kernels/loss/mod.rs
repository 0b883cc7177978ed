//! The losses of a network, each beside its gradient, from the last layer's preactivations z ("logits").
//!
//! Each loss has its own link: what turns z into a prediction (softmax, sigmoid, exp or nothing). Loss and gradient
//! are taken through the link, so they are exact and finite for any z. A row's result depends on nothing but the row.
//!
//! A new loss is a `elementwise::Term` in `terms` and a row of the table in `registry`.

mod elementwise;
mod errors;
mod info;
mod link;
mod registry;
mod rows;
mod softmax;
mod terms;
#[cfg(test)]
mod tests;

pub use info::{LossInfo, LossParameter, Reduction, TargetKind};
pub use link::Link;
pub use registry::Loss;
pub use rows::{LossRows, Targets};
