//! A whole server on this thread, and a room full of clients who speak one dialect.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::sync::Arc;

use async_trait::async_trait;
use chat_benches::batches::{append, keep};
use chat_benches::crowd::{body, engine, fill};
use chat_core::{Name, RoomId, Timestamp, UserId};
use chat_server::Server;
use chat_server::auth::{AuthError, Authenticator, Identity, TokenFault, Verdict};
use chat_server::clock::ManualClock;
use chat_server::config::{Config, Listen};
use chat_server::store::memory::Memory;
use tokio::runtime::Runtime;
use tokio::task::{LocalSet, yield_now};

use crate::client::Client;
use crate::within::{case_is_over, counted_work};

/// What the clients speak.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Tongue {
    Native,
    Rooms,
    Socketio,
}

impl Tongue {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Rooms => "rooms",
            Self::Socketio => "socketio",
        }
    }

    /// Whether an author hears himself.
    const fn echoes(self) -> bool {
        match self {
            Self::Native => true,
            Self::Rooms | Self::Socketio => false,
        }
    }
}

/// The server, its clients, and the thread that they share.
struct Town {
    runtime: Runtime,
    tasks: LocalSet,
    clients: Vec<Client>,
    tongue: Tongue,
    said: usize,
}

const DEN: RoomId = RoomId::new(1);

/// From posted frames, which lie in the server's sockets, to what lies in each member's.
pub(crate) fn posts(tongue: Tongue) {
    for members in [10, 100, 1_000] {
        let mut town = Town::new(tongue, members);
        for lines in [8, 1] {
            // Buffers grow at first.
            for _ in 0..4 {
                town.post(lines, &mut |work| work());
            }
            // Enough that what happens once in a while evens out.
            let rounds = 4 + 400 / members;
            for _ in 0..rounds {
                town.post(lines, &mut counted_work);
            }
            let way = if lines == 1 { "alone" } else { "of 8" };
            let name = format!("server: a post {way}, {}, {members} members", tongue.name());
            case_is_over(&name, rounds * lines);
        }
    }
}

impl Town {
    /// A room with so many members, all of them there.
    fn new(tongue: Tongue, members: usize) -> Self {
        // Time stands still: nothing is counted because it was time for it.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .expect("the system gives a runtime");
        let tasks = LocalSet::new();
        let address = tasks.block_on(&runtime, serve(members));
        let mut town = Self {
            runtime,
            tasks,
            clients: Vec::new(),
            tongue,
            said: 0,
        };
        for number in 1..=members {
            let client = town.come(address, number);
            town.clients.push(client);
        }
        town
    }

    /// Lets the server do what there is to do.
    fn go_on(&self) {
        self.tasks.block_on(&self.runtime, async {
            for _ in 0..ROUNDS {
                yield_now().await;
            }
        });
    }

