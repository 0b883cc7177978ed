//! Which vector instructions this machine has, found at run time, and one way to run a loop compiled for each.
//!
//! A [`Kernel`] is written once, generic over [`Isa`]. [`dispatch`] calls it inside a function that was compiled with the
//! instruction set of the machine, so plain loops in it are vectorised for that set, and [`Vector`] gives explicit
//! registers where a loop needs them. Everything between `dispatch` and the loop must be `#[inline(always)]`.

#[cfg_attr(
    not(all(target_os = "linux", target_arch = "x86_64")),
    allow(dead_code, unused_imports, reason = "nobody else has tiles")
)]
pub mod amx;
mod denormals;
mod dispatch;
mod isa;
mod level;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
mod prefetch;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod register;
#[cfg(test)]
mod tests;
mod vector;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use denormals::FlushDenormals;
pub use dispatch::dispatch;
pub use isa::{Isa, Kernel};
pub use level::{Level, asked, description, has_bfloat16, level, set_level};
#[cfg(test)]
pub(crate) use level::{at_every_level, hold_level, switch_levels};
pub use portable::{Careful, Forgetful, Lanes, Portable};
pub use prefetch::prefetch;
pub use vector::{MOST_LANES, Vector};
