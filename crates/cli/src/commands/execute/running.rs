//! A session from its first look to what is said of it at its end.

use std::sync::Arc;

use jiff::Timestamp;
use milestone_domain::ids::TaskId;
use milestone_engine::boxed::Boxes;
use milestone_engine::core::{Ending, Rules, State};
use milestone_engine::real::{Real, Setup};
use milestone_engine::session::{Session, SessionState, Sessions};
use milestone_engine::world;

use crate::app::App;
use crate::errors::{Executing, Failure};
use crate::pushing::Handing;
use crate::render::execution;
use crate::signals::Signals;
use crate::teller::{Subject, Teller};

/// A session that is about to run. Whoever runs it has the right to, and keeps it until it is over.
pub(in crate::commands) struct Execution<'a> {
    pub sessions: &'a Sessions,
    pub setup: Setup,
    pub session: Session,
    pub rules: Rules,
    /// Where its work goes once the milestone is completed.
    pub handing: Option<&'a Handing>,
}

/// Runs a session; what it did not come to is an error.
pub(super) fn execute(app: &App, execution: Execution<'_>) -> Result<(), Failure> {
    let milestone = execution.setup.milestone;
    let signals = Signals::begin()?;
    let (ending, because) = to_its_end(app, execution, &signals)?;
    match ending {
        Ending::Completed => Ok(()),
        Ending::TasksDone(why) => {
            Err(Failure::Executing(Executing::TasksDone { milestone, why: why.reason }))
        }
        Ending::StreamsOut(_) => {
            Err(Failure::Executing(Executing::StreamsOut { milestone, out: because }))
        }
        Ending::Stuck(_) => {
            Err(Failure::Executing(Executing::Stuck { milestone, waiting: because }))
        }
        Ending::Interrupted => Err(Failure::Executing(Executing::Interrupted { milestone })),
        Ending::Spent(what) => Err(Failure::Executing(Executing::Spent { milestone, what })),
        Ending::Failed(failure) => Err(Failure::Executing(Executing::Failed(failure.reason))),
    }
}

/// Runs a session, and says how it ended and because of what.
pub(in crate::commands) fn to_its_end(
    app: &App,
    execution: Execution<'_>,
    signals: &Signals,
) -> Result<(Ending, Vec<String>), Failure> {
    let Execution { sessions, setup, session, rules, handing } = execution;
    let milestone = setup.milestone;
    let git = setup.repository.is_some();
    let covers = setup.boxes.as_ref().map(Boxes::covers);
    let (open, actor) = (Arc::clone(&setup.open), setup.actor.clone());
    let nobodys = TaskId::new(milestone, 0);
    let reviews = session.streams.iter().map(|stream| (nobodys, stream.used));
    let attempts = session.attempts.iter().map(|tried| (tried.task, tried.used));
    let spent: Vec<_> = attempts.chain(reviews).collect();
    let agents = rules.slots;
    let mut real = Real::new(setup, session);
    signals.hand_to(real.inputs());
    let _listening = sessions.listen(milestone, real.inputs())?;
    let (window, session) = (real.window(), real.session());
    let subject = Subject { open, milestone, actor, agents };
    let teller = Teller::begin(app.out, &window, &session.id, subject);
    let mut shown = execution::Shown::new(app.out, teller, window, &session);
    shown.begin(&session, git, covers.as_deref());
    let mut state = State::new(rules, 0);
    spent.into_iter().for_each(|(task, used)| state.has_spent(task, used.into()));
    let ending = world::run(&mut state, &mut real, &mut |state, told| {
        shown.tell(state, told);
    });
    let (kept, because) = match &ending {
        Ending::Completed => (SessionState::Completed, Vec::new()),
        Ending::TasksDone(why) => (SessionState::Waiting, vec![why.reason.clone()]),
        Ending::StreamsOut(out) => {
            let said = out.iter().map(|(stream, why)| format!("{stream}: {}", why.reason));
            (SessionState::Waiting, said.collect())
        }
        Ending::Stuck(waiting) => {
            let said = waiting.iter().map(|(task, why)| format!("{task} {why}"));
            (SessionState::Waiting, said.collect())
        }
        Ending::Interrupted => (SessionState::Interrupted, Vec::new()),
        Ending::Spent(what) => (SessionState::Waiting, vec![what.clone()]),
        Ending::Failed(failure) => (SessionState::Failed, vec![failure.reason.clone()]),
    };
    real.note(|session| {
        session.state = kept;
        session.because.clone_from(&because);
        session.ended = Some(Timestamp::now());
    })?;
    if let Some(handing) = handing.filter(|_| ending == Ending::Completed) {
        let handed = handing.hand_on(app, &real.session());
        real.note(|session| session.handed_on = handed)?;
    }
    shown.end(&real.session());
    real.all_told();
    Ok((ending, because))
}
