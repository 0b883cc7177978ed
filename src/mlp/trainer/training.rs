//! What the workers of a training share, and what each has of its own.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Mutex, RwLock};

use super::super::agreement::Agreement;
use super::super::claims::{Parameters, Share};
use super::super::data::Data;
use super::super::figures::{Figures, Finding, Published};
use super::super::memory::Batch;
use super::super::network::Network;
use super::super::phases::{Phase, phases};
use super::super::predict;
use super::super::shards::Shards;
use super::super::slots::Slot;
use super::super::tensors::{Piece, Tensors, Tile};
use super::leader::Leader;
use super::options::Options;
use super::sequence::Sequence;
use crate::buffer::Buffer;
use crate::error::Result;
use crate::interrupt::Lookout;
use crate::kernels::matmul::{Factors, Scratch, Sizes};
use crate::optim::Step;
use crate::scalar::Scalar;

/// Elements of a gradient that are updated while they are in the second-level cache.
const BLOCK_ELEMENTS: usize = 48 * 1024;

/// What a team shares.
pub struct Training<'a, 'd, 'l, T: Scalar> {
    pub network: &'a Network,
    pub data: &'a Data<'d, T>,
    pub validation: Option<&'a Data<'d, T>>,
    pub options: &'a Options,
    pub sequence: Sequence<'a>,
    pub rows_held: usize,
    pub shards: &'a Shards,
    /// Of each shard: the sum of its losses, and of its weights.
    pub shard_losses: Figures,
    pub shard_weights: Figures,
    pub batch: Batch<'a, T>,
    pub parameters: Parameters<'a, T>,
    pub policy: Policy,
    /// Of each row of the parameters: the squared norm of its gradient.
    pub row_norms: Figures,
    /// Of each row of the parameters: the sum of its squares, where it is penalised.
    pub row_squares: Figures,
    /// Of each worker and stage: the summed magnitudes of its rows' factors, and of their deltas.
    pub magnitudes: Figures,
    /// Of each row of the validation data.
    pub validation_losses: Figures,
    /// The same, where epochs are judged by errors; else none.
    pub validation_errors: Figures,
    /// Written when an epoch begins; read by all until it ends.
    pub order: RwLock<Vec<u32>>,
    pub step: Published<Option<Step<T>>>,
    /// A bound on every weight that is penalised, before the step.
    pub largest_weight: Figures,
    /// Of each worker: the largest element of its gradient.
    pub largest: Figures,
    /// Of each worker: what a rehearsal of its update has seen.
    pub peaks: Figures,
    /// The number of the step in which somebody found NaN or infinity in the losses, or in the gradient, or in what the update
    /// would leave. Several: a slow worker may still read one when a quick one sets the next.
    pub bad_loss: AtomicU64,
    pub bad_gradient: Finding,
    pub bad_update: Finding,
    pub stop: AtomicBool,
    /// Whether the team ends when it next can, for another one that goes on.
    pub regroups: AtomicBool,
    /// Of each worker, which takes it when it begins, and returns it where another team goes on.
    pub memories: Vec<Mutex<Option<WorkerMemory<T>>>>,
    /// Where all go on, or all leave what they have begun.
    pub agreement: Agreement,
    pub length: Length,
    pub leader: Mutex<Leader<'l, T>>,
}

/// How much of a training takes so long that it must be possible to interrupt it.
pub struct Length {
    /// Whether a step takes some ten milliseconds: the leader then looks around while it waits for the others.
    pub meets_late: bool,
    /// Whether it takes so long that the gradient is computed apart from the update, which nothing may interrupt.
    pub splits: bool,
    /// The first of these, for the validation.
    pub validates_long: bool,
}

/// What the optimizer asks of a step.
pub struct Policy {
    /// Whether losses and gradients must be finite.
    pub checks: bool,
    /// Whether the norm of the whole gradient is needed.
    pub clips: bool,
    /// Whether the workers can make a step together; where not, the leader makes it alone.
    pub one_pass: bool,
    /// Which tensors are to change.
    pub trained: Vec<bool>,
    /// The first stage with one of those: the way back ends there.
    pub first_stage: usize,
    /// The stages from there on that have tensors.
    pub stages: Vec<usize>,
}

impl Policy {
    /// Whether a step is begun before its gradient is known: nothing of that is needed to begin it.
    pub fn begins_early(&self) -> bool {
        self.one_pass && !self.clips
    }
}

/// A piece, and where it lies in the flat vector.
pub struct Block {
    pub piece: Piece,
    pub range: Range<usize>,
}

/// A worker's own memory, made before there are workers: having none is then an error of the training.
pub struct WorkerMemory<T> {
    pub scratch: Scratch<T>,
    /// One number for each row of one of its pieces.
    pub squares: Buffer<f64>,
    /// To look at validation data.
    pub validation: Option<predict::Memory<T>>,
}

