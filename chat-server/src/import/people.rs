//! Users become accounts, and lines find out who they speak of.

use std::collections::{HashMap, HashSet};

use chat_core::{Actor, Name, Password, UserId};

use super::line::{Kind, Secret, User};
use super::report::{Desk, Note, Outcome};
use super::together::{TOGETHER, all};
use super::{ImportError, Options, Source, digest};
use crate::auth::hashing::{HashError, Hasher};
use crate::auth::{checked_email, presentable, suffixed};
use crate::store::{Account, Created, Link, NewAccount, Store, StoreError};

/// Everybody whom the file names.
pub(super) struct People<'a> {
    store: &'a dyn Store,
    hasher: &'a Hasher,
    options: &'a Options,
    issuer: String,
    /// Lines that wait until there are enough of them.
    waiting: Vec<(u64, User)>,
    /// Who bears an id, or turned out to be nobody.
    known: HashMap<String, Option<Actor>>,
    /// Who bore a name there.
    names: HashMap<String, Actor>,
    /// The accounts of this server's users, so that nobody becomes somebody else of the same server.
    theirs: HashSet<UserId>,
}

/// Somebody who is to have an account.
struct Wish {
    line: u64,
    user: User,
    name: Name,
    email: Option<String>,
    without_email: bool,
    hash: Option<String>,
}

impl<'a> People<'a> {
    pub(super) fn new(store: &'a dyn Store, hasher: &'a Hasher, options: &'a Options) -> Self {
        Self {
            store,
            hasher,
            options,
            issuer: options.from.issuer(),
            waiting: Vec::new(),
            known: HashMap::new(),
            names: HashMap::new(),
            theirs: HashSet::new(),
        }
    }

    pub(super) const fn from(&self) -> Source {
        self.options.from
    }

    /// Takes in a user's line.
    pub(super) async fn add(
        &mut self,
        line: u64,
        user: User,
        desk: &mut Desk<'_>,
    ) -> Result<(), ImportError> {
        self.waiting.push((line, user));
        if self.waiting.len() < TOGETHER {
            return Ok(());
        }
        self.settle(desk).await
    }

    /// Sees to it that whoever waits has an account, or is refused.
    pub(super) async fn settle(&mut self, desk: &mut Desk<'_>) -> Result<(), ImportError> {
        let mut fresh: Vec<(u64, User)> = Vec::new();
        for (line, user) in std::mem::take(&mut self.waiting) {
            let is_repeated = fresh.iter().any(|(_, it)| it.id == user.id);
            if is_repeated || self.known.contains_key(&user.id) {
                desk.done(Kind::User, Outcome::There);
            } else {
                fresh.push((line, user));
            }
        }
        let ids = fresh.iter().map(|(_, user)| &user.id);
        let linked = all(ids.map(|id| self.store.linked(&self.issuer, id))).await;
        let mut wishes = Vec::new();
        for ((line, user), linked) in fresh.into_iter().zip(linked) {
            let account = linked?;
            if let Some(account) = &account {
                self.theirs.insert(account.user);
            }
            match self.wish(line, user, account.as_ref()) {
                Ok(wish) => wishes.push((wish, account)),
                Err(why) => desk.refuse(line, Some(Kind::User), why),
            }
        }
        self.hash(&mut wishes).await?;
        let (there, new): (Vec<_>, Vec<_>) = wishes
            .into_iter()
            .partition(|(_, account)| account.is_some());
        for (wish, account) in there {
            let Some(account) = account else { continue };
            self.give_password(&account, wish.hash.as_deref()).await?;
            self.admit(wish, &account, Outcome::There, desk);
        }
        let made = all(new.iter().map(|(wish, _)| self.create(wish))).await;
        for ((wish, _), created) in new.into_iter().zip(made) {
            match created? {
                Created::Account(account) => self.admit(wish, &account, Outcome::Made, desk),
                refused => self.persist(wish, refused, desk).await?,
            }
        }
        Ok(())
    }

