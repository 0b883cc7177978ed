//! Forward and backward propagation of some rows, and the weight gradients of some parameters.

use std::ops::Range;

use ndarray::{ArrayView2, ArrayViewMut2};

use super::batch::{Batch, Data, Inputs};
use super::params::{Rows, Shape};
use super::random;
use crate::kernels::activation::{Activation, Init as InitKind};
use crate::kernels::loss::Loss;
use crate::kernels::matmul::{Init, Scratch, matmul};
use crate::kernels::sparse::{AddTransposed, Product};
use crate::kernels::sums::{AddRows, Magnitude, RowSquares};
use crate::scalar::Scalar;
use crate::simd::{Isa, Kernel, dispatch};
use crate::team::Shared;

/// What a network is, without its parameters.
#[derive(Debug, Clone)]
pub struct Network {
    /// Widths and where the parameters lie.
    pub shape: Shape,
    /// The activation of each hidden layer.
    pub activations: Vec<Activation>,
    /// What is minimised; it also says what the outputs mean.
    pub loss: Loss,
    /// A weight for the loss of each output, in place of their mean (see [`Loss::gradient`]).
    pub output_weights: Option<Vec<f64>>,
    /// Strength of the penalty `l2 / 2 * sum of squared weights`; biases are free.
    pub l2: f64,
    /// Whether the penalty is divided by the total weight of each batch, as scikit-learn does.
    pub l2_per_weight: bool,
    /// The share of each hidden layer's outputs that dropout sets to zero in training.
    pub dropout: Vec<f64>,
}

impl Network {
    /// Whether a hidden layer must keep something besides its outputs.
    pub(super) fn saves(&self, layer: usize) -> bool {
        self.activations[layer].needs_input() || self.drops(layer)
    }

    /// Whether a hidden layer has dropout.
    pub(super) fn drops(&self, layer: usize) -> bool {
        self.dropout[layer] > 0.0
    }

    /// The bounds of each layer's uniform initial weights, for outputs and gradients of about the same size in all
    /// layers: He et al. 2015 before activations of the ReLU family, LeCun et al. 1998 before SELU, else Glorot and
    /// Bengio 2010, also before the outputs.
    pub fn init_bounds(&self) -> Vec<f64> {
        let bound = |(layer, pair): (usize, &[usize])| {
            let (inputs, outputs) = (pair[0] as f64, pair[1] as f64);
            match self.activations.get(layer).map(|activation| activation.init()) {
                Some(InitKind::He) => (6.0 / inputs).sqrt(),
                Some(InitKind::LeCun) => (3.0 / inputs).sqrt(),
                Some(InitKind::Glorot) | None => (6.0 / (inputs + outputs)).sqrt(),
            }
        };
        self.shape.widths().windows(2).enumerate().map(bound).collect()
    }

    /// One layer's products: `out = bias + x W`.
    pub(super) fn affine<T: Scalar>(
        &self,
        layer: usize,
        params: &[T],
        x: Inputs<'_, T>,
        out: ArrayViewMut2<'_, T>,
        scratch: &mut Scratch<T>,
    ) {
        let bias = &params[self.shape.biases(layer)];
        match x {
            Inputs::Dense(x) => matmul(out, Init::Row(bias), x, self.weights(layer, params), scratch),
            Inputs::Sparse(x) => dispatch(Product { out, bias, x, b: &params[self.shape.weights(layer)] }),
        }
    }

