//! Training from the first epoch to the last.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};

use super::super::agreement::Agreement;
use super::super::claims::{Gradient, Parameters};
use super::super::data::Data;
use super::super::figures::{Figures, Finding, Published};
use super::super::memory::Workspace;
use super::super::network::Network;
use super::super::objective;
use super::best::{Best, Criterion};
use super::leader::Leader;
use super::options::{Monitor, Options, Position};
use super::sequence::Sequence;
use super::team_size::{Beginning, KnownTeam, TeamSize};
use super::told::Told;
use super::training::{Length, Policy, Training, WorkerMemory};
use crate::buffer::{Buffer, filled};
use crate::cores::cores;
use crate::error::Result;
use crate::interrupt::Interrupt;
use crate::optim::Optimizer;
use crate::reductions::largest;
use crate::scalar::Scalar;
use crate::stop::Stop;
use crate::team::{self, Shared};

/// Floating-point operations of a step that pay for one more worker: two meetings cost about a microsecond, and what one core
/// has written and another one reads 30 ns for each cache line.
const FLOPS_PER_WORKER: f64 = 1e6;

/// With fewer for each nobody looks whether more workers are quicker.
const LEAST_FLOPS_PER_WORKER: f64 = 0.25e6;

/// Floating-point operations of a worker's share of a step from which on it takes so long that it must be possible to interrupt
/// it in its second half too: a quarter of a second.
const LONG_PER_WORKER: f64 = 1e10;

/// Trains `params` on `data`, watched by `monitor`, and returns why it stopped, and where: a training with the same options
/// that starts there goes on as if nothing had happened. `best` looks for the best epoch on the validation data.
///
/// Fails where a loss or a gradient is not finite and the optimizer says so; `params` are then those of the last finished step.
pub fn fit<'d, T: Scalar>(
    network: &Network,
    params: &mut [T],
    optimizer: &mut Optimizer<T>,
    (data, validation): (&Data<'d, T>, Option<&Data<'d, T>>),
    options: &Options,
    monitor: &mut dyn Monitor,
    best: Option<Best<'_, T>>,
) -> (Result<Stop>, Position) {
    let mut known = KnownTeam::default();
    let team = team_size(network, options, data.len(), &mut known);
    fit_in_teams(network, params, optimizer, (data, validation), options, (team, monitor, best))
}

/// The same by teams of that size, which finds out how many workers are quick.
pub fn fit_in_teams<'d, T: Scalar>(
    network: &Network,
    params: &mut [T],
    optimizer: &mut Optimizer<T>,
    (data, validation): (&Data<'d, T>, Option<&Data<'d, T>>),
    options: &Options,
    (team, monitor, best): (&mut TeamSize, &mut dyn Monitor, Option<Best<'_, T>>),
) -> (Result<Stop>, Position) {
    let counts_errors = best.as_ref().is_some_and(|best| best.selection.criterion == Criterion::ErrorRate);
    match Prepared::new(network, params, optimizer, (data, validation), (options, team.most()), counts_errors) {
        Ok(prepared) => run(network, params, optimizer, (data, validation), options, (prepared, team, monitor, best)),
        Err(error) => (Err(error), options.start),
    }
}

/// All the memory that a training takes for itself.
struct Prepared<'a, T> {
    sequence: Sequence<'a>,
    workspace: Workspace<T>,
    grads: Buffer<T>,
    /// What is added to it, one node after the other.
    nodes: Buffer<T>,
    told: Option<Told<T>>,
    shard_losses: Figures,
    shard_weights: Figures,
    row_norms: Figures,
    row_squares: Figures,
    largest_weight: Figures,
    largest: Figures,
    peaks: Figures,
    sums: Buffer<f64>,
    magnitudes: Figures,
    validation_losses: Figures,
    validation_errors: Figures,
    order: Vec<u32>,
    memories: Vec<Mutex<Option<WorkerMemory<T>>>>,
}

