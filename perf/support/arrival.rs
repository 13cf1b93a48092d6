//! When bytes have come: not when whoever waits for them was given a CPU, but when the kernel had
//! them.
//!
//! Servers and those who measure them share the machine here. Between the arrival of a reply and
//! the moment when its reader runs there may be milliseconds in which another process has the CPU;
//! a client on a machine of its own would not see them.
//!
//! Source: socket(7), SO_TIMESTAMPNS: the time at which the last of the bytes came, by the clock of
//! the day.

use nix::sys::socket::sockopt::ReceiveTimestampns;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt};
use nix::sys::time::TimeSpec;
use std::io::{self, IoSliceMut, Read};
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant, SystemTime};

/// A connection that knows when what it has read last came, if that is wanted.
pub struct Source {
    pub stream: TcpStream,
    /// None: nobody asked, or the kernel does not say.
    pub arrived: Option<Instant>,
    /// Room for the kernel's stamp; none: nobody asked.
    room: Vec<u8>,
}

impl Source {
    pub fn plain(stream: TcpStream) -> Source {
        Source {
            stream,
            arrived: None,
            room: Vec::new(),
        }
    }

    pub fn note_arrivals(&mut self) -> io::Result<()> {
        setsockopt(&self.stream, ReceiveTimestampns, &true)?;
        self.room = nix::cmsg_space!(TimeSpec);
        Ok(())
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.room.is_empty() {
            return self.stream.read(buffer);
        }
        let mut parts = [IoSliceMut::new(buffer)];
        let (fd, room) = (self.stream.as_raw_fd(), Some(&mut self.room[..]));
        let message = recvmsg::<()>(fd, &mut parts, room, MsgFlags::empty())?;
        let stamp = message.cmsgs()?.find_map(|control| match control {
            ControlMessageOwned::ScmTimestampns(stamp) => Some(Duration::from(stamp)),
            _ => None,
        });
        self.arrived = stamp.and_then(instant);
        Ok(message.bytes)
    }
}

/// A time since the beginning of 1970 by the clock that never goes back.
fn instant(stamp: Duration) -> Option<Instant> {
    let (today, now) = (SystemTime::now(), Instant::now());
    let today = today.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    now.checked_sub(today.saturating_sub(stamp))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::{Ipv4Addr, TcpListener};

    #[test]
    fn who_reads_late_knows_when_it_came() -> io::Result<()> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let mut source = Source::plain(TcpStream::connect(listener.local_addr()?)?);
        let (mut peer, _) = listener.accept()?;
        source.note_arrivals()?;
        // The first ones may come before the kernel has begun to look at the clock.
        for _ in 0..1000 {
            let before = Instant::now();
            peer.write_all(b"x")?;
            source.stream.peek(&mut [0])?;
            let there = Instant::now();
            while there.elapsed() < Duration::from_millis(3) {
                std::hint::spin_loop();
            }
            source.read_exact(&mut [0])?;
            if let Some(arrived) = source.arrived {
                let room = Duration::from_micros(200);
                assert!(arrived + room >= before, "{:?} too early", before - arrived);
                assert!(arrived <= there + room, "{:?} too late", arrived - there);
                return Ok(());
            }
        }
        panic!("the kernel never said when something came");
    }
}
