//! One file for each rule: its class as data, its formula, its citation. `registry.rs` lists them.

pub mod adabelief;
pub mod adadelta;
pub mod adagrad;
pub mod adam;
pub mod adamax;
pub mod adan;
pub mod lamb;
pub mod lion;
pub(super) mod moments;
pub mod nadam;
pub mod prodigy;
pub mod radam;
pub mod rmsprop;
pub mod rprop;
pub mod schedule_free;
pub mod sgd;
pub mod yogi;
