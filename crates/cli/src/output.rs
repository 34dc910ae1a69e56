//! Where words go: data to stdout, talk to stderr, one JSON document when asked for it.

use std::borrow::Cow;
use std::io::{self, IsTerminal as _, Write};
use std::os::fd::AsFd;

use milestone_domain::event::Recorded;
use serde::Serialize;

use crate::errors::{Entry, Failure};
use crate::kinds::{Kind, Printed};
use crate::render::glyphs::Glyphs;
use crate::render::page::Page;
use crate::render::style;

/// The version of every JSON document that is printed.
pub const JSON_VERSION: u32 = 1;

/// How this run prints.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    pub json: bool,
    terminal: bool,
    width: Option<usize>,
    glyphs: Glyphs,
}

#[derive(Serialize)]
struct Envelope<'a, T> {
    version: u32,
    kind: Kind,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a Entry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<&'a str>,
}

impl Output {
    pub fn new(json: bool) -> Self {
        let terminal = io::stdout().is_terminal();
        let glyphs = Glyphs::of(terminal, |name| std::env::var(name).ok());
        Self { json, terminal, width: width_of(&io::stdout()), glyphs }
    }

    pub fn page(self) -> Page {
        Page::new(self.width).drawn_with(self.glyphs)
    }

    /// A view: the same facts as JSON, or as a page for people.
    pub fn show(self, data: &impl Printed, render: impl FnOnce(&mut Page)) -> Result<(), Failure> {
        if self.json {
            return self.json(data);
        }
        let mut page = self.page();
        render(&mut page);
        print(&page)
    }

    /// What a change came to: the id alone where a script reads, the talk where a person does.
    pub fn done(
        self,
        data: &impl Printed,
        id: &str,
        talk: impl FnOnce(&mut Page),
    ) -> Result<(), Failure> {
        if self.json {
            return self.json(data);
        }
        let mut page = if self.terminal { self.page() } else { talk_page() };
        talk(&mut page);
        if self.terminal {
            return print(&page);
        }
        say(&page);
        written(writeln!(io::stdout().lock(), "{id}"))
    }

    /// A file that others wrote: as it is for a program, as text for a person.
    pub fn file(self, text: &str) -> Result<(), Failure> {
        if !self.terminal {
            return raw(text);
        }
        let mut page = self.page();
        page.lines_as_they_are(text);
        print(&page)
    }

    /// Empties a terminal's screen, for what is shown again and again.
    pub fn clear(self) {
        if self.terminal && !self.json {
            let _ = raw("\u{1b}[H\u{1b}[2J");
        }
    }

    /// A line of a stream of events.
    pub fn event(self, data: &Recorded, cursor: Option<&str>) -> Result<(), Failure> {
        let envelope = Envelope {
            version: JSON_VERSION,
            kind: Recorded::KIND,
            data: Some(data),
            error: None,
            cursor,
        };
        self.write_json(&envelope, false)
    }

    /// A line of a stream that nobody goes on from.
    pub fn streamed<T: Printed>(self, data: &T) -> Result<(), Failure> {
        let (version, kind) = (JSON_VERSION, T::KIND);
        let envelope = Envelope { version, kind, data: Some(data), error: None, cursor: None };
        self.write_json(&envelope, false)
    }

    pub fn is_terminal(self) -> bool {
        self.terminal
    }

    fn json<T: Printed>(self, data: &T) -> Result<(), Failure> {
        let envelope = Envelope {
            version: JSON_VERSION,
            kind: T::KIND,
            data: Some(data),
            error: None,
            cursor: None,
        };
        self.write_json(&envelope, true)
    }

    fn write_json(self, value: &impl Serialize, pretty: bool) -> Result<(), Failure> {
        let text = if pretty && self.terminal {
            serde_json::to_string_pretty(value)
        } else {
            serde_json::to_string(value)
        };
        let text = text.map_err(|error| Failure::usage(error.to_string(), "this is a bug"))?;
        written(writeln!(io::stdout().lock(), "{text}"))
    }

