//! Stacks in folded form: `thread;outer;inner 42`, one line per distinct stack.
//!
//! Folding and drawing are done by inferno; what is ours is dividing them by thread and counting
//! the time that is spent in a symbol itself.

use anyhow::{Context, Result, ensure};
use inferno::collapse::Collapse;
use inferno::collapse::perf::{Folder, Options};
use inferno::flamegraph;
use std::collections::BTreeMap;
use std::io::Write;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stacks(Vec<Stack>);

#[derive(Clone, Debug, PartialEq)]
struct Stack {
    /// Thread first, innermost frame last.
    frames: String,
    samples: u64,
}

impl Stacks {
    /// From what `perf script` prints.
    pub fn fold(script: &[u8]) -> Result<Stacks> {
        let mut folded = Vec::new();
        let mut folder = Folder::from(Options::default());
        folder
            .collapse(script, &mut folded)
            .context("cannot fold what perf printed")?;
        let stacks = Stacks::parse(&String::from_utf8_lossy(&folded));
        ensure!(stacks.samples() > 0, "perf took no samples");
        Ok(stacks)
    }

    fn parse(folded: &str) -> Stacks {
        let stack = |line: &str| {
            let (frames, samples) = line.rsplit_once(' ')?;
            Some(Stack {
                frames: frames.to_string(),
                samples: samples.parse().ok()?,
            })
        };
        Stacks(folded.lines().filter_map(stack).collect())
    }

    pub fn samples(&self) -> u64 {
        self.0.iter().map(|stack| stack.samples).sum()
    }

    /// The stacks of each thread, by name.
    pub fn threads(&self) -> Vec<(String, Stacks)> {
        let mut threads: BTreeMap<String, Stacks> = BTreeMap::new();
        for stack in &self.0 {
            threads
                .entry(stack.thread().to_string())
                .or_default()
                .0
                .push(stack.clone());
        }
        threads.into_iter().collect()
    }

    /// The symbols with the most samples of their own, with percent of all samples.
    pub fn top_symbols(&self, count: usize) -> Vec<(String, f64)> {
        let mut samples: BTreeMap<&str, u64> = BTreeMap::new();
        for stack in &self.0 {
            *samples.entry(stack.symbol()).or_default() += stack.samples;
        }
        let mut symbols: Vec<(&str, u64)> = samples.into_iter().collect();
        symbols.sort_by_key(|&(_, samples)| std::cmp::Reverse(samples));
        symbols.truncate(count);
        let share = |(symbol, samples): (&str, u64)| (symbol.to_string(), self.percent(samples));
        symbols.into_iter().map(share).collect()
    }

    /// Percent of these stacks' samples that fall into the symbol itself.
    pub fn self_share(&self, symbol: &str) -> f64 {
        let own = self.0.iter().filter(|stack| stack.symbol() == symbol);
        self.percent(own.map(|stack| stack.samples).sum())
    }

    /// Writes a flame graph.
    pub fn draw(&self, title: &str, out: impl Write) -> Result<()> {
        let mut options = flamegraph::Options::default();
        options.title = title.to_string();
        let lines: Vec<String> = self
            .0
            .iter()
            .map(|stack| format!("{} {}", stack.frames, stack.samples))
            .collect();
        let lines = lines.iter().map(String::as_str);
        flamegraph::from_lines(&mut options, lines, out).context("cannot draw a flame graph")
    }

    fn percent(&self, samples: u64) -> f64 {
        100.0 * samples as f64 / self.samples().max(1) as f64
    }
}

impl Stack {
    fn thread(&self) -> &str {
        self.frames.split(';').next().unwrap_or_default()
    }

    fn symbol(&self) -> &str {
        self.frames.rsplit(';').next().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOLDED: &str =
        "shard-0;main;parse 6\nshard-0;main;send;copy 2\nshard-1;main;parse 1\nshard-1;main 1\n";

    #[test]
    fn threads_are_told_apart() {
        let threads = Stacks::parse(FOLDED).threads();
        let counts: Vec<(&str, u64)> = threads
            .iter()
            .map(|(name, stacks)| (name.as_str(), stacks.samples()))
            .collect();
        assert_eq!(counts, [("shard-0", 8), ("shard-1", 2)]);
    }

    #[test]
    fn time_counts_for_the_innermost_symbol() {
        let stacks = Stacks::parse(FOLDED);
        let top = stacks.top_symbols(2);
        assert_eq!(
            top,
            [("parse".to_string(), 70.0), ("copy".to_string(), 20.0)]
        );
        assert_eq!(stacks.threads()[1].1.self_share("main"), 50.0);
        assert_eq!(stacks.self_share("absent"), 0.0);
    }

    #[test]
    fn what_perf_prints_is_folded_by_thread() {
        let script = b"shard-0 71/72  2308.1: cpu-clock: \n\
            \tffff8202302d inner (/bin/x)\n\tffff8202302e outer (/bin/x)\n\n";
        let stacks = Stacks::fold(script).expect("well-formed");
        assert_eq!(stacks, Stacks::parse("shard-0;outer;inner 1"));
        assert!(Stacks::fold(b"").is_err());
    }
}
