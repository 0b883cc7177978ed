//! Optimizers: rules, what can surround any rule, learning-rate schedules.
//!
//! A rule is one file: its class as data ([`options::Spec`]), its maths ([`rule::Rule`]) and its citation; one line in
//! [`rule`] registers it. [`Config`] is a recipe, [`Optimizer`] a recipe at work on tensors, [`Step`] the scalars of one
//! step together with the fused update of a run of elements.

mod adagrad;
mod adam;
mod config;
pub mod driver;
pub mod ewa;
mod figure;
pub mod lbfgs;
mod optimizer;
pub mod options;
mod rmsprop;
pub mod rule;
pub mod schedule;
mod sgd;
mod slices;
mod step;
#[cfg(test)]
mod tests;
pub mod wolfe;

pub use config::Config;
pub use optimizer::Optimizer;
pub use slices::Slices;
pub use step::Step;
