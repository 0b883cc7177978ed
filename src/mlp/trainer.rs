//! Training: epochs, steps, what is checked and when to stop.
//!
//! Every worker runs the same loop. In a step each takes some rows of the batch forward and back, then, after a meeting,
//! computes the gradient of some of the parameters over all rows and updates those. No gradient is ever summed across
//! workers, no element's additions depend on the partition: the bits are the same for any number of workers.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::batch::{Batch, Data, Workspace};
use super::network::Network;
use super::params::{Rows, Shape};
use super::predict::{self, Ladder};
use super::random;
use crate::error::{Error, Result};
use crate::kernels::matmul::Scratch;
use crate::kernels::sums::{AllFinite, RowSquares};
use crate::optim::{Optimizer, Slices, Step, driver};
use crate::scalar::Scalar;
use crate::simd::dispatch;
use crate::team::{self, Shared, Worker};

/// Floating-point operations of a step that pay for one more worker: two meetings cost about a microsecond, and what one core
/// has written and another one reads 30 ns for each cache line.
const FLOPS_PER_WORKER: f64 = 1e6;
/// Elements of a gradient that are updated while they are in the second-level cache.
const BLOCK: usize = 48 * 1024;
/// The fewest elements that are worth an update of their own: smaller blocks wait for the next.
const MIN_UPDATE: usize = 4096;
/// How often the monitor is asked whether to go on.
const TICK: Duration = Duration::from_millis(40);
/// Floating-point operations between two looks at the clock, about a tenth of a millisecond.
const FLOPS_PER_LOOK: f64 = 1e7;

/// How to train.
#[derive(Debug, Clone)]
pub struct Options {
    /// Rows per step; None for all of them.
    pub batch_size: Option<usize>,
    /// Passes over the data.
    pub epochs: usize,
    /// The number of the first epoch, which tells its order of rows from that of the others.
    pub first_epoch: u64,
    /// Whether each epoch takes the rows in a new order.
    pub shuffle: bool,
    /// Seed of the orders and of dropout.
    pub seed: u64,
    /// Workers; None for what the work deserves.
    pub threads: Option<usize>,
    /// Stop after an epoch whose loss is not above this.
    pub target_loss: Option<f64>,
    /// Whether the optimizer's schedules are told the result of each epoch: they may depend on it.
    pub tells: bool,
}

/// What an epoch brought.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Epoch {
    /// Its number in this training, from 0.
    pub number: usize,
    /// The objective over the epoch's batches, each at the parameters before its step.
    pub loss: f64,
    /// The objective on the validation data after the epoch.
    pub val_loss: Option<f64>,
    /// The penalty's share of `loss`.
    pub penalty: f64,
    /// The learning rate of its last step.
    pub lr: f64,
}

/// What a monitor wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Go on.
    Continue,
    /// Stop, and keep the parameters of the last finished step.
    Stop,
}

/// Who watches the training, on the thread that called [`fit`].
pub trait Monitor<T>: Send {
    /// Called some twenty times a second, between steps.
    fn tick(&mut self) -> Flow;
    /// Called after each epoch; may change the parameters.
    fn epoch(&mut self, epoch: &Epoch, params: &mut [T]) -> Flow;
}

/// Why training stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// All epochs are done.
    Epochs,
    /// The target loss is reached.
    TargetLoss,
    /// The monitor said so after an epoch.
    Monitor,
    /// The monitor said so in the middle of an epoch.
    Interrupted,
}

