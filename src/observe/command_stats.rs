//! What each command has cost: calls, time, rejections, failures, and the spread of its durations.
//!
//! INFO commandstats, INFO latencystats and LATENCY HISTOGRAM read it. Commands are numbered by
//! their row in the command table, which this part does not know; names come in when printing. As
//! with the counters, a core writes only its own table, with plain stores (three cells a call), and
//! CONFIG RESETSTAT is a base that readers subtract.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::counters::Count;
use super::histogram::{Durations, Histogram};

/// One command on one core.
#[repr(align(64))]
#[derive(Debug, Default)]
struct Row {
    calls: Count,
    nanos: Count,
    rejected: Count,
    failed: Count,
    durations: Histogram,
}

/// All commands on one core; only that core may record.
#[derive(Debug)]
pub struct CommandTable {
    rows: Box<[Row]>,
    /// latency-tracking; the one cell here that others write.
    is_tracking_latency: AtomicBool,
}

/// One command over all cores.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandTotals {
    pub calls: u64,
    pub nanos: u64,
    pub rejected_calls: u64,
    pub failed_calls: u64,
    pub durations: Durations,
}

/// The tables of all cores, shared by all cores.
#[derive(Clone, Debug)]
pub struct CommandBoard {
    cores: Arc<[CommandTable]>,
    /// Totals of each row at the last CONFIG RESETSTAT; empty before the first.
    base: Arc<Mutex<Vec<CommandTotals>>>,
}

impl CommandTable {
    fn new(rows: usize) -> CommandTable {
        let rows = (0..rows).map(|_| Row::default()).collect();
        CommandTable {
            rows,
            is_tracking_latency: AtomicBool::new(true),
        }
    }

    /// The command ran, and took so long.
    #[inline]
    pub fn ran(&self, row: usize, nanos: u64) {
        let row = &self.rows[row];
        row.calls.add(1);
        row.nanos.add(nanos);
        if self.is_tracking_latency.load(Relaxed) {
            row.durations.record(nanos);
        }
    }

    /// The command ran and replied with an error.
    pub fn failed(&self, row: usize) {
        self.rows[row].failed.add(1);
    }

    /// The command was refused before it ran.
    pub fn rejected(&self, row: usize) {
        self.rows[row].rejected.add(1);
    }
}

impl CommandTotals {
    /// Whether INFO commandstats has a line for it.
    pub fn is_used(&self) -> bool {
        self.calls + self.rejected_calls + self.failed_calls > 0
    }

    pub fn usec(&self) -> u64 {
        self.nanos / 1000
    }

    pub fn usec_per_call(&self) -> f64 {
        if self.calls == 0 {
            0.0
        } else {
            self.nanos as f64 / 1000.0 / self.calls as f64
        }
    }

    fn merge(&mut self, row: &Row) {
        self.calls += row.calls.value();
        self.nanos += row.nanos.value();
        self.rejected_calls += row.rejected.value();
        self.failed_calls += row.failed.value();
        self.durations.merge(&row.durations);
    }

    fn rebase(&mut self, base: &CommandTotals) {
        self.calls = self.calls.saturating_sub(base.calls);
        self.nanos = self.nanos.saturating_sub(base.nanos);
        self.rejected_calls = self.rejected_calls.saturating_sub(base.rejected_calls);
        self.failed_calls = self.failed_calls.saturating_sub(base.failed_calls);
        self.durations.rebase(&base.durations);
    }
}

impl CommandBoard {
    pub fn new(cores: usize, rows: usize) -> CommandBoard {
        let cores = (0..cores).map(|_| CommandTable::new(rows)).collect();
        CommandBoard {
            cores,
            base: Arc::default(),
        }
    }

    pub fn core(&self, core: usize) -> &CommandTable {
        &self.cores[core]
    }

    /// The directive latency-tracking.
    pub fn track_latency(&self, is_on: bool) {
        self.cores
            .iter()
            .for_each(|core| core.is_tracking_latency.store(is_on, Relaxed));
    }

    /// How many commands there are.
    pub fn rows(&self) -> usize {
        self.cores.first().map_or(0, |core| core.rows.len())
    }

    pub fn totals(&self, row: usize) -> CommandTotals {
        let mut totals = self.totals_since_start(row);
        if let Some(base) = self.base().get(row) {
            totals.rebase(base);
        }
        totals
    }

    /// CONFIG RESETSTAT.
    pub fn reset(&self) {
        let totals = (0..self.rows())
            .map(|row| self.totals_since_start(row))
            .collect();
        *self.base() = totals;
    }

    fn totals_since_start(&self, row: usize) -> CommandTotals {
        let mut totals = CommandTotals::default();
        self.cores
            .iter()
            .for_each(|core| totals.merge(&core.rows[row]));
        totals
    }

    fn base(&self) -> MutexGuard<'_, Vec<CommandTotals>> {
        self.base.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_are_added_up() {
        let board = CommandBoard::new(2, 3);
        for core in 0..2 {
            board.core(core).ran(1, 1500);
        }
        board.core(0).failed(1);
        board.core(1).rejected(2);
        let totals = board.totals(1);
        assert_eq!(
            (totals.calls, totals.usec(), totals.failed_calls),
            (2, 3, 1)
        );
        assert_eq!(totals.usec_per_call(), 1.5);
        assert_eq!(totals.durations.total(), 2);
        assert!(!board.totals(0).is_used());
        assert!(board.totals(2).is_used() && board.totals(2).usec_per_call() == 0.0);
    }

    #[test]
    fn tracking_can_be_turned_off() {
        let board = CommandBoard::new(1, 1);
        board.track_latency(false);
        board.core(0).ran(0, 1500);
        let totals = board.totals(0);
        assert_eq!((totals.calls, totals.durations.total()), (1, 0));
    }

    #[test]
    fn a_reset_starts_again_while_cores_go_on() {
        let board = CommandBoard::new(2, 2);
        board.core(0).ran(0, 9000);
        board.reset();
        assert_eq!(board.totals(0).calls, 0);
        assert!(!board.totals(0).is_used());
        board.core(1).ran(0, 2000);
        let totals = board.totals(0);
        assert_eq!(
            (totals.calls, totals.usec(), totals.durations.total()),
            (1, 2, 1)
        );
    }
}
