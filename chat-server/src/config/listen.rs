//! Where connections are accepted, and what is spoken there.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use chat_protocol::Dialect;

/// An address on which connections are accepted: `[DIALECT=]IP:PORT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen {
    /// The only dialect that is spoken there; all of them if absent.
    pub dialect: Option<Dialect>,
    /// The address. Port 0 takes any free port.
    pub address: SocketAddr,
}

impl Listen {
    /// A port of the loopback address, for all dialects.
    #[must_use]
    pub fn local(port: u16) -> Self {
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        Self {
            dialect: None,
            address,
        }
    }
}

impl Default for Listen {
    fn default() -> Self {
        Self::local(8080)
    }
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (dialect, address) = match text.split_once('=') {
            None => (None, text),
            Some((name, address)) => (Some(dialect(name)?), address),
        };
        // The one host name whose address needs no asking.
        let numeric = address
            .strip_prefix("localhost:")
            .map(|port| format!("127.0.0.1:{port}"));
        let parsed = numeric.as_deref().unwrap_or(address).parse();
        let address = parsed.map_err(|_| {
            format!("\"{address}\" is not an address such as 127.0.0.1:8080 or [::1]:8080")
        })?;
        Ok(Self { dialect, address })
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(dialect) = self.dialect {
            write!(f, "{}=", dialect.name())?;
        }
        write!(f, "{}", self.address)
    }
}

fn dialect(name: &str) -> Result<Dialect, String> {
    Dialect::from_name(name).ok_or_else(|| {
        let known: Vec<_> = Dialect::ALL.into_iter().map(Dialect::name).collect();
        format!("\"{name}\" is no dialect; known are {}", known.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_be_bound_to_a_dialect() {
        let rooms: Listen = "rooms=0.0.0.0:9000".parse().unwrap();
        assert_eq!(rooms.dialect, Some(Dialect::Rooms));
        assert_eq!(rooms.to_string(), "rooms=0.0.0.0:9000");
        assert_eq!("localhost:8080".parse(), Ok(Listen::default()));
        assert_eq!("[::1]:0".parse::<Listen>().unwrap().dialect, None);
    }

    #[test]
    fn an_address_without_a_port_and_an_unknown_dialect_are_refused() {
        for text in [
            "",
            "8080",
            "127.0.0.1",
            "example.org:80",
            "127.0.0.1:65536",
            "native=",
        ] {
            assert!(text.parse::<Listen>().is_err(), "{text}");
        }
        let why = "irc=127.0.0.1:6667".parse::<Listen>().unwrap_err();
        assert_eq!(
            why,
            "\"irc\" is no dialect; known are native, rooms, socketio, rest, actions, groups"
        );
    }
}
