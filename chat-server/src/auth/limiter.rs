//! How often somebody may guess a password.

mod guests;
mod state;

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chat_core::{Bucket, RoomId, Timestamp, UserId};

pub(crate) use self::guests::GuestRules;
use self::state::{Known, State};
use crate::clock::Clock;
use crate::limits::ServerLimits;

/// Budgets of wrong passwords, for each account, address and room, over all dialects together.
///
/// Only wrong passwords cost something; attempts under way count as wrong until they turn out to be
/// right, so many at once gain nothing. Who was right before, from the same device or address, has
/// a budget of his own: a stranger's guesses can't lock him out.
#[derive(Debug)]
pub struct Limiter {
    clock: Arc<dyn Clock>,
    rules: AttemptRules,
    keys: RandomState,
    state: Mutex<State>,
}

/// How many wrong passwords there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttemptRules {
    /// Whether they are counted at all.
    pub counted: bool,
    /// How many at once.
    pub burst: u64,
    /// Milliseconds after which a further one is allowed.
    pub refill_ms: u64,
}

impl From<&ServerLimits> for AttemptRules {
    fn from(limits: &ServerLimits) -> Self {
        Self {
            counted: limits.rate_limits,
            burst: limits.attempts_burst,
            refill_ms: limits.attempt_refill_ms,
        }
    }
}

/// From where somebody speaks.
#[derive(Clone, Copy, Debug)]
pub struct Whence<'a> {
    /// The address of the connection.
    pub address: IpAddr,
    /// What the client calls its device, if it does.
    pub device: Option<&'a str>,
    /// The origin of the browser's page that speaks, if it is neither one of the server's own nor
    /// one that is allowed.
    pub page: Option<&'a str>,
}

impl<'a> Whence<'a> {
    /// An address, without a device.
    #[must_use]
    pub const fn of(address: IpAddr) -> Self {
        Self {
            address,
            device: None,
            page: None,
        }
    }

    /// The same, as a page of this origin, if it is of one.
    #[must_use]
    pub const fn on_page(self, page: Option<&'a str>) -> Self {
        Self { page, ..self }
    }
}

/// Too many wrong passwords.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many attempts")]
pub struct RateLimited {
    /// Milliseconds after which another attempt is heard.
    pub retry_ms: u64,
}

