//! Predictions and losses of many rows, block by block. A row's result depends on that row alone.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::claims::MyRows;
use super::data::{Data, Inputs};
use super::memory::{Batch, Workspace};
use super::network::Network;
use super::stages::Pass;
use super::tensors::Kind;
use crate::buffer::filled;
use crate::caches::Caches;
use crate::cores::{cores, most_threads};
use crate::error::Result;
use crate::interrupt::{Interrupt, Lookout};
use crate::kernels::loss::LossRows;
use crate::kernels::matmul::{MAX_TILE_ROWS, Scratch};
use crate::pool;
use crate::scalar::Scalar;
use crate::share::share;

/// The fewest and the most rows that pass through the layers together.
const BLOCK_ROWS: Range<usize> = 96..504;
/// Numbers of the widest inputs or activations of a block: they stay in the second-level cache.
const BLOCK_NUMBERS: usize = 128 * 1024;
/// Rows that go to one worker together.
pub const GRAIN: usize = 8;
/// Floating-point operations that pay for waking one more worker.
const FLOPS_PER_WORKER: f64 = 2e6;
/// Floating-point operations of the parts that long work comes in: some milliseconds.
const FLOPS_PER_PART: f64 = 1e8;

/// What is known of each row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Its loss, times its weight.
    Loss,
    /// Its weight where it is given a wrong class, else 0.
    Error,
}

/// One worker's memory.
pub struct Memory<T> {
    batch: Workspace<T>,
    scratch: Scratch<T>,
    row_loss: Vec<f64>,
}

impl<T: Scalar> Memory<T> {
    /// For blocks of up to `rows` rows.
    pub fn new(network: &Network, rows: usize) -> Result<Self> {
        let rows = rows.min(block_rows(network));
        let batch = Workspace::for_prediction(&network.prediction.matrices, rows)?;
        let row_loss = filled(0.0, rows, "the losses of the rows")?;
        Ok(Memory { batch, scratch: Scratch::new(network.forward_sizes(rows))?, row_loss })
    }
}

/// Takes rows forward, block by block.
pub struct Predictor<'a, T> {
    network: &'a Network,
    batch: Batch<'a, T>,
    rows: usize,
    scratch: &'a mut Scratch<T>,
    row_loss: &'a mut [f64],
    lookout: Lookout,
}

impl<'a, T: Scalar> Predictor<'a, T> {
    /// With its memory; leaves off where the lookout says so.
    pub fn new(network: &'a Network, memory: &'a mut Memory<T>, lookout: Lookout) -> Self {
        Predictor {
            network,
            rows: memory.batch.rows().max(1),
            batch: memory.batch.share_alone(&network.prediction.matrices),
            scratch: &mut memory.scratch,
            row_loss: &mut memory.row_loss,
            lookout,
        }
    }

