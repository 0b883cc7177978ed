use super::{AddTransposed, Csr, Indices, Product};
use crate::interrupt::Lookout;
use crate::kernels::matmul::tests::numbers;
use crate::kernels::matmul::{Init, Scratch, Sizes, matmul, transposed_unless};
use crate::scalar::Scalar;
use crate::simd::{self, dispatch};
use ndarray::s;

/// About a third of the elements, some rows empty.
fn sparse<T: Scalar>(rows: usize, cols: usize) -> (Vec<T>, Vec<i32>, Vec<i64>) {
    let all = numbers::<T>(rows, cols, 9);
    let (mut values, mut columns, mut starts) = (vec![], vec![], vec![0]);
    for (i, row) in all.rows().into_iter().enumerate() {
        for (j, &x) in row.iter().enumerate().filter(|(j, _)| (i * 5 + j * 7) % 3 == 0 && i % 4 != 1) {
            values.push(x);
            columns.push(j as i32);
        }
        starts.push(values.len() as i64);
    }
    (values, columns, starts)
}

fn check<T: Scalar>(rows: usize, depth: usize, cols: usize) {
    let (values, columns, starts) = sparse::<T>(rows, depth);
    let x = Csr::new(&values, Indices::Short(&columns), Indices::Long(&starts), depth, 1).unwrap();
    let order: Vec<u32> = (0..=rows as u32 / 2).map(|i| i * 7 % rows as u32).collect();
    let mut scratch =
        Scratch::new(Sizes { rows: rows.max(depth), depth: depth.max(rows), cols, ..Sizes::default() }).unwrap();
    for x in [x, x.slice(rows / 3..rows), x.take(&order)] {
        let (all, b, bias) = (x.dense(), numbers::<T>(depth, cols, 2), numbers::<T>(1, cols, 3));
        let bias = bias.as_slice().unwrap();
        let (mut out, mut expected) = (numbers(x.nrows(), cols + 3, 4), numbers(x.nrows(), cols + 3, 4));
        matmul(expected.slice_mut(s![.., ..cols]), Init::Row(bias), all.view(), b.view(), &mut scratch);
        dispatch(Product { out: out.slice_mut(s![.., ..cols]), bias, x, b: b.as_slice().unwrap() });
        assert!(out == expected, "{} product {rows}x{depth}x{cols}", T::NAME);

        let delta = numbers::<T>(x.nrows(), cols, 5);
        for part in [0..depth, depth / 3..depth / 2 + 1] {
            let (mut sums, mut expected) = (vec![T::ZERO; part.len() * cols], numbers(part.len(), cols, 6));
            let a = all.slice(s![.., part.clone()]);
            transposed_unless(&Lookout::default(), expected.view_mut(), a, delta.view(), &mut scratch);
            dispatch(AddTransposed { sums: &mut sums, x, columns: part, b: delta.view() });
            assert!(sums == expected.as_slice().unwrap(), "{} transposed {rows}x{depth}x{cols}", T::NAME);
        }
    }
}

#[test]
fn products_are_the_dense_ones_bit_for_bit_at_every_level() {
    simd::at_every_level(|_| {
        for rows in [1, 2, 5, 40] {
            for depth in [1, 2, 17, 300, 600] {
                for cols in [1, 2, 4, 5, 10, 16, 33, 64] {
                    check::<f32>(rows, depth, cols);
                    check::<f64>(rows, depth, cols);
                }
            }
        }
    });
}

#[test]
fn broken_arrays_are_refused() {
    let new = |columns: &[i64], starts: &[i64]| {
        Csr::new(&[1.0f32; 4], Indices::Long(columns), Indices::Long(starts), 3, 1).map(|_| ())
    };
    assert_eq!(new(&[0, 2, 1, 0], &[0, 2, 3, 4]), Ok(()));
    let cases: [(&[i64], &[i64]); 10] = [
        (&[0, 2, 1], &[0, 2, 3]),       // fewer indices than data
        (&[0, 2, 1, 0], &[]),           // no indptr
        (&[0, 2, 1, 0], &[1, 2, 3, 4]), // does not begin with 0
        (&[0, 2, 1, 0], &[0, 3, 2, 4]), // falls
        (&[0, 2, 1, 0], &[0, 2, 3, 5]), // beyond the data
        (&[0, 2, 1, 0], &[0, 9, 3, 4]), // beyond the data, and back
        (&[0, 2, 1, 0], &[0, -1, 3, 4]),
        (&[0, 3, 1, 0], &[0, 2, 3, 4]), // a column too many
        (&[-1, 2, 1, 0], &[0, 2, 3, 4]),
        (&[1, 1, 1, 0], &[0, 2, 3, 4]), // twice the same
    ];
    for (columns, starts) in cases {
        assert!(new(columns, starts).is_err(), "{columns:?} {starts:?}");
    }
    let message = |columns| new(columns, &[0, 2, 3, 4]).unwrap_err().to_string();
    assert!(message(&[2, 1, 1, 0]).ends_with("got 1 after 2 in row 0"));
    assert!(message(&[0, 2, 1, -1]).ends_with("got -1 in row 2"));
}

#[test]
fn the_first_fault_of_a_large_matrix_is_named_whoever_finds_one() {
    const ROWS: usize = 10_000;
    const PER_ROW: usize = 100;
    let starts: Vec<i64> = (0..=ROWS).map(|row| (row * PER_ROW) as i64).collect();
    let mut columns: Vec<i32> = (0..ROWS * PER_ROW).map(|k| (k % PER_ROW) as i32).collect();
    let values = vec![1.0f32; columns.len()];
    let fault = |columns: &[i32], threads: usize| {
        let matrix = Csr::new(&values, Indices::Short(columns), Indices::Long(&starts), PER_ROW, threads);
        matrix.err().map(|error| error.to_string())
    };
    assert_eq!([fault(&columns, 1), fault(&columns, 4)], [None, None]);
    for row in [9000, 4321] {
        columns[row * PER_ROW + 5] = 0;
        let alone = fault(&columns, 1).unwrap();
        assert!(alone.contains(&format!("in row {row}")), "{alone}");
        assert_eq!(fault(&columns, 4).unwrap(), alone);
    }
}
