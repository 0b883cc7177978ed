//! The losses of a network, each beside its gradient, from the last layer's preactivations z ("logits").
//!
//! Each loss has its own link: what turns z into a prediction (softmax, sigmoid, exp or nothing). Loss and gradient
//! are taken through the link, so they are exact and finite for any z. A row's result depends on nothing but the row.
//!
//! A new loss is a `Term` below and a line in each match of the registry.

use crate::kernels::math;
use crate::scalar::Scalar;
use crate::simd::{Isa, Kernel, dispatch};

mod softmax;
#[cfg(test)]
mod tests;

/// What the network should have said.
#[derive(Debug, Clone, Copy)]
pub enum Targets<'a, T> {
    /// The column of each row that is 1, all others being 0.
    Classes(&'a [u32]),
    /// One number for each output, row after row without gaps.
    Values(&'a [T]),
}

/// The loss of one row. z is a preactivation, y its target, q the number of outputs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Loss {
    /// sum (z - y)^2 / q
    Mse,
    /// sum (z - y)^2, and a batch's loss is the sum over its rows: the sum of squared residuals.
    Sse,
    /// sum |z - y| / q
    Mae,
    /// Quadratic for small residuals, linear beyond `delta`. P. Huber, Robust Estimation of a Location Parameter,
    /// Ann. Math. Statist. 35 (1964).
    Huber {
        /// Where the line begins.
        delta: f64,
    },
    /// sum ln cosh(z - y) / q
    LogCosh,
    /// The pinball loss, least where z is the `level` quantile of y. R. Koenker and G. Bassett, Regression Quantiles,
    /// Econometrica 46 (1978).
    Quantile {
        /// Between 0 and 1; 0.5 is half of the mean absolute error.
        level: f64,
    },
    /// -sum y ln softmax(z): the negative log-likelihood of a class, or of a distribution over classes.
    CrossEntropy,
    /// The negative log-likelihood of independent yes-or-no outputs, -sum (y ln s(z) + (1 - y) ln(1 - s(z))) / q, with
    /// s the sigmoid.
    BinaryCrossEntropy,
    /// The negative log-likelihood of counts with mean e^z, without the part that z does not change: sum (e^z - y z) / q.
    Poisson,
}

/// The loss of one output and its derivative by z, in double precision: it is little work and the sums stay exact.
trait Term: Copy {
    fn loss<I: Isa>(self, z: f64, y: f64) -> f64;
    fn slope<I: Isa>(self, z: f64, y: f64) -> f64;
}

#[derive(Clone, Copy)]
struct Square;

impl Term for Square {
    #[inline(always)]
    fn loss<I: Isa>(self, z: f64, y: f64) -> f64 {
        (z - y) * (z - y)
    }
    #[inline(always)]
    fn slope<I: Isa>(self, z: f64, y: f64) -> f64 {
        2.0 * (z - y)
    }
}

/// `below` for a negative x, `above` for a positive one, else x itself: 0 or NaN.
#[inline(always)]
fn by_sign(x: f64, below: f64, above: f64) -> f64 {
    if x > 0.0 {
        above
    } else if x < 0.0 {
        below
    } else {
        x
    }
}

/// Absolute value, `down` times steeper below y, `up` times above. The slope at y is 0.
#[derive(Clone, Copy)]
struct Tilted {
    down: f64,
    up: f64,
}

impl Term for Tilted {
    #[inline(always)]
    fn loss<I: Isa>(self, z: f64, y: f64) -> f64 {
        self.slope::<I>(z, y) * (z - y)
    }
    #[inline(always)]
    fn slope<I: Isa>(self, z: f64, y: f64) -> f64 {
        by_sign(z - y, -self.down, self.up)
    }
}

#[derive(Clone, Copy)]
struct Huber {
    delta: f64,
}

impl Term for Huber {
    #[inline(always)]
    fn loss<I: Isa>(self, z: f64, y: f64) -> f64 {
        let residual = (z - y).abs();
        if residual <= self.delta { 0.5 * residual * residual } else { self.delta * (residual - 0.5 * self.delta) }
    }
    #[inline(always)]
    fn slope<I: Isa>(self, z: f64, y: f64) -> f64 {
        let residual = z - y;
        if residual.abs() <= self.delta { residual } else { by_sign(residual, -self.delta, self.delta) }
    }
}

#[derive(Clone, Copy)]
struct LogCosh;

impl Term for LogCosh {
    #[inline(always)]
    fn loss<I: Isa>(self, z: f64, y: f64) -> f64 {
        // ln cosh r = |r| + ln(1 + e^(-2 |r|)) - ln 2
        let residual = (z - y).abs();
        residual + (math::softplus_of_minus_abs::<I, f64>(2.0 * residual) - std::f64::consts::LN_2)
    }
    #[inline(always)]
    fn slope<I: Isa>(self, z: f64, y: f64) -> f64 {
        math::tanh::<I, f64>(z - y)
    }
}

