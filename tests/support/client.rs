//! A small blocking client: sends arguments or bare bytes, returns replies as trees with the bytes
//! they came in.
//!
//! It checks the shape of everything it reads and panics on what is not RESP, so that every test is
//! a protocol test too. It does not reconnect, pool, or guess.

use super::Reply;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// A reply that takes longer than this is a hang.
const REPLY_LIMIT: Duration = Duration::from_secs(30);
const READ_CHUNK: usize = 64 * 1024;

trait Stream: Read + Write + Send {
    /// Says that nothing more will be sent.
    fn end(&self);
}

impl Stream for TcpStream {
    fn end(&self) {
        // Who has hung up already need not be told.
        let _ = self.shutdown(Shutdown::Write);
    }
}

impl Stream for UnixStream {
    fn end(&self) {
        let _ = self.shutdown(Shutdown::Write);
    }
}

pub struct Client {
    stream: Box<dyn Stream>,
    buffer: Vec<u8>,
    consumed: usize,
}

impl Client {
    pub fn connect(port: u16) -> Client {
        Client::try_connect(port).expect("the server accepts connections")
    }

    pub fn try_connect(port: u16) -> std::io::Result<Client> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(REPLY_LIMIT))?;
        Ok(Client {
            stream: Box::new(stream),
            buffer: Vec::new(),
            consumed: 0,
        })
    }

    pub fn connect_unix(path: &str) -> std::io::Result<Client> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(REPLY_LIMIT))?;
        Ok(Client {
            stream: Box::new(stream),
            buffer: Vec::new(),
            consumed: 0,
        })
    }

    /// One command in words, one reply.
    pub fn call(&mut self, words: &str) -> Reply {
        let args: Vec<&[u8]> = words.split(' ').map(str::as_bytes).collect();
        self.call_args(&args)
    }

    pub fn call_args<A: AsRef<[u8]>>(&mut self, args: &[A]) -> Reply {
        self.send_args(args);
        self.receive()
    }

    /// For tests in which the server may hang up at any time.
    pub fn try_call(&mut self, words: &str) -> std::io::Result<Reply> {
        let args: Vec<&[u8]> = words.split(' ').map(str::as_bytes).collect();
        let mut request = Vec::new();
        encode(&args, &mut request);
        self.stream.write_all(&request)?;
        let end = || std::io::Error::from(ErrorKind::UnexpectedEof);
        self.try_receive()?.map(|(reply, _)| reply).ok_or_else(end)
    }

    pub fn send_args<A: AsRef<[u8]>>(&mut self, args: &[A]) {
        let mut request = Vec::new();
        encode(args, &mut request);
        self.send_bytes(&request);
    }

    pub fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream
            .write_all(bytes)
            .expect("the server reads what is sent");
    }

    pub fn try_send_bytes(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Says that nothing more will be sent; replies may still come.
    pub fn hang_up(&self) {
        self.stream.end();
    }

    pub fn receive(&mut self) -> Reply {
        self.receive_with_bytes()
            .expect("a reply, not the end of the connection")
            .0
    }

    /// The next reply and its bytes, or none when the server has closed the connection.
    pub fn receive_with_bytes(&mut self) -> Option<(Reply, Vec<u8>)> {
        self.try_receive()
            .unwrap_or_else(|error| panic!("while waiting for a reply: {error}"))
    }

    fn try_receive(&mut self) -> std::io::Result<Option<(Reply, Vec<u8>)>> {
        loop {
            let rest = &self.buffer[self.consumed..];
            if let Some((reply, used)) = Reply::parse(rest) {
                let bytes = rest[..used].to_vec();
                self.consumed += used;
                return Ok(Some((reply, bytes)));
            }
            self.buffer.drain(..self.consumed);
            self.consumed = 0;
            if !self.fill()? {
                assert!(
                    self.buffer.is_empty(),
                    "closed within a reply: {:?}",
                    self.buffer
                );
                return Ok(None);
            }
        }
    }

    /// Reads some more; false at the end of the connection.
    fn fill(&mut self) -> std::io::Result<bool> {
        let len = self.buffer.len();
        self.buffer.resize(len + READ_CHUNK, 0);
        let result = self.stream.read(&mut self.buffer[len..]);
        self.buffer.truncate(len + *result.as_ref().unwrap_or(&0));
        match result {
            Ok(read) => Ok(read > 0),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(false),
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Whatever has come, or comes next, as it is.
    pub fn read_some(&mut self) -> Vec<u8> {
        if self.consumed == self.buffer.len() {
            self.fill().expect("the server says something");
        }
        let some = self.buffer.split_off(self.consumed);
        self.buffer.clear();
        self.consumed = 0;
        some
    }

    /// Takes a single byte off the connection; none: it has ended.
    pub fn sip(&mut self) -> Option<u8> {
        let mut byte = [0];
        self.stream.read_exact(&mut byte).ok()?;
        Some(byte[0])
    }

    /// Reads whatever still comes until the server hangs up.
    pub fn read_to_end(&mut self) -> Vec<u8> {
        while self.fill().expect("the server hangs up") {}
        self.buffer.split_off(self.consumed)
    }
}

/// A request as RESP.
pub fn encode<A: AsRef<[u8]>>(args: &[A], out: &mut Vec<u8>) {
    write!(out, "*{}\r\n", args.len()).expect("a vector takes all");
    for arg in args {
        let arg = arg.as_ref();
        write!(out, "${}\r\n", arg.len()).expect("a vector takes all");
        out.extend_from_slice(arg);
        out.extend_from_slice(b"\r\n");
    }
}
