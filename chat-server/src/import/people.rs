//! Users become accounts, and lines find out who they speak of.

use std::collections::{HashMap, HashSet};

use chat_core::{Actor, Name, Password, UserId};

use super::line::{Kind, Secret, User};
use super::report::{Desk, Note, Outcome};
use super::together::{TOGETHER, all};
use super::{ImportError, Options, Source, digest};
use crate::auth::hashing::Hasher;
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
    /// Who bore a name there; nobody, if several did.
    names: HashMap<String, Option<Actor>>,
    /// Ids and names of those who could not be brought: nobody else shall have said their words.
    lost: HashSet<String>,
    /// The accounts of this server's users, so that nobody becomes somebody else of the same server.
    theirs: HashSet<UserId>,
    /// Whose name somebody has who may be another.
    doubtful: Vec<Wish>,
}

/// Somebody who is to have an account.
struct Wish {
    line: u64,
    user: User,
    name: Name,
    email: Option<String>,
    without_email: bool,
    /// What is to become a hash.
    plain: Option<Password>,
    hash: Option<String>,
}

/// A name that can be used, a password that is to be hashed, and a hash that can be read.
type Checked = (Name, Option<Password>, Option<String>);

/// Why somebody isn't brought whose name has an account here.
const HELD: &str =
    "the name belongs to an account here; --link-names says that same names are the same people";

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
            lost: HashSet::new(),
            theirs: HashSet::new(),
            doubtful: Vec::new(),
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

    /// Sees to it that whoever waits has an account, or is refused, or is looked at last.
    async fn settle(&mut self, desk: &mut Desk<'_>) -> Result<(), ImportError> {
        let mut fresh: Vec<(u64, User)> = Vec::new();
        for (line, user) in std::mem::take(&mut self.waiting) {
            let doubtful = self.doubtful.iter().map(|wish| &wish.user.id);
            let mut others = fresh.iter().map(|(_, it)| &it.id).chain(doubtful);
            if others.any(|id| *id == user.id) || self.known.contains_key(&user.id) {
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
            match Self::wish(line, user, account.as_ref()) {
                Ok(wish) => wishes.push((wish, account)),
                Err(lost) => self.lose(line, lost.0, lost.1, desk),
            }
        }
        let (there, new): (Vec<_>, Vec<_>) = wishes
            .into_iter()
            .partition(|(_, account)| account.is_some());
        self.welcome_back(there, desk).await?;
        let new = new.into_iter().map(|(wish, _)| wish).collect();
        self.welcome(new, desk).await
    }

    /// Whoever is linked already; an account that was made for his token gets his password.
    async fn welcome_back(
        &mut self,
        there: Vec<(Wish, Option<Account>)>,
        desk: &mut Desk<'_>,
    ) -> Result<(), ImportError> {
        let (mut wishes, accounts): (Vec<Wish>, Vec<_>) = there.into_iter().unzip();
        self.hash(&mut wishes).await?;
        for (wish, account) in wishes.into_iter().zip(accounts) {
            let Some(account) = account else { continue };
            self.give_password(&account, wish.hash.as_deref()).await?;
            self.admit(wish, &account, Outcome::There, desk);
        }
        Ok(())
    }

    /// Whoever was never seen gets an account, if nobody stands in the way.
    async fn welcome(&mut self, new: Vec<Wish>, desk: &mut Desk<'_>) -> Result<(), ImportError> {
        let free = self.meet(new).await?;
        self.make(free, desk).await
    }

    async fn make(&mut self, mut free: Vec<Wish>, desk: &mut Desk<'_>) -> Result<(), ImportError> {
        self.hash(&mut free).await?;
        let made = all(free.iter().map(|wish| self.create(wish))).await;
        let mut refused = Vec::new();
        for (wish, created) in free.into_iter().zip(made) {
            match created? {
                Created::Account(account) => self.admit(wish, &account, Outcome::Made, desk),
                taken @ (Created::NameTaken | Created::HandleTaken | Created::EmailTaken) => {
                    refused.push((wish, taken));
                }
            }
        }
        for (wish, taken) in refused {
            self.persist(wish, taken, desk).await?;
        }
        Ok(())
    }

    /// Looks who has the names and addresses, before a password is hashed for nothing.
    async fn meet(&mut self, new: Vec<Wish>) -> Result<Vec<Wish>, StoreError> {
        let found = all(new.iter().map(async |wish| {
            let address = match wish.email.as_deref() {
                Some(address) => self.store.find_account(address).await?,
                None => None,
            };
            let name = self.store.find_account(wish.name.as_str()).await?;
            Ok::<_, StoreError>((name, address))
        }));
        let found = found.await;
        let mut free = Vec::new();
        for (mut wish, found) in new.into_iter().zip(found) {
            let (holder, address) = found?;
            if address.is_some() {
                // It is no identity here: its first holder keeps it.
                (wish.email, wish.without_email) = (None, true);
            }
            if holder.is_some_and(|it| !self.theirs.contains(&it.user)) {
                self.doubtful.push(wish);
            } else {
                free.push(wish);
            }
        }
        Ok(free)
    }

    /// Ends with the users: those whose names others have here are judged when all of their server
    /// are known.
    pub(super) async fn finish(&mut self, desk: &mut Desk<'_>) -> Result<(), ImportError> {
        self.settle(desk).await?;
        let mut free = Vec::new();
        for wish in std::mem::take(&mut self.doubtful) {
            let holder = self.store.find_account(wish.name.as_str()).await?;
            match holder.filter(|it| !self.theirs.contains(&it.user)) {
                None => free.push(wish),
                Some(holder) if self.options.link_names => self.link(wish, &holder, desk).await?,
                Some(_) => self.lose(wish.line, wish.user, HELD, desk),
            }
        }
        self.make(free, desk).await
    }

    /// What a user's line comes to, or why it comes to nothing; who has a password here needs no
    /// other.
    fn wish(line: u64, user: User, here: Option<&Account>) -> Result<Wish, Box<(User, String)>> {
        match Self::check(&user, here) {
            Ok((name, plain, hash)) => {
                let email = user.email.as_deref().map(checked_email);
                Ok(Wish {
                    line,
                    name,
                    without_email: email.as_ref().is_some_and(Result::is_err),
                    email: email.and_then(Result::ok),
                    plain,
                    hash,
                    user,
                })
            }
            Err(why) => Err(Box::new((user, why))),
        }
    }

    /// A user's name, and his password or its hash.
    fn check(user: &User, here: Option<&Account>) -> Result<Checked, String> {
        let name = presentable(&user.name).map_err(|_| "the name can't be used here")?;
        if let Some(handle) = &user.handle
            && presentable(handle)
                .ok()
                .is_none_or(|it| it.as_str() != handle)
        {
            return Err("the id can't be logged in with here".into());
        }
        let needs_password = here.is_none_or(|account| account.password_hash.is_none());
        let (plain, hash) = match user.secret.clone().filter(|_| needs_password) {
            Some(Secret::Hash(hash)) if Hasher::can_read(&hash) => (None, Some(hash)),
            Some(Secret::Hash(_)) => {
                let why = "the hash is neither of bcrypt nor of argon2id, or costs too much";
                return Err(why.into());
            }
            Some(Secret::Plain(it)) if it.expose().len() > Password::BYTES_MAX => {
                let bytes_max = Password::BYTES_MAX;
                return Err(format!("a password has at most {bytes_max} bytes"));
            }
            Some(Secret::Plain(it)) => (Some(it), None),
            None => (None, None),
        };
        Ok((name, plain, hash))
    }

    /// Hashes the plain passwords, as many at once as the hasher has threads.
    async fn hash(&self, wishes: &mut [Wish]) -> Result<(), ImportError> {
        let hashed = all(wishes.iter().map(async |wish| match &wish.plain {
            Some(password) => self.hasher.hash(password).await.map(Some),
            None => Ok(None),
        }));
        let hashed = hashed.await;
        for (wish, hash) in wishes.iter_mut().zip(hashed) {
            if let Some(hash) = hash? {
                (wish.hash, wish.plain) = (Some(hash), None);
            }
        }
        Ok(())
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

    /// Goes on with somebody whose name, address or handle another one of his server has.
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
                // Two of the file have the same.
                Created::EmailTaken => (wish.email, wish.without_email) = (None, true),
                Created::HandleTaken => {
                    let why = "the id is the name or handle of another account here";
                    self.lose(wish.line, wish.user, why, desk);
                    return Ok(());
                }
                Created::NameTaken => {
                    // Somebody of the same server whose name looks alike: both are brought.
                    tries += 1;
                    let Ok(name) = suffixed(&wanted, tries) else {
                        self.lose(wish.line, wish.user, "too many have this name", desk);
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
        mut wish: Wish,
        holder: &Account,
        desk: &mut Desk<'_>,
    ) -> Result<(), ImportError> {
        if holder.password_hash.is_none() {
            self.hash(std::slice::from_mut(&mut wish)).await?;
        }
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

    /// Somebody can't be brought, and neither can what he said.
    fn lose(&mut self, line: u64, user: User, why: impl Into<String>, desk: &mut Desk<'_>) {
        self.lost.extend([user.id, user.name]);
        self.lost.extend(user.also);
        desk.refuse(line, Some(Kind::User), why);
    }

    fn admit(&mut self, wish: Wish, account: &Account, outcome: Outcome, desk: &mut Desk<'_>) {
        let actor = Actor::new(account.user, account.name.clone());
        self.theirs.insert(account.user);
        self.names
            .entry(wish.user.name)
            .and_modify(|other| *other = other.take().filter(|it| it.id == actor.id))
            .or_insert_with(|| Some(actor.clone()));
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
        let named = name.filter(|_| from.names_users() && user.is_none());
        if user.or(named).is_some_and(|id| self.lost.contains(id)) {
            return Ok(Err("whoever said it could not be brought".into()));
        }
        let name = match (name, user) {
            (Some(name), _) => name,
            // There, whoever speaks is a name.
            (None, Some(user)) if from == Source::Rooms => user,
            (None, Some(user)) => return Ok(Err(format!("there is no user {user:?}"))),
            (None, None) => return Ok(Err("nobody said it".into())),
        };
        if let Some(Some(actor)) = named.and_then(|name| self.names.get(name)) {
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
