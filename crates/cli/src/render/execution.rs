//! What an execution looks like while it runs: a line for whatever happens, or the same as JSON.

pub mod board;

use std::collections::BTreeMap;
use std::time::Instant;

use jiff::Timestamp;
use milestone_domain::event::AttemptId;
use milestone_domain::streams::StreamName;
use milestone_engine::core::{
    Action, Answer, Attempt, Failure, FailureKind, GiveTo, Input, Outlook, State,
};
use milestone_engine::real::Window;
use milestone_engine::session::Session;
use milestone_engine::world::Told;

use super::page::Page;
use super::style;
use crate::happening::{Happening, What};
use crate::output::Output;
use crate::teller::{Teller, Word};

use board::{WAITING_SHOWN, Waiting};

/// Makes words of what happens; the teller has them read, by people or programs.
pub struct Shown {
    out: Output,
    teller: Teller,
    window: Window,
    session: String,
    started: BTreeMap<AttemptId, Instant>,
    /// What could not be done, as it was last said.
    waited_for: String,
}

impl Shown {
    pub fn new(out: Output, teller: Teller, window: Window, session: &Session) -> Self {
        let session = session.id.clone();
        let (started, waited_for) = (BTreeMap::new(), String::new());
        Self { out, teller, window, session, started, waited_for }
    }

    pub fn begin(&self, session: &Session, git: bool, boxed: Option<&str>) {
        self.whole(What::Begun, session);
        self.line(|page| {
            page.styled(style::ID, &session.id).say("  ").say(session.milestone);
            let agents = if session.agents == 1 { "agent" } else { "agents" };
            page.say(", ").say(session.agents).say(" ").say(agents);
            if git {
                page.say(", branch milestone/").say(session.milestone);
            } else {
                page.say(", without git: in this folder, one task at a time");
            }
        });
        if let Some(boxed) = boxed {
            let mut page = self.out.page();
            page.say(boxed).end();
            self.teller.say(Word::Talk(page.text().to_owned()));
        }
    }

    pub fn tell(&mut self, state: &State, told: &Told<'_>) {
        match told {
            Told::Begun(Action::Run(attempt, _)) => {
                self.started.insert(attempt.id, Instant::now());
                self.of(*attempt, What::Started, None);
                self.line_of(*attempt, |page| {
                    page.say("started");
                });
            }
            Told::Begun(Action::Lead(stream)) => {
                self.of_stream(stream, What::Judging, None);
                self.line_of_stream(stream, |page| {
                    page.say("its tasks are done: judged together");
                });
            }
            Told::Happened(Input::Answer(id, answer)) => {
                if let Some(action) = state.under_way(*id) {
                    self.answered(action, answer);
                }
            }
            Told::Happened(Input::Drain) => {
                self.said(What::Draining, None, DRAINING);
                self.teller.say(Word::Hint("Ctrl-C again stops what runs"));
            }
            Told::Happened(Input::Stop) => {
                self.said(What::Stopping, None, "stopping what runs");
                self.teller.say(Word::Hint("stopping what runs; nothing is lost"));
            }
            _ => {}
        }
    }

    fn answered(&mut self, action: &Action, answer: &Answer) {
        match (action, answer) {
            (Action::Claim(_), Answer::Claimed(attempt)) => self.of(*attempt, What::Claimed, None),
            (Action::Look, Answer::Looked(outlook)) => {
                self.teller.say(Word::Waiting(waiting(outlook)));
            }
            (Action::Record(attempt), Answer::Done) => {
                let took = self.started.remove(&attempt.id);
                let took = took.map(|started| format!("  {:.1}s", started.elapsed().as_secs_f64()));
                self.of(*attempt, What::Done, None);
                self.line_of(*attempt, |page| {
                    page.styled(style::GOOD, "done").say(took.unwrap_or_default());
                });
                self.teller.say(Word::Finished);
            }
            (Action::GiveBack(attempt, failure, to), Answer::Done | Answer::Failed(_)) => {
                self.given_back(*attempt, failure, *to);
            }
            (Action::Lead(stream), Answer::Done) => {
                self.of_stream(stream, What::Raised, None);
                self.line_of_stream(stream, |page| {
                    page.styled(style::GOOD, "up");
                });
            }
            (Action::Lead(stream), Answer::Failed(failure)) => {
                self.of_stream(stream, What::Out, Some(&failure.reason));
                let reason = failure.reason.lines().next().unwrap_or_default();
                self.line_of_stream(stream, |page| {
                    page.styled(style::BAD, "stays out").say(": ").say(reason);
                });
            }
            (_, Answer::Later(why) | Answer::Away(why)) if *why != self.waited_for => {
                self.said(What::Waiting, Some(why), &format!("waiting: {why}"));
                self.waited_for.clone_from(why);
            }
            _ => {}
        }
    }

