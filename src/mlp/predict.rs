//! Predictions and losses of many rows, block by block. A row's result depends on that row alone.

use std::ops::Range;

use super::data::{Data, Inputs};
use super::memory::{Batch, Workspace};
use super::network::Network;
use super::stages::Pass;
use crate::buffer::filled;
use crate::cores::cores;
use crate::error::Result;
use crate::kernels::loss::LossRows;
use crate::kernels::matmul::Scratch;
use crate::pool;
use crate::scalar::Scalar;
use crate::share::share;

/// Rows that pass through the layers together: the activations of a block stay in cache.
const BLOCK_ROWS: usize = 96;
/// Rows that go to one worker together.
pub const GRAIN: usize = 8;
/// Floating-point operations that pay for waking one more worker.
const FLOPS_PER_WORKER: f64 = 2e6;

/// One worker's memory.
pub struct Memory<T> {
    batch: Workspace<T>,
    scratch: Scratch<T>,
}

impl<T: Scalar> Memory<T> {
    /// For blocks of up to `rows` rows.
    pub fn new(network: &Network, rows: usize) -> Result<Self> {
        let batch = Workspace::for_prediction(&network.prediction.matrices, rows.min(BLOCK_ROWS))?;
        Ok(Memory { batch, scratch: Scratch::new(network.max_terms())? })
    }
}

/// Takes rows forward, block by block.
pub struct Predictor<'a, T> {
    network: &'a Network,
    batch: Batch<'a, T>,
    rows: usize,
    scratch: &'a mut Scratch<T>,
    row_loss: [f64; BLOCK_ROWS],
}

impl<'a, T: Scalar> Predictor<'a, T> {
    /// With its memory.
    pub fn new(network: &'a Network, memory: &'a mut Memory<T>) -> Self {
        Predictor {
            network,
            rows: memory.batch.rows().max(1),
            batch: memory.batch.share_alone(&network.prediction.matrices),
            scratch: &mut memory.scratch,
            row_loss: [0.0; BLOCK_ROWS],
        }
    }

    /// Calls `use_logits(rows, logits, stride, losses)` for each block of `rows` of `x`, with memory for as many losses.
    fn run(
        &mut self,
        params: &[T],
        x: Inputs<'_, T>,
        rows: Range<usize>,
        mut use_logits: impl FnMut(Range<usize>, &mut [T], usize, &mut [f64]),
    ) {
        let (network, plan) = (self.network, &self.network.prediction);
        for start in rows.clone().step_by(self.rows) {
            let block = start..rows.end.min(start + self.rows);
            let mut claim = self.batch.alone(x.slice(block.clone()));
            let mut pass = Pass { tensors: &network.tensors, params, noise: None, first_row: 0, scratch: self.scratch };
            plan.stages.iter().for_each(|stage| stage.forward(&mut pass, &mut claim));
            let stride = claim.stride(plan.matrices.logits);
            let losses = &mut self.row_loss[..block.len()];
            use_logits(block, claim.flat_mut(plan.matrices.logits), stride, losses);
        }
    }

    /// Predictions of some rows of `x`, to `out`: outputs after the loss's link, or the logits where `raw`.
    fn outputs(&mut self, params: &[T], x: Inputs<'_, T>, rows: Range<usize>, raw: bool, out: &mut [T]) {
        let (network, outputs, first) = (self.network, self.network.outputs(), rows.start);
        self.run(params, x, rows, |block, logits, stride, _| {
            let out = &mut out[(block.start - first) * outputs..(block.end - first) * outputs];
            for (to, from) in out.chunks_exact_mut(outputs).zip(logits.chunks_exact(stride)) {
                to.copy_from_slice(&from[..outputs]);
            }
            if !raw {
                network.loss.link_in_place(out, outputs, outputs);
            }
        });
    }

    /// Calls `store(rows, losses)` with the losses of each block of some rows of `data`, times their weights.
    pub fn losses(
        &mut self,
        params: &[T],
        data: &Data<'_, T>,
        rows: Range<usize>,
        mut store: impl FnMut(Range<usize>, &[f64]),
    ) {
        let (network, outputs) = (self.network, self.network.outputs());
        self.run(params, data.x, rows, |block, logits, stride, losses| {
            let targets = data.targets_of(block.clone());
            let weights = data.weights.map(|weights| &weights.values[block.clone()]);
            let output_weights = network.output_weights.as_deref();
            let given = LossRows { outputs, stride, targets, weights, output_weights, row_loss: &mut *losses };
            network.loss.value(logits, given);
            store(block, losses);
        });
    }
}

/// How many workers some rows deserve.
fn workers(network: &Network, rows: usize, threads: Option<usize>) -> usize {
    let flops = network.step_flops(rows) / 3.0;
    let most = threads.unwrap_or_else(cores).min(rows.div_ceil(GRAIN)).max(1);
    ((flops / FLOPS_PER_WORKER) as usize).clamp(1, most)
}

/// Whether a prediction is so short that letting other threads run meanwhile would take longer than itself.
pub fn is_quick(network: &Network, rows: usize) -> bool {
    network.step_flops(rows) < FLOPS_PER_WORKER
}

/// What a worker works on: rows, its part of the results, its memory.
type Part<'a, T, R> = (Range<usize>, &'a mut [R], Memory<T>);

/// The rows of each worker, with its part of `out`, where a row has `width` elements.
fn shares<'a, T: Scalar, R>(
    network: &Network,
    (rows, workers): (usize, usize),
    width: usize,
    mut out: &'a mut [R],
) -> Result<Vec<Part<'a, T, R>>> {
    assert_eq!(out.len(), rows * width);
    let of_worker = |index| {
        let rows = share(index, workers, rows, GRAIN);
        let part;
        (part, out) = std::mem::take(&mut out).split_at_mut(rows.len() * width);
        let memory = Memory::new(network, rows.len())?;
        Ok((rows, part, memory))
    };
    (0..workers).map(of_worker).collect()
}

/// Predictions of the rows of `x`: outputs after the loss's link (softmax, sigmoid, exp), or the logits where `raw`.
pub fn predict<T: Scalar>(
    network: &Network,
    params: &[T],
    x: Inputs<'_, T>,
    out: &mut [T],
    raw: bool,
    threads: Option<usize>,
) -> Result<()> {
    let workers = workers(network, x.nrows(), threads);
    let parts = shares(network, (x.nrows(), workers), network.outputs(), out)?;
    pool::for_each(parts, workers, |(rows, out, mut memory): Part<'_, T, T>| {
        Predictor::new(network, &mut memory).outputs(params, x, rows, raw, out);
    });
    Ok(())
}

/// The losses of all rows of `data`, times their weights.
pub fn row_losses<T: Scalar>(
    network: &Network,
    params: &[T],
    data: &Data<'_, T>,
    threads: Option<usize>,
) -> Result<Vec<f64>> {
    let mut row_losses = filled(0.0, data.len(), "the losses of the rows")?;
    let workers = workers(network, data.len(), threads);
    let parts = shares(network, (data.len(), workers), 1, &mut row_losses)?;
    pool::for_each(parts, workers, |(rows, out, mut memory): Part<'_, T, f64>| {
        let first = rows.start;
        Predictor::new(network, &mut memory).losses(params, data, rows, |block, losses| {
            out[block.start - first..block.end - first].copy_from_slice(losses);
        });
    });
    Ok(row_losses)
}
