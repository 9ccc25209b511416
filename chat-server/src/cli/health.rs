//! Asks a running server whether it is ready, as a container's health check does.

mod secure;

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use crate::config::Config;

use super::failure::Failure;
use super::options::Options;
use super::{environment, print};

/// Asks, prints what came back, and fails unless the server is ready.
pub(crate) fn run(options: &Options, url: Option<&str>) -> Result<(), Failure> {
    let target = match url {
        Some(url) => {
            Target::from_url(url).map_err(|why| Failure::Usage(format!("--url: {why}")))?
        }
        None => Target::configured(&environment::load(options)?)
            .ok_or_else(|| Failure::Usage("no fixed port is configured; give --url".into()))?,
    };
    match target.ask() {
        Ok(200) => print("ready\n"),
        Ok(status) => Err(Failure::Failed(format!(
            "{} answers {status}",
            target.authority
        ))),
        Err(why) => Err(Failure::Failed(format!("{}: {why}", target.authority))),
    }
}

/// Sends an operator's wish to the server at a URL; gives the status that comes back.
pub(super) fn post(url: &str, path: &str, token: &str, body: &str) -> Result<u16, Failure> {
    let target = Target::from_url(url).map_err(|why| Failure::Usage(format!("--at: {why}")))?;
    let Target { authority, .. } = &target;
    if token.chars().any(char::is_control) {
        return Err(Failure::Usage("the admin token is no line of text".into()));
    }
    let length = body.len();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\
         Authorization: Bearer {token}\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    );
    let said = target.send(&request);
    said.map_err(|why| Failure::Failed(format!("{authority}: {why}")))
}

/// Where to ask, and for what.
#[derive(Debug, PartialEq, Eq)]
struct Target {
    /// Host and port.
    authority: String,
    path: String,
    /// Whether TLS is spoken there.
    secure: bool,
}

impl Target {
    /// The address on which the configured server speaks HTTP for all; none if its port is drawn.
    fn configured(config: &Config) -> Option<Self> {
        let speaks_tls = config.tls_cert.is_some();
        let public = |listen| (listen, speaks_tls);
        let for_all = config.listen.iter().find(|listen| listen.dialect.is_none());
        let for_all = for_all.map(public);
        let for_operators = config.admin_listen.as_ref().map(|listen| (listen, false));
        let any = config.listen.first().map(public);
        let (listen, secure) = for_all.or(for_operators).or(any)?;
        // Who listens everywhere is asked at home.
        let ip = match listen.address.ip() {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => IpAddr::V6(Ipv6Addr::LOCALHOST),
            ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
        };
        let port = listen.address.port();
        let authority = SocketAddr::new(ip, port).to_string();
        (port != 0).then(|| Self {
            authority,
            path: READY.into(),
            secure,
        })
    }

    /// A URL: its own path if it has one, else the one that tells readiness.
    fn from_url(url: &str) -> Result<Self, String> {
        let Some(rest) = url.strip_prefix("http://") else {
            return Err("must begin with http://".into());
        };
        let (host, path) = match rest.split_once('/') {
            None | Some((_, "")) => (rest.trim_end_matches('/'), READY.to_owned()),
            Some((host, path)) => (host, format!("/{path}")),
        };
        let odd = |text: &str| text.is_empty() || !text.chars().all(|char| char.is_ascii_graphic());
        if odd(host) || odd(&path) || host.contains('@') {
            return Err("must be http://HOST:PORT".into());
        }
        let has_port = host
            .rsplit_once(':')
            .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let authority = if has_port {
            host.to_owned()
        } else {
            format!("{host}:80")
        };
        Ok(Self {
            authority,
            path,
            secure: false,
        })
    }

    /// The status that comes back, or why none does.
    fn ask(&self) -> Result<u16, String> {
        let Self {
            authority, path, ..
        } = self;
        self.send(&format!(
            "GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n"
        ))
    }

    fn send(&self, request: &str) -> Result<u16, String> {
        let found = self
            .authority
            .to_socket_addrs()
            .map_err(|error| error.to_string())?;
        let mut why = "no address".to_owned();
        for address in found {
            match TcpStream::connect_timeout(&address, TIME_MAX) {
                Ok(stream) => return self.send_over(stream, request),
                Err(error) => why = error.to_string(),
            }
        }
        Err(why)
    }

    fn send_over(&self, stream: TcpStream, request: &str) -> Result<u16, String> {
        let words = |error: std::io::Error| error.to_string();
        stream.set_read_timeout(Some(TIME_MAX)).map_err(words)?;
        stream.set_write_timeout(Some(TIME_MAX)).map_err(words)?;
        match self.secure {
            true => converse(secure::over(stream)?, request),
            false => converse(stream, request),
        }
    }
}

fn converse(mut stream: impl Read + Write, request: &str) -> Result<u16, String> {
    let words = |error: std::io::Error| error.to_string();
    stream.write_all(request.as_bytes()).map_err(words)?;
    let mut head = Vec::new();
    // The first line is enough, and whoever sends none for long is not ready.
    while !head.contains(&b'\n') && head.len() < STATUS_LINE_BYTES_MAX {
        let mut part = [0; 64];
        let length = stream.read(&mut part).map_err(words)?;
        if length == 0 {
            break;
        }
        head.extend(part.iter().take(length));
    }
    status(&head).ok_or_else(|| "answers no HTTP".into())
}

/// The status of a response's first line.
fn status(head: &[u8]) -> Option<u16> {
    let line = String::from_utf8_lossy(head);
    let rest = line
        .strip_prefix("HTTP/1.1 ")
        .or_else(|| line.strip_prefix("HTTP/1.0 "))?;
    rest.get(..3)?.parse().ok()
}

/// The path that tells readiness.
const READY: &str = "/readyz";

/// How long connecting, writing and each reading may take.
const TIME_MAX: Duration = Duration::from_secs(3);

const STATUS_LINE_BYTES_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_listens_everywhere_is_asked_at_home() {
        let mut config = Config {
            listen: vec![
                "rooms=127.0.0.1:1".parse().unwrap(),
                "0.0.0.0:81".parse().unwrap(),
            ],
            ..Config::default()
        };
        assert_eq!(
            Target::configured(&config).unwrap().authority,
            "127.0.0.1:81"
        );
        config.listen = vec!["[::]:81".parse().unwrap()];
        assert_eq!(Target::configured(&config).unwrap().authority, "[::1]:81");
        config.listen = vec!["127.0.0.1:0".parse().unwrap()];
        assert_eq!(Target::configured(&config), None);
    }

    #[test]
    fn a_url_has_a_host_and_perhaps_a_port_and_a_path() {
        let target = |url: &str| Target::from_url(url).map(|to| to.authority + &to.path);
        assert_eq!(target("http://a:81").as_deref(), Ok("a:81/readyz"));
        assert_eq!(target("http://[::1]:81/").as_deref(), Ok("[::1]:81/readyz"));
        assert_eq!(target("http://a/healthz").as_deref(), Ok("a:80/healthz"));
        for url in [
            "a:81",
            "https://a",
            "http://",
            "http://a b",
            "http://a/\r\nX: y",
        ] {
            assert!(target(url).is_err(), "{url}");
        }
    }

    #[test]
    fn only_a_status_line_counts_as_an_answer() {
        assert_eq!(status(b"HTTP/1.1 503 Service Unavailable\r\n"), Some(503));
        assert_eq!(status(b"SSH-2.0-OpenSSH\r\n"), None);
        assert_eq!(status(b"HTTP/1.1 \xff\xff\xff"), None);
        assert_eq!(status(b""), None);
    }
}
