//! Optimizers: rules, what can surround any rule, learning-rate schedules.
//!
//! A rule is one file: its class as data ([`options::Spec`]), its maths ([`rule::Rule`]) and its citation; one line in
//! [`rule`] registers it. [`Config`] is a recipe, [`Optimizer`] a recipe at work on tensors, [`Step`] the scalars of one
//! step together with the fused update of a run of elements.

mod adabelief;
mod adadelta;
mod adagrad;
mod adam;
mod adamax;
mod adan;
mod config;
pub mod driver;
pub mod ewa;
mod figure;
mod lamb;
pub mod lbfgs;
mod lion;
mod nadam;
mod optimizer;
pub mod options;
pub mod plateau;
mod prodigy;
mod radam;
mod rmsprop;
mod rprop;
pub mod rule;
pub mod schedule;
mod schedule_free;
mod sgd;
mod slices;
mod step;
#[cfg(test)]
mod tests;
pub mod wolfe;
mod yogi;

pub use config::Config;
pub use optimizer::{Counts, Optimizer};
pub use slices::Slices;
pub use step::Step;
