//! The description of a network, as Python gives it.

use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::data::check_shape;
use super::embeddings::{GivenEmbedding, check_embeddings};
use super::keywords::Keywords;
use crate::error::{Error, Result};
use crate::kernels::activation::Activation;
use crate::kernels::loss::Loss;
use crate::kernels::matmul::Factors;
use crate::mlp::embeddings::InputStage;
use crate::mlp::stages::NormKind;
use crate::mlp::{Architecture, Network};
use crate::optim::Curve;
use crate::optim::options::hint;
use crate::py::schedule::schedule_named;

/// What a network is made from.
pub struct NetworkSpec {
    /// Of all layers, from inputs to outputs.
    widths: Vec<usize>,
    /// What becomes of some columns of the inputs.
    embeddings: Vec<GivenEmbedding>,
    input_scale: bool,
    /// Of each hidden layer.
    activations: Vec<String>,
    parametric: bool,
    /// Of all hidden layers.
    norm: Option<String>,
    loss: String,
    loss_parameter: Option<f64>,
    label_smoothing: f64,
    output_weights: Option<Vec<f64>>,
    l2: f64,
    l2_per_weight: bool,
    /// Of each hidden layer: its largest rate, and what it follows.
    dropout: Vec<(f64, Option<Curve>)>,
    precision: Option<String>,
}

impl NetworkSpec {
    /// Takes it from keyword arguments.
    pub fn read(given: &Bound<'_, PyDict>) -> PyResult<Self> {
        let given = Keywords::new(given)?;
        let activations: Vec<String> = given.required("activations")?;
        let spec = NetworkSpec {
            widths: given.required("widths")?,
            embeddings: given.optional("embeddings")?.unwrap_or_default(),
            input_scale: given.optional("input_scale")?.unwrap_or(false),
            parametric: given.optional("parametric")?.unwrap_or(false),
            norm: given.optional("norm")?,
            loss: given.required("loss")?,
            loss_parameter: given.optional("loss_parameter")?,
            label_smoothing: given.optional("label_smoothing")?.unwrap_or(0.0),
            output_weights: given.optional("output_weights")?,
            l2: given.optional("l2")?.unwrap_or(0.0),
            l2_per_weight: given.optional("l2_per_weight")?.unwrap_or(false),
            dropout: match given.optional::<Vec<Bound<'_, PyAny>>>("dropout")? {
                Some(rates) => rates.iter().map(rate_of).collect::<PyResult<_>>()?,
                None => vec![(0.0, None); activations.len()],
            },
            precision: given.optional("precision")?,
            activations,
        };
        given.finish()?;
        Ok(spec)
    }

    /// The network, if it can be one.
    pub fn build(self) -> Result<Network> {
        self.check_layers()?;
        let embeddings = self.embeddings.iter().map(GivenEmbedding::taken).collect::<Result<_>>()?;
        let inputs = InputStage { embeddings, scale: self.input_scale };
        check_embeddings(&inputs.embeddings, self.widths[0])?;
        if !(self.l2 >= 0.0 && self.l2.is_finite()) {
            return Err(Error::value("l2", self.l2, "finite and not negative"));
        }
        let activations = self.activations.iter().map(|name| activation_of(name)).collect::<Result<_>>()?;
        let loss = loss_of(&self.loss, self.loss_parameter)?.with_smoothing(self.label_smoothing)?;
        self.check_output_weights(&loss)?;
        let (dropout, curves) = self.dropout.into_iter().unzip();
        let network = Network::new(&Architecture {
            norm: self.norm.as_deref().map(norm_of).transpose()?,
            widths: self.widths,
            inputs,
            activations,
            parametric: self.parametric,
            loss,
            output_weights: self.output_weights,
            l2: self.l2,
            l2_per_weight: self.l2_per_weight,
            dropout,
            factors: self.precision.as_deref().map_or(Ok(Factors::Exact), factors_of)?,
        });
        Ok(Network { dropout_curves: curves, ..network })
    }

    fn check_layers(&self) -> Result<()> {
        if self.widths.len() < 2 || self.widths.contains(&0) {
            let expected = "at least two widths, from inputs to outputs, all positive";
            return Err(Error::value("layers", format!("{:?}", self.widths), expected));
        }
        self.check_size()?;
        let hidden = self.widths.len() - 2;
        check_shape("activation", &[self.activations.len()], &[hidden])?;
        check_shape("dropout", &[self.dropout.len()], &[hidden])?;
        match self.dropout.iter().find(|(rate, _)| !(0.0..1.0).contains(rate)) {
            Some((rate, _)) => Err(Error::value("dropout", rate, "at least 0 and below 1")),
            None => Ok(()),
        }
    }

    /// Refuses layers whose parameters have no numbers in this machine.
    fn check_size(&self) -> Result<()> {
        let layers = self.widths.windows(2).map(|pair| (pair[0] as u128 + 4).saturating_mul(pair[1] as u128));
        let first = self.widths[1] as u128;
        let sizes = layers.chain(self.embeddings.iter().map(|embedding| embedding.size(first)));
        let bytes = sizes.fold(0, u128::saturating_add).saturating_mul(size_of::<f64>() as u128);
        match bytes <= isize::MAX as u128 / 16 {
            true => Ok(()),
            false => Err(Error::Memory { what: format!("a network with layers {:?}", self.widths), bytes }),
        }
    }

    fn check_output_weights(&self, loss: &Loss) -> Result<()> {
        let Some(weights) = &self.output_weights else { return Ok(()) };
        check_shape("output_weights", &[weights.len()], &self.widths[self.widths.len() - 1..])?;
        if loss.takes_classes() || !weights.iter().all(|weight| *weight >= 0.0 && weight.is_finite()) {
            let expected = "finite and not negative, for a loss that is a sum over outputs";
            return Err(Error::value("output_weights", format!("{weights:?}"), expected));
        }
        Ok(())
    }
}