#[derive(Clone, Copy)]
struct BinaryCrossEntropy;

impl Term for BinaryCrossEntropy {
    #[inline(always)]
    fn loss<I: Isa>(self, z: f64, y: f64) -> f64 {
        // softplus(z) - y z, without the large numbers that cancel where y = 1
        let linear = if z > 0.0 { (1.0 - y) * z } else { -y * z };
        linear + math::softplus_of_minus_abs::<I, f64>(z)
    }
    #[inline(always)]
    fn slope<I: Isa>(self, z: f64, y: f64) -> f64 {
        // sigmoid(z) - y, likewise
        (1.0 - y) * math::sigmoid::<I, f64>(z) - y * math::sigmoid::<I, f64>(-z)
    }
}

#[derive(Clone, Copy)]
struct Poisson;

impl Term for Poisson {
    #[inline(always)]
    fn loss<I: Isa>(self, z: f64, y: f64) -> f64 {
        math::exp::<I, f64>(z) - y * z
    }
    #[inline(always)]
    fn slope<I: Isa>(self, z: f64, y: f64) -> f64 {
        math::exp::<I, f64>(z) - y
    }
}

impl Loss {
    /// All of them, with the defaults of those that have a parameter.
    pub const ALL: &'static [Loss] = &[
        Loss::Mse,
        Loss::Sse,
        Loss::Mae,
        Loss::Huber { delta: 1.0 },
        Loss::LogCosh,
        Loss::Quantile { level: 0.5 },
        Loss::CrossEntropy,
        Loss::BinaryCrossEntropy,
        Loss::Poisson,
    ];

    /// The name that users write.
    pub fn name(self) -> &'static str {
        match self {
            Loss::Mse => "mse",
            Loss::Sse => "sse",
            Loss::Mae => "mae",
            Loss::Huber { .. } => "huber",
            Loss::LogCosh => "log_cosh",
            Loss::Quantile { .. } => "quantile",
            Loss::CrossEntropy => "cross_entropy",
            Loss::BinaryCrossEntropy => "binary_cross_entropy",
            Loss::Poisson => "poisson",
        }
    }

    /// The loss of that name, with its default parameter.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|loss| loss.name() == name)
    }

    /// Whether its targets are class indices.
    pub fn takes_classes(self) -> bool {
        matches!(self, Loss::CrossEntropy)
    }

    /// Whether the loss of a batch is the weighted mean of its rows, not their sum.
    pub fn mean(self) -> bool {
        self != Loss::Sse
    }

    /// The loss of each row, times its weight, and the gradient in place of the preactivations.
    ///
    /// There are as many rows as `row_loss` is long, each of `outputs` numbers, beginning `stride` apart in `z`; what
    /// lies between is left alone. `z` becomes `scale` times the derivative of the sum of all row losses by z.
    /// With `output_weights` a row's loss is the sum over its outputs of weight times loss, in place of the mean or
    /// the sum without weights; cross-entropy, which is one loss for all outputs, has none.
    ///
    /// # Panics
    /// If a slice is too short for that many rows, or a class is not below `outputs`.
    #[allow(clippy::too_many_arguments)]
    pub fn gradient<T: Scalar>(
        self,
        z: &mut [T],
        outputs: usize,
        stride: usize,
        targets: Targets<T>,
        weights: Option<&[T]>,
        output_weights: Option<&[f64]>,
        scale: T,
        row_loss: &mut [f64],
    ) {
        let rows = Rows { outputs, stride, targets, weights, output_weights, scale: scale.to_f64(), row_loss };
        rows.check(z);
        dispatch(Evaluation { loss: self, z, rows });
    }

    /// The loss of each row, times its weight, as for [`gradient`](Self::gradient).
    ///
    /// # Panics
    /// As [`gradient`](Self::gradient).
    #[allow(clippy::too_many_arguments)]
    pub fn value<T: Scalar>(
        self,
        z: &[T],
        outputs: usize,
        stride: usize,
        targets: Targets<T>,
        weights: Option<&[T]>,
        output_weights: Option<&[f64]>,
        row_loss: &mut [f64],
    ) {
        let rows = Rows { outputs, stride, targets, weights, output_weights, scale: 0.0, row_loss };
        rows.check(z);
        dispatch(Evaluation { loss: self, z, rows });
    }

    /// Preactivations to predictions, in place: softmax, sigmoid, exp, or nothing.
    ///
    /// # Panics
    /// If a row does not fit into its stride, or the last one into `z`.
    pub fn link_in_place<T: Scalar>(self, z: &mut [T], outputs: usize, stride: usize) {
        assert!(outputs > 0 && outputs <= stride, "a row needs outputs that fit into its stride");
        let last = z.len() % stride;
        assert!(last == 0 || last >= outputs, "the last row has {last} of {outputs} outputs");
        if matches!(self, Loss::CrossEntropy | Loss::BinaryCrossEntropy | Loss::Poisson) {
            dispatch(Link { loss: self, z, outputs, stride });
        }
    }
}

