//! What is minimised: the loss of a batch and the penalty on weights, and their gradient.

use super::agreement::Agreement;
use super::claims::{AllRows, Gradient, MyRows, Share};
use super::cuts::{Cuts, GRAIN};
use super::data::Data;
use super::figures::Figures;
use super::memory::Workspace;
use super::network::Network;
use super::phases::{Phase, Work, phases};
use super::plan::Plan;
use super::stages::{Noise, Pass, Sink};
use super::tensors::{Piece, Tile};
use super::{predict, random};
use std::sync::PoisonError;

use crate::buffer::{Buffer, filled};
use crate::cores::{cores, most_threads};
use crate::error::Result;
use crate::interrupt::{Interrupt, Lookout};
use crate::kernels::matmul::Scratch;
use crate::reductions::RowSquares;
use crate::scalar::Scalar;
use crate::simd::{Isa, Kernel, dispatch};
use crate::team;

/// Floating-point operations of a step that pay for one more worker, where the team is woken for one call.
const FLOPS_PER_WORKER: f64 = 2e6;
/// Floating-point operations between two meetings from which on they take long: some ten milliseconds.
pub const LONG: f64 = 1e9;

/// What multiplies the sum of a batch's weighted losses, for a batch of that total weight in that unit; a batch that weighs
/// nothing asks for nothing.
pub fn scale(network: &Network, weight: f64, unit: f64) -> f64 {
    match network.loss.mean() {
        true if weight > 0.0 => 1.0 / weight,
        true => 0.0,
        false => unit,
    }
}

/// The factor of the penalty's gradient, for a batch of that total weight in that unit; a batch that weighs nothing asks for
/// nothing.
pub fn penalty_strength(network: &Network, weight: f64, unit: f64) -> f64 {
    match network.l2_per_weight {
        true if weight > 0.0 => network.l2 / weight / unit,
        true => 0.0,
        false => network.l2,
    }
}

/// The batch loss of `data`, the sum of whose weighted losses is given.
pub fn reduced<T: Scalar>(network: &Network, data: &Data<'_, T>, total: f64) -> f64 {
    if network.loss.mean() { total / data.weight() } else { total * data.unit() }
}

/// The penalty that belongs to the loss on `data`.
pub fn penalty<T: Scalar>(network: &Network, params: &[T], data: &Data<'_, T>) -> f64 {
    if network.l2 == 0.0 {
        return 0.0;
    }
    let squares = network.tensors.penalised().map(|tensor| {
        let (x, mut squares) = (&params[tensor.range()], [0.0]);
        dispatch(RowSquares { x, width: x.len(), squares: &mut squares });
        squares[0]
    });
    0.5 * penalty_strength(network, data.weight(), data.unit()) * squares.sum::<f64>()
}

/// The sum of the squares of each row of the parameters that is penalised; 0 for the others.
pub fn row_squares<T: Scalar>(network: &Network, params: &[T]) -> Result<Figures> {
    let figures = Figures::zeros(network.tensors.rows())?;
    if network.l2 != 0.0 {
        for tensor in network.tensors.penalised() {
            let rows = params[tensor.range()].chunks(tensor.cols * ROWS_TOGETHER);
            for (number, x) in rows.enumerate() {
                let (first, count) = (tensor.first_row + number * ROWS_TOGETHER, x.len() / tensor.cols);
                let mut squares = [0.0; ROWS_TOGETHER];
                dispatch(RowSquares { x, width: tensor.cols, squares: &mut squares[..count] });
                figures.set_all(first..first + count, &squares[..count]);
            }
        }
    }
    Ok(figures)
}

/// Rows whose squares are summed together.
const ROWS_TOGETHER: usize = 512;

