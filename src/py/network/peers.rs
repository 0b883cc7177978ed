//! Processes that train together, as Python has them: an object whose methods take views of memory.

use std::ops::Range;

use pyo3::prelude::*;

use crate::error::{Error, Result};
use crate::mlp::peers::{Peers, StepToCome};
use crate::mlp::shards::{Place, Shards};
use crate::py::arrays::lent::{lend, lend_mut};
use crate::py::errors::foreign;
use crate::simd::FlushDenormals;

/// The object, with `gather`; and `rank`, `size`, `swap` and `spread`, or `groups` of shards, `begin_step` and `receive`.
pub struct PyPeers(Py<PyAny>);

impl PyPeers {
    /// The others, and which of so many shards are for this process.
    pub fn new(object: &Bound<'_, PyAny>, count: usize) -> PyResult<(Self, Shards)> {
        let groups: Option<Vec<(usize, usize)>> = object.getattr("groups")?.extract()?;
        let shards = match groups {
            Some(groups) => {
                let groups: Vec<_> = groups.into_iter().map(|(start, stop)| start..stop).collect();
                let is_whole = groups.iter().flat_map(|group| group.clone()).eq(0..count);
                if !is_whole || groups.iter().any(|group| group.is_empty()) {
                    let expected = format!("consecutive shards, {count} in all");
                    return Err(Error::value("groups", format!("{groups:?}"), expected).into());
                }
                Shards::collected(count, &groups)
            }
            None => {
                let (rank, size) = (object.getattr("rank")?.extract()?, object.getattr("size")?.extract()?);
                Shards::of(count, Place { rank, size })
            }
        };
        Ok((PyPeers(object.clone().unbind()), shards))
    }
}

/// Ranges as Python has them: where each begins and ends.
fn pairs(ranges: &[Range<usize>]) -> Vec<(usize, usize)> {
    ranges.iter().map(|range| (range.start, range.end)).collect()
}

/// Work in Python, whose numbers are not flushed.
fn in_python(work: impl FnOnce(Python<'_>) -> PyResult<()>) -> Result<()> {
    FlushDenormals::pause(|| Python::attach(work)).map_err(foreign)
}

impl Peers for PyPeers {
    fn begin_step(&mut self, params: &[u8], step: &StepToCome) -> Result<()> {
        let StepToCome { epoch, epochs_done, row } = *step;
        in_python(|py| {
            lend(py, params, |view| self.0.call_method1(py, "begin_step", (view, epoch, epochs_done, row)).map(drop))
        })
    }

    fn send(&mut self, bytes: &[u8], to: usize) -> Result<()> {
        in_python(|py| lend(py, bytes, |view| self.0.call_method1(py, "send", (view, to)).map(drop)))
    }

    fn receive(&mut self, bytes: &mut [u8], from: usize) -> Result<()> {
        in_python(|py| lend_mut(py, bytes, |view| self.0.call_method1(py, "receive", (view, from)).map(drop)))
    }

    fn swap(&mut self, mine: &[u8], parts: &[Range<usize>], theirs: &mut [u8], places: &[Range<usize>]) -> Result<()> {
        let (parts, places) = (pairs(parts), pairs(places));
        in_python(|py| {
            lend(py, mine, |mine| {
                lend_mut(py, theirs, |theirs| self.0.call_method1(py, "swap", (mine, parts, theirs, places)).map(drop))
            })
        })
    }

    fn spread(&mut self, mine: &[u8], all: &mut [u8], places: &[Range<usize>]) -> Result<()> {
        let places = pairs(places);
        in_python(|py| {
            lend(py, mine, |mine| {
                lend_mut(py, all, |all| self.0.call_method1(py, "spread", (mine, all, places)).map(drop))
            })
        })
    }

    fn gather(&mut self, mine: &[u8], all: &mut [u8]) -> Result<()> {
        in_python(|py| {
            lend(py, mine, |mine| lend_mut(py, all, |all| self.0.call_method1(py, "gather", (mine, all)).map(drop)))
        })
    }
}