impl<'a, T: Scalar> Prepared<'a, T> {
    fn new(
        network: &Network,
        params: &[T],
        optimizer: &Optimizer<T>,
        (data, validation): (&Data<'_, T>, Option<&Data<'_, T>>),
        (options, workers): (&'a Options, usize),
        counts_errors: bool,
    ) -> Result<Self> {
        let sequence = Sequence::new(options, data.len());
        let shards = &options.shards;
        let of_shard = shards.most_rows(sequence.batch_size);
        let most_rows = most_rows(options, &sequence);
        let tensors = &network.tensors;
        let workspace = network.workspace(most_rows, data.x.sparse().is_some())?;
        let (row_squares, largest_weight) = (objective::row_squares(network, params)?, Figures::zeros(1)?);
        largest_weight.set(0, row_squares.sum().sqrt());
        let summed = if of_shard > workspace.rows() { tensors.len() } else { 0 };
        let sizes = network.training_sizes(workspace.rows());
        Ok(Prepared {
            sequence,
            workspace,
            // Walked side by side with the optimizer's arrays.
            grads: Buffer::staggered(tensors.len(), optimizer.slots().len(), "the gradient")?,
            nodes: Buffer::zeroed((shards.depth() - 1).saturating_mul(tensors.len()), "the gradients of shards")?,
            told: shards.are_shared().then(|| Told::new(shards, tensors.len())).transpose()?,
            shard_losses: Figures::zeros(shards.count())?,
            shard_weights: Figures::zeros(shards.count())?,
            row_norms: Figures::zeros(tensors.rows())?,
            row_squares,
            largest_weight,
            largest: Figures::zeros(workers)?,
            peaks: Figures::zeros(2 * workers)?,
            sums: Buffer::zeroed(summed, "the sums of the gradient")?,
            magnitudes: Figures::zeros(workers * 2 * network.training.stages.len())?,
            validation_losses: Figures::zeros(validation.map_or(0, Data::len))?,
            validation_errors: Figures::zeros(validation.filter(|_| counts_errors).map_or(0, Data::len))?,
            order: filled(0, data.len(), "the order of the rows")?,
            memories: WorkerMemory::of_each(network, (workers, sizes), validation)?,
        })
    }
}

/// Trains with memory that is there.
fn run<'d, T: Scalar>(
    network: &Network,
    params: &mut [T],
    optimizer: &mut Optimizer<T>,
    (data, validation): (&Data<'d, T>, Option<&Data<'d, T>>),
    options: &Options,
    (prepared, team, monitor, best): (Prepared<'_, T>, &mut TeamSize, &mut dyn Monitor, Option<Best<'_, T>>),
) -> (Result<Stop>, Position) {
    let Prepared { sequence, mut workspace, mut grads, mut nodes, mut sums, order, memories, .. } = prepared;
    let policy = policy(network, optimizer);
    let workers = team.workers();
    // Asked for where steps depend on weights.
    let state = optimizer.slots().iter().filter(|_| network.l2 != 0.0).map(|slot| largest(slot)).fold(0.0, f64::max);
    let flops = network.step_flops(sequence.batch_size.min(workspace.rows()));
    // Out of the optimizer for as long as the workers share them.
    let shared = if policy.one_pass { optimizer.slots_mut() } else { &mut [] };
    let mut slots: Vec<_> = shared.iter_mut().map(std::mem::take).collect();
    let state_arrays = slots.iter_mut().map(|slot| Shared::new(slot)).collect();
    let gradient = Gradient::new(&mut grads, &mut sums).with_nodes(&mut nodes);
    let training = Training {
        network,
        data,
        validation,
        options,
        sequence,
        rows_held: workspace.rows(),
        shards: &options.shards,
        shard_losses: prepared.shard_losses,
        shard_weights: prepared.shard_weights,
        batch: workspace.share(&network.training.matrices, data),
        row_norms: prepared.row_norms,
        largest_weight: prepared.largest_weight,
        largest: prepared.largest,
        peaks: prepared.peaks,
        row_squares: prepared.row_squares,
        magnitudes: prepared.magnitudes,
        validation_losses: prepared.validation_losses,
        validation_errors: prepared.validation_errors,
        parameters: Parameters::new(params, gradient, state_arrays),
        policy,
        order: RwLock::new(order),
        step: Published::new(None),
        bad_loss: AtomicU64::new(0),
        bad_gradient: Finding::default(),
        bad_update: Finding::default(),
        stop: AtomicBool::new(false),
        regroups: AtomicBool::new(false),
        memories,
        agreement: Agreement::new(if options.shards.are_shared() { Interrupt::never() } else { monitor.interrupt() }),
        length: Length {
            meets_late: flops >= objective::LONG,
            splits: flops >= workers as f64 * LONG_PER_WORKER,
            validates_long: validation.is_some_and(|data| network.step_flops(data.len()) >= objective::LONG),
        },
        leader: Mutex::new(Leader::new((optimizer, monitor), best, options, (prepared.told, state, team))),
    };
    let panic = catch_unwind(AssertUnwindSafe(|| work_in_teams(&training, workers)));
    let leader = training.leader.into_inner().unwrap_or_else(PoisonError::into_inner);
    let (optimizer, outcome, position) = leader.into_parts();
    optimizer.slots_mut().iter_mut().zip(slots).for_each(|(to, slot)| *to = slot);
    if let Err(payload) = panic {
        resume_unwind(payload);
    }
    (outcome.unwrap_or(Ok(Stop::Epochs)), position)
}

