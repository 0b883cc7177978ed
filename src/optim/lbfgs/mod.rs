//! Limited-memory BFGS with a strong Wolfe line search.
//!
//! Nocedal, Updating quasi-Newton matrices with limited storage (1980); Nocedal and Wright, Numerical optimization (2006),
//! algorithms 3.5, 3.6, 7.4 and 7.5.

mod history;
mod settings;
mod solver;
#[cfg(test)]
mod tests;
mod wolfe;

pub use settings::Settings;
pub use solver::{Lbfgs, Progress, Reason, State};
pub use wolfe::Wolfe;
