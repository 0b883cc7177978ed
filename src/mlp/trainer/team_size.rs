//! Which teams make a training, one after the other, and of how many workers: as many as its operations deserve, until its steps have
//! shown what is quicker.
//!
//! What it costs that workers exchange what they have computed and wait for each other is not known before: the cores of one machine may
//! be near to each other in one hour and far apart in the next, and others may work on them. The bits are the same for any number.

use std::time::{Duration, Instant};

/// Turns of each of two numbers that are compared.
const ROUNDS: usize = 3;
/// Steps of a turn that count, after one that brings to the caches of each worker what is its own now.
const STEPS: usize = 8;
/// A turn that has taken so long ends after two of them.
const LONG_TURN: Duration = Duration::from_millis(20);
/// What is so many times as slow gets no further turn.
const HOPELESS: f64 = 1.5;
/// A change has to be worth it.
const QUICKER: f64 = 0.97;
/// Steps from one comparison to the next, as a multiple of those that it took.
const PAUSE: usize = 100;
/// Steps before the first comparison, which might cost a shorter training more than it brings.
const FIRST_PAUSE: usize = 8 * ROUNDS * STEPS;

/// Where a team begins: before the first epoch, or where another one has left off.
#[derive(Debug, Clone, Copy, Default)]
pub struct Beginning {
    /// The number of the epoch in this training, from 0.
    pub number: usize,
    /// The row of the next batch, where the epoch is under way.
    pub row: Option<usize>,
    /// Steps that this training has made, or left out.
    pub steps: u64,
}

/// A number of workers, and the seconds of a step in the best of its turns.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    workers: usize,
    seconds: f64,
}

impl Candidate {
    fn new(workers: usize) -> Self {
        Candidate { workers, seconds: f64::INFINITY }
    }
}

/// The number of workers, and the comparisons that look for a better one.
pub struct TeamSize {
    best: Candidate,
    /// What it is compared with, if it is.
    rival: Option<Candidate>,
    /// Whose turn it is.
    is_rivals_turn: bool,
    rounds: usize,
    /// Whether more workers than at first are still to be looked at, should fewer be no better.
    may_grow: bool,
    /// Steps of this comparison, or of the pause until the next one that are left.
    count: usize,
    most: usize,
    /// When the last step of this turn ended, and what those took that count.
    last: Option<Instant>,
    steps: Vec<f64>,
}

impl TeamSize {
    /// That number, for good.
    pub fn fixed(workers: usize) -> Self {
        TeamSize {
            best: Candidate::new(workers),
            rival: None,
            is_rivals_turn: false,
            rounds: 0,
            may_grow: false,
            count: usize::MAX,
            most: workers,
            last: None,
            steps: vec![],
        }
    }

    /// That number at first; later others, up to `most`.
    pub fn compared(workers: usize, most: usize) -> Self {
        let most = most.max(workers);
        if most == 1 {
            return Self::fixed(workers);
        }
        TeamSize { most, count: FIRST_PAUSE, steps: Vec::with_capacity(STEPS), ..Self::fixed(workers) }
    }

    /// The most workers that there may be.
    pub fn most(&self) -> usize {
        self.most
    }

    /// Whether two numbers take turns.
    #[cfg(test)]
    pub fn is_comparing(&self) -> bool {
        self.rival.is_some()
    }

    /// The workers of this turn.
    pub fn workers(&self) -> usize {
        self.rival.filter(|_| self.is_rivals_turn).unwrap_or(self.best).workers
    }

    /// A step has ended. True where this was the last one with so many workers.
    #[inline]
    pub fn end_step(&mut self) -> bool {
        if self.rival.is_some() {
            return self.end_step_at(Instant::now());
        }
        self.count -= 1;
        if self.count == 0 {
            self.begin();
        }
        false
    }

    fn end_step_at(&mut self, now: Instant) -> bool {
        self.count += 1;
        let Some(last) = self.last.replace(now) else { return false };
        self.steps.push(now.duration_since(last).as_secs_f64());
        let is_long = self.steps.len() > 1 && self.steps.iter().sum::<f64>() >= LONG_TURN.as_secs_f64();
        if self.steps.len() < STEPS && !is_long {
            return false;
        }
        let before = self.workers();
        self.end_turn();
        self.workers() != before
    }

