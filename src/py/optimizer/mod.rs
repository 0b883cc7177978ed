//! The class behind every optimizer.
//!
//! [`recipe`] is what it is made with, [`plan`] what it is to be bound to, [`binding`] the two at work, one [`stepper`] for each
//! precision; [`class`] is its face in Python.

mod binding;
mod class;
mod decay_mask;
mod given;
mod names;
mod object;
mod param_group;
mod pickle;
mod plan;
mod recipe;
mod references;
mod saved;
mod selector;
mod state;
mod stepper;
mod stepper_state;
mod stepping;
mod value;

pub use object::{PyOptimizer, writing};
pub use param_group::ParamGroup;
