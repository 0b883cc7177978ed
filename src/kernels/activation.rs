//! The activations of a layer, each beside its derivative.
//!
//! A new one is a `Shape` below and a line of the registry.

use crate::kernels::math::{self, choose};
use crate::scalar::Scalar;
use crate::simd::{Isa, Kernel, dispatch};

#[cfg(test)]
mod tests;

/// An elementwise function and its derivative.
trait Shape {
    /// Whether the derivative is computed from the input z; else from the output a, so z need not be kept.
    const NEEDS_INPUT: bool = false;
    /// The variance that the weights of a layer before this function should start with.
    const INIT: Init = Init::Glorot;

    /// a(z)
    fn value<I: Isa, T: Scalar>(z: T) -> T;
    /// da/dz, from z or from a.
    fn slope<I: Isa, T: Scalar>(saved: T) -> T;
}

/// How large a layer's weights should start, so that neither activations nor gradients grow or fade with depth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Init {
    /// Variance 2 / inputs: for functions that pass about half of their input. K. He et al., Delving Deep into
    /// Rectifiers, ICCV 2015.
    He,
    /// Variance 1 / inputs. Y. LeCun et al., Efficient BackProp, 1998; what selu is made for.
    LeCun,
    /// Variance 2 / (inputs + outputs). X. Glorot and Y. Bengio, Understanding the Difficulty of Training Deep
    /// Feedforward Neural Networks, AISTATS 2010.
    Glorot,
}

/// z
struct Identity;

impl Shape for Identity {
    #[inline(always)]
    fn value<I: Isa, T: Scalar>(z: T) -> T {
        z
    }
    #[inline(always)]
    fn slope<I: Isa, T: Scalar>(_: T) -> T {
        T::ONE
    }
}

/// max(z, 0); slope 0 at 0. V. Nair and G. Hinton, Rectified Linear Units Improve Restricted Boltzmann Machines,
/// ICML 2010.
struct Relu;

impl Shape for Relu {
    const INIT: Init = Init::He;

    #[inline(always)]
    fn value<I: Isa, T: Scalar>(z: T) -> T {
        // Adding 0 makes 0 of -0.
        choose(T::ZERO > z, T::ZERO, z + T::ZERO)
    }
    #[inline(always)]
    fn slope<I: Isa, T: Scalar>(a: T) -> T {
        choose(a > T::ZERO, T::ONE, T::ZERO)
    }
}

/// z where positive, else 0.01 z. A. Maas et al., Rectifier Nonlinearities Improve Neural Network Acoustic Models,
/// ICML 2013.
struct LeakyRelu;

impl LeakyRelu {
    const SLOPE: f64 = 0.01;
}

impl Shape for LeakyRelu {
    const INIT: Init = Init::He;

    #[inline(always)]
    fn value<I: Isa, T: Scalar>(z: T) -> T {
        choose(T::ZERO > z, z * T::from_f64(Self::SLOPE), z + T::ZERO)
    }
    #[inline(always)]
    fn slope<I: Isa, T: Scalar>(a: T) -> T {
        choose(a > T::ZERO, T::ONE, T::from_f64(Self::SLOPE))
    }
}

/// z where positive, else e^z - 1. D.-A. Clevert et al., Fast and Accurate Deep Network Learning by Exponential Linear
/// Units, ICLR 2016; alpha = 1.
struct Elu;

impl Shape for Elu {
    const INIT: Init = Init::He;

    #[inline(always)]
    fn value<I: Isa, T: Scalar>(z: T) -> T {
        choose(z > T::ZERO, z + T::ZERO, math::exp_m1_nonpositive::<I, T>(z))
    }
    #[inline(always)]
    fn slope<I: Isa, T: Scalar>(a: T) -> T {
        choose(a > T::ZERO, T::ONE, a + T::ONE)
    }
}

/// lambda times z where positive, else lambda alpha (e^z - 1). G. Klambauer et al., Self-Normalizing Neural Networks,
/// NeurIPS 2017.
struct Selu;

impl Selu {
    const LAMBDA: f64 = 1.0507009873554805;
    const LAMBDA_ALPHA: f64 = 1.7580993408473768;
}

impl Shape for Selu {
    const INIT: Init = Init::LeCun;

    #[inline(always)]
    fn value<I: Isa, T: Scalar>(z: T) -> T {
        // The product has the digits, too, that `T` cannot hold of its constant.
        let high = T::from_f64(Self::LAMBDA_ALPHA);
        let low = T::from_f64(Self::LAMBDA_ALPHA - high.to_f64());
        let e = math::exp_m1_nonpositive::<I, T>(z);
        choose(z > T::ZERO, T::from_f64(Self::LAMBDA) * z, I::fma(high, e, low * e))
    }
    #[inline(always)]
    fn slope<I: Isa, T: Scalar>(a: T) -> T {
        choose(a > T::ZERO, T::from_f64(Self::LAMBDA), a + T::from_f64(Self::LAMBDA_ALPHA))
    }
}

