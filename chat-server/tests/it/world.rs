//! A whole server and real clients of it: what the stories about the wire are told with.

mod plain;
mod request;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use chat_core::Timestamp;
use chat_server::auth::hashing::HashingCost;
use chat_server::clock::ManualClock;
use chat_server::config::{Config, Listen, StoreUrl};
use chat_server::store::Store;
use chat_server::{Builder, Server};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};

pub(crate) use self::plain::Plain;
pub(crate) use self::request::{Said, by, http, http_over, raw, raw_over};

/// How long anything may take before a test gives up: never waited for when all is well.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The password of every account here.
pub(crate) const PASSWORD: &str = "correct horse";

/// A server in this process.
pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) address: SocketAddr,
}

/// Somebody with an account and a token.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) id: u64,
    pub(crate) token: String,
    pub(crate) refresh: String,
}

/// Two workers, everything in memory, no bound on how fast somebody may act.
pub(crate) fn config() -> Config {
    let mut config = Config::default();
    config.store = StoreUrl::Memory;
    config.workers = NonZeroUsize::new(2);
    config.lift_rate_limits();
    config.server_limits.attempts_burst = 1_000;
    config
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(config()).await
    }

    pub(crate) async fn with(config: Config) -> Self {
        Self::started(Server::builder(config)).await
    }

    /// A server over this store, whose clocks stand still at this moment.
    pub(crate) async fn on(store: &Arc<dyn Store>, now: Timestamp) -> Self {
        let server = Server::builder(config())
            .store(store.clone())
            .clock(Arc::new(ManualClock::new(now)));
        Self::started(server).await
    }

    /// A server of these parts, whose passwords are cheap to hash.
    pub(crate) async fn started(server: Builder) -> Self {
        let cheap = HashingCost {
            memory_kib: 8,
            passes: 1,
        };
        let server = server.hashing(cheap).start().await.unwrap();
        let address = server.listen(Listen::local(0)).await.unwrap();
        Self { server, address }
    }

    /// Logs in to an account over HTTP.
    pub(crate) async fn log_in(&self, name: &str) -> Account {
        let login = json!({"login": name, "password": PASSWORD}).to_string();
        let said = http(
            self.address,
            "POST",
            "/v1/auth/login",
            &[],
            login.as_bytes(),
        )
        .await;
        Account::of(&said)
    }

    /// Makes an account over HTTP.
    pub(crate) async fn account(&self, name: &str) -> Account {
        sign_up(self.address, name).await
    }

    /// A fresh token of the same log-in.
    pub(crate) async fn refreshed(&self, account: &Account) -> String {
        let body = json!({"refresh_token": account.refresh}).to_string();
        let path = "/v1/auth/refresh";
        let said = http(self.address, "POST", path, &[], body.as_bytes()).await;
        said.json()["token"].as_str().unwrap().to_owned()
    }

    /// Connects without saying hello.
    pub(crate) async fn connect(&self) -> Native {
        Native::connect(self.address).await
    }

    /// Says hello with an account, following all its rooms.
    pub(crate) async fn enter(&self, account: &Account) -> Native {
        let mut client = self.connect().await;
        client.hello(account).await;
        client
    }

    /// The same, on this worker.
    pub(crate) async fn enter_on(&self, worker: usize, account: &Account) -> Native {
        let hello = json!({"token": account.token, "subscribe": "mine"});
        self.hello_on(worker, &hello).await
    }

    /// Says hello on this worker, and follows no room.
    pub(crate) async fn connect_on(&self, worker: usize, account: &Account) -> Native {
        self.hello_on(worker, &json!({"token": account.token}))
            .await
    }

    async fn hello_on(&self, worker: usize, hello: &Value) -> Native {
        loop {
            let mut client = self.connect().await;
            let welcome = client.ok("hello", hello.clone()).await;
            let session = welcome["session"].as_str().unwrap();
            if session.starts_with(&format!("{worker}-")) {
                return client;
            }
            client.leave().await;
        }
    }

    pub(crate) async fn stop(self) {
        self.server.stop().await;
    }
}

