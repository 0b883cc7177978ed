//! What becomes of single columns before the first layer: waves and what is made of them, piecewise linear functions, rows
//! of tables, factors.

mod bins;
mod combine;
mod lanes;
mod lookup;
mod piecewise;
mod scale;
mod waves;

pub use bins::Bins;
pub use combine::{AddBiases, AddCombined, Combine, CombineBack};
pub use lookup::{AddLookedUp, Lookup};
pub use piecewise::{AddPassed, Piecewise};
pub use scale::ScaleColumns;
pub use waves::{AddFrequencies, AddPhases, Waves};
