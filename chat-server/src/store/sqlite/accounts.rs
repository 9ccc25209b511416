//! Accounts, their log-ins, and whom they want to hear nothing from.

use std::sync::Arc;

use chat_core::{Name, Timestamp, UserId};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::column::{int, maybe, number, text};
use super::fault::{Fault, Result};
use crate::store::project::fold_email;
use crate::store::{Account, Created, NewAccount};

macro_rules! select {
    ($from:literal) => {
        concat!(
            "SELECT a.id, a.name, a.email, a.handle, a.password_hash, a.suspended, e.epoch,",
            " a.created_at, a.updated_at FROM ",
            $from
        )
    };
}

fn read(row: &Row<'_>) -> Result<Account> {
    Ok(Account {
        user: number(row, 0)?,
        name: text(row, 1)?.ok_or_else(|| Fault::damaged("an account without a name"))?,
        email: row.get(2)?,
        handle: text(row, 3)?,
        password_hash: row.get(4)?,
        suspended: row.get(5)?,
        token_epoch: maybe(row, 6)?.unwrap_or_default(),
        created_at: number(row, 7)?,
        updated_at: number(row, 8)?,
    })
}

fn one(db: &Connection, sql: &str, key: &[&dyn rusqlite::ToSql]) -> Result<Option<Account>> {
    let mut query = db.prepare_cached(sql)?;
    let mut found = query.query(key)?;
    found.next()?.map(read).transpose()
}

/// Makes an account, unless somebody goes by one of its names.
pub(super) fn create(db: &Connection, account: &NewAccount) -> Result<Created> {
    let name = account.name.skeleton();
    let handle = account.handle.as_ref().map(Name::skeleton);
    let email = account.email.as_deref().map(fold_email);
    if is_login(db, &name)? {
        return Ok(Created::NameTaken);
    }
    if let Some(handle) = &handle
        && is_login(db, handle)?
    {
        return Ok(Created::HandleTaken);
    }
    if let Some(email) = &email
        && by_email(db, email)?.is_some()
    {
        return Ok(Created::EmailTaken);
    }
    db.execute(
        "INSERT INTO accounts
             (name, email, email_fold, handle, password_hash, created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)",
        params![
            account.name.as_str(),
            account.email,
            email,
            account.handle.as_ref().map(Name::as_str),
            account.password_hash,
            int(account.at)
        ],
    )?;
    let id = db.last_insert_rowid();
    for skeleton in [Some(name), handle].into_iter().flatten() {
        db.execute(
            "INSERT OR IGNORE INTO logins (skeleton, user) VALUES (?1, ?2)",
            params![skeleton, id],
        )?;
    }
    let user = u64::try_from(id)
        .ok()
        .and_then(|id| UserId::try_from(id).ok())
        .ok_or_else(|| Fault::damaged("the number of an account is out of range"))?;
    if let Some(it) = &account.link {
        link(db, &it.issuer, &it.foreign, user)?;
    }
    by_number(db, user)?
        .map(Created::Account)
        .ok_or_else(|| Fault::damaged("an account is gone as soon as it is made"))
}

fn is_login(db: &Connection, skeleton: &str) -> Result<bool> {
    let found = db
        .prepare_cached("SELECT 1 FROM logins WHERE skeleton = ?1")?
        .query_row([skeleton], |_| Ok(()))
        .optional()?;
    Ok(found.is_some())
}

fn by_email(db: &Connection, email: &str) -> Result<Option<Account>> {
    let sql = select!("accounts a LEFT JOIN token_epochs e ON e.user = a.id WHERE email_fold = ?1");
    one(db, sql, params![email])
}

/// The account that a name, an address or a handle belongs to.
pub(super) fn find(db: &Connection, login: &str) -> Result<Option<Account>> {
    if let Ok(name) = Name::new(login) {
        let sql = select!(
            "logins l JOIN accounts a ON a.id = l.user
             LEFT JOIN token_epochs e ON e.user = a.id WHERE l.skeleton = ?1"
        );
        if let Some(account) = one(db, sql, params![name.skeleton()])? {
            return Ok(Some(account));
        }
    }
    by_email(db, &fold_email(login))
}

/// An account by its number.
pub(super) fn by_number(db: &Connection, user: UserId) -> Result<Option<Account>> {
    let sql = select!("accounts a LEFT JOIN token_epochs e ON e.user = a.id WHERE a.id = ?1");
    one(db, sql, params![int(user)])
}

/// Sets a password's hash.
pub(super) fn set_password(db: &Connection, user: UserId, hash: &str, at: Timestamp) -> Result<()> {
    db.execute(
        "UPDATE accounts SET password_hash = ?2, updated_at = ?3 WHERE id = ?1",
        params![int(user), hash, int(at)],
    )?;
    Ok(())
}

/// Puts another hash in the place of this one; whether it was there.
pub(super) fn replace_hash(db: &Connection, user: UserId, old: &str, new: &str) -> Result<bool> {
    let changed = db.execute(
        "UPDATE accounts SET password_hash = ?3 WHERE id = ?1 AND password_hash = ?2",
        params![int(user), old, new],
    )?;
    Ok(changed > 0)
}

