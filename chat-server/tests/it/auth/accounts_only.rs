//! A store that keeps accounts and nothing else.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chat_core::{Head, Idx, Key, Name, Record, Room, RoomId, Seq, Standing, Timestamp, UserId};
use chat_protocol::answer::{MemberCard, Message, MyRoom, Page, RoomCard};
use chat_server::store::{
    Account, Append, Appended, Created, DirectoryQuery, Holder, Marker, MessageQuery, NewAccount,
    Store, StoreError,
};

/// Accounts, links, epochs and settings in memory. Everything else is unavailable; once
/// [`AccountsOnly::break_down`] was called, all of it is.
#[derive(Default)]
pub(crate) struct AccountsOnly {
    state: Mutex<State>,
    broken: AtomicBool,
}

#[derive(Default)]
struct State {
    accounts: Vec<Account>,
    links: HashMap<(String, String), UserId>,
    guest_epochs: HashMap<UserId, u64>,
    revoked: HashSet<(UserId, String)>,
    settings: HashMap<String, String>,
}

impl AccountsOnly {
    pub(crate) fn break_down(&self) {
        self.broken.store(true, Ordering::SeqCst);
    }

    /// Everything that is kept, as text, to search it for what must not be there.
    pub(crate) fn dump(&self) -> String {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        format!("{:?}", state.accounts)
    }

    fn state(&self) -> Result<MutexGuard<'_, State>, StoreError> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(unavailable());
        }
        Ok(self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn change(&self, user: UserId, change: impl FnOnce(&mut Account)) -> Result<(), StoreError> {
        let mut state = self.state()?;
        let account = state.accounts.iter_mut().find(|it| it.user == user);
        change(account.ok_or_else(unavailable)?);
        Ok(())
    }
}

fn unavailable() -> StoreError {
    StoreError::Unavailable("this store keeps accounts only".to_owned())
}

fn holds_name(account: &Account, skeleton: &str) -> bool {
    let handle = account.handle.as_ref().map(Name::skeleton);
    account.name.skeleton() == skeleton || handle.as_deref() == Some(skeleton)
}

fn holds_email(account: &Account, email: &str) -> bool {
    let own = account.email.as_ref().map(|email| email.to_lowercase());
    own == Some(email.to_lowercase())
}

#[async_trait]
impl Store for AccountsOnly {
    async fn create_account(&self, new: NewAccount) -> Result<Created, StoreError> {
        let mut state = self.state()?;
        let taken = |name: &Name| {
            let skeleton = name.skeleton();
            state.accounts.iter().any(|it| holds_name(it, &skeleton))
        };
        if taken(&new.name) {
            return Ok(Created::NameTaken);
        }
        if new.handle.as_ref().is_some_and(taken) {
            return Ok(Created::HandleTaken);
        }
        let email_taken = |email| state.accounts.iter().any(|it| holds_email(it, email));
        if new.email.as_deref().is_some_and(email_taken) {
            return Ok(Created::EmailTaken);
        }
        let number = u64::try_from(state.accounts.len()).unwrap() + 1;
        let account = Account {
            user: UserId::new(number),
            name: new.name,
            email: new.email,
            handle: new.handle,
            password_hash: new.password_hash,
            suspended: false,
            token_epoch: 0,
            created_at: new.at,
            updated_at: new.at,
        };
        state.accounts.push(account.clone());
        Ok(Created::Account(account))
    }

    async fn find_account(&self, login: &str) -> Result<Option<Account>, StoreError> {
        let state = self.state()?;
        let skeleton = Name::new(login).ok().map(|name| name.skeleton());
        let found = state.accounts.iter().find(|account| {
            holds_email(account, login)
                || skeleton
                    .as_ref()
                    .is_some_and(|skeleton| holds_name(account, skeleton))
        });
        Ok(found.cloned())
    }

    async fn account(&self, user: UserId) -> Result<Option<Account>, StoreError> {
        let state = self.state()?;
        Ok(state.accounts.iter().find(|it| it.user == user).cloned())
    }

    async fn set_password(&self, user: UserId, hash: &str) -> Result<(), StoreError> {
        self.change(user, |account| {
            account.password_hash = Some(hash.to_owned())
        })
    }

    async fn set_suspended(&self, user: UserId, on: bool) -> Result<(), StoreError> {
        self.change(user, |account| account.suspended = on)
    }

