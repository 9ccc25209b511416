//! One member's long polling (Engine.IO 4): a request that waits for what others say, and beside it
//! one at a time that takes what he says.

use std::io;

use super::driver::between;
use super::http::{self, Response};
use super::link::{Calling, Side};
use super::socket::{After, Socket};
use super::swarm::Sound;

/// Two connections that stay open from request to request.
#[derive(Debug)]
pub struct Polling {
    calling: Calling,
    poll: Socket,
    /// None until something is said, and after the server has closed it for want of that.
    post: Option<Socket>,
    /// The session that the server has given.
    sid: Option<String>,
    /// What is to be said with the next request.
    packets: Vec<u8>,
    is_polling: bool,
    is_posting: bool,
}

impl Polling {
    /// A session that is to be opened over this connection.
    #[must_use]
    pub const fn new(poll: Socket, calling: Calling) -> Self {
        Self {
            calling,
            poll,
            post: None,
            sid: None,
            packets: Vec::new(),
            is_polling: false,
            is_posting: false,
        }
    }

    /// Whether nothing waits to be said.
    #[must_use]
    pub const fn is_silent(&self) -> bool {
        self.packets.is_empty()
    }

    /// Adds a packet to what is to be said.
    pub fn say(&mut self, packet: &[u8]) {
        if !self.packets.is_empty() {
            self.packets.push(BETWEEN);
        }
        self.packets.extend_from_slice(packet);
    }

    /// Makes the requests whose turn it is.
    ///
    /// # Errors
    ///
    /// If a connection has failed.
    pub fn write(&mut self) -> io::Result<()> {
        if !self.is_polling {
            self.is_polling = true;
            let request = http::get(&self.calling.host, &self.path());
            self.poll.out().extend(request.as_bytes());
        }
        self.poll.flush()?;
        if !self.is_posting && !self.packets.is_empty() && self.sid.is_some() {
            self.is_posting = true;
            let (host, path) = (&self.calling.host, self.path());
            let request = http::post(host, &path, &[TEXT], &self.packets);
            self.packets.clear();
            self.post_side()?.out().extend(request);
        }
        match &mut self.post {
            Some(post) => post.flush(),
            None => Ok(()),
        }
    }

    /// Reads the answers that have come; what `hear` answers is said.
    ///
    /// # Errors
    ///
    /// If the session ends, with the words of the server.
    pub fn read(
        &mut self,
        side: Side,
        buffer: &mut [u8],
        ending: bool,
        mut hear: impl FnMut(Sound<'_>) -> Option<String>,
    ) -> Result<(), String> {
        match side {
            Side::First => self.read_poll(buffer, ending, &mut hear),
            Side::Second => self.read_post(buffer, ending),
        }
    }

    /// Reads nothing from here on.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn ignore(&mut self) -> io::Result<()> {
        if let Some(post) = &mut self.post {
            post.ignore()?;
        }
        self.poll.ignore()
    }

    fn read_poll(
        &mut self,
        buffer: &mut [u8],
        ending: bool,
        hear: &mut impl FnMut(Sound<'_>) -> Option<String>,
    ) -> Result<(), String> {
        let (sid, is_polling) = (&mut self.sid, &mut self.is_polling);
        let mut answers = Vec::new();
        let after = self.poll.read(buffer, ending, |bytes, _| {
            let Some((payload, used)) = answer(bytes)? else {
                return Ok(0);
            };
            *is_polling = false;
            if sid.is_none() {
                *sid = between(payload, r#""sid":""#, &['"']).map(str::to_owned);
                answers.extend(hear(Sound::Opened));
            }
            for packet in payload.split(|byte| *byte == BETWEEN) {
                answers.extend(hear(Sound::Packet(packet)));
            }
            Ok(used)
        })?;
        for answer in answers {
            self.say(answer.as_bytes());
        }
        match after {
            After::Open => Ok(()),
            After::Ended => Err("the server hung up".to_owned()),
        }
    }

    fn read_post(&mut self, buffer: &mut [u8], ending: bool) -> Result<(), String> {
        let is_posting = &mut self.is_posting;
        let Some(post) = &mut self.post else {
            return Ok(());
        };
        let after = post.read(buffer, ending, |bytes, _| {
            let Some((_, used)) = answer(bytes)? else {
                return Ok(0);
            };
            *is_posting = false;
            Ok(used)
        })?;
        match after {
            After::Open => Ok(()),
            After::Ended if self.is_posting => Err("the server hung up on a post".to_owned()),
            After::Ended => {
                // Servers close what isn't used; the next post opens another.
                self.post = None;
                Ok(())
            }
        }
    }

    fn post_side(&mut self) -> io::Result<&mut Socket> {
        let (calling, [_, token]) = (&self.calling, self.calling.tokens);
        let post = match self.post.take() {
            Some(post) => post,
            None => Socket::open(calling.opening, &calling.registry, token)?,
        };
        Ok(self.post.insert(post))
    }

    fn path(&self) -> String {
        let path = &self.calling.path;
        match &self.sid {
            Some(sid) => format!("{path}&sid={sid}"),
            None => path.clone(),
        }
    }
}

/// The payload of an answer that has come as a whole, and how long the answer is.
fn answer(bytes: &[u8]) -> Result<Option<(&[u8], usize)>, String> {
    let Some(response) = Response::read(bytes)? else {
        return Ok(None);
    };
    if response.status != 200 {
        return Err(response.words());
    }
    let body = response.body()?;
    Ok(body.map(|payload| (payload, response.head.len() + payload.len())))
}

/// Stands between the packets of a payload.
const BETWEEN: u8 = 0x1e;

const TEXT: &str = "Content-Type: text/plain;charset=UTF-8";