    /// The network that they pass through.
    pub(super) fn network(&self) -> &'a Network {
        self.network
    }

    /// Calls `look(stage, rows, claim)` after each stage of each block of `rows` of `x`, and `use_logits(rows, logits, stride,
    /// losses)` for each block, with memory for as many losses. Where it is interrupted the rest is left out.
    pub(super) fn run(
        &mut self,
        params: &[T],
        x: Inputs<'_, T>,
        rows: Range<usize>,
        mut look: impl FnMut(usize, &Range<usize>, &MyRows<'_, '_, T>),
        mut use_logits: impl FnMut(Range<usize>, &mut [T], usize, &mut [f64]),
    ) {
        let (network, plan) = (self.network, &self.network.prediction);
        for start in rows.clone().step_by(self.rows) {
            let block = start..rows.end.min(start + self.rows);
            let mut claim = self.batch.alone(x.slice(block.clone()));
            let (scratch, lookout) = (&mut *self.scratch, &self.lookout);
            let mut pass = Pass { tensors: &network.tensors, params, noise: None, first_row: 0, scratch, lookout };
            for (number, stage) in plan.stages.iter().enumerate() {
                stage.forward(&mut pass, &mut claim);
                look(number, &block, &claim);
            }
            let stride = claim.stride(plan.matrices.logits);
            let losses = &mut self.row_loss[..block.len()];
            use_logits(block, claim.flat_mut(plan.matrices.logits), stride, losses);
            if self.lookout.says_stop() {
                return;
            }
        }
    }

    /// Predictions of some rows of `x`, to `out`: outputs after the loss's link, or the logits where `raw`.
    fn outputs(&mut self, params: &[T], x: Inputs<'_, T>, rows: Range<usize>, raw: bool, out: &mut [T]) {
        let (network, outputs, first) = (self.network, self.network.outputs(), rows.start);
        self.run(
            params,
            x,
            rows,
            |_, _, _| (),
            |block, logits, stride, _| {
                let out = &mut out[(block.start - first) * outputs..(block.end - first) * outputs];
                for (to, from) in out.chunks_exact_mut(outputs).zip(logits.chunks_exact(stride)) {
                    to.copy_from_slice(&from[..outputs]);
                }
                if !raw {
                    network.loss.link_in_place(out, outputs, outputs);
                }
            },
        );
    }

    /// Calls `store(measure, rows, values)` with each of the measures of each block of some rows of `data`.
    pub fn measure(
        &mut self,
        params: &[T],
        data: &Data<'_, T>,
        rows: Range<usize>,
        measures: &[Measure],
        mut store: impl FnMut(Measure, Range<usize>, &[f64]),
    ) {
        let (network, outputs) = (self.network, self.network.outputs());
        self.run(
            params,
            data.x,
            rows,
            |_, _, _| (),
            |block, logits, stride, values| {
                let targets = data.targets_of(block.clone());
                let weights = data.weights.map(|weights| &weights.values[block.clone()]);
                let output_weights = network.output_weights.as_deref();
                for &measure in measures {
                    let given = LossRows { outputs, stride, targets, weights, output_weights, row_loss: &mut *values };
                    match measure {
                        Measure::Loss => network.loss.with_hard_labels().value(logits, given),
                        Measure::Error => network.loss.errors(logits, given),
                    }
                    store(measure, block.clone(), values);
                }
            },
        );
    }
}

/// Rows that pass through the layers together: enough to pay for going through all weights, as far as activations stay in cache.
/// Weights that do not stay there themselves come from memory and are packed for each block: the more rows, the fewer times.
fn block_rows(network: &Network) -> usize {
    let weights = network.tensors.iter().filter(|tensor| tensor.kind == Kind::Weight);
    let largest = weights.map(|tensor| tensor.rows * tensor.cols).max().unwrap_or(0);
    if largest * size_of::<f32>() > Caches::here().second / 2 {
        return BLOCK_ROWS.end;
    }
    let widest = network.prediction.matrices.all.iter().map(|matrix| matrix.cols).max().unwrap_or(1);
    let rows = BLOCK_NUMBERS / widest;
    rows.clamp(BLOCK_ROWS.start, BLOCK_ROWS.end) / MAX_TILE_ROWS * MAX_TILE_ROWS
}

/// How many workers some rows deserve.
pub(super) fn workers(network: &Network, rows: usize, threads: Option<usize>) -> usize {
    let flops = network.step_flops(rows) / 3.0;
    let most = threads.map_or_else(cores, |threads| threads.min(most_threads())).min(rows.div_ceil(GRAIN)).max(1);
    ((flops / FLOPS_PER_WORKER) as usize).clamp(1, most)
}

/// Whether a prediction is so short that letting other threads run meanwhile would take longer than itself.
pub fn is_quick(network: &Network, rows: usize) -> bool {
    network.step_flops(rows) < FLOPS_PER_WORKER
}

/// Whether it may take so long that somebody may want to interrupt it.
pub fn is_long(network: &Network, rows: usize) -> bool {
    network.step_flops(rows) >= FLOPS_PER_PART || rows > 100_000
}

