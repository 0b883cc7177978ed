//! Options that are one of a few names, as enums: a name is written once, beside what it stands for.

/// An enum whose variants users know by name.
pub trait Choice: Copy + 'static {
    /// The names, in the order of the variants.
    const NAMES: &'static [&'static str];

    /// The variant of that name.
    fn named(name: &str) -> Option<Self>;
}

/// Makes an enum with a name for each variant.
macro_rules! choice {
    ($(#[$about:meta])* $vis:vis enum $choice:ident { $($(#[$doc:meta])* $variant:ident = $name:literal,)+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        $vis enum $choice {
            $($(#[$doc])* $variant,)+
        }

        impl $choice {
            /// The variant's name.
            pub const fn name(self) -> &'static str {
                match self {
                    $($choice::$variant => $name,)+
                }
            }
        }

        impl $crate::optim::options::Choice for $choice {
            const NAMES: &'static [&'static str] = &[$($name),+];

            fn named(name: &str) -> Option<Self> {
                match name {
                    $($name => Some($choice::$variant),)+
                    _ => None,
                }
            }
        }
    };
}

pub(in crate::optim) use choice;

choice! {
    /// The kinds of weight decay.
    pub enum Decay {
        /// `weight_decay * p` is added to the gradient.
        Coupled = "coupled",
        /// p is multiplied by `1 - lr * weight_decay`.
        Decoupled = "decoupled",
        /// p is multiplied by `1 - weight_decay`.
        Independent = "independent",
    }
}

choice! {
    /// Which parameters decay, where no mask says it.
    pub enum DecayWhere {
        /// All.
        Everywhere = "everywhere",
        /// Those of two and more axes.
        Matrices = "matrices",
    }
}

choice! {
    /// What an exponential average of the parameters starts as.
    pub enum EmaStart {
        /// The parameters before the first step.
        Params = "params",
        /// The parameters after the first step.
        First = "first",
        /// Zero, corrected for that when it is read.
        Zero = "zero",
    }
}

choice! {
    /// What to do with a gradient that has NaN or infinity in it.
    pub enum NonFinite {
        /// Refuse the step.
        Raise = "raise",
        /// Leave the step out and count it.
        Skip = "skip",
        /// Do not look.
        Ignore = "ignore",
    }
}
