//! How long the disk takes to say that something is there.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use crate::cost::measure;
use crate::versus::table::Range;

/// The median of some synchronisations in this folder, in milliseconds: a page is appended and made
/// sure of, as a store does for each transaction.
///
/// # Errors
///
/// If the disk takes nothing.
pub fn sync_ms(dir: &Path) -> io::Result<f64> {
    let mut file = File::create(dir.join("synchronised"))?;
    let mut spans = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        file.write_all(&[0; PAGE_BYTES])?;
        let mut synced = Ok(());
        let cost = measure(|| synced = file.sync_data());
        synced?;
        spans.push(cost.wall.as_secs_f64() * 1e3);
    }
    Ok(Range::of(spans).map_or(0.0, |range| range.middle))
}

const TIMES: usize = 25;

const PAGE_BYTES: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_takes_nothing_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        assert!(sync_ms(dir.path()).unwrap() >= 0.0);
        assert!(sync_ms(&dir.path().join("nowhere")).is_err());
    }
}
