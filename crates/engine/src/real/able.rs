//! What could be begun here, and what keeps it from that.

use milestone_domain::ids::TaskId;
use milestone_domain::snapshot::Snapshot;
use milestone_domain::views::next::{Asked, next};
use milestone_store::{Project, StoreError};

use super::Setup;
use super::plan;
use crate::blockers::BlockerKind;

impl Setup {
    /// Whether a session would begin anything now.
    pub fn has_work(&self, project: &Project) -> Result<bool, StoreError> {
        let snapshot = plan::read(project, self.milestone, &self.actor)?;
        let today = project.context(&self.actor).today;
        let asked = Asked { milestone: Some(self.milestone), worker: None, limit: usize::MAX };
        let ready = next(&snapshot, asked, today).ready;
        Ok(ready.iter().any(|ready| self.obstacle(&snapshot, ready.id).is_none()))
    }

    /// What keeps this session from a task that is ready.
    pub(super) fn obstacle(
        &self,
        snapshot: &Snapshot,
        id: TaskId,
    ) -> Option<(BlockerKind, String)> {
        let task = snapshot.documents.get(&id.milestone)?.task(id.number)?;
        let needs = self.needs();
        if let Some(obstacle) = needs.obstacle(id, task) {
            let for_person = needs.is_for_a_person(task);
            let kind = if for_person { BlockerKind::Person } else { BlockerKind::Runner };
            return Some((kind, obstacle));
        }
        let commands = needs.commands(id, task);
        let untrusted = commands.iter().find(|(kind, text)| !(self.trusts)(kind, text));
        let reason = match untrusted? {
            ("runner", name) => format!("needs trust: nobody has agreed to run {name} here"),
            (kind, text) => {
                format!("needs trust: its `{kind}` command has not been agreed to here: {text}")
            }
        };
        Some((BlockerKind::Trust, reason))
    }
}
