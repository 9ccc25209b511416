//! A room is its log: folds records into the room that they made, and shows three promises.
//!
//! Takes records as JSON, one a line, from a file or from standard input (`-`); without an argument
//! it reads a small log of its own.
//!
//! * A snapshot and the log's tail give the same room as the whole log, wherever the cut is.
//! * On disk the records are a chain: a changed one is found.
//! * What people said can be erased: the chain stays whole, and the room is the same.
//!
//! ```text
//! cargo run -p chat-examples --bin replay
//! cargo run -p chat-examples --bin replay -- den.jsonl
//! ```

use std::error::Error;
use std::{env, fs, io};

use chat_core::{Event, Record, Room};
use chat_protocol::log::{self, Entry, LogError, Sum, WordsKey};

/// A log to begin with.
const DEN: &str = include_str!("../../den.jsonl");

fn main() -> Result<(), Box<dyn Error>> {
    let text = match env::args().nth(1).as_deref() {
        None => DEN.to_owned(),
        Some("-") => io::read_to_string(io::stdin())?,
        Some(path) => fs::read_to_string(path)?,
    };
    let records = read(&text)?;
    let room = Room::replayed(&records).ok_or("this is no log of one room without a hole")?;
    show(&room, &records);

    for cut in 1..records.len() {
        if resumed(&records, cut)? != room {
            return Err(format!("a snapshot at {cut} and the tail after it differ").into());
        }
    }
    println!("every snapshot and its tail give the same room");

    let mut entries = written(&records);
    if read_back(&entries)? != records {
        return Err("the records came back changed".into());
    }
    println!("the chain of {} entries is whole", entries.len());

    for (entry, record) in entries.iter_mut().zip(&records) {
        if matches!(record.event, Event::Posted(_) | Event::Edited(_)) {
            entry.erase();
        }
    }
    if Room::replayed(&read_back(&entries)?).as_ref() != Some(&room) {
        return Err("the room depends on what was said".into());
    }
    println!("with everything said erased the chain is whole and the room is the same");
    Ok(())
}

/// Reads records, one a line.
fn read(text: &str) -> Result<Vec<Record>, String> {
    let lines = text.lines().enumerate();
    lines
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(n, line)| serde_json::from_str(line).map_err(|why| format!("line {}: {why}", n + 1)))
        .collect()
}

fn show(room: &Room, records: &[Record]) {
    let name = |user| {
        let mut by = records.iter().map(|record| &record.by);
        let author = by.rfind(|by| by.id == user);
        let name = author.and_then(|author| author.name.as_ref());
        name.map_or_else(|| format!("user {user}"), |name| name.as_str().to_owned())
    };
    let title = room.name.as_ref().map_or("(unnamed)", |name| name.as_str());
    println!("room {} {title}, {:?}", room.id, room.lifecycle);
    println!("  {} records, {} messages", room.head_seq, room.head_idx);
    println!("  owner {}", name(room.owner));
    for (user, member) in &room.members {
        println!(
            "  member {}, {:?}, since {}",
            name(*user),
            member.role,
            member.since
        );
    }
    for message in &room.pins {
        println!("  pinned message {message}");
    }
}

/// The room as a restarted server has it: from a snapshot that was written down after `cut`
/// records, and the records after it.
fn resumed(records: &[Record], cut: usize) -> Result<Room, Box<dyn Error>> {
    let (before, tail) = records.split_at(cut);
    let room = Room::replayed(before).ok_or("the log has a hole")?;
    let snapshot = serde_json::to_string(&room)?;
    let mut room: Room = serde_json::from_str(&snapshot)?;
    for record in tail {
        room.follow(record).ok_or("the log has a hole")?;
    }
    Ok(room)
}

/// The records as they lie on disk.
fn written(records: &[Record]) -> Vec<Entry> {
    let mut sum = Sum::START;
    let chained = records.iter().map(|record| {
        // A store draws each key at random; this one never leaves the program.
        let entry = log::encode(record, WordsKey([7; 16]), &sum);
        sum = entry.sum;
        entry
    });
    chained.collect()
}

/// Reads the disk, and makes sure that it holds what was written.
fn read_back(entries: &[Entry]) -> Result<Vec<Record>, LogError> {
    let mut sum = Sum::START;
    let records = entries.iter().map(|entry| {
        let record = log::decode(entry, &sum);
        sum = entry.sum;
        record
    });
    records.collect()
}