/// Trains `params` on `data`.
///
/// Fails where a loss or a gradient is not finite and the optimizer says so; `params` are then those of the last finished step.
#[allow(clippy::too_many_arguments)]
pub fn fit<'d, T: Scalar>(
    network: &Network,
    params: &mut [T],
    optimizer: &mut Optimizer<T>,
    data: &Data<'d, T>,
    validation: Option<&Data<'d, T>>,
    options: &Options,
    monitor: &mut dyn Monitor<T>,
) -> Result<Stopped> {
    let batch_size = options.batch_size.unwrap_or(data.len()).clamp(1, data.len().max(1));
    let flops = network.shape.step_flops(batch_size);
    let workers = options.threads.unwrap_or_else(|| workers(network, batch_size));
    let mut workspace = Workspace::new(network, batch_size, data.x.sparse().is_some());
    let mut grads = vec![T::ZERO; network.shape.len()];
    let mut row_norms = vec![0.0; network.shape.rows()];
    let mut magnitudes = vec![0.0; workers * 2 * network.shape.layers()];
    let mut row_penalties = vec![0.0; network.shape.rows()];
    let mut order = vec![0; data.len()];
    let mut val_loss = vec![0.0; validation.map_or(0, Data::len)];
    let mut step = [None];
    let one_pass = optimizer.is_one_pass();
    // Out of the optimizer for as long as the workers share them.
    let shared = if one_pass { optimizer.slots_mut() } else { &mut [] };
    let mut slots: Vec<_> = shared.iter_mut().map(std::mem::take).collect();
    let fit = Fit {
        network,
        data,
        validation,
        options,
        batch_size,
        rows_held: workspace.rows(),
        batch: workspace.share(network, data.x.sparse()),
        params: Shared::new(params),
        grads: Shared::new(&mut grads),
        slots: slots.iter_mut().map(|slot| Shared::new(slot)).collect(),
        row_norms: Shared::new(&mut row_norms),
        magnitudes: Shared::new(&mut magnitudes),
        row_penalties: Shared::new(&mut row_penalties),
        order: Shared::new(&mut order),
        val_loss: Shared::new(&mut val_loss),
        step: Shared::new(&mut step),
        checks: optimizer.needs_norm(),
        clips: one_pass && optimizer.clips(),
        one_pass,
        bad_loss: AtomicU64::new(0),
        bad_gradient: AtomicU64::new(0),
        stop: AtomicBool::new(false),
        leader: Mutex::new(Leader {
            optimizer,
            monitor,
            outcome: Ok(Stopped::Epochs),
            ends: false,
            loss: 0.0,
            weight: 0.0,
            penalty: 0.0,
            lr: f64::NAN,
            last_tick: Instant::now(),
            steps_per_look: ((FLOPS_PER_LOOK / flops) as u64).max(1),
        }),
    };
    team::run(workers, |worker| fit.work(worker));
    let Leader { optimizer, outcome, .. } = fit.leader.into_inner().unwrap_or_else(PoisonError::into_inner);
    optimizer.slots_mut().iter_mut().zip(slots).for_each(|(to, slot)| *to = slot);
    outcome
}

/// How many workers a training with batches of that size deserves.
pub fn workers(network: &Network, batch_size: usize) -> usize {
    ((network.shape.step_flops(batch_size) / FLOPS_PER_WORKER) as usize).clamp(1, team::cores())
}

/// A part of the parameters, in pieces of about [`BLOCK`] elements. Wide layers have larger ones: each block reads all that
/// `rows` rows of the batch brought, which takes time that enough rows of weights must pay for.
fn blocks(shape: &Shape, part: &Rows, rows: usize) -> impl Iterator<Item = Rows> {
    let height = (BLOCK / shape.widths()[part.layer + 1]).max((rows / 5).clamp(48, 192)).next_multiple_of(12);
    let (layer, rows) = (part.layer, part.rows.clone());
    rows.clone().step_by(height).map(move |start| Rows { layer, rows: start..rows.end.min(start + height) })
}

/// What the team shares.
struct Fit<'a, 'd, 'l, T: Scalar> {
    network: &'a Network,
    data: &'a Data<'d, T>,
    validation: Option<&'a Data<'d, T>>,
    options: &'a Options,
    batch_size: usize,
    rows_held: usize,
    batch: Batch<'a, T>,
    params: Shared<'a, T>,
    grads: Shared<'a, T>,
    slots: Vec<Shared<'a, T>>,
    /// Of each row of the parameters: the squared norm of its gradient, and of its weights.
    row_norms: Shared<'a, f64>,
    /// Of each worker: what [`Network::magnitudes`] says of its rows.
    magnitudes: Shared<'a, f64>,
    row_penalties: Shared<'a, f64>,
    order: Shared<'a, u32>,
    val_loss: Shared<'a, f64>,
    step: Shared<'a, Option<Step<T>>>,
    checks: bool,
    clips: bool,
    /// Whether the workers can make a step together; where not, the leader makes it alone.
    one_pass: bool,
    /// The number of the step in which somebody found NaN or infinity in the losses, or in the gradient. Two flags: a slow
    /// worker may still read the first when a quick one sets the second.
    bad_loss: AtomicU64,
    bad_gradient: AtomicU64,
    stop: AtomicBool,
    leader: Mutex<Leader<'l, T>>,
}