    /// What a user's line comes to, if it can be used; who has a password here needs no other.
    fn wish(&self, line: u64, user: User, here: Option<&Account>) -> Result<Wish, String> {
        let name = presentable(&user.name).map_err(|_| "the name can't be used here")?;
        if let Some(handle) = &user.handle
            && presentable(handle)
                .ok()
                .is_none_or(|it| it.as_str() != handle)
        {
            return Err("the id can't be logged in with here".into());
        }
        let email = user.email.as_deref().map(checked_email);
        let needs_hash = here.is_none_or(|account| account.password_hash.is_none());
        let hash = match user.secret.as_ref().filter(|_| needs_hash) {
            Some(Secret::Hash(hash)) if Hasher::can_read(hash) => Some(hash.clone()),
            Some(Secret::Hash(_)) => {
                return Err(
                    "the hash is neither of bcrypt nor of argon2id, or costs too much".into(),
                );
            }
            Some(Secret::Plain(it)) if it.expose().len() > Password::BYTES_MAX => {
                return Err(format!(
                    "a password has at most {} bytes",
                    Password::BYTES_MAX
                ));
            }
            Some(Secret::Plain(_)) | None => None,
        };
        Ok(Wish {
            line,
            name,
            without_email: email.as_ref().is_some_and(Result::is_err),
            email: email.and_then(Result::ok),
            hash,
            user,
        })
    }

    /// Hashes the plain passwords, as many at once as the hasher has threads.
    async fn hash(&self, wishes: &mut [(Wish, Option<Account>)]) -> Result<(), ImportError> {
        let hashed = all(wishes.iter().map(async |(wish, account)| {
            let is_kept = account
                .as_ref()
                .is_some_and(|it| it.password_hash.is_some());
            match &wish.user.secret {
                Some(Secret::Plain(password)) if !is_kept => {
                    self.hash_one(password).await.map(Some)
                }
                Some(Secret::Plain(_) | Secret::Hash(_)) | None => Ok(None),
            }
        }));
        let hashed = hashed.await;
        for ((wish, _), hash) in wishes.iter_mut().zip(hashed) {
            wish.hash = hash?.or(wish.hash.take());
        }
        Ok(())
    }

    async fn hash_one(&self, password: &Password) -> Result<String, HashError> {
        self.hasher.hash(password).await
    }

    async fn create(&self, wish: &Wish) -> Result<Created, StoreError> {
        let handle = wish.user.handle.as_deref();
        self.store
            .create_account(NewAccount {
                name: wish.name.clone(),
                email: wish.email.clone(),
                handle: handle.and_then(|handle| Name::new(handle).ok()),
                password_hash: wish.hash.clone(),
                link: Some(Link {
                    issuer: self.issuer.clone(),
                    foreign: wish.user.id.clone(),
                }),
                at: wish
                    .user
                    .created_at
                    .unwrap_or(self.options.now)
                    .min(self.options.now),
            })
            .await
    }

    /// Goes on with somebody whose name, address or handle is taken.
    async fn persist(
        &mut self,
        mut wish: Wish,
        mut refused: Created,
        desk: &mut Desk<'_>,
    ) -> Result<(), ImportError> {
        let wanted = wish.name.clone();
        let mut tries = 0;
        loop {
            match refused {
                Created::Account(account) => {
                    self.admit(wish, &account, Outcome::Made, desk);
                    return Ok(());
                }
                // The address is no identity here; its first holder keeps it.
                Created::EmailTaken => (wish.email, wish.without_email) = (None, true),
                Created::HandleTaken => {
                    let why = "the id is the name or handle of another account here";
                    desk.refuse(wish.line, Some(Kind::User), why);
                    return Ok(());
                }
                Created::NameTaken => {
                    let holder = self.store.find_account(wish.name.as_str()).await?;
                    let stranger =
                        holder.filter(|it| tries == 0 && !self.theirs.contains(&it.user));
                    match stranger {
                        Some(holder) if self.options.link_names => {
                            return self.link(wish, &holder, desk).await;
                        }
                        Some(_) => {
                            let why = "the name belongs to an account here; --link-names says that \
                                       same names are the same people";
                            desk.refuse(wish.line, Some(Kind::User), why);
                            return Ok(());
                        }
                        // Two of the same server whose names look alike: both are brought.
                        None => {}
                    }
                    tries += 1;
                    let Ok(name) = suffixed(&wanted, tries) else {
                        desk.refuse(wish.line, Some(Kind::User), "too many have this name");
                        return Ok(());
                    };
                    wish.name = name;
                }
            }
            refused = self.create(&wish).await?;
        }
    }

