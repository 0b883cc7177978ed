//! Instruction sets as types, and the loops that are compiled for each.

use super::vector::Vector;
use crate::scalar::Scalar;

/// An instruction set.
pub trait Isa: 'static {
    /// Its `f32` register.
    type F32: Vector<Elem = f32>;
    /// Its `f64` register.
    type F64: Vector<Elem = f64>;
    /// Whether it has fused multiply-add.
    const FMA: bool;
    /// Whether kernels take the longer way that keeps intermediate results from overflowing: see [`Careful`](super::Careful).
    const CAREFUL: bool = false;
    /// Whether averages take the form that is right where little is left of the old: see [`Forgetful`](super::Forgetful).
    const FORGETFUL: bool = false;
    /// Runs a kernel as a function of its own: what is large stays apart, for the compiler's sake.
    ///
    /// # Safety
    /// Below [`dispatch`](super::dispatch) only, which has confirmed the instruction set.
    unsafe fn apart<K: Kernel>(kernel: K) -> K::Output;
    /// Rows of a register tile of a matrix product, two registers across: as many as the register file holds.
    const TILE_ROWS: usize;

    /// `a * b + c`: rounded once where the instruction set can, else twice.
    #[inline(always)]
    fn fma<T: Scalar>(a: T, b: T, c: T) -> T {
        if Self::FMA { a.mul_add(b, c) } else { a * b + c }
    }
}

/// A loop, written once for every instruction set.
pub trait Kernel {
    /// What it returns.
    type Output;
    /// The loop. Must be `#[inline(always)]`, as must be all that it calls.
    fn run<I: Isa>(self) -> Self::Output;
}