impl Limiter {
    /// No attempts so far.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, rules: AttemptRules) -> Arc<Self> {
        Arc::new(Self {
            clock,
            rules,
            keys: RandomState::new(),
            state: Mutex::default(),
        })
    }

    /// Begins a log-in: to an account, or to a log-in name that nobody has, which counts the same.
    ///
    /// # Errors
    ///
    /// [`RateLimited`] if there were too many wrong ones.
    pub fn log_in(
        self: &Arc<Self>,
        account: Option<UserId>,
        login: &str,
        whence: Whence<'_>,
    ) -> Result<Attempt, RateLimited> {
        let subject = match account {
            Some(user) => Subject::Account(user),
            None => Subject::Login(self.keys.hash_one(login.trim().to_lowercase())),
        };
        let shared = vec![Key::Subject(subject), Key::Address(network(whence.address))];
        #[cfg(sabotage)]
        let shared = match chat_core::sabotage::planted("accounts_unbudgeted") {
            true => vec![Key::Address(network(whence.address))],
            false => shared,
        };
        self.begin(subject, shared, self.devices(whence))
    }

    /// Begins to enter a room with a password.
    ///
    /// # Errors
    ///
    /// [`RateLimited`] if there were too many wrong ones.
    pub fn enter(
        self: &Arc<Self>,
        room: RoomId,
        user: UserId,
        whence: Whence<'_>,
    ) -> Result<Attempt, RateLimited> {
        let subject = Subject::Room(room);
        // The user's budget for rooms isn't the one for his log-ins, which strangers may spend.
        let shared = vec![
            Key::Subject(subject),
            Key::Entering(user),
            Key::Address(network(whence.address)),
        ];
        let mut devices = vec![Device::User(user)];
        devices.extend(self.devices(whence));
        self.begin(subject, shared, devices)
    }

    /// Remembers where a log-in began: by whoever knows the account's password.
    pub fn remember(&self, account: UserId, whence: Whence<'_>, grant: Option<&Arc<str>>) {
        let at = self.clock.now();
        let mut state = self.lock();
        for device in self.devices(whence) {
            let grant = grant.cloned();
            state.remember(Subject::Account(account), Known { device, at, grant });
        }
    }

    /// When this address was last right about an account's password, and the log-in that began by
    /// that, as far as it is remembered. A page of another origin counts for itself alone: what
    /// somebody runs who merely looks at it comes from his address, too.
    #[must_use]
    pub fn last_log_in(
        &self,
        account: UserId,
        whence: Whence<'_>,
    ) -> Option<(Timestamp, Option<Arc<str>>)> {
        let page = whence.page;
        #[cfg(sabotage)]
        let page = page.filter(|_| !chat_core::sabotage::planted("page_lends_its_name"));
        let device = match page {
            Some(page) => self.page(whence.address, page),
            None => Device::Address(network(whence.address)),
        };
        let state = self.lock();
        let known = state.success(Subject::Account(account), device)?;
        Some((known.at, known.grant.clone()))
    }

    /// Takes one account off what an address may make of them, whatever becomes of it: it also
    /// finds out whether a name or an e-mail address is taken.
    ///
    /// # Errors
    ///
    /// [`RateLimited`] if there were too many.
    pub fn sign_up(&self, whence: Whence<'_>) -> Result<(), RateLimited> {
        #[cfg(sabotage)]
        if chat_core::sabotage::planted("sign_ups_unbudgeted") {
            return Ok(());
        }
        let burst = SIGN_UPS_BURST.max(self.rules.burst);
        self.spend_one(
            Key::SigningUp(network(whence.address)),
            burst,
            SIGN_UP_REFILL_MS,
        )
    }

    /// Takes one room off what the guests of an address may make of them in a day: each of their
    /// sockets is another guest, who has a budget of his own.
    ///
    /// # Errors
    ///
    /// [`RateLimited`] if there were too many.
    pub fn found(&self, whence: Whence<'_>, a_day_max: u64) -> Result<(), RateLimited> {
        let burst = a_day_max.saturating_mul(GUESTS_PER_ADDRESS);
        let refill_ms = DAY_MS / burst.clamp(1, DAY_MS);
        self.spend_one(Key::Founding(network(whence.address)), burst, refill_ms)
    }

    /// Takes one password off what somebody may set for rooms: each is hashed by the threads that
    /// log-ins wait for.
    ///
    /// # Errors
    ///
    /// [`RateLimited`] if there were too many.
    pub fn set_password(&self, user: UserId) -> Result<(), RateLimited> {
        #[cfg(sabotage)]
        if chat_core::sabotage::planted("set_passwords_unbudgeted") {
            return Ok(());
        }
        self.spend_one(Key::Locking(user), LOCKS_BURST, LOCK_REFILL_MS)
    }

    fn spend_one(&self, key: Key, burst: u64, refill_ms: u64) -> Result<(), RateLimited> {
        self.spend(key, (burst, refill_ms), 1).map(drop)
    }

    /// Takes as many as there are of so many off a budget, and one at least.
    fn spend(
        &self,
        key: Key,
        (burst, refill_ms): (u64, u64),
        most: u64,
    ) -> Result<u64, RateLimited> {
        if !self.rules.counted {
            return Ok(most);
        }
        let now = self.now();
        let mut state = self.lock();
        if !state.make_place(1, now) {
            return Err(RateLimited {
                retry_ms: refill_ms,
            });
        }
        let bucket = &mut state.budgets.entry(key).or_default().bucket;
        for spent in 0..most {
            match bucket.wait_ms(now, burst, refill_ms) {
                0 => *bucket = bucket.spent(now, refill_ms),
                retry_ms if spent == 0 => return Err(RateLimited { retry_ms }),
                _ => return Ok(spent),
            }
        }
        Ok(most)
    }

    fn begin(
        self: &Arc<Self>,
        subject: Subject,
        shared: Vec<Key>,
        devices: Vec<Device>,
    ) -> Result<Attempt, RateLimited> {
        let now = self.now();
        let mut state = self.lock();
        let known = devices
            .iter()
            .find(|device| state.success(subject, **device).is_some());
        #[cfg(sabotage)]
        let known = known.filter(|_| !chat_core::sabotage::planted("known_devices_forgotten"));
        let keys = match known {
            _ if !self.rules.counted => Vec::new(),
            Some(device) => vec![Key::Own(subject, *device)],
            None => shared,
        };
        let waits = keys.iter().map(|key| state.wait_ms(key, now, self.rules));
        let retry_ms = waits.max().unwrap_or(0);
        if retry_ms > 0 {
            return Err(RateLimited { retry_ms });
        }
        if !state.make_place(keys.len(), now) {
            return Err(RateLimited {
                retry_ms: self.rules.refill_ms,
            });
        }
        for key in &keys {
            state.budgets.entry(*key).or_default().under_way += 1;
        }
        Ok(Attempt {
            limiter: Arc::clone(self),
            subject,
            keys,
            is_known: known.is_some(),
            devices,
            settled: false,
        })
    }

    fn settle(&self, attempt: &Attempt, outcome: Outcome) {
        let now = self.now();
        let mut state = self.lock();
        for key in &attempt.keys {
            let budget = state.budgets.entry(*key).or_default();
            budget.under_way = budget.under_way.saturating_sub(1);
            if outcome == Outcome::Wrong {
                budget.bucket = budget.bucket.spent(now, self.rules.refill_ms);
            }
        }
        if outcome == Outcome::Right {
            let at = self.clock.now();
            for device in &attempt.devices {
                let (device, grant) = (*device, None);
                state.remember(attempt.subject, Known { device, at, grant });
            }
        }
    }

    fn devices(&self, whence: Whence<'_>) -> Vec<Device> {
        // The device's own name comes first: its budget can't be spent by neighbours behind the
        // same address.
        let named = whence
            .device
            .map(|device| Device::Named(self.keys.hash_one(device)));
        let address = Device::Address(network(whence.address));
        let page = whence.page.map(|page| self.page(whence.address, page));
        named.into_iter().chain([address]).chain(page).collect()
    }

    fn page(&self, address: IpAddr, page: &str) -> Device {
        Device::Page(
            self.keys
                .hash_one((network(address), page.to_ascii_lowercase())),
        )
    }

    fn now(&self) -> Timestamp {
        let ms = self.clock.elapsed().as_millis();
        Timestamp::saturating(u64::try_from(ms).unwrap_or(u64::MAX))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One attempt, under way. Dropped without an outcome it counts as wrong, so hanging up early gains
/// nothing.
#[derive(Debug)]
#[must_use]
pub struct Attempt {
    limiter: Arc<Limiter>,
    subject: Subject,
    keys: Vec<Key>,
    is_known: bool,
    devices: Vec<Device>,
    settled: bool,
}

impl Attempt {
    /// Whether somebody was right before from there.
    #[must_use]
    pub const fn is_known(&self) -> bool {
        self.is_known
    }

    /// The password was right: nothing is spent, and the device is known from here on.
    pub fn succeed(mut self) {
        self.settle(Outcome::Right);
    }

    /// The password was wrong.
    pub fn fail(mut self) {
        self.settle(Outcome::Wrong);
    }

    /// Nothing was compared, so nothing was learned.
    pub fn withdraw(mut self) {
        self.settle(Outcome::None);
    }

    fn settle(&mut self, outcome: Outcome) {
        if !self.settled {
            self.settled = true;
            self.limiter.settle(self, outcome);
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.settle(Outcome::Wrong);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Right,
    Wrong,
    None,
}

/// What a password is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Subject {
    Account(UserId),
    Login(u64),
    Room(RoomId),
}

impl Subject {
    /// How many devices are remembered: a person has a few, a room has many visitors.
    const fn devices_max(self) -> usize {
        match self {
            Self::Account(_) | Self::Login(_) => 8,
            Self::Room(_) => 256,
        }
    }
}

/// What somebody can be known by who was right before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Device {
    Named(u64),
    Address(IpAddr),
    /// A page of another origin, at an address.
    Page(u64),
    User(UserId),
}

/// Whose budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key {
    Subject(Subject),
    Address(IpAddr),
    Entering(UserId),
    SigningUp(IpAddr),
    Founding(IpAddr),
    Arriving(IpAddr),
    Entered(IpAddr),
    Acting(IpAddr),
    Locking(UserId),
    Own(Subject, Device),
}

#[derive(Clone, Copy, Debug, Default)]
struct Budget {
    bucket: Bucket,
    under_way: u64,
}

/// The part of an address that one customer of a provider has: all of an IPv4 address, the first
/// half of an IPv6 address.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (!0 << 64))),
    }
}

/// Accounts that an address may make at once, and how long it waits for a further one.
const SIGN_UPS_BURST: u64 = 30;
const SIGN_UP_REFILL_MS: u64 = 20_000;
/// So many guests of one address may each make their rooms of a day.
const GUESTS_PER_ADDRESS: u64 = 4;
/// Passwords of rooms that somebody may set at once, and how long he waits for a further one.
const LOCKS_BURST: u64 = 10;
const LOCK_REFILL_MS: u64 = 6_000;
const DAY_MS: u64 = 24 * 60 * 60_000;

#[cfg(test)]
mod tests;
