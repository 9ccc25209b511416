//! Accounts, their log-ins, and whom they want to hear nothing from.

use std::sync::Arc;

use chat_core::{Name, Timestamp, UserId};
use tokio_postgres::Row;

use super::column::{get, int, is_storable, maybe, number, text};
use super::fault::{Fault, Result};
use super::tx::{Params, Steps, Tx, params};
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

fn read(row: &Row) -> Result<Account> {
    Ok(Account {
        user: number(row, 0)?,
        name: text(row, 1)?.ok_or_else(|| Fault::damaged("an account without a name"))?,
        email: get(row, 2)?,
        handle: text(row, 3)?,
        password_hash: get(row, 4)?,
        suspended: get(row, 5)?,
        token_epoch: maybe(row, 6)?.unwrap_or_default(),
        created_at: number(row, 7)?,
        updated_at: number(row, 8)?,
    })
}

async fn one(tx: &Tx<'_>, sql: &'static str, key: Params) -> Result<Option<Account>> {
    tx.row(sql, key).await?.as_ref().map(read).transpose()
}

/// Makes an account, unless somebody goes by one of its names. Whoever is as fast with one of them
/// makes this fail by the unique key, and be tried again.
pub(super) async fn create(tx: &Tx<'_>, account: &NewAccount) -> Result<Created> {
    let name = account.name.skeleton();
    let handle = account.handle.as_ref().map(Name::skeleton);
    let email = account.email.as_deref().map(fold_email);
    if is_login(tx, &name).await? {
        return Ok(Created::NameTaken);
    }
    if let Some(handle) = &handle
        && is_login(tx, handle).await?
    {
        return Ok(Created::HandleTaken);
    }
    if let Some(email) = &email
        && by_email(tx, email).await?.is_some()
    {
        return Ok(Created::EmailTaken);
    }
    let sql = "INSERT INTO accounts
             (name, email, email_fold, handle, password_hash, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $6) RETURNING id";
    let wish = params![
        account.name.as_str().to_owned(),
        account.email.clone(),
        email,
        account.handle.as_ref().map(|it| it.as_str().to_owned()),
        account.password_hash.clone(),
        int(account.at)
    ];
    let made = tx.row(sql, wish).await?;
    let made = made.ok_or_else(|| Fault::damaged("an account has no number"))?;
    let user: UserId = number(&made, 0)?;
    let mut steps = Steps::default();
    for skeleton in [Some(name), handle].into_iter().flatten() {
        // A handle may be the same as the name.
        let sql = "INSERT INTO logins (skeleton, person)
             SELECT $1::text, $2::bigint
             WHERE NOT EXISTS (SELECT 1 FROM logins WHERE skeleton = $1 AND person = $2)";
        steps.push(sql, params![skeleton, int(user)]);
    }
    if let Some(it) = &account.link {
        steps.push(
            LINK,
            params![it.issuer.clone(), it.foreign.clone(), int(user)],
        );
    }
    tx.all(&mut steps).await?;
    let made = by_number(tx, user).await?.map(Created::Account);
    made.ok_or_else(|| Fault::damaged("an account is gone as soon as it is made"))
}

async fn is_login(tx: &Tx<'_>, skeleton: &str) -> Result<bool> {
    let sql = "SELECT 1 FROM logins WHERE skeleton = $1";
    let found = tx.row(sql, params![skeleton.to_owned()]).await?;
    Ok(found.is_some())
}

async fn by_email(tx: &Tx<'_>, email: &str) -> Result<Option<Account>> {
    let sql =
        select!("accounts a LEFT JOIN token_epochs e ON e.person = a.id WHERE email_fold = $1");
    one(tx, sql, params![email.to_owned()]).await
}

