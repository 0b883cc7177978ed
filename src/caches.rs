//! How large the caches of this machine are, as far as it tells.

use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of a core's own caches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caches {
    /// The first-level cache for data.
    pub first: usize,
    /// The second-level cache.
    pub second: usize,
}

impl Caches {
    /// Of a machine that does not tell: what nearly all have at least.
    const USUAL: Caches = Caches { first: 32 << 10, second: 512 << 10 };

    /// Of this machine, asked once: of cores that differ, those of one.
    pub fn here() -> Self {
        static KNOWN: AtomicU64 = AtomicU64::new(0);
        Self::known(&KNOWN).unwrap_or_else(|| {
            let Caches { first, second } = system::asked().unwrap_or(Self::USUAL);
            // Beyond these bounds an answer is a mistake, or of a cache that several cores share.
            let here = Caches { first: first.clamp(16 << 10, 256 << 10), second: second.clamp(256 << 10, 4 << 20) };
            here.unless_known(&KNOWN)
        })
    }

    /// What is kept there: both sizes in one number, since memory is made by one look at them and used by
    /// another.
    fn known(kept: &AtomicU64) -> Option<Self> {
        let both = kept.load(Ordering::Relaxed);
        (both != 0).then_some(Caches { first: (both >> 32) as usize, second: both as u32 as usize })
    }

    /// Keeps these there, unless another thread was faster: what is kept.
    fn unless_known(self, kept: &AtomicU64) -> Self {
        let both = (self.first as u64) << 32 | self.second as u64;
        // Who was faster has written what is read now.
        let _ = kept.compare_exchange(0, both, Ordering::Relaxed, Ordering::Relaxed);
        Self::known(kept).unwrap_or(self)
    }
}

#[cfg(target_arch = "x86_64")]
mod system {
    use super::Caches;
    use std::arch::x86_64::{__cpuid, __cpuid_count};

    /// By the processor's own table of caches: leaf 4 on Intel, 0x8000_001d on AMD, with the same fields.
    pub fn asked() -> Option<Caches> {
        let intel = __cpuid(0).eax >= 4;
        let amd = __cpuid(0x8000_0000).eax >= 0x8000_001d;
        (amd.then(|| table(0x8000_001d)).flatten()).or_else(|| intel.then(|| table(4)).flatten())
    }

    fn table(leaf: u32) -> Option<Caches> {
        let mut found = Caches { first: 0, second: 0 };
        for index in 0..8 {
            let entry = __cpuid_count(leaf, index);
            let (kind, level) = (entry.eax & 0x1f, entry.eax >> 5 & 7);
            if kind == 0 {
                break;
            }
            let field = |from: u32, bits: u32| (entry.ebx >> from & ((1 << bits) - 1)) as usize + 1;
            let bytes = field(22, 10) * field(12, 10) * field(0, 12) * (entry.ecx as usize + 1);
            // 1 is a cache for data, 3 one for both.
            match (kind, level) {
                (1 | 3, 1) => found.first = bytes,
                (1 | 3, 2) => found.second = bytes,
                _ => {}
            }
        }
        (found.first > 0 && found.second > 0).then_some(found)
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod system {
    use super::Caches;

    /// By what Linux says of the first processor; other systems keep it to themselves.
    pub fn asked() -> Option<Caches> {
        let read = |index: usize, what: &str| {
            let path = format!("/sys/devices/system/cpu/cpu0/cache/index{index}/{what}");
            std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
        };
        let mut found = Caches { first: 0, second: 0 };
        for index in 0..8 {
            let (Some(kind), Some(level), Some(size)) =
                (read(index, "type"), read(index, "level"), read(index, "size"))
            else {
                continue;
            };
            let bytes = size.strip_suffix('K').and_then(|number| number.parse::<usize>().ok()).map_or(0, |k| k << 10);
            match (kind.as_str(), level.as_str()) {
                ("Data" | "Unified", "1") => found.first = bytes,
                ("Data" | "Unified", "2") => found.second = bytes,
                _ => {}
            }
        }
        (found.first > 0 && found.second > 0).then_some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caches_have_sizes_that_make_sense() {
        let Caches { first, second } = Caches::here();
        assert!((16 << 10..=256 << 10).contains(&first) && first < second, "{first} {second}");
        assert_eq!(Caches::here(), Caches { first, second });
    }
    #[test]
    fn the_first_answer_counts_where_cores_differ() {
        let kept = AtomicU64::new(0);
        let [large, small] = [(48, 2048), (32, 1024)].map(|(first, second)| Caches { first, second });
        assert_eq!(Caches::known(&kept), None);
        assert_eq!([large.unless_known(&kept), small.unless_known(&kept)], [large; 2]);
        assert_eq!(Caches::known(&kept), Some(large));
    }
}
