//! The parameters of a network as a table: one flat vector, and what each part of it is.

use std::ops::Range;

/// What a tensor is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A matrix (inputs, outputs) that inputs are multiplied with.
    Weight,
    /// What is added to each output of a product.
    Bias,
    /// What each normalised number is multiplied with.
    Gain,
    /// What is added to each normalised number.
    Shift,
    /// How much of its activation each unit takes.
    Alpha,
    /// Periods of waves in a unit of the input.
    Frequency,
    /// Angles of waves at an input of 0.
    Phase,
    /// The weights of sums that are made of single columns.
    SumWeight,
    /// What is added to each of these sums.
    SumBias,
    /// A row for each level of a category.
    Table,
    /// A factor for each column.
    Scale,
}

impl Kind {
    /// The name, which is also the last part of a tensor's own.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Weight | Kind::SumWeight => "weight",
            Kind::Bias | Kind::SumBias => "bias",
            Kind::Gain => "gain",
            Kind::Shift => "shift",
            Kind::Alpha => "alpha",
            Kind::Frequency => "frequency",
            Kind::Phase => "phase",
            Kind::Table => "table",
            Kind::Scale => "scale",
        }
    }

    /// Whether the penalty of the objective asks for small values.
    pub fn decays(self) -> bool {
        self == Kind::Weight
    }

    /// Whether it is a matrix; else a vector.
    pub fn is_matrix(self) -> bool {
        matches!(self, Kind::Weight | Kind::Frequency | Kind::Phase | Kind::SumWeight | Kind::Table)
    }
}

/// How the elements of a tensor start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Initial {
    /// Uniform between plus and minus this.
    Uniform(f64),
    /// All the same.
    Constant(f64),
    /// Normal, with mean 0 and this deviation.
    Normal(f64),
}

/// One tensor: a row-major matrix, or a vector, which is a matrix of one row.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// For example "0.weight": the layer's number, or "input" and the embedding's, and the kind.
    pub name: String,
    /// The layer it belongs to, from 0; None before the first.
    pub layer: Option<usize>,
    /// What it is for.
    pub kind: Kind,
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub cols: usize,
    /// How its elements start.
    pub initial: Initial,
    /// Where it begins in the flat vector.
    pub start: usize,
    /// The number of its first row among the rows of all tensors.
    pub first_row: usize,
}

impl Tensor {
    /// Where its elements lie in the flat vector.
    pub fn range(&self) -> Range<usize> {
        self.start..self.start + self.rows * self.cols
    }
}

/// A rectangle of a matrix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tile {
    /// Its rows.
    pub rows: Range<usize>,
    /// Its columns.
    pub cols: Range<usize>,
}

/// A rectangle of one tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The number of the tensor.
    pub tensor: usize,
    /// The part of it.
    pub tile: Tile,
}

/// The tensors of a network, in the order of the flat vector.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tensors {
    all: Vec<Tensor>,
}

impl Tensors {
    /// Adds a tensor of a layer behind the others.
    pub fn push(&mut self, layer: usize, kind: Kind, shape: (usize, usize), initial: Initial) {
        self.add(Some(layer), (&layer.to_string(), kind), shape, initial);
    }

    /// Adds a tensor of what comes before the first layer, with that beginning of its name.
    pub fn push_input(&mut self, owner: &str, kind: Kind, shape: (usize, usize), initial: Initial) {
        self.add(None, (owner, kind), shape, initial);
    }

    fn add(&mut self, layer: Option<usize>, (owner, kind): (&str, Kind), shape: (usize, usize), initial: Initial) {
        let name = format!("{owner}.{}", kind.name());
        let ((rows, cols), start, first_row) = (shape, self.len(), self.rows());
        self.all.push(Tensor { name, layer, kind, rows, cols, initial, start, first_row });
    }

