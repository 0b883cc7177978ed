//! The table of losses: the one place where a name meets its formula.

use super::info::{LossInfo, LossParameter, Reduction, TargetKind};
use super::link::Link;
use super::rows::{Factors, Logits, LossRows, RowLoss};
use super::softmax::CrossEntropy;
use super::terms::{BinaryCrossEntropy, Huber, LogCosh, Poisson, Square, Tilted};
use crate::error::{Error, Result};
use crate::scalar::Scalar;
use crate::simd::{Isa, Kernel, dispatch};

/// The loss of a row, with its parameter if it has one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Loss {
    kind: Kind,
    parameter: f64,
    /// The share of each label that is spread over all of them.
    smoothing: f64,
}

/// What a loss makes of rows.
struct Evaluation<'a, T, Z> {
    loss: Loss,
    z: Z,
    rows: LossRows<'a, T>,
    scale: f64,
}

/// A row for each loss: what it makes of its parameter and of smoothed labels, and what it is.
macro_rules! registry {
    ($($kind:ident($parameter:pat, $smoothing:pat) => $row_loss:expr, $info:tt)*) => {
        #[derive(Debug, Clone, Copy, PartialEq)]
        enum Kind {
            $($kind,)*
        }

        impl Kind {
            const fn info(self) -> &'static LossInfo {
                match self {
                    $(Kind::$kind => &LossInfo $info,)*
                }
            }
        }

        impl Loss {
            /// All of them, with the defaults of those that have a parameter.
            pub const ALL: &'static [Loss] = &[$(Loss::with_default(Kind::$kind)),*];
        }

        impl<T: Scalar, Z: Logits<T>> Kernel for Evaluation<'_, T, Z> {
            type Output = ();

            #[inline(always)]
            fn run<I: Isa>(self) {
                let Evaluation { loss, z, rows, scale } = self;
                let share = match loss.info().reduction {
                    Reduction::Mean if rows.output_weights.is_none() => 1.0 / rows.outputs as f64,
                    _ => 1.0,
                };
                match loss.kind {
                    $(Kind::$kind => {
                        let ($parameter, $smoothing) = (loss.parameter, loss.smoothing);
                        $row_loss.evaluate::<I, T>(z, rows, Factors { share, scale });
                    })*
                }
            }
        }
    };
}

registry! {
    Mse(_, _) => Square, {
        name: "mse",
        formula: "sum (z - y)^2 / q",
        reference: None,
        link: Link::Identity,
        targets: TargetKind::Numbers,
        reduction: Reduction::Mean,
        parameter: None,
    }
    Sse(_, _) => Square, {
        name: "sse",
        formula: "sum (z - y)^2",
        reference: None,
        link: Link::Identity,
        targets: TargetKind::Numbers,
        reduction: Reduction::Sum,
        parameter: None,
    }
    Mae(_, _) => Tilted { down: 1.0, up: 1.0 }, {
        name: "mae",
        formula: "sum |z - y| / q",
        reference: None,
        link: Link::Identity,
        targets: TargetKind::Numbers,
        reduction: Reduction::Mean,
        parameter: None,
    }
    Huber(delta, _) => Huber { delta }, {
        name: "huber",
        formula: "(z - y)^2 / 2 up to a distance of 1, then |z - y| - 1/2; mean over outputs",
        reference: Some("P. Huber, Robust Estimation of a Location Parameter, Ann. Math. Statist. 35 (1964)"),
        link: Link::Identity,
        targets: TargetKind::Numbers,
        reduction: Reduction::Mean,
        parameter: Some(LossParameter { name: "delta", default: 1.0, above: 0.0, below: f64::INFINITY }),
    }
    LogCosh(_, _) => LogCosh, {
        name: "log_cosh",
        formula: "sum ln cosh(z - y) / q",
        reference: None,
        link: Link::Identity,
        targets: TargetKind::Numbers,
        reduction: Reduction::Mean,
        parameter: None,
    }
    Quantile(level, _) => Tilted { down: level, up: 1.0 - level }, {
        name: "quantile",
        formula: "|z - y| times the level below y, times 1 - level above; level 1/2; mean over outputs",
        reference: Some("R. Koenker and G. Bassett, Regression Quantiles, Econometrica 46 (1978)"),
        link: Link::Identity,
        targets: TargetKind::Numbers,
        reduction: Reduction::Mean,
        parameter: Some(LossParameter { name: "level", default: 0.5, above: 0.0, below: 1.0 }),
    }
    CrossEntropy(_, smoothing) => CrossEntropy { smoothing }, {
        name: "cross_entropy",
        formula: "-ln softmax(z)[y], y the class index",
        reference: None,
        link: Link::Softmax,
        targets: TargetKind::Classes,
        reduction: Reduction::Mean,
        parameter: None,
    }
    BinaryCrossEntropy(_, smoothing) => BinaryCrossEntropy { smoothing }, {
        name: "binary_cross_entropy",
        formula: "-y ln s(z) - (1 - y) ln(1 - s(z)), s the sigmoid; mean over outputs",
        reference: None,
        link: Link::Sigmoid,
        targets: TargetKind::Unit,
        reduction: Reduction::Mean,
        parameter: None,
    }
    Poisson(_, _) => Poisson, {
        name: "poisson",
        formula: "e^z - y z; mean over outputs",
        reference: None,
        link: Link::Exp,
        targets: TargetKind::Counts,
        reduction: Reduction::Mean,
        parameter: None,
    }
}

