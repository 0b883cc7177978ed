//! How the output of a layer is shared out among workers: by rows of the batch, by columns of the layer, or by both.
//!
//! By rows, nothing crosses between cores, but each worker goes through all weights, which costs the more the fewer rows it
//! has. By columns, each goes through its own weights only, but through all rows, which others have made: the workers meet
//! before and after. The bits are the same, since an element's additions do not depend on the cut.

use std::ops::Range;

/// Rows of a batch that go to one worker together: multiples of the height of a product's tiles.
pub const GRAIN: usize = 4;
/// Columns that go to one worker together: a panel of a product, whole cache lines.
pub const COLUMNS: usize = 32;

/// Groups of rows, each cut into groups of columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// Groups of rows.
    pub rows: usize,
    /// Groups of columns.
    pub cols: usize,
}

impl Cut {
    /// Rows for each worker.
    pub fn by_rows(workers: usize) -> Self {
        Cut { rows: workers, cols: 1 }
    }

    /// Whether columns stay together.
    pub fn keeps_columns(self) -> bool {
        self.cols == 1
    }

    /// The groups of rows and of columns of a worker; None where there is nothing for it.
    pub fn place(self, worker: usize) -> Option<(usize, usize)> {
        // Without divisions where columns stay together: small networks have no time for them.
        let place = || if self.keeps_columns() { (worker, 0) } else { (worker / self.cols, worker % self.cols) };
        (worker < self.rows * self.cols).then(place)
    }
}

/// One of some groups of columns. None has so few that its product would be a narrow one, whose bits are others, where that of
/// all columns is not: what is left of a last panel goes with the one before it.
pub fn group_of_columns(group: usize, groups: usize, cols: usize) -> Range<usize> {
    if groups == 1 {
        return 0..cols;
    }
    let panels = (cols / COLUMNS).max(1);
    let cut = |group: usize| if group == groups { cols } else { panels * group / groups * COLUMNS };
    cut(group)..cut(group + 1)
}

/// Which cuts are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cuts {
    /// For each layer the one that is expected to take the least time.
    #[default]
    Cheapest,
    /// Always by rows.
    Rows,
    /// Always by columns.
    Columns,
    /// Always by both, as far as the number of workers can be divided.
    Both,
}

impl Cuts {
    /// The cut of a product of so many rows with weights of so many terms and columns.
    pub fn of(self, rows: usize, (terms, cols): (usize, usize), workers: usize) -> Cut {
        let largest_divisor =
            |of: usize| (1..=of.isqrt()).rev().find(|divisor| of.is_multiple_of(*divisor)).unwrap_or(1);
        match self {
            Cuts::Rows => Cut::by_rows(workers),
            Cuts::Columns => Cut { rows: 1, cols: workers },
            Cuts::Both => {
                let rows = largest_divisor(workers);
                Cut { rows, cols: workers / rows }
            }
            Cuts::Cheapest => cheapest(rows, terms, cols, workers),
        }
    }
}

/// Nanoseconds of a floating-point operation in a product.
const OPERATION: f64 = 0.01;
/// Of a weight that a worker packs, or fetches for its rows.
const WEIGHT: f64 = 0.25;
/// Of a number that others have made, and that a worker packs for its columns.
const FOREIGN: f64 = 0.4;
/// Of two meetings more, for each doubling of the workers.
const MEETINGS: f64 = 500.0;

/// The cut of a product that is expected to take the least time; by rows where it makes no difference.
fn cheapest(rows: usize, terms: usize, cols: usize, workers: usize) -> Cut {
    let mut best = (Cut::by_rows(workers), f64::INFINITY);
    let most_columns = (cols / COLUMNS).clamp(1, workers);
    for groups in 1..=most_columns {
        let cut = Cut { rows: workers / groups, cols: groups };
        let of_rows = rows.div_ceil(GRAIN).div_ceil(cut.rows) * GRAIN;
        let of_cols = if groups == 1 { cols } else { (cols / COLUMNS).div_ceil(groups) * COLUMNS };
        let (of_rows, of_cols, terms) = (of_rows as f64, of_cols as f64, terms as f64);
        let mut time = 2.0 * of_rows * terms * of_cols * OPERATION + terms * of_cols * WEIGHT;
        if groups > 1 {
            time += of_rows * terms * FOREIGN + MEETINGS * (workers as f64).log2();
        }
        if time < best.1 {
            best = (cut, time);
        }
    }
    best.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn narrow_layers_are_cut_by_rows_and_wide_ones_by_columns_where_workers_are_many() {
        assert_eq!(cheapest(128, 64, 64, 2), Cut::by_rows(2));
        assert_eq!(cheapest(256, 256, 256, 2), Cut::by_rows(2));
        assert_eq!(cheapest(256, 1024, 10, 16), Cut::by_rows(16));
        let wide = cheapest(256, 1024, 1024, 16);
        assert!(wide.cols > 1 && wide.rows * wide.cols <= 16, "{wide:?}");
        assert_eq!(cheapest(8, 4096, 4096, 8).rows, 1);
    }

    #[test]
    fn groups_of_columns_cover_all_once_and_none_is_narrow() {
        for cols in [1, 5, 31, 32, 33, 64, 100, 1000] {
            for groups in 1..20 {
                let all: Vec<_> = (0..groups).map(|group| group_of_columns(group, groups, cols)).collect();
                assert_eq!(
                    all.iter().flat_map(|columns| columns.clone()).collect::<Vec<_>>(),
                    (0..cols).collect::<Vec<_>>()
                );
                assert!(all.iter().all(|columns| columns.is_empty() || columns.len() >= cols.min(COLUMNS)));
            }
        }
    }

    #[test]
    fn every_worker_has_a_place_of_its_own_or_none() {
        for workers in 1..20 {
            for groups in 1..=workers {
                let cut = Cut { rows: workers / groups, cols: groups };
                let mut places: Vec<_> = (0..workers).filter_map(|worker| cut.place(worker)).collect();
                assert_eq!(places.len(), cut.rows * cut.cols);
                places.dedup();
                assert_eq!(places.len(), cut.rows * cut.cols);
                assert!(places.iter().all(|&(row, col)| row < cut.rows && col < cut.cols));
            }
        }
    }
}
