//! A step from beginning to end.

use super::accumulate::gather;
use super::active::Active;
use super::begin::begin;
use super::rehearse::rehearse;
use super::tensors::Tensors;
use super::update::update;
use crate::error::Result;
use crate::optim::optimizer::{Optimizer, Rates};
use crate::scalar::Scalar;
use crate::simd::FlushDenormals;

/// Elements below which a second thread costs more than it brings.
const ELEMENTS_PER_THREAD: usize = 32 * 1024;

/// Updates the parameters of `tensors` by one step of `optimizer`, with up to `threads` threads. True where it was skipped.
///
/// Where the optimizer averages several gradients, all calls but the last of each round only gather. Frozen tensors take no
/// part in anything. Fails, with nothing changed, where a gradient is not finite and the options say so, or where the
/// learning-rate schedule fails.
pub fn step<T: Scalar>(optimizer: &mut Optimizer<T>, tensors: impl Tensors<T>, threads: usize) -> Result<bool> {
    let rates = optimizer.rates()?;
    step_at(optimizer, &rates, tensors, threads)
}

/// The same with learning rates that were asked for before: nothing outside is called any more.
pub fn step_at<T: Scalar>(
    optimizer: &mut Optimizer<T>,
    rates: &Rates,
    mut tensors: impl Tensors<T>,
    threads: usize,
) -> Result<bool> {
    let _flushed = FlushDenormals::new();
    let active = Active::new(optimizer, &tensors);
    let threads = threads.min(active.count() / ELEMENTS_PER_THREAD).max(1);
    if optimizer.surroundings().accumulate > 1 {
        return gather(optimizer, rates, tensors, &active, threads);
    }
    let (mut step, care) = begin(optimizer, rates, &tensors, &active, threads)?;
    if !rehearse(optimizer, &mut tensors, &mut step, care)? {
        return Ok(true);
    }
    update(optimizer, tensors, &active, &mut step, threads);
    Ok(step.skipped())
}
