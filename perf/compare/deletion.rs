//! Latency while a big value goes: does anybody wait while millions of fields are given back?
//!
//! A hash is filled, and deleted; it is filled again, and expires. A probe on another key runs from
//! before each end until memory has settled. Filling is not measured; what the probe sees without
//! any load is the machine.

use crate::growth::{control, worst_of};
use crate::probe::{beside, probe};
use crate::rig::{Rig, progress};
use crate::support::figures::{Comparison, Figures};
use crate::support::peer::Peer;
use crate::support::scenario::Scenario;
use crate::support::server::Server;
use crate::support::wire::{Connection, push_request};
use anyhow::{Context, Result, ensure};

pub const KEY: &[u8] = b"big";
/// Fields of one HSET, and how many of these are on their way at once.
const FIELDS: u64 = 100;
const PIPELINE: u64 = 10;

pub fn compare(rig: &mut Rig, scenario: &Scenario) -> Result<Comparison> {
    let fields = scenario.keys.expect("a checked scenario has a number");
    let peers = rig.peers(scenario)?;
    let bar = progress(peers.len() * scenario.rounds);
    let mut rounds: Vec<(Peer, [Vec<Figures>; 3])> = peers
        .into_iter()
        .map(|peer| (peer, <[Vec<Figures>; 3]>::default()))
        .collect();
    for _ in 0..scenario.rounds {
        for (peer, [controls, deletions, expiries]) in &mut rounds {
            let server = rig.start(*peer, scenario, &bar)?;
            bar.set_message(format!("{}: {}", scenario.name, peer.label()));
            controls.push(control(&server)?);
            fill(server.port, fields)?;
            deletions.push(ending(&server, &[b"DEL", KEY])?);
            fill(server.port, fields)?;
            expiries.push(ending(&server, &[b"PEXPIRE", KEY, b"20"])?);
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    let outcomes = rounds.iter().flat_map(|(peer, rounds)| {
        let label = peer.label();
        let named = |name: &str| format!("{label} {name}");
        let [controls, deletions, expiries] = rounds;
        [
            worst_of(&label, deletions),
            worst_of(&named("expiry"), expiries),
            worst_of(&named("unloaded"), controls),
        ]
    });
    Ok(Comparison {
        scenario: scenario.name.clone(),
        outcomes: outcomes.collect(),
    })
}

/// The probe's figures while a command makes an end of the hash.
fn ending(server: &Server, command: &[&[u8]]) -> Result<Figures> {
    let work = || end(server, command).context("while the hash goes");
    let (figures, ()) = beside(|more| probe(server, more), work)?;
    Ok(figures)
}

fn end(server: &Server, command: &[&[u8]]) -> Result<()> {
    // The probe is in step before anything happens, and stays until nothing more is given back.
    server.settled_rss_bytes()?;
    let mut connection = Connection::open(server.port)?;
    let reply = connection.call(command)?;
    ensure!(reply == "1", "{command:?} answers {reply:?}");
    server.settled_rss_bytes()?;
    let left = connection.call(&[b"EXISTS", KEY])?;
    ensure!(left == "0", "the hash is still there");
    Ok(())
}

/// Fills the hash with so many fields.
pub fn fill(port: u16, fields: u64) -> Result<()> {
    let mut connection = Connection::open(port)?;
    let mut requests = Vec::new();
    for first in (0..fields).step_by((FIELDS * PIPELINE) as usize) {
        requests.clear();
        let last = fields.min(first + FIELDS * PIPELINE);
        for from in (first..last).step_by(FIELDS as usize) {
            push_hset(&mut requests, from, last.min(from + FIELDS));
        }
        connection.send(&requests)?;
        for _ in (first..last).step_by(FIELDS as usize) {
            connection.reply().context("while filling the hash")?;
        }
    }
    let len = connection.call(&[b"HLEN", KEY])?;
    ensure!(len == fields.to_string(), "{len} of {fields} fields");
    Ok(())
}

/// The name of a field of the hash.
pub fn field(number: u64) -> String {
    format!("field:{number:010}")
}

fn push_hset(requests: &mut Vec<u8>, from: u64, to: u64) {
    let fields: Vec<String> = (from..to).map(field).collect();
    let mut words: Vec<&[u8]> = vec![b"HSET", KEY];
    words.extend(
        fields
            .iter()
            .flat_map(|field| [field.as_bytes(), &[b'x'; 16]]),
    );
    push_request(requests, &words);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_the_hash_is_one_request() {
        let mut requests = Vec::new();
        push_hset(&mut requests, 5, 7);
        let text = String::from_utf8(requests).expect("ASCII");
        assert!(text.starts_with("*6\r\n$4\r\nHSET\r\n$3\r\nbig\r\n$16\r\nfield:0000000005\r\n"));
    }
}
