//! Averages of the parameters, for whoever wants to predict with them.

use super::optimizer::Optimizer;
use super::options::EmaStart;
use super::surroundings::{AVERAGE, Average};
use crate::scalar::Scalar;

impl<T: Scalar> Optimizer<T> {
    /// Writes the averaged parameters of one tensor, whose own values are `params`, to `to`: the average that `ema` or
    /// `swa_start` keeps, else the one that belongs to the rule. False where there is none.
    pub fn averaged(&self, tensor: usize, params: &[T], to: &mut [T]) -> bool {
        let (range, index) = (self.range(tensor), self.group_of(tensor));
        let (group, steps) = (&self.groups()[index], self.steps_of(index));
        let slot = |name| {
            let position = self.slot_names().iter().position(|known| *known == name);
            position.map(|position| &self.slots()[position][range.clone()])
        };
        match (group.surroundings().average, slot(AVERAGE)) {
            (Some(_), Some(_)) if !self.has_averaged(index) => to.copy_from_slice(params),
            (Some(Average::Exponential(EmaStart::Zero, rate)), Some(average)) => {
                let counted = steps - self.averaged_since(index);
                let scale = T::from_f64(1.0 / (1.0 - rate.powf(counted as f64)));
                to.iter_mut().zip(average).for_each(|(to, &average)| *to = average * scale);
            }
            (Some(_), Some(average)) => to.copy_from_slice(average),
            _ if !group.rule().averages() => return false,
            _ if steps == 0 => to.copy_from_slice(params),
            _ => {
                let own: Vec<_> = group.rule().slots().iter().filter_map(|own| slot(own.name)).collect();
                group.rule().averaged(params, &own, to);
            }
        }
        true
    }
}
