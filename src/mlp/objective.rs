//! What is minimised: the loss of a batch and the penalty on weights, and their gradient.

use std::sync::{Mutex, PoisonError};

use super::claims::{AllRows, Gradient, MyGradient, MyRows, Share};
use super::data::Data;
use super::figures::Figures;
use super::memory::Workspace;
use super::network::Network;
use super::predict;
use super::stages::{Pass, Sink};
use super::tensors::Piece;
use crate::cores::cores;
use crate::kernels::matmul::Scratch;
use crate::reductions::RowSquares;
use crate::scalar::Scalar;
use crate::simd::{Isa, Kernel, dispatch};
use crate::team;

/// Floating-point operations of a step that pay for one more worker, where the team is woken for one call.
const FLOPS_PER_WORKER: f64 = 2e6;

/// What multiplies the sum of a batch's weighted losses; a batch that weighs nothing asks for nothing.
pub fn scale(network: &Network, weight: f64) -> f64 {
    match network.loss.mean() {
        true if weight > 0.0 => 1.0 / weight,
        true => 0.0,
        false => 1.0,
    }
}

/// The factor of the penalty's gradient, for a batch of that total weight; a batch that weighs nothing asks for nothing.
pub fn penalty_strength(network: &Network, weight: f64) -> f64 {
    match network.l2_per_weight {
        true if weight > 0.0 => network.l2 / weight,
        true => 0.0,
        false => network.l2,
    }
}

/// The batch loss of `data`, the sum of whose weighted losses is given.
pub fn reduced<T: Scalar>(network: &Network, data: &Data<'_, T>, total: f64) -> f64 {
    if network.loss.mean() { total / data.weight() } else { total }
}

/// The penalty that belongs to the loss on `data`.
pub fn penalty<T: Scalar>(network: &Network, params: &[T], data: &Data<'_, T>) -> f64 {
    if network.l2 == 0.0 {
        return 0.0;
    }
    let squares = network.tensors.iter().filter(|tensor| tensor.kind.decays()).map(|tensor| {
        let (x, mut squares) = (&params[tensor.range()], [0.0]);
        dispatch(RowSquares { x, width: x.len(), squares: &mut squares });
        squares[0]
    });
    0.5 * penalty_strength(network, data.weight()) * squares.sum::<f64>()
}

/// The sum of the squares of each row of the parameters that is penalised; 0 for the others.
pub fn row_squares<T: Scalar>(network: &Network, params: &[T]) -> Figures {
    let figures = Figures::zeros(network.tensors.rows());
    if network.l2 != 0.0 {
        for tensor in network.tensors.iter().filter(|tensor| tensor.kind.decays()) {
            let mut squares = vec![0.0; tensor.rows];
            dispatch(RowSquares { x: &params[tensor.range()], width: tensor.cols, squares: &mut squares });
            figures.set_all(tensor.first_row..tensor.first_row + tensor.rows, &squares);
        }
    }
    figures
}

/// The penalty's share of some rows of weights: adds `strength * weights` to the gradient and writes each row's squared sum.
/// False where that may have made an element of the gradient infinite or NaN.
pub fn penalise<T: Scalar>(grads: &mut [T], weights: &[T], strength: f64, width: usize, squares: &mut [f64]) -> bool {
    dispatch(AddPenalty { grads, weights, strength: T::from_f64(strength), width, squares });
    let largest = T::MAX.to_f64() / 4.0;
    squares.iter().all(|squares| squares.sqrt() < largest && squares.sqrt() * strength < largest)
}

struct AddPenalty<'a, T> {
    grads: &'a mut [T],
    weights: &'a [T],
    strength: T,
    width: usize,
    squares: &'a mut [f64],
}

impl<T: Scalar> Kernel for AddPenalty<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        for (g, &w) in self.grads.iter_mut().zip(self.weights) {
            *g = I::fma(self.strength, w, *g);
        }
        RowSquares { x: self.weights, width: self.width, squares: self.squares }.run::<I>();
    }
}

/// Losses of rows of a batch, and where `scale` is given the gradient of their sum times `scale`, in the place of the logits.
/// False where a loss is not finite.
pub fn losses<T: Scalar>(network: &Network, rows: &mut MyRows<'_, '_, T>, scale: Option<f64>) -> bool {
    let logits = network.training.matrices.logits;
    let (z, given) = rows.for_loss(logits, network.output_weights.as_deref());
    match scale.map(T::from_f64) {
        Some(scale) => network.loss.gradient(z, scale, given),
        None => network.loss.value(z, given),
    }
    rows.losses().iter().all(|loss| loss.is_finite())
}

