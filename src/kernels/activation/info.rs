//! What an activation is.

use crate::kernels::onnx::Onnx;
use crate::scalar::Scalar;
use crate::simd::Isa;

/// An activation as data.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ActivationInfo {
    /// The name that users write.
    pub name: &'static str,
    /// a(z)
    pub formula: &'static str,
    /// Where it was published.
    pub reference: Option<&'static str>,
    /// How the weights of the layer before it should start.
    pub init: Init,
    /// Whether the derivative is computed from the input z; else from the output a, so z need not be kept.
    pub needs_input: bool,
    /// The same function in ONNX.
    pub onnx: Onnx,
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

impl Init {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Init::He => "He",
            Init::LeCun => "LeCun",
            Init::Glorot => "Glorot",
        }
    }
}

/// An elementwise function and its derivative.
pub trait Function {
    const INFO: ActivationInfo;

    /// a(z)
    fn value<I: Isa, T: Scalar>(z: T) -> T;
    /// da/dz, from z if `needs_input`, else from a.
    fn slope<I: Isa, T: Scalar>(saved: T) -> T;
}
