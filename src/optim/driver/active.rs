//! Which positions a step is about: those of the tensors that are not frozen.

use std::ops::Range;

use super::tensors::Gradients;
use crate::optim::optimizer::Optimizer;
use crate::scalar::Scalar;

/// The positions that are not frozen, as ranges in order; nearly always one range.
pub(super) struct Active {
    first: Range<usize>,
    rest: Vec<Range<usize>>,
    is_all: bool,
}

impl Active {
    /// The positions of the gradients of an optimizer's tensors that are not frozen.
    pub fn new<T: Scalar>(optimizer: &Optimizer<T>, grads: &impl Gradients<T>) -> Self {
        let offsets = grads.sparse().unwrap_or(optimizer.offsets());
        if !optimizer.has_frozen() {
            return Self::all(offsets[offsets.len() - 1]);
        }
        let mut ranges: Vec<Range<usize>> = vec![];
        for (tensor, bounds) in offsets.windows(2).enumerate() {
            if bounds[0] == bounds[1] || optimizer.is_frozen(tensor) {
                continue;
            }
            match ranges.last_mut() {
                Some(last) if last.end == bounds[0] => last.end = bounds[1],
                _ => ranges.push(bounds[0]..bounds[1]),
            }
        }
        let mut ranges = ranges.into_iter();
        Active { first: ranges.next().unwrap_or(0..0), rest: ranges.collect(), is_all: false }
    }

    /// All positions up to `len`.
    pub fn all(len: usize) -> Self {
        Active { first: 0..len, rest: vec![], is_all: true }
    }

    /// Whether nothing is frozen.
    pub fn is_all(&self) -> bool {
        self.is_all
    }

    /// The ranges.
    pub fn ranges(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        std::iter::once(&self.first).chain(&self.rest).cloned()
    }

    /// How many positions there are.
    pub fn count(&self) -> usize {
        self.ranges().map(|range| range.len()).sum()
    }

    /// One behind the last position.
    pub fn end(&self) -> usize {
        self.rest.last().unwrap_or(&self.first).end
    }

    /// The parts of a range that are active.
    pub fn within(&self, range: Range<usize>) -> impl Iterator<Item = Range<usize>> + '_ {
        let first = self.first.start.max(range.start)..self.first.end.min(range.end);
        let from = self.rest.partition_point(|active| active.end <= range.start);
        let rest = self.rest[from..].iter().take_while(move |active| active.start < range.end);
        let rest = rest.map(move |active| active.start.max(range.start)..active.end.min(range.end));
        std::iter::once(first).filter(|first| first.start < first.end).chain(rest)
    }
}
