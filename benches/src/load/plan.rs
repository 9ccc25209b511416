//! A run as it was asked for, checked and complete.

use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::time::Duration;

use super::driver;
use super::line::MARKER_BYTES;
use super::options::{DriverName, Mode, Options, Switch, WaitFor};

/// Who takes part in a run, and what is said.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where the server is.
    pub server: SocketAddr,
    /// Its name and port, as told to it.
    pub host: String,
    /// A path in place of the driver's own.
    pub path: Option<String>,
    /// Members who are measured.
    pub connections: usize,
    /// Members who never read, beside those.
    pub stalled: usize,
    /// Rooms.
    pub rooms: usize,
    /// Rooms beside those, each with one of the members in it, where nobody talks.
    pub quiet_rooms: usize,
    /// Members of each room who talk.
    pub senders: usize,
    /// Whether senders hear themselves.
    pub echo: bool,
    /// Bytes of a line.
    pub body: usize,
    /// When lines are said.
    pub pace: Pace,
    /// Addresses that connections come from.
    pub sources: u32,
    /// Connections that are being opened at a time.
    pub connecting: usize,
    /// How long a line may take before it counts as lost.
    pub patience: Duration,
    /// The mark of this run's lines.
    pub run: u16,
}

/// When lines are said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// Each sender says his next line when an earlier one is done.
    Closed {
        /// Lines of a sender under way.
        in_flight: usize,
        /// When one of them is done.
        wait_for: WaitFor,
    },
    /// So many lines a second, in all.
    Fixed(f64),
}

/// The place of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seat {
    /// His connection's number.
    pub member: usize,
    /// His room.
    pub room: usize,
    /// His place in it.
    pub place: usize,
}

impl Plan {
    /// Checks what was asked for.
    ///
    /// # Errors
    ///
    /// What can't be, in words.
    pub fn new(options: &Options, run: u16) -> Result<Self, String> {
        let (server, host, path) = address(&options.url)?;
        let driver = driver::named(options.driver);
        let least = options.connections.checked_div(options.rooms).unwrap_or(0);
        let senders = match options.mode {
            // The others aren't there while something is said.
            Mode::Resume => 1,
            Mode::Talk | Mode::Idle | Mode::Storm => options.senders.min(least),
        };
        let plan = Self {
            server,
            host,
            path,
            connections: options.connections,
            stalled: options.stalled,
            rooms: options.rooms,
            quiet_rooms: options.quiet_rooms,
            senders,
            echo: options
                .echo
                .map_or(driver.echoes(), |echo| echo == Switch::On),
            body: options.body,
            pace: options.rate.map_or(
                Pace::Closed {
                    in_flight: options.in_flight,
                    wait_for: options.wait_for,
                },
                Pace::Fixed,
            ),
            sources: options.sources,
            connecting: options.connecting.max(1),
            patience: Duration::default(),
            run,
        };
        plan.check(options)?;
        let patience = Duration::from_secs_f64(options.patience);
        Ok(Self { patience, ..plan })
    }

    fn check(&self, options: &Options) -> Result<(), String> {
        let least = self.connections / self.rooms.max(1);
        let listeners = least.saturating_sub(usize::from(!self.echo));
        let spans = [
            options.warm_up,
            options.duration,
            options.hold,
            options.patience,
        ];
        let wrong = if self.rooms == 0 || self.connections < self.rooms {
            "each room needs a member"
        } else if self.rooms > usize::from(u16::MAX) || self.senders > SENDERS_MAX {
            "there are at most 65535 rooms and 1048575 senders in each"
        } else if self.connections.saturating_mul(self.senders) > ACCOUNTS_MAX {
            "so many members and senders don't fit into memory: take fewer senders"
        } else if self.senders == 0 || options.in_flight == 0 || listeners == 0 {
            "somebody has to talk, and somebody to listen"
        } else if self.body < MARKER_BYTES {
            "a line needs 36 bytes for what it is known by"
        } else if options
            .rate
            .is_some_and(|rate| rate.is_nan() || rate <= 0.0)
        {
            "a rate is above zero"
        } else if !spans.iter().all(|span| (0.0..=SPAN_S_MAX).contains(span)) {
            "a span has from 0 to 86400 seconds"
        } else if !(1..=SOURCES_MAX).contains(&self.sources) {
            "there are from 1 to 65535 source addresses"
        } else if self.sources > 1 && !self.server.ip().is_loopback() {
            "several source addresses need a server on the loopback"
        } else if options.wait_for == WaitFor::Own && !self.echo {
            "whoever doesn't hear himself can't wait for it"
        } else if options.mode == Mode::Resume && options.driver != DriverName::Native {
            "only the native protocol resumes"
        } else if self.quiet_rooms > 0 && options.driver != DriverName::Native {
            "only the native protocol makes quiet rooms"
        } else {
            return Ok(());
        };
        Err(wrong.to_owned())
    }

