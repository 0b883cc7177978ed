//! What the workers of a team tell each other.

use std::cell::UnsafeCell;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::buffer::with_capacity;
use crate::error::Result;
use crate::team::Worker;

/// Numbers that any worker may set and read; what was set before a meeting is read after it.
pub struct Figures(Vec<AtomicU64>);

impl Figures {
    /// So many zeros.
    pub fn zeros(len: usize) -> Result<Self> {
        let mut figures = with_capacity(len, "what is known of rows")?;
        figures.resize_with(len, || AtomicU64::new(0));
        Ok(Figures(figures))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Sets one of them.
    #[inline]
    pub fn set(&self, index: usize, value: f64) {
        self.0[index].store(value.to_bits(), Ordering::Relaxed);
    }

    /// Sets all to zero.
    pub fn clear(&self) {
        self.0.iter().for_each(|figure| figure.store(0, Ordering::Relaxed));
    }

    /// Sets consecutive ones.
    #[inline]
    pub fn set_all(&self, range: Range<usize>, values: &[f64]) {
        for (to, value) in self.0[range].iter().zip(values) {
            to.store(value.to_bits(), Ordering::Relaxed);
        }
    }

    /// One of them.
    #[inline]
    pub fn get(&self, index: usize) -> f64 {
        f64::from_bits(self.0[index].load(Ordering::Relaxed))
    }

    /// Their sum, in order.
    pub fn sum(&self) -> f64 {
        self.0.iter().map(|figure| f64::from_bits(figure.load(Ordering::Relaxed))).sum()
    }
}

/// Where something was found in a step, by any worker: the first tensor in which it was. What was marked before a meeting is read
/// after it.
#[derive(Default)]
pub struct Finding(AtomicU64);

impl Finding {
    /// The bits of a tensor's number, which is stored from the end: of several that are found, the first one stays.
    const TENSORS: u64 = (1 << 24) - 1;

    /// Found in a tensor, in the step of that number, from 1.
    pub fn mark(&self, step: u64, tensor: usize) {
        self.0.fetch_max(step << 24 | (Self::TENSORS - tensor as u64), Ordering::Relaxed);
    }

    /// The tensor where it was found in that step, the last one, if it was.
    pub fn of(&self, step: u64) -> Option<usize> {
        let found = self.0.load(Ordering::Relaxed);
        (found >> 24 == step).then_some((Self::TENSORS - (found & Self::TENSORS)) as usize)
    }
}

/// What one worker writes and all read, with a meeting in between.
pub struct Published<T>(UnsafeCell<T>);

// SAFETY: `Published` only lends what it holds through unsafe functions whose callers keep readers and writers apart.
unsafe impl<T: Send + Sync> Sync for Published<T> {}

impl<T> Published<T> {
    /// Nobody has read it yet.
    pub fn new(value: T) -> Self {
        Published(UnsafeCell::new(value))
    }

    /// To read.
    ///
    /// # Safety
    /// Until the team meets next nobody writes to it.
    #[inline]
    pub unsafe fn get<'b>(&'b self, _until_meeting: &'b Worker<'_>) -> &'b T {
        // SAFETY: the caller's promise.
        unsafe { &*self.0.get() }
    }

    /// To write.
    ///
    /// # Safety
    /// Until the team meets next nobody else reads or writes it.
    #[inline]
    #[expect(clippy::mut_from_ref, reason = "the caller vouches for being alone")]
    pub unsafe fn get_mut<'b>(&'b self, _until_meeting: &'b Worker<'_>) -> &'b mut T {
        // SAFETY: the caller's promise.
        unsafe { &mut *self.0.get() }
    }
}
