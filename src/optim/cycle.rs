//! Cycles of schedules that come again and again, each as many times as long as the one before.

/// Two steps are one where they differ by no more than this share: a sum of lengths like 9.1 is a little off.
const ROUNDING: f64 = 1e-12;

/// The number of the cycle that step `t` is in, from 0, and the share of it that has passed. The first has length `period`, each
/// other one is `stretch` times as long as the one before.
pub fn cycle(t: f64, period: f64, stretch: f64) -> (f64, f64) {
    let growth = stretch - 1.0;
    // The sum of a geometric series, and its inverse, to all digits where `stretch` is close to 1.
    let start = |cycle: f64| match growth == 0.0 {
        true => period * cycle,
        false => period * (cycle * growth.ln_1p()).exp_m1() / growth,
    };
    let begun = if growth == 0.0 { t / period } else { (t / period * growth).ln_1p() / growth.ln_1p() };
    let mut cycle = begun.round();
    if start(cycle) > t * (1.0 + ROUNDING) {
        cycle -= 1.0;
    }
    (cycle, ((t - start(cycle)) / (period * stretch.powf(cycle))).clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cycle_begins_where_the_ones_before_it_end() {
        for stretch in [1.0, 1.1, 2.0, 3.0] {
            let (mut start, mut length) = (0.0, 10.0);
            for number in 0..12 {
                let (begun, share) = cycle(start + 1e-9 * length, 10.0, stretch);
                assert_eq!(begun, number as f64);
                assert!(share < 1e-6);
                let (middle, share) = cycle(start + 0.75 * length, 10.0, stretch);
                assert_eq!(middle, number as f64);
                assert!((share - 0.75).abs() < 1e-9);
                (start, length) = (start + length, length * stretch);
            }
        }
    }

    #[test]
    fn a_step_at_which_a_cycle_begins_is_in_that_cycle() {
        // With the stretch in tenths, the starts are whole numbers of ever smaller units, which integers add up exactly.
        for (period, stretch) in (1..=40).flat_map(|period| (10..=40).map(move |stretch| (period, stretch))) {
            let (mut start, mut length, mut unit) = (0, i128::from(period), 1);
            for number in 0..8 {
                if start % unit == 0 {
                    let (begun, share) = cycle((start / unit) as f64, f64::from(period), f64::from(stretch) / 10.0);
                    assert_eq!((begun, share < 1e-12), (f64::from(number), true), "{period} {stretch} {number}");
                }
                (start, length, unit) = ((start + length) * 10, length * i128::from(stretch), unit * 10);
            }
        }
    }
}
