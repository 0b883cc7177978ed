//! How a network is described, and the tensors that follow from it.

use super::embeddings::InputStage;
use super::stages::NormKind;
use super::tensors::{Initial, Kind, Tensors};
use crate::kernels::activation::{Activation, Init};
use crate::kernels::loss::Loss;
use crate::kernels::matmul::Factors;

/// How a network is described: a chain of dense layers, and what happens to the outputs of each.
#[derive(Debug, Clone)]
pub struct Architecture {
    /// The widths from inputs to outputs; at least two, none zero.
    pub widths: Vec<usize>,
    /// What becomes of the inputs before the first layer.
    pub inputs: InputStage,
    /// The activation of each hidden layer.
    pub activations: Vec<Activation>,
    /// Whether each hidden unit learns how much of its activation it takes.
    pub parametric: bool,
    /// What normalises the rows of each hidden layer before its activation.
    pub norm: Option<NormKind>,
    /// The share of each hidden layer's outputs that dropout sets to zero in training.
    pub dropout: Vec<f64>,
    /// What is minimised; it also says what the outputs mean.
    pub loss: Loss,
    /// A weight for the loss of each output, in place of their mean (see [`Loss::gradient`]).
    pub output_weights: Option<Vec<f64>>,
    /// Strength of the penalty `l2 / 2 * sum of squared weights`; biases, gains and shifts are free.
    pub l2: f64,
    /// Whether the penalty is divided by the total weight of each batch, as scikit-learn does.
    pub l2_per_weight: bool,
    /// What the products of its layers multiply.
    pub factors: Factors,
}

impl Architecture {
    /// Layers of these widths with the same activation, and nothing besides.
    pub fn plain(widths: &[usize], activation: Activation, loss: Loss) -> Self {
        let hidden = widths.len() - 2;
        Architecture {
            widths: widths.to_vec(),
            inputs: InputStage::default(),
            activations: vec![activation; hidden],
            parametric: false,
            norm: None,
            dropout: vec![0.0; hidden],
            loss,
            output_weights: None,
            l2: 0.0,
            l2_per_weight: false,
            factors: Factors::Exact,
        }
    }
}

/// What comes before the first layer; then layer by layer: weight, bias, for a normalised layer gain and, unless it is the root mean
/// square's, shift, and for a parametric activation alpha.
pub(super) fn tensors_of(architecture: &Architecture) -> Tensors {
    let mut tensors = Tensors::default();
    let hidden = architecture.activations.len();
    architecture.inputs.push_tensors(architecture.widths[0], &mut tensors);
    for (layer, pair) in architecture.widths.windows(2).enumerate() {
        let (inputs, outputs) = (if layer == 0 { architecture.inputs.width(pair[0]) } else { pair[0] }, pair[1]);
        let activation = architecture.activations.get(layer).copied();
        tensors.push(layer, Kind::Weight, (inputs, outputs), Initial::Uniform(bound(activation, inputs, outputs)));
        tensors.push(layer, Kind::Bias, (1, outputs), Initial::Constant(0.0));
        if let Some(norm) = architecture.norm.filter(|_| layer < hidden) {
            tensors.push(layer, Kind::Gain, (1, outputs), Initial::Constant(1.0));
            if norm.shifts() {
                tensors.push(layer, Kind::Shift, (1, outputs), Initial::Constant(0.0));
            }
        }
        if architecture.parametric && layer < hidden {
            tensors.push(layer, Kind::Alpha, (1, outputs), Initial::Constant(1.0));
        }
    }
    tensors
}

/// The bound of uniform initial weights, for outputs and gradients of about the same size in all layers: He et al. 2015
/// before activations of the ReLU family, LeCun et al. 1998 before SELU, else Glorot and Bengio 2010, also before the outputs.
fn bound(activation: Option<Activation>, inputs: usize, outputs: usize) -> f64 {
    let (inputs, outputs) = (inputs as f64, outputs as f64);
    match activation.map(Activation::init) {
        Some(Init::He) => (6.0 / inputs).sqrt(),
        Some(Init::LeCun) => (3.0 / inputs).sqrt(),
        Some(Init::Glorot) | None => (6.0 / (inputs + outputs)).sqrt(),
    }
}