/// The account that a name, an address or a handle belongs to.
pub(super) async fn find(tx: &Tx<'_>, login: &str) -> Result<Option<Account>> {
    if !is_storable(login) {
        return Ok(None);
    }
    if let Ok(name) = Name::new(login) {
        let sql = select!(
            "logins l JOIN accounts a ON a.id = l.person
             LEFT JOIN token_epochs e ON e.person = a.id WHERE l.skeleton = $1"
        );
        let found = one(tx, sql, params![name.skeleton()]).await?;
        if found.is_some() {
            return Ok(found);
        }
    }
    by_email(tx, &fold_email(login)).await
}

/// An account by its number.
pub(super) async fn by_number(tx: &Tx<'_>, user: UserId) -> Result<Option<Account>> {
    let sql = select!("accounts a LEFT JOIN token_epochs e ON e.person = a.id WHERE a.id = $1");
    one(tx, sql, params![int(user)]).await
}

/// Sets a password's hash.
pub(super) async fn set_password(
    tx: &Tx<'_>,
    user: UserId,
    hash: &str,
    at: Timestamp,
) -> Result<()> {
    let sql = "UPDATE accounts SET password_hash = $2, updated_at = $3 WHERE id = $1";
    tx.execute(sql, params![int(user), hash.to_owned(), int(at)])
        .await?;
    Ok(())
}

/// Puts another hash in the place of this one; whether it was there.
pub(super) async fn replace_hash(tx: &Tx<'_>, user: UserId, old: &str, new: &str) -> Result<bool> {
    let sql = "UPDATE accounts SET password_hash = $3 WHERE id = $1 AND password_hash = $2";
    let wish = params![int(user), old.to_owned(), new.to_owned()];
    Ok(tx.execute(sql, wish).await? > 0)
}

/// Suspends an account, or lets it act again.
pub(super) async fn set_suspended(
    tx: &Tx<'_>,
    user: UserId,
    on: bool,
    at: Timestamp,
) -> Result<()> {
    let sql = "UPDATE accounts SET suspended = $2, updated_at = $3 WHERE id = $1";
    tx.execute(sql, params![int(user), on, int(at)]).await?;
    Ok(())
}

/// Raises the epoch of a user's tokens.
pub(super) async fn raise_epoch(tx: &Tx<'_>, user: UserId) -> Result<u64> {
    let sql = "INSERT INTO token_epochs AS e (person, epoch) VALUES ($1, 1)
         ON CONFLICT (person) DO UPDATE SET epoch = e.epoch + 1 RETURNING epoch";
    let raised = tx.row(sql, params![int(user)]).await?;
    let raised = raised.ok_or_else(|| Fault::damaged("an epoch without a row"))?;
    number(&raised, 0)
}

/// Voids one log-in.
pub(super) async fn revoke(tx: &Tx<'_>, user: UserId, grant: &str, until: Timestamp) -> Result<()> {
    let sql = "INSERT INTO revoked_grants AS g (person, grant_id, until) VALUES ($1, $2, $3)
         ON CONFLICT (person, grant_id) DO UPDATE SET until = greatest(g.until, excluded.until)";
    tx.execute(sql, params![int(user), grant.to_owned(), int(until)])
        .await?;
    Ok(())
}

/// Forgets log-ins whose tokens have ended by themselves.
pub(super) async fn prune_grants(tx: &Tx<'_>, now: Timestamp) -> Result<()> {
    let sql = "DELETE FROM revoked_grants WHERE until < $1";
    tx.execute(sql, params![int(now)]).await?;
    Ok(())
}

/// Whether a token of this user, log-in and epoch still counts.
pub(super) async fn token_holds(
    tx: &Tx<'_>,
    user: UserId,
    grant: &str,
    epoch: u64,
) -> Result<bool> {
    if !is_storable(grant) {
        return Ok(false);
    }
    // An account that isn't here may be one whose number somebody else is to get.
    let sql = "SELECT NOT EXISTS (SELECT 1 FROM revoked_grants WHERE person = $1 AND grant_id = $2)
             AND coalesce((SELECT epoch FROM token_epochs WHERE person = $1), 0) <= $3
             AND ($4 OR EXISTS (SELECT 1 FROM accounts WHERE id = $1))";
    let wish = params![int(user), grant.to_owned(), int(epoch), user.is_guest()];
    let found = tx.row(sql, wish).await?;
    found.map_or(Ok(false), |row| get(&row, 0))
}

