//! What ends a training, and shards.

use std::ops::Range;

use ndarray::Array2;

use super::{Epoch, Monitor, Options, Position, StepRecord, TeamSize, fit, fit_in_teams, shard_sums};
use crate::error::{Error, Result};
use crate::kernels::activation::Activation;
use crate::kernels::loss::{Loss, Targets};
use crate::mlp::cuts::Cuts;
use crate::mlp::data::{Data, Inputs};
use crate::mlp::shards::Shards;
use crate::mlp::{Architecture, Network};
use crate::optim::options::Convention;
use crate::optim::{Config, Optimizer};
use crate::simd::hold_level;
use crate::stop::Stop;

/// Has room for the records of so many steps.
struct Full(usize);

impl Monitor for Full {
    fn step(&mut self, _: &StepRecord) -> Result<()> {
        self.0 = self.0.checked_sub(1).ok_or(Error::Memory { what: "the record".into(), bytes: 40 })?;
        Ok(())
    }
    fn epoch(&mut self, _: &Epoch) -> Option<Stop> {
        None
    }
}

/// Two epochs.
fn brief() -> Options {
    Options { epochs: 2, ..Options::default() }
}

#[test]
fn a_record_that_cannot_be_kept_ends_a_training_after_its_step() {
    let network = Network::new(&Architecture::plain(&[3, 4, 1], Activation::Tanh, Loss::from_name("mse").unwrap()));
    let x = Array2::from_shape_fn((20, 3), |(i, j)| (i + j) as f64 / 20.0);
    let y: Vec<f64> = x.column(0).to_vec();
    let data = Data { x: Inputs::Dense(x.view()), targets: Targets::Values(&y), weights: None };
    for threads in [1, 3] {
        let mut params = vec![0.1; network.tensors.len()];
        let config = Config::new("sgd", Convention::Torch).unwrap();
        let mut optimizer = Optimizer::new(&config, &network.tensors.sizes()).unwrap();
        let options = Options { batch_size: Some(2), epochs: 3, threads: Some(threads), ..brief() };
        let (outcome, position) =
            fit(&network, &mut params, &mut optimizer, (&data, None), &options, &mut Full(13), None);
        assert!(matches!(outcome, Err(Error::Memory { .. })), "{outcome:?}");
        assert_eq!((optimizer.step_count(), position.row), (14, 8));
    }
}

/// Watches nothing.
struct Nobody;

impl Monitor for Nobody {
    fn epoch(&mut self, _: &Epoch) -> Option<Stop> {
        None
    }
}

/// A network whose steps draw masks and depend on its weights, and 90 rows for it.
fn penalised_with_dropout() -> (Network, Array2<f32>, Vec<f32>) {
    let described = Architecture::plain(&[9, 70, 40, 2], Activation::Silu, Loss::from_name("mse").unwrap());
    let network = Network::new(&Architecture { l2: 0.01, dropout: vec![0.3, 0.5], ..described });
    let x = Array2::from_shape_fn((90, 9), |(i, j)| ((i * 7 + j * 5) % 23) as f32 / 23.0);
    (network, x, (0..180).map(|i| (i % 11) as f32 / 11.0).collect())
}

/// Parameters to begin with.
fn first_params(network: &Network) -> Vec<f32> {
    (0..network.tensors.len()).map(|i| ((i * 13) % 31) as f32 / 31.0 - 0.5).collect()
}

#[test]
fn shards_give_the_same_bits_for_every_cut() {
    let _level = hold_level();
    let (network, x, y) = penalised_with_dropout();
    let data = Data { x: Inputs::Dense(x.view()), targets: Targets::Values(&y), weights: None };
    let config = Config::new("adam", Convention::Lecture).unwrap();
    let trained = |shards, threads, cuts| {
        let shards = Shards::all(shards);
        let options = Options { batch_size: Some(40), shards, threads: Some(threads), cuts, ..brief() };
        let mut params = first_params(&network);
        let mut optimizer = Optimizer::new(&config, &network.tensors.sizes()).unwrap();
        fit(&network, &mut params, &mut optimizer, (&data, None), &options, &mut Nobody, None).0.unwrap();
        params
    };
    for shards in [2, 5, 17] {
        let one = trained(shards, 1, Cuts::Rows);
        assert!(one.iter().all(|p| p.is_finite()) && one != trained(1, 1, Cuts::Rows));
        for (threads, cuts) in [(2, Cuts::Columns), (3, Cuts::Rows), (4, Cuts::Both), (8, Cuts::Both)] {
            assert!(trained(shards, threads, cuts) == one, "{shards} shards on {threads} threads, {cuts:?}");
        }
    }
}

