//! What may be changed while an optimizer is at work. A change means from the next step on what it would have meant from the
//! first; where that cannot be, because half of something is done already, it is refused.

use super::config::Config;
use super::optimizer::Optimizer;
use super::options::EmaStart;
use super::surroundings::Average;
use crate::error::{Error, Result};
use crate::scalar::Scalar;

impl<T: Scalar> Optimizer<T> {
    /// Refuses a configuration that a group cannot have now.
    pub fn expect_changeable(&self, group: usize, config: &Config) -> Result<()> {
        self.expect_round_goes_on(group, config)?;
        self.expect_same_state(group, config)?;
        let (old, new) = (self.groups()[group].surroundings().average, config.surroundings().average);
        let (Some(old), Some(new)) = (old, new) else { return Ok(()) };
        if old == new || !self.has_averaged(group) {
            return Ok(());
        }
        let refuse = |name, got: String| {
            // None is no value of `ema_start`: it ends with `ema`.
            let anew = if name == "ema_start" { "unless ema is None first" } else { "or None and then anew" };
            let expected = format!("what it is, {anew}: an average is under way that cannot go on with another one");
            Err(Error::value(name, got, expected))
        };
        match (old, new) {
            // What it holds keeps its meaning where its weights add up to one.
            (Average::Exponential(was, _), Average::Exponential(is, _)) if was == is && is != EmaStart::Zero => Ok(()),
            (Average::Exponential(was, _), Average::Exponential(is, _)) if was != is => {
                refuse("ema_start", format!("{:?}", is.name()))
            }
            (_, Average::Exponential(_, rate)) => refuse("ema", rate.to_string()),
            (_, Average::Plain(start)) => refuse("swa_start", start.to_string()),
        }
    }

    /// What state holds stays what it is.
    fn expect_same_state(&self, group: usize, config: &Config) -> Result<()> {
        let (was, is) = (self.groups()[group].rule().meaning(), config.rule().meaning());
        let is_another = |&(name, new): &(&str, f64)| was.iter().any(|&(other, old)| other == name && old != new);
        match is.into_iter().find(is_another) {
            Some((name, new)) if self.steps_of(group) > 0 => {
                let got = config.options().iter().find(|(option, _)| option.name == name);
                let got = got.map_or(new.to_string(), |(_, value)| value.to_string());
                let expected = "what it was in the first step: what the state holds depends on it";
                Err(Error::value(name, got, expected))
            }
            _ => Ok(()),
        }
    }

    /// While gradients are being gathered their number stays what it is, and who takes part does not become more.
    fn expect_round_goes_on(&self, group: usize, config: &Config) -> Result<()> {
        let (gathered, old) = (self.counts().gathered, &self.groups()[group]);
        let (of, new) = (old.surroundings().accumulate, config.surroundings().accumulate);
        if gathered == 0 {
            return Ok(());
        }
        let until =
            |what: &str| format!("{what} until the round is complete: {gathered} of {of} gradients are gathered");
        if of != new {
            return Err(Error::value("accumulate", new, until(&of.to_string())));
        }
        match old.is_frozen() && !config.is_frozen() {
            true => Err(Error::value("lr", "one of a group that was frozen", until("0"))),
            false => Ok(()),
        }
    }

    /// Slow parameters that have moved every so many steps go on from when they last did: in the next step, where that is longer ago
    /// than they now wait. Of several changes between two steps the last one counts.
    pub(super) fn keep_time_of_slow(&mut self, group: usize, old: &Config) {
        let (was, is) = (old.surroundings().lookahead, self.groups()[group].surroundings().lookahead);
        let (steps, place) = (self.steps_of(group), self.slot_maps[group].of_rule);
        let books = &mut self.books.groups[group];
        let (Some((was, _)), Some((is, _))) = (was, is) else {
            books.slow = None;
            return;
        };
        let since = &mut books.progress.since[place];
        if was != is {
            let known = books.slow.filter(|(at, _)| *at == steps).map(|(_, moved)| moved);
            let moved = known.unwrap_or(steps - (steps - *since) % was);
            books.slow = Some((steps, moved));
            *since = moved.max((steps + 1).saturating_sub(is));
        }
    }

    /// The steps that a group had taken part in when the average of its parameters was asked for.
    pub(super) fn averaged_since(&self, group: usize) -> u64 {
        let place =
            self.slot_maps[group].of_rule + usize::from(self.groups()[group].surroundings().lookahead.is_some());
        self.progress(group).since[place]
    }

    /// Whether a step has gone into a group's average.
    pub(super) fn has_averaged(&self, group: usize) -> bool {
        let average = self.groups()[group].surroundings().average;
        average.is_some_and(|average| self.steps_of(group) >= average.first_step(self.averaged_since(group)))
    }
}
