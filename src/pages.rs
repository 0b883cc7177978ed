//! The pages in which the system gives memory.

pub use self::system::enlarge;

/// Bytes of the smallest page that any system has.
pub const SMALL_PAGE: usize = 4096;

#[cfg(target_os = "linux")]
mod system {
    use std::ffi::{c_int, c_void};

    /// The most usual size of a large page, and a multiple of every size of a small one.
    const LARGE: usize = 2 << 20;
    /// Large pages, please.
    const MADV_HUGEPAGE: c_int = 14;

    // Of the C library, which the standard library brings.
    unsafe extern "C" {
        fn madvise(start: *mut c_void, bytes: usize, advice: c_int) -> c_int;
    }

    /// Asks for large pages for the memory that nobody has used yet, where there is enough of it to fill some.
    ///
    /// One fault instead of 512 when it is first used, and 512 times what the processor's cache of addresses knows. Memory that is first read
    /// and then written costs two faults a page, and the second one stops all other threads.
    pub fn enlarge(start: *mut u8, bytes: usize) {
        let (skipped, whole) = whole_pages(start.addr(), bytes);
        if whole > 0 {
            // SAFETY: the range is part of the caller's, and how it is paged changes none of its bytes. A system that has no large pages
            // refuses.
            unsafe { madvise(start.wrapping_add(skipped).cast(), whole, MADV_HUGEPAGE) };
        }
    }

    /// Where the large pages begin that memory at that address fills, counted from there, and the bytes that they have together.
    pub(super) fn whole_pages(address: usize, bytes: usize) -> (usize, usize) {
        let skipped = address.next_multiple_of(LARGE) - address;
        (skipped, bytes.saturating_sub(skipped) / LARGE * LARGE)
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    /// Does nothing: such a system has no large pages that can be asked for, or gives them by itself.
    pub fn enlarge(_start: *mut u8, _bytes: usize) {}
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::system::whole_pages;
    use crate::buffer::Buffer;

    /// What the system says of the memory at that place, as in `VmFlags: rd wr mr mw me ac hg`.
    fn flags(address: usize) -> String {
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let mut inside = false;
        for line in maps.lines() {
            let range = line.split(' ').next().and_then(|range| range.split_once('-'));
            let range = range.map(|(from, to)| [from, to].map(|end| usize::from_str_radix(end, 16)));
            if let Some([Ok(from), Ok(to)]) = range {
                inside = (from..to).contains(&address);
            } else if inside && line.starts_with("VmFlags") {
                return line.to_owned();
            }
        }
        panic!("nothing is at {address:x}");
    }

    #[test]
    fn much_memory_is_asked_for_in_large_pages() {
        if !std::fs::exists("/sys/kernel/mm/transparent_hugepage").unwrap() {
            return;
        }
        let large = Buffer::<f32>::zeroed(4 << 20, "").unwrap();
        assert!(flags(large[1 << 20..].as_ptr().addr()).contains(" hg"));
    }

    // What the system says of little memory tells nothing: the allocator may have cut it from much that was given back.
    #[test]
    fn only_pages_that_the_memory_fills_are_asked_for() {
        let large = 2 << 20;
        for (address, bytes, expected) in [
            (large, 400_000, (0, 0)),
            (large, large, (0, large)),
            (large, 3 * large - 1, (0, 2 * large)),
            (large + 16, large, (large - 16, 0)),
            (large + 16, 2 * large, (large - 16, large)),
            (2 * large - 16, 2 * large + 16, (16, 2 * large)),
            (large + 16, 100, (large - 16, 0)),
        ] {
            assert_eq!(whole_pages(address, bytes), expected, "{bytes} bytes at {address}");
        }
    }
}
