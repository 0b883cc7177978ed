//! What differs between float32 and float64.

use numpy::Element;

use crate::mlp::memory::Workspace;
use crate::optim::Optimizer;
use crate::py::optim::PyOptimizer;
use crate::scalar::Scalar;

/// One of the two.
pub trait Precision: Scalar + Element {
    /// The optimizer at work, where it is bound to arrays of this precision.
    fn optimizer(optimizer: &mut PyOptimizer) -> Option<&mut Optimizer<Self>>;
    /// The memory kept for this precision.
    fn workspace(kept: &mut Kept) -> &mut Option<Workspace<Self>>;
}

impl Precision for f32 {
    fn optimizer(optimizer: &mut PyOptimizer) -> Option<&mut Optimizer<f32>> {
        optimizer.single()
    }
    fn workspace(kept: &mut Kept) -> &mut Option<Workspace<f32>> {
        &mut kept.single
    }
}

impl Precision for f64 {
    fn optimizer(optimizer: &mut PyOptimizer) -> Option<&mut Optimizer<f64>> {
        optimizer.double()
    }
    fn workspace(kept: &mut Kept) -> &mut Option<Workspace<f64>> {
        &mut kept.double
    }
}

/// The memory of the last batch, kept for a loop that asks for gradients again and again.
#[derive(Default)]
pub struct Kept {
    single: Option<Workspace<f32>>,
    double: Option<Workspace<f64>>,
}

/// Calls a generic method with the precision of `theta`.
macro_rules! by_dtype {
    ($theta:expr, $object:ident.$method:ident($($argument:expr),*)) => {
        if $theta.cast::<PyArray1<f32>>().is_ok() {
            $object.$method::<f32>($($argument),*)
        } else {
            $object.$method::<f64>($($argument),*)
        }
    };
}

pub(super) use by_dtype;