/// Which of these log-ins were ended.
pub(super) async fn are_ended(
    tx: &Tx<'_>,
    log_ins: &[(UserId, Arc<str>, u64)],
) -> Result<Vec<bool>> {
    let sql = "SELECT EXISTS (SELECT 1 FROM revoked_grants r
                     WHERE r.person = k.person AND r.grant_id = k.grant_id)
                 OR coalesce((SELECT e.epoch FROM token_epochs e WHERE e.person = k.person), 0)
                     > k.epoch
             FROM unnest($1::bigint[], $2::text[], $3::bigint[])
                 WITH ORDINALITY AS k (person, grant_id, epoch, place) ORDER BY k.place";
    let users: Vec<i64> = log_ins.iter().map(|(user, ..)| int(*user)).collect();
    let epochs: Vec<i64> = log_ins.iter().map(|(.., epoch)| int(*epoch)).collect();
    // One that can't be kept here can't have been ended alone.
    let kept = |grant: &str| {
        if is_storable(grant) {
            grant.to_owned()
        } else {
            String::new()
        }
    };
    let grants: Vec<String> = log_ins.iter().map(|(_, grant, _)| kept(grant)).collect();
    let found = tx.rows(sql, params![users, grants, epochs]).await?;
    found.iter().map(|row| get(row, 0)).collect()
}

/// The account of somebody who has his account elsewhere.
pub(super) async fn linked(tx: &Tx<'_>, issuer: &str, identity: &str) -> Result<Option<Account>> {
    if !is_storable(issuer) || !is_storable(identity) {
        return Ok(None);
    }
    let sql = select!(
        "links l JOIN accounts a ON a.id = l.person
         LEFT JOIN token_epochs e ON e.person = a.id WHERE l.issuer = $1 AND l.identity = $2"
    );
    one(tx, sql, params![issuer.to_owned(), identity.to_owned()]).await
}

const LINK: &str = "INSERT INTO links (issuer, identity, person)
     SELECT $1::text, $2::text, id FROM accounts WHERE id = $3
     ON CONFLICT (issuer, identity) DO NOTHING";

/// Links somebody who has his account elsewhere to an account.
pub(super) async fn link(tx: &Tx<'_>, issuer: &str, identity: &str, user: UserId) -> Result<()> {
    let wish = params![issuer.to_owned(), identity.to_owned(), int(user)];
    tx.execute(LINK, wish).await?;
    Ok(())
}

/// Notes that `by` wants to hear nothing from `user`, or that he does again.
pub(super) async fn set_block(tx: &Tx<'_>, by: UserId, user: UserId, on: bool) -> Result<()> {
    let sql = if on {
        "INSERT INTO blocks (by, person) VALUES ($1, $2) ON CONFLICT DO NOTHING"
    } else {
        "DELETE FROM blocks WHERE by = $1 AND person = $2"
    };
    tx.execute(sql, params![int(by), int(user)]).await?;
    Ok(())
}

/// Whether `by` wants to hear nothing from `user`.
pub(super) async fn is_blocked(tx: &Tx<'_>, by: UserId, user: UserId) -> Result<bool> {
    let sql = "SELECT 1 FROM blocks WHERE by = $1 AND person = $2";
    let found = tx.row(sql, params![int(by), int(user)]).await?;
    Ok(found.is_some())
}

/// A value that the server keeps for itself.
pub(super) async fn setting(tx: &Tx<'_>, name: &str, propose: &str) -> Result<String> {
    let name = format!("server.{name}");
    let sql = "INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    tx.execute(sql, params![name.clone(), propose.to_owned()])
        .await?;
    let sql = "SELECT value FROM settings WHERE name = $1";
    let found = tx.row(sql, params![name]).await?;
    let found = found.ok_or_else(|| Fault::damaged("a setting is gone as soon as it is made"))?;
    get(&found, 0)
}
