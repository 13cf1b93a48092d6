//! The plain comparison: busy clients on each server in turn, medians over the rounds.
//!
//! All servers are up and loaded from the start, and all but the one being measured are stopped by
//! signal, so that each measurement has the cores to itself and its generator.

use crate::bout;
use crate::rig::{Rig, progress};
use crate::support::benchmark::Load;
use crate::support::figures::{Comparison, Figures, Outcome};
use crate::support::scenario::Scenario;
use crate::support::server::Server;
use anyhow::Result;

/// The first of how many parts of a round is run beforehand, uncounted.
const WARM_UP: u64 = 5;

pub fn compare(rig: &mut Rig, scenario: &Scenario) -> Result<Comparison> {
    let peers = rig.peers(scenario)?;
    let bar = progress(peers.len() * (scenario.rounds + 1));
    let load = scenario.load();
    let mut servers = Vec::new();
    for peer in peers {
        let server = rig.start(peer, scenario, &bar)?;
        server.pause()?;
        servers.push((server, Vec::new()));
    }
    let first = &servers[0].0;
    let requests = alone(first, || requests(scenario, &load, first))?;
    for (server, _) in &servers {
        bar.set_message(format!(
            "{}: warming up {}",
            scenario.name,
            server.peer.label()
        ));
        alone(server, || {
            prepare(scenario, &load, server, requests.div_ceil(WARM_UP))?;
            load.run(server.port, requests.div_ceil(WARM_UP))
        })?;
        bar.inc(1);
    }
    for _ in 0..scenario.rounds {
        for (server, rounds) in &mut servers {
            bar.set_message(format!("{}: {}", scenario.name, server.peer.label()));
            rounds.push(alone(server, || {
                prepare(scenario, &load, server, requests)?;
                bout::run(server, &load, requests)
            })?);
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    let outcomes = servers
        .iter()
        .map(|(server, rounds)| outcome(server, rounds))
        .collect();
    Ok(Comparison {
        scenario: scenario.name.clone(),
        outcomes,
    })
}

/// Does what a scenario wants done before its round of so many requests.
pub fn prepare(scenario: &Scenario, load: &Load, server: &Server, requests: u64) -> Result<()> {
    let Some(prepare) = &scenario.prepare else {
        return Ok(());
    };
    let before = Load {
        test: Some(prepare.test.clone()),
        command: Vec::new(),
        pipeline: 16,
        ..load.clone()
    };
    before.run(server.port, prepare.requests.unwrap_or(requests))?;
    Ok(())
}

/// The length of a round in requests: given, or from how fast this server is.
pub fn requests(scenario: &Scenario, load: &Load, server: &Server) -> Result<u64> {
    if let Some(requests) = scenario.requests {
        return Ok(requests);
    }
    let seconds = scenario
        .seconds
        .expect("a checked scenario has requests or seconds");
    Ok((bout::rate(server, load)? * seconds) as u64)
}

/// Runs something on a server that is otherwise stopped.
fn alone<T>(server: &Server, run: impl FnOnce() -> Result<T>) -> Result<T> {
    server.resume()?;
    let result = run()?;
    server.pause()?;
    Ok(result)
}

pub fn outcome(server: &Server, rounds: &[Figures]) -> Outcome {
    let (peer, figures) = (server.peer.label(), Figures::median(rounds));
    Outcome {
        peer,
        rounds: rounds.len(),
        figures,
    }
}
