//! Each activation: what it is, its value and its derivative.

use super::info::{ActivationInfo, Function, Init};
use crate::kernels::math::{self, choose};
use crate::kernels::onnx::Onnx;
use crate::scalar::Scalar;
use crate::simd::Isa;

pub struct Identity;

impl Function for Identity {
    const INFO: ActivationInfo = ActivationInfo {
        name: "identity",
        formula: "z",
        reference: None,
        init: Init::Glorot,
        needs_input: false,
        onnx: Onnx::Argument,
    };

    #[inline(always)]
    fn value<I: Isa, T: Scalar>(z: T) -> T {
        z
    }
    #[inline(always)]
    fn slope<I: Isa, T: Scalar>(_: T) -> T {
        T::ONE
    }
}

pub struct Relu;

impl Function for Relu {
    const INFO: ActivationInfo = ActivationInfo {
        name: "relu",
        formula: "max(z, 0)",
        reference: Some(
            "V. Nair and G. Hinton, Rectified Linear Units Improve Restricted Boltzmann Machines, ICML 2010",
        ),
        init: Init::He,
        needs_input: false,
        onnx: Onnx::operator("Relu"),
    };

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

pub struct LeakyRelu;

impl LeakyRelu {
    const SLOPE: f64 = 0.01;
}

impl Function for LeakyRelu {
    const INFO: ActivationInfo = ActivationInfo {
        name: "leaky_relu",
        formula: "z, or 0.01 z where negative",
        reference: Some("A. Maas et al., Rectifier Nonlinearities Improve Neural Network Acoustic Models, ICML 2013"),
        init: Init::He,
        needs_input: false,
        onnx: Onnx::Node { operator: "LeakyRelu", inputs: &[Onnx::Argument], attributes: &[("alpha", Self::SLOPE)] },
    };

    #[inline(always)]
    fn value<I: Isa, T: Scalar>(z: T) -> T {
        choose(T::ZERO > z, z * T::from_f64(Self::SLOPE), z + T::ZERO)
    }
    #[inline(always)]
    fn slope<I: Isa, T: Scalar>(a: T) -> T {
        choose(a > T::ZERO, T::ONE, T::from_f64(Self::SLOPE))
    }
}

pub struct Elu;

impl Function for Elu {
    const INFO: ActivationInfo = ActivationInfo {
        name: "elu",
        formula: "z, or e^z - 1 where negative",
        reference: Some(
            "D.-A. Clevert et al., Fast and Accurate Deep Network Learning by Exponential Linear Units, ICLR 2016; \
            alpha = 1",
        ),
        init: Init::He,
        needs_input: false,
        onnx: Onnx::operator("Elu"),
    };

    #[inline(always)]
    fn value<I: Isa, T: Scalar>(z: T) -> T {
        choose(z > T::ZERO, z + T::ZERO, math::exp_m1_nonpositive::<I, T>(z))
    }
    #[inline(always)]
    fn slope<I: Isa, T: Scalar>(a: T) -> T {
        choose(a > T::ZERO, T::ONE, a + T::ONE)
    }
}

pub struct Selu;

impl Selu {
    const LAMBDA: f64 = 1.0507009873554805;
    const LAMBDA_ALPHA: f64 = 1.7580993408473768;
}

impl Function for Selu {
    const INFO: ActivationInfo = ActivationInfo {
        name: "selu",
        formula: "1.0507 z, or 1.7581 (e^z - 1) where negative",
        reference: Some("G. Klambauer et al., Self-Normalizing Neural Networks, NeurIPS 2017"),
        init: Init::LeCun,
        needs_input: false,
        onnx: Onnx::operator("Selu"),
    };

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

pub struct Gelu;

impl Function for Gelu {
    const INFO: ActivationInfo = ActivationInfo {
        name: "gelu",
        formula: "z Phi(z), Phi the normal distribution function (not its tanh approximation)",
        reference: Some("D. Hendrycks and K. Gimpel, Gaussian Error Linear Units, 2016, arXiv:1606.08415"),
        init: Init::He,
        needs_input: true,
        onnx: Onnx::operator("Gelu"),
    };

