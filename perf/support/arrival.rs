//! When bytes have come: not when whoever waits for them was given a CPU, but when the kernel had
//! them.
//!
//! Servers and those who measure them share the machine here. Between the arrival of a reply and
//! the moment when its reader runs there may be milliseconds in which another process has the CPU;
//! a client on a machine of its own would not see them.
//!
//! Source: socket(7), SO_TIMESTAMPNS: the time at which the last of the bytes came, by the clock of
//! the day.

use std::io::{self, Read};
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant, SystemTime};

/// Room for the one control message that is asked for, in words of eight bytes.
const CONTROL_WORDS: usize = 8;

/// A connection that knows when what it has read last came, if that is wanted.
pub struct Source {
    pub stream: TcpStream,
    /// None: nobody asked, or the kernel does not say.
    pub arrived: Option<Instant>,
    is_noting: bool,
}

impl Source {
    pub fn plain(stream: TcpStream) -> Source {
        Source {
            stream,
            arrived: None,
            is_noting: false,
        }
    }

    pub fn note_arrivals(&mut self) -> io::Result<()> {
        let on: libc::c_int = 1;
        // SAFETY: the value is an int that outlives the call, and its size is its own.
        let failed = unsafe {
            libc::setsockopt(
                self.stream.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_TIMESTAMPNS,
                (&raw const on).cast(),
                size_of_val(&on) as libc::socklen_t,
            )
        };
        if failed != 0 {
            return Err(io::Error::last_os_error());
        }
        self.is_noting = true;
        Ok(())
    }

    fn read_noting(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut control = [0_u64; CONTROL_WORDS];
        let mut part = libc::iovec {
            iov_base: buffer.as_mut_ptr().cast(),
            iov_len: buffer.len(),
        };
        // SAFETY: all of the header is plain numbers and pointers, for which zero is a value.
        let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
        header.msg_iov = &raw mut part;
        header.msg_iovlen = 1;
        header.msg_control = control.as_mut_ptr().cast();
        header.msg_controllen = size_of_val(&control);
        // SAFETY: the header points to memory of these sizes, all of which outlives the call.
        let count = unsafe { libc::recvmsg(self.stream.as_raw_fd(), &raw mut header, 0) };
        let Ok(count) = usize::try_from(count) else {
            return Err(io::Error::last_os_error());
        };
        self.arrived = stamp(&header).and_then(instant);
        Ok(count)
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.is_noting {
            true => self.read_noting(buffer),
            false => self.stream.read(buffer),
        }
    }
}

/// The stamp among the control messages, since the beginning of 1970.
fn stamp(header: &libc::msghdr) -> Option<Duration> {
    // SAFETY: the kernel has filled in the header; its first message is whole or null, and one of
    // this type carries a timespec.
    let time = unsafe {
        let message = libc::CMSG_FIRSTHDR(header);
        let message = message.as_ref()?;
        let is_stamp =
            message.cmsg_level == libc::SOL_SOCKET && message.cmsg_type == libc::SCM_TIMESTAMPNS;
        if !is_stamp {
            return None;
        }
        libc::CMSG_DATA(message)
            .cast::<libc::timespec>()
            .read_unaligned()
    };
    Some(Duration::new(
        u64::try_from(time.tv_sec).ok()?,
        u32::try_from(time.tv_nsec).ok()?,
    ))
}

/// The same by the clock that never goes back.
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
