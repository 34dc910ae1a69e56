//! Whether a database is whole, and its rows are what its events say.

use milestone_domain::apply::fold;
use milestone_domain::change::difference;
use milestone_domain::ids::MilestoneId;
use milestone_domain::snapshot::{Problem, ProblemKind, Scope};

use super::{Connection, Database};
use crate::{Result, Store as _};

impl<C: Connection> Database<C> {
    pub(super) fn problems(&self) -> Result<Vec<Problem>> {
        let damage = self.connected(|| self.connection.damage())?;
        let mut problems: Vec<Problem> =
            damage.map(|what| problem(None, what)).into_iter().collect();
        for (id, document) in self.read(&Scope::All)?.snapshot.documents {
            let told = fold(&self.history(id)?).map(|told| told.tree()).unwrap_or_default();
            let differences = difference(&told, &document.tree());
            problems.extend(differences.first().map(|first| {
                let message = format!("its row and its history disagree about {}", first.path);
                problem(Some(id), message)
            }));
        }
        Ok(problems)
    }
}

fn problem(milestone: Option<MilestoneId>, message: String) -> Problem {
    Problem {
        milestone,
        file: "the database".into(),
        line: None,
        column: None,
        kind: ProblemKind::Other,
        message,
        next: "see which backups there are, and put one back: `milestone storage status`".into(),
    }
}