    /// A client who comes in.
    fn come(&self, address: SocketAddr, number: usize) -> Client {
        let path = match self.tongue {
            Tongue::Native => "/v1/ws",
            Tongue::Rooms => "/",
            Tongue::Socketio => "/socket.io/?EIO=4&transport=websocket",
        };
        let mut client = Client::connect(address, path);
        self.hear(&mut client, "\r\n\r\n");
        match self.tongue {
            Tongue::Native => {
                client.send(&format!(
                    r#"{{"id":1,"op":"hello","d":{{"token":"badge-{number}","subscribe":"mine"}}}}"#
                ));
                self.hear(&mut client, r#""head":"#);
            }
            Tongue::Rooms => {
                client.send(&format!(
                    r#"{{"type":"join","payload":{{"name":"u{number}","roomId":"{DEN}","pass":""}}}}"#
                ));
                self.hear(&mut client, "Successfully joined");
            }
            Tongue::Socketio => {
                self.hear(&mut client, "pingInterval");
                client.send("40");
                self.hear(&mut client, "40{");
                client.send(&format!(r#"420["join_room","{DEN}"]"#));
                self.hear(&mut client, r#""success":true"#);
            }
        }
        self.go_on();
        client
    }

    /// Waits for something that a client is told.
    fn hear(&self, client: &mut Client, what: &str) {
        for _ in 0..PATIENCE {
            self.go_on();
            if client.has_heard(what) {
                return;
            }
        }
        panic!("no {what:?} in {client:?}");
    }

    /// Has so many members say something at once, and waits until everybody has heard it.
    fn post(&mut self, lines: usize, count: &mut dyn FnMut(&mut dyn FnMut())) {
        let members = self.clients.len();
        for _ in 0..lines {
            self.said += 1;
            let author = self.said * STRIDE % members;
            let frame = self.frame();
            let client = self.clients.get_mut(author).expect("it is one of them");
            client.send(&frame);
            client.owed += usize::from(self.tongue.echoes());
            for (number, other) in self.clients.iter_mut().enumerate() {
                other.owed += usize::from(number != author);
            }
        }
        for _ in 0..PATIENCE {
            count(&mut || self.go_on());
            let missing = self.clients.iter_mut().filter_map(|it| it.listen(BODY));
            if missing.count() == 0 {
                return;
            }
        }
        panic!("not everybody hears what is said");
    }

    /// What a member sends.
    fn frame(&self) -> String {
        let (number, text) = (self.said, body(64).as_str().replace('"', "\\\""));
        match self.tongue {
            Tongue::Native => format!(
                r#"{{"id":{number},"op":"post","d":{{"room":{DEN},"cid":"{number:016x}","body":"{text}"}}}}"#
            ),
            Tongue::Rooms => {
                format!(r#"{{"type":"chat","payload":{{"roomId":"{DEN}","msg":"{text}"}}}}"#)
            }
            Tongue::Socketio => {
                format!(r#"42["send_message",{{"roomId":"{DEN}","message":"{text}"}}]"#)
            }
        }
    }
}

/// Starts a server with a room of users 1 to `members`; gives its address.
async fn serve(members: usize) -> SocketAddr {
    let mut past = engine();
    let log = fill(&mut past, DEN, members as u64);
    let store = Memory::named("kept");
    keep(
        &store,
        vec![append(log.into_iter().map(Arc::new).collect())],
    )
    .await;
    let mut config = Config::default();
    config.workers = NonZeroUsize::new(1);
    config.lift_rate_limits();
    config.server_limits.silent_sockets_per_address_max = usize::MAX;
    let server = Server::builder(config)
        .store(Arc::new(store))
        .clock(Arc::new(ManualClock::new(Timestamp::new(NOON_MS))))
        .authenticator(Arc::new(Badges))
        .start_here()
        .await
        .expect("nothing is in its way");
    let listen = Listen {
        address: (Ipv4Addr::LOCALHOST, 0).into(),
        dialect: None,
    };
    server.listen(listen).await.expect("loopback has a port")
}

/// Knows people by badges: `badge-7` is user 7.
#[derive(Debug)]
struct Badges;

#[async_trait]
impl Authenticator for Badges {
    async fn authenticate(&self, token: &str) -> Result<Verdict, AuthError> {
        let number = token.strip_prefix("badge-").and_then(|it| it.parse().ok());
        let user = number.and_then(|it: u64| UserId::try_from(it).ok());
        let user = user.ok_or(TokenFault::Malformed)?;
        let name = Name::new(&format!("u{user}")).map_err(|_| TokenFault::Malformed)?;
        Ok(Verdict::Holder(Identity::new(user, name)))
    }
}

/// What each frame that is delivered has in it, and no other.
const BODY: &[u8] = b"harbour";

/// How often the server looks for what has come, before the clients look whether they have heard it:
/// in the first round it finds out, in the second one it does all there is to do.
const ROUNDS: usize = 2;

/// How often they look.
const PATIENCE: usize = 1_000;

/// Steps from one author to the next, so that the posts come from all over the room.
const STRIDE: usize = 7_919;

const NOON_MS: u64 = 1_767_268_800_000;
