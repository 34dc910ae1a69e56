//! What an attempt printed, up to a bound.

use std::fs::File;
use std::io::{self, Write};

/// The file, and how much of it is left.
#[derive(Debug)]
pub struct Log {
    file: File,
    limit: u64,
    written: u64,
    /// The last line has not ended.
    within: bool,
}

impl Log {
    /// One that goes on where its file ends.
    pub fn of(file: File, limit: u64) -> io::Result<Self> {
        let written = file.metadata()?.len();
        Ok(Self { file, limit, written, within: false })
    }

    /// Keeps it, or as much as there is room for; says once that the rest is left out.
    pub fn keep(&mut self, bytes: &[u8]) -> io::Result<()> {
        let room = usize::try_from(self.limit.saturating_sub(self.written)).unwrap_or(usize::MAX);
        let kept = &bytes[..bytes.len().min(room)];
        self.file.write_all(kept)?;
        self.written += kept.len() as u64;
        self.within = kept.last().map_or(self.within, |last| *last != b'\n');
        if kept.len() < bytes.len() && room > 0 {
            self.end_line()?;
            let said = "the rest of what was printed is left out: `execute.log_limit` is reached";
            writeln!(self.file, "{said}")?;
            self.written = self.limit;
        }
        Ok(())
    }

    /// Whatever comes next begins a line.
    pub fn end_line(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.within) {
            self.file.write_all(b"\n")?;
            self.written = self.written.saturating_add(1);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_log_ends_at_its_bound_and_says_so_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let open = || File::options().append(true).create(true).open(&path).unwrap();
        let mut log = Log::of(open(), 10).unwrap();
        log.keep(b"one\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\n");
        log.keep(b"two three four\n").unwrap();
        log.keep(b"five\n").unwrap();
        // What is run after it for the same attempt finds no room.
        Log::of(open(), 10).unwrap().keep(b"six\n").unwrap();
        let kept = fs::read_to_string(&path).unwrap();
        assert!(kept.starts_with("one\ntwo th\nthe rest of"), "{kept}");
        assert_eq!((kept.matches("left out").count(), kept.lines().count()), (1, 3), "{kept}");
    }
}
