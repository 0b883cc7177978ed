//! Denormal numbers taken for zero while a piece of work runs.

/// While it lives, this thread takes denormal numbers for zero: they are of no use to training and cost a hundredfold.
pub struct FlushDenormals {
    before: u64,
}

impl FlushDenormals {
    #[cfg(target_arch = "x86_64")]
    const BITS: u64 = 0x8040; // flush to zero, denormals are zero
    #[cfg(target_arch = "aarch64")]
    const BITS: u64 = 1 << 24;
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    const BITS: u64 = 0;

    /// Starts to flush.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        let before = Self::get();
        Self::set(before | Self::BITS);
        FlushDenormals { before }
    }

    /// Calls somebody else's code as if nothing flushed: a function of the user may need these numbers.
    pub fn pause<R>(work: impl FnOnce() -> R) -> R {
        let _flushing = FlushDenormals { before: Self::get() };
        Self::set(Self::get() & !Self::BITS);
        work()
    }

    fn get() -> u64 {
        #[cfg(target_arch = "x86_64")]
        {
            let mut word = 0u32;
            // SAFETY: stores the floating-point control word to a local.
            unsafe { std::arch::asm!("stmxcsr [{}]", in(reg) &mut word, options(nostack)) };
            u64::from(word)
        }
        #[cfg(target_arch = "aarch64")]
        {
            let word: u64;
            // SAFETY: reads the floating-point control register.
            unsafe { std::arch::asm!("mrs {}, fpcr", out(reg) word, options(nomem, nostack)) };
            word
        }
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        0
    }

    fn set(word: u64) {
        #[cfg(target_arch = "x86_64")]
        {
            let word = word as u32;
            // SAFETY: changes only how denormals are treated, and `drop` restores it.
            unsafe { std::arch::asm!("ldmxcsr [{}]", in(reg) &word, options(nostack, readonly)) };
        }
        #[cfg(target_arch = "aarch64")]
        // SAFETY: as above.
        unsafe {
            std::arch::asm!("msr fpcr, {}", in(reg) word, options(nomem, nostack))
        };
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        let _ = word;
    }
}

impl Drop for FlushDenormals {
    fn drop(&mut self) {
        Self::set(self.before);
    }
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;
    use std::panic::catch_unwind;

    use super::*;

    fn halved() -> f64 {
        black_box(f64::MIN_POSITIVE) * black_box(0.5)
    }

    #[test]
    fn a_pause_ends_with_the_work_and_flushing_with_the_call_also_by_panic() {
        let before = halved();
        assert!(before > 0.0);
        let flushed = FlushDenormals::new();
        assert_eq!(halved(), 0.0);
        assert_eq!(FlushDenormals::pause(halved), before);
        assert_eq!(halved(), 0.0);
        assert!(catch_unwind(|| FlushDenormals::pause(|| panic!("on purpose"))).is_err());
        assert_eq!(halved(), 0.0);
        drop(flushed);
        assert_eq!(halved(), before);
        let panicked = catch_unwind(|| {
            let _flushed = FlushDenormals::new();
            panic!("on purpose");
        });
        assert!(panicked.is_err() && halved() == before);
    }
}
