//! Random numbers that are the same everywhere: splitmix64 and integer arithmetic, no floats, whose functions
//! differ between platforms.

pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Random(seed)
    }

    /// Another generator, told apart by its label.
    pub fn fork(&self, label: u64) -> Self {
        let mut mixer = Random(self.0 ^ label.wrapping_mul(0xA076_1D64_78BD_642F));
        Random(mixer.next())
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Uniform in `0..count`; 0 where `count` is 0.
    pub fn below(&mut self, count: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(count)) >> 64) as u64
    }

    /// Uniform in `first..=last`.
    pub fn range(&mut self, first: u64, last: u64) -> u64 {
        first + self.below(last - first + 1)
    }

    /// True `per_thousand` times in a thousand.
    pub fn chance(&mut self, per_thousand: u64) -> bool {
        self.below(1000) < per_thousand
    }

    pub fn pick<'a, T: ?Sized>(&mut self, choices: &[&'a T]) -> &'a T {
        choices[self.below(choices.len() as u64) as usize]
    }

    /// A duration as services have them: near `median`, with a long tail above (one in twenty is beyond twice
    /// the median). A product of small factors in place of a lognormal, which would need floats.
    pub fn skewed(&mut self, median: u64) -> u64 {
        let factors = self.next();
        let mut value = median * 1000;
        for place in 0..6 {
            // 700 to 1334 thousandths, nearly even about 1 on a logarithmic scale.
            value = value * (700 + ((factors >> (place * 10)) & 0x3ff) * 634 / 1023) / 1000;
        }
        value / 1000
    }
}

/// Ranks as popularity has them: the n-th is drawn in proportion to 1/n.
pub struct Popularity(Vec<u64>);

impl Popularity {
    pub fn new(ranks: u64) -> Self {
        let mut total = 0;
        let cumulated = (1..=ranks).map(|rank| {
            total += 1_000_000_000 / rank;
            total
        });
        Popularity(cumulated.collect())
    }

    pub fn draw(&self, random: &mut Random) -> usize {
        let place = random.below(self.0.last().copied().unwrap_or(0));
        self.0.partition_point(|&sum| sum <= place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitmix64_is_the_published_one() {
        let mut random = Random::new(1_234_567);
        let expected = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
        ];
        assert_eq!([random.next(), random.next(), random.next()], expected);
    }

    #[test]
    fn durations_have_their_median_and_a_tail() {
        let mut random = Random::new(1);
        let mut values: Vec<u64> = (0..10_001).map(|_| random.skewed(100)).collect();
        values.sort_unstable();
        assert!(
            (90..=112).contains(&values[5000]),
            "median {}",
            values[5000]
        );
        assert!((175..=260).contains(&values[9500]), "p95 {}", values[9500]);
    }

    #[test]
    fn the_first_rank_is_the_most_popular() {
        let mut random = Random::new(2);
        let popularity = Popularity::new(100);
        let mut counts = [0u32; 100];
        for _ in 0..10_000 {
            counts[popularity.draw(&mut random)] += 1;
        }
        assert!(counts[0] > 1500 && counts[0] > counts[1] && counts[1] > counts[50]);
    }
}
