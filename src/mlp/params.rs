//! Where each layer's parameters lie in one flat vector: W1, b1, W2, b2, …, each W (inputs, outputs), row-major.

use std::ops::Range;

/// The widths of a network's layers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    widths: Vec<usize>,
    starts: Vec<usize>,
}

/// Some rows of one layer's (inputs + 1, outputs) matrix, whose last row is the bias.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows {
    /// The layer, from 0.
    pub layer: usize,
    /// Which rows.
    pub rows: Range<usize>,
}

impl Shape {
    /// The widths from inputs to outputs; at least two, none zero.
    pub fn new(widths: &[usize]) -> Self {
        assert!(widths.len() >= 2 && widths.iter().all(|&width| width > 0), "widths of a network");
        let mut starts = vec![0];
        for pair in widths.windows(2) {
            starts.push(starts[starts.len() - 1] + (pair[0] + 1) * pair[1]);
        }
        Shape { widths: widths.to_vec(), starts }
    }

    /// Widths from inputs to outputs.
    pub fn widths(&self) -> &[usize] {
        &self.widths
    }

    /// The number of weight matrices.
    pub fn layers(&self) -> usize {
        self.widths.len() - 1
    }

    /// Inputs of the network.
    pub fn inputs(&self) -> usize {
        self.widths[0]
    }

    /// Outputs of the network.
    pub fn outputs(&self) -> usize {
        self.widths[self.layers()]
    }

    /// The most inputs of any layer.
    pub fn max_inputs(&self) -> usize {
        self.widths[..self.layers()].iter().copied().max().unwrap_or(0)
    }

    /// The number of parameters.
    pub fn len(&self) -> usize {
        self.starts[self.layers()]
    }

    /// Never: a network has parameters.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// A layer's weights.
    pub fn weights(&self, layer: usize) -> Range<usize> {
        self.starts[layer]..self.starts[layer] + self.widths[layer] * self.widths[layer + 1]
    }

    /// A layer's biases.
    pub fn biases(&self, layer: usize) -> Range<usize> {
        self.weights(layer).end..self.starts[layer + 1]
    }

    /// Where some rows of a layer lie.
    pub fn range(&self, part: &Rows) -> Range<usize> {
        let (start, width) = (self.starts[part.layer], self.widths[part.layer + 1]);
        start + part.rows.start * width..start + part.rows.end * width
    }

    /// The rows of all layers, biases included.
    pub fn rows(&self) -> usize {
        self.widths[..self.layers()].iter().map(|width| width + 1).sum()
    }

    /// The number of a layer's first row, among those of all layers.
    pub fn first_row(&self, layer: usize) -> usize {
        self.widths[..layer].iter().map(|width| width + 1).sum()
    }

    /// Elements of each tensor: W1, b1, W2, b2, …
    pub fn tensors(&self) -> Vec<usize> {
        (0..self.layers()).flat_map(|layer| [self.weights(layer).len(), self.biases(layer).len()]).collect()
    }

    /// One worker's share of the parameters: as many as every other's, in whole rows.
    pub fn share(&self, worker: usize, workers: usize) -> Vec<Rows> {
        let (from, to) = (self.len() * worker / workers, self.len() * (worker + 1) / workers);
        let row_at = |layer: usize, position: usize| {
            let width = self.widths[layer + 1];
            // Multiples of four rows keep the tiles of a product tall; the end of a layer stays its end.
            let row = position.saturating_sub(self.starts[layer]).div_ceil(width);
            if row > self.widths[layer] { self.widths[layer] + 1 } else { row / 4 * 4 }
        };
        (0..self.layers())
            .map(|layer| Rows { layer, rows: row_at(layer, from)..row_at(layer, to) })
            .filter(|part| !part.rows.is_empty())
            .collect()
    }

    /// Floating-point operations of one training step; the first layer needs no input gradient.
    pub fn step_flops(&self, batch: usize) -> f64 {
        let products: usize = self.widths.windows(2).map(|pair| pair[0] * pair[1]).sum();
        2.0 * batch as f64 * (3 * products - self.widths[0] * self.widths[1]) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_all_rows_once_and_in_order() {
        for widths in [vec![1, 1], vec![3, 5, 2], vec![784, 256, 128, 10], vec![1, 1, 1, 1], vec![2, 1000, 1]] {
            let shape = Shape::new(&widths);
            for workers in [1, 2, 3, 7, 64] {
                let ranges: Vec<_> = (0..workers)
                    .flat_map(|worker| shape.share(worker, workers))
                    .map(|part| shape.range(&part))
                    .collect();
                assert_eq!(ranges[0].start, 0);
                assert_eq!(ranges[ranges.len() - 1].end, shape.len());
                assert!(ranges.windows(2).all(|pair| pair[0].end == pair[1].start), "{widths:?} {workers}");
            }
            assert_eq!(shape.tensors().iter().sum::<usize>(), shape.len());
        }
    }
}
