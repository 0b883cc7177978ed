//! Predictions and losses of many rows, block by block. A row's result depends on that row alone.

use std::ops::Range;

use ndarray::{ArrayView2, ArrayViewMut2, s};

use super::batch::{Data, Inputs, stride};
use super::network::Network;
use crate::buffer::Buffer;
use crate::kernels::loss::Targets;
use crate::kernels::matmul::Scratch;
use crate::scalar::Scalar;
use crate::team::{self, Shared, Worker};

/// Rows that pass through the layers together: the activations of a block stay in cache.
const BLOCK: usize = 96;
/// Floating-point operations that pay for waking one more worker.
const FLOPS_PER_WORKER: f64 = 2e6;

/// One worker's memory for a block: two matrices, layers read from one and write to the other.
pub struct Ladder<T> {
    rungs: [Buffer<T>; 2],
    stride: usize,
    rows: usize,
    scratch: Scratch<T>,
}

impl<T: Scalar> Ladder<T> {
    /// For up to `rows` rows at a time, or a block where that is less.
    pub fn new(network: &Network, rows: usize) -> Self {
        let widths = network.shape.widths();
        let stride = widths[1..].iter().map(|&width| stride::<T>(width)).max().unwrap_or(0);
        let rows = rows.min(BLOCK);
        let rung = || Buffer::zeroed(rows * stride);
        Ladder { rungs: [rung(), rung()], stride, rows, scratch: Scratch::new(network.shape.max_inputs()) }
    }

    /// Calls `use_logits(rows, logits, stride)` for each block of `rows` of `x`.
    fn climb(
        &mut self,
        network: &Network,
        params: &[T],
        x: Inputs<'_, T>,
        rows: Range<usize>,
        mut use_logits: impl FnMut(Range<usize>, &mut [T], usize),
    ) {
        let widths = network.shape.widths();
        for start in rows.clone().step_by(self.rows.max(1)) {
            let block = start..rows.end.min(start + self.rows);
            for layer in 0..network.shape.layers() {
                let [from, to] = &mut self.rungs;
                let view = |buffer, width| {
                    ArrayView2::from_shape((block.len(), self.stride), buffer)
                        .expect("a block fits its buffer")
                        .slice_move(s![.., ..width])
                };
                let x = match layer {
                    0 => x.slice(block.clone()),
                    _ => Inputs::Dense(view(&from[..block.len() * self.stride], widths[layer])),
                };
                let flat = &mut to[..block.len() * self.stride];
                let out = ArrayViewMut2::from_shape((block.len(), self.stride), flat).expect("a block fits its buffer");
                network.affine(layer, params, x, out.slice_move(s![.., ..widths[layer + 1]]), &mut self.scratch);
                if let Some(activation) = network.activations.get(layer) {
                    activation.forward_in_place(flat);
                }
                self.rungs.swap(0, 1);
            }
            use_logits(block.clone(), &mut self.rungs[0][..block.len() * self.stride], self.stride);
        }
    }
}

/// How many workers some rows deserve.
fn workers(network: &Network, rows: usize, threads: Option<usize>) -> usize {
    let flops = network.shape.step_flops(rows) / 3.0;
    let most = threads.unwrap_or_else(team::cores).min(rows.div_ceil(8)).max(1);
    ((flops / FLOPS_PER_WORKER) as usize).clamp(1, most)
}

/// Whether a prediction is so short that letting other threads run meanwhile would take longer than itself.
pub fn is_quick(network: &Network, rows: usize) -> bool {
    network.shape.step_flops(rows) < FLOPS_PER_WORKER
}

/// Predictions of the rows of `x`: outputs after the loss's link (softmax, sigmoid, exp), or the logits where `raw`.
pub fn predict<T: Scalar>(
    network: &Network,
    params: &[T],
    x: Inputs<'_, T>,
    out: &mut [T],
    raw: bool,
    threads: Option<usize>,
) {
    let outputs = network.shape.outputs();
    assert_eq!(out.len(), x.nrows() * outputs);
    let out = Shared::new(out);
    team::run(workers(network, x.nrows(), threads), |worker| {
        let rows = worker.share(x.nrows(), 8);
        Ladder::new(network, rows.len()).climb(network, params, x, rows, |block, logits, stride| {
            // SAFETY: the shares of the workers are disjoint.
            let out = unsafe { out.write(block.start * outputs..block.end * outputs) };
            for (to, from) in out.chunks_exact_mut(outputs).zip(logits.chunks_exact(stride)) {
                to.copy_from_slice(&from[..outputs]);
            }
            if !raw {
                network.loss.link_in_place(out, outputs, outputs);
            }
        });
    });
}

/// One worker's part of the losses of all rows of `data`, times their weights, to `row_loss`.
///
/// # Safety
/// Nobody else touches `row_loss` until the team meets next.
pub unsafe fn row_losses<T: Scalar>(
    network: &Network,
    params: &[T],
    data: &Data<'_, T>,
    row_loss: &Shared<'_, f64>,
    worker: &Worker,
    ladder: &mut Ladder<T>,
) {
    let outputs = network.shape.outputs();
    ladder.climb(network, params, data.x, worker.share(data.len(), 8), |block, logits, stride| {
        // SAFETY: the shares of the workers are disjoint, and the caller keeps all others away.
        let row_loss = unsafe { row_loss.write(block.clone()) };
        let targets = match data.targets {
            Targets::Classes(classes) => Targets::Classes(&classes[block.clone()]),
            Targets::Values(values) => Targets::Values(&values[block.start * outputs..block.end * outputs]),
        };
        let weights = data.weights.map(|weights| &weights[block]);
        network.loss.value(logits, outputs, stride, targets, weights, network.output_weights.as_deref(), row_loss);
    });
}

/// The batch loss of rows whose weighted losses are given: their sum, divided by the sum of weights where the loss is a mean.
pub fn reduce<T: Scalar>(network: &Network, data: &Data<'_, T>, row_loss: &[f64]) -> f64 {
    let total: f64 = row_loss.iter().sum();
    let weight = match data.weights {
        None => data.len() as f64,
        Some(weights) => weights.iter().map(|w| w.to_f64()).sum(),
    };
    if network.loss.mean() { total / weight } else { total }
}

/// The loss of some rows, without the penalty.
pub fn loss<T: Scalar>(network: &Network, params: &[T], data: &Data<'_, T>, threads: Option<usize>) -> f64 {
    let mut row_loss = vec![0.0; data.len()];
    let shared = Shared::new(&mut row_loss);
    team::run(workers(network, data.len(), threads), |worker| {
        let mut ladder = Ladder::new(network, data.len());
        // SAFETY: only this team knows `row_loss`, and its workers do nothing else.
        unsafe { row_losses(network, params, data, &shared, worker, &mut ladder) };
    });
    reduce(network, data, &row_loss)
}
