//! Gives random numbers from a seed: the same ones on every machine and in every version of this crate.
//!
//! Seeds are printed and kept in records, so that a schedule or a permutation test can be repeated years later. The
//! numbers can be predicted from the seed, so they are of no use for secrets.
//!
//! Invariant: the stream of a seed stays as it is (`the_stream_is_frozen`).
//!
//! The generator is xoshiro256++, seeded by SplitMix64, as its authors advise: D. Blackman and S. Vigna,
//! *Scrambled linear pseudorandom number generators*, ACM TOMS 47(4), 2021; reference code at
//! <https://prng.di.unimi.it>.

/// A deterministic generator. Copies continue the same stream independently of each other.
#[derive(Debug, Clone)]
pub struct Rng {
    state: [u64; 4],
    /// The polar method makes normals two at a time.
    spare_normal: Option<f64>,
}

impl Rng {
    /// A generator for `seed`; every seed, 0 included, is a good one.
    pub fn new(seed: u64) -> Self {
        let mut mix = seed;
        let state = std::array::from_fn(|_| splitmix64(&mut mix));
        Self { state, spare_normal: None }
    }

    /// A generator for sub-stream `stream` of `seed`: pair 3 draws the same numbers whether or not pair 2 was
    /// discarded.
    pub fn stream(seed: u64, stream: u64) -> Self {
        // One SplitMix64 step spreads neighbouring stream numbers over all 64 bits.
        let mut counter = stream;
        Self::new(seed ^ splitmix64(&mut counter))
    }

    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        let s = &mut self.state;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// Uniform in [0, 1), a multiple of 2⁻⁵³. Bit-exact on every platform.
    pub fn f64(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// Uniform in 0..n without bias (D. Lemire, *Fast random integer generation in an interval*, 2019). 0
    /// when `n` is 0.
    pub fn below(&mut self, n: u64) -> u64 {
        if n == 0 {
            return 0;
        }
        // Values of the low half under 2⁶⁴ mod n would make some results likelier than others.
        let unfair = n.wrapping_neg() % n;
        loop {
            let wide = u128::from(self.next_u64()) * u128::from(n);
            if wide as u64 >= unfair {
                return (wide >> 64) as u64;
            }
        }
    }

    /// `true` or `false` with equal chance: which arm of a pair goes first.
    pub fn coin(&mut self) -> bool {
        self.next_u64() >> 63 == 1
    }

    /// Standard normal (Marsaglia and Bray's polar method). The same on every platform up to the last bits of
    /// `ln`.
    pub fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare_normal.take() {
            return spare;
        }
        loop {
            let u = 2.0 * self.f64() - 1.0;
            let v = 2.0 * self.f64() - 1.0;
            let s = u * u + v * v;
            if s > 0.0 && s < 1.0 {
                let scale = (-2.0 * s.ln() / s).sqrt();
                self.spare_normal = Some(v * scale);
                return u * scale;
            }
        }
    }

    /// Exponential with mean 1; divide by a rate to get the gaps of a Poisson arrival schedule. Finite and ≥
    /// 0. The same on every platform up to the last bits of `ln`.
    pub fn exponential(&mut self) -> f64 {
        // 1 − u is in (0, 1], so the logarithm is finite.
        -(-self.f64()).ln_1p()
    }

    /// Puts `items` in random order (Fisher–Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            let j = self.below(i as u64 + 1) as usize;
            items.swap(i, j);
        }
    }
}

/// One step of SplitMix64 (Steele, Lea and Flood, *Fast splittable pseudorandom number generators*, OOPSLA
/// 2014).
fn splitmix64(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seeds are part of records: if this test fails, the change is wrong, not the test.
    #[test]
    fn the_stream_is_frozen() {
        // SplitMix64 of 0 starts with this value in the reference implementation.
        let mut zero = 0;
        assert_eq!(splitmix64(&mut zero), 0xe220_a839_7b1d_cdaf);

        let mut rng = Rng::new(42);
        let first: Vec<u64> = (0..4).map(|_| rng.next_u64()).collect();
        assert_eq!(
            first,
            [
                15_021_278_609_987_233_951,
                5_881_210_131_331_364_753,
                18_149_643_915_985_481_100,
                12_933_668_939_759_105_464,
            ]
        );
        assert_eq!(rng.f64(), 0.793_504_489_691_729);
        assert_eq!([rng.below(10), rng.below(10), rng.below(1000)], [5, 1, 605]);
        let drawn = [rng.normal(), rng.normal(), rng.normal(), rng.exponential()];
        let expected = [
            0.196_226_529_674_526_6,
            1.153_606_758_569_939_2,
            0.202_908_544_830_355_97,
            0.515_960_955_080_307_8,
        ];
        for (got, expected) in drawn.iter().zip(expected) {
            assert!((got - expected).abs() < 1e-12, "{drawn:?}");
        }
        let mut items = [0, 1, 2, 3, 4, 5];
        Rng::stream(7, 3).shuffle(&mut items);
        assert_eq!(items, [0, 5, 4, 2, 1, 3]);
    }

    #[test]
    fn moments_are_those_of_the_named_distributions() {
        let mut rng = Rng::new(1);
        let n = 200_000;
        let mut sums = [0.0; 5];
        for _ in 0..n {
            let (u, z, e) = (rng.f64(), rng.normal(), rng.exponential());
            assert!((0.0..1.0).contains(&u) && z.is_finite() && e.is_finite() && e >= 0.0);
            for (sum, value) in sums.iter_mut().zip([u, z, z * z, e, e * e]) {
                *sum += value;
            }
        }
        for (sum, expected) in sums.iter().zip([0.5, 0.0, 1.0, 1.0, 2.0]) {
            assert!((sum / f64::from(n) - expected).abs() < 0.02, "{sums:?}");
        }
    }

    #[test]
    fn below_is_fair_and_never_out_of_range() {
        let mut rng = Rng::new(3);
        let mut counts = [0_u32; 7];
        for _ in 0..70_000 {
            counts[rng.below(7) as usize] += 1;
        }
        assert!(counts.iter().all(|&c| (9_600..10_400).contains(&c)), "{counts:?}");
        assert_eq!((rng.below(0), rng.below(1)), (0, 0));
        assert!(rng.below(u64::MAX) < u64::MAX);
    }

    #[test]
    fn streams_of_one_seed_differ() {
        let heads: std::collections::BTreeSet<u64> =
            (0..1000).map(|stream| Rng::stream(9, stream).next_u64()).collect();
        assert_eq!(heads.len(), 1000);
    }
}
