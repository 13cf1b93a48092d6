//! What a measurement yields: one table of metrics, and a set of values for them.
//!
//! Table, chart and ledger are all derived from `METRICS`: a new figure is one row here and one
//! call of `put` where it is measured. It knows nothing of how a figure comes about.

use std::collections::BTreeMap;

/// One kind of figure, in the order in which tables and ledger show them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    Throughput,
    CpuPerOp,
    UserPerOp,
    SysPerOp,
    P50,
    P99,
    P999,
    P9999,
    Worst,
    OwnP99,
    OwnWorst,
    ServedP99,
    ServedWorst,
    StoodStill,
    CpuShare,
    KeptThroughput,
    BytesPerIdle,
    BytesPerKey,
    BytesPerElement,
    Rss,
    KeptMemory,
    SaveSeconds,
    HitRate,
    Refused,
    AboveLimit,
    KeptAboveLimit,
    RssOfLimit,
    ReplicaCpuPerOp,
}

/// How a metric is named and shown.
pub struct Row {
    pub metric: Metric,
    /// Its column in the ledger; never changed once results are written.
    pub name: &'static str,
    /// Its column in a table.
    pub title: &'static str,
    /// Shown value = value / scale.
    pub scale: f64,
    pub decimals: usize,
}

const MEBIBYTE: f64 = 1_048_576.0;

pub const METRICS: [Row; 28] = [
    row(Metric::Throughput, "ops_per_second", "k ops/s", 1e3, 1),
    row(Metric::CpuPerOp, "cpu_us_per_op", "CPU us/op", 1.0, 3),
    row(Metric::UserPerOp, "user_us_per_op", "user", 1.0, 3),
    row(Metric::SysPerOp, "sys_us_per_op", "sys", 1.0, 3),
    row(Metric::P50, "p50_ms", "p50 ms", 1.0, 3),
    row(Metric::P99, "p99_ms", "p99 ms", 1.0, 3),
    row(Metric::P999, "p999_ms", "p99.9 ms", 1.0, 3),
    row(Metric::P9999, "p9999_ms", "p99.99 ms", 1.0, 3),
    row(Metric::Worst, "worst_ms", "worst ms", 1.0, 3),
    row(
        Metric::OwnP99,
        "p99_without_standstills_ms",
        "own p99 ms",
        1.0,
        3,
    ),
    row(
        Metric::OwnWorst,
        "worst_without_standstills_ms",
        "own worst ms",
        1.0,
        3,
    ),
    row(
        Metric::ServedP99,
        "p99_without_waits_for_cpus_ms",
        "served p99 ms",
        1.0,
        3,
    ),
    row(
        Metric::ServedWorst,
        "worst_without_waits_for_cpus_ms",
        "served worst ms",
        1.0,
        3,
    ),
    row(
        Metric::StoodStill,
        "cpus_stood_still_ms_per_second",
        "stood still ms/s",
        1.0,
        2,
    ),
    row(
        Metric::CpuShare,
        "cpu_percent_of_core",
        "CPU % of a core",
        1.0,
        2,
    ),
    row(
        Metric::KeptThroughput,
        "kept_throughput_percent",
        "throughput kept %",
        1.0,
        1,
    ),
    row(
        Metric::BytesPerIdle,
        "bytes_per_idle_connection",
        "B/idle conn",
        1.0,
        0,
    ),
    row(Metric::BytesPerKey, "bytes_per_key", "B/key", 1.0, 1),
    row(
        Metric::BytesPerElement,
        "bytes_per_element",
        "B/element",
        1.0,
        2,
    ),
    row(Metric::Rss, "rss_bytes", "RSS MiB", MEBIBYTE, 1),
    row(
        Metric::KeptMemory,
        "memory_percent_of_before",
        "memory %",
        1.0,
        1,
    ),
    row(
        Metric::SaveSeconds,
        "save_seconds",
        "save or sync s",
        1.0,
        2,
    ),
    row(Metric::HitRate, "hit_percent", "hits %", 1.0, 2),
    row(Metric::Refused, "refused_percent", "refused %", 1.0, 2),
    row(
        Metric::AboveLimit,
        "bytes_above_limit",
        "above limit KiB",
        1024.0,
        1,
    ),
    row(
        Metric::KeptAboveLimit,
        "bytes_above_limit_without_clients",
        "without clients KiB",
        1024.0,
        1,
    ),
    row(
        Metric::RssOfLimit,
        "rss_percent_of_limit",
        "RSS % of limit",
        1.0,
        1,
    ),
    row(
        Metric::ReplicaCpuPerOp,
        "replica_cpu_us_per_op",
        "a replica's CPU us/op",
        1.0,
        3,
    ),
];