/// z times the normal distribution function of z, not its tanh approximation. D. Hendrycks and K. Gimpel, Gaussian
/// Error Linear Units, 2016, arXiv:1606.08415.
struct Gelu;

impl Shape for Gelu {
    const NEEDS_INPUT: bool = true;
    const INIT: Init = Init::He;

    #[inline(always)]
    fn value<I: Isa, T: Scalar>(z: T) -> T {
        math::gelu::<I, T>(z)
    }
    #[inline(always)]
    fn slope<I: Isa, T: Scalar>(z: T) -> T {
        math::gelu_slope::<I, T>(z)
    }
}

/// z sigmoid(z). S. Elfwing et al., Sigmoid-Weighted Linear Units for Neural Network Function Approximation in
/// Reinforcement Learning, Neural Networks 107 (2018); also called swish.
struct Silu;

impl Shape for Silu {
    const NEEDS_INPUT: bool = true;
    const INIT: Init = Init::He;

    #[inline(always)]
    fn value<I: Isa, T: Scalar>(z: T) -> T {
        math::silu::<I, T>(z)
    }
    #[inline(always)]
    fn slope<I: Isa, T: Scalar>(z: T) -> T {
        math::silu_slope::<I, T>(z)
    }
}

/// z tanh(softplus(z)). D. Misra, Mish: A Self Regularized Non-Monotonic Activation Function, BMVC 2020.
struct Mish;

impl Shape for Mish {
    const NEEDS_INPUT: bool = true;
    const INIT: Init = Init::He;

    #[inline(always)]
    fn value<I: Isa, T: Scalar>(z: T) -> T {
        math::mish::<I, T>(z)
    }
    #[inline(always)]
    fn slope<I: Isa, T: Scalar>(z: T) -> T {
        math::mish_slope::<I, T>(z)
    }
}

/// The hyperbolic tangent. Y. LeCun et al., Efficient BackProp, 1998.
struct Tanh;

impl Shape for Tanh {
    #[inline(always)]
    fn value<I: Isa, T: Scalar>(z: T) -> T {
        math::tanh::<I, T>(z)
    }
    #[inline(always)]
    fn slope<I: Isa, T: Scalar>(a: T) -> T {
        (T::ONE - a) * (T::ONE + a)
    }
}

/// 1 / (1 + e^-z). D. Rumelhart et al., Learning Representations by Back-Propagating Errors, Nature 323 (1986).
struct Sigmoid;

impl Shape for Sigmoid {
    #[inline(always)]
    fn value<I: Isa, T: Scalar>(z: T) -> T {
        math::sigmoid::<I, T>(z)
    }
    #[inline(always)]
    fn slope<I: Isa, T: Scalar>(a: T) -> T {
        a * (T::ONE - a)
    }
}

/// ln(1 + e^z). C. Dugas et al., Incorporating Second-Order Functional Knowledge for Better Option Pricing,
/// NeurIPS 2000.
struct Softplus;

impl Shape for Softplus {
    const INIT: Init = Init::He;

    #[inline(always)]
    fn value<I: Isa, T: Scalar>(z: T) -> T {
        math::softplus::<I, T>(z)
    }
    #[inline(always)]
    fn slope<I: Isa, T: Scalar>(a: T) -> T {
        -math::exp_m1_nonpositive::<I, T>(-a)
    }
}

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

/// The enum, its names, and the one place where a variant meets its `Shape`.
macro_rules! registry {
    ($($variant:ident $name:literal),* $(,)?) => {
        /// The activation of a layer.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Activation {
            $(#[doc = concat!("`", $name, "`")] $variant,)*
        }

        impl Activation {
            /// All of them.
            pub const ALL: &'static [Activation] = &[$(Activation::$variant),*];

            /// The name that users write.
            pub fn name(self) -> &'static str {
                match self {
                    $(Activation::$variant => $name,)*
                }
            }

            /// Whether [`backward`](Self::backward) wants the layer's preactivation z instead of its output a.
            pub fn needs_input(self) -> bool {
                match self {
                    $(Activation::$variant => <$variant as Shape>::NEEDS_INPUT,)*
                }
            }

            /// How the weights of the layer before it should start.
            pub fn init(self) -> Init {
                match self {
                    $(Activation::$variant => <$variant as Shape>::INIT,)*
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
                            *x = <$variant as Shape>::value::<I, T>(*x);
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
                            *d *= <$variant as Shape>::slope::<I, T>(*saved);
                        }
                    })*
                }
            }
        }
    };
}

registry! {
    Identity "identity",
    Relu "relu",
    LeakyRelu "leaky_relu",
    Elu "elu",
    Selu "selu",
    Gelu "gelu",
    Silu "silu",
    Mish "mish",
    Tanh "tanh",
    Sigmoid "sigmoid",
    Softplus "softplus",
}

impl Activation {
    /// The activation of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|a| a.name() == name)
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
