//! When all of it is going to be done, worked out beside everything else.

use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use milestone_domain::forecast::{Question, forecast};
use milestone_domain::limits;
use milestone_domain::snapshot::Scope;
use milestone_store::StoreError;

use super::{Subject, Word};
use crate::render::execution::board::Expected;

/// Tasks that are done in quick succession change it together.
const AT_MOST_EVERY: Duration = Duration::from_secs(10);

/// A date is what is shown, and it does not take more than this to be sure of one.
const TRIALS: u32 = 500;

/// Begins to say it, now and again after a task was done. It ends with who listens.
pub fn begin(subject: Subject, words: Sender<Word>) -> Sender<()> {
    let (finished, told) = mpsc::channel();
    thread::spawn(move || again_and_again(&subject, &words, &told));
    finished
}

fn again_and_again(subject: &Subject, words: &Sender<Word>, finished: &Receiver<()>) {
    loop {
        let begun = Instant::now();
        // What cannot be read now is said by the session itself.
        let expected = expected(subject).unwrap_or_default();
        if words.send(Word::Expected(expected)).is_err() || finished.recv().is_err() {
            return;
        }
        thread::sleep(AT_MOST_EVERY.saturating_sub(begun.elapsed()));
        while finished.try_recv().is_ok() {}
    }
}

fn expected(subject: &Subject) -> Result<Option<Expected>, StoreError> {
    let project = (subject.open)()?;
    let snapshot = project.read(&Scope::Past(limits::PAST_MILESTONES_MAX), &subject.actor)?;
    let context = project.context(&subject.actor);
    let question = Question {
        only: Some(subject.milestone),
        workers: u32::try_from(subject.agents).ok(),
        trials: TRIALS,
        why: false,
        ..Question::default()
    };
    let finish = forecast(&snapshot, &question, context.now, context.today).finish;
    Ok(finish.map(|finish| Expected { p50: finish.p50, p80: finish.p80 }))
}