/// Rows in parts for `workers` workers, with their places in `out`, where a row has `width` elements. Work that takes long comes
/// in many parts, so that a worker that is late keeps nobody waiting, and the caller, who is one of them, can look around.
pub(super) fn parts<'o, T>(
    network: &Network,
    rows: usize,
    workers: usize,
    width: usize,
    mut out: &'o mut [T],
) -> Vec<Part<'o, T>> {
    assert_eq!(out.len(), rows * width);
    let per_worker = (network.step_flops(rows) / 3.0 / FLOPS_PER_PART / workers as f64).ceil().max(1.0);
    let block = block_rows(network);
    let count = if workers == 1 { 1 } else { workers * (per_worker as usize).min(rows.div_ceil(block)) };
    let part = |index| {
        let rows = share(index, count, rows, if count == workers { GRAIN } else { block });
        let part;
        (part, out) = std::mem::take(&mut out).split_at_mut(rows.len() * width);
        (rows, part)
    };
    (0..count).map(part).filter(|(rows, _)| !rows.is_empty()).collect()
}

/// Rows, and the places of their results.
pub(super) type Part<'o, T> = (Range<usize>, &'o mut [T]);

/// Calls `work(predictor, part)` for all parts, with a predictor for each of `workers` threads.
pub(super) fn in_parallel<T: Scalar, R: Send>(
    network: &Network,
    parts: Vec<Part<'_, R>>,
    workers: usize,
    interrupt: &Interrupt,
    work: impl Fn(&mut Predictor<'_, T>, Part<'_, R>) + Sync,
) -> Result<()> {
    let longest = parts.iter().map(|(rows, _)| rows.len()).max().unwrap_or(0);
    let mut memories = vec![Memory::new(network, longest)?];
    // Where there is no memory for more workers, there are fewer.
    memories.extend((1..workers).map_while(|_| Memory::new(network, longest).ok()));
    let workers = memories.len();
    let memories = Mutex::new(memories);
    pool::share_out(parts, workers, |is_caller, parts| {
        let memory = memories.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let (mut memory, lookout) = (memory.expect("memory for each thread"), interrupt.lookout(is_caller));
        let mut predictor = Predictor::new(network, &mut memory, lookout.clone());
        parts.take_while(|_| !lookout.says_stop()).for_each(|part| work(&mut predictor, part));
    });
    Ok(())
}

/// Predictions of the rows of `x`: outputs after the loss's link (softmax, sigmoid, exp), or the logits where `raw`. Where it is
/// interrupted, some of them are missing.
pub fn predict<T: Scalar>(
    network: &Network,
    params: &[T],
    x: Inputs<'_, T>,
    out: &mut [T],
    raw: bool,
    threads: Option<usize>,
    interrupt: &Interrupt,
) -> Result<()> {
    let workers = workers(network, x.nrows(), threads);
    let parts = parts(network, x.nrows(), workers, network.outputs(), out);
    in_parallel(network, parts, workers, interrupt, |predictor, (rows, out)| {
        predictor.outputs(params, x, rows, raw, out);
    })
}

/// The losses of all rows of `data`, times their weights. Where it is interrupted, some of them are missing.
pub fn row_losses<T: Scalar>(
    network: &Network,
    params: &[T],
    data: &Data<'_, T>,
    threads: Option<usize>,
    interrupt: &Interrupt,
) -> Result<Vec<f64>> {
    let mut row_losses = filled(0.0, data.len(), "the losses of the rows")?;
    let workers = workers(network, data.len(), threads);
    let parts = parts(network, data.len(), workers, 1, &mut row_losses);
    in_parallel(network, parts, workers, interrupt, |predictor, (rows, out)| {
        let first = rows.start;
        predictor.measure(params, data, rows, &[Measure::Loss], |_, block, losses| {
            out[block.start - first..block.end - first].copy_from_slice(losses);
        });
    })?;
    Ok(row_losses)
}