/// What only worker 0 has.
struct Leader<'l, T: Scalar> {
    optimizer: &'l mut Optimizer<T>,
    monitor: &'l mut dyn Monitor<T>,
    outcome: Result<Stopped>,
    ends: bool,
    /// Of the epoch so far: weighted losses, weights, penalties times the weights of their batches.
    loss: f64,
    weight: f64,
    penalty: f64,
    lr: f64,
    last_tick: Instant,
    steps_per_look: u64,
}

/// What each worker has of its own.
struct Own<T> {
    scratch: Scratch<T>,
    parts: Vec<Rows>,
    /// The same, in pieces of about [`BLOCK`] elements.
    blocks: Vec<Rows>,
    ladder: Option<Ladder<T>>,
}

/// One step: its number in this training, its place in the order of rows, and its total weight.
#[derive(Clone)]
struct Now {
    step: u64,
    rows: Range<usize>,
    weight: f64,
    noise: Option<u64>,
}

impl<'l, T: Scalar> Fit<'_, '_, 'l, T> {
    fn work(&self, worker: &Worker) {
        let parts = self.network.shape.share(worker.index, worker.count);
        let mut own = Own {
            scratch: Scratch::new(self.network.shape.max_inputs()),
            blocks: parts.iter().flat_map(|part| blocks(&self.network.shape, part, self.rows_held)).collect(),
            parts,
            ladder: self.validation.map(|data| Ladder::new(self.network, data.len())),
        };
        let mut leader = (worker.index == 0).then(|| self.leader.lock().unwrap_or_else(PoisonError::into_inner));
        let mut step = 0;
        for number in 0..self.options.epochs {
            let epoch = self.options.first_epoch + number as u64;
            if let Some(leader) = &mut leader {
                self.begin_epoch(leader, epoch);
            }
            worker.meet();
            for start in (0..self.data.len()).step_by(self.batch_size) {
                step += 1;
                let rows = start..self.data.len().min(start + self.batch_size);
                // SAFETY: the order is only written when an epoch begins.
                let weight = self.data.weight_of(unsafe { self.order.read(rows.clone()) });
                let noise = random::key(&[self.options.seed, 1, epoch, start as u64]);
                let noise = (0..self.batch.hidden.len()).any(|layer| self.network.drops(layer)).then_some(noise);
                self.train(worker, &mut own, &mut leader, &Now { step, rows, weight, noise });
                self.publish(&leader);
                worker.meet();
                if self.stop.load(Ordering::Relaxed) {
                    return;
                }
                if let Some(leader) = &mut leader {
                    self.account_penalty(leader, weight);
                }
            }
            if let (Some(data), Some(ladder)) = (self.validation, &mut own.ladder) {
                // SAFETY: nobody writes parameters now; `val_loss` is for this alone.
                unsafe {
                    let params = self.params.read(0..self.params.len());
                    predict::row_losses(self.network, params, data, &self.val_loss, worker, ladder);
                }
            }
            worker.meet();
            if let Some(leader) = &mut leader {
                self.end_epoch(leader, number);
            }
            self.publish(&leader);
            worker.meet();
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
        }
    }

    fn begin_epoch(&self, leader: &mut Leader<'_, T>, epoch: u64) {
        (leader.loss, leader.weight, leader.penalty) = (0.0, 0.0, 0.0);
        // SAFETY: the other workers wait for the order.
        let order = unsafe { self.order.write(0..self.order.len()) };
        if self.options.shuffle {
            random::permutation(order, random::key(&[self.options.seed, 0, epoch]));
        } else {
            random::in_order(order);
        }
    }

