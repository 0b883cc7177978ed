//! What becomes of columns of the inputs before the first layer: the description and its tensors.

use std::f64::consts::PI;
use std::sync::Arc;

use super::tensors::{Initial, Kind, Tensors};
use crate::kernels::embedding::Bins;

/// What some columns become.
#[derive(Debug, Clone)]
pub enum Embedding {
    /// Numbers: each is kept, and joined by `width` sums of its `frequencies` waves.
    Periodic {
        /// The columns.
        columns: Vec<usize>,
        /// Waves of each.
        frequencies: usize,
        /// Sums of each.
        width: usize,
        /// The deviation of the initial frequencies.
        sigma: f64,
    },
    /// Numbers: each is kept, and joined by `width` piecewise linear functions of it.
    Piecewise {
        /// The columns.
        columns: Vec<usize>,
        /// The bins of each, at whose edges the slopes change.
        bins: Arc<Bins>,
        /// Functions of each.
        width: usize,
    },
    /// A category, numbered from 0: the row of a table.
    Category {
        /// The column.
        column: usize,
        /// Rows of the table.
        levels: usize,
        /// Columns of the table.
        width: usize,
    },
}

impl Embedding {
    /// The columns that it takes.
    pub fn columns(&self) -> &[usize] {
        match self {
            Embedding::Periodic { columns, .. } | Embedding::Piecewise { columns, .. } => columns,
            Embedding::Category { column, .. } => std::slice::from_ref(column),
        }
    }

    /// How many columns it makes of them.
    pub fn width(&self) -> usize {
        match self {
            Embedding::Periodic { columns, width, .. } | Embedding::Piecewise { columns, width, .. } => {
                columns.len() * (width + 1)
            }
            Embedding::Category { width, .. } => *width,
        }
    }

    /// Its tensors, in their order.
    fn push_tensors(&self, owner: &str, tensors: &mut Tensors) {
        match *self {
            Embedding::Periodic { ref columns, frequencies, width, sigma } => {
                let (waves, sums) = ((columns.len(), frequencies), (columns.len() * width, frequencies));
                let bound = 1.0 / (frequencies as f64).sqrt();
                tensors.push_input(owner, Kind::Frequency, waves, Initial::Normal(sigma));
                tensors.push_input(owner, Kind::Phase, waves, Initial::Uniform(PI));
                tensors.push_input(owner, Kind::SumWeight, sums, Initial::Uniform(bound));
                tensors.push_input(owner, Kind::SumBias, (1, sums.0), Initial::Uniform(bound));
            }
            Embedding::Piecewise { ref columns, ref bins, width } => {
                // A network starts with its columns as they are, and bends from there.
                tensors.push_input(owner, Kind::SumWeight, (width, bins.count()), Initial::Constant(0.0));
                tensors.push_input(owner, Kind::SumBias, (1, columns.len() * width), Initial::Constant(0.0));
            }
            Embedding::Category { levels, width, .. } => {
                tensors.push_input(owner, Kind::Table, (levels, width), Initial::Normal(1.0));
            }
        }
    }
}

/// What comes before the first layer.
#[derive(Debug, Clone, Default)]
pub struct InputStage {
    /// No column is taken twice. What they make comes first, in their order, then the other columns in theirs.
    pub embeddings: Vec<Embedding>,
    /// Whether each column that goes into the first layer has a factor that is learnt.
    pub scale: bool,
}

/// How the names of an embedding's tensors begin.
pub fn owner(number: usize) -> String {
    format!("input.{number}")
}

impl InputStage {
    /// Whether inputs go into the first layer as they are.
    pub fn is_empty(&self) -> bool {
        self.embeddings.is_empty() && !self.scale
    }

    /// The columns that no embedding takes.
    pub fn plain(&self, inputs: usize) -> Vec<usize> {
        let taken = |column: &usize| self.embeddings.iter().any(|embedding| embedding.columns().contains(column));
        (0..inputs).filter(|column| !taken(column)).collect()
    }

    /// How many columns go into the first layer, where there are so many inputs.
    pub fn width(&self, inputs: usize) -> usize {
        let taken: usize = self.embeddings.iter().map(|embedding| embedding.columns().len()).sum();
        self.embeddings.iter().map(Embedding::width).sum::<usize>() + inputs - taken
    }

    /// Multiplications of a row on its way forward, or as much work.
    pub fn products(&self) -> usize {
        /// Of a wave, which is a polynomial.
        const WAVE: usize = 12;
        /// Of how far a number has come through a bin.
        const PASSED: usize = 2;
        let of = |embedding: &Embedding| match embedding {
            Embedding::Periodic { columns, frequencies, width, .. } => columns.len() * frequencies * (width + WAVE),
            Embedding::Piecewise { bins, width, .. } => bins.count() * (width + PASSED),
            Embedding::Category { width, .. } => *width,
        };
        self.embeddings.iter().map(of).sum()
    }

    /// The tensors, in their order.
    pub fn push_tensors(&self, inputs: usize, tensors: &mut Tensors) {
        for (number, embedding) in self.embeddings.iter().enumerate() {
            embedding.push_tensors(&owner(number), tensors);
        }
        if self.scale {
            tensors.push_input("input", Kind::Scale, (1, self.width(inputs)), Initial::Constant(1.0));
        }
    }
}
