//! Lines of a stream that may be of any length: no more than so much of one is ever held.

use std::io::{self, BufRead, BufReader, Read};

/// More than this of one line is never held, and so not understood: what a runner prints is
/// somebody else's text. Agents print whole files in one line.
pub const LINE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A longer line was a rare one: the room for it is given back.
const USUAL_BYTES: usize = 64 * 1024;

/// A part of a stream.
#[derive(Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// A line with its end, unless the stream ended without one; or so much of it as is held.
    Line(&'a [u8]),
    /// More of a line of which the beginning was a part before.
    More(&'a [u8]),
}

pub struct Lines<R> {
    from: BufReader<R>,
    buffer: Vec<u8>,
    max: usize,
    /// The last part did not end its line.
    within: bool,
}

impl<R: Read> Lines<R> {
    pub fn of(from: R) -> Self {
        Self::up_to(LINE_BYTES_MAX, from)
    }

    fn up_to(max: usize, from: R) -> Self {
        Self { from: BufReader::new(from), buffer: Vec::new(), max, within: false }
    }

    /// The next part; nothing where the stream ends, or has nothing more yet.
    pub fn next_part(&mut self) -> io::Result<Option<Part<'_>>> {
        self.buffer.clear();
        self.buffer.shrink_to(USUAL_BYTES);
        let within = self.within;
        let max = if within { self.max.min(USUAL_BYTES) } else { self.max };
        let mut room = self.from.by_ref().take(u64::try_from(max).unwrap_or(u64::MAX));
        if room.read_until(b'\n', &mut self.buffer)? == 0 {
            return Ok(None);
        }
        self.within = self.buffer.last() != Some(&b'\n');
        Ok(Some(if within { Part::More(&self.buffer) } else { Part::Line(&self.buffer) }))
    }
}

/// A line as text, without its end.
pub fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line).trim_end_matches(['\n', '\r']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(max: usize, text: &str) -> Vec<(bool, String)> {
        let mut lines = Lines::up_to(max, text.as_bytes());
        let mut parts = Vec::new();
        while let Some(part) = lines.next_part().unwrap() {
            parts.push(match part {
                Part::Line(line) => (true, String::from_utf8_lossy(line).into_owned()),
                Part::More(more) => (false, String::from_utf8_lossy(more).into_owned()),
            });
        }
        parts
    }

    #[test]
    fn a_long_line_comes_in_parts_and_nothing_is_lost() {
        let whole = |text: &str| (true, text.to_owned());
        let more = |text: &str| (false, text.to_owned());
        assert_eq!(parts(8, "one\ntwo"), [whole("one\n"), whole("two")]);
        let long =
            [whole("one "), more("two "), more("thre"), more("e\n"), whole("four"), more("\n")];
        assert_eq!(parts(4, "one two three\nfour\n"), long);
        assert_eq!(parts(4, ""), []);
        assert_eq!(text(b"a\xffb\r\n"), "a\u{fffd}b");
    }

    #[test]
    fn no_more_than_the_bound_is_held() {
        let endless = io::repeat(b'x').take(64 << 20);
        let mut lines = Lines::of(endless);
        let mut read = 0;
        while let Some(Part::Line(part) | Part::More(part)) = lines.next_part().unwrap() {
            assert!(part.len() <= LINE_BYTES_MAX);
            read += part.len();
            assert!(lines.buffer.capacity() <= 2 * LINE_BYTES_MAX);
        }
        assert_eq!(read, 64 << 20);
    }
}