    fn weights<'a, T: Scalar>(&self, layer: usize, params: &'a [T]) -> ArrayView2<'a, T> {
        let widths = self.shape.widths();
        ArrayView2::from_shape((widths[layer], widths[layer + 1]), &params[self.shape.weights(layer)])
            .expect("the weights of a layer")
    }

    /// Rows of the batch from inputs to logits. `noise` is the key of dropout's random numbers, None for no dropout;
    /// `first` is the number of the batch's first row, where the batch passes through in pieces.
    ///
    /// # Safety
    /// The caller alone touches these rows of the batch until the team meets next.
    #[expect(clippy::undocumented_unsafe_blocks, reason = "said once for the function")]
    pub unsafe fn forward<T: Scalar>(
        &self,
        params: &[T],
        batch: &Batch<'_, T>,
        rows: Range<usize>,
        noise: Option<u64>,
        first: usize,
        scratch: &mut Scratch<T>,
    ) {
        // SAFETY (all of this function): the caller's promise.
        for layer in 0..self.shape.layers() {
            let x = unsafe { batch.layer(layer, rows.clone()) };
            let out = batch.values[layer + 1];
            let Some(hidden) = batch.hidden.get(layer) else {
                return self.affine(layer, params, x, unsafe { out.rows_mut(rows) }, scratch);
            };
            let activation = self.activations[layer];
            match hidden.saved {
                None => {
                    self.affine(layer, params, x, unsafe { out.rows_mut(rows.clone()) }, scratch);
                    activation.forward_in_place(unsafe { out.flat_mut(rows.clone()) });
                }
                Some(saved) if activation.needs_input() => {
                    self.affine(layer, params, x, unsafe { saved.rows_mut(rows.clone()) }, scratch);
                    unsafe { activation.forward(saved.flat(rows.clone()), out.flat_mut(rows.clone())) };
                }
                Some(saved) => {
                    self.affine(layer, params, x, unsafe { saved.rows_mut(rows.clone()) }, scratch);
                    let saved = unsafe { saved.flat_mut(rows.clone()) };
                    activation.forward_in_place(saved);
                    unsafe { out.flat_mut(rows.clone()) }.copy_from_slice(saved);
                }
            }
            if let (Some(mask), Some(noise)) = (hidden.mask, noise) {
                let key = random::key(&[noise, layer as u64]);
                let mask = unsafe { mask.flat_mut(rows.clone()) };
                let start = ((first + rows.start) * out.stride()) as u64;
                fill_mask(mask, self.dropout[layer], key, start);
                dispatch(Multiply { x: unsafe { out.flat_mut(rows.clone()) }, by: mask });
            }
        }
    }

    /// Losses of rows of the batch, and where `scale` is given the gradient of their sum times `scale`, in the place of
    /// the logits. False where a loss is not finite.
    ///
    /// # Safety
    /// The caller alone touches these rows of the batch until the team meets next.
    pub unsafe fn losses<T: Scalar>(
        &self,
        batch: &Batch<'_, T>,
        data: &Data<'_, T>,
        rows: Range<usize>,
        scale: Option<f64>,
    ) -> bool {
        let logits = batch.values[self.shape.layers()];
        // SAFETY: the caller's promise.
        unsafe {
            let z = logits.flat_mut(rows.clone());
            let targets = batch.targets(rows.clone());
            let weights = data.weights.map(|_| batch.weights(rows.clone()));
            let row_loss = batch.row_loss.write(rows);
            let (outputs, stride) = (self.shape.outputs(), logits.stride());
            let of_outputs = self.output_weights.as_deref();
            match scale.map(T::from_f64) {
                Some(scale) => self.loss.gradient(z, outputs, stride, targets, weights, of_outputs, scale, row_loss),
                None => self.loss.value(z, outputs, stride, targets, weights, of_outputs, row_loss),
            }
            row_loss.iter().all(|loss| loss.is_finite())
        }
    }

    /// Rows of the batch from the gradient of the logits back to the first hidden layer.
    ///
    /// # Safety
    /// The caller alone touches these rows of the batch until the team meets next.
    #[expect(clippy::undocumented_unsafe_blocks, reason = "said once for the function")]
    pub unsafe fn backward<T: Scalar>(
        &self,
        params: &[T],
        batch: &Batch<'_, T>,
        rows: Range<usize>,
        dropped: bool,
        scratch: &mut Scratch<T>,
    ) {
        // SAFETY (all of this function): the caller's promise.
        for layer in (0..batch.hidden.len()).rev() {
            let hidden = &batch.hidden[layer];
            let above = unsafe { self.delta(layer + 1, batch).rows(rows.clone()) };
            let delta = unsafe { hidden.delta.rows_mut(rows.clone()) };
            matmul(delta, Init::Zero, above, self.weights(layer + 1, params).reversed_axes(), scratch);
            let delta = unsafe { hidden.delta.flat_mut(rows.clone()) };
            if let (Some(mask), true) = (hidden.mask, dropped) {
                dispatch(Multiply { x: delta, by: unsafe { mask.flat(rows.clone()) } });
            }
            let saved = hidden.saved.unwrap_or(batch.values[layer + 1]);
            self.activations[layer].backward(unsafe { saved.flat(rows.clone()) }, delta);
        }
    }

    /// For each layer, the summed magnitudes of its inputs and of its deltas in some rows of the batch: the product of the
    /// two bounds every element of its gradient, and every partial sum on the way there.
    ///
    /// # Safety
    /// As for [`Network::forward`].
    pub unsafe fn magnitudes<T: Scalar>(&self, batch: &Batch<'_, T>, rows: Range<usize>, to: &mut [f64]) {
        for (layer, to) in to.chunks_exact_mut(2).enumerate() {
            // SAFETY: the caller's promise.
            unsafe {
                to[0] = match batch.layer(layer, rows.clone()) {
                    Inputs::Dense(_) => dispatch(Magnitude(batch.values[layer].flat(rows.clone()))),
                    Inputs::Sparse(x) => (0..x.nrows()).map(|row| dispatch(Magnitude(x.values(row)))).sum(),
                };
                to[1] = dispatch(Magnitude(self.delta(layer, batch).flat(rows.clone())));
            }
        }
    }

    fn delta<'a, T: Scalar>(&self, layer: usize, batch: &Batch<'a, T>) -> super::batch::Matrix<'a, T> {
        batch.hidden.get(layer).map_or(batch.values[self.shape.layers()], |hidden| hidden.delta)
    }

    /// The gradient of some parameters from the first `rows` rows of the batch, added to what is there unless `fresh`.
    ///
    /// # Safety
    /// The caller alone touches this part of `grads`, and nobody writes to the batch, until the team meets next.
    #[expect(clippy::undocumented_unsafe_blocks, reason = "said once for the function")]
    pub unsafe fn gradient<T: Scalar>(
        &self,
        batch: &Batch<'_, T>,
        rows: usize,
        part: &Rows,
        fresh: bool,
        grads: &Shared<'_, T>,
        scratch: &mut Scratch<T>,
    ) {
        let Rows { layer, rows: of_weights } = part.clone();
        let (inputs, outputs) = (self.shape.widths()[layer], self.shape.widths()[layer + 1]);
        // SAFETY (all of this function): the caller's promise.
        let delta = unsafe { self.delta(layer, batch).rows(0..rows) };
        let grads = unsafe { grads.write(self.shape.range(part)) };
        let weights = of_weights.start..of_weights.end.min(inputs);
        let (of_weights, of_biases) = grads.split_at_mut(weights.len() * outputs);
        if !weights.is_empty() {
            if let Inputs::Sparse(x) = unsafe { batch.layer(layer, 0..rows) } {
                if fresh {
                    of_weights.fill(T::ZERO);
                }
                dispatch(AddTransposed { sums: of_weights, x, columns: weights, b: delta });
            } else {
                let x = unsafe { batch.values[layer].part(0..rows, weights.clone()) }.reversed_axes();
                let out = ArrayViewMut2::from_shape((weights.len(), outputs), of_weights).expect("rows of weights");
                matmul(out, if fresh { Init::Zero } else { Init::Keep }, x, delta, scratch);
            }
        }
        if !of_biases.is_empty() {
            if fresh {
                of_biases.fill(T::ZERO);
            }
            dispatch(AddRows { sums: of_biases, rows: delta });
        }
    }

    /// The factor of the penalty's gradient, for a batch of that total weight; a batch that weighs nothing asks for nothing.
    pub fn penalty_strength(&self, weight: f64) -> f64 {
        match self.l2_per_weight {
            true if weight > 0.0 => self.l2 / weight,
            true => 0.0,
            false => self.l2,
        }
    }

    /// The penalty that belongs to the loss on `data`.
    pub fn penalty<T: Scalar>(&self, params: &[T], data: &Data<'_, T>) -> f64 {
        if self.l2 == 0.0 {
            return 0.0;
        }
        let weight = data.weights.map_or(data.len() as f64, |weights| weights.iter().map(|w| w.to_f64()).sum());
        let squares = |layer| {
            let (weights, mut squares) = (&params[self.shape.weights(layer)], [0.0]);
            dispatch(RowSquares { x: weights, width: weights.len(), squares: &mut squares });
            squares[0]
        };
        0.5 * self.penalty_strength(weight) * (0..self.shape.layers()).map(squares).sum::<f64>()
    }

    /// The penalty's share of some rows of a layer's weights: adds `strength * weights` to the gradient and writes each row's
    /// squared sum. False where that may have made an element of the gradient infinite or NaN.
    pub fn penalise<T: Scalar>(
        &self,
        layer: usize,
        grads: &mut [T],
        weights: &[T],
        strength: f64,
        squares: &mut [f64],
    ) -> bool {
        let width = self.shape.widths()[layer + 1];
        dispatch(Penalise { grads, weights, strength: T::from_f64(strength), width, squares });
        let largest = T::MAX.to_f64() / 4.0;
        squares.iter().all(|squares| squares.sqrt() < largest && squares.sqrt() * strength < largest)
    }
}

