//! What could be begun here, and what keeps it from that.

use jiff::civil::Date;
use milestone_domain::ids::{MilestoneId, TaskId};
use milestone_domain::snapshot::Snapshot;
use milestone_domain::views::next::{Asked, next};

use super::Trusts;
use crate::blockers::BlockerKind;
use crate::needs::Needs;

/// Whether a session would find anything to begin.
pub fn has_work(
    snapshot: &Snapshot,
    milestone: MilestoneId,
    today: Date,
    needs: &Needs<'_>,
    trusts: &Trusts,
) -> bool {
    let asked = Asked { milestone: Some(milestone), worker: None, limit: usize::MAX };
    let ready = next(snapshot, asked, today).ready;
    ready.iter().any(|ready| obstacle(snapshot, ready.id, needs, trusts).is_none())
}

/// What keeps a session from a task that is ready.
pub(super) fn obstacle(
    snapshot: &Snapshot,
    id: TaskId,
    needs: &Needs<'_>,
    trusts: &Trusts,
) -> Option<(BlockerKind, String)> {
    let task = snapshot.documents.get(&id.milestone)?.task(id.number)?;
    if let Some(obstacle) = needs.obstacle(id, task) {
        let for_person = needs.is_for_a_person(task);
        let kind = if for_person { BlockerKind::Person } else { BlockerKind::Runner };
        return Some((kind, obstacle));
    }
    let commands = needs.commands(id, task);
    let untrusted = commands.iter().find(|(kind, text)| !trusts(kind, text));
    let reason = match untrusted? {
        ("runner", name) => format!("needs trust: nobody has agreed to run {name} here"),
        (kind, text) => {
            format!("needs trust: its `{kind}` command has not been agreed to here: {text}")
        }
    };
    Some((BlockerKind::Trust, reason))
}
