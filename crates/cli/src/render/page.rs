//! Text on its way to a terminal.
//!
//! Everything that is printed for people goes through a page, and a page escapes what could act:
//! a title with an escape code, a bidi override or a newline is only ever text. Styles and line
//! ends come from the program, never from what is said.

use std::fmt::{Display, Write as _};

use anstyle::Style;
use unicode_width::UnicodeWidthStr;

use super::glyphs::Glyphs;

/// What a text that is not for a terminal is laid out for.
const COLUMNS: usize = 80;

pub struct Page {
    text: String,
    width: Option<usize>,
    glyphs: Glyphs,
}

impl Page {
    pub fn new(width: Option<usize>) -> Self {
        Self { text: String::new(), width, glyphs: Glyphs::Unicode }
    }

    /// A page on which lines and bars are drawn with these.
    #[must_use]
    pub fn drawn_with(self, glyphs: Glyphs) -> Self {
        Self { glyphs, ..self }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn width(&self) -> Option<usize> {
        self.width
    }

    /// The width for what has to have one.
    pub fn columns(&self) -> usize {
        self.width.unwrap_or(COLUMNS)
    }

    pub fn glyphs(&self) -> Glyphs {
        self.glyphs
    }

    pub fn say(&mut self, text: impl Display) -> &mut Self {
        // Writing to a string cannot fail.
        let _ = write!(Cleaning(&mut self.text), "{text}");
        self
    }

    pub fn styled(&mut self, style: Style, text: impl Display) -> &mut Self {
        let _ = write!(self.text, "{}", style.render());
        self.say(text);
        let _ = write!(self.text, "{}", style.render_reset());
        self
    }

    /// Ends a line. On a terminal, one that is too long goes on below, further in, at a word.
    pub fn end(&mut self) -> &mut Self {
        let line = &self.text[self.line_begins()..];
        let indent = line.len() - line.trim_start_matches(' ').len() + 2;
        self.end_below(indent)
    }

    /// The same, where what goes on below begins in this column.
    pub fn end_below(&mut self, column: usize) -> &mut Self {
        if let Some(width) = self.width {
            let line = self.text.split_off(self.line_begins());
            self.text.push_str(&wrapped(&line, width, column));
        }
        self.text.push('\n');
        self
    }

    fn line_begins(&self) -> usize {
        self.text.rfind('\n').map_or(0, |end| end + 1)
    }

    pub fn gap(&mut self) -> &mut Self {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self
    }

    pub fn heading(&mut self, text: impl Display) -> &mut Self {
        self.gap().styled(super::style::HEAD, text).end()
    }

    /// A text of several lines, each further in than its first, so that none can pass for a line
    /// of ours.
    pub fn lines(&mut self, text: &str) -> &mut Self {
        for (number, line) in text.trim_end().lines().enumerate() {
            self.say(if number == 0 { "" } else { "  " }).say(line).end();
        }
        self
    }

    /// Lines that are no sentences, such as JSON: each as it is, however long.
    pub fn lines_as_they_are(&mut self, text: &str) -> &mut Self {
        for line in text.lines() {
            self.say(line).text.push('\n');
        }
        self
    }

    pub fn indented(&mut self, text: &str) -> &mut Self {
        for line in text.trim_end().lines() {
            self.say("  ").say(line).end();
        }
        self
    }

    pub fn spaces(&mut self, count: usize) {
        self.text.extend(std::iter::repeat_n(' ', count));
    }
}

/// A line, broken at spaces where it is wider than `width`; what goes on below is `indent` in.
fn wrapped(line: &str, width: usize, indent: usize) -> String {
    let mut text = String::with_capacity(line.len());
    let mut column = 0;
    for word in line.split_inclusive(' ') {
        for part in parts(word, width.saturating_sub(indent)) {
            let spaced = shown_width(part);
            let room = shown_width(part.trim_end_matches(' '));
            if column > indent && column + room > width {
                text.truncate(text.trim_end_matches(' ').len());
                text.push('\n');
                text.extend(std::iter::repeat_n(' ', indent));
                column = indent;
            }
            text.push_str(part);
            column += spaced;
        }
    }
    text
}

/// A word, whole where a line has room for it. Scripts that are written without spaces go on
/// below after any of their signs.
fn parts(word: &str, room: usize) -> Vec<&str> {
    let spaceless = |c: char| {
        matches!(c, '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}'
            | '\u{ff00}'..='\u{ffef}')
    };
    if shown_width(word) <= room {
        return vec![word];
    }
    word.split_inclusive(spaceless).collect()
}

/// Colours take no room, and signs that belong together may take less than the sum of them.
fn shown_width(text: &str) -> usize {
    anstream::adapter::strip_str(text).map(UnicodeWidthStr::width).sum()
}

/// A text as a page would show it, to measure it.
pub fn clean(text: impl Display) -> String {
    let mut cleaned = String::new();
    let _ = write!(Cleaning(&mut cleaned), "{text}");
    cleaned
}

struct Cleaning<'a>(&'a mut String);

