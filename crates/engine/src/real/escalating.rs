//! Telling the world outside what only somebody can put right: by commands of the project's own.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::Duration;

use super::Shared;
use crate::blockers::Blocker;
use crate::log::Log;
use crate::process::{self, Lifeline, Start};

/// How long such a command may take.
const TIME: Duration = Duration::from_secs(30);

/// What is agreed to under this word.
pub const KIND: &str = "escalation";

impl Shared {
    /// Tells of what is newly in the way. Nobody waits for it but the end of the session.
    pub(super) fn escalate(self: &Arc<Self>, before: &[Blocker], now: &[Blocker]) {
        let known =
            |new: &&Blocker| before.iter().any(|old| (old.task, old.kind) == (new.task, new.kind));
        for blocker in now.iter().filter(|new| !known(new)) {
            for command in &self.setup.execution.on_blocker {
                if !(self.setup.trusts)(KIND, command) {
                    continue;
                }
                let (shared, blocker, command) =
                    (Arc::clone(self), blocker.clone(), command.clone());
                let told = thread::spawn(move || shared.tell_of(&blocker, &command));
                self.telling.lock().unwrap_or_else(PoisonError::into_inner).push(told);
            }
        }
    }

    fn tell_of(&self, blocker: &Blocker, command: &str) {
        let Ok(log) = self.sessions.create_escalation_log() else { return };
        let Ok(mut log) = Log::of(log, self.setup.log_limit) else { return };
        let arguments = ["-c".to_owned(), command.to_owned()];
        let start = Start {
            keeper: &self.setup.keeper,
            program: "sh",
            arguments: &arguments,
            environment: &self.about(blocker),
            folder: &self.setup.project,
            stdin: &serde_json::to_string(blocker).unwrap_or_default(),
        };
        let lifeline = Lifeline::default();
        let cut = lifeline.clone();
        let (ended, over) = std::sync::mpsc::channel::<()>();
        thread::spawn(move || {
            if over.recv_timeout(TIME) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                cut.cut();
            }
        });
        let code = process::run(&start, &lifeline, &mut log, &mut |_| {});
        drop(ended);
        if !matches!(code, Ok(Some(0))) {
            let _ = log.keep(format!("`{command}` did not succeed: {code:?}\n").as_bytes());
        }
    }

    /// What the command is told, beside the JSON that it reads.
    fn about(&self, blocker: &Blocker) -> BTreeMap<OsString, OsString> {
        let mut environment = self.usual_environment(&[]);
        let own = [
            ("MILESTONE_ROOT", self.setup.project.clone().into_os_string()),
            ("MILESTONE_SESSION", self.session().id.clone().into()),
            ("MILESTONE_BLOCKED_TASK", blocker.task.to_string().into()),
            ("MILESTONE_BLOCKER", blocker.kind.word().into()),
            ("MILESTONE_SEVERITY", blocker.severity.word().into()),
            ("MILESTONE_REASON", blocker.reason.clone().into()),
            ("MILESTONE_NEXT", blocker.next.clone().into()),
        ];
        environment.extend(own.map(|(name, value)| (name.into(), value)));
        environment
    }

    /// Waits until everybody has been told; each command has its time.
    pub(super) fn all_told(&self) {
        let telling =
            std::mem::take(&mut *self.telling.lock().unwrap_or_else(PoisonError::into_inner));
        for told in telling {
            let _ = told.join();
        }
    }
}
