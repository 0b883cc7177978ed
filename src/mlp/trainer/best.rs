//! The best epoch of a training, by rows that it does not learn from.

use crate::scalar::Scalar;

/// What an epoch is judged by; the smaller, the better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Criterion {
    /// The objective on the validation data.
    Loss,
    /// The weighted share of its rows that are given a wrong class.
    ErrorRate,
}

impl Criterion {
    /// All of them.
    pub const ALL: &'static [Criterion] = &[Criterion::Loss, Criterion::ErrorRate];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Criterion::Loss => "loss",
            Criterion::ErrorRate => "error_rate",
        }
    }

    /// The one of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|criterion| criterion.name() == name)
    }
}

/// How long a training goes on without a better epoch: up to `factor` times the best one and `plus` more.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Patience {
    /// Times the number of the best epoch.
    pub factor: f64,
    /// More epochs.
    pub plus: f64,
}

/// Which epoch is the best one, and when to stop looking for a better one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Selection {
    /// What decides.
    pub criterion: Criterion,
    /// Whether of several that are equally good the latest is the best one, not the first.
    pub latest: bool,
    /// None for going on to the end.
    pub patience: Option<Patience>,
}

/// The best epoch so far.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    /// Its number in the training, from 1; 0 before there is one.
    pub epoch: u64,
    /// What it was judged by.
    pub score: f64,
}

impl Default for Found {
    fn default() -> Self {
        Found { epoch: 0, score: f64::INFINITY }
    }
}

impl Found {
    /// Looks at an epoch that is done; whether it is the best one. NaN is not.
    pub fn see(&mut self, selection: &Selection, epoch: u64, score: f64) -> bool {
        let is_best = score < self.score || selection.latest && score == self.score;
        if is_best {
            *self = Found { epoch, score };
        }
        is_best
    }

    /// Whether it is so long ago in that epoch that the training is to end.
    pub fn is_long_ago(&self, selection: &Selection, epoch: u64) -> bool {
        let is_later = |patience: Patience| epoch as f64 > patience.factor * self.epoch as f64 + patience.plus;
        selection.patience.is_some_and(is_later)
    }
}

/// What looks for the best epoch while a network is trained.
pub struct Best<'b, T> {
    /// What it looks for.
    pub selection: Selection,
    /// What it has found, in earlier parts of the same training too.
    pub found: &'b mut Found,
    /// Where the parameters of the best epoch are kept, if they are.
    pub params: Option<&'b mut [T]>,
}

impl<T: Scalar> Best<'_, T> {
    /// Looks at an epoch that ends with these parameters; whether to go no further.
    pub fn see(&mut self, epoch: u64, score: f64, params: &[T]) -> bool {
        if self.found.see(&self.selection, epoch, score)
            && let Some(kept) = &mut self.params
        {
            kept.copy_from_slice(params);
        }
        self.found.is_long_ago(&self.selection, epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(latest: bool, patience: Option<Patience>, scores: &[f64]) -> (u64, f64, Vec<u64>) {
        let selection = Selection { criterion: Criterion::Loss, latest, patience };
        let (mut found, mut kept) = (Found::default(), [0.0]);
        let mut best = Best { selection, found: &mut found, params: Some(&mut kept) };
        let epochs = scores.iter().zip(1..).filter(|&(&score, epoch)| best.see(epoch, score, &[epoch as f64]));
        let stops = epochs.map(|(_, epoch)| epoch).collect();
        (found.epoch, kept[0], stops)
    }

    #[test]
    fn of_equal_epochs_the_first_is_the_best_or_the_latest() {
        let scores = [3.0, 1.0, 2.0, 1.0, f64::NAN, 2.0];
        assert_eq!(seen(false, None, &scores), (2, 2.0, vec![]));
        assert_eq!(seen(true, None, &scores), (4, 4.0, vec![]));
        assert_eq!(seen(true, None, &[f64::NAN; 3]), (0, 0.0, vec![]));
    }

    #[test]
    fn patience_grows_with_the_best_epoch() {
        let patience = |factor, plus| Some(Patience { factor, plus });
        let scores = [3.0, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0];
        assert_eq!(seen(false, patience(1.0, 2.0), &scores).2, [5, 6, 7, 8]);
        assert_eq!(seen(false, patience(2.0, 3.0), &scores).2, [8]);
        // Without a best one it counts from the beginning.
        assert_eq!(seen(false, patience(2.0, 3.0), &[f64::NAN; 5]).2, [4, 5]);
    }
}
