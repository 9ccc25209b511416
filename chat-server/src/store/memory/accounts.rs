//! Accounts and their log-ins.

use std::collections::{BTreeMap, HashMap};

use chat_core::{Name, Timestamp, UserId};

use crate::store::project::fold_email;
use crate::store::{Account, Created, NewAccount};

#[derive(Debug, Default)]
pub(super) struct Accounts {
    accounts: BTreeMap<UserId, Account>,
    /// The highest number that was given.
    last: u64,
    /// Names and handles, by skeleton.
    logins: HashMap<String, UserId>,
    emails: HashMap<String, UserId>,
    links: HashMap<(String, String), UserId>,
    epochs: HashMap<UserId, u64>,
    revoked: HashMap<(UserId, String), Timestamp>,
}

impl Accounts {
    pub(super) fn create(&mut self, mut wish: NewAccount) -> Created {
        let name = wish.name.skeleton();
        let handle = wish.handle.as_ref().map(Name::skeleton);
        let email = wish.email.as_deref().map(fold_email);
        if self.logins.contains_key(&name) {
            return Created::NameTaken;
        }
        if handle
            .as_ref()
            .is_some_and(|handle| self.logins.contains_key(handle))
        {
            return Created::HandleTaken;
        }
        if email
            .as_ref()
            .is_some_and(|email| self.emails.contains_key(email))
        {
            return Created::EmailTaken;
        }
        self.last += 1;
        let user = UserId::new(self.last);
        self.logins.extend(
            [Some(name), handle]
                .into_iter()
                .flatten()
                .map(|login| (login, user)),
        );
        self.emails.extend(email.map(|email| (email, user)));
        let link = wish.link.take();
        let account = Account {
            token_epoch: self.epoch(user),
            ..Account::new(user, wish)
        };
        self.accounts.insert(user, account.clone());
        if let Some(it) = link {
            self.link(&it.issuer, &it.foreign, user);
        }
        Created::Account(account)
    }

    /// Takes an account away, and voids its tokens.
    pub(super) fn erase(&mut self, user: UserId) {
        self.accounts.remove(&user);
        self.logins.retain(|_, it| *it != user);
        self.emails.retain(|_, it| *it != user);
        self.links.retain(|_, it| *it != user);
        self.raise_epoch(user);
    }

    fn epoch(&self, user: UserId) -> u64 {
        self.epochs.get(&user).copied().unwrap_or_default()
    }

    pub(super) fn find(&self, login: &str) -> Option<Account> {
        let by_name = || self.logins.get(&Name::new(login).ok()?.skeleton());
        let user = by_name().or_else(|| self.emails.get(&fold_email(login)))?;
        self.by_number(*user)
    }

    pub(super) fn by_number(&self, user: UserId) -> Option<Account> {
        let account = self.accounts.get(&user)?.clone();
        Some(Account {
            token_epoch: self.epoch(user),
            ..account
        })
    }

    pub(super) fn change(&mut self, user: UserId, change: impl FnOnce(&mut Account)) {
        if let Some(account) = self.accounts.get_mut(&user) {
            change(account);
        }
    }

    pub(super) fn replace_hash(&mut self, user: UserId, old: &str, new: &str) -> bool {
        let account = self.accounts.get_mut(&user);
        let found = account.filter(|it| it.password_hash.as_deref() == Some(old));
        found.is_some_and(|account| {
            account.password_hash = Some(new.into());
            true
        })
    }

    pub(super) fn raise_epoch(&mut self, user: UserId) -> u64 {
        let epoch = self.epochs.entry(user).or_default();
        *epoch += 1;
        *epoch
    }

    pub(super) fn revoke(&mut self, user: UserId, grant: &str, until: Timestamp) {
        let ends = self.revoked.entry((user, grant.into())).or_default();
        *ends = until.max(*ends);
    }

    pub(super) fn prune(&mut self, now: Timestamp) {
        self.revoked.retain(|_, until| *until >= now);
    }

    pub(super) fn token_holds(&self, user: UserId, grant: &str, epoch: u64) -> bool {
        let is_known = user.is_guest() || self.accounts.contains_key(&user);
        is_known && !self.is_ended(user, grant, epoch)
    }

    pub(super) fn is_ended(&self, user: UserId, grant: &str, epoch: u64) -> bool {
        epoch < self.epoch(user) || self.revoked.contains_key(&(user, grant.to_owned()))
    }

    pub(super) fn linked(&self, issuer: &str, foreign: &str) -> Option<Account> {
        self.by_number(*self.links.get(&(issuer.to_owned(), foreign.to_owned()))?)
    }

    pub(super) fn link(&mut self, issuer: &str, foreign: &str, user: UserId) {
        if self.accounts.contains_key(&user) {
            self.links
                .entry((issuer.into(), foreign.into()))
                .or_insert(user);
        }
    }
}
