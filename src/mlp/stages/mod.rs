//! The stages that a batch passes through. Each is one file: what it reads and writes on the way forward, on the way back,
//! and the gradient of its tensors. A new kind is a file and a line of the list below.

mod activate;
mod combine;
mod dense;
mod dropout;
mod lookup;
mod norm;
mod parametric;
mod pass;
mod piecewise;
mod plain;
mod scale;
mod waves;

pub use activate::Activate;
pub use combine::Combine;
pub use dense::Dense;
pub use dropout::Dropout;
pub use lookup::Lookup;
pub use norm::{Norm, NormKind};
pub use parametric::Parametric;
pub use pass::{Noise, Pass, Sink};
pub use piecewise::Piecewise;
pub use plain::Plain;
pub use scale::Scale;
pub use waves::Waves;

use super::claims::{AllRows, MyRows};
use super::slots::{Slot, Way};
use super::tensors::Piece;
use crate::kernels::matmul::Factors;
use crate::scalar::Scalar;

/// Makes the set of stages from their names.
macro_rules! stages {
    ($($kind:ident),+) => {
        /// One stage, of any kind.
        #[derive(Debug, Clone)]
        pub enum Stage {
            $(#[doc = concat!("See [`", stringify!($kind), "`].")] $kind($kind),)+
        }

        impl Stage {
            /// The numbers of its tensors.
            pub fn tensors(&self) -> Vec<usize> {
                match self {
                    $(Stage::$kind(stage) => stage.tensors(),)+
                }
            }

            /// Rows of the batch, one stage forward.
            #[inline]
            pub fn forward<T: Scalar>(&self, pass: &mut Pass<'_, T>, rows: &mut MyRows<'_, '_, T>) {
                match self {
                    $(Stage::$kind(stage) => stage.forward(pass, rows),)+
                }
            }

            /// The gradient of those rows, one stage back.
            #[inline]
            pub fn backward<T: Scalar>(&self, pass: &mut Pass<'_, T>, rows: &mut MyRows<'_, '_, T>) {
                match self {
                    $(Stage::$kind(stage) => stage.backward(pass, rows),)+
                }
            }

            /// The gradient of a piece of one of its tensors, from all rows.
            #[inline]
            pub fn gradient<T: Scalar>(&self, piece: &Piece, rows: &AllRows<'_, '_, T>, sink: Sink<'_, T>) {
                match self {
                    $(Stage::$kind(stage) => stage.gradient(piece, rows, sink),)+
                }
            }

            /// The matrices of whose products its gradients are sums, factors and deltas, and how they are multiplied. The
            /// product of their summed magnitudes, and the second alone, bound every element of the gradient and every partial
            /// sum on the way there. None where it has no tensors.
            pub fn multiplied(&self) -> Option<(Slot, Slot, Factors)> {
                match self {
                    $(Stage::$kind(stage) => stage.multiplied(),)+
                }
            }

            /// The matrices that it writes to.
            pub fn writes(&self, way: Way) -> Vec<Slot> {
                match self {
                    $(Stage::$kind(stage) => stage.writes(way),)+
                }
            }
        }
    };
}

stages!(Waves, Combine, Piecewise, Lookup, Plain, Scale, Dense, Norm, Activate, Parametric, Dropout);
