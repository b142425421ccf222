//! Tells how coarse the clock was that durations were read from: its tick, from the durations themselves. Pure.

use super::centre::median_by;

/// Samples are dealt to so many groups in turn. Each has a divisor of its own, so an odd sample spoils one of them.
const GROUPS: usize = 16;

/// A group with fewer distances knows no divisor: that of one distance is the distance.
const MIN_DISTANCES: usize = 4;

/// Fewer groups that know a divisor tell nothing: one odd sample could be half of them.
const MIN_GROUPS: usize = 3;

/// The step of the clock, in the unit of the samples: the greatest common divisor of their distances from the median,
/// as the median of [`GROUPS`] groups has it. `None` where too few samples differ.
///
/// A clock whose step is no whole number of nanoseconds seems finer than it is.
pub fn tick(samples: &[u64]) -> Option<u64> {
    let centre = median_by(samples.iter().copied(), u64::cmp)?;
    let divisor = |group: usize| {
        let all = samples.iter().skip(group).step_by(GROUPS).map(|s| s.abs_diff(centre));
        let distances: Vec<u64> = all.filter(|d| *d > 0).collect();
        (distances.len() >= MIN_DISTANCES).then(|| distances.into_iter().fold(0, gcd))
    };
    let found: Vec<u64> = (0..GROUPS).filter_map(divisor).collect();
    (found.len() >= MIN_GROUPS).then(|| median_by(found, u64::cmp))?
}

/// 0 divides nothing, and everything divides it: gcd(0, b) = b.
fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    /// Times around 20 µs with a spread of `sd_ns`, as a clock with this step shows them.
    fn read(step: u64, sd_ns: f64, seed: u64) -> Vec<u64> {
        let mut rng = Rng::new(seed);
        (0..1200).map(|_| ((20_000.0 + sd_ns * rng.normal()) as u64) / step * step).collect()
    }

    #[test]
    fn the_step_of_a_clock_shows_in_what_it_measured() {
        for seed in 0..50 {
            for step in [1, 32, 100, 1000] {
                assert_eq!(tick(&read(step, 1500.0, seed)), Some(step), "{seed}");
            }
            assert_eq!(tick(&read(1000, 400.0, seed)), Some(1000), "two values are enough: {seed}");
        }
    }

    #[test]
    fn an_odd_sample_does_not_hide_it_and_nothing_is_made_of_nothing() {
        let mut samples = read(1000, 1500.0, 1);
        (samples[7], samples[100]) = (123_457, 20_001);
        assert_eq!(tick(&samples), Some(1000));
        assert_eq!((tick(&[]), tick(&[5]), tick(&[7; 500])), (None, None, None));
        let mut alike = vec![20_000; 500];
        alike[3] = 20_137;
        assert_eq!(tick(&alike), None);
        assert_eq!(tick(&[0, u64::MAX, 0, u64::MAX, 1, 5]), None, "six samples in groups of one");
        let rare: Vec<u64> = (0..1200).map(|i| if i % 97 == 0 { 60 + 7 * i } else { 60 }).collect();
        assert_eq!(tick(&rare), None, "a spike is no step");
    }
}
