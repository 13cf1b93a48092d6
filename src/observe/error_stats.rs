//! How often each kind of error was replied: the section errorstats of INFO.
//!
//! A kind is the first word of the error. Scripts can invent words, so Redis keeps at most 128 and
//! gives up when one more comes: it logs the words it had, forgets them, shows the single kind
//! ERRORSTATS_DISABLED and counts no kinds any more until CONFIG RESETSTAT. Each core has its own
//! map behind its own lock, which only a reader ever contends for; the set of all words is shared
//! and is looked at when a core meets a word for the first time. Total errors are in `counters`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Redis: ERROR_STATS_NUMBER.
const KINDS_MAX: usize = 128;

const DISABLED: &[u8] = b"ERRORSTATS_DISABLED";

/// Redis looks for the end of the word in the first 32 bytes, the dash being one of them.
const WORD_BYTES_MAX: usize = 31;

type Counts = BTreeMap<Box<[u8]>, u64>;

#[derive(Clone, Debug)]
pub struct ErrorStats {
    cores: Arc<[Core]>,
    known: Arc<Mutex<Known>>,
}

#[repr(align(128))]
#[derive(Debug, Default)]
struct Core(Mutex<Counts>);

#[derive(Debug, Default)]
struct Known {
    words: BTreeSet<Box<[u8]>>,
    is_disabled: bool,
}

impl ErrorStats {
    pub fn new(cores: usize) -> ErrorStats {
        let cores = (0..cores).map(|_| Core::default()).collect();
        ErrorStats {
            cores,
            known: Arc::default(),
        }
    }

    /// Counts an error reply; `text` is what follows the dash.
    pub fn record(&self, core: usize, text: &[u8]) {
        let word = first_word(text);
        if let Some(count) = locked(&self.cores[core].0).get_mut(word) {
            *count += 1;
            return;
        }
        self.record_new(core, word);
    }

    /// Every kind with its count, by name.
    pub fn counts(&self) -> BTreeMap<Box<[u8]>, u64> {
        let known = locked(&self.known);
        if known.is_disabled {
            return BTreeMap::from([(DISABLED.into(), 1)]);
        }
        let mut all = Counts::new();
        for core in self.cores.iter() {
            for (word, count) in locked(&core.0).iter() {
                *all.entry(word.clone()).or_default() += count;
            }
        }
        all
    }

    /// CONFIG RESETSTAT.
    pub fn reset(&self) {
        let mut known = locked(&self.known);
        *known = Known::default();
        self.forget_counts();
    }

    // Locks are taken in one order: the shared set, then a core.
    fn record_new(&self, core: usize, word: &[u8]) {
        let mut known = locked(&self.known);
        if known.is_disabled {
            return;
        }
        if !known.words.contains(word) {
            if known.words.len() == KINDS_MAX {
                return self.disable(&mut known);
            }
            known.words.insert(word.into());
        }
        *locked(&self.cores[core].0).entry(word.into()).or_default() += 1;
    }

    fn disable(&self, known: &mut Known) {
        let words: Vec<_> = known
            .words
            .iter()
            .map(|word| String::from_utf8_lossy(word))
            .collect();
        tracing::warn!(
            "Errorstats stopped adding new errors because the number of errors reached the limit \
             (current value is {KINDS_MAX})."
        );
        tracing::warn!("Current errors code list: {}", words.join(", "));
        *known = Known {
            words: BTreeSet::new(),
            is_disabled: true,
        };
        self.forget_counts();
    }

    fn forget_counts(&self) {
        self.cores.iter().for_each(|core| locked(&core.0).clear());
    }
}

fn first_word(text: &[u8]) -> &[u8] {
    let head = &text[..text.len().min(WORD_BYTES_MAX)];
    // Redis counts an error without a recognizable word as ERR.
    head.iter()
        .position(|byte| *byte == b' ')
        .map_or(b"ERR", |end| &head[..end])
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(stats: &ErrorStats) -> Vec<(String, u64)> {
        let text = |word: &[u8]| String::from_utf8(word.to_vec()).unwrap();
        stats
            .counts()
            .iter()
            .map(|(word, count)| (text(word), *count))
            .collect()
    }

    #[test]
    fn the_first_word_is_the_kind() {
        let stats = ErrorStats::new(2);
        stats.record(0, b"WRONGTYPE Operation against a key");
        stats.record(1, b"WRONGTYPE Operation against a key");
        stats.record(1, b"ERR unknown command");
        stats.record(1, b"short");
        stats.record(1, b"A23456789_123456789_123456789_1 too long");
        stats.record(0, b"A23456789_123456789_123456789_ fits");
        let longest = "A23456789_123456789_123456789_".to_string();
        let wanted = [(longest, 1), ("ERR".into(), 3), ("WRONGTYPE".into(), 2)];
        assert_eq!(shown(&stats), wanted);
    }

    #[test]
    fn one_kind_too_many_disables_all_until_reset() {
        let stats = ErrorStats::new(2);
        for kind in 0..KINDS_MAX {
            stats.record(kind % 2, format!("K{kind} x").as_bytes());
        }
        assert_eq!(stats.counts().len(), KINDS_MAX);
        stats.record(0, b"K1 known to the other core only");
        assert_eq!(stats.counts().len(), KINDS_MAX);
        stats.record(0, b"ONEMORE x");
        assert_eq!(shown(&stats), [("ERRORSTATS_DISABLED".to_string(), 1)]);
        stats.record(1, b"K1 x");
        assert_eq!(shown(&stats), [("ERRORSTATS_DISABLED".to_string(), 1)]);
        stats.reset();
        stats.record(1, b"K1 x");
        assert_eq!(shown(&stats), [("K1".to_string(), 1)]);
    }
}
