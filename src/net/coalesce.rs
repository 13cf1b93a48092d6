//! When to let several wake-ups become one.
//!
//! With keys on other shards and no pipelines, a core wakes for almost every message: a request,
//! the same request on its way to another core, the answer. Each wake-up costs more than the
//! command. Under such a load, and only then, the core lets the kernel collect events for a moment
//! before it wakes, as network cards moderate their interrupts. One client alone, or a few, or
//! pipelines, never meet this: it needs many clients, many wake-ups and few commands in each.
//!
//! Figures: see the architecture page.

/// How often the decision is made anew, in milliseconds.
const WINDOW_MS: i64 = 10;
/// Wake-ups in a window from which on they are worth being saved, and when some are saved already.
const TURNS_MIN: u32 = 150;
const TURNS_MIN_COLLECTING: u32 = 40;
/// Commands in a turn up to which it is a small one.
const COMMANDS_A_TURN_MAX: u64 = 24;
/// Clients that must have sent something in a window.
const CLIENTS_MIN: u32 = 12;
/// The share of turns that other cores caused, as one in so many.
const PARCELS_ONE_IN: u64 = 4;

/// What has happened since the decision was last made.
#[derive(Debug, Default)]
pub(super) struct Coalescing {
    since_ms: i64,
    turns: u32,
    parcels: u64,
    commands_before: u64,
    /// One bit for each client that sent something, by its number modulo 64.
    clients: u64,
    is_on: bool,
}

impl Coalescing {
    /// A client has sent something.
    #[inline]
    pub fn heard(&mut self, client: u32) {
        self.clients |= 1 << (client % u64::BITS);
    }

    /// Another core has sent something.
    #[inline]
    pub fn parcel(&mut self) {
        self.parcels += 1;
    }

    /// Counts a turn; says whether events are to be collected from now on.
    #[inline]
    pub fn turn(&mut self, now_ms: i64, commands: u64) -> bool {
        self.turns += 1;
        if now_ms - self.since_ms >= WINDOW_MS {
            self.decide(now_ms, commands);
        }
        self.is_on
    }

    fn decide(&mut self, now_ms: i64, commands: u64) {
        // A window that was idle for a while says nothing about now.
        let is_recent = now_ms - self.since_ms < 2 * WINDOW_MS;
        let ran = commands.saturating_sub(self.commands_before);
        let turns_min = match self.is_on {
            true => TURNS_MIN_COLLECTING,
            false => TURNS_MIN,
        };
        self.is_on = is_recent
            && self.turns >= turns_min
            && self.clients.count_ones() >= CLIENTS_MIN
            && self.parcels * PARCELS_ONE_IN >= u64::from(self.turns)
            && ran <= u64::from(self.turns) * COMMANDS_A_TURN_MAX;
        *self = Coalescing {
            since_ms: now_ms,
            commands_before: commands,
            is_on: self.is_on,
            ..Coalescing::default()
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays windows of the same kind; says whether events are collected after them.
    fn play(clients: u32, turns: u32, commands: u64, parcels_one_in: u32) -> bool {
        let mut coalescing = Coalescing::default();
        let (mut is_on, mut ran) = (false, 0);
        for window in 0..3 {
            for turn in 0..turns {
                coalescing.heard(turn % clients);
                if turn % parcels_one_in == 0 {
                    coalescing.parcel();
                }
                ran += commands;
                is_on = coalescing.turn(window * WINDOW_MS, ran);
            }
        }
        is_on
    }

    #[test]
    fn only_many_clients_with_many_small_turns_between_cores() {
        assert!(play(25, 300, 2, 2));
        assert!(!play(1, 300, 2, 2), "one client waits for nobody");
        assert!(!play(25, 20, 2, 2), "rare wake-ups are not worth it");
        assert!(!play(25, 300, 40, 2), "large turns are cheap already");
        assert!(
            !play(25, 300, 2, 100),
            "a core on its own wakes for its clients"
        );
    }
}