impl<T: Scalar> WorkerMemory<T> {
    /// For each of some workers.
    pub fn of_each(
        network: &Network,
        (workers, sizes): (usize, Sizes),
        validation: Option<&Data<'_, T>>,
    ) -> Result<Vec<Mutex<Option<WorkerMemory<T>>>>> {
        let rows = network.tensors.iter().map(|tensor| tensor.rows).max().unwrap_or(0);
        let of_worker = |_| {
            let validation = validation.map(|data| predict::Memory::new(network, data.len())).transpose()?;
            let squares = Buffer::zeroed(rows, "what is known of rows")?;
            Ok(Mutex::new(Some(WorkerMemory { scratch: Scratch::new(sizes)?, squares, validation })))
        };
        (0..workers).map(of_worker).collect()
    }
}

/// A matrix whose magnitudes are summed once it is complete.
pub struct Magnitudes {
    /// Where the sum goes, among those of a worker.
    pub place: usize,
    pub slot: Slot,
    /// How the matrix is multiplied.
    pub factors: Factors,
}

/// The magnitudes that are known at the end of a phase, of what the gradients of these stages are sums of products of.
fn magnitudes(network: &Network, stages: &[usize], phase: &Phase) -> Vec<Magnitudes> {
    let of_stage = |(index, &stage): (usize, &usize)| {
        let multiplied = network.training.stages[stage].multiplied();
        let both = multiplied.map(|(factors, deltas, kind)| [(0, factors, kind), (1, deltas, kind)]);
        let sum = move |(which, slot, factors)| Magnitudes { place: 2 * index + which, slot, factors };
        both.into_iter().flatten().map(sum)
    };
    stages.iter().enumerate().flat_map(of_stage).filter(|sum| phase.completes.contains(&sum.slot)).collect()
}

/// What each worker has of its own.
pub struct Own<T> {
    pub scratch: Scratch<T>,
    pub lookout: Lookout,
    pub share: Share,
    /// How a batch passes forward and back.
    pub phases: Vec<Phase>,
    /// Of each phase: which magnitudes it completes.
    pub sums: Vec<Vec<Magnitudes>>,
    /// Its share in pieces of about [`BLOCK_ELEMENTS`].
    pub blocks: Vec<Block>,
    /// One number for each row of one of its pieces.
    pub squares: Buffer<f64>,
    /// The dropout of each hidden layer in the present step.
    pub rates: Vec<f64>,
}

impl<T: Scalar> Own<T> {
    /// The share of one of `workers` workers.
    pub fn new(
        training: &Training<'_, '_, '_, T>,
        worker: usize,
        workers: usize,
        (scratch, squares): (Scratch<T>, Buffer<f64>),
    ) -> Self {
        let tensors = &training.network.tensors;
        let pieces = tensors.share(worker, workers, |tensor| training.policy.trained[tensor]);
        let share = Share::new(tensors, pieces);
        let pieces = &share.pieces;
        let Training { data, policy, rows_held, sequence, shards, .. } = training;
        let of_step = ((*rows_held).min(sequence.batch_size), workers);
        let sparse = data.x.sparse().is_some();
        let of_shard = shards.most_rows(sequence.batch_size).min(*rows_held);
        let phases = phases(training.network, training.options.cuts, of_step, policy.first_stage, sparse);
        // Nobody asks for them where gradients need not be finite, or are looked at before the update anyway.
        let stages = if policy.checks && shards.count() == 1 { &policy.stages[..] } else { &[] };
        let sums_of = |phase| magnitudes(training.network, stages, phase);
        Own {
            scratch,
            sums: phases.iter().map(sums_of).collect(),
            phases,
            lookout: training.agreement.interrupt().lookout(worker == 0),
            blocks: pieces.iter().flat_map(|piece| blocks(tensors, piece, of_shard)).collect(),
            squares,
            share,
            rates: training.network.dropout.clone(),
        }
    }
}

/// One step.
pub struct TrainingStep<'o> {
    /// Its number in this training.
    pub number: u64,
    pub epoch: u64,
    /// The order of the epoch's rows.
    pub order: &'o [u32],
    /// Its place in the epoch.
    pub rows: Range<usize>,
    /// Its total weight, where all its rows are here: see [`Training::weight`].
    pub weight: f64,
    /// What multiplies the sum of its losses before their gradient is taken.
    pub scale: f64,
    /// The key of its dropout.
    pub noise: Option<u64>,
}

/// A piece cut into blocks. Wide layers have larger ones: each block reads all that `rows` rows of the batch brought, which
/// takes time that enough rows of weights must pay for.
fn blocks(tensors: &Tensors, piece: &Piece, rows: usize) -> impl Iterator<Item = Block> {
    let cols = tensors.get(piece.tensor).cols;
    let height = (BLOCK_ELEMENTS / cols).max((rows * 3 / 4).clamp(48, 192)).next_multiple_of(12);
    let Piece { tensor, tile: Tile { rows, cols } } = piece.clone();
    rows.clone().step_by(height).map(move |start| {
        let tile = Tile { rows: start..rows.end.min(start + height), cols: cols.clone() };
        let piece = Piece { tensor, tile };
        Block { range: tensors.range(&piece), piece }
    })
}
