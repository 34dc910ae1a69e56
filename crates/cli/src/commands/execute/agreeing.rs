//! Nothing is run that this person has not agreed to.

use milestone_domain::document::{Milestone, Task};
use milestone_domain::ids::TaskId;
use milestone_engine::needs::Needs;
use milestone_engine::real::ESCALATION;

use super::ExecuteArgs;
use crate::app::App;
use crate::errors::Failure;
use crate::pushing::Handing;
use crate::trust::Trust;

/// Whether a person has typed it just now; what a configuration makes of a name was not.
pub(super) fn is_typed(args: &ExecuteArgs, (kind, text): &(&'static str, String)) -> bool {
    *kind == "runner" && args.runner.as_ref() == Some(text)
}

/// Everything this milestone would have run that nobody has agreed to, as kind and text.
pub(in crate::commands) fn untrusted(
    trust: Option<&Trust>,
    document: &Milestone,
    needs: &Needs<'_>,
    around: Vec<(&'static str, String)>,
) -> Vec<(&'static str, String)> {
    let open = document.tasks.iter().filter(|task| !task.status.is_closed());
    let id = |task: &Task| TaskId::new(document.id, task.id.number);
    let mut asked: Vec<_> = open.flat_map(|task| needs.commands(id(task), task)).collect();
    asked.extend(around);
    asked.extend(document.verify.iter().map(|verify| ("verify", verify.clone())));
    asked.sort();
    asked.dedup();
    asked.retain(|(kind, text)| !trust.is_some_and(|trust| trust.has(kind, text)));
    asked
}

/// What the settings would have run around the tasks, as kind and text.
pub(in crate::commands) fn around(
    app: &App,
    handing: Option<&Handing>,
) -> Result<Vec<(&'static str, String)>, Failure> {
    let tell = app.opened()?.config.execution().on_blocker.into_iter();
    let tell = tell.map(|command| (ESCALATION, command));
    Ok(tell.chain(handing.and_then(Handing::to_agree)).collect())
}

/// Nothing is run that this person has not agreed to.
pub(in crate::commands) fn agree(
    app: &App,
    args: &ExecuteArgs,
    document: &Milestone,
    needs: &Needs<'_>,
    around: Vec<(&'static str, String)>,
) -> Result<(), Failure> {
    let trust = Trust::of(&app.opened()?.root.project);
    let mut asked = untrusted(trust.as_ref(), document, needs, around);
    asked.retain(|asked| {
        let typed = is_typed(args, asked);
        if let Some(trust) = trust.as_ref().filter(|_| typed) {
            let _ = trust.add(asked.0, &asked.1);
        }
        !typed
    });
    if asked.is_empty() {
        return Ok(());
    }
    if !args.yes && (args.ci.is_given() || !ask(app, &asked)) {
        let commands: Vec<_> = asked.iter().map(|(kind, text)| format!("{kind}: {text}")).collect();
        let retry = format!("milestone execute {} --yes", document.id);
        return Err(Failure::Untrusted { command: commands.join("\n"), retry });
    }
    let Some(trust) = trust else { return Err(Failure::no_place_for_trust()) };
    asked.iter().try_for_each(|(kind, text)| trust.add(kind, text))
}

fn ask(app: &App, asked: &[(&'static str, String)]) -> bool {
    let mut page = app.out.page();
    page.say("This milestone would have these run here:").end();
    for (kind, text) in asked {
        page.indented(&format!("{kind:<7} {text}"));
    }
    page.say("Run them, now and later, in this project? [y/N] ");
    app.out.asks(&page)
}
