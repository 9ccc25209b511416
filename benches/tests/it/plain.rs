//! A plain WebSocket server that sends what it hears to everybody in the room, more or less.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};

/// What a server does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// Nothing.
    None,
    /// The last who came misses the third line.
    Loses,
    /// The last who came hears the third line twice.
    Doubles,
    /// The last who came hears the third line after the fourth.
    Swaps,
    /// The third line is heard in all rooms.
    Leaks,
    /// It hangs up on whoever says the third line.
    HangsUp,
}

/// Starts a server that ends with the test's runtime.
pub(crate) async fn start(flaw: Flaw) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let house = Arc::new(Mutex::new(House {
        rooms: BTreeMap::new(),
        lines: 0,
        late: None,
        flaw,
    }));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, Arc::clone(&house)));
        }
    });
    address
}

struct House {
    rooms: BTreeMap<String, Vec<UnboundedSender<String>>>,
    lines: usize,
    late: Option<String>,
    flaw: Flaw,
}

impl House {
    /// Tells everybody who should hear it; whether its speaker may stay.
    fn say(&mut self, room: &str, line: String) -> bool {
        self.lines += 1;
        let third = self.lines == 3;
        let (last, others) = self.rooms[room].split_last().unwrap();
        let tell = |to: &UnboundedSender<String>, line: &str| drop(to.send(line.to_owned()));
        others.iter().for_each(|other| tell(other, &line));
        match self.flaw {
            Flaw::Loses if third => return true,
            Flaw::Doubles if third => tell(last, &line),
            Flaw::Swaps if third => {
                self.late = Some(line);
                return true;
            }
            Flaw::Leaks if third => {
                let elsewhere = self.rooms.iter().filter(|(name, _)| *name != room);
                elsewhere
                    .flat_map(|(_, all)| all)
                    .for_each(|one| tell(one, &line));
            }
            Flaw::HangsUp if third => return false,
            Flaw::None
            | Flaw::Loses
            | Flaw::Doubles
            | Flaw::Swaps
            | Flaw::Leaks
            | Flaw::HangsUp => {}
        }
        tell(last, &line);
        if let Some(late) = self.late.take() {
            tell(last, &late);
        }
        true
    }
}

async fn serve(stream: TcpStream, house: Arc<Mutex<House>>) {
    let mut room = String::new();
    #[expect(clippy::result_large_err, reason = "tungstenite asks for it so")]
    let note = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        room = request.uri().query().unwrap().to_owned();
        Ok(response)
    };
    let (to_member, mut lines) = unbounded_channel();
    let Ok(socket) = accept_hdr_async(stream, note).await else {
        return;
    };
    let enter = |house: &mut House| house.rooms.entry(room.clone()).or_default().push(to_member);
    enter(&mut house.lock().unwrap());
    let (mut sink, mut stream) = socket.split();
    loop {
        let stays = tokio::select! {
            Some(line) = lines.recv() => sink.send(Message::text(line)).await.is_ok(),
            Some(Ok(Message::Text(line))) = stream.next() => {
                house.lock().unwrap().say(&room, line.to_string())
            }
            else => false,
        };
        if !stays {
            return;
        }
    }
}
