//! A blocking connection that speaks as much RESP2 as measuring needs: requests out, replies in.
//!
//! It is plain on purpose: what it costs is small and the same for every server. It reads simple,
//! integer, bulk and error replies; arrays it does not know.

use super::arrival::Source;
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::str::FromStr;
use std::time::{Duration, Instant};

/// Longer than the longest stall worth measuring; a server that is silent for so long is broken.
const REPLY_TIMEOUT: Duration = Duration::from_secs(30);

pub struct Connection {
    reader: BufReader<Source>,
}

impl Connection {
    pub fn open(port: u16) -> Result<Connection> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            .with_context(|| format!("no connection to port {port}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(REPLY_TIMEOUT))?;
        Ok(Connection {
            reader: BufReader::with_capacity(16 * 1024, Source::plain(stream)),
        })
    }

    /// As `open`, with next to no memory on this side: for many connections that idle.
    pub fn open_idle(port: u16) -> Result<Connection> {
        let connection = Connection::open(port)?;
        Ok(Connection {
            reader: BufReader::with_capacity(64, connection.reader.into_inner()),
        })
    }

    /// One command and its reply as text; an error reply is an error.
    pub fn call(&mut self, arguments: &[&[u8]]) -> Result<String> {
        let mut request = Vec::with_capacity(64);
        push_request(&mut request, arguments);
        self.send(&request)?;
        self.reply()
    }

    /// A field of a section of INFO.
    pub fn info<T>(&mut self, section: &[u8], field: &str) -> Result<T>
    where
        T: FromStr<Err: std::error::Error + Send + Sync + 'static>,
    {
        field_of(&self.call(&[b"INFO", section])?, field)
    }

    pub fn send(&mut self, requests: &[u8]) -> Result<()> {
        Ok(self.reader.get_mut().stream.write_all(requests)?)
    }

    /// From now on the kernel's time of arrival is known of every reply.
    pub fn note_arrivals(&mut self) -> Result<()> {
        Ok(self.reader.get_mut().note_arrivals()?)
    }

    /// When the last of what has been read came; none: the kernel did not say.
    pub fn arrived(&self) -> Option<Instant> {
        self.reader.get_ref().arrived
    }

    pub fn reply(&mut self) -> Result<String> {
        read_reply(&mut self.reader)
    }
}

/// The value of a field in what INFO replied.
pub fn field_of<T>(info: &str, field: &str) -> Result<T>
where
    T: FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    let mut lines = info.lines();
    let value = lines.find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    Ok(value.with_context(|| format!("no {field}"))?.parse()?)
}

/// Appends one command to a pipeline.
pub fn push_request(out: &mut Vec<u8>, arguments: &[&[u8]]) {
    push_header(out, b'*', arguments.len());
    for argument in arguments {
        push_header(out, b'$', argument.len());
        out.extend_from_slice(argument);
        out.extend_from_slice(b"\r\n");
    }
}

fn push_header(out: &mut Vec<u8>, kind: u8, count: usize) {
    out.push(kind);
    out.extend_from_slice(itoa::Buffer::new().format(count).as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn read_reply(reader: &mut impl BufRead) -> Result<String> {
    let mut line = String::new();
    reader.read_line(&mut line).context("no reply")?;
    let Some(rest) = line.strip_suffix("\r\n") else {
        bail!("the server hung up")
    };
    match rest.split_at_checked(1) {
        Some(("+" | ":", text)) => Ok(text.to_string()),
        Some(("$", "-1")) => Ok("(nil)".to_string()),
        Some(("$", len)) => read_bulk(reader, len.parse()?),
        Some(("-", error)) => bail!("the server answers: {error}"),
        _ => bail!("a reply of unknown kind: {rest}"),
    }
}

fn read_bulk(reader: &mut impl BufRead, len: usize) -> Result<String> {
    let mut bytes = vec![0; len + 2];
    reader.read_exact(&mut bytes).context("half a reply")?;
    bytes.truncate(len);
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_arrays_of_bulk_strings() {
        let mut out = Vec::new();
        push_request(&mut out, &[b"GET", b"some-longer-key"]);
        assert_eq!(out, b"*2\r\n$3\r\nGET\r\n$15\r\nsome-longer-key\r\n");
    }

    #[test]
    fn replies_are_read_one_after_another() {
        let mut wire = &b"+OK\r\n:12\r\n$3\r\na\r\n\r\n$-1\r\n-ERR no\r\n*0\r\n+half"[..];
        assert_eq!(read_reply(&mut wire).expect("simple"), "OK");
        assert_eq!(read_reply(&mut wire).expect("integer"), "12");
        assert!(read_reply(&mut wire).is_ok_and(|bulk| bulk == "a\r\n"));
        assert_eq!(read_reply(&mut wire).expect("nil"), "(nil)");
        assert!(read_reply(&mut wire).is_err_and(|error| error.to_string().contains("ERR no")));
        assert!(read_reply(&mut wire).is_err());
        assert!(read_reply(&mut wire).is_err());
    }
}