    pub fn fail(self, failure: &Failure) {
        // What was found is the document already; there is never a second one.
        let said = self.json
            && matches!(
                failure,
                Failure::Unhealthy { .. } | Failure::NotReady | Failure::ReportFailed { .. }
            );
        if said || matches!(failure, Failure::Closed) {
            return;
        }
        let entry = failure.entry();
        if self.json {
            let envelope: Envelope<'_, ()> = Envelope {
                version: JSON_VERSION,
                kind: Entry::KIND,
                data: None,
                error: Some(&entry),
                cursor: None,
            };
            let _ = self.write_json(&envelope, true);
            return;
        }
        let mut page = talk_page();
        page.styled(style::BAD, "error").say(": ").lines(&entry.message);
        if !entry.next.is_empty() {
            page.styled(style::HINT, "hint").say(": ").say(&entry.next).end();
        }
        say(&page);
    }

    /// Whether a person says yes. Asks only where somebody can answer.
    pub fn asks(self, question: &Page) -> bool {
        if self.json || !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return false;
        }
        say(question);
        let _ = io::stderr().flush();
        let mut answer = String::new();
        let read = io::stdin().read_line(&mut answer);
        read.is_ok() && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
    }
}

/// Whether what is printed on standard output keeps its colours.
pub fn has_colours() -> bool {
    anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never
}

/// How many columns somebody sees: as many as they say, else as the terminal has. None where
/// nobody looks.
fn width_of(stream: &(impl io::IsTerminal + AsFd)) -> Option<usize> {
    if !stream.is_terminal() {
        return None;
    }
    let asked = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let size = || terminal_size::terminal_size_of(stream).map(|(width, _)| usize::from(width.0));
    asked.or_else(size).filter(|columns| *columns > 0)
}

/// A page for what is said beside the data.
fn talk_page() -> Page {
    let glyphs = Glyphs::of(io::stderr().is_terminal(), |name| std::env::var(name).ok());
    Page::new(width_of(&io::stderr())).drawn_with(glyphs)
}

/// Text as it is, for other programs: YAML, a schema.
pub fn raw(text: &str) -> Result<(), Failure> {
    bytes(text.as_bytes())
}

/// The same for what may be no text.
pub fn bytes(bytes: &[u8]) -> Result<(), Failure> {
    written(io::stdout().lock().write_all(bytes))
}

pub fn print(page: &Page) -> Result<(), Failure> {
    styled(page.text())
}

/// Text of our own with colours in it.
pub fn styled(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    let text = coloured(text, anstream::AutoStream::choice(&stdout));
    written(stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()))
}

/// The whole page at once, so that it is written at once.
fn coloured(text: &str, choice: anstream::ColorChoice) -> Cow<'_, str> {
    match choice {
        anstream::ColorChoice::Never => Cow::Owned(anstream::adapter::strip_str(text).to_string()),
        _ => Cow::Borrowed(text),
    }
}

/// The same as a terminal is to get it, for whoever moves the cursor as well.
pub fn as_shown(text: &str) -> Cow<'_, str> {
    coloured(text, anstream::AutoStream::choice(&io::stdout()))
}

/// Talk is never worth failing for.
pub fn say(page: &Page) {
    talk(page.text());
}

/// The same of a page that somebody has kept.
pub fn talk(text: &str) {
    let mut stderr = io::stderr().lock();
    let text = coloured(text, anstream::AutoStream::choice(&stderr));
    let _ = stderr.write_all(text.as_bytes());
}

pub fn warn(message: &str) {
    let mut page = talk_page();
    page.styled(style::WARN, "warning").say(": ").say(message).end();
    say(&page);
}

/// Whoever read us may have seen enough: that is no error.
fn written(result: io::Result<()>) -> Result<(), Failure> {
    result.map_err(|source| match source.kind() {
        io::ErrorKind::BrokenPipe => Failure::Closed,
        _ => Failure::Io { doing: "write to", path: "standard output".into(), source },
    })
}
