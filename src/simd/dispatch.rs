//! The way from a loop to the instruction set of this machine.

use super::isa::Kernel;
use super::level::{Level, level};
#[cfg(target_arch = "aarch64")]
use super::neon;
use super::portable::Portable;
#[cfg(target_arch = "x86_64")]
use super::x86;

/// Runs a kernel compiled for the current level.
#[inline]
pub fn dispatch<K: Kernel>(kernel: K) -> K::Output {
    match level() {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `level` returns only levels that `available` confirmed on this machine.
        Level::Avx512 | Level::Amx => unsafe { x86::run_avx512(kernel) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Level::Avx2 => unsafe { x86::run_avx2(kernel) },
        #[cfg(target_arch = "aarch64")]
        Level::Neon => kernel.run::<neon::Neon>(),
        _ => kernel.run::<Portable>(),
    }
}
