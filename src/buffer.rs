//! Memory for numbers: asked for in one place, where having none is an error and not the end of the process, and aligned to a
//! cache line where the numbers are computed with.

use std::alloc::{Layout, alloc_zeroed};
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use crate::error::{Error, Result};
use crate::pages;
use crate::scalar::Scalar;

/// Bytes of a cache line, which is also the widest vector register.
pub const LINE: usize = 64;
/// What memory is counted in.
type Word = u64;
const WORDS_PER_LINE: usize = LINE / size_of::<Word>();

/// So many times the same value, for what errors call `what`.
pub fn filled<T: Copy>(value: T, len: usize, what: &str) -> Result<Vec<T>> {
    let mut all = with_capacity(len, what)?;
    all.resize(len, value);
    Ok(all)
}

/// A copy, for what errors call `what`.
pub fn copied<T: Copy>(from: &[T], what: &str) -> Result<Vec<T>> {
    let mut all = with_capacity(from.len(), what)?;
    all.extend_from_slice(from);
    Ok(all)
}

/// Nothing yet, with memory for so many, for what errors call `what`.
pub fn with_capacity<T>(len: usize, what: &str) -> Result<Vec<T>> {
    let mut all = vec![];
    all.try_reserve_exact(len).map_err(|_| lacking::<T>(len, what))?;
    Ok(all)
}

/// Some more values at the end, for what errors call `what`.
pub fn extend<T: Copy>(to: &mut Vec<T>, more: &[T], what: &str) -> Result<()> {
    to.try_reserve(more.len()).map_err(|_| lacking::<T>(2 * to.len().max(more.len()), what))?;
    to.extend_from_slice(more);
    Ok(())
}

#[cold]
fn lacking<T>(len: usize, what: &str) -> Error {
    Error::Memory { what: what.to_owned(), bytes: len as u128 * size_of::<T>() as u128 }
}

/// Numbers as the bytes that they are made of.
pub fn bytes<T: Scalar>(numbers: &[T]) -> &[u8] {
    // SAFETY: numbers have no bytes that are not written, and the slice is borrowed as long.
    unsafe { std::slice::from_raw_parts(numbers.as_ptr().cast(), size_of_val(numbers)) }
}

/// The same to write to.
pub fn bytes_mut<T: Scalar>(numbers: &mut [T]) -> &mut [u8] {
    // SAFETY: as above, and any bytes are a number.
    unsafe { std::slice::from_raw_parts_mut(numbers.as_mut_ptr().cast(), size_of_val(numbers)) }
}

/// A fixed number of numbers that begin on a cache line.
pub struct Buffer<T> {
    words: Vec<Word>,
    /// The word where the numbers begin.
    first: usize,
    len: usize,
    of: PhantomData<T>,
}

impl<T: Scalar> Buffer<T> {
    /// `len` zeros, for what errors call `what`. The system gives the memory when it is first used.
    pub fn zeroed(len: usize, what: &str) -> Result<Self> {
        Self::at(len, what, 1, |_| 0)
    }

    /// `len` zeros, for the `index`-th of several arrays that are walked side by side.
    ///
    /// A processor that has just stored at some place in a block of 4 KiB hesitates to load from the same place in another
    /// one: such arrays had better begin at different ones.
    pub fn staggered(len: usize, index: usize, what: &str) -> Result<Self> {
        const BLOCK: usize = 4096 / LINE;
        const APART: usize = 20;
        let wanted = (APART * index + APART / 2) % BLOCK;
        Self::at(len, what, BLOCK, |line| (wanted + BLOCK - line % BLOCK) % BLOCK)
    }

    /// Zeros that begin so many lines behind the first one as `skip` says of its number in memory: fewer than `spare`.
    fn at(len: usize, what: &str, spare: usize, skip: impl Fn(usize) -> usize) -> Result<Self> {
        let words = len.checked_mul(size_of::<T>()).map(|bytes| bytes.div_ceil(LINE) + spare);
        let words = words.and_then(|lines| zeros(lines * WORDS_PER_LINE)).ok_or_else(|| lacking::<T>(len, what))?;
        let start = words.as_ptr().addr();
        let line = start.div_ceil(LINE);
        let first = (line * LINE - start) / size_of::<Word>() + skip(line) * WORDS_PER_LINE;
        Ok(Buffer { words, first, len, of: PhantomData })
    }
}

/// Zeros; None where there is no memory for them.
fn zeros(len: usize) -> Option<Vec<Word>> {
    let layout = Layout::array::<Word>(len).ok().filter(|layout| layout.size() > 0)?;
    // SAFETY: the layout has a size.
    let start = unsafe { alloc_zeroed(layout) };
    if start.is_null() {
        return None;
    }
    pages::enlarge(start, layout.size());
    // SAFETY: the memory is that of a vector of so many zeros, from the allocator that vectors use.
    Some(unsafe { Vec::from_raw_parts(start.cast::<Word>(), len, len) })
}

impl<T: Scalar> Default for Buffer<T> {
    /// Of no numbers.
    fn default() -> Self {
        Buffer { words: vec![], first: 0, len: 0, of: PhantomData }
    }
}

impl<T: Scalar> Deref for Buffer<T> {
    type Target = [T];

    #[inline(always)]
    fn deref(&self) -> &[T] {
        let words = &self.words[self.first..];
        // SAFETY: `words` holds `len` numbers, all bytes written; any bytes are a number. They are aligned: on a line, or none.
        unsafe { std::slice::from_raw_parts(words.as_ptr().cast(), self.len) }
    }
}

impl<T: Scalar> DerefMut for Buffer<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T] {
        let words = &mut self.words[self.first..];
        // SAFETY: as for `deref`, and `self` is borrowed for as long.
        unsafe { std::slice::from_raw_parts_mut(words.as_mut_ptr().cast(), self.len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_begin_on_a_line_and_are_zero() {
        for len in [0, 1, 15, 16, 17, 1000, 100_000] {
            for index in 0..5 {
                let some = [Buffer::<f32>::zeroed(len, ""), Buffer::staggered(len, index, "")];
                for mut buffer in some.into_iter().flatten() {
                    assert_eq!(buffer.len(), len);
                    assert_eq!(buffer.as_ptr().addr() % LINE, 0);
                    assert!(buffer.iter().all(|&x| x == 0.0));
                    buffer.fill(1.0);
                }
            }
        }
        let places =
            [0, 1, 2].map(|index| Buffer::<f64>::staggered(1 << 20, index, "").unwrap().as_ptr().addr() % 4096);
        assert_eq!(places, [640, 1920, 3200]);
    }

    #[test]
    fn what_cannot_be_had_is_an_error() {
        let message = |error: Option<Error>| error.unwrap().to_string();
        for len in [1 << 58, usize::MAX, usize::MAX / 8] {
            assert!(message(Buffer::<f64>::zeroed(len, "a thing").err()).starts_with("a thing needs"));
            assert!(message(Buffer::<f32>::staggered(len, 3, "a thing").err()).starts_with("a thing needs"));
            assert!(message(filled(1.0, len, "a thing").err()).starts_with("a thing needs"));
        }
        let error = with_capacity::<f64>(1 << 60, "the optimizer's state").err();
        assert_eq!(message(error), "the optimizer's state needs 8589934592.0 GiB of memory, more than there is");
    }
}
