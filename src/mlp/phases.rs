//! The way of a batch forward and back, in phases between which the workers meet.

use super::cuts::{Cut, Cuts};
use super::network::Network;
use super::slots::{INPUTS, Slot, Way};
use super::stages::Stage;

/// What is done with a batch, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Its rows are copied from the data.
    Gather,
    /// The stage of that number, forward.
    Forward(usize),
    /// The losses, and their gradient.
    Loss,
    /// The stage of that number, back.
    Back(usize),
}

/// Work that a worker does on its share of the batch without meeting the others.
#[derive(Debug, Clone, PartialEq)]
pub struct Phase {
    /// How the batch is shared out.
    pub cut: Cut,
    /// What is done.
    pub work: Vec<Work>,
    /// Matrices that are complete at its end.
    pub completes: Vec<Slot>,
}

/// The phases of a pass for batches of so many rows and so many workers; back as far as the stage of that number. Of `sparse`
/// inputs rows stay whole.
pub fn phases(
    network: &Network,
    cuts: Cuts,
    (rows, workers): (usize, usize),
    first: usize,
    sparse: bool,
) -> Vec<Phase> {
    let stages = &network.training.stages;
    let forward = (0..stages.len()).map(Work::Forward);
    let back = (first + 1..stages.len()).rev().map(Work::Back);
    let whole = Cut::by_rows(workers);
    let mut all = vec![Phase { cut: whole, work: vec![Work::Gather], completes: vec![] }];
    for work in forward.chain([Work::Loss]).chain(back) {
        let current = all.last_mut().expect("one at least");
        // None: whatever the others have.
        let wanted = match work {
            Work::Gather | Work::Loss => Some(whole),
            Work::Forward(stage) | Work::Back(stage) => match &stages[stage] {
                Stage::Dense(dense) => Some(match work {
                    Work::Forward(_) if sparse && dense.input == INPUTS => whole,
                    Work::Forward(_) => cuts.of(rows, network.tensors.shape(dense.weight), workers),
                    _ => {
                        let (inputs, outputs) = network.tensors.shape(dense.weight);
                        cuts.of(rows, (outputs, inputs), workers)
                    }
                }),
                Stage::Activate(_) | Stage::Parametric(_) | Stage::Dropout(_) => None,
                Stage::Norm(_)
                | Stage::Waves(_)
                | Stage::Combine(_)
                | Stage::Piecewise(_)
                | Stage::Lookup(_)
                | Stage::Plain(_)
                | Stage::Scale(_) => Some(whole),
            },
        };
        match wanted {
            Some(cut) if !(cut.keeps_columns() && current.cut == cut) => {
                all.push(Phase { cut, work: vec![work], completes: vec![] });
            }
            _ => current.work.push(work),
        }
    }
    note_what_completes(network, &mut all);
    all
}

/// Notes for each matrix the last phase that writes to it.
fn note_what_completes(network: &Network, phases: &mut [Phase]) {
    for slot in 0..network.training.matrices.all.len() {
        let writes = |work: &Work| match *work {
            Work::Gather => slot == INPUTS,
            Work::Forward(stage) => network.training.stages[stage].writes(Way::Forward).contains(&slot),
            Work::Loss => slot == network.training.matrices.logits,
            Work::Back(stage) => network.training.stages[stage].writes(Way::Back).contains(&slot),
        };
        if let Some(last) = phases.iter_mut().rev().find(|phase| phase.work.iter().any(writes)) {
            last.completes.push(slot);
        }
    }
}
