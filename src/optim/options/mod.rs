//! The options of a rule as data: names, kinds, ranges and each convention's defaults.
//!
//! A rule's file declares one [`Spec`]. Construction, validation, the Python class, its signature and its documentation
//! are all made from it.

mod choices;
mod common;
mod meant;
mod ranges;
mod schema;
mod values;

pub(super) use choices::choice;
pub use choices::{Choice, Decay, DecayWhere, EmaStart, NonFinite};
pub use common::{LIBRARY_DECAY, NO_DECAY};
pub use meant::hint;
pub use ranges::{ABOVE_ONE, COUNT, DECAY_RATE, INSIDE_UNIT, NON_NEGATIVE, POSITIVE, Pair, Range, UNIT};
pub use schema::{Convention, Kind, Opt, Spec, Value, one_of};
pub use values::Options;
