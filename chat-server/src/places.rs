//! How many connections there are, in all and from each address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chat_protocol::code::{Code, Refusal};

use crate::limits::ServerLimits;

/// The connections of a process, as they count against its bounds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    all: AtomicUsize,
    from: Mutex<HashMap<IpAddr, usize>>,
    /// Sockets that have not said who they are.
    silent: Mutex<HashMap<IpAddr, usize>>,
}

/// A place among all connections; it is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Connected {
    counts: Arc<Counts>,
    /// Where it counts as well, unless it is a proxy's.
    _from: Option<Counted>,
    /// The connection that carries this one, if that is a proxy's.
    _below: Option<Arc<Self>>,
}

/// A place among the silent sockets of an address. Most have said soon who they are, and keep no
/// room for this.
#[derive(Debug)]
pub(crate) struct Silent {
    _from: Box<Counted>,
}

/// One of an address's.
#[derive(Debug)]
struct Counted {
    counts: Arc<Counts>,
    kind: Kind,
    network: IpAddr,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Connection,
    Silent,
}

impl Places {
    /// Takes on a connection, of this address unless it is a proxy's.
    ///
    /// # Errors
    ///
    /// What it hears if there are too many.
    pub(crate) fn connect(
        &self,
        address: Option<IpAddr>,
        limits: &ServerLimits,
    ) -> Result<Connected, Refusal> {
        let most = limits.connections_max;
        // Counted first: the place is given back when what is made of it here is dropped.
        let before = self.0.all.fetch_add(1, Ordering::Relaxed);
        let mut connected = Connected {
            counts: self.0.clone(),
            _from: None,
            _below: None,
        };
        if before >= most {
            return Err(Refusal::new(Code::Unavailable).with_detail("max", most as u64));
        }
        if let Some(address) = address {
            connected._from = Some(self.connection_of(address, limits)?);
        }
        Ok(connected)
    }

    /// Takes on a client's socket that a proxy's connection carries.
    ///
    /// # Errors
    ///
    /// What it hears if its address has too many.
    pub(crate) fn carry(
        &self,
        address: IpAddr,
        below: Arc<Connected>,
        limits: &ServerLimits,
    ) -> Result<Connected, Refusal> {
        let from = self.connection_of(address, limits)?;
        self.0.all.fetch_add(1, Ordering::Relaxed);
        Ok(Connected {
            counts: self.0.clone(),
            _from: Some(from),
            _below: Some(below),
        })
    }

    /// Takes on a socket that has not said who it is.
    ///
    /// # Errors
    ///
    /// What it hears if its address has too many of them.
    pub(crate) fn hush(&self, address: IpAddr, limits: &ServerLimits) -> Result<Silent, Refusal> {
        let most = limits.silent_sockets_per_address_max;
        let from = self.count(Kind::Silent, address, most, limits.rate_limits)?;
        Ok(Silent {
            _from: Box::new(from),
        })
    }

    fn connection_of(&self, address: IpAddr, limits: &ServerLimits) -> Result<Counted, Refusal> {
        let most = limits.connections_per_address_max;
        self.count(Kind::Connection, address, most, limits.rate_limits)
    }

    fn count(
        &self,
        kind: Kind,
        address: IpAddr,
        most: usize,
        bounded: bool,
    ) -> Result<Counted, Refusal> {
        let network = network(address);
        let mut counts = self.0.of(kind);
        let held = counts.get(&network).copied().unwrap_or_default();
        #[cfg(sabotage)]
        let most = if chat_core::sabotage::planted("one_connection_too_many") {
            most + 1
        } else {
            most
        };
        if bounded && held >= most {
            return Err(Refusal::new(Code::TooMany).with_detail("max", most as u64));
        }
        counts.insert(network, held + 1);
        drop(counts);
        Ok(Counted {
            counts: self.0.clone(),
            kind,
            network,
        })
    }
}

impl Counts {
    fn of(&self, kind: Kind) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        let counts = match kind {
            Kind::Connection => &self.from,
            Kind::Silent => &self.silent,
        };
        counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.counts.all.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut counts = self.counts.of(self.kind);
        if let Some(count) = counts.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.network);
            }
        }
    }
}

/// What counts as one address: whoever has one of IPv6 has its whole /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let prefix = address.to_bits() >> 64 << 64;
            Ipv6Addr::from_bits(prefix).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> ServerLimits {
        ServerLimits {
            connections_max: 4,
            connections_per_address_max: 2,
            silent_sockets_per_address_max: 1,
            ..ServerLimits::default()
        }
    }

    fn at(address: &str) -> Option<IpAddr> {
        Some(address.parse().unwrap())
    }

    #[test]
    fn an_address_has_its_share_and_all_together_no_more_than_there_are() {
        let (places, limits) = (Places::default(), limits());
        let mut held = Vec::new();
        for (address, code) in [
            ("10.0.0.1", None),
            ("10.0.0.1", None),
            ("10.0.0.1", Some(Code::TooMany)),
            ("::ffff:10.0.0.1", Some(Code::TooMany)),
            ("2001:db8::1", None),
            ("2001:db8::ffff:2", None),
            ("2001:db8:0:0:9::", Some(Code::Unavailable)),
        ] {
            let place = places.connect(at(address), &limits);
            assert_eq!(place.as_ref().err().map(|it| it.code), code, "{address}");
            held.extend(place.ok());
        }
        held.clear();
        assert_eq!(places.0.all.load(Ordering::Relaxed), 0);
        assert!(places.0.of(Kind::Connection).is_empty());
        assert!(places.connect(at("10.0.0.1"), &limits).is_ok());
    }

    #[test]
    fn a_proxy_has_no_share_and_its_clients_have() {
        let (places, limits) = (Places::default(), limits());
        let proxy: Vec<_> = (0..3)
            .map(|_| Arc::new(places.connect(None, &limits).unwrap()))
            .collect();
        let client: IpAddr = at("10.0.0.1").unwrap();
        let first = places.carry(client, proxy[0].clone(), &limits).unwrap();
        let _second = places.carry(client, proxy[1].clone(), &limits).unwrap();
        let third = places.carry(client, proxy[2].clone(), &limits);
        assert_eq!(third.unwrap_err().code, Code::TooMany);
        drop(first);
        assert!(places.carry(client, proxy[2].clone(), &limits).is_ok());
    }

    #[test]
    fn silence_counts_by_itself() {
        let (places, limits) = (Places::default(), limits());
        let address = at("10.0.0.1").unwrap();
        let silent = places.hush(address, &limits).unwrap();
        assert_eq!(
            places.hush(address, &limits).unwrap_err().code,
            Code::TooMany
        );
        assert!(places.connect(Some(address), &limits).is_ok());
        drop(silent);
        assert!(places.hush(address, &limits).is_ok());
    }
}
