//! A connection's bytes: what waits to be sent, and the part of a frame that has come.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::rc::Rc;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, Type};

/// A connection that never waits. It holds no buffer while nothing is under way.
#[derive(Debug)]
pub struct Socket {
    stream: TcpStream,
    /// Where it is waited for.
    registry: Rc<Registry>,
    /// What the system hasn't taken yet.
    out: Vec<u8>,
    /// The beginning of something whose end hasn't come.
    partial: Vec<u8>,
}

/// How a socket is opened.
#[derive(Clone, Copy, Debug)]
pub struct Opening {
    /// The server.
    pub to: SocketAddr,
    /// The address that it comes from, if it matters.
    pub from: Option<SocketAddr>,
    /// Whether the system shall hold little of what isn't read.
    pub small: bool,
}

/// Whether a socket goes on after it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// It does.
    Open,
    /// The server has closed it.
    Ended,
}

impl Socket {
    /// Begins to connect.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn open(opening: Opening, registry: &Rc<Registry>, token: Token) -> io::Result<Self> {
        let domain = Domain::for_address(opening.to);
        let socket = socket2::Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        if opening.small {
            socket.set_recv_buffer_size(SMALL_BYTES)?;
        }
        if let Some(from) = opening.from {
            socket.bind(&from.into())?;
        }
        match socket.connect(&opening.to.into()) {
            Ok(()) => {}
            // EINPROGRESS: whether it succeeds is told by the first write.
            Err(why) if why.raw_os_error() == Some(115) => {}
            Err(why) if why.kind() == ErrorKind::WouldBlock => {}
            Err(why) => return Err(why),
        }
        let mut stream = TcpStream::from_std(socket.into());
        registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Self {
            stream,
            registry: Rc::clone(registry),
            out: Vec::new(),
            partial: Vec::new(),
        })
    }

    /// What is to be sent, for adding to it; [`flush`](Self::flush) sends it.
    pub const fn out(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// Sends what the system takes: nothing until it is connected.
    ///
    /// # Errors
    ///
    /// If the connection has ended.
    pub fn flush(&mut self) -> io::Result<()> {
        while !self.out.is_empty() {
            match self.stream.write(&self.out) {
                Ok(sent) => drop(self.out.drain(..sent)),
                Err(why) if why.kind() == ErrorKind::WouldBlock => break,
                Err(why) if why.kind() == ErrorKind::Interrupted => {}
                Err(why) => return Err(why),
            }
        }
        Ok(())
    }

    /// Reads all there is into a buffer that others use as well, and gives it to `digest`, which
    /// says how many bytes it could use; the rest comes again with more.
    ///
    /// A read that doesn't fill the buffer has emptied the socket, unless it is `ending`.
    ///
    /// # Errors
    ///
    /// If the connection breaks, what comes is longer than the buffer, or `digest` fails.
    pub fn read(
        &mut self,
        buffer: &mut [u8],
        ending: bool,
        mut digest: impl FnMut(&[u8], &mut Vec<u8>) -> Result<usize, String>,
    ) -> Result<After, String> {
        loop {
            let kept = self.partial.len();
            let Some((begin, room)) = buffer.split_at_mut_checked(kept) else {
                return Err(format!("a frame is longer than {} bytes", buffer.len()));
            };
            if room.is_empty() {
                return Err(format!("a frame is longer than {kept} bytes"));
            }
            let (read, wanted) = match self.stream.read(room) {
                Ok(0) => return Ok(After::Ended),
                Ok(read) => (read, room.len()),
                Err(why) if why.kind() == ErrorKind::WouldBlock => return Ok(After::Open),
                Err(why) if why.kind() == ErrorKind::Interrupted => continue,
                Err(why) => return Err(why.to_string()),
            };
            begin.copy_from_slice(&self.partial);
            let bytes = buffer.get(..kept + read).unwrap_or_default();
            let used = digest(bytes, &mut self.out)?;
            self.partial.clear();
            self.partial
                .extend_from_slice(bytes.get(used..).unwrap_or_default());
            if read < wanted && !ending {
                return Ok(After::Open);
            }
        }
    }

    /// Is told of nothing any more, so nothing is read.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn ignore(&mut self) -> io::Result<()> {
        self.registry.deregister(&mut self.stream)
    }
}

/// What the system holds at least of what isn't read.
const SMALL_BYTES: usize = 4 * 1024;
