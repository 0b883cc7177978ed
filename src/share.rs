//! How work is shared out.

use std::ops::Range;

/// The share of number `index` when `0..len` is cut into `count` shares of about the same length, at multiples of `grain`.
#[inline]
pub fn share(index: usize, count: usize, len: usize, grain: usize) -> Range<usize> {
    // Of one, which divisions would take as long to find out as a small product does.
    if count == 1 {
        return 0..len;
    }
    let grains = len.div_ceil(grain);
    let cut = |i: usize| (grains * i / count * grain).min(len);
    cut(index)..cut(index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_cover_everything_once() {
        for count in 1..9 {
            for len in [0, 1, 5, 64, 131] {
                let shares: Vec<_> = (0..count).map(|index| share(index, count, len, 4)).collect();
                assert_eq!(shares[0].start, 0);
                assert_eq!(shares[count - 1].end, len);
                assert!(shares.windows(2).all(|pair| pair[0].end == pair[1].start));
                assert!(
                    shares
                        .iter()
                        .all(|share| share.start % 4 == 0 && share.len() <= len.div_ceil(4).div_ceil(count) * 4)
                );
            }
        }
    }
}
