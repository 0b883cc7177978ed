//! Which addresses parameters take, and that no two of them share memory.

use pyo3::prelude::*;

use super::fields::Fields;
use crate::error::Error;

/// Addresses from the first byte to behind the last.
pub type Extent = (usize, usize);

/// The addresses that parameters take, in order and disjoint.
pub struct Extents(Vec<Extent>);

impl Extents {
    /// Of arrays, each with its place in the caller's structure; refuses arrays that share an element.
    pub fn disjoint(arrays: &[(Bound<'_, PyAny>, String)]) -> PyResult<Self> {
        let mut spans: Vec<(Extent, usize)> = vec![];
        for (index, (array, _)) in arrays.iter().enumerate() {
            let fields = Fields::of(array.as_borrowed()).filter(|fields| fields.len() > 0);
            if let Some((fields, element)) = fields.and_then(|fields| Some((fields, fields.element()?))) {
                spans.push((fields.extent(element), index));
            }
        }
        spans.sort_unstable();
        let mut extents: Vec<Extent> = vec![];
        let mut open: Vec<(usize, usize)> = vec![];
        for ((low, high), index) in spans {
            open.retain(|&(other_high, _)| other_high > low);
            // Extents may be interleaved without sharing an element: two columns of one matrix.
            for &(_, other) in &open {
                if !share_memory(&arrays[index].0, &arrays[other].0)? {
                    continue;
                }
                let (first, second) = (index.min(other), index.max(other));
                let got = format!("an array that shares memory with params{}", arrays[first].1);
                let expected = "an array with memory of its own";
                return Err(Error::value(format!("params{}", arrays[second].1), got, expected).into());
            }
            open.push((high, index));
            match extents.last_mut() {
                Some(last) if low < last.1 => last.1 = last.1.max(high),
                _ => extents.push((low, high)),
            }
        }
        Ok(Extents(extents))
    }

    /// Whether an array at these addresses may share memory with a parameter.
    #[inline]
    pub fn touch(&self, (low, high): Extent) -> bool {
        match (self.0.first(), self.0.last()) {
            (Some(first), Some(last)) if low < last.1 && first.0 < high => {
                let next = self.0.partition_point(|&(_, end)| end <= low);
                self.0.get(next).is_some_and(|&(start, _)| start < high)
            }
            _ => false,
        }
    }
}

/// Whether two arrays have an element in common; true where NumPy cannot tell in reasonable time.
fn share_memory(a: &Bound<'_, PyAny>, b: &Bound<'_, PyAny>) -> PyResult<bool> {
    let numpy = a.py().import("numpy")?;
    match numpy.call_method1("shares_memory", (a, b, 1_000_000)) {
        Ok(shares) => shares.is_truthy(),
        Err(raised) => {
            let too_hard = numpy.getattr("exceptions")?.getattr("TooHardError")?;
            if raised.is_instance(a.py(), &too_hard) { Ok(true) } else { Err(raised) }
        }
    }
}
