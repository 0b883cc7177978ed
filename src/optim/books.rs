//! What an optimizer counts and remembers besides its state arrays.

use super::slot::MAX_SLOTS;

/// How far an optimizer has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Steps taken, without the skipped ones.
    pub steps: u64,
    /// Steps left out because of NaN or infinity in a gradient.
    pub skipped: u64,
    /// Gradients gathered since the last step, where several are averaged.
    pub gathered: u64,
}

/// All that a step changes besides elements; the lists have an entry for each group.
#[derive(Default)]
pub(super) struct Books {
    pub counts: Counts,
    /// The numbers that the rule remembers.
    pub memory: Vec<Vec<f64>>,
    pub groups: Vec<GroupBooks>,
}

/// What is counted for each group.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct GroupBooks {
    /// The places of the state arrays that are yet to start as copies of the parameters: bit i for place i.
    pub starting: u32,
    /// Where slow parameters wait for another number of steps since the last one: how many the group had taken part in, and when the
    /// slow parameters had moved last.
    pub slow: Option<(u64, u64)>,
    pub progress: Progress,
}

/// How far a group has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Steps in which the group was frozen: its rule does not count them.
    pub frozen_steps: u64,
    /// The steps that the group had taken part in when each of its state arrays began, in the order of `Config::slots`.
    pub since: [u64; MAX_SLOTS],
}

impl Books {
    /// Before the first step.
    pub fn new(memory: Vec<Vec<f64>>) -> Self {
        Books { counts: Counts::default(), groups: vec![GroupBooks::default(); memory.len()], memory }
    }

    /// The steps that a group has taken part in.
    pub fn steps_of(&self, group: usize) -> u64 {
        self.counts.steps - self.groups[group].progress.frozen_steps
    }

    /// Becomes a copy of others with as many groups, and reuses its memory for it.
    pub fn copy_from(&mut self, other: &Books) {
        self.counts = other.counts;
        self.memory.clone_from(&other.memory);
        self.groups.clone_from(&other.groups);
    }
}