    /// All of them.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Tensor> {
        self.all.iter()
    }

    /// Those that the penalty is on.
    pub fn penalised(&self) -> impl Iterator<Item = &Tensor> {
        self.all.iter().filter(|tensor| tensor.kind.decays())
    }

    /// The number of a layer's tensor of that kind.
    pub fn find(&self, layer: usize, kind: Kind) -> Option<usize> {
        self.all.iter().position(|tensor| tensor.layer == Some(layer) && tensor.kind == kind)
    }

    /// The number of the tensor of that kind whose name begins so, of those before the first layer.
    pub fn find_input(&self, owner: &str, kind: Kind) -> Option<usize> {
        let name = format!("{owner}.{}", kind.name());
        self.all.iter().position(|tensor| tensor.layer.is_none() && tensor.name == name)
    }

    /// One of them.
    pub fn get(&self, tensor: usize) -> &Tensor {
        &self.all[tensor]
    }

    /// Rows and columns of one of them.
    pub fn shape(&self, tensor: usize) -> (usize, usize) {
        (self.all[tensor].rows, self.all[tensor].cols)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// The number of parameters.
    pub fn len(&self) -> usize {
        self.all.last().map_or(0, |last| last.range().end)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rows of all tensors together.
    pub fn rows(&self) -> usize {
        self.all.last().map_or(0, |last| last.first_row + last.rows)
    }

    /// Elements of each tensor.
    pub fn sizes(&self) -> Vec<usize> {
        self.all.iter().map(|tensor| tensor.range().len()).collect()
    }

    /// Where a piece lies in the flat vector; of a tile that is narrower than its tensor, up to its last element.
    pub fn range(&self, piece: &Piece) -> Range<usize> {
        let (tensor, Tile { rows, cols }) = (&self.all[piece.tensor], &piece.tile);
        if rows.is_empty() {
            return tensor.start..tensor.start;
        }
        tensor.start + rows.start * tensor.cols + cols.start..tensor.start + (rows.end - 1) * tensor.cols + cols.end
    }

    /// The rows of a piece among the rows of all tensors.
    pub fn rows_of(&self, piece: &Piece) -> Range<usize> {
        let first = self.all[piece.tensor].first_row;
        first + piece.tile.rows.start..first + piece.tile.rows.end
    }

    /// One worker's share of the parameters of those tensors that are `wanted`: as many elements as every other's, in whole
    /// rows.
    pub fn share(&self, worker: usize, workers: usize, wanted: impl Fn(usize) -> bool) -> Vec<Piece> {
        let of_all = || self.all.iter().enumerate().filter(|(tensor, _)| wanted(*tensor));
        let total: usize = of_all().map(|(_, tensor)| tensor.range().len()).sum();
        let (from, to) = (total * worker / workers, total * (worker + 1) / workers);
        let mut pieces = Vec::with_capacity(self.all.len());
        let mut start = 0;
        for (tensor, &Tensor { rows, cols, .. }) in of_all() {
            let row_at = |position: usize| {
                // Multiples of four rows keep the tiles of a product tall; the end of a tensor stays its end.
                let row = position.saturating_sub(start).div_ceil(cols);
                if row >= rows { rows } else { row / 4 * 4 }
            };
            let share = row_at(from)..row_at(to);
            if !share.is_empty() {
                pieces.push(Piece { tensor, tile: Tile { rows: share, cols: 0..cols } });
            }
            start += rows * cols;
        }
        pieces
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(widths: &[usize]) -> Tensors {
        let mut tensors = Tensors::default();
        for (layer, pair) in widths.windows(2).enumerate() {
            tensors.push(layer, Kind::Weight, (pair[0], pair[1]), Initial::Uniform(1.0));
            tensors.push(layer, Kind::Bias, (1, pair[1]), Initial::Constant(0.0));
        }
        tensors
    }

    #[test]
    fn shares_are_all_rows_of_the_wanted_tensors_once_and_in_order() {
        for widths in [vec![1, 1], vec![3, 5, 2], vec![784, 256, 128, 10], vec![1, 1, 1, 1], vec![2, 1000, 1]] {
            let tensors = table(&widths);
            for workers in [1, 2, 3, 7, 64] {
                for leaves_out in [None, Some(0), Some(tensors.count() - 1)] {
                    let pieces: Vec<_> = (0..workers)
                        .flat_map(|worker| tensors.share(worker, workers, |tensor| Some(tensor) != leaves_out))
                        .collect();
                    let mut elements: Vec<_> = pieces.iter().flat_map(|piece| tensors.range(piece)).collect();
                    let sorted = elements.is_sorted();
                    elements.dedup();
                    let left_out = leaves_out.map_or(0..0, |tensor| tensors.get(tensor).range());
                    let expected: Vec<_> = (0..tensors.len()).filter(|i| !left_out.contains(i)).collect();
                    assert!(sorted && elements == expected, "{widths:?} {workers} {leaves_out:?}");
                }
            }
            assert_eq!(tensors.sizes().iter().sum::<usize>(), tensors.len());
        }
    }

    #[test]
    fn a_tensor_is_known_by_its_layer_and_kind() {
        let names: Vec<_> = table(&[3, 5, 2]).iter().map(|tensor| tensor.name.clone()).collect();
        assert_eq!(names, ["0.weight", "0.bias", "1.weight", "1.bias"]);
    }
}