    /// One step, but for the meeting that ends it.
    fn train(&self, worker: &Worker, own: &mut Own<T>, leader: &mut Option<MutexGuard<'_, Leader<'l, T>>>, now: &Now) {
        if self.bad_gradient.load(Ordering::Relaxed) == now.step - 1 && now.step > 1 {
            // Found by `descend`.
            return self.refuse(leader, "the gradient");
        }
        let penalty = self.network.penalty_strength(now.weight);
        let scale = match self.network.loss.mean() {
            true if now.weight > 0.0 => 1.0 / now.weight,
            true => 0.0,
            false => 1.0,
        };
        for start in now.rows.clone().step_by(self.rows_held) {
            let held = start..now.rows.end.min(start + self.rows_held);
            let (first, last) = (start == now.rows.start, held.end == now.rows.end);
            self.propagate(worker, own, held.clone(), scale, now);
            if let Some(leader) = leader
                && first
                && self.trusts()
            {
                self.begin_step(leader, self.checks.then_some(0.0));
            }
            worker.meet();
            if self.bad_loss.load(Ordering::Relaxed) == now.step {
                return self.refuse(leader, "the loss");
            }
            if let Some(leader) = leader {
                // SAFETY: the losses are written again only after the next meeting.
                leader.loss += unsafe { self.batch.row_loss.read(0..held.len()) }.iter().sum::<f64>();
            }
            if first && last && self.nothing_in_between(worker) {
                self.descend(own, held.len(), penalty, now.step);
                if let Some(leader) = leader {
                    self.account(leader, now);
                }
                return;
            }
            for part in &own.parts {
                // SAFETY: the parts of the workers are disjoint, and nobody writes to the batch now.
                unsafe { self.network.gradient(&self.batch, held.len(), part, first, &self.grads, &mut own.scratch) };
            }
            if !last {
                worker.meet();
            }
        }
        self.finish_gradient(own, penalty, now.step);
        if self.checks || penalty != 0.0 || !self.one_pass {
            worker.meet();
        }
        if self.bad_gradient.load(Ordering::Relaxed) == now.step {
            return self.refuse(leader, "the gradient");
        }
        if self.clips {
            if let Some(leader) = leader {
                // SAFETY: all norms are written, and written again only after the next meeting.
                let norm = unsafe { self.row_norms.read(0..self.row_norms.len()) }.iter().sum::<f64>().sqrt();
                self.begin_step(leader, Some(norm));
            }
            worker.meet();
        }
        if self.one_pass {
            own.parts.iter().for_each(|part| self.update(self.network.shape.range(part)));
        } else if let Some(leader) = leader {
            self.step_alone(leader);
        }
        if let Some(leader) = leader {
            self.account(leader, now);
        }
    }

    /// Whether a step is begun before its gradient is known: nothing of that is needed to begin it.
    fn trusts(&self) -> bool {
        self.one_pass && !self.clips
    }

    /// Some rows of the batch forward, and back.
    fn propagate(&self, worker: &Worker, own: &mut Own<T>, held: Range<usize>, scale: f64, now: &Now) {
        let rows = worker.share(held.len(), 4);
        let first = held.start - now.rows.start;
        // SAFETY: shares are disjoint rows of the batch; parameters and order are not written now.
        unsafe {
            let params = self.params.read(0..self.params.len());
            let order = self.order.read(0..self.order.len());
            self.batch.gather(self.data, &order[held.clone()], rows.clone());
            // The rows of the next step are on their way from memory while this one computes.
            let next = now.rows.end + rows.start..now.rows.end + rows.end;
            self.data.prefetch(&order[next.start.min(order.len())..next.end.min(order.len())]);
            self.network.forward(params, &self.batch, rows.clone(), now.noise, first, &mut own.scratch);
            let finite = self.network.losses(&self.batch, self.data, rows.clone(), Some(scale));
            if self.checks && !finite {
                self.bad_loss.store(now.step, Ordering::Relaxed);
            }
            self.network.backward(params, &self.batch, rows.clone(), now.noise.is_some(), &mut own.scratch);
            if self.checks {
                let each = 2 * self.network.shape.layers();
                let to = self.magnitudes.write(worker.index * each..(worker.index + 1) * each);
                self.network.magnitudes(&self.batch, rows, to);
            }
        }
    }

