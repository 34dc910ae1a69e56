//! What is asked of a session that runs, by another process on the same host.
//!
//! A request is a file in a folder of the milestone's, and taken when it is gone. The session looks
//! there now and then; that costs it nothing that could be measured.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use milestone_domain::ids::{MilestoneId, TaskId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::core::Input;
use crate::error::EngineError;
use crate::session::{Session, SessionState, Sessions};

/// How often a session looks.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How long whoever asks waits.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Save now.
    Save,
    /// Try again what failed, and begin anew what seems stalled.
    Restart,
    /// Stop what works at a task.
    Halt { task: TaskId, by: String },
}

impl Request {
    fn input(self) -> Input {
        match self {
            Self::Save => Input::Save,
            Self::Restart => Input::Restart,
            Self::Halt { task, by } => Input::Halt(task, format!("stopped by {by}")),
        }
    }
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    Taken,
    /// No session runs the milestone here.
    NobodyRuns,
    /// It is there, and has not answered.
    NoAnswer,
}

/// Whoever hands on what is asked, until this is dropped.
#[derive(Debug)]
pub struct Listening {
    over: Arc<AtomicBool>,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
    }
}

impl Sessions {
    /// Asks the session that runs a milestone here, and waits until it has taken that.
    pub fn ask(&self, milestone: MilestoneId, request: &Request) -> Result<Asked, EngineError> {
        if !self.is_running(milestone) {
            return Ok(Asked::NobodyRuns);
        }
        let place = format!("{}/{}.json", self.requests(milestone)?, Uuid::now_v7());
        self.put(&place, request)?;
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if self.read::<Request>(&place)?.is_none() {
                return Ok(Asked::Taken);
            }
            if !self.is_running(milestone) {
                self.remove(&place)?;
                return Ok(Asked::NobodyRuns);
            }
            thread::sleep(LOOK_EVERY / 5);
        }
        self.remove(&place)?;
        Ok(Asked::NoAnswer)
    }

    /// Asks it to save, and waits until it has.
    pub fn ask_to_save(&self, session: &Session) -> Result<Asked, EngineError> {
        let before = Timestamp::now();
        let asked = self.ask(session.milestone, &Request::Save)?;
        let begun = Instant::now();
        while asked == Asked::Taken && begun.elapsed() < PATIENCE {
            let now = self.session(&session.id)?;
            if now.is_none_or(|now| now.saved >= before || now.state != SessionState::Running) {
                return Ok(asked);
            }
            thread::sleep(LOOK_EVERY / 5);
        }
        Ok(if asked == Asked::Taken { Asked::NoAnswer } else { asked })
    }

    /// Hands on what is asked for as long as the session lives. What was asked of an earlier one is
    /// forgotten.
    pub fn listen(
        &self,
        milestone: MilestoneId,
        inputs: Sender<Input>,
    ) -> Result<Listening, EngineError> {
        let folder = self.requests(milestone)?;
        for (place, _) in self.waiting(&folder) {
            self.remove(&place)?;
        }
        let sessions = self.clone();
        let over = Arc::new(AtomicBool::new(false));
        let listening = Listening { over: Arc::clone(&over) };
        thread::spawn(move || {
            while !over.load(Ordering::SeqCst) {
                thread::sleep(LOOK_EVERY);
                for (place, request) in sessions.waiting(&folder) {
                    let sent = request.is_none_or(|request| inputs.send(request.input()).is_ok());
                    if !sent {
                        return;
                    }
                    let _ = sessions.remove(&place);
                }
            }
        });
        Ok(listening)
    }

    /// What lies there, in the order in which it was asked; nothing where it is none of ours.
    fn waiting(&self, folder: &str) -> Vec<(String, Option<Request>)> {
        let names = self.names(folder).unwrap_or_default();
        let places = names.into_iter().map(|name| format!("{folder}/{name}"));
        places.map(|place| (place.clone(), self.read(&place).ok().flatten())).collect()
    }
}
