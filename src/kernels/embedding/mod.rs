//! What becomes of single columns before the first layer: waves and what is made of them, rows of tables, factors.

mod combine;
mod lanes;
mod lookup;
mod scale;
mod waves;

pub use combine::{AddBiases, AddCombined, Combine, CombineBack};
pub use lookup::{AddLookedUp, Lookup};
pub use scale::ScaleColumns;
pub use waves::{AddFrequencies, AddPhases, Waves};