/// The largest rate of dropout and what it follows, which are given as a number or a schedule.
fn rate_of(given: &Bound<'_, PyAny>) -> PyResult<(f64, Option<Curve>)> {
    if let Ok(rate) = given.extract::<f64>() {
        return Ok((rate, None));
    }
    let curve = Curve::new("dropout", schedule_named("dropout", given)?)?;
    Ok((curve.peak(), Some(curve)))
}

fn activation_of(name: &str) -> Result<Activation> {
    let names = Activation::ALL.iter().map(|activation| activation.name());
    Activation::from_name(name).ok_or_else(|| unknown("activation", name, names))
}

fn norm_of(name: &str) -> Result<NormKind> {
    let expected = || format!("None or {}", one_of(NormKind::ALL.iter().map(|norm| norm.name())));
    NormKind::from_name(name).ok_or_else(|| Error::value("norm", format!("{name:?}"), expected()))
}

/// What products multiply at the precision of that name.
pub fn factors_of(name: &str) -> Result<Factors> {
    let expected = || format!("None or {}", one_of(Factors::NAMES.iter().map(|(name, _)| *name)));
    Factors::from_name(name).ok_or_else(|| Error::value("precision", format!("{name:?}"), expected()))
}

fn loss_of(name: &str, parameter: Option<f64>) -> Result<Loss> {
    let names = Loss::ALL.iter().map(|loss| loss.name());
    let loss = Loss::from_name(name).ok_or_else(|| unknown("loss", name, names))?;
    parameter.map_or(Ok(loss), |parameter| loss.with_parameter(parameter))
}

/// Names the argument, what came, what is accepted, and what may have been meant.
fn unknown(argument: &'static str, name: &str, known: impl Iterator<Item = &'static str>) -> Error {
    let known: Vec<_> = known.collect();
    Error::value(argument, format!("{name:?}{}", hint(name, &known)), one_of(known.into_iter()))
}

fn one_of<'a>(names: impl Iterator<Item = &'a str>) -> String {
    format!("one of {}", names.collect::<Vec<_>>().join(", "))
}
