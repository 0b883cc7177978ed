//! The list of activations: the one place where a name meets its function.

use super::functions::{Elu, Gelu, Identity, LeakyRelu, Mish, Relu, Selu, Sigmoid, Silu, Softplus, Tanh};
use super::info::{ActivationInfo, Function, Init};
use crate::scalar::Scalar;
use crate::simd::{Isa, Kernel, dispatch};

/// What is done with a whole slice.
struct Forward<'a, T> {
    activation: Activation,
    x: &'a mut [T],
}

struct Backward<'a, T> {
    activation: Activation,
    saved: &'a [T],
    d: &'a mut [T],
}

/// The enum of these functions, and the loops over each.
macro_rules! registry {
    ($($variant:ident),* $(,)?) => {
        /// The activation of a layer.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Activation {
            $(#[doc = stringify!($variant)] $variant,)*
        }

        impl Activation {
            /// All of them.
            pub const ALL: &'static [Activation] = &[$(Activation::$variant),*];

            /// What it is, as data.
            pub fn info(self) -> &'static ActivationInfo {
                match self {
                    $(Activation::$variant => &<$variant as Function>::INFO,)*
                }
            }
        }

        impl<T: Scalar> Kernel for Forward<'_, T> {
            type Output = ();

            #[inline(always)]
            fn run<I: Isa>(self) {
                match self.activation {
                    $(Activation::$variant => {
                        for x in self.x {
                            *x = <$variant as Function>::value::<I, T>(*x);
                        }
                    })*
                }
            }
        }

        impl<T: Scalar> Kernel for Backward<'_, T> {
            type Output = ();

            #[inline(always)]
            fn run<I: Isa>(self) {
                match self.activation {
                    $(Activation::$variant => {
                        for (d, saved) in self.d.iter_mut().zip(self.saved) {
                            *d *= <$variant as Function>::slope::<I, T>(*saved);
                        }
                    })*
                }
            }
        }
    };
}

registry!(Identity, Relu, LeakyRelu, Elu, Selu, Gelu, Silu, Mish, Tanh, Sigmoid, Softplus);

impl Activation {
    /// The name that users write.
    pub fn name(self) -> &'static str {
        self.info().name
    }

    /// The activation of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|a| a.name() == name)
    }

    /// Whether [`backward`](Self::backward) wants the layer's preactivation z instead of its output a.
    pub fn needs_input(self) -> bool {
        self.info().needs_input
    }

    /// How the weights of the layer before it should start.
    pub fn init(self) -> Init {
        self.info().init
    }

    /// z -> a, in place.
    pub fn forward_in_place<T: Scalar>(self, x: &mut [T]) {
        if self != Activation::Identity {
            dispatch(Forward { activation: self, x });
        }
    }

    /// z -> a.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn forward<T: Scalar>(self, z: &[T], a: &mut [T]) {
        a.copy_from_slice(z);
        self.forward_in_place(a);
    }

    /// `d` times da/dz, in place. `saved` is z if [`needs_input`](Self::needs_input), else a.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn backward<T: Scalar>(self, saved: &[T], d: &mut [T]) {
        assert_eq!(saved.len(), d.len(), "one saved number for each gradient");
        if self != Activation::Identity {
            dispatch(Backward { activation: self, saved, d });
        }
    }
}
