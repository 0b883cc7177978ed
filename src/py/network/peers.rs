//! Processes that train together, as Python has them: an object whose methods take views of memory.

use pyo3::prelude::*;

use crate::error::Result;
use crate::mlp::peers::Peers;
use crate::mlp::shards::Place;
use crate::py::arrays::lent::{lend, lend_mut};
use crate::py::errors::foreign;
use crate::simd::FlushDenormals;

/// The object, with `rank`, `size`, `send`, `receive`, `broadcast` and `gather`.
pub struct PyPeers(Py<PyAny>);

impl PyPeers {
    /// Where there are several processes.
    pub fn new(object: &Bound<'_, PyAny>) -> PyResult<(Self, Place)> {
        let place = Place { rank: object.getattr("rank")?.extract()?, size: object.getattr("size")?.extract()? };
        Ok((PyPeers(object.clone().unbind()), place))
    }
}

/// Work in Python, whose numbers are not flushed.
fn in_python(work: impl FnOnce(Python<'_>) -> PyResult<()>) -> Result<()> {
    FlushDenormals::pause(|| Python::attach(work)).map_err(foreign)
}

impl Peers for PyPeers {
    fn send(&mut self, bytes: &[u8], to: usize) -> Result<()> {
        in_python(|py| lend(py, bytes, |view| self.0.call_method1(py, "send", (view, to)).map(drop)))
    }

    fn receive(&mut self, bytes: &mut [u8], from: usize) -> Result<()> {
        in_python(|py| lend_mut(py, bytes, |view| self.0.call_method1(py, "receive", (view, from)).map(drop)))
    }

    fn broadcast(&mut self, bytes: &mut [u8]) -> Result<()> {
        in_python(|py| lend_mut(py, bytes, |view| self.0.call_method1(py, "broadcast", (view,)).map(drop)))
    }

    fn gather(&mut self, mine: &[u8], all: &mut [u8]) -> Result<()> {
        in_python(|py| {
            lend(py, mine, |mine| lend_mut(py, all, |all| self.0.call_method1(py, "gather", (mine, all)).map(drop)))
        })
    }
}