/// The penalty's share of some rows of weights: adds `strength * weights` to the gradient and writes each row's squared sum.
pub fn penalise<T: Scalar>(grads: &mut [T], weights: &[T], strength: f64, width: usize, squares: &mut [f64]) {
    dispatch(AddPenalty { grads, weights, strength: T::from_f64(strength), width, squares });
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

/// Where a batch comes from: the data, and which of its rows; and what multiplies the sum of its weighted losses.
#[derive(Clone, Copy)]
pub struct Source<'o, 'd, T> {
    /// All of it.
    pub data: &'o Data<'d, T>,
    /// The rows of the batch.
    pub order: &'o [u32],
    /// See [`scale`].
    pub scale: f64,
}

/// One worker's share of a phase, up to where it finds that it is to end. False where a loss is not finite.
pub fn work<T: Scalar>(
    network: &Network,
    phase: &Phase,
    pass: &mut Pass<'_, T>,
    rows: &mut MyRows<'_, '_, T>,
    source: Source<'_, '_, T>,
) -> bool {
    let Plan { stages, matrices, .. } = &network.training;
    let mut finite = true;
    for work in &phase.work {
        if pass.lookout.knows_stop() {
            break;
        }
        match *work {
            Work::Gather => rows.gather(source.data, source.order),
            Work::Forward(stage) => stages[stage].forward(pass, rows),
            Work::Loss => {
                let (z, given) = rows.for_loss(matrices.logits, network.output_weights.as_deref());
                network.loss.gradient(z, T::from_f64(source.scale), given);
                finite &= rows.losses().iter().all(|loss| loss.is_finite());
            }
            Work::Back(stage) => stages[stage].backward(pass, rows),
        }
    }
    finite
}

/// The gradient of a piece of a tensor, from some rows of a batch.
#[inline]
pub fn gradient<T: Scalar>(network: &Network, piece: &Piece, rows: &AllRows<'_, '_, T>, sink: Sink<'_, T>) {
    network.training.stage_of(piece.tensor).gradient(piece, rows, sink);
}

/// Rows whose gradient is summed in one chain, where a batch has more than are held at once: chains of all rows would lose a
/// digit for each tenfold.
const CHAINED: usize = 512;
/// Elements of a gradient that are summed together.
const SUMMED_TOGETHER: usize = 48 * 1024;

/// The gradient of a piece of a tensor and its sums in double precision, from rows of a batch that has more than these; `first`
/// is whether they are its first ones.
pub fn add_gradient<T: Scalar>(
    network: &Network,
    piece: &Piece,
    rows: &AllRows<'_, '_, T>,
    ((grads, sums), scratch, lookout): ((&mut [T], &mut [f64]), &mut Scratch<T>, &Lookout),
    first: bool,
) {
    let Tile { rows: lines, cols } = &piece.tile;
    // What stays in the second-level cache while all rows pass.
    let height = (SUMMED_TOGETHER / cols.len()).max(48);
    let parts = grads.chunks_mut(height * cols.len()).zip(sums.chunks_mut(height * cols.len()));
    for (line, (grads, sums)) in lines.clone().step_by(height).zip(parts) {
        if lookout.says_stop() {
            return;
        }
        if first {
            sums.fill(0.0);
        }
        let tile = Tile { rows: line..lines.end.min(line + height), cols: cols.clone() };
        let piece = Piece { tensor: piece.tensor, tile };
        for start in (0..rows.count()).step_by(CHAINED) {
            let rows = rows.part(start..rows.count().min(start + CHAINED));
            gradient(network, &piece, &rows, Sink { grads, scratch, lookout });
            dispatch(Add { sums, grads });
        }
        grads.iter_mut().zip(sums).for_each(|(g, &mut sum)| *g = T::from_f64(sum));
    }
}

/// `sums += grads`.
struct Add<'a, T> {
    sums: &'a mut [f64],
    grads: &'a [T],
}

impl<T: Scalar> Kernel for Add<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        self.sums.iter_mut().zip(self.grads).for_each(|(sum, g)| *sum += g.to_f64());
    }
}

/// The objective on `data`, without dropout; of no use where it is interrupted.
pub fn value<T: Scalar>(
    network: &Network,
    params: &[T],
    data: &Data<'_, T>,
    threads: Option<usize>,
    interrupt: &Interrupt,
) -> Result<f64> {
    let total = predict::row_losses(network, params, data, threads, interrupt)?.iter().sum();
    Ok(reduced(network, data, total) + penalty(network, params, data))
}

/// How many workers take part where so many are asked for: no more than there are pieces of work, or than make sense.
pub fn workers_at_most(network: &Network, rows: usize, threads: usize) -> usize {
    let pieces = rows.div_ceil(GRAIN).max(network.tensors.rows());
    threads.min(most_threads()).min(pieces).max(1)
}

/// How the gradient of an objective is computed.
#[derive(Clone, Default)]
pub struct GradientOptions {
    /// The key of dropout's masks, None for no dropout.
    pub noise: Option<u64>,
    /// Workers; None for what the work deserves.
    pub threads: Option<usize>,
    /// How layers are shared out among them.
    pub cuts: Cuts,
    /// Ends it early: value and gradient are then of no use.
    pub interrupt: Interrupt,
}

