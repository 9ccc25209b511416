//! Who takes part.

/// A server under one of its names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contender {
    /// What it is called, on the command line too.
    pub name: &'static str,
    /// The load generator's driver for it.
    pub driver: &'static str,
    /// What is run.
    pub program: Program,
}

/// What is run for a contender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// Our server with this store.
    Chat(Store),
    /// Our server with the memory store, in a program of its own.
    Own(&'static str),
    /// A program of `benches/peers/rust`, and how it is to work.
    Rust(&'static str, &'static str),
    /// A script of `benches/peers/node`.
    Node(&'static str),
}

/// Where our server keeps rooms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// Nowhere.
    Memory,
    /// In SQLite, with full synchronisation: a line is on disk before anybody hears it.
    Sqlite,
}

/// The floor of one frame per write.
pub const FLOOR_ONE: &str = "floor-1";

/// The floor of many frames per write.
pub const FLOOR_MANY: &str = "floor-16";

/// Everybody, as tables show them.
pub const CONTENDERS: [Contender; 17] = [
    chat("chat-native", "native", Store::Memory),
    chat("chat-native-sqlite", "native", Store::Sqlite),
    Contender {
        name: "chat-native-mounted",
        driver: "native",
        program: Program::Own("mounted"),
    },
    chat("chat-rooms", "rooms", Store::Memory),
    chat("chat-rooms-sqlite", "rooms", Store::Sqlite),
    chat("chat-socketio", "socketio", Store::Memory),
    chat("chat-socketio-sqlite", "socketio", Store::Sqlite),
    chat("chat-polling", "socketio-polling", Store::Memory),
    node("socketio-node", "socketio", "socketio.mjs"),
    node("socketio-node-polling", "socketio-polling", "socketio.mjs"),
    rust("socketioxide", "socketio", "socketioxide", ""),
    node("ws-node", "ws", "ws.mjs"),
    rust("axum", "ws", "axum_chat", ""),
    rust("tungstenite-send", "ws", "tungstenite", "send"),
    rust("tungstenite-feed", "ws", "tungstenite", "feed"),
    rust(FLOOR_ONE, "ws", "floor", "1"),
    rust(FLOOR_MANY, "ws", "floor", "16"),
];

const fn chat(name: &'static str, driver: &'static str, store: Store) -> Contender {
    Contender {
        name,
        driver,
        program: Program::Chat(store),
    }
}

const fn rust(
    name: &'static str,
    driver: &'static str,
    program: &'static str,
    mode: &'static str,
) -> Contender {
    Contender {
        name,
        driver,
        program: Program::Rust(program, mode),
    }
}

const fn node(name: &'static str, driver: &'static str, script: &'static str) -> Contender {
    Contender {
        name,
        driver,
        program: Program::Node(script),
    }
}

impl Contender {
    /// Whether all others are measured against it.
    #[must_use]
    pub fn is_floor(&self) -> bool {
        [FLOOR_ONE, FLOOR_MANY].contains(&self.name)
    }

    /// How many sockets a client of it may hold: who polls and speaks at once needs a second one.
    #[must_use]
    pub fn sockets(&self) -> usize {
        if self.driver.ends_with("polling") {
            2
        } else {
            1
        }
    }
}