    fn given_back(&self, attempt: Attempt, failure: &Failure, to: GiveTo) {
        let (what, word) = match (failure.kind, to) {
            (FailureKind::Stopped, _) => (What::Stopped, "stopped"),
            (FailureKind::Lost, _) => (What::Lost, "lost"),
            (_, GiveTo::Person) => (What::Blocked, "blocked"),
            (_, GiveTo::Anybody) => (What::Failed, "failed"),
        };
        self.of(attempt, what, Some(&failure.reason));
        let reason = failure.reason.lines().next().unwrap_or_default();
        self.line_of(attempt, |page| {
            page.styled(style::BAD, word).say(": ").say(reason);
        });
    }

    fn line_of(&self, attempt: Attempt, say: impl FnOnce(&mut Page)) {
        self.line(|page| {
            page.styled(style::ID, attempt.task).say("  ");
            say(page);
            page.say("  ").say(self.window.title(attempt.id));
        });
    }

    fn line_of_stream(&self, stream: &StreamName, say: impl FnOnce(&mut Page)) {
        self.line(|page| {
            page.say("stream ").styled(style::ID, stream).say("  ");
            say(page);
        });
    }

    fn of_stream(&self, stream: &StreamName, what: What, reason: Option<&str>) {
        if self.out.json {
            self.happened(what, |happening| {
                happening.stream = Some(stream.clone());
                happening.reason = reason.map(str::to_owned);
            });
        }
    }

    fn line(&self, say: impl FnOnce(&mut Page)) {
        if self.out.json {
            return;
        }
        let mut page = self.out.page();
        say(&mut page);
        page.end();
        self.teller.say(Word::Line(page.text().to_owned()));
    }

    /// What concerns the whole session is talk for people.
    fn said(&self, what: What, reason: Option<&str>, text: &str) {
        if self.out.json {
            self.happened(what, |happening| happening.reason = reason.map(str::to_owned));
        }
        let mut page = self.out.page();
        page.say(text).end();
        self.teller.say(Word::Talk(page.text().to_owned()));
    }

    fn of(&self, attempt: Attempt, what: What, reason: Option<&str>) {
        if self.out.json {
            self.happened(what, |happening| {
                happening.attempt = self.window.tried(attempt.id);
                happening.reason = reason.map(str::to_owned);
            });
        }
    }

    fn whole(&self, what: What, session: &Session) {
        if self.out.json {
            self.happened(what, |happening| happening.whole = Some(session.clone()));
        }
    }

    fn happened(&self, event: What, fill: impl FnOnce(&mut Happening)) {
        let (at, session) = (Timestamp::now(), self.session.clone());
        let mut happening = Happening {
            at,
            event,
            session,
            attempt: None,
            stream: None,
            reason: None,
            whole: None,
        };
        fill(&mut happening);
        self.teller.say(Word::Event(Box::new(happening)));
    }

    /// The last words; all are written when this is over.
    pub fn end(self, session: &Session) {
        self.whole(What::Ended, session);
        self.line(|page| {
            page.styled(style::ID, &session.id).say("  ").say(session.state.word());
            let all = session.tasks_done + session.tasks_open;
            page.say(", ").say(session.tasks_done).say(" of ").say(all).say(" tasks done");
        });
    }
}

const DRAINING: &str = "nothing more is begun; what runs may end (Ctrl-C again stops it)";

fn waiting(outlook: &Outlook) -> Waiting {
    let first = outlook.waiting.iter().take(WAITING_SHOWN).cloned().collect();
    Waiting { first, all: outlook.waiting.len() }
}
