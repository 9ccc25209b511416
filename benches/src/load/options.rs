//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Loads a chat server with members who talk, and counts what each of them hears.
///
/// Ends with 0 if everybody heard what he should, with 2 if not, and with 1 if it couldn't run.
#[derive(Debug, Parser)]
#[command(name = "chat-load", args_conflicts_with_subcommands = true)]
#[command(subcommand_negates_reqs = true)]
pub struct Cli {
    /// What to do instead of a run.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The run.
    #[command(flatten)]
    pub options: Option<Options>,
}

/// What can be done beside a run.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Makes one page of the results of several runs.
    Report {
        /// The results, each as a run has written it.
        #[arg(required = true)]
        results: Vec<PathBuf>,
        /// The page.
        #[arg(long)]
        out: PathBuf,
    },
}

/// A run.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// The server: ws://HOST:PORT, with a path if it isn't the dialect's own.
    #[arg(long)]
    pub url: String,
    /// What the server speaks.
    #[arg(long, value_enum, default_value = "native")]
    pub driver: DriverName,
    /// What is measured.
    #[arg(long, value_enum, default_value = "talk")]
    pub mode: Mode,
    /// Members, spread evenly over the rooms.
    #[arg(long, default_value_t = 100)]
    pub connections: usize,
    /// Rooms.
    #[arg(long, default_value_t = 1)]
    pub rooms: usize,
    /// Rooms beside those, each with one of the members in it, where nobody talks (native alone).
    #[arg(long, default_value_t = 0)]
    pub quiet_rooms: usize,
    /// Members of each room who talk.
    #[arg(long, default_value_t = 8)]
    pub senders: usize,
    /// Bytes of a line.
    #[arg(long, default_value_t = 64)]
    pub body: usize,
    /// Lines of a sender that are under way at a time.
    #[arg(long, default_value_t = 1)]
    pub in_flight: usize,
    /// When a line is no longer under way: all have heard it, or its sender has.
    #[arg(long, value_enum, default_value = "all")]
    pub wait_for: WaitFor,
    /// Lines a second, in all, however many are under way.
    #[arg(long, conflicts_with_all = ["in_flight", "wait_for"])]
    pub rate: Option<f64>,
    /// Whether senders hear themselves, if it isn't as usual in the dialect.
    #[arg(long, value_enum)]
    pub echo: Option<Switch>,
    /// Addresses that connections come from: 127.0.0.1, 127.0.0.2 and so on.
    #[arg(long, default_value_t = 1)]
    pub sources: u32,
    /// Further members who never read.
    #[arg(long, default_value_t = 0)]
    pub stalled: usize,
    /// Seconds before the measured span.
    #[arg(long, default_value_t = 5.0)]
    pub warm_up: f64,
    /// Seconds of the measured span.
    #[arg(long, default_value_t = 55.0)]
    pub duration: f64,
    /// Lines of the measured span, if they are said before its time is over; in `resume`, the lines
    /// that are missed in each room.
    #[arg(long)]
    pub lines: Option<u64>,
    /// Seconds of silence in `idle`.
    #[arg(long, default_value_t = 10.0)]
    pub hold: f64,
    /// Seconds after which a line that nobody has heard counts as lost.
    #[arg(long, default_value_t = 5.0)]
    pub patience: f64,
    /// Connections that are being opened at a time.
    #[arg(long, default_value_t = 64)]
    pub connecting: usize,
    /// A process of the server's, for its processor time and memory; may be given several times.
    #[arg(long)]
    pub pid: Vec<u32>,
    /// What the run is called in reports; the driver's name unless given.
    #[arg(long)]
    pub label: Option<String>,
    /// Where the result is written, as JSON; standard output unless given.
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Where the result is written as a page.
    #[arg(long)]
    pub report: Option<PathBuf>,
}

/// What a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DriverName {
    /// The native protocol.
    Native,
    /// The `rooms` dialect.
    Rooms,
    /// Socket.IO over WebSocket, first face.
    Socketio,
    /// Socket.IO over HTTP long polling, first face.
    SocketioPolling,
    /// The `actions` dialect.
    Actions,
    /// No protocol at all: what is sent at `/?room=NAME` goes to everybody there.
    Ws,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// Members talk.
    Talk,
    /// Members are there, and nothing happens.
    Idle,
    /// Members come as fast as the server lets them in.
    Storm,
    /// Members are cut off, miss something, and come back for it (native alone).
    Resume,
}

/// When a line is no longer under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum WaitFor {
    /// All who should hear it have.
    All,
    /// Its sender has.
    Own,
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// It is.
    On,
    /// It isn't.
    Off,
}

/// How a value is spelled on the command line.
pub fn spelled(value: &impl ValueEnum) -> String {
    let value = value.to_possible_value();
    value.map_or_else(String::new, |value| value.get_name().to_owned())
}