    fn end_turn(&mut self) {
        self.steps.sort_by(f64::total_cmp);
        // Of two the quicker one: something else may have disturbed the other.
        let seconds = self.steps[(self.steps.len() - 1) / 2];
        self.last = None;
        self.steps.clear();
        let Some(rival) = &mut self.rival else { return };
        let candidate = if self.is_rivals_turn { rival } else { &mut self.best };
        candidate.seconds = candidate.seconds.min(seconds);
        if self.is_rivals_turn {
            self.end_round();
        }
        self.is_rivals_turn = self.rival.is_some() && !self.is_rivals_turn;
    }

    fn end_round(&mut self) {
        let Some(rival) = self.rival else { return };
        self.rounds += 1;
        let ratio = rival.seconds / self.best.seconds;
        if self.rounds < ROUNDS && ratio < HOPELESS && ratio > 1.0 / HOPELESS {
            return;
        }
        let more = rival.workers > self.best.workers;
        if ratio < QUICKER {
            (self.best, self.may_grow) = (rival, false);
            self.challenge(more);
        } else if !more && self.may_grow {
            self.challenge(true);
        } else {
            self.rival = None;
        }
        if self.rival.is_none() {
            self.count = self.count.saturating_mul(PAUSE);
        }
    }

    /// A comparison begins, with a turn of what is the best number so far.
    fn begin(&mut self) {
        (self.best, self.may_grow, self.count) = (Candidate::new(self.best.workers), true, 0);
        self.challenge(false);
    }

    /// Compares with twice as many workers, or with half as many; where that makes no sense, with none, or the other way round.
    fn challenge(&mut self, more: bool) {
        let workers = if more { (2 * self.best.workers).min(self.most) } else { self.best.workers / 2 };
        self.rounds = 0;
        self.rival = (workers > 0 && workers != self.best.workers).then(|| Candidate::new(workers));
        if self.rival.is_none() && !more && self.may_grow {
            self.challenge(true);
        }
    }
}

/// What the trainings of one network have found out about its steps, for those that follow: each may be a part of the same one.
#[derive(Default)]
pub struct KnownTeam {
    size: Option<TeamSize>,
    /// What it is for: operations of a step, workers to begin with and at most, and steps before the first comparison.
    steps: (f64, usize, usize, usize),
}