    /// Whether gradient and update can follow each other block by block: no norm to sum up in between, and no element that
    /// might not be finite.
    fn nothing_in_between(&self, worker: &Worker) -> bool {
        let layers = self.network.shape.layers();
        let sum = |which: usize| -> f64 {
            // SAFETY: written before the last meeting, and again only after the next.
            let all = unsafe { self.magnitudes.read(0..worker.count * 2 * layers) };
            all.iter().skip(which).step_by(2 * layers).sum()
        };
        let bounded = |layer| sum(2 * layer) * sum(2 * layer + 1) < T::MAX.to_f64() / 4.0;
        self.trusts() && (!self.checks || (0..layers).all(bounded))
    }

    /// The gradient of this worker's parameters and their update, block by block: it never leaves the cache.
    ///
    /// With a penalty, weights that are not finite, or too large for their share of it, can still spoil the gradient. They
    /// are met too late to hold back the other workers; this one leaves out its update, and the next step is refused.
    fn descend(&self, own: &mut Own<T>, rows: usize, penalty: f64, step: u64) {
        let shape = &self.network.shape;
        let mut ready = 0..0;
        for (index, block) in own.blocks.iter().enumerate() {
            // SAFETY: the parts of the workers are disjoint, and nobody writes to the batch now.
            unsafe { self.network.gradient(&self.batch, rows, block, true, &self.grads, &mut own.scratch) };
            if penalty != 0.0 && !self.penalise(block, penalty) && self.checks {
                return self.bad_gradient.store(step, Ordering::Relaxed);
            }
            let range = shape.range(block);
            ready = if ready.is_empty() { range } else { ready.start..range.end };
            if ready.len() >= MIN_UPDATE || index + 1 == own.blocks.len() {
                self.update(std::mem::take(&mut ready));
            }
        }
    }

    /// The penalty's share of the gradient of some of this worker's parameters. False where it may not be finite.
    fn penalise(&self, part: &Rows, penalty: f64) -> bool {
        let shape = &self.network.shape;
        let weights = part.rows.start..part.rows.end.min(shape.widths()[part.layer]);
        let range = shape.range(&Rows { layer: part.layer, rows: weights.clone() });
        let first = shape.first_row(part.layer);
        // SAFETY: the rows of the workers are disjoint; this worker alone writes its parameters.
        unsafe {
            let squares = self.row_penalties.write(first + weights.start..first + weights.end.max(weights.start));
            let (grads, params) = (self.grads.write(range.clone()), self.params.read(range));
            self.network.penalise(part.layer, grads, params, penalty, squares)
        }
    }

    /// The penalty's share of this worker's gradient, and the figures that the step needs.
    fn finish_gradient(&self, own: &Own<T>, penalty: f64, step: u64) {
        let shape = &self.network.shape;
        let mut finite = true;
        for part in &own.parts {
            if penalty != 0.0 {
                finite &= self.penalise(part, penalty);
            }
            let range = shape.range(part);
            if self.clips {
                let first = shape.first_row(part.layer);
                // SAFETY: the rows of the workers are disjoint.
                let (x, squares) = unsafe {
                    (self.grads.read(range), self.row_norms.write(first + part.rows.start..first + part.rows.end))
                };
                dispatch(RowSquares { x, width: shape.widths()[part.layer + 1], squares });
                finite &= squares.iter().all(|squares| squares.is_finite());
            } else if self.checks {
                // SAFETY: this part is this worker's.
                finite &= dispatch(AllFinite(unsafe { self.grads.read(range) }));
            }
        }
        if self.checks && !finite {
            self.bad_gradient.store(step, Ordering::Relaxed);
        }
    }

    /// Updates some parameters of this worker's.
    fn update(&self, range: Range<usize>) {
        // SAFETY: the step is written only before a meeting and read after it.
        let Some(step) = (unsafe { &self.step.read(0..1)[0] }) else { return };
        if step.is_uniform() {
            return self.update_tensor(step, 0, range);
        }
        for layer in 0..self.network.shape.layers() {
            for (tensor, whole) in
                [(2 * layer, self.network.shape.weights(layer)), (2 * layer + 1, self.network.shape.biases(layer))]
            {
                let part = range.start.max(whole.start)..range.end.min(whole.end);
                if !part.is_empty() {
                    self.update_tensor(step, tensor, part);
                }
            }
        }
    }

