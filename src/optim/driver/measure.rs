//! The first pass of a rule that needs sums.

use super::norms::SUM_BLOCK;
use super::part::Part;
use super::tensors::Tensors;
use crate::optim::optimizer::Optimizer;
use crate::optim::rule::SumScope;
use crate::optim::run::RuleSums;
use crate::optim::slot::MAX_SLOTS;
use crate::optim::step::Step;
use crate::scalar::Scalar;

/// The sums of each tensor or group, on one thread.
pub(super) fn measure<T: Scalar, W: Tensors<T>>(
    optimizer: &Optimizer<T>,
    parts: &mut [Part<'_, T, W>],
    step: &Step<T>,
) -> Vec<[f64; 2]> {
    let mut sums = Sums::new(optimizer, step);
    for part in parts {
        part.for_each(|tensor, place, params, grads, slots| sums.add((tensor, place), params, grads, slots));
    }
    sums.finish()
}

/// A run of one tensor: its number, and where the run is in the flat vector.
type At = (usize, usize);

/// The sums that are being made.
pub(super) struct Sums<'a, T: Scalar> {
    optimizer: &'a Optimizer<T>,
    step: &'a Step<T>,
    sums: BlockSums,
}

impl<'a, T: Scalar> Sums<'a, T> {
    /// Of nothing yet.
    pub fn new(optimizer: &'a Optimizer<T>, step: &'a Step<T>) -> Self {
        let per_tensor = step.sum_scope() == SumScope::Tensor;
        let count = if per_tensor { optimizer.tensors() } else { optimizer.groups().len() };
        Sums { optimizer, step, sums: BlockSums { totals: vec![[0.0; 2]; count], open: None } }
    }

    /// Updates the state of a run and adds what the rule wants to know of it.
    pub fn add(&mut self, (tensor, place): At, params: &mut [T], grads: &[T], slots: &mut [&mut [T]]) {
        let (key, origin) = match self.step.sum_scope() {
            SumScope::Tensor => (tensor, self.optimizer.range(tensor).start),
            _ => (self.optimizer.group_of(tensor), 0),
        };
        let mut done = 0;
        while done < params.len() {
            let at = place + done - origin;
            let range = done..params.len().min(done + SUM_BLOCK - at % SUM_BLOCK);
            let (count, mut run): (_, [&mut [T]; MAX_SLOTS]) = (slots.len(), Default::default());
            for (to, from) in run.iter_mut().zip(slots.iter_mut()) {
                *to = &mut from[range.clone()];
            }
            done = range.end;
            let (params, grads) = (&mut params[range.clone()], &grads[range]);
            self.step.measure(tensor, params, grads, &mut run[..count], self.sums.at(key, at));
        }
    }

    /// All of them.
    pub fn finish(self) -> Vec<[f64; 2]> {
        self.sums.finish()
    }
}

/// The sums of blocks of positions are added in order, so that runs do not decide what is summed together.
struct BlockSums {
    totals: Vec<[f64; 2]>,
    open: Option<Block>,
}

struct Block {
    /// The tensor or the group.
    key: usize,
    number: usize,
    sums: RuleSums,
}

impl BlockSums {
    /// The sums of the block that a position is in.
    fn at(&mut self, key: usize, position: usize) -> &mut RuleSums {
        let number = position / SUM_BLOCK;
        if self.open.as_ref().is_some_and(|open| (open.key, open.number) != (key, number)) {
            self.close();
        }
        let open = self.open.get_or_insert_with(|| Block { key, number, sums: RuleSums::at(position) });
        &mut open.sums
    }

    fn close(&mut self) {
        if let Some(Block { key, sums, .. }) = self.open.take() {
            let [a, b] = sums.total();
            self.totals[key][0] += a;
            self.totals[key][1] += b;
        }
    }

    fn finish(mut self) -> Vec<[f64; 2]> {
        self.close();
        self.totals
    }
}
