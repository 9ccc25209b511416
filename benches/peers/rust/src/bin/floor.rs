//! What the kernel allows: one thread, epoll, and no more of WebSocket than a frame's header.
//!
//! `floor PORT [FRAMES]`: up to so many frames of a room leave in one write (1).

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::mem;

use chat_peers::frames::{self, Frame};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

const LISTENER: Token = Token(usize::MAX);
const READ_BYTES: usize = 64 * 1024;
const OUTBOX_BYTES_MAX: usize = 16 * 1024 * 1024;

fn main() -> io::Result<()> {
    let frames_max = chat_peers::mode().parse().unwrap_or(1);
    let mut listener = TcpListener::from_std(chat_peers::listen()?);
    let poll = Poll::new()?;
    poll.registry()
        .register(&mut listener, LISTENER, Interest::READABLE)?;
    let floor = Floor {
        poll,
        listener,
        frames_max,
        connections: Vec::new(),
        free: Vec::new(),
        names: HashMap::new(),
        rooms: Vec::new(),
        dirty: Vec::new(),
    };
    floor.run()
}

struct Floor {
    poll: Poll,
    listener: TcpListener,
    frames_max: usize,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    names: HashMap<String, usize>,
    rooms: Vec<Room>,
    /// Rooms with frames to send.
    dirty: Vec<usize>,
}

struct Connection {
    socket: TcpStream,
    room: Option<usize>,
    /// The beginning of what isn't all there.
    partial: Vec<u8>,
    outbox: Vec<u8>,
}

#[derive(Default)]
struct Room {
    members: Vec<usize>,
    frames: Vec<u8>,
    waiting: usize,
}

impl Floor {
    fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1_024);
        let mut buffer = vec![0; READ_BYTES];
        loop {
            match self.poll.poll(&mut events, None) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            for event in &events {
                if event.token() == LISTENER {
                    self.accept()?;
                    continue;
                }
                if event.is_writable() {
                    self.write(event.token().0, &[]);
                }
                if event.is_readable() {
                    self.read(event.token().0, &mut buffer);
                }
            }
            for room in mem::take(&mut self.dirty) {
                self.flush(room);
            }
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let mut socket = match self.listener.accept() {
                Ok((socket, _)) => socket,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            socket.set_nodelay(true)?;
            let id = self.free.pop().unwrap_or_else(|| {
                self.connections.push(None);
                self.connections.len() - 1
            });
            self.poll
                .registry()
                .register(&mut socket, Token(id), Interest::READABLE)?;
            self.connections[id] = Some(Connection {
                socket,
                room: None,
                partial: Vec::new(),
                outbox: Vec::new(),
            });
        }
    }

    /// Reads what there is. A read that doesn't fill the buffer has emptied the socket.
    fn read(&mut self, id: usize, buffer: &mut [u8]) {
        loop {
            let Some(connection) = &mut self.connections[id] else {
                return;
            };
            let taken = match connection.socket.read(buffer) {
                Ok(taken @ 1..) => taken,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Ok(0) | Err(_) => return self.leave(id),
            };
            let heard = if connection.partial.is_empty() {
                self.hear(id, &mut buffer[..taken])
            } else {
                let mut bytes = mem::take(&mut connection.partial);
                bytes.extend_from_slice(&buffer[..taken]);
                self.hear(id, &mut bytes)
            };
            match heard {
                None => return self.leave(id),
                Some(_) if taken < buffer.len() => return,
                Some(()) => {}
            }
        }
    }

    /// Acts on what a client sent and keeps what isn't all there; `None` if he goes.
    fn hear(&mut self, id: usize, bytes: &mut [u8]) -> Option<()> {
        let Some(room) = self.connections[id].as_ref()?.room else {
            return self.join(id, bytes);
        };
        let mut start = 0;
        while let Some((frame, end)) = frames::next(bytes, start) {
            match frame {
                Frame::Text(text) => self.say(room, &bytes[text]),
                Frame::Ping(payload) => {
                    let mut pong = Vec::new();
                    frames::append(&mut pong, 0xa, &bytes[payload]);
                    self.write(id, &pong);
                }
                Frame::Pong => {}
                Frame::Close => return None,
            }
            start = end;
        }
        self.connections[id]
            .as_mut()?
            .partial
            .extend(&bytes[start..]);
        Some(())
    }

    fn join(&mut self, id: usize, request: &[u8]) -> Option<()> {
        let Some((name, answer)) = frames::upgrade(request) else {
            let connection = self.connections[id].as_mut()?;
            connection.partial.extend(request);
            return (request.len() < READ_BYTES).then_some(());
        };
        let room = *self.names.entry(name).or_insert_with(|| {
            self.rooms.push(Room::default());
            self.rooms.len() - 1
        });
        self.rooms[room].members.push(id);
        self.connections[id].as_mut()?.room = Some(room);
        self.write(id, answer.as_bytes());
        Some(())
    }

    fn say(&mut self, room: usize, text: &[u8]) {
        let said = &mut self.rooms[room];
        frames::append(&mut said.frames, 1, text);
        said.waiting += 1;
        if said.waiting == self.frames_max {
            self.flush(room);
        } else if said.waiting == 1 {
            self.dirty.push(room);
        }
    }

    fn flush(&mut self, room: usize) {
        let flushed = &mut self.rooms[room];
        flushed.waiting = 0;
        if flushed.frames.is_empty() {
            return;
        }
        let mut frames = mem::take(&mut flushed.frames);
        let members = mem::take(&mut flushed.members);
        for member in &members {
            self.write(*member, &frames);
        }
        frames.clear();
        self.rooms[room].frames = frames;
        self.rooms[room].members = members;
    }

    /// Sends what waits for a connection and this. What the socket doesn't take waits on.
    fn write(&mut self, id: usize, bytes: &[u8]) {
        let Some(Connection { socket, outbox, .. }) = &mut self.connections[id] else {
            return;
        };
        if !outbox.is_empty() && !bytes.is_empty() {
            return outbox.extend(bytes);
        }
        let waited = mem::take(outbox);
        let mut rest = if waited.is_empty() { bytes } else { &waited };
        while !rest.is_empty() {
            match socket.write(rest) {
                Ok(taken) => rest = &rest[taken..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                // Reading from it tells that it is gone.
                Err(_) => return,
            }
        }
        outbox.extend(rest);
        let interest = match outbox.len() {
            0 if waited.is_empty() => return,
            0 => Interest::READABLE,
            1..=OUTBOX_BYTES_MAX => Interest::READABLE | Interest::WRITABLE,
            _ => {
                let _ = socket.shutdown(std::net::Shutdown::Both);
                return;
            }
        };
        let _ = self.poll.registry().reregister(socket, Token(id), interest);
    }

    fn leave(&mut self, id: usize) {
        let Some(gone) = self.connections[id].take() else {
            return;
        };
        self.free.push(id);
        let Some(room) = gone.room else { return };
        let members = &mut self.rooms[room].members;
        if let Some(at) = members.iter().position(|member| *member == id) {
            members.swap_remove(at);
        }
    }
}
