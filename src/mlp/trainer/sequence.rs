//! Which rows each batch of an epoch takes.

use std::ops::Range;

use super::super::random;
use super::super::shards::Shards;
use super::options::Options;

/// The batches of each epoch, and where an epoch's order has their rows.
///
/// The order is one of all rows; or, where shards have rows of their own, one of each shard's, of which each batch takes the next
/// ones: then the rows of all shards of this process lie side by side in each batch.
pub struct Sequence<'a> {
    /// All rows, of all processes.
    pub rows: usize,
    pub batch_size: usize,
    shards: &'a Shards,
    /// Of each shard of this process: where its rows are among those that it has. None where shards have no rows of their own.
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

    /// The rows that this process takes of each batch but a shorter last one.
    pub fn rows_of_full_batch(&self) -> usize {
        self.shards.rows_of(&self.shards.mine(), &(0..self.batch_size)).len()
    }

    /// Where the order has the rows of a batch that are a shard's.
    pub fn places(&self, shard: usize, batch: &Range<usize>) -> Range<usize> {
        let rows = self.shards.rows(shard, batch);
        if self.pieces.is_none() {
            return rows;
        }
        let mine = self.shards.rows_of(&self.shards.mine(), batch);
        let before = batch.start / self.batch_size * self.rows_of_full_batch();
        before + rows.start - mine.start..before + rows.end - mine.start
    }

    /// Makes the order of an epoch, but where `stop` says so.
    pub fn arrange(&self, order: &mut [u32], (seed, epoch): (u64, u64), stop: impl Fn() -> bool) {
        let Some(pieces) = &self.pieces else {
            return random::permutation_unless(stop, order, random::key(&[seed, 0, epoch]));
        };
        self.arrange_unshuffled(order);
        for (piece, shard) in pieces.iter().zip(self.shards.mine()) {
            let place = self.places_of(shard);
            let key = random::key(&[seed, 2, epoch, shard as u64]);
            random::shuffle_unless(&stop, piece.len(), key, |i, j| order.swap(place(i), place(j)));
        }
    }

    /// The same where rows are taken as they come.
    pub fn arrange_unshuffled(&self, order: &mut [u32]) {
        let Some(pieces) = &self.pieces else { return random::in_order(order) };
        for (piece, shard) in pieces.iter().zip(self.shards.mine()) {
            let place = self.places_of(shard);
            piece.clone().enumerate().for_each(|(i, row)| order[place(i)] = row as u32);
        }
    }

    /// Where the order has the rows that are a shard's own, by their numbers in an epoch.
    fn places_of(&self, shard: usize) -> impl Fn(usize) -> usize {
        let full = self.places(shard, &(0..self.batch_size));
        let batches = self.rows / self.batch_size;
        let last = self.places(shard, &(batches * self.batch_size..self.rows));
        let (in_full, of_full) = (batches * full.len(), self.rows_of_full_batch());
        move |row| match row < in_full {
            true => row / full.len() * of_full + full.start + row % full.len(),
            false => last.start + row - in_full,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::shards::Place;
    use super::*;

    /// Shards of so many rows of their own, as one of some processes has them.
    fn options(count: usize, place: Place, rows: usize, batch_size: usize) -> Options {
        let shards = Shards::of(count, place);
        Options { batch_size: Some(batch_size), shards, sharded: true, all_rows: Some(rows), ..Options::default() }
    }

    #[test]
    fn batches_take_the_next_rows_of_each_shard() {
        for (count, rows, batch_size) in [(2, 11, 4), (8, 37, 5), (8, 100, 64), (5, 60, 20), (3, 7, 7), (4, 2, 8)] {
            for size in 1..=count.min(3) {
                for rank in 0..size {
                    let options = options(count, Place { rank, size }, rows, batch_size);
                    let batch_size = batch_size.min(rows);
                    let pieces = options.shards.pieces(rows, batch_size);
                    let (mine, first) = (options.shards.mine(), pieces[options.shards.mine().start].start);
                    let here = pieces[mine.clone()].iter().map(|piece| piece.len()).sum();
                    let sequence = Sequence::new(&options, here);
                    let mut order = vec![u32::MAX; here];
                    sequence.arrange(&mut order, (3, 1), || false);
                    let mut taken = vec![vec![]; count];
                    let mut next = 0;
                    for start in (0..rows).step_by(batch_size) {
                        for shard in mine.clone() {
                            let places = sequence.places(shard, &sequence.batch(start));
                            assert_eq!(places.start, next, "side by side");
                            next = places.end;
                            taken[shard].extend_from_slice(&order[places]);
                        }
                    }
                    assert_eq!(next, here);
                    for shard in mine {
                        let mut expected = vec![0; pieces[shard].len()];
                        random::permutation(&mut expected, random::key(&[3, 2, 1, shard as u64]));
                        expected.iter_mut().for_each(|row| *row += (pieces[shard].start - first) as u32);
                        assert_eq!(taken[shard], expected, "{count} shards, {rows} rows, process {rank} of {size}");
                    }
                }
            }
        }
    }
}