    #[inline(always)]
    fn value<I: Isa, T: Scalar>(z: T) -> T {
        math::gelu::<I, T>(z)
    }
    #[inline(always)]
    fn slope<I: Isa, T: Scalar>(z: T) -> T {
        math::gelu_slope::<I, T>(z)
    }
}

pub struct Silu;

impl Function for Silu {
    const INFO: ActivationInfo = ActivationInfo {
        name: "silu",
        formula: "z / (1 + e^-z), also called swish",
        reference: Some(
            "S. Elfwing et al., Sigmoid-Weighted Linear Units for Neural Network Function Approximation in \
            Reinforcement Learning, Neural Networks 107 (2018)",
        ),
        init: Init::He,
        needs_input: true,
        onnx: Onnx::Node { operator: "Mul", inputs: &[Onnx::Argument, Onnx::operator("Sigmoid")], attributes: &[] },
    };

    #[inline(always)]
    fn value<I: Isa, T: Scalar>(z: T) -> T {
        math::silu::<I, T>(z)
    }
    #[inline(always)]
    fn slope<I: Isa, T: Scalar>(z: T) -> T {
        math::silu_slope::<I, T>(z)
    }
}

pub struct Mish;

impl Function for Mish {
    const INFO: ActivationInfo = ActivationInfo {
        name: "mish",
        formula: "z tanh(ln(1 + e^z))",
        reference: Some("D. Misra, Mish: A Self Regularized Non-Monotonic Activation Function, BMVC 2020"),
        init: Init::He,
        needs_input: true,
        onnx: Onnx::operator("Mish"),
    };

    #[inline(always)]
    fn value<I: Isa, T: Scalar>(z: T) -> T {
        math::mish::<I, T>(z)
    }
    #[inline(always)]
    fn slope<I: Isa, T: Scalar>(z: T) -> T {
        math::mish_slope::<I, T>(z)
    }
}

pub struct Tanh;

impl Function for Tanh {
    const INFO: ActivationInfo = ActivationInfo {
        name: "tanh",
        formula: "tanh z",
        reference: Some("Y. LeCun et al., Efficient BackProp, 1998"),
        init: Init::Glorot,
        needs_input: false,
        onnx: Onnx::operator("Tanh"),
    };

    #[inline(always)]
    fn value<I: Isa, T: Scalar>(z: T) -> T {
        math::tanh::<I, T>(z)
    }
    #[inline(always)]
    fn slope<I: Isa, T: Scalar>(a: T) -> T {
        (T::ONE - a) * (T::ONE + a)
    }
}

pub struct Sigmoid;

impl Function for Sigmoid {
    const INFO: ActivationInfo = ActivationInfo {
        name: "sigmoid",
        formula: "1 / (1 + e^-z)",
        reference: Some("D. Rumelhart et al., Learning Representations by Back-Propagating Errors, Nature 323 (1986)"),
        init: Init::Glorot,
        needs_input: false,
        onnx: Onnx::operator("Sigmoid"),
    };

    #[inline(always)]
    fn value<I: Isa, T: Scalar>(z: T) -> T {
        math::sigmoid::<I, T>(z)
    }
    #[inline(always)]
    fn slope<I: Isa, T: Scalar>(a: T) -> T {
        a * (T::ONE - a)
    }
}

pub struct Softplus;

impl Function for Softplus {
    const INFO: ActivationInfo = ActivationInfo {
        name: "softplus",
        formula: "ln(1 + e^z)",
        reference: Some(
            "C. Dugas et al., Incorporating Second-Order Functional Knowledge for Better Option Pricing, NeurIPS 2000",
        ),
        init: Init::He,
        needs_input: false,
        onnx: Onnx::operator("Softplus"),
    };

    #[inline(always)]
    fn value<I: Isa, T: Scalar>(z: T) -> T {
        math::softplus::<I, T>(z)
    }
    #[inline(always)]
    fn slope<I: Isa, T: Scalar>(a: T) -> T {
        -math::exp_m1_nonpositive::<I, T>(-a)
    }
}
