//! Where tensors are in the flat vector that an optimizer sees, and what is said of each.

use std::ops::Range;
use std::sync::Arc;

/// The tensors of an optimizer, one after the other.
pub(super) struct Layout {
    /// Where each tensor begins in the flat vector, then its length.
    pub offsets: Vec<usize>,
    /// The group of each tensor, where there are several groups.
    pub group_of: Option<Arc<[usize]>>,
    /// Which tensors decay in groups where not all do; all of them where that is not known.
    pub selected: Option<Arc<[bool]>>,
}

impl Layout {
    pub fn new(sizes: &[usize], groups: usize, group_of: &[usize]) -> Self {
        let mut offsets = vec![0];
        for size in sizes {
            offsets.push(offsets[offsets.len() - 1] + size);
        }
        Layout { offsets, group_of: (groups > 1).then(|| group_of.into()), selected: None }
    }

    /// Number of elements of all tensors.
    pub fn len(&self) -> usize {
        self.offsets[self.offsets.len() - 1]
    }

    /// Number of tensors.
    pub fn tensors(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Where a tensor's elements are in the flat vector.
    pub fn range(&self, tensor: usize) -> Range<usize> {
        self.offsets[tensor]..self.offsets[tensor + 1]
    }

    /// The group that a tensor belongs to.
    #[inline]
    pub fn group_of(&self, tensor: usize) -> usize {
        self.group_of.as_ref().map_or(0, |groups| groups[tensor])
    }

    /// Where the tensors of a group are in the flat vector.
    pub fn ranges_of(&self, group: usize) -> impl Iterator<Item = Range<usize>> + '_ {
        (0..self.tensors()).filter(move |&tensor| self.group_of(tensor) == group).map(|tensor| self.range(tensor))
    }
}