impl std::fmt::Write for Cleaning<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        for c in text.chars() {
            match c {
                '\n' => self.0.push_str("\\n"),
                '\r' => self.0.push_str("\\r"),
                '\t' => self.0.push_str("\\t"),
                '[' if ends_in_sign(self.0) => self.0.push_str("\\u{5b}"),
                ':' if begins_with_colon(self.0) => self.0.push_str("\\u{3a}"),
                c if acts(c) => write!(self.0, "\\u{{{:x}}}", u32::from(c))?,
                c => self.0.push(c),
            }
        }
        Ok(())
    }
}

/// Whether a bracket would make a command of it for a CI that reads the log, wherever it stands:
/// `##[` and `##vso[`.
fn ends_in_sign(text: &str) -> bool {
    text.ends_with("##") || text.ends_with("##vso")
}

/// Whether a second colon would make the line one that a CI takes for a command: `::error::`.
fn begins_with_colon(text: &str) -> bool {
    let line = text.rsplit('\n').next().unwrap_or_default();
    line.ends_with(':') && anstream::adapter::strip_str(line).to_string().trim() == ":"
}

/// Characters that do something to a terminal, or to the order of the ones around them, or that
/// nobody can see.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_document_says_acts() {
        let cases = [
            ("plain – ünïcode 日本 👩‍💻", "plain – ünïcode 日本 👩‍💻"),
            ("\x1b[2J\x1b]0;x\x07", "\\u{1b}[2J\\u{1b}]0;x\\u{7}"),
            ("a\nerror: b\r\tc", "a\\nerror: b\\r\\tc"),
            ("\u{202e}txt.exe", "\\u{202e}txt.exe"),
            ("\u{9b}31m", "\\u{9b}31m"),
            (
                "::error::x ##[group]y ##vso[task.x]z a::b",
                ":\\u{3a}error::x ##\\u{5b}group]y ##vso\\u{5b}task.x]z a::b",
            ),
            ("  ::stop-commands::t", "  :\\u{3a}stop-commands::t"),
            ("a\u{200b}b\u{2028}c", "a\\u{200b}b\\u{2028}c"),
        ];
        for (text, expected) in cases {
            let mut page = Page::new(None);
            page.say(text);
            assert_eq!(page.text(), expected);
        }
    }

    #[test]
    fn a_colour_before_it_does_not_hide_a_command() {
        let mut page = Page::new(None);
        page.say("id").end().styled(super::super::style::BAD, "::error::x");
        let shown = anstream::adapter::strip_str(page.text()).to_string();
        assert_eq!(shown, "id\n:\\u{3a}error::x");
    }

    #[test]
    fn only_a_terminal_breaks_lines_and_at_words() {
        let shown = |width, text: &str| {
            let mut page = Page::new(width);
            page.say("  ").styled(super::super::style::WARN, text).end();
            anstream::adapter::strip_str(page.text()).to_string()
        };
        let text = "one two three four";
        assert_eq!(shown(None, text), "  one two three four\n");
        assert_eq!(shown(Some(20), text), "  one two three four\n");
        assert_eq!(shown(Some(14), text), "  one two\n    three four\n");
        assert_eq!(shown(Some(10), text), "  one two\n    three\n    four\n");
        assert_eq!(shown(Some(12), "日本語 日本語"), "  日本語\n    日本語\n");
        assert_eq!(shown(Some(4), "unbreakable"), "  unbreakable\n");
        assert_eq!(shown(Some(10), "日本語日本語"), "  日本語日\n    本語\n");
        assert_eq!(shown(Some(6), "👩‍💻 👩‍💻"), "  👩‍💻\n    👩‍💻\n");
    }

    #[test]
    fn a_text_of_several_lines_cannot_pass_for_ours() {
        let mut page = Page::new(None);
        page.say("error: ").lines("first\nhint: run this");
        assert_eq!(page.text(), "error: first\n  hint: run this\n");
    }
}
