//! What a loss is, as data.

use super::link::Link;

/// A loss as data. z is a preactivation, y its target, q the number of outputs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LossInfo {
    /// The name that users write.
    pub name: &'static str,
    /// The loss of one row.
    pub formula: &'static str,
    /// Where it was published.
    pub reference: Option<&'static str>,
    /// What turns preactivations into predictions.
    pub link: Link,
    /// What the targets must be.
    pub targets: TargetKind,
    /// How losses of outputs and rows become one number.
    pub reduction: Reduction,
    /// What shapes it, if anything does.
    pub parameter: Option<LossParameter>,
}

/// What the targets of a loss must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetKind {
    /// The index of each row's class.
    Classes,
    /// Numbers from 0 to 1.
    Unit,
    /// Numbers that are not negative.
    Counts,
    /// Any numbers.
    Numbers,
}

impl TargetKind {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            TargetKind::Classes => "classes",
            TargetKind::Unit => "unit",
            TargetKind::Counts => "counts",
            TargetKind::Numbers => "numbers",
        }
    }
}

/// How the losses of a batch become one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reduction {
    /// The mean over outputs and the weighted mean over rows.
    Mean,
    /// The sum over outputs and the weighted sum over rows.
    Sum,
}

impl Reduction {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Reduction::Mean => "mean",
            Reduction::Sum => "sum",
        }
    }
}

/// The parameter of a loss: a number between two others, which do not belong to the range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LossParameter {
    /// Its name.
    pub name: &'static str,
    /// Its value unless another is given.
    pub default: f64,
    /// It is larger than this.
    pub above: f64,
    /// It is smaller than this.
    pub below: f64,
}

impl LossParameter {
    /// Whether it may have that value.
    pub fn accepts(&self, value: f64) -> bool {
        value > self.above && value < self.below
    }
}
