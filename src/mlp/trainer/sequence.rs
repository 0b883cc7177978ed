//! Which rows each batch of an epoch takes.

use std::ops::Range;

use super::super::random;
use super::super::shards::Shards;
use super::options::Options;

/// The batches of each epoch, and where an epoch's order has the rows of their shards.
///
/// The order is one of all rows; or, where shards have rows of their own, one of each shard's, one after the other.
pub struct Sequence<'a> {
    /// All rows, of all processes.
    pub rows: usize,
    pub batch_size: usize,
    shards: &'a Shards,
    /// Of each shard of this process: where its rows are in the order, and among those that it has. None where shards have no rows of
    /// their own.
    pieces: Option<Vec<Range<usize>>>,
}

impl<'a> Sequence<'a> {
    /// For a training with `here` rows in this process.
    pub fn new(options: &'a Options, here: usize) -> Self {
        let shards = &options.shards;
        let rows = options.all_rows.unwrap_or(here);
        let batch_size = options.batch_size.unwrap_or(rows).clamp(1, rows.max(1));
        let pieces = (options.sharded && shards.count() > 1).then(|| {
            let all = shards.pieces(rows, batch_size);
            let mine = shards.mine();
            let first = all[mine.start].start;
            all[mine].iter().map(|piece| piece.start - first..piece.end - first).collect()
        });
        Sequence { rows, batch_size, shards, pieces }
    }

    /// Whether rows are known to other processes alone.
    pub fn lacks_rows(&self) -> bool {
        self.pieces.is_some() && self.shards.are_shared()
    }

    /// Steps of an epoch.
    pub fn steps(&self) -> usize {
        self.rows.div_ceil(self.batch_size)
    }

    /// The rows of the batch that begins with that one.
    pub fn batch(&self, start: usize) -> Range<usize> {
        start..self.rows.min(start + self.batch_size)
    }

    /// Where the order has the rows of a batch that are a shard's.
    pub fn places(&self, shard: usize, batch: &Range<usize>) -> Range<usize> {
        let rows = self.shards.rows(shard, batch);
        let Some(pieces) = &self.pieces else { return rows };
        let of_full_batch = self.shards.rows(shard, &(0..self.batch_size)).len();
        let start = pieces[shard - self.shards.mine().start].start + batch.start / self.batch_size * of_full_batch;
        start..start + rows.len()
    }

    /// Makes the order of an epoch, but where `stop` says so.
    pub fn arrange(&self, order: &mut [u32], (seed, epoch): (u64, u64), stop: impl Fn() -> bool) {
        let Some(pieces) = &self.pieces else {
            return random::permutation_unless(stop, order, random::key(&[seed, 0, epoch]));
        };
        for (piece, shard) in pieces.iter().zip(self.shards.mine()) {
            let order = &mut order[piece.clone()];
            random::permutation_unless(&stop, order, random::key(&[seed, 2, epoch, shard as u64]));
            order.iter_mut().for_each(|row| *row += piece.start as u32);
        }
    }
}