    /// Where a member sits.
    #[must_use]
    pub const fn seat(&self, member: usize) -> Seat {
        Seat {
            member,
            room: member % self.rooms,
            place: member / self.rooms,
        }
    }

    /// The address that a member comes from, if it isn't left to the system.
    #[must_use]
    pub fn source(&self, member: usize) -> Option<SocketAddr> {
        let number = u32::try_from(member).unwrap_or(u32::MAX) % self.sources;
        let address = Ipv4Addr::from_bits(Ipv4Addr::LOCALHOST.to_bits() + number);
        (self.sources > 1).then(|| SocketAddr::from((address, 0)))
    }

    /// The name of a room, the same in no other run.
    #[must_use]
    pub fn room_name(&self, room: usize) -> String {
        format!("load-{:04x}-{room}", self.run)
    }
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            server: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            host: "localhost".to_owned(),
            path: None,
            connections: 1,
            stalled: 0,
            rooms: 1,
            quiet_rooms: 0,
            senders: 1,
            echo: true,
            body: MARKER_BYTES,
            pace: Pace::Fixed(1.0),
            sources: 1,
            connecting: 1,
            patience: Duration::from_secs(5),
            run: 0,
        }
    }
}

/// The parts of a URL: address, host as it is told to the server, and path.
fn address(url: &str) -> Result<(SocketAddr, String, Option<String>), String> {
    let schemes = ["ws://", "http://"];
    let rest = schemes.iter().find_map(|scheme| url.strip_prefix(scheme));
    let rest = rest.ok_or_else(|| format!("{url} doesn't begin with ws:// or http://"))?;
    let (host, path) = match rest.split_once('/') {
        Some((host, "")) => (host, None),
        Some((host, path)) => (host, Some(format!("/{path}"))),
        None => (rest, None),
    };
    let port = if host.contains(':') { "" } else { ":80" };
    let mut found = format!("{host}{port}")
        .to_socket_addrs()
        .map_err(|why| format!("{host} isn't found: {why}"))?;
    let server = found
        .next()
        .ok_or_else(|| format!("{host} has no address"))?;
    Ok((server, host.to_owned(), path))
}

/// As many places as a marker can name.
const SENDERS_MAX: usize = 0xf_ffff;

/// Members times senders of their room: four bytes each.
const ACCOUNTS_MAX: usize = 500_000_000;

const SOURCES_MAX: u32 = 65_535;

/// A day.
const SPAN_S_MAX: f64 = 86_400.0;

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::options::Cli;
    use super::*;

    fn plan(flags: &str) -> Result<Plan, String> {
        let line = format!("chat-load --url ws://127.0.0.1:1 {flags}");
        let cli = Cli::try_parse_from(line.split_whitespace()).map_err(|why| why.to_string())?;
        Plan::new(&cli.options.unwrap(), 7)
    }

    #[test]
    fn members_sit_evenly_in_rooms() {
        let plan = plan("--connections 10 --rooms 3 --senders 8").unwrap();
        assert_eq!(plan.senders, 3, "as many as each room has");
        let rooms = (0..10)
            .map(|member| plan.seat(member).room)
            .collect::<Vec<_>>();
        assert_eq!(rooms, [0, 1, 2, 0, 1, 2, 0, 1, 2, 0]);
        assert_eq!(plan.seat(7).place, 2);
        assert_eq!(plan.source(7), None);
    }

    #[test]
    fn what_can_not_be_is_refused_in_words() {
        for (flags, words) in [
            ("--connections 2 --rooms 3", "each room needs a member"),
            ("--rooms 0", "each room needs a member"),
            ("--body 35", "a line needs 36 bytes"),
            ("--driver rooms --wait-for own", "doesn't hear himself"),
            ("--driver rooms --connections 1", "somebody to listen"),
            ("--driver ws --mode resume", "only the native"),
            ("--driver rooms --quiet-rooms 1", "only the native"),
            ("--rate 0", "above zero"),
            ("--rate 5 --in-flight 2", "cannot be used with"),
            ("--sources 0", "source addresses"),
        ] {
            let said = plan(flags).unwrap_err();
            assert!(said.contains(words), "{flags}: {said}");
        }
    }

    #[test]
    fn a_url_is_an_address_and_perhaps_a_path() {
        let parts = |url| address(url).map(|(server, _, path)| (server.port(), path));
        assert_eq!(parts("ws://127.0.0.1:81"), Ok((81, None)));
        assert_eq!(parts("http://127.0.0.1/"), Ok((80, None)));
        let path = Some("/chat?a=b".to_owned());
        assert_eq!(parts("ws://127.0.0.1:81/chat?a=b"), Ok((81, path)));
        assert!(parts("127.0.0.1:81").is_err());
    }
}