/// Suspends an account, or lets it act again.
pub(super) fn set_suspended(db: &Connection, user: UserId, on: bool, at: Timestamp) -> Result<()> {
    db.execute(
        "UPDATE accounts SET suspended = ?2, updated_at = ?3 WHERE id = ?1",
        params![int(user), on, int(at)],
    )?;
    Ok(())
}

/// Raises the epoch of a user's tokens.
pub(super) fn raise_epoch(db: &Connection, user: UserId) -> Result<u64> {
    let epoch: i64 = db.query_row(
        "INSERT INTO token_epochs (user, epoch) VALUES (?1, 1)
         ON CONFLICT (user) DO UPDATE SET epoch = epoch + 1 RETURNING epoch",
        [int(user)],
        |row| row.get(0),
    )?;
    u64::try_from(epoch).map_err(|_| Fault::damaged("a negative epoch"))
}

/// Voids one log-in.
pub(super) fn revoke(db: &Connection, user: UserId, grant: &str, until: Timestamp) -> Result<()> {
    db.execute(
        "INSERT INTO revoked_grants (user, grant_id, until) VALUES (?1, ?2, ?3)
         ON CONFLICT (user, grant_id) DO UPDATE SET until = max(until, excluded.until)",
        params![int(user), grant, int(until)],
    )?;
    Ok(())
}

/// Forgets log-ins whose tokens have ended by themselves.
pub(super) fn prune_grants(db: &Connection, now: Timestamp) -> Result<()> {
    db.execute("DELETE FROM revoked_grants WHERE until < ?1", [int(now)])?;
    Ok(())
}

/// Whether a token of this user, log-in and epoch still counts.
pub(super) fn token_holds(db: &Connection, user: UserId, grant: &str, epoch: u64) -> Result<bool> {
    // An account that isn't here may be one whose number somebody else is to get.
    Ok(!is_ended(db, user, grant, epoch)? && (user.is_guest() || by_number(db, user)?.is_some()))
}

fn is_ended(db: &Connection, user: UserId, grant: &str, epoch: u64) -> Result<bool> {
    let ended = db
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM revoked_grants WHERE user = ?1 AND grant_id = ?2)
                 OR coalesce((SELECT epoch FROM token_epochs WHERE user = ?1), 0) > ?3",
        )?
        .query_row(params![int(user), grant, int(epoch)], |row| row.get(0))?;
    Ok(ended)
}

/// Which of these log-ins were ended.
pub(super) fn are_ended(db: &Connection, log_ins: &[(UserId, Arc<str>, u64)]) -> Result<Vec<bool>> {
    let log_ins = log_ins.iter();
    let ended = log_ins.map(|(user, grant, epoch)| is_ended(db, *user, grant, *epoch));
    ended.collect()
}

/// The account of somebody who has his account elsewhere.
pub(super) fn linked(db: &Connection, issuer: &str, identity: &str) -> Result<Option<Account>> {
    let sql = select!(
        "links l JOIN accounts a ON a.id = l.user
         LEFT JOIN token_epochs e ON e.user = a.id WHERE l.issuer = ?1 AND l.identity = ?2"
    );
    one(db, sql, params![issuer, identity])
}

/// Links somebody who has his account elsewhere to an account.
pub(super) fn link(db: &Connection, issuer: &str, identity: &str, user: UserId) -> Result<()> {
    db.execute(
        "INSERT OR IGNORE INTO links (issuer, identity, user)
         SELECT ?1, ?2, id FROM accounts WHERE id = ?3",
        params![issuer, identity, int(user)],
    )?;
    Ok(())
}

/// Notes that `by` wants to hear nothing from `user`, or that he does again.
pub(super) fn set_block(db: &Connection, by: UserId, user: UserId, on: bool) -> Result<()> {
    let sql = if on {
        "INSERT OR IGNORE INTO blocks (by, user) VALUES (?1, ?2)"
    } else {
        "DELETE FROM blocks WHERE by = ?1 AND user = ?2"
    };
    db.execute(sql, [int(by), int(user)])?;
    Ok(())
}

/// Whether `by` wants to hear nothing from `user`.
pub(super) fn is_blocked(db: &Connection, by: UserId, user: UserId) -> Result<bool> {
    let found = db
        .prepare_cached("SELECT 1 FROM blocks WHERE by = ?1 AND user = ?2")?
        .query_row([int(by), int(user)], |_| Ok(()))
        .optional()?;
    Ok(found.is_some())
}

/// A value that the server keeps for itself.
pub(super) fn setting(db: &Connection, name: &str, propose: &str) -> Result<String> {
    let name = format!("server.{name}");
    db.execute(
        "INSERT OR IGNORE INTO settings (name, value) VALUES (?1, ?2)",
        [&name, propose],
    )?;
    Ok(db.query_row(
        "SELECT value FROM settings WHERE name = ?1",
        [&name],
        |row| row.get(0),
    )?)
}
