//! The stream of what happens, for programs.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError};

use jiff::Timestamp;
use milestone_domain::event::AttemptId;
use milestone_engine::real::Window;
use milestone_engine::runners::Used;
use milestone_engine::session::Tried;

use super::{SAID_EVERY, Word};
use crate::happening::{Happening, What};
use crate::output::{self, Output};

/// What a runner has said and used, as it was last told.
#[derive(Default, PartialEq, Clone)]
struct Known {
    last: Option<String>,
    used: Used,
}

pub struct Events {
    out: Output,
    window: Window,
    session: String,
    known: BTreeMap<AttemptId, Known>,
}

impl Events {
    pub fn new(out: Output, window: Window, session: String) -> Self {
        Self { out, window, session, known: BTreeMap::new() }
    }

    pub fn tell(mut self, told: &Receiver<Word>) {
        loop {
            match told.recv_timeout(SAID_EVERY) {
                Ok(Word::Event(happening)) => self.happened(&happening),
                Ok(Word::Talk(text)) => output::talk(&text),
                Err(RecvTimeoutError::Timeout) => {
                    self.window.under_way().iter().for_each(|tried| self.heard(tried));
                }
                Ok(Word::End) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(_) => {}
            }
        }
    }

    fn happened(&mut self, happening: &Happening) {
        // Nothing that was said is missing when it is over.
        if let Some(tried) = &happening.attempt {
            self.heard(tried);
            if is_over(happening.event) {
                self.known.remove(&tried.id);
            }
        }
        // Whoever reads may have gone; the work goes on.
        let _ = self.out.streamed(happening);
    }

    fn heard(&mut self, tried: &Tried) {
        let used = tried.used;
        let now = Known { last: tried.last.clone(), used };
        let before = self.known.insert(tried.id, now.clone()).unwrap_or_default();
        for (changed, event) in
            [(before.last != now.last, What::Said), (before.used != now.used, What::Used)]
        {
            if changed {
                let _ = self.out.streamed(&Happening {
                    at: Timestamp::now(),
                    event,
                    session: self.session.clone(),
                    attempt: Some(tried.clone()),
                    stream: None,
                    reason: None,
                    whole: None,
                });
            }
        }
    }
}

fn is_over(event: What) -> bool {
    matches!(event, What::Done | What::Failed | What::Blocked | What::Stopped | What::Lost)
}
