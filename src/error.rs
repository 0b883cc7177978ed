//! Every failure as data: which argument, what came, what is accepted.

use std::fmt;
use std::sync::Arc;

/// What went wrong. Each variant becomes one Python exception.
#[derive(Debug, Clone, PartialEq)]
pub enum Error {
    /// A value or a shape that is not accepted: `ValueError`.
    Value(Fault),
    /// A type or a dtype that is not accepted: `TypeError`.
    Type(Fault),
    /// NaN or infinity where a finite number is needed: `schuss.NonFiniteError`.
    NonFinite {
        /// Where it was found, for example "gradient 2" or "loss".
        place: String,
        /// The step it would have been, counted from 1.
        step: u64,
        /// The epoch, counted from 1, where there are epochs.
        epoch: Option<u64>,
    },
    /// Memory that cannot be had: `MemoryError`.
    Memory {
        /// What it is for.
        what: String,
        /// How much of it.
        bytes: u128,
    },
    /// A function from outside failed, such as a Python callable: its exception.
    Foreign(Foreign),
}

/// The error of a function from outside, carried through unchanged.
#[derive(Debug, Clone)]
pub struct Foreign(pub Arc<dyn std::error::Error + Send + Sync>);

impl PartialEq for Foreign {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// The facts of a refused argument.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// The argument's name as its caller wrote it.
    pub argument: String,
    /// What came.
    pub got: String,
    /// What is accepted.
    pub expected: String,
}

/// The result of everything that can fail.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// A value or shape fault.
    pub fn value(argument: impl Into<String>, got: impl fmt::Display, expected: impl Into<String>) -> Self {
        Error::Value(Fault { argument: argument.into(), got: got.to_string(), expected: expected.into() })
    }

    /// A type or dtype fault.
    pub fn type_(argument: impl Into<String>, got: impl fmt::Display, expected: impl Into<String>) -> Self {
        Error::Type(Fault { argument: argument.into(), got: got.to_string(), expected: expected.into() })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} must be {}, got {}", self.argument, self.expected, self.got)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Value(fault) | Error::Type(fault) => fault.fmt(f),
            Error::NonFinite { place, step, epoch } => {
                write!(f, "{place} has NaN or infinite values at step {step}")?;
                epoch.map_or(Ok(()), |epoch| write!(f, " (epoch {epoch})"))?;
                write!(f, "; nothing was changed by that step")
            }
            Error::Memory { what, bytes } => {
                let unit = (0..3).rev().find(|unit| *bytes >= 1024 << (10 * unit)).unwrap_or(0);
                let (number, name) = (*bytes as f64 / (1024 << (10 * unit)) as f64, ["KiB", "MiB", "GiB"][unit]);
                write!(f, "{what} needs {number:.1} {name} of memory, more than there is")
            }
            Error::Foreign(Foreign(cause)) => cause.fmt(f),
        }
    }
}

impl std::error::Error for Error {}
