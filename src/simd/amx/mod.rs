//! Tiles of bfloat16, Intel's Advanced Matrix Extensions (Architecture Instruction Set Extensions, chapter 3): who has them, and who
//! lets a process use them.

#[cfg(test)]
pub mod emulator;

pub use self::system::allowed;

/// Whether processor and system have tiles that the products know.
pub fn are_there() -> bool {
    #[cfg(test)]
    if emulator::is_at_work() {
        return true;
    }
    system::are_there()
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod system {
    use std::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};
    use std::ffi::c_long;

    /// `AMX-BF16` and `AMX-TILE` in `edx` of leaf 7.
    const INSTRUCTIONS: u32 = 1 << 22 | 1 << 24;
    /// `OSXSAVE` in `ecx` of leaf 1: the system says which registers it keeps.
    const TELLS: u32 = 1 << 27;
    /// The tiles' shapes and their contents among these registers.
    const KEPT: u64 = 1 << 17 | 1 << 18;

    pub fn are_there() -> bool {
        if __cpuid(0).eax < 0x1d || __cpuid(1).ecx & TELLS == 0 {
            return false;
        }
        // SAFETY: a system that tells has the instruction.
        let kept = unsafe { registers() } & KEPT == KEPT;
        // Of the first palette: bytes of a row, number of tiles, rows.
        let palette = __cpuid_count(0x1d, 1);
        let large = palette.ebx & 0xffff >= 64 && palette.ebx >> 16 >= 8 && palette.ecx & 0xffff >= 16;
        __cpuid_count(7, 0).edx & INSTRUCTIONS == INSTRUCTIONS && kept && large
    }

    #[target_feature(enable = "xsave")]
    unsafe fn registers() -> u64 {
        // SAFETY: the caller's promise.
        unsafe { _xgetbv(0) }
    }

    // Of the C library, which the standard library brings.
    unsafe extern "C" {
        fn syscall(number: c_long, ...) -> c_long;
    }

    /// Asks the system to let this process, and all threads and children that it will have, use tiles: their 8 KiB are more than what
    /// it keeps for every thread without being asked. To ask again is harmless.
    pub fn allowed() -> bool {
        const ARCH_PRCTL: c_long = 158;
        const REQUEST: c_long = 0x1023;
        const TILES: c_long = 18;
        #[cfg(test)]
        if super::emulator::is_at_work() {
            return true;
        }
        // SAFETY: a request that changes nothing else; systems that do not know it refuse.
        unsafe { syscall(ARCH_PRCTL, REQUEST, TILES) == 0 }
    }
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
mod system {
    /// Other systems are not known to give them.
    pub fn are_there() -> bool {
        false
    }

    /// As above.
    pub fn allowed() -> bool {
        false
    }
}
