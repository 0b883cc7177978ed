//! Parameters and gradients as plain slices.

use std::ops::Range;

use super::driver::{Gradients, Tensors};
use crate::scalar::Scalar;

/// Tensors for `driver::step` that are slices: one pair of parameters and gradients for each.
pub struct Slices<'a, T> {
    runs: Vec<SliceRun<'a, T>>,
    /// What errors call a tensor.
    names: Option<&'a Names<'a>>,
}

type Names<'a> = dyn Fn(usize) -> String + Send + Sync + 'a;

struct SliceRun<'a, T> {
    tensor: usize,
    position: usize,
    params: &'a mut [T],
    grads: &'a [T],
}

impl<'a, T: Scalar> Slices<'a, T> {
    /// The tensors in order; a gradient is as long as its parameters.
    pub fn new(tensors: impl IntoIterator<Item = (&'a mut [T], &'a [T])>) -> Self {
        let mut position = 0;
        let runs = tensors.into_iter().enumerate().map(|(tensor, (params, grads))| {
            assert_eq!(params.len(), grads.len(), "a gradient is as long as its parameters");
            position += params.len();
            SliceRun { tensor, position: position - params.len(), params, grads }
        });
        Slices { runs: runs.collect(), names: None }
    }

    /// The same, with names for errors.
    pub fn named(self, names: &'a Names<'a>) -> Self {
        Slices { names: Some(names), ..self }
    }
}

impl<T: Scalar> Tensors<T> for Slices<'_, T> {
    fn split_at(self, position: usize) -> (Self, Self) {
        let (mut left, mut right) = (vec![], vec![]);
        for SliceRun { tensor, position: start, params, grads } in self.runs {
            let cut = position.saturating_sub(start).min(params.len());
            let (params, later_params) = params.split_at_mut(cut);
            let (grads, later_grads) = grads.split_at(cut);
            left.push(SliceRun { tensor, position: start, params, grads });
            right.push(SliceRun { tensor, position: start + cut, params: later_params, grads: later_grads });
        }
        (Slices { runs: left, names: self.names }, Slices { runs: right, names: self.names })
    }

    fn for_each(&mut self, mut visit: impl FnMut(usize, usize, &mut [T], &[T])) {
        for run in self.runs.iter_mut().filter(|run| !run.params.is_empty()) {
            visit(run.tensor, run.position, run.params, run.grads);
        }
    }
}

impl<T: Scalar> Gradients<T> for Slices<'_, T> {
    fn for_each_gradient(&self, range: Range<usize>, mut visit: impl FnMut(usize, &[T])) {
        for run in &self.runs {
            let start = range.start.saturating_sub(run.position).min(run.grads.len());
            let end = range.end.saturating_sub(run.position).min(run.grads.len());
            if start < end {
                visit(run.tensor, &run.grads[start..end]);
            }
        }
    }

    fn gradient_name(&self, tensor: usize) -> String {
        self.names.map_or_else(|| format!("gradient {tensor}"), |names| format!("the gradient of {}", names(tensor)))
    }

    fn param_name(&self, tensor: usize) -> String {
        self.names.map_or_else(|| format!("parameter {tensor}"), |names| names(tensor))
    }
}
