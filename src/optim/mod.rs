//! Optimizers: rules, what can surround any rule, learning-rate schedules.
//!
//! A rule is one file of `rules/`: its class as data ([`options::Spec`]), its maths ([`rule::Rule`]) and its citation; one line
//! in [`registry`] registers it. [`Config`] is a recipe, [`Optimizer`] a recipe at work on tensors, [`Step`] the scalars of one
//! step together with the fused update of a run of elements, and [`driver`] makes a whole step.

mod averages;
mod begun;
mod books;
mod calm;
mod config;
mod curve;
mod cycle;
pub mod driver;
pub mod ewa;
mod fused_update;
mod group_step;
mod layout;
pub mod lbfgs;
mod live;
mod optimizer;
pub mod options;
pub mod plateau;
pub mod registry;
mod rehearsal;
pub mod rule;
mod rules;
mod run;
mod scale;
pub mod schedule;
mod slices;
mod slot;
mod step;
mod surroundings;
#[cfg(test)]
mod tests;

pub use books::{Counts, Progress};
pub use calm::{Care, Peaks};
pub use config::{Config, WEIGHT_DECAY};
pub use curve::Curve;
pub use optimizer::{Optimizer, Rates};
pub use slices::Slices;
pub use slot::MAX_SLOTS;
pub use step::Step;
