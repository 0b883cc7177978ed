//! The exponentially weighted average of a series.

use super::options::DECAY_RATE;
use crate::error::{Error, Result};

/// Replaces `series[i]` by `V_(i+1)`, where `V_t = beta * V_(t-1) + (1 - beta) * series[t-1]` and `V_0 = 0`; divided by
/// `1 - beta^t` where `bias_correction`.
pub fn in_place(series: &mut [f64], beta: f64, bias_correction: bool) -> Result<()> {
    if !DECAY_RATE.contains(beta) {
        return Err(Error::value("beta", beta, format!("a finite number {DECAY_RATE}")));
    }
    let (mut average, mut power) = (0.0, 1.0);
    for x in series {
        average = beta * average + (1.0 - beta) * *x;
        power *= beta;
        *x = if bias_correction { average / (1.0 - power) } else { average };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_is_its_own_corrected_average() {
        let mut series = [3.0; 4];
        in_place(&mut series, 0.9, true).unwrap();
        assert!(series.iter().all(|x| (x - 3.0f64).abs() < 1e-14));
        let mut series = [1.0, 0.0, 0.0];
        in_place(&mut series, 0.5, false).unwrap();
        assert_eq!(series, [0.5, 0.25, 0.125]);
        assert!(in_place(&mut series, 1.0, false).is_err());
    }
}