impl Loss {
    const fn with_default(kind: Kind) -> Self {
        let parameter = match &kind.info().parameter {
            Some(parameter) => parameter.default,
            None => 0.0,
        };
        Loss { kind, parameter, smoothing: 0.0 }
    }

    /// What it is, as data.
    pub fn info(self) -> &'static LossInfo {
        self.kind.info()
    }

    /// The name that users write.
    pub fn name(self) -> &'static str {
        self.info().name
    }

    /// The loss of that name, with its default parameter.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|loss| loss.name() == name)
    }

    /// The same loss with another parameter.
    pub fn with_parameter(self, value: f64) -> Result<Self> {
        let expected = match self.info().parameter {
            Some(parameter) if parameter.accepts(value) => return Ok(Loss { parameter: value, ..self }),
            Some(LossParameter { name, above, below, .. }) => {
                format!("a {name} above {above} and below {below} for {}", self.name())
            }
            None => format!("None for {}, which has no parameter", self.name()),
        };
        Err(Error::value("loss_parameter", value, expected))
    }

    /// The same loss with smoothed labels: of each row's targets y that share is spread evenly over the labels, as C. Szegedy et al.,
    /// Rethinking the Inception Architecture for Computer Vision, CVPR (2016), section 7, have it. Of K classes the targets become
    /// q = (1 - share) y + share / K; an output with a target from 0 to 1 has two labels, q = (1 - share) y + share / 2.
    pub fn with_smoothing(self, share: f64) -> Result<Self> {
        let expected = match self.info().targets {
            TargetKind::Classes | TargetKind::Unit if (0.0..1.0).contains(&share) => {
                return Ok(Loss { smoothing: share, ..self });
            }
            TargetKind::Classes | TargetKind::Unit => "at least 0 and below 1".to_string(),
            _ if share == 0.0 => return Ok(self),
            _ => format!("0 for {}, whose targets are not labels", self.name()),
        };
        Err(Error::value("label_smoothing", share, expected))
    }

    /// The same loss with labels as they are: what is measured, where the smoothed one is learnt from.
    pub fn with_hard_labels(self) -> Self {
        Loss { smoothing: 0.0, ..self }
    }

    /// Whether its targets are class indices.
    pub fn takes_classes(self) -> bool {
        self.info().targets == TargetKind::Classes
    }

    /// Whether the loss of a batch is the weighted mean of its rows, not their sum.
    pub fn mean(self) -> bool {
        self.info().reduction == Reduction::Mean
    }

    /// The loss of each row, and the gradient in place of the preactivations: `z` becomes `scale` times the derivative of
    /// the sum of all row losses by z.
    ///
    /// # Panics
    /// If a slice is too short for that many rows, or a class is not below `outputs`.
    pub fn gradient<T: Scalar>(self, z: &mut [T], scale: T, rows: LossRows<T>) {
        rows.check(z);
        dispatch(Evaluation { loss: self, z, rows, scale: scale.to_f64() });
    }

    /// The loss of each row.
    ///
    /// # Panics
    /// As [`gradient`](Self::gradient).
    pub fn value<T: Scalar>(self, z: &[T], rows: LossRows<T>) {
        rows.check(z);
        dispatch(Evaluation { loss: self, z, rows, scale: 0.0 });
    }

    /// Preactivations to predictions, in place, as [`Link::apply`].
    pub fn link_in_place<T: Scalar>(self, z: &mut [T], outputs: usize, stride: usize) {
        self.info().link.apply(z, outputs, stride);
    }
}