const fn row(
    metric: Metric,
    name: &'static str,
    title: &'static str,
    scale: f64,
    decimals: usize,
) -> Row {
    Row {
        metric,
        name,
        title,
        scale,
        decimals,
    }
}

impl Metric {
    pub fn row(self) -> &'static Row {
        METRICS
            .iter()
            .find(|row| row.metric == self)
            .expect("every metric has a row")
    }
}

impl Row {
    /// The value as tables and charts print it.
    pub fn show(&self, value: f64) -> String {
        format!("{:.*}", self.decimals, value / self.scale)
    }
}

/// The values that one measurement yielded.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures(BTreeMap<Metric, f64>);

impl Figures {
    pub fn put(&mut self, metric: Metric, value: f64) -> &mut Self {
        self.0.insert(metric, value);
        self
    }

    pub fn value(&self, metric: Metric) -> Option<f64> {
        self.0.get(&metric).copied()
    }

    /// This value in proportion to a reference's; none where either is missing or zero.
    pub fn ratio(&self, reference: &Figures, metric: Metric) -> Option<f64> {
        let base = reference.value(metric).filter(|&base| base > 0.0)?;
        self.value(metric).map(|value| value / base)
    }

    /// The median of every metric over some rounds: one bad round must not show.
    pub fn median(rounds: &[Figures]) -> Figures {
        let mut medians = Figures::default();
        for row in &METRICS {
            let values = rounds
                .iter()
                .filter_map(|round| round.value(row.metric))
                .collect();
            if let Some(value) = median(values) {
                medians.put(row.metric, value);
            }
        }
        medians
    }
}

/// The middle value, or the mean of the two middle ones.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        len if len % 2 == 1 => Some(values[middle]),
        _ => Some((values[middle - 1] + values[middle]) / 2.0),
    }
}

/// The smallest of the sorted values that `share` (0 to 1) of all values do not exceed.
pub fn percentile(sorted: &[f64], share: f64) -> Option<f64> {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}

/// One contestant's medians in one scenario.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub peer: String,
    pub rounds: usize,
    pub figures: Figures,
}

/// All contestants of one scenario; the first is the reference that ratios relate to.
#[derive(Clone, Debug)]
pub struct Comparison {
    pub scenario: String,
    pub outcomes: Vec<Outcome>,
}

impl Comparison {
    /// The one that ratios relate to: redis-server where it took part, else the first.
    pub fn reference(&self) -> Option<&Figures> {
        let redis = self.outcomes.iter().find(|outcome| outcome.peer == "redis");
        redis
            .or(self.outcomes.first())
            .map(|outcome| &outcome.figures)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_in_order_of_the_metrics() {
        assert!(
            METRICS
                .windows(2)
                .all(|pair| pair[0].metric < pair[1].metric)
        );
    }

    #[test]
    fn median_ignores_one_bad_round() {
        assert_eq!(median(vec![3.0, 1.0, 900.0]), Some(3.0));
        assert_eq!(median(vec![4.0, 2.0]), Some(3.0));
        assert_eq!(median(vec![]), None);
    }

    #[test]
    fn percentile_takes_a_value_that_was_measured() {
        let sorted: Vec<f64> = (1..=1000).map(f64::from).collect();
        assert_eq!(percentile(&sorted, 0.5), Some(500.0));
        assert_eq!(percentile(&sorted, 0.999), Some(999.0));
        assert_eq!(percentile(&sorted, 1.0), Some(1000.0));
        assert_eq!(percentile(&sorted[..1], 0.9999), Some(1.0));
        assert_eq!(percentile(&[], 0.5), None);
    }

    #[test]
    fn medians_are_taken_metric_by_metric() {
        let round = |cpu: f64| Figures::default().put(Metric::CpuPerOp, cpu).clone();
        let medians = Figures::median(&[round(1.0), round(5.0), round(2.0)]);
        assert_eq!(medians.value(Metric::CpuPerOp), Some(2.0));
        assert_eq!(medians.value(Metric::P50), None);
        assert_eq!(medians.ratio(&round(4.0), Metric::CpuPerOp), Some(0.5));
    }
}
