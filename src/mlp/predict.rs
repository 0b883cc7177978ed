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
    let rows_of_part = (FLOPS_PER_PART / (network.step_flops(1) / 3.0)) as usize;
    let part = |rows: Range<usize>| {
        let part;
        (part, out) = std::mem::take(&mut out).split_at_mut(rows.len() * width);
        (rows, part)
    };
    cuts(rows, workers, (block_rows(network), rows_of_part)).into_iter().map(part).collect()
}

/// Some rows, in the order in which workers take them: a share for each where that is not long; else parts of whole blocks, and
/// smaller ones towards the end, up to half of a block, so that all end at about the same time, however quick each of them is.
fn cuts(rows: usize, workers: usize, (block, rows_of_part): (usize, usize)) -> Vec<Range<usize>> {
    let share_of_each = rows.div_ceil(workers);
    if workers == 1 || share_of_each <= rows_of_part {
        let shares = (0..workers).map(|worker| share(worker, workers, rows, GRAIN));
        return shares.filter(|share| !share.is_empty()).collect();
    }
    let most = (rows_of_part / block * block).max(block).min(share_of_each);
    let least = most.min(block).div_ceil(2).next_multiple_of(GRAIN);
    let (mut cuts, mut start) = (vec![], 0);
    while start < rows {
        let len = (rows - start).div_ceil(workers).min(most).next_multiple_of(GRAIN).max(least).min(rows - start);
        cuts.push(start..start + len);
        start += len;
    }
    cuts
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_all_rows_and_leave_no_worker_without_one() {
        for rows in [0, 1, 7, 8, 100, 503, 504, 505, 1008, 4000, 100_001] {
            for workers in [1, 2, 3, 8, 16, 40] {
                for rows_of_part in [0, 27, 504, 9_000, usize::MAX] {
                    let cuts = cuts(rows, workers, (504, rows_of_part));
                    let covered: Vec<_> = cuts.iter().flat_map(|part| part.clone()).collect();
                    assert_eq!(covered, (0..rows).collect::<Vec<_>>());
                    assert!(cuts.iter().all(|part| !part.is_empty()));
                    assert!(cuts.len() >= workers.min(rows / GRAIN), "{} parts of {rows} for {workers}", cuts.len());
                }
            }
        }
    }

    #[test]
    fn long_work_comes_in_blocks_and_ends_in_halves_of_them() {
        let lengths = |rows, workers| cuts(rows, workers, (504, 27)).into_iter().map(|part| part.len());
        assert_eq!(lengths(4000, 2).collect::<Vec<_>>(), [504, 504, 504, 504, 504, 504, 488, 256, 232]);
        assert!(lengths(4000, 16).all(|len| len <= 256) && lengths(4000, 16).len() >= 16);
        assert_eq!(cuts(100_000, 2, (120, 9_000))[0].len(), 9_000);
        assert!(cuts(100_000, 2, (120, 9_000)).last().is_some_and(|part| part.len() <= 64));
    }
}
