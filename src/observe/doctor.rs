//! LATENCY DOCTOR: reads the latency monitor and says in prose what it means.
//!
//! The words are those of Redis (7.0 and 7.2 agree), because people know them and tools show them.
//! Facts that this part cannot know, such as the directives, come in as `Circumstances`. The
//! sentences of advice are in `advice`.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::advice::{Advice, CAUSES};
use super::latency::{LatencyMonitor, Series};

/// What the diagnosis depends on beside the samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Circumstances {
    pub now_seconds: u64,
    pub slowlog_slower_than_us: i64,
    /// appendfsync always.
    pub is_fsync_always: bool,
    pub hz: u64,
    pub huge_page_bytes: u64,
}

/// A series in figures.
#[derive(Debug, PartialEq, Eq)]
struct Analysis {
    samples: u64,
    average_ms: u64,
    mean_deviation_ms: u64,
    period_seconds: u64,
}

pub fn report(monitor: &LatencyMonitor, now: &Circumstances) -> String {
    let events = monitor.all();
    let threshold_ms = monitor.threshold_ms();
    if events.is_empty() && threshold_ms == 0 {
        return DISABLED.to_owned();
    }
    let mut text = String::new();
    let mut advice = BTreeSet::new();
    for (number, (event, series)) in (1..).zip(&events) {
        if number == 1 {
            text.push_str(OBSERVED);
        }
        text.push_str(&line(number, event, series, now.now_seconds));
        advice.extend(advice_on(event, now, threshold_ms));
    }
    if now.huge_page_bytes > 0 {
        advice.insert(Advice::DisableHugePages);
    }
    match (events.is_empty(), advice.is_empty()) {
        (true, true) => text.push_str(HEALTHY),
        (false, true) => text.push_str(HELPLESS),
        _ => text.push_str(&advice_text(&advice, now, threshold_ms)),
    }
    text
}

fn line(number: usize, event: &str, series: &Series, now_seconds: u64) -> String {
    let analysis = analysis(series, now_seconds);
    let period = analysis.period_seconds as f64 / analysis.samples as f64;
    format!(
        "{number}. {event}: {} latency spikes (average {}ms, mean deviation {}ms, \
         period {period:.2} sec). Worst all time event {}ms.\n",
        analysis.samples, analysis.average_ms, analysis.mean_deviation_ms, series.worst_ms,
    )
}

fn analysis(series: &Series, now_seconds: u64) -> Analysis {
    let samples = series.samples.len().max(1) as u64;
    let mean = |values: &mut dyn Iterator<Item = u64>| values.sum::<u64>() / samples;
    let average_ms = mean(&mut series.samples.iter().map(|sample| sample.latency_ms));
    let deviations = series
        .samples
        .iter()
        .map(|sample| sample.latency_ms.abs_diff(average_ms));
    let mean_deviation_ms = mean(&mut { deviations });
    let oldest = series
        .samples
        .iter()
        .map(|sample| sample.unix_seconds)
        .min();
    let period_seconds = now_seconds
        .saturating_sub(oldest.unwrap_or(now_seconds))
        .max(1);
    Analysis {
        samples,
        average_ms,
        mean_deviation_ms,
        period_seconds,
    }
}

fn advice_on(event: &str, now: &Circumstances, threshold_ms: u64) -> Vec<Advice> {
    let causes = CAUSES
        .iter()
        .filter(|(cause, _)| cause.eq_ignore_ascii_case(event));
    let mut advice: Vec<_> = causes.flat_map(|(_, advice)| *advice).copied().collect();
    if event.eq_ignore_ascii_case("command") {
        match u64::try_from(now.slowlog_slower_than_us) {
            Err(_) => advice.push(Advice::EnableSlowlog),
            Ok(us) if us / 1000 > threshold_ms => advice.push(Advice::TuneSlowlog),
            Ok(_) => {}
        }
    }
    advice
}

fn advice_text(advice: &BTreeSet<Advice>, now: &Circumstances, threshold_ms: u64) -> String {
    let mut text = String::from(ADVISING);
    for advice in advice {
        // Redis: these two count as advice even where they turn out not to apply.
        let applies = match advice {
            Advice::RelaxFsync => now.is_fsync_always,
            Advice::RaiseHz => now.hz < 100,
            _ => true,
        };
        if applies {
            let words = advice
                .text()
                .replace("{us}", &(threshold_ms * 1000).to_string());
            write!(text, "{words}").expect("writing to a string cannot fail");
        }
    }
    text
}

