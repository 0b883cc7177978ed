//! The arrays of a saved state found again by their names.

use crate::error::{Error, Result};

/// For each array the number that it has in a saved state: where both have names the same name's, else its own.
pub fn places(saved: &[String], own: &[String]) -> Result<Vec<usize>> {
    let in_order = (0..own.len()).collect();
    if saved.len() != own.len() || saved == own || only_places(saved) || only_places(own) {
        return Ok(in_order);
    }
    let place = |name: &String| {
        let mut found = (0..).zip(saved).filter(|(_, known)| *known == name).map(|(place, _)| place);
        found.next().filter(|_| found.next().is_none() && own.iter().filter(|other| *other == name).count() == 1)
    };
    let places: Option<Vec<_>> = own.iter().map(place).collect();
    let list = |names: &[String]| names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
    places.ok_or_else(|| {
        Error::value("state_dict[\"names\"]", list(saved), format!("those of the arrays, {}", list(own)))
    })
}

/// Whether they say no more than where arrays are in sequences, as "0" and "1.0" do.
fn only_places(names: &[String]) -> bool {
    names.iter().all(|name| name.chars().all(|c| c.is_ascii_digit() || c == '.'))
}