/// The objective on `data`, without dropout.
pub fn value<T: Scalar>(network: &Network, params: &[T], data: &Data<'_, T>, threads: Option<usize>) -> f64 {
    let total = predict::row_losses(network, params, data, threads).iter().sum();
    reduced(network, data, total) + penalty(network, params, data)
}

/// Rows of a batch that go to one worker together: multiples of the height of a product's tiles.
pub const GRAIN: usize = 4;

/// How the gradient of an objective is computed.
#[derive(Debug, Clone, Copy, Default)]
pub struct How {
    /// The key of dropout's masks, None for no dropout.
    pub noise: Option<u64>,
    /// Workers; None for what the work deserves.
    pub threads: Option<usize>,
}

/// The gradient of a piece of one worker's share, from the first rows of a batch.
pub fn gradient<T: Scalar>(
    network: &Network,
    piece: &Piece,
    rows: AllRows<'_, '_, T>,
    mine: &mut MyGradient<'_, '_, T>,
    fresh: bool,
    scratch: &mut Scratch<T>,
) {
    let grads = mine.part_mut(network.tensors.range(piece));
    network.training.stage_of(piece.tensor).gradient(piece, rows, Sink { grads, fresh, scratch });
}

/// The objective on `data` and its gradient, written to `grads`.
pub fn value_and_grads<T: Scalar>(
    network: &Network,
    params: &[T],
    data: &Data<'_, T>,
    how: How,
    workspace: &mut Workspace<T>,
    grads: &mut [T],
) -> f64 {
    let order: Vec<u32> = (0..data.len() as u32).collect();
    let weight = data.weight_of(&order);
    let workers =
        how.threads.unwrap_or_else(|| ((network.step_flops(data.len()) / FLOPS_PER_WORKER) as usize).clamp(1, cores()));
    let rows_held = workspace.rows();
    let batch = workspace.share(&network.training.matrices, data);
    let shared = Gradient::new(grads);
    let total = Mutex::new(0.0);
    team::run(workers, |worker| {
        let mut scratch = Scratch::new(network.max_terms());
        let share = Share::new(&network.tensors, network.tensors.share(worker.index, worker.count, |_| true));
        for start in (0..data.len()).step_by(rows_held) {
            let held = start..data.len().min(start + rows_held);
            // SAFETY: the shares of the workers are disjoint rows.
            let mut rows = unsafe { batch.my_rows(worker.share(held.len(), GRAIN)) };
            rows.gather(data, &order[held.clone()]);
            there_and_back(network, params, &mut rows, (how.noise, start), weight, &mut scratch);
            worker.meet();
            // SAFETY: nobody writes to the batch before the next meeting, and the shares of the workers are disjoint.
            let (rows, mut mine) = unsafe { (batch.all_rows(held.len()), shared.mine(&share)) };
            if worker.index == 0 {
                *total.lock().unwrap_or_else(PoisonError::into_inner) += rows.losses().iter().sum::<f64>();
            }
            for piece in mine.pieces() {
                gradient(network, piece, rows, &mut mine, start == 0, &mut scratch);
            }
            worker.meet();
        }
    });
    add_penalty(network, params, penalty_strength(network, weight), grads);
    let scale = if network.loss.mean() { 1.0 / weight } else { 1.0 };
    total.into_inner().unwrap_or_else(PoisonError::into_inner) * scale + penalty(network, params, data)
}

/// Rows forward, their losses, and back: of a batch of that weight, with the key of dropout's masks and the number of the
/// first row that is held.
fn there_and_back<T: Scalar>(
    network: &Network,
    params: &[T],
    rows: &mut MyRows<'_, '_, T>,
    (noise, first): (Option<u64>, usize),
    weight: f64,
    scratch: &mut Scratch<T>,
) {
    let mut pass = Pass { tensors: &network.tensors, params, noise, first, scratch };
    let scale = if network.loss.mean() { 1.0 / weight } else { 1.0 };
    let stages = &network.training.stages;
    stages.iter().for_each(|stage| stage.forward(&mut pass, rows));
    losses(network, rows, Some(scale));
    stages.iter().rev().for_each(|stage| stage.backward(&mut pass, rows));
}

fn add_penalty<T: Scalar>(network: &Network, params: &[T], strength: f64, grads: &mut [T]) {
    if network.l2 != 0.0 {
        for tensor in network.tensors.iter().filter(|tensor| tensor.kind.decays()) {
            let mut squares = vec![0.0; tensor.rows];
            penalise(&mut grads[tensor.range()], &params[tensor.range()], strength, tensor.cols, &mut squares);
        }
    }
}
