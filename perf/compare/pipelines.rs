//! Clients that send without an end: how long do others wait beside them?
//!
//! Each overwrites keys in one pipeline that goes on and on, as mass insertion does, and reads
//! replies as they come. A probe sends a GET now and again, first beside nothing, then beside them.
//! What they cost is the server's CPU for one of their commands.

use crate::bgsave::{Parts, Traffic, in_parts, value_of};
use crate::growth::control;
use crate::probe::{beside, probe_every};
use crate::rig::Rig;
use crate::support::figures::{Comparison, Figures, Metric};
use crate::support::scenario::{Preload, Scenario};
use crate::support::server::Server;
use crate::support::wire::push_request;
use anyhow::{Context, Result, anyhow, ensure};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

/// Longer than a GET waits, or those behind it queue.
const INTERVAL: Duration = Duration::from_millis(20);
/// How long they send before anything is measured: sockets grow with what they carry.
const WARM_UP: Duration = Duration::from_secs(1);
/// Requests that are sent again and again, about three megabytes.
const REQUESTS: u64 = 1 << 16;
/// Far apart and without a common factor with round numbers of keys.
const STRIDE: u64 = 611_953;
const REPLY: &[u8] = b"+OK\r\n";

pub fn compare(rig: &mut Rig, scenario: &Scenario) -> Result<Comparison> {
    in_parts(rig, scenario, |_, _, server| {
        round(server, scenario).with_context(|| server.last_words())
    })
}

fn round(server: &Server, scenario: &Scenario) -> Result<Parts<2>> {
    let alone = control(server)?;
    let preload = scenario.preload.expect("a checked scenario has keys");
    let traffic = Traffic::default();
    let figures = thread::scope(|scope| {
        let send = |number: u32| {
            let (port, traffic) = (server.port, &traffic);
            scope.spawn(move || pipeline(port, &requests(number, preload), traffic))
        };
        let pipelines: Vec<_> = (0..scenario.clients).map(send).collect();
        let seconds = scenario.seconds.expect("a checked scenario has a time");
        let figures = watch(server, &traffic, Duration::from_secs_f64(seconds));
        traffic.is_over.store(true, Relaxed);
        for pipeline in pipelines {
            pipeline
                .join()
                .map_err(|_| anyhow!("a pipeline panicked"))??;
        }
        figures
    })?;
    Ok([("", figures), (" alone", alone)])
}

fn watch(server: &Server, traffic: &Traffic, time: Duration) -> Result<Figures> {
    thread::sleep(WARM_UP);
    let (start, first, cpu) = (Instant::now(), written(traffic), server.cpu()?);
    let wait = || {
        thread::sleep(time);
        Ok(())
    };
    let probe = |more: &dyn Fn() -> bool| probe_every(server, INTERVAL, more);
    let (mut figures, ()) = beside(probe, wait)?;
    let spent = cpu.until(&server.cpu()?);
    let commands = written(traffic) - first;
    ensure!(commands > 0.0, "nothing was answered");
    figures
        .put(Metric::Throughput, commands / start.elapsed().as_secs_f64())
        .put(Metric::CpuPerOp, spent.total_us() / commands);
    Ok(figures)
}

fn written(traffic: &Traffic) -> f64 {
    traffic.written.load(Relaxed) as f64
}

fn requests(number: u32, preload: Preload) -> Vec<u8> {
    let mut requests = Vec::new();
    for at in 0..REQUESTS {
        let key = (at + u64::from(number) * REQUESTS).wrapping_mul(STRIDE) % preload.keys;
        let name = format!("key:{key:012}");
        let value = value_of(key, b'p', preload.value_bytes);
        push_request(&mut requests, &[b"SET", name.as_bytes(), &value]);
    }
    requests
}

/// Sends until it is over, then waits for the last reply.
fn pipeline(port: u16, requests: &[u8], traffic: &Traffic) -> Result<()> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    let mut replies = stream.try_clone()?;
    thread::scope(|scope| {
        let reader = scope.spawn(move || count(&mut replies, traffic));
        while !traffic.is_over.load(Relaxed) {
            stream.write_all(requests).context("a pipeline broke")?;
        }
        stream.shutdown(Shutdown::Write)?;
        reader.join().map_err(|_| anyhow!("a reader panicked"))?
    })
}

/// Counts replies to the end of the stream.
fn count(stream: &mut impl Read, traffic: &Traffic) -> Result<()> {
    let mut buffer = vec![0; 256 * 1024];
    let mut bytes = 0;
    loop {
        let got = stream.read(&mut buffer)?;
        if got == 0 {
            break;
        }
        let shift = bytes % REPLY.len();
        let is_ok = |(at, byte): (usize, &u8)| *byte == REPLY[(shift + at) % REPLY.len()];
        ensure!(
            buffer[..got].iter().enumerate().all(is_ok),
            "a SET was refused"
        );
        bytes += got;
        let whole = bytes / REPLY.len() - (bytes - got) / REPLY.len();
        traffic.written.fetch_add(whole as u64, Relaxed);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_counted_however_they_are_cut_and_refusals_noticed() {
        struct Drops<'a>(&'a [u8]);
        impl Read for Drops<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
                let len = self.0.len().min(7);
                buffer[..len].copy_from_slice(&self.0[..len]);
                self.0 = &self.0[len..];
                Ok(len)
            }
        }
        let traffic = Traffic::default();
        count(&mut Drops(&REPLY.repeat(10)), &traffic).expect("ten replies");
        assert_eq!(traffic.written.load(Relaxed), 10);
        let refused = [REPLY, b"-ERR no\r\n"].concat();
        assert!(count(&mut Drops(&refused), &traffic).is_err());
    }

    #[test]
    fn keys_of_a_pipeline_are_among_those_preloaded() {
        let preload = Preload {
            keys: 10,
            value_bytes: 3,
        };
        let text = requests(1, preload);
        let names = text
            .windows(16)
            .filter(|window| window.starts_with(b"key:"));
        let keys: std::collections::BTreeSet<&[u8]> = names.collect();
        assert_eq!(keys.len(), 10);
        assert!(keys.contains(b"key:000000000009".as_slice()));
    }
}
