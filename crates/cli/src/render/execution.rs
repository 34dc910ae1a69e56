//! What an execution looks like while it runs: a line for whatever happens.

use std::collections::BTreeMap;

use milestone_domain::event::AttemptId;
use milestone_engine::core::{Action, Answer, Attempt, FailureKind, GiveTo, Input, State};
use milestone_engine::real::Window;
use milestone_engine::session::Session;
use milestone_engine::world::Told;

use super::page::Page;
use super::style;
use crate::output::{self, Output};

pub struct Shown {
    out: Output,
    started: BTreeMap<AttemptId, std::time::Instant>,
    /// What could not be done, as it was last said.
    waited_for: String,
}

impl Shown {
    pub fn new(out: Output) -> Self {
        Self { out, started: BTreeMap::new(), waited_for: String::new() }
    }

    pub fn begin(&self, session: &Session, git: bool) {
        if self.out.json {
            return;
        }
        let mut page = self.out.page();
        page.styled(style::ID, &session.id).say("  ").say(session.milestone);
        let agents = if session.agents == 1 { "agent" } else { "agents" };
        page.say(", ").say(session.agents).say(" ").say(agents);
        if git {
            page.say(", branch milestone/").say(session.milestone);
        } else {
            page.say(", without git: in this folder, one task at a time");
        }
        page.end();
        print(&page);
    }

    pub fn tell(&mut self, state: &State, told: &Told<'_>, window: &Window) {
        match told {
            Told::Begun(Action::Run(attempt, _)) => {
                self.started.insert(attempt.id, std::time::Instant::now());
                self.line(*attempt, window, |page| {
                    page.say("started");
                });
            }
            Told::Happened(Input::Answer(id, answer)) => {
                if let Some(action) = state.under_way(*id) {
                    self.answered(action, answer, window);
                }
            }
            Told::Happened(Input::Drain) => note(self.out, DRAINING),
            Told::Happened(Input::Stop) => note(self.out, "stopping what runs"),
            _ => {}
        }
    }

    fn answered(&mut self, action: &Action, answer: &Answer, window: &Window) {
        match (action, answer) {
            (Action::Record(attempt), Answer::Done) => {
                let took = self.started.remove(&attempt.id);
                let took = took.map(|started| format!("  {:.1}s", started.elapsed().as_secs_f64()));
                self.line(*attempt, window, |page| {
                    page.styled(style::GOOD, "done").say(took.unwrap_or_default());
                });
            }
            (Action::GiveBack(attempt, failure, to), Answer::Done | Answer::Failed(_)) => {
                let word = match (failure.kind, to) {
                    (FailureKind::Stopped, _) => "stopped",
                    (FailureKind::Lost, _) => "lost",
                    (_, GiveTo::Person) => "blocked",
                    (_, GiveTo::Anybody) => "failed",
                };
                let reason = failure.reason.lines().next().unwrap_or_default();
                self.line(*attempt, window, |page| {
                    page.styled(style::BAD, word).say(": ").say(reason);
                });
            }
            (_, Answer::Later(why)) if *why != self.waited_for => {
                note(self.out, &format!("waiting: {why}"));
                self.waited_for.clone_from(why);
            }
            _ => {}
        }
    }

    fn line(&self, attempt: Attempt, window: &Window, say: impl FnOnce(&mut Page)) {
        if self.out.json {
            return;
        }
        let mut page = self.out.page();
        page.styled(style::ID, attempt.task).say("  ");
        say(&mut page);
        page.say("  ").say(window.title(attempt.id));
        page.end();
        print(&page);
    }

    pub fn end(&self, session: &Session) {
        if self.out.json {
            return;
        }
        let mut page = self.out.page();
        page.styled(style::ID, &session.id).say("  ").say(session.state.word());
        let all = session.tasks_done + session.tasks_open;
        page.say(", ").say(session.tasks_done).say(" of ").say(all).say(" tasks done").end();
        print(&page);
    }
}

const DRAINING: &str = "nothing more is begun; what runs may end (Ctrl-C again stops it)";

fn note(out: Output, text: &str) {
    let mut page = out.page();
    page.say(text).end();
    output::say(&page);
}

fn print(page: &Page) {
    // Whoever reads may have gone; the work goes on.
    let _ = output::print(page);
}
