//! One whole step over tensors that lie apart: what must be known of all gradients, then the fused update, on one thread or
//! several.

mod accumulate;
mod active;
mod begin;
mod measure;
mod norms;
mod parallel;
mod part;
mod rehearse;
mod step;
mod tensors;
mod update;

pub use step::{step, step_at};
pub use tensors::{Gradients, Tensors};