/// What all losses are given, but for z.
struct Rows<'a, T> {
    outputs: usize,
    stride: usize,
    targets: Targets<'a, T>,
    weights: Option<&'a [T]>,
    output_weights: Option<&'a [f64]>,
    scale: f64,
    row_loss: &'a mut [f64],
}

impl<T: Scalar> Rows<'_, T> {
    fn check(&self, z: &[T]) {
        let rows = self.row_loss.len();
        assert!(self.outputs > 0 && self.outputs <= self.stride, "a row needs outputs that fit into its stride");
        assert!(rows == 0 || z.len() >= (rows - 1) * self.stride + self.outputs, "z is too short for {rows} rows");
        match self.targets {
            Targets::Classes(classes) => {
                assert_eq!(classes.len(), rows, "one class for each row");
                assert!(classes.iter().all(|c| (*c as usize) < self.outputs), "a class is not below {}", self.outputs);
            }
            Targets::Values(values) => assert_eq!(values.len(), rows * self.outputs, "one target for each output"),
        }
        assert!(self.weights.is_none_or(|w| w.len() == rows), "one weight for each row");
        assert!(self.output_weights.is_none_or(|w| w.len() == self.outputs), "one weight for each output");
    }

    /// The numbers of a row in `values`, which have no gaps.
    #[inline(always)]
    fn of<'b>(&self, row: usize, values: &'b [T]) -> &'b [T] {
        &values[row * self.outputs..][..self.outputs]
    }

    #[inline(always)]
    fn weight(&self, row: usize) -> f64 {
        self.weights.map_or(1.0, |w| w[row].to_f64())
    }
}

/// The preactivations, which a gradient may replace.
trait Logits<T> {
    /// All of them.
    fn all(&self) -> &[T];
    /// The same to write to; nothing where only the loss is wanted.
    fn all_mut(&mut self) -> Option<&mut [T]>;
}

impl<T: Scalar> Logits<T> for &[T] {
    #[inline(always)]
    fn all(&self) -> &[T] {
        self
    }
    #[inline(always)]
    fn all_mut(&mut self) -> Option<&mut [T]> {
        None
    }
}

impl<T: Scalar> Logits<T> for &mut [T] {
    #[inline(always)]
    fn all(&self) -> &[T] {
        self
    }
    #[inline(always)]
    fn all_mut(&mut self) -> Option<&mut [T]> {
        Some(self)
    }
}

struct Evaluation<'a, T, Z> {
    loss: Loss,
    z: Z,
    rows: Rows<'a, T>,
}

impl<T: Scalar, Z: Logits<T>> Kernel for Evaluation<'_, T, Z> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        let Evaluation { loss, z, rows } = self;
        let share = if rows.output_weights.is_some() { 1.0 } else { 1.0 / rows.outputs as f64 };
        match loss {
            Loss::Mse => elementwise::<I, T>(Square, share, z, rows),
            Loss::Sse => elementwise::<I, T>(Square, 1.0, z, rows),
            Loss::Mae => elementwise::<I, T>(Tilted { down: 1.0, up: 1.0 }, share, z, rows),
            Loss::Huber { delta } => elementwise::<I, T>(Huber { delta }, share, z, rows),
            Loss::LogCosh => elementwise::<I, T>(LogCosh, share, z, rows),
            Loss::Quantile { level } => elementwise::<I, T>(Tilted { down: level, up: 1.0 - level }, share, z, rows),
            Loss::BinaryCrossEntropy => elementwise::<I, T>(BinaryCrossEntropy, share, z, rows),
            Loss::Poisson => elementwise::<I, T>(Poisson, share, z, rows),
            Loss::CrossEntropy => softmax::cross_entropy::<I, T>(z, rows),
        }
    }
}

struct Link<'a, T> {
    loss: Loss,
    z: &'a mut [T],
    outputs: usize,
    stride: usize,
}

impl<T: Scalar> Kernel for Link<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        let Link { loss, z, outputs, stride } = self;
        if loss == Loss::CrossEntropy {
            return softmax::softmax::<I, T>(z, outputs, stride);
        }
        // Without gaps the rows are one.
        let (width, stride) = if outputs == stride { (z.len(), z.len().max(1)) } else { (outputs, stride) };
        for row in z.chunks_mut(stride) {
            for x in &mut row[..width] {
                *x = if loss == Loss::Poisson { math::exp::<I, T>(*x) } else { math::sigmoid::<I, T>(*x) };
            }
        }
    }
}