/// One team after the other: each leaves where the number of workers changes.
fn work_in_teams<T: Scalar>(training: &Training<'_, '_, '_, T>, workers: usize) {
    let mut next = Some((Beginning::default(), workers));
    while let Some((beginning, workers)) = next {
        team::run(workers, |worker| training.work(worker, beginning));
        next = training.leader.lock().unwrap_or_else(PoisonError::into_inner).next_team();
        training.regroups.store(false, Ordering::Relaxed);
        // The next team may have no rows for a worker that had some.
        training.magnitudes.clear();
    }
}

fn policy<T: Scalar>(network: &Network, optimizer: &Optimizer<T>) -> Policy {
    let one_pass = optimizer.is_one_pass();
    let trained: Vec<_> = (0..network.tensors.count()).map(|tensor| !optimizer.is_frozen(tensor)).collect();
    let stages = &network.training.stages;
    let first_stage = network.training.first_wanted(|tensor| trained[tensor]).unwrap_or(stages.len());
    Policy {
        checks: optimizer.checks(),
        clips: one_pass && optimizer.clips(),
        one_pass,
        first_stage,
        stages: (first_stage..stages.len()).filter(|&stage| !stages[stage].tensors().is_empty()).collect(),
        trained,
    }
}

/// How many workers a training with batches of that size deserves.
pub fn workers(network: &Network, batch_size: usize) -> usize {
    workers_of(network.step_flops(batch_size), FLOPS_PER_WORKER)
}

fn workers_of(flops: f64, of_worker: f64) -> usize {
    ((flops / of_worker) as usize).clamp(1, cores())
}

/// The most rows of a step that are here.
fn most_rows(options: &Options, sequence: &Sequence<'_>) -> usize {
    // The last batch, which is shorter, may have one row more for a shard than the others have.
    sequence.rows_of_full_batch().max(options.shards.most_rows(sequence.batch_size))
}

/// The teams of a training with so many rows here: as trainings of the same network before it have found out, or new ones.
pub fn team_size<'k>(network: &Network, options: &Options, here: usize, known: &'k mut KnownTeam) -> &'k mut TeamSize {
    let rows = most_rows(options, &Sequence::new(options, here));
    let flops = network.step_flops(rows);
    let deserved = |of_worker| {
        let workers = objective::workers_at_most(network, rows, workers_of(flops, of_worker));
        workers.min(options.thread_limit.unwrap_or(usize::MAX))
    };
    let fresh = match options.threads {
        Some(threads) => TeamSize::fixed(objective::workers_at_most(network, rows, threads)),
        // Other processes would wait for one that compares, and steps so long are the shorter the more take part.
        None if options.shards.are_shared() || flops >= LONG_PER_WORKER => TeamSize::fixed(deserved(FLOPS_PER_WORKER)),
        None => TeamSize::compared(deserved(FLOPS_PER_WORKER), deserved(LEAST_FLOPS_PER_WORKER)),
    };
    known.of(flops, fresh)
}
