//! What becomes of columns of the inputs, as Python gives it.

use std::collections::HashSet;
use std::sync::Arc;

use pyo3::prelude::*;

use crate::error::{Error, Result};
use crate::kernels::embedding::Bins;
use crate::mlp::embeddings::Embedding;

/// The most levels of a category: their numbers are exact in single precision.
const MOST_LEVELS: usize = 1 << 24;

/// One embedding.
#[derive(FromPyObject)]
pub enum GivenEmbedding {
    /// Columns, frequencies, width and sigma.
    Periodic(Vec<usize>, usize, usize, f64),
    /// Column, levels and width.
    Category(usize, usize, usize),
    /// Columns, the edges of the bins of each, and width.
    Piecewise(Vec<usize>, Vec<Vec<f64>>, usize),
}

impl GivenEmbedding {
    /// As the core has it.
    pub fn taken(&self) -> Result<Embedding> {
        Ok(match *self {
            GivenEmbedding::Periodic(ref columns, frequencies, width, sigma) => {
                Embedding::Periodic { columns: columns.clone(), frequencies, width, sigma }
            }
            GivenEmbedding::Category(column, levels, width) => Embedding::Category { column, levels, width },
            GivenEmbedding::Piecewise(ref columns, ref edges, width) => {
                check_edges(columns, edges)?;
                Embedding::Piecewise { columns: columns.clone(), bins: Arc::new(Bins::new(edges)), width }
            }
        })
    }

    /// About how many parameters it brings, those of a first layer of that width included.
    pub fn size(&self, first: u128) -> u128 {
        let (own, width) = match *self {
            GivenEmbedding::Periodic(ref columns, frequencies, width, _) => {
                let (columns, frequencies, width) = (columns.len() as u128, frequencies as u128, width as u128 + 2);
                (columns.saturating_mul(frequencies).saturating_mul(width), columns.saturating_mul(width))
            }
            GivenEmbedding::Category(_, levels, width) => {
                ((levels as u128).saturating_mul(width as u128), width as u128)
            }
            GivenEmbedding::Piecewise(ref columns, ref edges, width) => {
                let (columns, width) = (columns.len() as u128, width as u128 + 1);
                let edges: usize = edges.iter().map(Vec::len).sum();
                (width.saturating_mul(edges as u128), columns.saturating_mul(width))
            }
        };
        own.saturating_add(width.saturating_mul(first))
    }
}

/// Refuses edges between which no number has a place of its own: in single precision, which is what networks of either can tell
/// apart.
fn check_edges(columns: &[usize], edges: &[Vec<f64>]) -> Result<()> {
    let refuse = |got: String, expected: &str| Err(Error::value("edges", got, expected.to_owned()));
    if edges.len() != columns.len() {
        return refuse(format!("those of {}", edges.len()), &format!("those of {} columns", columns.len()));
    }
    for (edges, column) in edges.iter().zip(columns) {
        if edges.len() < 2 {
            return refuse(format!("{} of column {column}", edges.len()), "at least 2 of each column");
        }
        let is_bin = |pair: &[f64]| {
            let width = pair[1] as f32 - pair[0] as f32;
            width >= f32::MIN_POSITIVE && width.is_finite()
        };
        if let Some(pair) = edges.windows(2).find(|pair| !is_bin(pair)) {
            let got = format!("{} before {} in column {column}", pair[0], pair[1]);
            return refuse(got, "finite and increasing, as float32 too");
        }
    }
    Ok(())
}

/// Refuses embeddings of columns that are not there, that are taken twice, or of which nothing would be made.
pub fn check_embeddings(embeddings: &[Embedding], inputs: usize) -> Result<()> {
    let mut taken = HashSet::new();
    let refuse = |got: String, expected: &str| Err(Error::value("embeddings", got, expected.to_owned()));
    for embedding in embeddings {
        if embedding.columns().is_empty() {
            return refuse("one without columns".into(), "each of one column or more");
        }
        for &column in embedding.columns() {
            if column >= inputs {
                return refuse(format!("column {column}"), &format!("of columns below {inputs}"));
            }
            if !taken.insert(column) {
                return refuse(format!("column {column} twice"), "of each column at most once");
            }
        }
        match *embedding {
            Embedding::Periodic { frequencies, width, sigma, .. } => {
                if frequencies == 0 || width == 0 {
                    return refuse(format!("{frequencies} frequencies and width {width}"), "of at least 1 of each");
                }
                if !(sigma > 0.0 && sigma.is_finite()) {
                    return refuse(format!("sigma {sigma}"), "with a positive, finite sigma");
                }
            }
            Embedding::Piecewise { width, .. } => {
                if width == 0 {
                    return refuse("width 0".into(), "of a positive width");
                }
            }
            Embedding::Category { levels, width, .. } => {
                if !(1..=MOST_LEVELS).contains(&levels) || width == 0 {
                    return refuse(
                        format!("{levels} levels and width {width}"),
                        "of 1 to 2^24 levels and a positive width",
                    );
                }
            }
        }
    }
    Ok(())
}
