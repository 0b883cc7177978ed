//! Random numbers as pure functions of where they are used, so that they do not depend on who asks first.
//!
//! SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (2014).

/// Swaps of a permutation between two looks whether to go on.
const SWAPS_PER_LOOK: usize = 1 << 19;

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The key of a stream: any numbers that tell it from all others.
pub fn key(parts: &[u64]) -> u64 {
    parts.iter().fold(0, |key, &part| mix(key.wrapping_add(GOLDEN) ^ mix(part.wrapping_add(GOLDEN))))
}

/// Number `index` of a stream.
#[inline(always)]
pub fn at(key: u64, index: u64) -> u64 {
    mix(key.wrapping_add(index.wrapping_mul(GOLDEN)))
}

#[inline(always)]
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Fills `order` with a permutation of its indices: Fisher-Yates, from the stream of `key`.
pub fn permutation(order: &mut [u32], key: u64) {
    permutation_unless(|| false, order, key);
}

/// The same, broken off where `stop` says so, which is asked every few milliseconds.
pub fn permutation_unless(stop: impl Fn() -> bool, order: &mut [u32], key: u64) {
    in_order(order);
    shuffle_unless(stop, order.len(), key, |i, j| order.swap(i, j));
}

/// Shuffles that many things, wherever they are, by a function that swaps two of them by their numbers.
pub fn shuffle_unless(stop: impl Fn() -> bool, count: usize, key: u64, mut swap: impl FnMut(usize, usize)) {
    for last in (1..count).rev() {
        if last.is_multiple_of(SWAPS_PER_LOOK) && stop() {
            return;
        }
        // The high bits of a product are uniform below `last + 1`, to 1 in 2^32 (Lemire 2019).
        let random = at(key, last as u64) >> 32;
        swap(last, ((random * (last as u64 + 1)) >> 32) as usize);
    }
}

/// Fills `order` with 0, 1, 2, …
pub fn in_order(order: &mut [u32]) {
    order.iter_mut().enumerate().for_each(|(i, to)| *to = i as u32);
}

/// A number in [0, 1) for dropout, from 24 of the bits.
#[inline(always)]
pub fn unit(bits: u64) -> f32 {
    (bits >> 40) as f32 / (1u32 << 24) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitmix_is_the_published_sequence() {
        // The first outputs for seed 0, from the authors' reference.
        let outputs: Vec<u64> = (1..=3).map(|i| at(0, i)).collect();
        assert_eq!(outputs, [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4, 0x06c4_5d18_8009_454f]);
    }

    #[test]
    fn permutations_are_uniform() {
        let mut counts = [[0u32; 5]; 5];
        for draw in 0..20_000 {
            let mut order = [0; 5];
            permutation(&mut order, key(&[7, draw]));
            order.iter().enumerate().for_each(|(place, &number)| counts[place][number as usize] += 1);
        }
        // Each of 25 counts is binomial with mean 4000 and deviation 57.
        assert!(counts.iter().flatten().all(|&count| count.abs_diff(4000) < 5 * 57), "{counts:?}");
    }
}
