//! Why a training, a minimisation or a search ended: one vocabulary for all of them.

/// The reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// All epochs, or steps, that were asked for are done.
    Epochs,
    /// The most evaluations of the function that were allowed are used up.
    Evaluations,
    /// The target loss is reached.
    TargetLoss,
    /// The stopping rule is met: nothing more to gain.
    Converged,
    /// No lower point was found along the direction of descent.
    NoDescent,
    /// A callback asked for it.
    Callback,
    /// The time that was allowed is over.
    MaxTime,
    /// Ctrl-C.
    Interrupted,
    /// The function, or its gradient, was not finite.
    NotFinite,
    /// An exception, which the caller has.
    Error,
}

impl Stop {
    /// All of them.
    pub const ALL: &'static [Stop] = &[
        Stop::Epochs,
        Stop::Evaluations,
        Stop::TargetLoss,
        Stop::Converged,
        Stop::NoDescent,
        Stop::Callback,
        Stop::MaxTime,
        Stop::Interrupted,
        Stop::NotFinite,
        Stop::Error,
    ];

    /// The reason as users read it.
    pub fn name(self) -> &'static str {
        match self {
            Stop::Epochs => "epochs",
            Stop::Evaluations => "evaluations",
            Stop::TargetLoss => "target_loss",
            Stop::Converged => "converged",
            Stop::NoDescent => "no_descent",
            Stop::Callback => "callback",
            Stop::MaxTime => "max_time",
            Stop::Interrupted => "interrupted",
            Stop::NotFinite => "not_finite",
            Stop::Error => "error",
        }
    }
}