const DISABLED: &str = "I'm sorry, Dave, I can't do that. Latency monitoring is disabled in this \
    Redis instance. You may use \"CONFIG SET latency-monitor-threshold <milliseconds>.\" in order \
    to enable it. If we weren't in a deep space mission I'd suggest to take a look at \
    https://redis.io/topics/latency-monitor.\n";

const OBSERVED: &str = "Dave, I have observed latency spikes in this Redis instance. You don't \
    mind talking about it, do you Dave?\n\n";

const HEALTHY: &str = "Dave, no latency spike was observed during the lifetime of this Redis \
    instance, not in the slightest bit. I honestly think you ought to sit down calmly, take a \
    stress pill, and think things over.\n";

const HELPLESS: &str = "\nWhile there are latency events logged, I'm not able to suggest any easy \
    fix. Please use the Redis community to get some help, providing this report in your help \
    request.\n";

const ADVISING: &str = "\nI have a few advices for you:\n\n";

#[cfg(test)]
mod tests {
    use super::*;

    fn circumstances(now_seconds: u64) -> Circumstances {
        Circumstances {
            now_seconds,
            slowlog_slower_than_us: 10_000,
            is_fsync_always: false,
            hz: 10,
            huge_page_bytes: 0,
        }
    }

    #[test]
    fn nothing_to_say() {
        let monitor = LatencyMonitor::new(0);
        assert_eq!(report(&monitor, &circumstances(9)), DISABLED);
        monitor.set_threshold_ms(1);
        assert_eq!(report(&monitor, &circumstances(9)), HEALTHY);
        monitor.add("module-acquire-gil", 5, 3);
        assert!(report(&monitor, &circumstances(9)).ends_with(HELPLESS));
    }

    #[test]
    fn spikes_of_commands_as_redis_describes_them() {
        // The same samples on Redis 7.0.15 gave these figures and these three advices.
        let monitor = LatencyMonitor::new(1);
        for (now, ms) in [(640, 39), (641, 50), (643, 100), (644, 30)] {
            monitor.add("command", ms, now);
        }
        let text = report(&monitor, &circumstances(645));
        let figures = "1. command: 4 latency spikes (average 54ms, mean deviation 22ms, \
                       period 1.25 sec). Worst all time event 100ms.\n";
        let tune = "Please use 'CONFIG SET slowlog-log-slower-than 1000'.\n- Check your Slow Log";
        assert!(
            text.starts_with(&format!("{OBSERVED}{figures}{ADVISING}- Your current")),
            "{text}"
        );
        assert!(text.contains(tune), "{text}");
        assert_eq!(text.matches("\n- ").count(), 3, "{text}");
        assert!(text.ends_with("multiple smaller objects.\n"), "{text}");
    }

    #[test]
    fn a_slow_log_that_is_off_is_to_be_turned_on() {
        let monitor = LatencyMonitor::new(100);
        monitor.add("command", 200, 1);
        let now = Circumstances {
            slowlog_slower_than_us: -1,
            ..circumstances(2)
        };
        let text = report(&monitor, &now);
        assert!(text.contains("using the command 'CONFIG SET slowlog-log-slower-than 100000'"));
        assert!(!text.contains("Your current Slow Log"));
    }

    #[test]
    fn advice_on_hz_and_fsync_only_where_it_helps() {
        let monitor = LatencyMonitor::new(1);
        monitor.add("aof-fsync-always", 5, 1);
        assert!(report(&monitor, &circumstances(2)).ends_with(ADVISING));
        let now = Circumstances {
            is_fsync_always: true,
            ..circumstances(2)
        };
        assert!(report(&monitor, &now).ends_with("to 'onesec'.\n"));
        monitor.add("expire-cycle", 5, 1);
        assert!(report(&monitor, &now).contains("'CONFIG SET hz 100'"));
        assert!(!report(&monitor, &Circumstances { hz: 100, ..now }).contains("hz"));
    }

    #[test]
    fn huge_pages_are_mentioned_without_any_event() {
        let now = Circumstances {
            huge_page_bytes: 2 << 20,
            ..circumstances(1)
        };
        let text = report(&LatencyMonitor::new(1), &now);
        assert!(text.starts_with("\nI have a few advices for you:\n\n- I detected a non zero"));
    }

    #[test]
    fn no_advice_contains_a_stray_mark() {
        for (_, advice) in CAUSES {
            for advice in *advice {
                let text = advice.text();
                assert!(text.starts_with("- ") && text.ends_with('\n') && !text.contains("  -"));
            }
        }
        assert!(
            Advice::FreeProcessor
                .text()
                .contains("should try to:\n  1) Lower")
        );
    }
}
