//! Training: epochs, steps, what is checked and when to stop.
//!
//! Every worker runs the same loop. In a step each takes some rows of the batch forward and back, then, after a meeting,
//! computes the gradient of some of the parameters over all rows and updates those. No gradient is ever summed across
//! workers, no element's additions depend on the partition: the bits are the same for any number of workers.

mod best;
mod epochs;
mod exchange;
mod fit;
mod leader;
mod options;
mod sequence;
mod shards;
mod step;
mod sums;
mod team_size;
#[cfg(test)]
mod tests;
mod told;
mod training;

pub use best::{Best, Criterion, Found, Patience, Selection};
pub use fit::{fit, fit_in_teams, team_size, workers};
pub use options::{Epoch, Monitor, Options, Position, StepRecord};
pub use sums::shard_sums;
pub use team_size::{KnownTeam, TeamSize};
