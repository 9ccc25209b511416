//! A session of somebody who only listens: his request says hello for him, and its response is what
//! he hears.

use std::net::IpAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;

use chat_protocol::answer::{Answer, ResumeState};
use chat_protocol::code::{Code, Refusal};
use chat_protocol::command::{Hello, Subscribe};
use chat_protocol::dialect::{Dialect, Ticket};
use tokio::sync::oneshot;

use super::carrier::Carrier;
use super::{After, Guest, Session, driven};
use crate::events::{self, Feed, Pipe};
use crate::node::RECONNECT_MS;
use crate::places::Connected;
use crate::worker::Worker;

/// Somebody who is about to listen.
#[derive(Debug)]
pub(crate) struct Listener {
    /// The way to his response.
    pub(crate) pipe: Pipe,
    /// Who he is, what he listens to, and from where on.
    pub(crate) hello: Hello,
    /// Where he comes from.
    pub(crate) address: IpAddr,
    /// The place of his connection among the process's, if we accepted it.
    pub(crate) place: Option<Arc<Connected>>,
    /// Hears whether he may.
    pub(crate) answer: oneshot::Sender<Result<(), Refusal>>,
}

/// The number of the frame that the request stands for.
const HELLO: u64 = 0;

/// What waits at most before a reader comes back whose connection has broken, above the least, in
/// milliseconds: all of them come back at once if the server dies.
const SPREAD_MS: u64 = 4 * RECONNECT_MS;

/// Talks to a listener, from his hello to his end.
pub(crate) async fn listen(worker: Rc<Worker>, listener: Listener) {
    let Listener {
        pipe,
        hello,
        address,
        place,
        answer,
    } = listener;
    let node = &worker.node;
    if node.is_stopping() {
        // Nobody would tell it to end. Whoever doesn't wait needs no answer.
        return drop(answer.send(Err(Refusal::new(Code::ShuttingDown))));
    }
    let (epoch, bytes_max) = (node.store().epoch(), node.limits().outbox_bytes_max);
    let retry_ms = RECONNECT_MS / 2 + node.draw() % SPREAD_MS;
    let feed = Box::new(Feed::new(pipe, epoch, bytes_max, retry_ms));
    let mut carrier = Carrier::Feed(feed);
    let guest = Guest {
        dialect: Some(Dialect::Native),
        address,
        page: None,
        token: None,
        silent: None,
    };
    let mut session = Session::begin(worker, &carrier, guest);
    session.link.works.set(true);
    let begun = Box::pin(async {
        let begun = pin!(session.begin_to_listen(hello, answer));
        driven(&mut carrier, begun).await
    })
    .await;
    session.link.works.set(false);
    let close = match begun {
        true => session.converse(&mut carrier).await,
        false => None,
    };
    Box::pin(session.end(&mut carrier, close)).await;
    drop(place);
}

impl Session {
    /// Says hello for the listener, tells whoever waits what became of it, and has him hear what he
    /// has missed; tells whether he goes on to listen.
    async fn begin_to_listen(
        &mut self,
        hello: Hello,
        answer: oneshot::Sender<Result<(), Refusal>>,
    ) -> bool {
        let resumed: Vec<_> = hello.resume.keys().copied().collect();
        let named = matches!(hello.subscribe, Subscribe::Rooms(_));
        let (mut welcome, follow) = match self.hello(hello).await {
            Ok((Answer::Welcome(welcome), After::CatchUp(follow))) => (welcome, follow),
            Ok(_) => return false,
            Err(refusal) => {
                drop(answer.send(Err(refusal)));
                return false;
            }
        };
        if named {
            self.link.follows.set(false);
        }
        if answer.send(Ok(())).is_err() {
            return false;
        }
        for room in resumed {
            // One that he is no member of any more is none that he asks for.
            welcome.rooms.entry(room).or_insert(ResumeState::Gone);
        }
        // All positions are known before the first of them moves: he may be gone by then.
        for (room, position) in &follow {
            events::follow(&self.link.outbox, *room, *position);
        }
        let welcome = Ok(Answer::Welcome(welcome));
        self.answer(&Ticket::numbered(HELLO), &welcome);
        for (room, position) in follow {
            self.catch_up(room, position).await;
        }
        true
    }
}