/// Dropout's factors for consecutive positions from `start`: position i is a pure function of the key and i.
fn fill_mask<T: Scalar>(mask: &mut [T], rate: f64, key: u64, start: u64) {
    struct Fill<'a, T> {
        mask: &'a mut [T],
        rate: f32,
        keep: T,
        key: u64,
        start: u64,
    }
    impl<T: Scalar> Kernel for Fill<'_, T> {
        type Output = ();
        #[inline(always)]
        fn run<I: Isa>(self) {
            for (i, to) in self.mask.iter_mut().enumerate() {
                let unit = random::unit(random::at(self.key, self.start + i as u64));
                *to = if unit < self.rate { T::ZERO } else { self.keep };
            }
        }
    }
    dispatch(Fill { mask, rate: rate as f32, keep: T::from_f64(1.0 / (1.0 - rate)), key, start });
}

/// `x *= by`.
struct Multiply<'a, T> {
    x: &'a mut [T],
    by: &'a [T],
}

impl<T: Scalar> Kernel for Multiply<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        self.x.iter_mut().zip(self.by).for_each(|(x, &by)| *x *= by);
    }
}

struct Penalise<'a, T> {
    grads: &'a mut [T],
    weights: &'a [T],
    strength: T,
    width: usize,
    squares: &'a mut [f64],
}

impl<T: Scalar> Kernel for Penalise<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        for (g, &w) in self.grads.iter_mut().zip(self.weights) {
            *g = I::fma(self.strength, w, *g);
        }
        RowSquares { x: self.weights, width: self.width, squares: self.squares }.run::<I>();
    }
}