    async fn raise_token_epoch(&self, user: UserId) -> Result<u64, StoreError> {
        let mut state = self.state()?;
        let account = state.accounts.iter_mut().find(|it| it.user == user);
        let account = account.map(|it| &mut it.token_epoch);
        if let Some(epoch) = account {
            *epoch += 1;
            return Ok(*epoch);
        }
        let epoch = state.guest_epochs.entry(user).or_default();
        *epoch += 1;
        Ok(*epoch)
    }

    async fn revoke_grant(
        &self,
        user: UserId,
        grant: &str,
        _until: Timestamp,
    ) -> Result<(), StoreError> {
        self.state()?.revoked.insert((user, grant.to_owned()));
        Ok(())
    }

    async fn token_holds(&self, user: UserId, grant: &str, epoch: u64) -> Result<bool, StoreError> {
        let state = self.state()?;
        let account = state.accounts.iter().find(|it| it.user == user);
        let least = match account {
            Some(account) => account.token_epoch,
            None => state.guest_epochs.get(&user).copied().unwrap_or_default(),
        };
        Ok(epoch >= least && !state.revoked.contains(&(user, grant.to_owned())))
    }

    async fn linked(&self, issuer: &str, foreign: &str) -> Result<Option<Account>, StoreError> {
        let state = self.state()?;
        let user = state.links.get(&(issuer.to_owned(), foreign.to_owned()));
        let account = user.and_then(|user| state.accounts.iter().find(|it| it.user == *user));
        Ok(account.cloned())
    }

    async fn link(&self, issuer: &str, foreign: &str, user: UserId) -> Result<(), StoreError> {
        let key = (issuer.to_owned(), foreign.to_owned());
        self.state()?.links.entry(key).or_insert(user);
        Ok(())
    }

    async fn setting(&self, name: &str, propose: &str) -> Result<String, StoreError> {
        let mut state = self.state()?;
        let value = state.settings.entry(name.to_owned());
        Ok(value.or_insert_with(|| propose.to_owned()).clone())
    }

    async fn append(&self, _: Vec<Append>) -> Result<Vec<Appended>, StoreError> {
        Err(unavailable())
    }

    async fn reserve_room(&self) -> Result<RoomId, StoreError> {
        Err(unavailable())
    }

    async fn load(&self, _: RoomId) -> Result<Option<Room>, StoreError> {
        Err(unavailable())
    }

    async fn records(&self, _: RoomId, _: Seq, _: usize) -> Result<Vec<Arc<Record>>, StoreError> {
        Err(unavailable())
    }

    fn epoch(&self) -> String {
        "e".to_owned()
    }

    async fn continues(&self, _: RoomId, _: &str, _: Seq) -> Result<bool, StoreError> {
        Err(unavailable())
    }

    async fn messages(&self, _: &MessageQuery) -> Result<Vec<Message>, StoreError> {
        Err(unavailable())
    }

    async fn head(&self, _: RoomId, _: Seq) -> Result<(Seq, Option<Head>), StoreError> {
        Err(unavailable())
    }

    async fn holder(&self, _: &Key) -> Result<Option<Holder>, StoreError> {
        Err(unavailable())
    }

    async fn card(&self, _: RoomId) -> Result<Option<RoomCard>, StoreError> {
        Err(unavailable())
    }

    async fn directory(&self, _: &DirectoryQuery) -> Result<Page<RoomCard>, StoreError> {
        Err(unavailable())
    }

    async fn rooms_of(&self, _: UserId) -> Result<Vec<MyRoom>, StoreError> {
        Err(unavailable())
    }

    async fn members(
        &self,
        _: RoomId,
        _: Option<UserId>,
        _: usize,
    ) -> Result<Vec<MemberCard>, StoreError> {
        Err(unavailable())
    }

    async fn marker(&self, _: RoomId, _: UserId) -> Result<Marker, StoreError> {
        Err(unavailable())
    }

    async fn markers(&self, _: RoomId, _: usize) -> Result<Vec<(UserId, Idx)>, StoreError> {
        Err(unavailable())
    }

    async fn mark_read(&self, _: &[(RoomId, UserId, Idx)]) -> Result<(), StoreError> {
        Err(unavailable())
    }

    async fn standing(&self, _: UserId, _: Timestamp) -> Result<Standing, StoreError> {
        Err(unavailable())
    }

    async fn set_block(&self, _: UserId, _: UserId, _: bool) -> Result<(), StoreError> {
        Err(unavailable())
    }

    async fn is_blocked(&self, _: UserId, _: UserId) -> Result<bool, StoreError> {
        Err(unavailable())
    }

    async fn prune(&self, _: Timestamp) -> Result<(), StoreError> {
        Err(unavailable())
    }

    async fn check(&self) -> Result<(), StoreError> {
        Err(unavailable())
    }
}
