//! Rows cut into strips, as tall as tiles are.

use crate::simd::Isa;

/// The strips of some rows, each as high as the tallest tile that fits: first row and height.
#[derive(Clone)]
pub struct Strips {
    row: usize,
    end: usize,
    tallest: usize,
}

impl Strips {
    #[inline(always)]
    pub fn of<I: Isa>(row: usize, end: usize) -> Self {
        Strips { row, end, tallest: I::TILE_ROWS }
    }

    /// Leaves out the next ones of that height: where they end.
    #[inline(always)]
    pub fn past(&mut self, height: usize) -> usize {
        loop {
            let before = self.row;
            if self.next().is_none_or(|(_, next)| next != height) {
                self.row = before;
                return before;
            }
        }
    }
}

impl Iterator for Strips {
    type Item = (usize, usize);

    #[inline(always)]
    fn next(&mut self) -> Option<(usize, usize)> {
        let row = self.row;
        let left = self.end - row;
        let height = match self.tallest.min(left) {
            0 => return None,
            // A low tile keeps the processor waiting for its own sums: two of the same height are better.
            12.. if left == 14 || left == 16 => 8,
            6 if left == 8 => 4,
            12.. => 12,
            8.. => 8,
            6.. => 6,
            4.. => 4,
            2.. => 2,
            1 => 1,
        };
        self.row += height;
        Some((row, height))
    }
}