#[test]
fn a_shard_has_the_same_bits_alone_and_beside_others() {
    let network = Network::new(&Architecture::plain(&[9, 70, 2], Activation::Silu, Loss::from_name("mse").unwrap()));
    let x = Array2::from_shape_fn((23, 9), |(i, j)| ((i * 7 + j * 5) % 23) as f32 / 23.0);
    let y: Vec<f32> = (0..46).map(|i| (i % 11) as f32 / 11.0).collect();
    let data = Data { x: Inputs::Dense(x.view()), targets: Targets::Values(&y), weights: None };
    let params = first_params(&network);
    // Of the last batch, of 7 rows: some shards have more of them than of the 8 of the others.
    let start = Position { row: 16, ..Position::default() };
    let sums_of = |shards: Range<usize>, count| {
        let shards = Shards::contributed(count, shards);
        let options = Options { batch_size: Some(8), shards, start, threads: Some(1), ..brief() };
        let mut nodes = vec![0f32; options.shards.moves().len() * params.len()];
        shard_sums(&network, &params, &data, &options, &mut nodes).unwrap();
        nodes
    };
    for count in [5, 6, 7] {
        for first in (0..count - 1).step_by(2) {
            let (left, right) = (sums_of(first..first + 1, count), sums_of(first + 1..first + 2, count));
            let sums: Vec<f32> = left.iter().zip(&right).map(|(left, right)| left + right).collect();
            assert!(sums_of(first..first + 2, count) == sums, "shards {first} and the next one of {count}");
        }
    }
}

/// Notes what it is shown.
#[derive(Default, PartialEq, Debug)]
struct Notes {
    steps: Vec<StepRecord>,
    epochs: Vec<Epoch>,
}

impl Monitor for Notes {
    fn step(&mut self, step: &StepRecord) -> Result<()> {
        self.steps.push(*step);
        Ok(())
    }
    fn epoch(&mut self, epoch: &Epoch) -> Option<Stop> {
        self.epochs.push(*epoch);
        None
    }
}

/// A size whose first comparison begins with the first step.
fn at_once(workers: usize, most: usize) -> TeamSize {
    let mut size = TeamSize::compared(workers, most);
    while !size.is_comparing() {
        size.end_step();
    }
    size
}

#[test]
fn teams_that_follow_one_another_train_as_one_does() {
    let _level = hold_level();
    let (network, x, y) = penalised_with_dropout();
    let data = Data { x: Inputs::Dense(x.view()), targets: Targets::Values(&y), weights: None };
    let start = Position { row: 40, ..Position::default() };
    // Epochs of one step, of three and of many; an update by each worker, and one by the leader alone.
    for (rule, batch_size, start) in
        [("adam", 90, Position::default()), ("adam", 40, start), ("lamb", 40, start), ("adam", 4, start)]
    {
        let config = Config::new(rule, Convention::Lecture).unwrap();
        let options = Options { batch_size: Some(batch_size), epochs: 100, start, ..brief() };
        let trained = |cuts, team: &mut TeamSize| {
            let mut params = first_params(&network);
            let mut optimizer = Optimizer::new(&config, &network.tensors.sizes()).unwrap();
            let (options, mut notes) = (Options { cuts, ..options.clone() }, Notes::default());
            let how = (team, &mut notes as &mut dyn Monitor, None);
            let (outcome, position) =
                fit_in_teams(&network, &mut params, &mut optimizer, (&data, Some(&data)), &options, how);
            assert_eq!(outcome.unwrap(), Stop::Epochs);
            (params, notes, position.row, optimizer.step_count())
        };
        let alone = trained(Cuts::Rows, &mut TeamSize::fixed(1));
        assert_eq!(alone.1.epochs.len(), 100);
        for cuts in [Cuts::Rows, Cuts::Columns, Cuts::Both] {
            let (mut team, most) = (at_once(3, 6), 6);
            assert!(team.most() == most && trained(cuts, &mut team) == alone, "{rule}, {batch_size} rows, {cuts:?}");
        }
    }
}

#[test]
fn a_team_may_end_where_the_training_does() {
    let network = Network::new(&Architecture::plain(&[3, 4, 1], Activation::Tanh, Loss::from_name("mse").unwrap()));
    let x = Array2::from_shape_fn((20, 3), |(i, j)| (i + j) as f64 / 20.0);
    let y: Vec<f64> = x.column(0).to_vec();
    let data = Data { x: Inputs::Dense(x.view()), targets: Targets::Values(&y), weights: None };
    let config = Config::new("sgd", Convention::Torch).unwrap();
    // Teams change after some ten steps: among these is one that would after the last, and one where the records are full then.
    for steps in 1..=60usize {
        for (batch_size, room) in [(20, 60), (2, 60), (2, steps - 1)] {
            let mut params = vec![0.1; network.tensors.len()];
            let mut optimizer = Optimizer::new(&config, &network.tensors.sizes()).unwrap();
            let epochs = if batch_size == 20 { steps } else { steps.div_ceil(10) };
            let options = Options { batch_size: Some(batch_size), epochs, ..brief() };
            let mut full = Full(room);
            let how = (&mut at_once(2, 2), &mut full as &mut dyn Monitor, None);
            let (outcome, _) = fit_in_teams(&network, &mut params, &mut optimizer, (&data, None), &options, how);
            let planned = epochs * 20 / batch_size;
            assert_eq!(outcome.is_ok(), planned <= room, "{steps} steps of {batch_size} rows, room for {room}");
            assert_eq!(optimizer.step_count() as usize, planned.min(room + 1));
        }
    }
}
