//! What attackers try: reading what isn't theirs, coming from pages that aren't ours, showing tokens
//! that don't count, guessing passwords, and staying when they were told to go.

mod ending;
mod faces;
mod guessing;
mod hidden;
mod house;
mod origins;
mod reading;
mod standing;
mod tokens;