/// How many numbers are worked on at a time, in double precision, on the stack.
const BLOCK: usize = 128;
/// The same for a few rows, as they come in steps of one: clearing a large block would take longer than they do.
const SMALL_BLOCK: usize = 16;

/// A loss that is `share` times the sum of one term for each output.
#[inline(always)]
fn elementwise<I: Isa, T: Scalar>(term: impl Term, share: f64, z: impl Logits<T>, rows: Rows<T>) {
    if rows.row_loss.len() * rows.outputs <= SMALL_BLOCK {
        in_blocks::<I, T, SMALL_BLOCK>(term, share, z, rows);
    } else {
        in_blocks::<I, T, BLOCK>(term, share, z, rows);
    }
}

#[inline(always)]
fn in_blocks<I: Isa, T: Scalar, const BLOCK: usize>(term: impl Term, share: f64, mut z: impl Logits<T>, rows: Rows<T>) {
    let Rows { outputs, stride, .. } = rows;
    let (mut x, mut y, mut losses) = ([0.0; BLOCK], [0.0; BLOCK], [0.0; BLOCK]);
    // Whole rows where several fit into a block, else a part of one.
    let width = outputs.min(BLOCK);
    let group = BLOCK / width;
    let count = rows.row_loss.len();
    for first in (0..count).step_by(group) {
        let group = group.min(count - first);
        for column in (0..outputs).step_by(width) {
            let width = width.min(outputs - column);
            let used = group * width;
            match rows.targets {
                // Rows without gaps are one.
                Targets::Values(values) if stride == outputs => {
                    let place = first * outputs + column;
                    widen(&z.all()[place..][..used], &mut x[..used]);
                    widen(&values[place..][..used], &mut y[..used]);
                }
                _ => {
                    for i in 0..group {
                        let row = first + i;
                        let place = i * width..(i + 1) * width;
                        widen(&z.all()[row * stride + column..][..width], &mut x[place.clone()]);
                        match rows.targets {
                            Targets::Values(values) => widen(&rows.of(row, values)[column..][..width], &mut y[place]),
                            Targets::Classes(classes) => {
                                y[place.clone()].fill(0.0);
                                if let Some(one) = y[place].get_mut((classes[row] as usize).wrapping_sub(column)) {
                                    *one = 1.0;
                                }
                            }
                        }
                    }
                }
            }
            for ((x, y), loss) in x[..used].iter_mut().zip(&y[..used]).zip(&mut losses[..used]) {
                *loss = term.loss::<I>(*x, *y);
                *x = term.slope::<I>(*x, *y);
            }
            if let Some(weights) = rows.output_weights {
                let weights = weights[column..][..width].iter().cycle();
                for ((x, loss), weight) in x[..used].iter_mut().zip(&mut losses[..used]).zip(weights) {
                    *x *= weight;
                    *loss *= weight;
                }
            }
            if outputs == 1 && rows.weights.is_none() && stride == 1 {
                // What the loop below does, in a form that becomes vector instructions.
                let factor = share * rows.scale;
                rows.row_loss[first..][..used].iter_mut().zip(&losses).for_each(|(to, loss)| *to = share * loss);
                if let Some(z) = z.all_mut() {
                    z[first..][..used].iter_mut().zip(&x).for_each(|(z, slope)| *z = T::from_f64(slope * factor));
                }
                continue;
            }
            for i in 0..group {
                let row = first + i;
                let place = i * width..(i + 1) * width;
                let weight = rows.weight(row) * share;
                let so_far = if column == 0 { 0.0 } else { rows.row_loss[row] };
                rows.row_loss[row] = so_far + weight * sum(&losses[place.clone()]);
                let factor = weight * rows.scale;
                if let Some(z) = z.all_mut() {
                    for (z, slope) in z[row * stride + column..][..width].iter_mut().zip(&x[place]) {
                        *z = T::from_f64(slope * factor);
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn widen<T: Scalar>(from: &[T], to: &mut [f64]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = from.to_f64();
    }
}

/// A sum whose order depends on the length alone, in eight strands.
#[inline(always)]
fn sum<T: Scalar>(x: &[T]) -> f64 {
    const STRANDS: usize = 8;
    let mut strands = [0.0; STRANDS];
    let chunks = x.chunks_exact(STRANDS);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (strand, x) in strands.iter_mut().zip(chunk) {
            *strand += x.to_f64();
        }
    }
    for (strand, x) in strands.iter_mut().zip(rest) {
        *strand += x.to_f64();
    }
    let mut total = 0.0;
    for strand in &strands[..STRANDS.min(x.len())] {
        total += strand;
    }
    total
}
