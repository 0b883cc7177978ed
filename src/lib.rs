//! `schuss`: fast optimizers and neural-network training on the CPU.
//!
//! The modules import one way only: `error`, `scalar`, `simd`, `buffer`, `cores` -> `reductions`, `team`, `pool` -> `kernels`,
//! `optim` -> `mlp` -> `py`.
//! `kernels` and `optim` never see each other; only `mlp` joins them; only `py` names pyo3 or numpy.

mod affinity;
pub mod buffer;
mod caches;
pub mod cores;
pub mod error;
pub mod interrupt;
pub mod kernels;
pub mod mlp;
pub mod optim;
mod pages;
mod per_process;
pub mod pool;
pub mod reductions;
pub mod scalar;
pub mod share;
pub mod simd;
pub mod stop;
pub mod team;

#[cfg(feature = "python")]
mod py;
