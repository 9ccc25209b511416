//! How often each latency occurred, to within one part in 64, in constant memory.

/// Counts of values, by size. Values under 64 are counted exactly; above, each power of two is
/// divided into 64 equal parts.
#[derive(Clone, Debug)]
pub struct Histogram {
    counts: Box<[u64]>,
    count: u64,
    sum: u64,
    max: u64,
}

impl Histogram {
    /// Counts a value.
    pub fn record(&mut self, value: u64) {
        if let Some(count) = self.counts.get_mut(bucket(value)) {
            *count += 1;
        }
        self.count += 1;
        self.sum = self.sum.saturating_add(value);
        self.max = self.max.max(value);
    }

    /// How many values were counted.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The largest value; 0 if there is none.
    #[must_use]
    pub const fn max(&self) -> u64 {
        self.max
    }

    /// The mean of all values; 0 if there is none.
    #[must_use]
    pub const fn mean(&self) -> u64 {
        match self.sum.checked_div(self.count) {
            Some(mean) => mean,
            None => 0,
        }
    }

    /// The least bound that this many thousandths of all values don't exceed.
    #[must_use]
    pub fn quantile(&self, thousandths: u64) -> u64 {
        let wanted = self
            .count
            .saturating_mul(thousandths)
            .div_ceil(1_000)
            .max(1);
        let mut seen = 0;
        for (upper, count) in self.buckets() {
            seen += count;
            if seen >= wanted {
                return upper.min(self.max);
            }
        }
        0
    }

    /// Each bucket that isn't empty: its largest value, and its count.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64)> {
        let filled = self
            .counts
            .iter()
            .enumerate()
            .filter(|(_, count)| **count > 0);
        filled.map(|(bucket, count)| (upper(bucket), *count))
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            counts: vec![0; bucket(u64::MAX) + 1].into(),
            count: 0,
            sum: 0,
            max: 0,
        }
    }
}

/// Parts of a power of two.
const PARTS: usize = 64;

/// Where a value is counted.
fn bucket(value: u64) -> usize {
    let bits = u64::BITS - value.leading_zeros();
    let shift = bits.saturating_sub(PARTS.ilog2() + 1);
    // What is left has seven bits at most.
    let rest = usize::try_from(value >> shift).unwrap_or(usize::MAX);
    shift as usize * PARTS + rest
}

/// The largest value that is counted there.
fn upper(bucket: usize) -> u64 {
    let shift = (bucket / PARTS).saturating_sub(1);
    let rest = (bucket - shift * PARTS) as u128;
    u64::try_from(((rest + 1) << shift) - 1).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bucket_begins_where_the_one_before_ends() {
        let last = bucket(u64::MAX);
        assert_eq!(upper(last), u64::MAX);
        for index in 0..last {
            assert_eq!(bucket(upper(index)), index);
            assert_eq!(bucket(upper(index) + 1), index + 1);
        }
    }

    #[test]
    fn quantiles_are_within_one_part_in_64() {
        let mut histogram = Histogram::default();
        assert_eq!((histogram.quantile(500), histogram.mean()), (0, 0));
        for value in 1..=100_000 {
            histogram.record(value);
        }
        for (thousandths, exact) in [(500, 50_000), (990, 99_000), (999, 99_900)] {
            let told = histogram.quantile(thousandths);
            assert!((exact..=exact + exact / 64).contains(&told), "{told}");
        }
        assert_eq!(histogram.quantile(1_000), 100_000);
        assert_eq!((histogram.mean(), histogram.count()), (50_000, 100_000));
    }
}
