//! Tests of the network ring against the kernel.
//! They need io_uring; where the kernel refuses it they say so and are skipped. Clients are plain
//! blocking sockets on other threads, the ring runs inside an executor as it does in the server.
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::*;

/// Run a body inside an executor, as on a shard; skipped loudly where there is no io_uring.
fn on_a_shard<F: Future<Output = ()> + 'static>(body: impl FnOnce() -> F + Send + 'static) {
    if let Err(error) = Ring::new(RingConfig::default()) {
        eprintln!("SKIPPED: this kernel refuses io_uring: {error}");
        return;
    }
    let shard = std::thread::spawn(move || {
        glommio::LocalExecutorBuilder::default()
            .io_memory(64 << 10)
            .preempt_timer(Duration::from_millis(1))
            .make()
            .expect("an executor")
            .run(body());
    });
    if let Err(panic) = shard.join() {
        std::panic::resume_unwind(panic);
    }
}

fn small(buffers: u16) -> RingConfig {
    let (entries, buffer_bytes) = (64, 4096);
    RingConfig {
        entries,
        buffers,
        buffer_bytes,
    }
}

fn listener() -> (TcpListener, std::net::SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// One connection of the tests' server.
struct Peer {
    fd: Option<OwnedFd>,
    token: Token,
    out: Vec<u8>,
    sending: bool,
    ended: bool,
}

/// A server that sends back what it receives.
struct Echo {
    ring: Ring,
    buffers: Buffers,
    listener: TcpListener,
    peers: Vec<Peer>,
    accepted: usize,
    ended: usize,
    spare: Vec<Vec<u8>>,
}

impl Echo {
    fn new(config: RingConfig, listener: TcpListener) -> Echo {
        let (mut ring, buffers) = Ring::new(config).unwrap();
        ring.accept(listener.as_raw_fd(), 0);
        Echo {
            ring,
            buffers,
            listener,
            peers: Vec::new(),
            accepted: 0,
            ended: 0,
            spare: Vec::new(),
        }
    }

    fn handle(&mut self, done: Completion) {
        match done {
            Completion::Accepted { fd, .. } => {
                let token = Token::new(self.peers.len() as u32, 7);
                self.ring.receive(fd.as_raw_fd(), token);
                self.peers.push(Peer {
                    fd: Some(fd),
                    token,
                    out: Vec::new(),
                    sending: false,
                    ended: false,
                });
                self.accepted += 1;
            }
            Completion::Received { token, chunk } => {
                let peer = &mut self.peers[token.index() as usize];
                assert_eq!(peer.token, token);
                peer.out.extend_from_slice(self.buffers.bytes(&chunk));
                self.buffers.give_back(chunk);
            }
            Completion::Sent { token, buffer, .. } => {
                self.peers[token.index() as usize].sending = false;
                self.spare.extend(buffer);
            }
            Completion::Ended { token, .. } => {
                self.peers[token.index() as usize].ended = true;
                self.ended += 1;
            }
            Completion::Woken => {}
            other => panic!("unexpected {other:?}"),
        }
    }

    fn flush(&mut self) {
        for peer in &mut self.peers {
            let Some(fd) = &peer.fd else { continue };
            if !peer.sending && !peer.out.is_empty() {
                let fresh = self.spare.pop().unwrap_or_default();
                let full = std::mem::replace(&mut peer.out, fresh);
                self.ring.send(fd.as_raw_fd(), peer.token, full, 0);
                peer.sending = true;
            } else if peer.ended && !peer.sending {
                let fd = peer.fd.take().unwrap();
                self.ring.close(peer.token, fd);
            }
        }
    }

    async fn turn(&mut self, sleep: Sleep) {
        let mut done = Vec::new();
        self.ring.wait(sleep, &mut done).await;
        for completion in done {
            self.handle(completion);
        }
        self.flush();
    }

    async fn run_until(&mut self, mut enough: impl FnMut(&Echo) -> bool) {
        while !enough(self) {
            self.turn(Sleep::Forever).await;
        }
    }

    /// Returns how often it has waited.
    async fn serve_until(&mut self, deadline: Instant) -> usize {
        let mut waits = 0;
        while Instant::now() < deadline {
            self.turn(Sleep::Until(deadline)).await;
            waits += 1;
        }
        waits
    }
}

/// `clients` threads, each sends `rounds` messages of `bytes` and checks that they come back.
fn clients(at: std::net::SocketAddr, clients: usize, rounds: usize, bytes: usize) {
    for number in 0..clients {
        std::thread::spawn(move || {
            let mut socket = TcpStream::connect(at).unwrap();
            socket.set_nodelay(true).unwrap();
            let mut back = vec![0; bytes];
            for round in 0..rounds {
                let message: Vec<u8> = (0..bytes).map(|i| (i * 7 + round + number) as u8).collect();
                socket.write_all(&message).unwrap();
                socket.read_exact(&mut back).unwrap();
                assert!(back == message, "client {number} round {round}");
            }
        });
    }
}

#[test]
fn a_hundred_connections_are_echoed() {
    on_a_shard(|| async {
        let (listener, at) = listener();
        let mut echo = Echo::new(RingConfig::default(), listener);
        clients(at, 100, 50, 100);
        echo.run_until(|echo| echo.ended == 100).await;
        assert_eq!(echo.accepted, 100);
    });
}

#[test]
fn four_buffers_are_enough_for_many_connections() {
    on_a_shard(|| async {
        let (listener, at) = listener();
        let mut echo = Echo::new(small(4), listener);
        clients(at, 30, 20, 10_000);
        echo.run_until(|echo| echo.ended == 30).await;
    });
}

#[test]
fn the_window_of_buffers_widens_when_it_ran_out() {
    on_a_shard(|| async {
        let (listener, at) = listener();
        let mut echo = Echo::new(small(256), listener);
        let mut guests: Vec<_> = (0..100).map(|_| TcpStream::connect(at).unwrap()).collect();
        echo.run_until(|echo| echo.accepted == 100).await;
        for guest in &mut guests {
            guest.write_all(b"hello").unwrap();
        }
        let mut done = Vec::new();
        let mut held = Vec::new();
        while held.len() < 100 {
            echo.ring.wait(Sleep::Forever, &mut done).await;
            for completion in done.drain(..) {
                match completion {
                    Completion::Received { chunk, .. } => held.push(chunk),
                    other => panic!("unexpected {other:?}"),
                }
            }
        }
        for chunk in held {
            assert_eq!(echo.buffers.bytes(&chunk), b"hello");
            echo.buffers.give_back(chunk);
        }
    });
}

/// CPU time of the calling thread.
fn thread_cpu() -> Duration {
    // SAFETY: all zeroes is a valid time.
    let mut time: libc::timespec = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel fills a local.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[test]
fn idle_costs_nothing_and_a_deadline_is_kept() {
    on_a_shard(|| async {
        let (listener, at) = listener();
        let mut echo = Echo::new(RingConfig::default(), listener);
        let mut guest = TcpStream::connect(at).unwrap();
        guest.write_all(b"x").unwrap();
        let mut seen = false;
        echo.run_until(|echo| std::mem::replace(&mut seen, echo.accepted == 1))
            .await;
        let (start, cpu) = (Instant::now(), thread_cpu());
        let deadline = start + Duration::from_millis(500);
        let waits = echo.serve_until(deadline).await;
        let (late, cost) = (deadline.elapsed(), thread_cpu() - cpu);
        assert!(late < Duration::from_millis(50), "{late:?} late");
        assert!(cost < Duration::from_millis(5), "{cost:?} for idling");
        assert!(waits < 12, "{waits} waits");
        assert!(echo.listener.local_addr().is_ok());
    });
}

#[test]
fn a_near_deadline_is_kept_under_traffic() {
    on_a_shard(|| async {
        let (listener, at) = listener();
        let mut echo = Echo::new(RingConfig::default(), listener);
        let mut guest = TcpStream::connect(at).unwrap();
        let (rounds, near) = (40, Duration::from_micros(200));
        let mut late = Vec::new();
        for _ in 0..rounds {
            guest.write_all(b"x").unwrap();
            let deadline = Instant::now() + near;
            echo.serve_until(deadline).await;
            late.push(deadline.elapsed());
        }
        late.sort();
        // A tick comes every ten milliseconds; the median knows nothing of a machine that stalls.
        let median = late[rounds / 2];
        assert!(median < Duration::from_millis(2), "{median:?} late");
    });
}

#[test]
fn a_doorbell_wakes_parked_and_under_traffic() {
    on_a_shard(|| async {
        let (listener, at) = listener();
        let mut echo = Echo::new(RingConfig::default(), listener);
        let bell = echo.ring.doorbell().unwrap();
        for (rounds, traffic) in [(20, false), (200, true)] {
            if traffic {
                clients(at, 4, 2000, 50);
            }
            let (asked, bell) = (Arc::new(AtomicUsize::new(0)), bell.clone());
            let answered = Arc::new(AtomicUsize::new(0));
            let (ask, answers) = (Arc::clone(&asked), Arc::clone(&answered));
            let ringer = std::thread::spawn(move || {
                for round in 1..=rounds {
                    ask.store(round, Ordering::SeqCst);
                    bell.ring();
                    let start = Instant::now();
                    while answers.load(Ordering::SeqCst) < round {
                        assert!(start.elapsed() < Duration::from_secs(5), "round {round}");
                        std::thread::yield_now();
                    }
                    if !traffic {
                        // Long enough that the shard is parked again.
                        std::thread::sleep(Duration::from_millis(30));
                    }
                }
            });
            echo.run_until(|_| {
                answered.store(asked.load(Ordering::SeqCst), Ordering::SeqCst);
                asked.load(Ordering::SeqCst) == rounds
            })
            .await;
            ringer.join().unwrap();
        }
    });
}

#[test]
fn another_ring_wakes_this_one() {
    let (tell, told) = mpsc::channel();
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let sleeper = std::thread::spawn(move || {
        on_a_shard(move || async move {
            let (mut ring, _buffers) = Ring::new(small(4)).unwrap();
            tell.send(ring.handle()).unwrap();
            let mut done = Vec::new();
            let mut woken = 0;
            while !stopped.load(Ordering::SeqCst) {
                ring.wait(Sleep::Forever, &mut done).await;
                woken += done.len();
                assert!(done.drain(..).all(|c| matches!(c, Completion::Woken)));
            }
            assert!(woken >= 1);
        });
    });
    on_a_shard(move || async move {
        let Ok(peer) = told.recv() else { return };
        let (mut ring, _buffers) = Ring::new(small(4)).unwrap();
        let mut done = Vec::new();
        for round in 0..20 {
            // Parked in the even rounds, still warm in the odd ones.
            std::thread::sleep(Duration::from_millis(if round % 2 == 0 { 30 } else { 1 }));
            stop.store(round == 19, Ordering::SeqCst);
            ring.wake(peer);
            ring.wait(Sleep::Poll, &mut done).await;
            assert!(done.is_empty(), "only failures of a wake are told");
        }
    });
    sleeper.join().unwrap();
}

#[test]
fn big_values_are_received_into_their_own_buffer() {
    const BYTES: usize = 20 << 20;
    on_a_shard(|| async {
        let (listener, at) = listener();
        let mut echo = Echo::new(RingConfig::default(), listener);
        let guest = std::thread::spawn(move || {
            let mut guest = TcpStream::connect(at).unwrap();
            guest.write_all(b"head").unwrap();
            let mut go = [0];
            guest.read_exact(&mut go).unwrap();
            let value: Vec<u8> = (0..BYTES).map(|i| (i % 251) as u8).collect();
            guest.write_all(&value).unwrap();
            guest.write_all(b"tail").unwrap();
            guest.read_exact(&mut go).unwrap();
        });
        echo.run_until(|echo| echo.accepted == 1).await;
        let (token, mut done) = (echo.peers[0].token, Vec::new());
        let fd = echo.peers[0].fd.as_ref().unwrap().as_raw_fd();
        let mut story = vec![];
        while story.last() != Some(&"tail") {
            echo.ring.wait(Sleep::Forever, &mut done).await;
            for completion in done.drain(..) {
                match completion {
                    Completion::Received { chunk, .. } => {
                        let bytes = echo.buffers.bytes(&chunk).to_vec();
                        echo.buffers.give_back(chunk);
                        if bytes == b"head" {
                            story.push("head");
                            echo.ring.stop_receiving(token);
                        } else {
                            assert_eq!(bytes, b"tail");
                            story.push("tail");
                        }
                    }
                    Completion::Stopped { .. } => {
                        story.push("stopped");
                        let value = vec![b'#'];
                        echo.ring.receive_into(fd, token, value, BYTES);
                        echo.ring.send(fd, token, b"!".to_vec(), 0);
                    }
                    Completion::Filled { buffer, got, .. } => {
                        story.push("filled");
                        assert_eq!((got as usize, buffer.len()), (BYTES, BYTES + 1));
                        assert!((0..BYTES).all(|i| buffer[i + 1] == (i % 251) as u8));
                        echo.ring.receive(fd, token);
                    }
                    Completion::Sent { result, .. } => assert_eq!(result, Ok(())),
                    other => panic!("unexpected {other:?}"),
                }
            }
        }
        assert_eq!(story, ["head", "stopped", "filled", "tail"]);
        echo.ring.send(fd, token, b"!".to_vec(), 0);
        echo.run_until(|echo| echo.ended == 1).await;
        guest.join().unwrap();
    });
}

#[test]
fn big_sends_and_gathered_sends_arrive_whole() {
    const BYTES: usize = 64 << 20;
    on_a_shard(|| async {
        let (listener, at) = listener();
        let mut echo = Echo::new(RingConfig::default(), listener);
        let guest = std::thread::spawn(move || {
            let mut guest = TcpStream::connect(at).unwrap();
            let mut all = vec![0; BYTES];
            guest.read_exact(&mut all).unwrap();
            assert!(all.iter().enumerate().all(|(i, &b)| b == (i % 253) as u8));
            for _ in [Copying::Here, Copying::Piecewise] {
                let mut pieces = vec![0; 3000 * 10_000];
                guest.read_exact(&mut pieces).unwrap();
                for (number, piece) in pieces.chunks(10_000).enumerate() {
                    assert!(piece.iter().all(|&b| b == number as u8), "piece {number}");
                }
            }
        });
        echo.run_until(|echo| echo.accepted == 1).await;
        let token = echo.peers[0].token;
        let fd = echo.peers[0].fd.as_ref().unwrap().as_raw_fd();
        let value: Vec<u8> = (0..BYTES).map(|i| (i % 253) as u8).collect();
        echo.ring.send(fd, token, value, 0);
        let mut sent = 0;
        let mut done = Vec::new();
        while echo.ended == 0 {
            echo.ring.wait(Sleep::Forever, &mut done).await;
            for completion in done.drain(..) {
                let Completion::Sent { result, buffer, .. } = completion else {
                    echo.handle(completion);
                    continue;
                };
                assert_eq!(result, Ok(()));
                assert!(buffer.is_none_or(|buffer| buffer.is_empty()));
                sent += 1;
                if let Some(copying) = [Copying::Here, Copying::Piecewise].get(sent - 1) {
                    // More pieces than one request may carry, empty ones among them.
                    let piece = |number| match number % 3 {
                        0 => vec![Piece::Bytes(vec![number as u8; 10_000])],
                        1 => vec![Piece::Shared(bytes::Bytes::from(vec![
                            number as u8;
                            10_000
                        ]))],
                        _ => vec![
                            Piece::Bytes(Vec::new()),
                            Piece::Bytes(vec![number as u8; 4_000]),
                            Piece::Shared(bytes::Bytes::from(vec![number as u8; 6_000])),
                        ],
                    };
                    let pieces = (0..3000).flat_map(piece).collect();
                    echo.ring.send_pieces(fd, token, (pieces, *copying));
                }
            }
        }
        assert_eq!(sent, 3);
        guest.join().unwrap();
    });
}

#[test]
fn a_reply_overtakes_what_is_sent_piecewise() {
    const BYTES: usize = 256 * 1024;
    on_a_shard(|| async {
        let (listener, at) = listener();
        let mut echo = Echo::new(RingConfig::default(), listener);
        let guests: Vec<_> = (0..3).map(|_| TcpStream::connect(at).unwrap()).collect();
        echo.run_until(|echo| echo.accepted == 3).await;
        let tokens = [0, 1, 2].map(|number| echo.peers[number].token);
        let fds = [0, 1, 2].map(|number| echo.peers[number].fd.as_ref().unwrap().as_raw_fd());
        for number in [0, 2] {
            let much = (vec![Piece::Bytes(vec![b'x'; BYTES])], Copying::Piecewise);
            echo.ring.send_pieces(fds[number], tokens[number], much);
        }
        echo.ring.send(fds[1], tokens[1], b"+OK".to_vec(), 0);
        // What is not even asked for yet is given up as well.
        let fd = echo.peers[2].fd.take().unwrap();
        echo.ring.close(tokens[2], fd);
        let (mut done, mut sent, mut turns) = (Vec::new(), Vec::new(), 0);
        while sent.len() < 3 {
            echo.ring.wait(Sleep::Forever, &mut done).await;
            turns += 1;
            for completion in done.drain(..) {
                if let Completion::Sent { token, result, .. } = completion {
                    sent.push((token, result.is_ok(), turns));
                }
            }
        }
        let of = |number: usize| *sent.iter().find(|one| one.0 == tokens[number]).unwrap();
        assert_eq!(of(1), (tokens[1], true, 1));
        let (_, is_whole, turn) = of(0);
        assert!(is_whole && turn >= BYTES / (32 * 1024), "{turn}");
        assert!(!of(2).1);
        let mut all = vec![0; BYTES];
        (&guests[0]).read_exact(&mut all).unwrap();
    });
}

#[test]
fn what_is_long_goes_behind_requests_a_few_times() {
    const BYTES: usize = 256 * 1024;
    on_a_shard(|| async {
        let (mut ring, buffers) = Ring::new(small(4)).unwrap();
        let [(asker, asked), (reader, fed)] = [0, 1].map(|_| UnixStream::pair().unwrap());
        reader.set_nonblocking(true).unwrap();
        let mut done = Vec::new();
        ring.receive(asked.as_raw_fd(), Token::new(0, 0));
        ring.wait(Sleep::Poll, &mut done).await;
        let much = (vec![Piece::Bytes(vec![b'x'; BYTES])], Copying::Piecewise);
        ring.send_pieces(fed.as_raw_fd(), Token::new(1, 0), much);
        let (mut got, mut buffer) = (Vec::new(), vec![0; BYTES]);
        for _ in 0..8 {
            (&asker).write_all(b"PING").unwrap();
            ring.wait(Sleep::Poll, &mut done).await;
            for completion in done.drain(..) {
                let Completion::Received { chunk, .. } = completion else {
                    panic!("unexpected {completion:?}");
                };
                assert_eq!(buffers.bytes(&chunk), b"PING");
                buffers.give_back(chunk);
            }
            got.push((&reader).read(&mut buffer).unwrap_or(0) > 0);
        }
        assert_eq!(got, [false, false, false, true, false, false, false, true]);
        // What is very much waits for nobody.
        let (late, fed_late) = UnixStream::pair().unwrap();
        late.set_nonblocking(true).unwrap();
        let more = (vec![Piece::Bytes(vec![b'x'; 1 << 20])], Copying::Piecewise);
        ring.send_pieces(fed_late.as_raw_fd(), Token::new(2, 0), more);
        (&asker).write_all(b"PING").unwrap();
        ring.wait(Sleep::Poll, &mut done).await;
        assert!((&late).read(&mut buffer).unwrap() > 0);
        ring.close(Token::new(2, 0), OwnedFd::from(fed_late));
        while !done
            .iter()
            .any(|one| matches!(one, Completion::Sent { .. }))
        {
            ring.wait(Sleep::Forever, &mut done).await;
        }
        for completion in done.drain(..) {
            if let Completion::Received { chunk, .. } = completion {
                buffers.give_back(chunk);
            }
        }
        // With nobody asking it goes on in each turn, and until its end in one that sleeps.
        ring.wait(Sleep::Poll, &mut done).await;
        assert!((&reader).read(&mut buffer).is_ok() && done.is_empty());
        reader.set_nonblocking(false).unwrap();
        let draining =
            std::thread::spawn(move || std::io::copy(&mut &reader, &mut std::io::sink()));
        while done.is_empty() {
            ring.wait(Sleep::Forever, &mut done).await;
        }
        assert!(
            matches!(done[..], [Completion::Sent { result: Ok(()), .. }]),
            "{done:?}"
        );
        drop((ring, fed));
        draining.join().unwrap().unwrap();
    });
}

#[test]
fn closing_or_dropping_gives_up_what_is_in_flight() {
    on_a_shard(|| async {
        let (listener, at) = listener();
        let mut echo = Echo::new(RingConfig::default(), listener);
        let guests: Vec<_> = (0..3).map(|_| TcpStream::connect(at).unwrap()).collect();
        echo.run_until(|echo| echo.accepted == 3).await;
        for peer in &echo.peers {
            let fd = peer.fd.as_ref().unwrap().as_raw_fd();
            let much = vec![b'x'; 64 << 20];
            match peer.token.index() {
                0 => echo.ring.send(fd, peer.token, much, 0),
                _ => {
                    let pieces = vec![Piece::Bytes(much)];
                    let piecewise = (pieces, Copying::Piecewise);
                    echo.ring.send_pieces(fd, peer.token, piecewise);
                }
            }
        }
        let mut done = Vec::new();
        echo.ring.wait(Sleep::Poll, &mut done).await;
        assert!(done.is_empty(), "{done:?}");
        let (fd, token) = (echo.peers[0].fd.take().unwrap(), echo.peers[0].token);
        echo.ring.close(token, fd);
        while done.is_empty() {
            echo.ring.wait(Sleep::Forever, &mut done).await;
        }
        let [Completion::Sent { result, buffer, .. }] = &done[..] else {
            panic!("unexpected {done:?}");
        };
        assert!(result.is_err() && buffer.is_some());
        let start = Instant::now();
        drop(echo);
        assert!(start.elapsed() < Duration::from_secs(1));
        let mut guest = &guests[0];
        let mut rest = Vec::new();
        let _ = guest.read_to_end(&mut rest);
        assert!(rest.len() < 64 << 20 && rest.iter().all(|&b| b == b'x'));
    });
}

#[test]
fn a_stopped_or_closed_connection_is_silent() {
    on_a_shard(|| async {
        let (listener, at) = listener();
        let mut echo = Echo::new(RingConfig::default(), listener);
        let mut guests = [0, 1].map(|_| TcpStream::connect(at).unwrap());
        echo.run_until(|echo| echo.accepted == 2).await;
        let (fd, token) = (echo.peers[0].fd.take().unwrap(), echo.peers[0].token);
        echo.ring.close(token, fd);
        echo.ring.stop_receiving(echo.peers[1].token);
        let mut done = Vec::new();
        while done.is_empty() {
            echo.ring.wait(Sleep::Forever, &mut done).await;
        }
        assert!(matches!(done[..], [Completion::Stopped { .. }]), "{done:?}");
        done.clear();
        guests[1].write_all(b"unheard").unwrap();
        let until = Instant::now() + Duration::from_millis(30);
        while Instant::now() < until {
            echo.ring.wait(Sleep::Until(until), &mut done).await;
        }
        assert!(done.is_empty(), "{done:?}");
        assert_eq!(guests[0].read(&mut [0]).unwrap(), 0);
        let fd = echo.peers[1].fd.as_ref().unwrap().as_raw_fd();
        echo.ring.receive(fd, echo.peers[1].token);
        while done.is_empty() {
            echo.ring.wait(Sleep::Forever, &mut done).await;
        }
        assert!(
            matches!(done[..], [Completion::Received { .. }]),
            "{done:?}"
        );
    });
}

#[test]
fn more_requests_than_the_queue_holds_are_taken() {
    on_a_shard(|| async {
        let (listener, at) = listener();
        let mut config = small(64);
        config.entries = 4;
        let mut echo = Echo::new(config, listener);
        clients(at, 60, 50, 300);
        echo.run_until(|echo| echo.ended == 60).await;
    });
}

/// Not a test of its own: `without_descriptors_the_listener_waits` runs it in its own process.
#[test]
fn runs_out_of_descriptors_when_asked_to() {
    if std::env::var_os("RINGSHARD_TEST_EMFILE").is_none() {
        return;
    }
    on_a_shard(|| async {
        let (listener, at) = listener();
        let mut echo = Echo::new(small(4), listener);
        let mut done = Vec::new();
        let soon = Instant::now() + Duration::from_millis(1);
        echo.ring.wait(Sleep::Until(soon), &mut done).await;
        let sockets: Vec<_> = (0..2).map(|_| TcpStream::connect(at)).collect();
        let free = echo.listener.try_clone().unwrap().as_raw_fd() as u64;
        let limit = libc::rlimit {
            rlim_cur: free + 1,
            rlim_max: free + 1,
        };
        // SAFETY: the kernel reads a local.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) }, 0);
        // The kernel looks at the limit when an accept is armed.
        echo.ring.stop_accepting(0);
        echo.ring.accept(echo.listener.as_raw_fd(), 0);
        let (mut taken, mut errno) = (0, 0);
        let quiet = Instant::now() + Duration::from_millis(100);
        while Instant::now() < quiet {
            echo.ring.wait(Sleep::Until(quiet), &mut done).await;
            for completion in done.drain(..) {
                match completion {
                    Completion::AcceptFailed { errno: why, .. } => errno = why,
                    other => {
                        taken += 1;
                        echo.handle(other);
                    }
                }
            }
        }
        assert_eq!((taken, errno), (1, libc::EMFILE));
        assert!(echo.ring.ticks() < 15, "it did not spin");
        drop(sockets);
        echo.run_until(|echo| echo.peers[0].fd.is_none()).await;
        echo.ring.accept(echo.listener.as_raw_fd(), 0);
        echo.run_until(|echo| echo.accepted == 2).await;
        println!("took both");
    });
}

#[test]
fn without_descriptors_the_listener_waits() {
    let test = "runtime::ring::tests::runs_out_of_descriptors_when_asked_to";
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env("RINGSHARD_TEST_EMFILE", "1")
        .output()
        .unwrap();
    let all = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&all);
    assert!(output.status.success(), "{text}");
    assert!(
        text.contains("took both") || text.contains("SKIPPED"),
        "{text}"
    );
}
