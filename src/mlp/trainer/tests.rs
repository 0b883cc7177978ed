//! What ends a training.

use ndarray::Array2;

use super::{Epoch, Monitor, Options, Position, StepRecord, fit};
use crate::error::{Error, Result};
use crate::kernels::activation::Activation;
use crate::kernels::loss::{Loss, Targets};
use crate::mlp::cuts::Cuts;
use crate::mlp::data::{Data, Inputs};
use crate::mlp::{Architecture, Network};
use crate::optim::options::Convention;
use crate::optim::{Config, Optimizer};
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
        let options = Options {
            batch_size: Some(2),
            epochs: 3,
            first_epoch: 0,
            epochs_before: 0,
            start: Position::default(),
            shuffle: true,
            seed: 0,
            threads: Some(threads),
            cuts: Cuts::default(),
            target_loss: None,
            rest: None,
            tells: true,
        };
        let (outcome, position) =
            fit(&network, &mut params, &mut optimizer, (&data, None), &options, &mut Full(13), None);
        assert!(matches!(outcome, Err(Error::Memory { .. })), "{outcome:?}");
        assert_eq!((optimizer.step_count(), position.row), (14, 8));
    }
}
