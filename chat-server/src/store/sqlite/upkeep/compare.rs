//! The stored lists beside those that were made again.

use rusqlite::types::Value;
use rusqlite::{Connection, Row};

use super::{Part, Tell, find};
use crate::store::sqlite::fault::Result;

/// A list.
struct List {
    name: &'static str,
    /// The column that says of which room a line is.
    room: &'static str,
    /// The other columns that say which line it is, and what they are called in words.
    keys: &'static [(&'static str, &'static str)],
    /// The columns that the log decides.
    columns: &'static [&'static str],
}

// Of rooms, `indexed`, `swept` and `due_at` move without a record, and `read` of members. Of changed messages, `name` is of erased words.
const LISTS: &[List] = &[
    List {
        name: "rooms",
        room: "id",
        keys: &[],
        columns: &[
            "head_seq",
            "head_idx",
            "head_message",
            "head_sum",
            "kind",
            "name",
            "alias",
            "name_fold",
            "alias_fold",
            "topic",
            "access",
            "listed",
            "lifecycle",
            "owner",
            "members",
            "created_by",
            "created_at",
            "updated_at",
            "kept_from",
            "kept_idx",
            "trimmed_at",
        ],
    },
    List {
        name: "members",
        room: "room",
        keys: &[("user", "user")],
        columns: &["role", "since", "name", "nickname"],
    },
    List {
        name: "changed",
        room: "room",
        keys: &[("message", "record")],
        columns: &["idx", "edit", "deleted", "deleted_at"],
    },
    List {
        name: "threads",
        room: "room",
        keys: &[("thread", "record"), ("message", "message")],
        columns: &[],
    },
    List {
        name: "edits",
        room: "room",
        keys: &[("message", "record"), ("seq", "edit")],
        columns: &[],
    },
    List {
        name: "mentions",
        room: "room",
        keys: &[("idx", "message number"), ("user", "user")],
        columns: &[],
    },
    List {
        name: "reactions",
        room: "room",
        keys: &[("message", "record"), ("user", "user"), ("reaction", "")],
        columns: &["seq"],
    },
    List {
        name: "terms",
        room: "room",
        keys: &[("message", "message"), ("term", "")],
        columns: &[],
    },
    List {
        name: "aliases",
        room: "room",
        keys: &[("skeleton", "")],
        columns: &["seq"],
    },
    List {
        name: "directs",
        room: "room",
        keys: &[("one", "user"), ("other", "user")],
        columns: &[],
    },
];

/// Compares every list; of rooms whose logs are broken there is nothing to compare with.
pub(super) fn compare(db: &Connection, tell: Tell<'_>) -> Result<()> {
    for list in LISTS {
        list.compare(db, tell)?;
    }
    for (sql, words) in BESIDE {
        let mut statement = db.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (room, at): (i64, i64) = (row.get(0)?, row.get(1)?);
            let words = words.replace("{}", &at.to_string());
            find(tell, Part::Lists, format!("room {room}{words}"));
        }
    }
    Ok(())
}

/// Puts the lists that were made again in the place of the stored ones.
pub(super) fn replace(db: &Connection) -> Result<()> {
    for list in LISTS {
        let name = list.name;
        db.execute_batch(&format!(
            "DELETE FROM store.{name}; INSERT INTO store.{name} SELECT * FROM main.{name};"
        ))?;
    }
    Ok(())
}

/// Records of deleted messages and their edits whose words are still there.
pub(super) const UNERASED: &str = "
    SELECT r.room, r.seq FROM main.changed c JOIN store.records r ON r.room = c.room
    WHERE c.deleted IS NOT NULL AND (r.words IS NOT NULL OR r.key IS NOT NULL) AND r.seq IN
        (SELECT c.message UNION ALL
         SELECT e.seq FROM main.edits e WHERE e.room = c.room AND e.message = c.message)";

