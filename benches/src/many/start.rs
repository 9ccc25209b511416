//! From the start of the server to its first answer.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::stock::Stock;
use crate::cost::{Spread, measure};
use crate::versus::child::{Place, Running};

/// Turns of each store.
const TURNS: usize = 10;

const PATIENCE: Duration = Duration::from_secs(60);

/// A server that runs.
#[derive(Debug)]
pub struct Server {
    /// Its process.
    pub running: Running,
    /// Where it listens.
    pub port: u16,
}

impl Server {
    /// Starts a server on a store, and waits until it listens.
    ///
    /// # Errors
    ///
    /// Why it doesn't.
    pub fn start(program: &Path, store: &Path, folder: &Path) -> Result<Self, String> {
        let mut command = Place::default().command(program.as_os_str());
        command.current_dir(folder);
        command.args([
            "--listen",
            "127.0.0.1:0",
            "--rate-limits",
            "off",
            "--workers",
            "1",
        ]);
        command
            .arg("--store")
            .arg(format!("sqlite:{}", store.display()));
        let mut running = Running::start(command, &folder.join("server.log"))?;
        let port = running.port(PATIENCE)?;
        Ok(Self { running, port })
    }
}

/// The server's program, which lies beside this one if it was built with the same profile.
///
/// # Errors
///
/// That it isn't there.
pub fn program() -> Result<PathBuf, String> {
    let given = std::env::var_os("CHAT_SERVER").map(PathBuf::from);
    let own = std::env::current_exe().ok();
    let beside = || Some(own?.parent()?.parent()?.join("chat-server"));
    let program = given.or_else(beside).filter(|path| path.is_file());
    program.ok_or_else(|| "not built: cargo build -p chat-server --profile perf".into())
}

/// Starts the server on either store in turn, and prints how long it took until it answered.
///
/// # Panics
///
/// If it doesn't.
pub fn compare(stocks: [&Stock; 2], folder: &Path) {
    println!(
        "Start of the server until it has answered a request, {TURNS} turns, the log just closed\n"
    );
    let program = match program() {
        Ok(program) => program,
        Err(why) => {
            println!("{why}\n");
            return;
        }
    };
    println!("| rooms | messages | ms |");
    println!("|---|---|---|");
    let mut spans = [Vec::new(), Vec::new()];
    for _ in 0..TURNS {
        for (stock, spans) in stocks.iter().zip(&mut spans) {
            let mut server = None;
            let cost = measure(|| server = Some(answer(&program, stock, folder)));
            drop(server);
            spans.push(cost.wall.as_secs_f64() * 1e3);
        }
    }
    for (stock, spans) in stocks.iter().zip(spans) {
        let (rooms, messages) = (stock.size.rooms, stock.size.messages + stock.size.rooms);
        println!("| {rooms} | {messages} | {:.0} |", Spread::of(spans));
    }
    println!();
}

/// A server that has just answered for the first time.
fn answer(program: &Path, stock: &Stock, folder: &Path) -> Server {
    let server = Server::start(program, &stock.path, folder).expect("nothing is in its way");
    let mut stream = TcpStream::connect(("127.0.0.1", server.port)).expect("it listens");
    let request = "GET /readyz HTTP/1.1\r\nHost: chat\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).expect("little fits");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    server
}