/// Makes an account at the server of this address.
pub(crate) async fn sign_up(address: SocketAddr, name: &str) -> Account {
    let body = json!({"name": name, "password": PASSWORD}).to_string();
    let said = http(address, "POST", "/v1/auth/signup", &[], body.as_bytes()).await;
    assert_eq!(said.status, 201, "{}", said.body);
    Account::of(&said)
}

impl Account {
    pub(crate) fn of(said: &Said) -> Self {
        let said = said.json();
        Self {
            id: said["user"]["id"].as_u64().unwrap(),
            token: said["token"].as_str().unwrap().to_owned(),
            refresh: said["refresh_token"].as_str().unwrap().to_owned(),
        }
    }
}

/// Both halves of a connection, whatever it is made of.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Duplex for T {}

/// A connection of a client.
type Pipe = Box<dyn Duplex>;

/// A client of the native dialect.
pub(crate) struct Native {
    socket: WebSocketStream<Pipe>,
    heard: VecDeque<Value>,
    next_id: u64,
}

impl Native {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        Self::over(stream, address).await
    }

    /// Connects with as little room for what isn't read yet as the system allows.
    pub(crate) async fn connect_narrowly(address: SocketAddr) -> Self {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        Self::over(socket.connect(address).await.unwrap(), address).await
    }

    /// Shakes hands over a stream that is connected.
    pub(crate) async fn over(stream: impl Duplex, address: SocketAddr) -> Self {
        Self::below(stream, address, "").await
    }

    /// Shakes hands over a stream that is connected; none if it ends meanwhile.
    pub(crate) async fn try_over(stream: impl Duplex, address: SocketAddr) -> Option<Self> {
        Some(Self {
            socket: try_shake_hands(stream, address, "/v1/ws").await.ok()?,
            heard: VecDeque::new(),
            next_id: 1,
        })
    }

    /// Shakes hands with a server that is mounted below this path.
    pub(crate) async fn below(stream: impl Duplex, address: SocketAddr, path: &str) -> Self {
        Self {
            socket: shake_hands(stream, address, &format!("{path}/v1/ws")).await,
            heard: VecDeque::new(),
            next_id: 1,
        }
    }

    /// Says hello, and follows all rooms of the account.
    pub(crate) async fn hello(&mut self, account: &Account) -> Value {
        let hello = json!({"token": account.token, "subscribe": "mine"});
        self.ok("hello", hello).await
    }

    /// Says hello with positions to go on from.
    pub(crate) async fn resume(&mut self, account: &Account, positions: Value) -> Value {
        let hello = json!({"token": account.token, "resume": positions});
        self.ok("hello", hello).await
    }

    /// Sends one text message.
    pub(crate) async fn send(&mut self, text: impl Into<String>) {
        self.send_message(Message::text(text.into())).await;
    }

    pub(crate) async fn send_message(&mut self, message: Message) {
        // What is wrong with a connection shows when it is read.
        drop(timeout(PATIENCE, self.socket.send(message)).await.unwrap());
    }

    /// Sends a call without awaiting its reply; gives its number.
    pub(crate) async fn ask(&mut self, op: &str, d: Value) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.send(json!({"id": id, "op": op, "d": d}).to_string())
            .await;
        id
    }

    /// Awaits the reply to a call.
    pub(crate) async fn reply(&mut self, id: u64) -> Result<Value, Value> {
        let mut reply = self
            .find(|frame| frame["re"] == id, &format!("reply to {id}"))
            .await;
        match reply.get_mut("ok") {
            Some(ok) => Ok(ok.take()),
            None => Err(reply["err"].take()),
        }
    }

    /// What a call is granted with; none if the connection ends before that.
    pub(crate) async fn reply_or_end(&mut self, id: u64) -> Option<Value> {
        let reply = self.find_or_end(|frame| frame["re"] == id).await?;
        assert!(reply.get("ok").is_some(), "{reply}");
        Some(reply["ok"].clone())
    }

    /// The reply to a call; none if the connection ends before that.
    pub(crate) async fn outcome_or_end(&mut self, id: u64) -> Option<Result<Value, Value>> {
        let mut reply = self.find_or_end(|frame| frame["re"] == id).await?;
        Some(match reply.get_mut("ok") {
            Some(ok) => Ok(ok.take()),
            None => Err(reply["err"].take()),
        })
    }

    /// The next durable event; none if the connection ends before that.
    pub(crate) async fn event_or_end(&mut self) -> Option<Value> {
        self.find_or_end(|frame| frame.get("ev").is_some()).await
    }

    async fn find_or_end(&mut self, is_meant: impl Fn(&Value) -> bool) -> Option<Value> {
        loop {
            if let Some(place) = self.heard.iter().position(&is_meant) {
                return self.heard.remove(place);
            }
            let frames = self.read("end of the connection").await.ok()?;
            self.heard.extend(frames);
        }
    }

    pub(crate) async fn call(&mut self, op: &str, d: Value) -> Result<Value, Value> {
        let id = self.ask(op, d).await;
        self.reply(id).await
    }

    /// A call that is granted.
    #[track_caller]
    pub(crate) fn ok(&mut self, op: &str, d: Value) -> impl Future<Output = Value> {
        let from = std::panic::Location::caller();
        async move {
            let shown = format!("{op} {d}");
            match self.call(op, d).await {
                Ok(ok) => ok,
                Err(refused) => panic!("{from}: {shown} was refused: {refused}"),
            }
        }
    }

    /// A call that is refused; gives the refusal.
    #[track_caller]
    pub(crate) fn refused(&mut self, op: &str, d: Value) -> impl Future<Output = Value> {
        let from = std::panic::Location::caller();
        async move {
            let shown = format!("{op} {d}");
            match self.call(op, d).await {
                Ok(ok) => panic!("{from}: {shown} was granted: {ok}"),
                Err(refused) => refused,
            }
        }
    }

    /// The code of a refusal.
    pub(crate) async fn code(&mut self, op: &str, d: Value) -> String {
        let refused = self.refused(op, d).await;
        refused["code"].as_str().unwrap().to_owned()
    }

    /// Makes a room, and waits until this session hears it.
    pub(crate) async fn create(&mut self, d: Value) -> u64 {
        let made = self.ok("create_room", d).await;
        let room = made["room"].as_u64().unwrap();
        let born = self.event_of(room).await;
        assert_eq!(born["ev"], "room_created");
        self.synced(room).await;
        room
    }

    /// Posts a line; gives its position.
    pub(crate) async fn post(&mut self, room: u64, body: &str) -> u64 {
        let posted = self.ok("post", json!({"room": room, "body": body})).await;
        posted["seq"].as_u64().unwrap()
    }

    /// Joins a room, and waits until this session hears it.
    pub(crate) async fn join(&mut self, room: u64) {
        self.ok("join", json!({"room": room})).await;
        self.synced(room).await;
    }

    pub(crate) async fn synced(&mut self, room: u64) -> u64 {
        let of = |frame: &Value| frame["sys"] == "synced" && frame["room"] == room;
        let synced = self.find(of, "synced").await;
        synced["seq"].as_u64().unwrap()
    }

    /// The next durable event, which has to be this one.
    pub(crate) async fn event(&mut self, kind: &str) -> Value {
        let event = self.any_event().await;
        assert_eq!(event["ev"], kind, "{event}");
        event
    }

    /// The next durable event.
    pub(crate) async fn any_event(&mut self) -> Value {
        self.find(|frame| frame.get("ev").is_some(), "an event")
            .await
    }

    /// The next durable event of a room.
    pub(crate) async fn event_of(&mut self, room: u64) -> Value {
        let of = |frame: &Value| frame.get("ev").is_some() && frame["room"] == room;
        self.find(of, "an event of the room").await
    }

    pub(crate) async fn signal(&mut self, kind: &str) -> Value {
        self.find(|frame| frame["sig"] == kind, kind).await
    }

    pub(crate) async fn system(&mut self, kind: &str) -> Value {
        self.find(|frame| frame["sys"] == kind, kind).await
    }

    /// The next frame of any kind but pings.
    pub(crate) async fn frame(&mut self) -> Value {
        self.find(|frame| frame["sys"] != "ping", "a frame").await
    }

    /// The first frame that is meant, of those that were passed over and those to come.
    async fn find(&mut self, is_meant: impl Fn(&Value) -> bool, what: &str) -> Value {
        if let Some(place) = self.heard.iter().position(&is_meant) {
            return self.heard.remove(place).unwrap();
        }
        loop {
            let frames = self.read(what).await;
            let frames = frames.unwrap_or_else(|code| panic!("closed ({code}) before {what}"));
            self.heard.extend(frames);
            if let Some(place) = self.heard.iter().position(&is_meant) {
                return self.heard.remove(place).unwrap();
            }
        }
    }

    /// The frames of the next message, or the code that the connection ended with.
    async fn read(&mut self, what: &str) -> Result<Vec<Value>, u16> {
        loop {
            let Ok(message) = timeout(PATIENCE, self.socket.next()).await else {
                panic!("no {what}; passed over: {:?}", self.heard);
            };
            match message {
                Some(Ok(Message::Text(text))) => {
                    let frames = text.lines().map(|line| serde_json::from_str(line).unwrap());
                    return Ok(frames.collect());
                }
                Some(Ok(Message::Close(frame))) => {
                    return Err(frame.map_or(1005, |frame| frame.code.into()));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(1006),
            }
        }
    }

    /// Reads until the connection ends; gives the code, and leaves the frames to be looked at.
    pub(crate) async fn closed(&mut self) -> u16 {
        loop {
            match self.read("end of the connection").await {
                Ok(frames) => self.heard.extend(frames),
                Err(code) => return code,
            }
        }
    }

    /// The next durable event of those that were heard already.
    pub(crate) fn heard_event(&mut self) -> Option<Value> {
        let place = self
            .heard
            .iter()
            .position(|frame| frame.get("ev").is_some())?;
        self.heard.remove(place)
    }

    /// Everything heard and not looked at. Nothing that was under way before is missing: the
    /// server answers in order.
    pub(crate) async fn rest(&mut self) -> Vec<Value> {
        self.ok("limits", json!({})).await;
        self.heard.drain(..).collect()
    }

    /// Closes the connection, and waits until the server has closed it too.
    pub(crate) async fn leave(mut self) {
        drop(self.socket.close(None).await);
        self.closed().await;
    }

    /// The stream below, as it is: dropping it cuts the connection.
    pub(crate) fn cut(self) {
        drop(self.socket.into_inner());
    }
}

async fn shake_hands(
    stream: impl Duplex,
    address: SocketAddr,
    path: &str,
) -> WebSocketStream<Pipe> {
    let shaken = try_shake_hands(stream, address, path).await;
    shaken.unwrap_or_else(|status| panic!("the handshake was refused: {status}"))
}

async fn try_shake_hands(
    stream: impl Duplex,
    address: SocketAddr,
    path: &str,
) -> Result<WebSocketStream<Pipe>, u16> {
    let mut request = format!("ws://{address}{path}")
        .into_client_request()
        .unwrap();
    if path.ends_with("/v1/ws") {
        let protocol = "chat.v1.json".parse().unwrap();
        request
            .headers_mut()
            .insert("sec-websocket-protocol", protocol);
    }
    let stream: Pipe = Box::new(stream);
    let shaken = tokio_tungstenite::client_async(request, stream);
    match timeout(PATIENCE, shaken).await.unwrap() {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(response)) => Err(response.status().as_u16()),
        Err(_) => Err(0),
    }
}