    fn update_tensor(&self, step: &Step<T>, tensor: usize, range: Range<usize>) {
        let mut slots: [&mut [T]; crate::optim::rule::MAX_SLOTS] = Default::default();
        // SAFETY: the parts of the workers are disjoint, and all have read what they need of the parameters.
        unsafe {
            slots.iter_mut().zip(&self.slots).for_each(|(to, slot)| *to = slot.write(range.clone()));
            let count = self.slots.len();
            step.apply(tensor, self.params.write(range.clone()), self.grads.read(range), &mut slots[..count]);
        }
    }

    /// Leader: fixes the scalars of the step, for all to read after the next meeting.
    fn begin_step(&self, leader: &mut Leader<'_, T>, norm: Option<f64>) {
        let begun = leader.optimizer.begin_step(norm);
        if let Ok(step) = &begun {
            leader.lr = step.lr();
        }
        // SAFETY: the others read it only after the next meeting.
        unsafe { self.step.write(0..1)[0] = begun.map_err(|error| Self::end(leader, Err(error))).ok() };
    }

    /// Leader: a step that the workers cannot make together, with the gradient that they have computed.
    fn step_alone(&self, leader: &mut Leader<'_, T>) {
        let shape = &self.network.shape;
        // SAFETY: the other workers wait for the meeting that ends the step.
        let (mut params, mut grads) =
            unsafe { (self.params.write(0..self.params.len()), self.grads.read(0..self.grads.len())) };
        let tensors = shape.tensors().into_iter().map(|len| {
            let (of_params, of_grads);
            (of_params, params) = std::mem::take(&mut params).split_at_mut(len);
            (of_grads, grads) = grads.split_at(len);
            (of_params, of_grads)
        });
        let lr = leader.optimizer.lr(0);
        match lr.and_then(|lr| driver::step(leader.optimizer, Slices::new(tensors), 1).map(|_| lr)) {
            Ok(lr) => leader.lr = lr,
            Err(error) => Self::end(leader, Err(error)),
        }
    }

    /// A step whose numbers are not finite: nothing is updated.
    fn refuse(&self, leader: &mut Option<MutexGuard<'_, Leader<'l, T>>>, place: &str) {
        let Some(leader) = leader else { return };
        if leader.outcome.is_err() {
            return;
        }
        if self.trusts() {
            leader.optimizer.undo_step();
        }
        match leader.optimizer.refuse() {
            Err(Error::NonFinite { step, .. }) => {
                Self::end(leader, Err(Error::NonFinite { place: place.into(), step }));
            }
            Err(error) => Self::end(leader, Err(error)),
            Ok(()) => {}
        }
    }

    /// Leader: the books of a finished step, and now and then a look at the clock. The last step of an epoch leaves that to
    /// its end, or an epoch that is done would go without its record.
    fn account(&self, leader: &mut Leader<'_, T>, now: &Now) {
        leader.weight += now.weight;
        if now.step.is_multiple_of(leader.steps_per_look) && now.rows.end < self.data.len() {
            self.look(leader);
        }
    }

    fn look(&self, leader: &mut Leader<'_, T>) {
        if leader.last_tick.elapsed() >= TICK {
            leader.last_tick = Instant::now();
            if leader.monitor.tick() == Flow::Stop {
                Self::end(leader, Ok(Stopped::Interrupted));
            }
        }
    }

    /// Leader: the penalty of the step before the last meeting.
    fn account_penalty(&self, leader: &mut Leader<'_, T>, weight: f64) {
        let strength = self.network.penalty_strength(weight);
        if strength != 0.0 {
            // SAFETY: they are written again only after the next meeting.
            let squares: f64 = unsafe { self.row_penalties.read(0..self.row_penalties.len()) }.iter().sum();
            leader.penalty += 0.5 * strength * squares * weight;
        }
    }

    fn end(leader: &mut Leader<'_, T>, outcome: Result<Stopped>) {
        (leader.outcome, leader.ends) = (outcome, true);
    }

    /// Leader: lets the others know whether this is the end, to be read after the next meeting. Between this and the last
    /// reading lies a meeting, or a slow worker would leave while the others wait for it.
    fn publish(&self, leader: &Option<MutexGuard<'_, Leader<'l, T>>>) {
        if leader.as_ref().is_some_and(|leader| leader.ends) {
            self.stop.store(true, Ordering::Relaxed);
        }
    }

