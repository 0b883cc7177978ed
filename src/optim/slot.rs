//! State arrays: what a rule, and what surrounds it, keep for every parameter.

use std::ops::Range;

/// The most state arrays that one optimizer may have.
pub const MAX_SLOTS: usize = 8;

/// One state array: as long as the parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slot {
    /// Its name in `state_dict`.
    pub name: &'static str,
    /// Its value before the first step.
    pub initial: Initial,
    /// Whether no number in it is ever negative.
    pub not_negative: bool,
}

/// What a state array starts as.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Initial {
    /// The same number everywhere.
    Value(f64),
    /// A copy of the parameters.
    Params,
}

impl Slot {
    /// A state array that starts as zeros.
    pub const fn zeros(name: &'static str) -> Slot {
        Slot::filled(name, 0.0)
    }

    /// A state array that starts as a number everywhere.
    pub const fn filled(name: &'static str, value: f64) -> Slot {
        Slot { name, initial: Initial::Value(value), not_negative: false }
    }

    /// The same, of squares or magnitudes.
    pub const fn not_negative(self) -> Slot {
        Slot { not_negative: true, ..self }
    }

    /// A state array that starts as a copy of the parameters.
    pub const fn params(name: &'static str) -> Slot {
        Slot { initial: Initial::Params, ..Slot::zeros(name) }
    }
}

/// For each state array of the optimizer, its place among those of a group, or [`SlotMap::UNUSED`].
#[derive(Debug, Clone, Copy)]
pub(super) struct SlotMap {
    pub places: [u8; MAX_SLOTS],
    /// How many of them the rule has; the others are for what surrounds it.
    pub of_rule: usize,
}

impl SlotMap {
    pub const UNUSED: u8 = u8::MAX;
    pub const EMPTY: SlotMap = SlotMap { places: [SlotMap::UNUSED; MAX_SLOTS], of_rule: 0 };

    /// Forgets one of the optimizer's state arrays; those behind it move up.
    pub fn remove(&mut self, position: usize) {
        self.places.copy_within(position + 1.., position);
        self.places[MAX_SLOTS - 1] = SlotMap::UNUSED;
    }

    /// Puts a range of each of the optimizer's state arrays where the group has it.
    #[inline(always)]
    pub fn place<'a, T>(&self, slots: &'a mut [&mut [T]], range: Range<usize>, own: &mut [&'a mut [T]; MAX_SLOTS]) {
        let places = self.places.iter().zip(slots.iter_mut());
        for (&place, slot) in places.filter(|(place, _)| **place != SlotMap::UNUSED) {
            own[place as usize] = &mut slot[range.clone()];
        }
    }
}