/// What is not compared line by line.
const BESIDE: &[(&str, &str)] = &[
    (
        "SELECT s.room, s.user FROM store.members s
         JOIN main.members m ON m.room = s.room AND m.user = s.user
         JOIN main.rooms r ON r.id = s.room WHERE s.read < m.read OR s.read > r.head_idx",
        ": the marker of user {} is where he can't have read to",
    ),
    (
        "SELECT s.id, s.indexed FROM store.rooms s WHERE s.indexed > s.head_seq",
        ": words were taken in up to record {}, which isn't there",
    ),
    (
        "SELECT s.id, s.swept FROM store.rooms s WHERE s.swept > s.kept_from",
        ": words were taken away up to record {}, and are to be kept",
    ),
    (
        "SELECT s.id, m.head_seq FROM store.rooms s JOIN main.rooms m ON m.id = s.id
         WHERE s.due_at IS NOT 0 AND (s.keep_days IS NOT m.keep_days
             OR s.keep_records IS NOT m.keep_records OR s.due_at IS NOT m.due_at)",
        ": what it keeps is not what the log says up to record {}",
    ),
    (
        "SELECT s.room, s.message FROM store.changed s WHERE s.name IS NOT NULL AND s.deleted IS NULL
         AND s.room NOT IN (SELECT room FROM main.broken)",
        ", record {}: bears a name apart, and is not deleted",
    ),
    (
        UNERASED,
        ", record {}: is deleted, and its words are still there",
    ),
    (
        "SELECT s.room, s.seq FROM store.snapshots s WHERE s.room NOT IN
             (SELECT id FROM main.rooms UNION ALL SELECT room FROM main.broken)",
        ": there is a snapshot of record {}, and no log",
    ),
    (
        "SELECT room, min(seq) FROM store.records
         WHERE run NOT IN (SELECT run FROM store.runs) GROUP BY room",
        ", record {}: was written in a run that is not known",
    ),
];

impl List {
    fn compare(&self, db: &Connection, tell: Tell<'_>) -> Result<()> {
        let mut lacking = db.prepare(&self.lacking())?;
        let mut rows = lacking.query([])?;
        while let Some(row) = rows.next()? {
            let wrong = self.wrong(row)?;
            find(tell, Part::Lists, format!("{}: {wrong}", self.place(row)?));
        }
        let mut extra = db.prepare(&self.extra())?;
        let mut rows = extra.query([])?;
        while let Some(row) = rows.next()? {
            let words = format!("{}: the log knows nothing of it", self.place(row)?);
            find(tell, Part::Lists, words);
        }
        Ok(())
    }

    /// Lines of the log that are not stored, or not so: where, whether they are stored, and for
    /// each column whether it differs.
    fn lacking(&self) -> String {
        let mut differs = String::new();
        let mut wrong = format!("s.{0} IS NULL OR s.{0} IS NOT m.{0}", self.room);
        for column in self.columns {
            differs += &format!(", s.{column} IS NOT m.{column}");
            wrong += &format!(" OR s.{column} IS NOT m.{column}");
        }
        format!(
            "SELECT {}, s.{room} IS NULL, s.{room} IS NOT m.{room}{differs}
             FROM main.{name} m LEFT JOIN store.{name} s ON {} WHERE {wrong}",
            self.keys_of("m"),
            self.same(),
            room = self.room,
            name = self.name,
        )
    }

    /// Stored lines that the log doesn't know.
    fn extra(&self) -> String {
        format!(
            "SELECT {} FROM store.{name} s
             WHERE s.{room} NOT IN (SELECT room FROM main.broken)
             AND NOT EXISTS (SELECT 1 FROM main.{name} m WHERE {})",
            self.keys_of("s"),
            self.same(),
            room = self.room,
            name = self.name,
        )
    }

    fn keys_of(&self, table: &str) -> String {
        let mut sql = format!("{table}.{}", self.room);
        for (key, _) in self.keys {
            sql += &format!(", {table}.{key}");
        }
        sql
    }

    /// The lines are about the same. What is unique beyond a room is found whatever its room.
    fn same(&self) -> String {
        let mut sql = match self.name {
            "aliases" | "directs" => "1".to_owned(),
            _ => format!("s.{0} = m.{0}", self.room),
        };
        for (key, _) in self.keys {
            sql += &format!(" AND s.{key} = m.{key}");
        }
        sql
    }

    /// Which line, in words. Texts are left out: they are what people wrote.
    fn place(&self, row: &Row<'_>) -> Result<String> {
        let mut words = format!("room {}", row.get::<_, i64>(0)?);
        for (column, (_, word)) in (1..).zip(self.keys) {
            if let Value::Integer(number) = row.get(column)?
                && !word.is_empty()
            {
                words += &format!(", {word} {number}");
            }
        }
        Ok(format!("{words}: {}", self.name))
    }

    fn wrong(&self, row: &Row<'_>) -> Result<String> {
        let first = self.keys.len() + 1;
        if row.get::<_, bool>(first)? {
            return Ok("is missing".into());
        }
        let mut wrong = Vec::new();
        for (column, name) in (first + 1..).zip([&self.room].into_iter().chain(self.columns)) {
            if row.get::<_, bool>(column)? {
                wrong.push(*name);
            }
        }
        Ok(format!("{} is not what the log says", wrong.join(", ")))
    }
}
