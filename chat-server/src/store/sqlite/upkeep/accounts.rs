//! Accounts, and what refers to them.

use chat_core::Name;
use rusqlite::{Connection, OptionalExtension, params};

use super::{Part, Tell, find};
use crate::store::project::fold_email;
use crate::store::sqlite::column::text;
use crate::store::sqlite::fault::Result;

/// Looks at every account, and at what leads to one; returns how many accounts there are.
pub(super) fn check(db: &Connection, tell: Tell<'_>) -> Result<u64> {
    for (sql, words) in DANGLING {
        let mut statement = db.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let user: i64 = row.get(0)?;
            find(tell, Part::Accounts, format!("user {user}: {words}"));
        }
    }
    let mut statement =
        db.prepare("SELECT id, name, handle, email, email_fold FROM store.accounts ORDER BY id")?;
    let mut rows = statement.query([])?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        count += 1;
        let user: i64 = row.get(0)?;
        for column in [1, 2] {
            let Some(name): Option<Name> = text(row, column)? else {
                continue;
            };
            let found: Option<i64> = db
                .prepare_cached("SELECT user FROM store.logins WHERE skeleton = ?1")?
                .query_row([name.skeleton()], |row| row.get(0))
                .optional()?;
            if found != Some(user) {
                let words = format!("user {user}: doesn't get in by his own name or handle");
                find(tell, Part::Accounts, words);
            }
        }
        let (email, folded): (Option<String>, Option<String>) = (row.get(3)?, row.get(4)?);
        if email.map(|email| fold_email(&email)) != folded {
            let words = format!("user {user}: his address is compared as another");
            find(tell, Part::Accounts, words);
        }
    }
    names_apart(db, tell)?;
    Ok(count)
}

/// A name by which somebody gets in has to be his.
fn names_apart(db: &Connection, tell: Tell<'_>) -> Result<()> {
    let mut statement = db.prepare(
        "SELECT l.skeleton, a.id, a.name, a.handle FROM store.logins l
         JOIN store.accounts a ON a.id = l.user",
    )?;
    let mut rows = statement.query(params![])?;
    while let Some(row) = rows.next()? {
        let (skeleton, user): (String, i64) = (row.get(0)?, row.get(1)?);
        let names: [Option<Name>; 2] = [text(row, 2)?, text(row, 3)?];
        if !names.iter().flatten().any(|it| it.skeleton() == skeleton) {
            let words = format!("user {user}: gets in by a name that is not his");
            find(tell, Part::Accounts, words);
        }
    }
    Ok(())
}

/// What leads to an account that isn't there.
const DANGLING: &[(&str, &str)] = &[
    (
        "SELECT DISTINCT user FROM store.logins WHERE user NOT IN (SELECT id FROM store.accounts)",
        "a name leads to him, and he has no account",
    ),
    (
        "SELECT DISTINCT user FROM store.links WHERE user NOT IN (SELECT id FROM store.accounts)",
        "a link from elsewhere leads to him, and he has no account",
    ),
];
