//! What each layer makes of rows: every preactivation and every activation, as predictions compute them.

use std::ops::Range;

use super::claims::MyRows;
use super::data::Inputs;
use super::network::Network;
use super::predict::{Predictor, in_parallel, parts, workers};
use super::slots::Slot;
use super::stages::{Activate, Dense, Norm, Parametric, Stage};
use crate::error::Result;
use crate::interrupt::Interrupt;
use crate::scalar::Scalar;

/// Where in a row of results those of each stage go: for each layer its preactivations, behind the norm if it has one, then its
/// activations. The last layer's are the outputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    /// For each stage the matrices to copy, and where to.
    stages: Vec<Vec<(Slot, Range<usize>)>>,
    outputs: Range<usize>,
}

impl Columns {
    /// Those of a network.
    pub fn new(network: &Network) -> Self {
        let plan = &network.prediction;
        let mut end = 0;
        let mut place = |slot: Slot| {
            let start = end;
            end += plan.matrices.all[slot].cols;
            (slot, start..end)
        };
        let places = |(number, stage): (usize, &Stage)| match (stage, plan.stages.get(number + 1)) {
            (Stage::Dense(_), Some(Stage::Norm(_))) | (Stage::Dropout(_), _) => vec![],
            // They are no layers.
            (
                Stage::Waves(_)
                | Stage::Combine(_)
                | Stage::Piecewise(_)
                | Stage::Lookup(_)
                | Stage::Plain(_)
                | Stage::Scale(_),
                _,
            ) => vec![],
            // Twice, once to become the outputs.
            (Stage::Dense(last), None) => vec![place(last.output), place(last.output)],
            (Stage::Dense(Dense { output, .. }), _)
            | (Stage::Norm(Norm { output, .. }), _)
            | (Stage::Activate(Activate { output, .. }) | Stage::Parametric(Parametric { output, .. }), _) => {
                vec![place(*output)]
            }
        };
        let stages: Vec<_> = plan.stages.iter().enumerate().map(places).collect();
        let (_, outputs) = stages.last().and_then(|places| places.last()).expect("a last layer").clone();
        Columns { stages, outputs }
    }

    /// Numbers of a row of results.
    pub fn width(&self) -> usize {
        self.outputs.end
    }
}

impl<T: Scalar> Predictor<'_, T> {
    /// All results of some rows of `x`, to `out`.
    fn layers(&mut self, columns: &Columns, params: &[T], x: Inputs<'_, T>, rows: Range<usize>, out: &mut [T]) {
        let (loss, first, width) = (self.network().loss, rows.start, columns.width());
        let keep = |stage: usize, block: &Range<usize>, claim: &MyRows<'_, '_, T>| {
            let out = &mut out[(block.start - first) * width..(block.end - first) * width];
            for (slot, cols) in &columns.stages[stage] {
                let from = claim.flat(*slot).chunks_exact(claim.stride(*slot));
                for (to, from) in out.chunks_exact_mut(width).zip(from) {
                    to[cols.clone()].copy_from_slice(&from[..cols.len()]);
                }
            }
        };
        self.run(params, x, rows, keep, |_, _, _, _| ());
        let outputs = &columns.outputs;
        loss.link_in_place(&mut out[outputs.start..], outputs.len(), width);
    }
}

/// All results of the rows of `x`. Where it is interrupted, some of them are missing.
pub fn layers<T: Scalar>(
    network: &Network,
    params: &[T],
    x: Inputs<'_, T>,
    out: &mut [T],
    threads: Option<usize>,
    interrupt: &Interrupt,
) -> Result<()> {
    let columns = Columns::new(network);
    let workers = workers(network, x.nrows(), threads);
    let parts = parts(network, x.nrows(), workers, columns.width(), out);
    in_parallel(network, parts, workers, interrupt, |predictor, (rows, out)| {
        predictor.layers(&columns, params, x, rows, out);
    })
}
