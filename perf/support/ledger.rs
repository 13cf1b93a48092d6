//! The results ledger: perf/results.tsv, one line per scenario and peer, kept in the repository.
//!
//! Tab-separated with a header, so that people, spreadsheets and `git diff` can read it. Columns
//! are found by name: when a metric is added, the file is rewritten once with the new header and
//! old lines keep empty fields.

use crate::support::figures::{Comparison, Figures, METRICS, Outcome};
use crate::support::machine::Setting;
use anyhow::{Context, Result};
use std::collections::HashMap;
use std::fs;
use std::path::Path;

/// The columns before the metrics.
const FIXED: [&str; 8] = [
    "date", "commit", "machine", "versions", "mode", "scenario", "peer", "rounds",
];

/// Lines of quick runs show that the tools work; their figures count for nothing.
pub const QUICK: &str = "quick";
pub const FULL: &str = "full";

#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    pub setting: Setting,
    pub mode: String,
    pub scenario: String,
    pub peer: String,
    pub rounds: usize,
    pub figures: Figures,
}

impl Line {
    fn new(setting: &Setting, mode: &str, scenario: &str, outcome: &Outcome) -> Line {
        Line {
            setting: setting.clone(),
            mode: mode.to_string(),
            scenario: scenario.to_string(),
            peer: outcome.peer.clone(),
            rounds: outcome.rounds,
            figures: outcome.figures.clone(),
        }
    }

    fn format(&self) -> String {
        let Setting {
            date,
            commit,
            machine,
            versions,
        } = &self.setting;
        let rounds = self.rounds.to_string();
        let fixed = [
            date,
            commit,
            machine,
            versions,
            &self.mode,
            &self.scenario,
            &self.peer,
            &rounds,
        ];
        let mut fields: Vec<String> = fixed.into_iter().map(|field| plain(field)).collect();
        fields.extend(
            METRICS
                .iter()
                .map(|row| match self.figures.value(row.metric) {
                    Some(value) => format!("{value:.4}"),
                    None => String::new(),
                }),
        );
        fields.join("\t")
    }

    fn parse(header: &[&str], line: &str) -> Line {
        let fields: HashMap<&str, &str> = header.iter().copied().zip(line.split('\t')).collect();
        let text = |name: &str| fields.get(name).copied().unwrap_or_default().to_string();
        let setting = Setting {
            date: text("date"),
            commit: text("commit"),
            machine: text("machine"),
            versions: text("versions"),
        };
        let mut figures = Figures::default();
        for row in &METRICS {
            if let Ok(value) = text(row.name).parse() {
                figures.put(row.metric, value);
            }
        }
        let (mode, scenario, peer) = (text("mode"), text("scenario"), text("peer"));
        let rounds = text("rounds").parse().unwrap_or(0);
        Line {
            setting,
            mode,
            scenario,
            peer,
            rounds,
            figures,
        }
    }
}

/// All lines of a ledger; none if there is no file yet.
pub fn read(path: &Path) -> Result<Vec<Line>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(parse(&text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// Adds the outcomes of a comparison.
pub fn append(path: &Path, setting: &Setting, mode: &str, comparison: &Comparison) -> Result<()> {
    let mut lines = read(path)?;
    let outcomes = comparison.outcomes.iter();
    lines.extend(outcomes.map(|outcome| Line::new(setting, mode, &comparison.scenario, outcome)));
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    // Whole and then renamed: a tool that is interrupted leaves the old ledger.
    let fresh = path.with_extension("tsv.new");
    fs::write(&fresh, format(&lines)).with_context(|| format!("cannot write {fresh:?}"))?;
    fs::rename(&fresh, path).with_context(|| format!("cannot write {}", path.display()))
}

/// The last full run of each scenario, and where it was, in the order in which scenarios first
/// appear.
pub fn latest(lines: &[Line]) -> Vec<(&Setting, Comparison)> {
    let mut comparisons: Vec<(&Setting, Comparison)> = Vec::new();
    for line in lines.iter().filter(|line| line.mode == FULL) {
        let known = comparisons
            .iter()
            .position(|(_, known)| known.scenario == line.scenario);
        let at = known.unwrap_or_else(|| {
            let scenario = line.scenario.clone();
            comparisons.push((
                &line.setting,
                Comparison {
                    scenario,
                    outcomes: Vec::new(),
                },
            ));
            comparisons.len() - 1
        });
        let (setting, comparison) = &mut comparisons[at];
        if setting.date != line.setting.date {
            *setting = &line.setting;
            comparison.outcomes.clear();
        }
        let (peer, rounds, figures) = (line.peer.clone(), line.rounds, line.figures.clone());
        comparison.outcomes.push(Outcome {
            peer,
            rounds,
            figures,
        });
    }
    comparisons
}

fn parse(text: &str) -> Vec<Line> {
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap_or_default().split('\t').collect();
    lines.map(|line| Line::parse(&header, line)).collect()
}

fn format(lines: &[Line]) -> String {
    let metrics = METRICS.iter().map(|row| row.name);
    let header: Vec<&str> = FIXED.into_iter().chain(metrics).collect();
    let mut text = header.join("\t") + "\n";
    for line in lines {
        text.push_str(&line.format());
        text.push('\n');
    }
    text
}

fn plain(field: &str) -> String {
    field.replace(['\t', '\n'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::figures::Metric;

    fn line(date: &str, mode: &str, scenario: &str, cpu: f64) -> Line {
        let setting = Setting {
            date: date.into(),
            commit: "c0ffee".into(),
            machine: "m".into(),
            versions: "v".into(),
        };
        let figures = Figures::default().put(Metric::CpuPerOp, cpu).clone();
        let (scenario, peer) = (scenario.to_string(), "redis".to_string());
        Line {
            setting,
            mode: mode.into(),
            scenario,
            peer,
            rounds: 5,
            figures,
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let lines = [
            line("d1", FULL, "ping", 0.25),
            line("d2", QUICK, "incr", 7.5),
        ];
        assert_eq!(parse(&format(&lines)), lines);
    }

    #[test]
    fn columns_are_found_by_name() {
        let lines = parse("peer\tcpu_us_per_op\tgone\tmode\nredis\t1.5\t9\tfull\n");
        assert_eq!(lines[0].peer, "redis");
        assert_eq!(
            lines[0].figures,
            Figures::default().put(Metric::CpuPerOp, 1.5).clone()
        );
    }

    #[test]
    fn latest_takes_the_last_full_run_of_each_scenario() {
        let lines = [
            line("d1", FULL, "ping", 1.0),
            line("d1", FULL, "incr", 2.0),
            line("d2", FULL, "ping", 3.0),
            line("d3", QUICK, "ping", 4.0),
        ];
        let latest = latest(&lines);
        let names: Vec<&str> = latest.iter().map(|(_, one)| &*one.scenario).collect();
        assert_eq!(names, ["ping", "incr"]);
        let dates: Vec<&str> = latest.iter().map(|(setting, _)| &*setting.date).collect();
        assert_eq!(dates, ["d2", "d1"]);
        assert_eq!(latest[0].1.outcomes.len(), 1);
        assert_eq!(
            latest[0].1.outcomes[0].figures.value(Metric::CpuPerOp),
            Some(3.0)
        );
    }
}
