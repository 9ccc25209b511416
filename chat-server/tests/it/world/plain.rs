//! A client without a dialect.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::{Duplex, PATIENCE, Pipe, shake_hands, try_shake_hands};

/// A client that sends and hears texts as they are.
pub(crate) struct Plain(WebSocketStream<Pipe>);

impl Plain {
    pub(crate) async fn connect(address: SocketAddr, path: &str) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        Self::over(stream, address, path).await
    }

    /// Shakes hands over a stream that is connected.
    pub(crate) async fn over(stream: impl Duplex, address: SocketAddr, path: &str) -> Self {
        Self(shake_hands(stream, address, path).await)
    }

    /// Connects, or gives the status with which the handshake was refused.
    pub(crate) async fn try_connect(address: SocketAddr, path: &str) -> Result<Self, u16> {
        let stream = TcpStream::connect(address).await.unwrap();
        try_shake_hands(stream, address, path).await.map(Self)
    }

    pub(crate) async fn send(&mut self, text: &str) {
        // What is wrong with a connection shows when it is read.
        drop(self.0.send(Message::text(text)).await);
    }

    /// The next text, or the code that the connection ended with.
    pub(crate) async fn hear(&mut self) -> Result<String, u16> {
        loop {
            match timeout(PATIENCE, self.0.next()).await.unwrap() {
                Some(Ok(Message::Text(text))) => return Ok(text.as_str().to_owned()),
                Some(Ok(Message::Close(frame))) => {
                    return Err(frame.map_or(1005, |frame| frame.code.into()));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(1006),
            }
        }
    }

    /// Sends a ping, and hears what comes before its pong.
    pub(crate) async fn ping(&mut self) -> Vec<String> {
        drop(self.0.send(Message::Ping(Vec::new().into())).await);
        let mut heard = Vec::new();
        loop {
            match timeout(PATIENCE, self.0.next()).await.unwrap() {
                Some(Ok(Message::Text(text))) => heard.push(text.as_str().to_owned()),
                Some(Ok(Message::Pong(_))) => return heard,
                Some(Ok(_)) => {}
                Some(Err(_)) | None => panic!("closed before the pong"),
            }
        }
    }

    /// Whether the connection goes on: what comes before its answer is passed over.
    pub(crate) async fn lives(&mut self) -> bool {
        drop(self.0.send(Message::Ping(Vec::new().into())).await);
        loop {
            match timeout(PATIENCE, self.0.next()).await.unwrap() {
                Some(Ok(Message::Pong(_))) => return true,
                Some(Ok(Message::Close(_)) | Err(_)) | None => return false,
                Some(Ok(_)) => {}
            }
        }
    }

    /// Closes the connection, and waits until the server has closed it too.
    pub(crate) async fn leave(mut self) {
        drop(self.0.close(None).await);
        while self.hear().await.is_ok() {}
    }

    /// Sends a text and hears the next one.
    pub(crate) async fn ask(&mut self, text: &str) -> String {
        self.send(text).await;
        self.hear().await.unwrap()
    }
}