    /// An account of this name is his, as the operator says.
    async fn link(
        &mut self,
        wish: Wish,
        holder: &Account,
        desk: &mut Desk<'_>,
    ) -> Result<(), ImportError> {
        self.give_password(holder, wish.hash.as_deref()).await?;
        self.store
            .link(&self.issuer, &wish.user.id, holder.user)
            .await?;
        self.admit(wish, holder, Outcome::Linked, desk);
        Ok(())
    }

    /// An account without a password, made when somebody's token was first seen, gets his.
    async fn give_password(
        &self,
        account: &Account,
        hash: Option<&str>,
    ) -> Result<(), ImportError> {
        if let (None, Some(hash)) = (&account.password_hash, hash) {
            let now = self.options.now;
            self.store.set_password(account.user, hash, now).await?;
        }
        Ok(())
    }

    fn admit(&mut self, wish: Wish, account: &Account, outcome: Outcome, desk: &mut Desk<'_>) {
        let actor = Actor::new(account.user, account.name.clone());
        self.theirs.insert(account.user);
        self.names.insert(wish.user.name, actor.clone());
        if let Some(also) = wish.user.also {
            self.known.insert(also, Some(actor.clone()));
        }
        self.known.insert(wish.user.id.clone(), Some(actor));
        desk.done(Kind::User, outcome);
        desk.tell(Note::User {
            line: wish.line,
            id: wish.user.id,
            user: account.user,
            name: account.name.clone(),
            outcome,
            without_email: wish.without_email && outcome == Outcome::Made,
        });
    }

    /// The account of an id: of the file, or of a file before.
    pub(super) async fn find(&mut self, id: &str) -> Result<Option<Actor>, ImportError> {
        if let Some(known) = self.known.get(id) {
            return Ok(known.clone());
        }
        let account = self.store.linked(&self.issuer, id).await?;
        let actor = account.map(|it| Actor::new(it.user, it.name));
        self.known.insert(id.to_owned(), actor.clone());
        Ok(actor)
    }

    /// Who spoke in a room: an account, or a guest of that name.
    pub(super) async fn speaker(
        &mut self,
        room: &str,
        user: Option<&str>,
        name: Option<&str>,
    ) -> Result<Result<Actor, String>, ImportError> {
        if let Some(user) = user
            && let Some(actor) = self.find(user).await?
        {
            return Ok(Ok(actor));
        }
        let from = self.options.from;
        let name = match (name, user) {
            (Some(name), _) => name,
            // There, whoever speaks is a name.
            (None, Some(user)) if from == Source::Rooms => user,
            (None, Some(user)) => return Ok(Err(format!("there is no user {user:?}"))),
            (None, None) => return Ok(Err("nobody said it".into())),
        };
        if from.names_users()
            && user.is_none()
            && let Some(actor) = self.names.get(name)
        {
            return Ok(Ok(actor.clone()));
        }
        let chars_max = self.options.limits.name_chars_max;
        Ok(match Name::new(name) {
            Ok(it) if it.chars() <= chars_max => Ok(guest(from, room, it)),
            Ok(_) => Err(format!("a name has at most {chars_max} characters")),
            Err(bad) => Err(bad.to_string()),
        })
    }
}

/// The guest of a name in a room: the same one, however often the file is read.
fn guest(from: Source, room: &str, name: Name) -> Actor {
    let texts = [from.name(), room, name.as_str()].map(str::as_bytes);
    let drawn = digest(&texts).to_le_bytes();
    let mut number = [0; 8];
    for (to, byte) in number.iter_mut().zip(drawn) {
        *to = byte;
    }
    Actor::new(UserId::guest(u64::from_le_bytes(number)), name)
}