    fn end_epoch(&self, leader: &mut Leader<'_, T>, number: usize) {
        let loss = if self.network.loss.mean() { leader.loss / leader.weight } else { leader.loss };
        // SAFETY: the other workers wait.
        let params = unsafe { self.params.write(0..self.params.len()) };
        let val_loss = self.validation.map(|data| {
            // SAFETY: as above.
            let row_loss = unsafe { self.val_loss.read(0..self.val_loss.len()) };
            predict::reduce(self.network, data, row_loss) + self.network.penalty(params, data)
        });
        let penalty = leader.penalty / leader.weight.max(f64::MIN_POSITIVE);
        let loss = loss + penalty;
        let epoch = Epoch { number, loss, val_loss, penalty, lr: leader.lr };
        if self.options.tells {
            leader.optimizer.tell(val_loss.unwrap_or(loss));
        }
        let flow = leader.monitor.epoch(&epoch, params);
        if flow == Flow::Stop {
            Self::end(leader, Ok(Stopped::Monitor));
        } else if self.options.target_loss.is_some_and(|target| loss <= target) {
            Self::end(leader, Ok(Stopped::TargetLoss));
        } else {
            self.look(leader);
        }
    }
}

/// The objective on `data` and its gradient, written to `grads`. `noise` is the key of dropout's masks, None for no dropout.
pub fn loss_and_grads<T: Scalar>(
    network: &Network,
    params: &[T],
    data: &Data<'_, T>,
    noise: Option<u64>,
    threads: Option<usize>,
    workspace: &mut Workspace<T>,
    grads: &mut [T],
) -> f64 {
    let order: Vec<u32> = (0..data.len() as u32).collect();
    let weight = data.weight_of(&order);
    let scale = if network.loss.mean() { 1.0 / weight } else { 1.0 };
    let workers = threads.unwrap_or_else(|| {
        ((network.shape.step_flops(data.len()) / FLOPS_PER_CALL_WORKER) as usize).clamp(1, team::cores())
    });
    let rows_held = workspace.rows();
    let batch = workspace.share(network, data.x.sparse());
    let grads = Shared::new(grads);
    let total = Mutex::new(0.0);
    team::run(workers, |worker| {
        let mut scratch = Scratch::new(network.shape.max_inputs());
        let parts = network.shape.share(worker.index, worker.count);
        for start in (0..data.len()).step_by(rows_held) {
            let held = start..data.len().min(start + rows_held);
            let rows = worker.share(held.len(), 4);
            // SAFETY: shares are disjoint rows of the batch, then disjoint parts of the gradient, with a meeting between.
            unsafe {
                batch.gather(data, &order[held.clone()], rows.clone());
                network.forward(params, &batch, rows.clone(), noise, start, &mut scratch);
                network.losses(&batch, data, rows.clone(), Some(scale));
                network.backward(params, &batch, rows, noise.is_some(), &mut scratch);
                worker.meet();
                if worker.index == 0 {
                    let losses: f64 = batch.row_loss.read(0..held.len()).iter().sum();
                    *total.lock().unwrap_or_else(PoisonError::into_inner) += losses;
                }
                for part in &parts {
                    network.gradient(&batch, held.len(), part, start == 0, &grads, &mut scratch);
                }
                worker.meet();
            }
        }
        for part in parts {
            let range = network.shape.range(&part);
            let weights = range.start..range.end.min(network.shape.weights(part.layer).end);
            if network.l2 != 0.0 && !weights.is_empty() {
                // SAFETY: the parts of the workers are disjoint.
                let grads = unsafe { grads.write(weights.clone()) };
                let strength = network.penalty_strength(weight);
                let mut squares = vec![0.0; part.rows.len()];
                network.penalise(part.layer, grads, &params[weights], strength, &mut squares);
            }
        }
    });
    total.into_inner().unwrap_or_else(PoisonError::into_inner) * scale + network.penalty(params, data)
}

/// As [`FLOPS_PER_WORKER`], where the team is woken for one call.
const FLOPS_PER_CALL_WORKER: f64 = 2e6;
