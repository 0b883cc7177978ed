//! Which instruction sets there are, which this machine has, and which one is in use.

use std::sync::atomic::{AtomicU8, Ordering};

#[cfg(target_arch = "x86_64")]
use super::amx;
use crate::error::{Error, Result};

/// The instruction sets that kernels are compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Level {
    /// What every processor of the target has, without fused multiply-add.
    Portable = 1,
    /// x86-64 with AVX2 and FMA.
    Avx2 = 2,
    /// x86-64 with AVX-512 F, BW, DQ and VL.
    Avx512 = 3,
    /// 64-bit Arm.
    Neon = 4,
    /// As [`Avx512`](Level::Avx512), with tiles of bfloat16 (AMX); all other loops are the same.
    Amx = 5,
}

impl Level {
    /// Every level, with the name that `SCHUSS_SIMD` takes.
    pub const ALL: [(Level, &'static str); 5] = [
        (Level::Portable, "portable"),
        (Level::Avx2, "avx2"),
        (Level::Avx512, "avx512"),
        (Level::Amx, "amx"),
        (Level::Neon, "neon"),
    ];

    /// The level's name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(level, _)| *level == self).map_or("unknown", |(_, name)| name)
    }

    /// The level of that name.
    pub fn from_name(name: &str) -> Option<Level> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(level, _)| *level)
    }

    /// Whether this machine can run it.
    pub fn available(self) -> bool {
        match self {
            Level::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => {
                Level::Avx2.available()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
            }
            #[cfg(target_arch = "x86_64")]
            Level::Amx => Level::Avx512.available() && is_x86_feature_detected!("avx512bf16") && amx::are_there(),
            #[cfg(target_arch = "aarch64")]
            Level::Neon => true,
            #[allow(unreachable_patterns)]
            _ => false,
        }
    }

    fn best() -> Level {
        [Level::Amx, Level::Avx512, Level::Avx2, Level::Neon]
            .into_iter()
            .find(|l| l.available())
            .unwrap_or(Level::Portable)
    }
}

/// What may name a level for the whole process.
const VARIABLE: &str = "SCHUSS_SIMD";

/// 0 until the first use.
static CURRENT: AtomicU8 = AtomicU8::new(0);

/// The level in use: the best one of this machine, or the one that the environment variable `SCHUSS_SIMD` names.
#[inline]
pub fn level() -> Level {
    match CURRENT.load(Ordering::Relaxed) {
        1 => Level::Portable,
        2 => Level::Avx2,
        3 => Level::Avx512,
        4 => Level::Neon,
        5 => Level::Amx,
        _ => detect(),
    }
}

#[cold]
fn detect() -> Level {
    let level = asked().ok().flatten().unwrap_or_else(Level::best);
    CURRENT.store(level as u8, Ordering::Relaxed);
    level
}

/// The level that `SCHUSS_SIMD` names, where it is set to something.
///
/// # Errors
/// There is none of that name, or this machine lacks it.
pub fn asked() -> Result<Option<Level>> {
    let name = std::env::var_os(VARIABLE).unwrap_or_default();
    if name.is_empty() {
        return Ok(None);
    }
    let level = name.to_str().and_then(Level::from_name).filter(|level| level.available());
    level.map(Some).ok_or_else(|| {
        let here = Level::ALL.iter().filter(|(level, _)| level.available()).map(|(_, name)| *name);
        let expected = format!("one of {} on this machine", here.collect::<Vec<_>>().join(", "));
        Error::value(VARIABLE, format!("{name:?}"), expected)
    })
}

/// Sets the level for the whole process; a switch for tests and benchmarks. False where the machine lacks it.
pub fn set_level(level: Level) -> bool {
    let available = level.available();
    if available {
        CURRENT.store(level as u8, Ordering::Relaxed);
    }
    available
}

/// Whether pairs of bfloat16 are multiplied and added by an instruction, at the level in use.
pub fn has_bfloat16() -> bool {
    #[cfg(target_arch = "x86_64")]
    return matches!(level(), Level::Avx512 | Level::Amx) && is_x86_feature_detected!("avx512bf16");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// The instruction sets in use, for messages.
pub fn description() -> &'static str {
    match level() {
        Level::Portable => "no vector instructions in use",
        Level::Avx2 => "AVX2",
        Level::Avx512 if has_bfloat16() => "AVX-512 and AVX512_BF16",
        Level::Avx512 => "AVX-512 without AVX512_BF16",
        Level::Neon => "NEON",
        Level::Amx => "AVX-512, AVX512_BF16 and AMX",
    }
}

/// Tests run side by side and the level is the process's own: who switches it holds this alone.
#[cfg(test)]
static TURN: std::sync::RwLock<()> = std::sync::RwLock::new(());

/// Keeps the level as it is, for a test that compares bits.
#[cfg(test)]
pub(crate) fn hold_level() -> impl Drop {
    TURN.read().unwrap_or_else(|failed| failed.into_inner())
}

/// Keeps the level from others, for a test that switches it.
#[cfg(test)]
pub(crate) fn switch_levels() -> impl Drop {
    TURN.write().unwrap_or_else(|failed| failed.into_inner())
}

/// Runs a test at every level of this machine.
#[cfg(test)]
pub(crate) fn at_every_level(mut test: impl FnMut(Level)) {
    let _turn = switch_levels();
    let before = level();
    for (level, _) in Level::ALL {
        if set_level(level) {
            test(level);
        }
    }
    set_level(before);
}
