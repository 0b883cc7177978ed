//! Rows that are given a wrong class.

use super::registry::Loss;
use super::rows::{LossRows, Targets};
use crate::scalar::Scalar;

impl Loss {
    /// In place of each row's loss its weight where it is given a wrong class, else 0. Of classes that is one whose preactivation
    /// is the largest, the first one of several; of other targets each output has the classes y < 1/2 and y >= 1/2, told apart by
    /// the sign of its preactivation, and one that is wrong makes its row wrong. NaN is always wrong.
    ///
    /// # Panics
    /// As [`gradient`](Self::gradient).
    pub fn errors<T: Scalar>(self, z: &[T], rows: LossRows<T>) {
        rows.check(z);
        let half = T::from_f64(0.5);
        for row in 0..rows.row_loss.len() {
            let z = &z[row * rows.stride..][..rows.outputs];
            let is_right = match rows.targets {
                Targets::Classes(classes) => is_first_largest(z, classes[row] as usize),
                Targets::Values(values) => {
                    let sides = |(&z, &y): (&T, &T)| if y < half { z < T::ZERO } else { z >= T::ZERO };
                    z.iter().zip(rows.of(row, values)).all(sides)
                }
            };
            rows.row_loss[row] = if is_right { 0.0 } else { rows.weight(row) };
        }
    }
}

fn is_first_largest<T: Scalar>(z: &[T], place: usize) -> bool {
    let (before, from) = z.split_at(place);
    before.iter().all(|&other| other < from[0]) && from.iter().all(|&other| other <= from[0])
}