impl KnownTeam {
    /// The size of a team for steps of so many operations: what is known of them, or `fresh`.
    pub(super) fn of(&mut self, flops: f64, fresh: TeamSize) -> &mut TeamSize {
        let steps = (flops, fresh.workers(), fresh.most, fresh.count);
        if self.steps != steps {
            (self.steps, self.size) = (steps, None);
        }
        let size = self.size.get_or_insert(fresh);
        // What was done since the last step of the training before is none of a step's.
        size.last = None;
        size
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A size whose first comparison has begun.
    fn compared(workers: usize, most: usize) -> TeamSize {
        let mut size = TeamSize::compared(workers, most);
        assert!((0..FIRST_PAUSE).all(|_| !size.is_comparing() && !size.end_step()));
        size
    }

    /// Makes steps until nothing is compared any more, each of as many seconds as `cost` says of its workers and its number. Returns
    /// the workers then, and how many steps there were.
    fn settle(mut size: TeamSize, cost: impl Fn(usize, usize) -> f64) -> (usize, usize) {
        let (mut now, mut steps) = (Instant::now(), 0);
        while size.rival.is_some() {
            steps += 1;
            let workers = size.workers();
            assert!(workers >= 1 && workers <= size.most() && steps < 1000);
            now += Duration::from_secs_f64(cost(workers, steps));
            assert_eq!(size.end_step_at(now), size.workers() != workers);
        }
        (size.workers(), steps)
    }

    #[test]
    fn the_quickest_number_is_found_on_either_side() {
        for best in [1, 2, 4, 8, 16] {
            let cost = |workers: usize, _| 1e-5 * (1.0 + (workers as f64 / best as f64).log2().abs());
            assert_eq!(settle(compared(4, 16), cost).0, best);
        }
        assert_eq!(settle(compared(1, 2), |workers, _| 1e-4 / workers as f64).0, 2);
        assert_eq!(settle(compared(3, 3), |workers, _| 1e-4 * workers as f64).0, 1);
    }

    #[test]
    fn what_is_as_good_stays() {
        for workers in [1, 2, 5] {
            let (found, steps) = settle(compared(workers, 8), |_, _| 1e-4);
            assert!(found == workers && steps <= FIRST_PAUSE, "{found}, {steps} steps");
        }
    }

    #[test]
    fn hopeless_numbers_get_one_turn_and_long_steps_few() {
        let slow = |factor: f64, step: f64| move |workers: usize, _| if workers == 2 { step } else { factor * step };
        assert_eq!(settle(compared(2, 2), slow(1.6, 1e-4)), (2, 2 * (STEPS + 1)));
        assert_eq!(settle(compared(2, 2), slow(1.6, 0.1)), (2, 6));
        assert_eq!(settle(compared(2, 2), slow(1.2, 1e-4)), (2, 2 * ROUNDS * (STEPS + 1)));
    }

    #[test]
    fn a_machine_that_halts_now_and_then_changes_nothing() {
        for every in [3, 5, 7, 10] {
            let halts = |steps: usize| if steps.is_multiple_of(every) { 0.004 } else { 0.0 };
            let cost = |workers: usize, steps: usize| 4e-5 + 1e-6 * workers as f64 + halts(steps);
            assert_eq!(settle(compared(2, 2), cost).0, 2);
            let cost = |workers: usize, steps: usize| 4e-5 * workers as f64 + halts(steps);
            assert_eq!(settle(compared(2, 2), cost).0, 1);
        }
    }

    #[test]
    fn numbers_are_compared_again_after_a_while() {
        let mut size = compared(2, 2);
        let (mut now, mut compared) = (Instant::now(), 0);
        for step in 0..100_000 {
            let alone = step < 50_000;
            let workers = size.workers();
            assert!(step != 50_000 || workers == 2);
            if size.rival.is_some() {
                compared += 1;
                now += Duration::from_secs_f64(if (workers == 2) == alone { 4e-5 } else { 5e-5 });
                size.end_step_at(now);
            } else {
                size.end_step();
            }
        }
        assert!(size.workers() == 1 && (500..=1500).contains(&compared), "{compared} steps");
    }

    #[test]
    fn nothing_is_compared_in_short_trainings_nor_where_there_is_no_choice() {
        let mut size = TeamSize::compared(2, 8);
        assert!((1..FIRST_PAUSE).all(|_| !size.end_step() && size.rival.is_none()));
        assert!(!size.end_step() && size.rival.is_some());
        for mut size in [TeamSize::compared(1, 1), TeamSize::fixed(4)] {
            assert!((0..10 * FIRST_PAUSE).all(|_| !size.end_step() && size.rival.is_none()));
        }
    }

    #[test]
    fn trainings_that_follow_one_another_compare_as_one_does() {
        let cost = |workers: usize| Duration::from_secs_f64(1e-4 * workers as f64);
        for steps_of_each in [2, 5, 13, 1000] {
            let (mut known, mut now) = (KnownTeam::default(), Instant::now());
            let mut workers = 2;
            for _ in (0..4000).step_by(steps_of_each) {
                // A pause that is none of a step's.
                now += Duration::from_secs(1);
                let size = known.of(1e6, TeamSize::compared(2, 2));
                for _ in 0..steps_of_each {
                    now += cost(size.workers());
                    match size.rival {
                        Some(_) => size.end_step_at(now),
                        None => size.end_step(),
                    };
                }
                workers = size.workers();
            }
            assert_eq!(workers, 1, "{steps_of_each} steps of each");
            assert_eq!(known.of(1e6, TeamSize::compared(2, 2)).workers(), 1);
            assert_eq!(known.of(1e6, TeamSize::fixed(2)).workers(), 2);
            assert_eq!(known.of(2e6, TeamSize::compared(2, 2)).workers(), 2);
        }
    }
}