/// The objective on `data` and its gradient, written to `grads`.
pub fn value_and_grads<T: Scalar>(
    network: &Network,
    params: &[T],
    data: &Data<'_, T>,
    how: GradientOptions,
    workspace: &mut Workspace<T>,
    grads: &mut [T],
) -> Result<f64> {
    let mut order = filled(0, data.len(), "the order of the rows")?;
    random::in_order(&mut order);
    let weight = data.weight_of(&order);
    let unit = data.unit();
    let (scale, strength) = (scale(network, weight, unit), penalty_strength(network, weight, unit));
    let workers = workers_for(network, data.len(), how.threads);
    let scratches = workspace.take_scratches(workers, network.training_sizes(workspace.rows()))?;
    let rows_held = workspace.rows();
    let batch = workspace.share(&network.training.matrices, data);
    let mut sums = Buffer::zeroed(if data.len() > rows_held { grads.len() } else { 0 }, "the sums of the gradient")?;
    let (shared, total) = (Gradient::new(grads, &mut sums), Figures::zeros(1)?);
    let long = network.step_flops(data.len()) >= LONG;
    let agreement = Agreement::new(how.interrupt);
    let sparse = data.x.sparse().is_some();
    team::run(workers, |worker| {
        // The team may be smaller than was asked for.
        let phases = phases(network, how.cuts, (data.len().min(rows_held), worker.count), 0, sparse);
        let lookout = agreement.interrupt().lookout(worker.index == 0);
        let tensors = &network.tensors;
        let mut scratch = scratches[worker.index].lock().unwrap_or_else(PoisonError::into_inner);
        let share = Share::new(tensors, tensors.share(worker.index, worker.count, |_| true));
        for start in (0..data.len()).step_by(rows_held) {
            let held = start..data.len().min(start + rows_held);
            let source = Source { data, order: &order[held.clone()], scale };
            for phase in &phases {
                // SAFETY: the shares of the workers are disjoint, and a phase reads no more than it writes or others have written
                // before the last meeting.
                let rows = unsafe { batch.my_share(worker, held.len(), phase.cut) };
                if let Some(mut rows) = rows {
                    let (lookout, noise) = (&lookout, how.noise.map(|key| Noise { key, rates: &network.dropout }));
                    let mut pass = Pass { tensors, params, noise, first_row: start, scratch: &mut scratch, lookout };
                    work(network, phase, &mut pass, &mut rows, source);
                }
                if agreement.meet(worker, long) {
                    return;
                }
            }
            let lookout = &lookout;
            // SAFETY: nobody writes to the batch before the next meeting, and the shares of the workers are disjoint.
            let (rows, mut mine) = unsafe { (batch.all_rows(worker, held.len()), shared.mine(worker, &share)) };
            if worker.index == 0 {
                total.set(0, total.get(0) + rows.losses().iter().sum::<f64>());
            }
            for piece in mine.pieces() {
                let range = tensors.range(piece);
                if data.len() > rows_held {
                    let sums = mine.part_and_sums_mut(range);
                    add_gradient(network, piece, &rows, (sums, &mut scratch, lookout), start == 0);
                } else {
                    let sink = Sink { grads: mine.part_mut(range), scratch: &mut scratch, lookout };
                    gradient(network, piece, &rows, sink);
                }
                let grads = mine.part_mut(tensors.range(piece));
                if strength != 0.0 && held.end == data.len() && tensors.get(piece.tensor).kind.decays() {
                    add_penalty(grads, &params[tensors.range(piece)], strength, piece.tile.cols.len());
                }
            }
            if agreement.meet(worker, long) {
                return;
            }
        }
    });
    workspace.put_scratches(scratches);
    Ok(total.get(0) * scale + penalty(network, params, data))
}

/// Workers for one gradient of so many rows: so many, or as many as it deserves.
fn workers_for(network: &Network, rows: usize, threads: Option<usize>) -> usize {
    let deserved = || ((network.step_flops(rows) / FLOPS_PER_WORKER) as usize).clamp(1, cores());
    threads.map_or_else(deserved, |threads| workers_at_most(network, rows, threads))
}

/// The penalty's share of some rows of weights, where nobody asks for their squares.
fn add_penalty<T: Scalar>(grads: &mut [T], weights: &[T], strength: f64, width: usize) {
    let (mut squares, together) = ([0.0; ROWS_TOGETHER], width * ROWS_TOGETHER);
    for (grads, weights) in grads.chunks_mut(together).zip(weights.chunks(together)) {
        penalise(grads, weights, strength, width, &mut squares[..weights.len() / width]);
    }
}
