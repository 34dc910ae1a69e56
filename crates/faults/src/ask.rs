//! What the harness asks the program to do, as arguments and as what must come of it.

use serde::{Deserialize, Serialize};

use crate::store::Store;

/// The right that a write on a claimed task shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    pub fence: u64,
    pub attempt: String,
}

/// One request. Ids are the printed ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "snake_case")]
pub enum Ask {
    Init,
    Plan {
        title: String,
        tasks: Vec<String>,
    },
    Add {
        milestone: String,
        title: String,
    },
    Set {
        task: String,
        title: String,
    },
    Start {
        task: String,
    },
    Done {
        task: String,
        proof: Option<Proof>,
    },
    Fail {
        task: String,
        reason: String,
        proof: Option<Proof>,
    },
    Block {
        task: String,
        reason: String,
        proof: Option<Proof>,
    },
    Unblock {
        task: String,
    },
    Claim {
        task: String,
        lease: String,
    },
    Renew {
        task: String,
        lease: String,
        proof: Proof,
    },
    Release {
        task: String,
        proof: Option<Proof>,
    },
    Note {
        task: String,
        text: String,
        proof: Option<Proof>,
    },
    Progress {
        task: String,
        percent: u32,
        proof: Option<Proof>,
    },
    Move {
        task: String,
        to: String,
    },
    Remove {
        task: String,
    },
    AddCriterion {
        milestone: String,
        text: String,
    },
    MeetCriterion {
        milestone: String,
        number: u32,
        evidence: String,
    },
    SetCondition {
        name: String,
    },
    ClearCondition {
        name: String,
    },
    Update {
        milestone: String,
        status: String,
        reason: String,
    },
    Archive {
        milestone: String,
    },
    /// Moves the project to another store.
    Migrate {
        to: Store,
    },
    /// Looks for anything that is not as it should be.
    Doctor,
    /// What a person wrote into the description of a document, without the program.
    Edit {
        milestone: String,
        text: String,
    },
    /// Reads and changes nothing, except that it may finish what a killed command left.
    List,
}

fn proof_words(words: &mut Vec<String>, proof: Option<&Proof>) {
    if let Some(Proof { fence, attempt }) = proof {
        words.extend(["--fence".into(), fence.to_string(), "--attempt".into(), attempt.clone()]);
    }
}

impl Ask {
    /// The arguments, without the program's name and the actor.
    pub fn words(&self) -> Vec<String> {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let mut line: Vec<String> = match self {
            Self::Init => words(&["init"]),
            Self::Plan { title, .. } => words(&["plan", title]),
            Self::Add { milestone, title } => words(&["task", "add", milestone, title]),
            Self::Set { task, title } => words(&["task", "set", task, "--title", title]),
            Self::Start { task } => words(&["task", "start", task]),
            Self::Done { task, .. } => words(&["task", "done", task]),
            Self::Fail { task, reason, .. } => words(&["task", "fail", task, "--reason", reason]),
            Self::Block { task, reason, .. } => words(&["task", "block", task, "--reason", reason]),
            Self::Unblock { task } => words(&["task", "unblock", task]),
            Self::Claim { task, lease } => {
                words(&["task", "claim", task, "--lease", lease, "--json"])
            }
            Self::Renew { task, lease, .. } => words(&["task", "renew", task, "--lease", lease]),
            Self::Release { task, .. } => words(&["task", "release", task]),
            Self::Note { task, text, .. } => words(&["task", "note", task, text]),
            Self::Progress { task, percent, .. } => {
                words(&["task", "progress", task, &percent.to_string()])
            }
            Self::Move { task, to } => words(&["task", "move", task, to]),
            Self::Remove { task } => words(&["task", "remove", task]),
            Self::AddCriterion { milestone, text } => words(&["criterion", "add", milestone, text]),
            Self::MeetCriterion { milestone, number, evidence } => {
                let number = number.to_string();
                words(&["criterion", "met", milestone, &number, "--evidence", evidence])
            }
            Self::SetCondition { name } => words(&["condition", "set", name]),
            Self::ClearCondition { name } => words(&["condition", "clear", name]),
            Self::Update { milestone, status, reason } => {
                words(&["update", milestone, "--status", status, "--reason", reason])
            }
            Self::Archive { milestone } => words(&["archive", milestone]),
            Self::Migrate { to } => words(&["storage", "migrate", to.word()]),
            Self::List => words(&["list"]),
            Self::Doctor => words(&["doctor"]),
            Self::Edit { milestone, text } => words(&["(by hand)", milestone, text]),
        };
        if let Self::Plan { tasks, .. } = self {
            line.extend(tasks.iter().flat_map(|task| ["--task".to_owned(), task.clone()]));
        }
        proof_words(&mut line, self.proof());
        line
    }

    pub fn proof(&self) -> Option<&Proof> {
        match self {
            Self::Renew { proof, .. } => Some(proof),
            Self::Done { proof, .. }
            | Self::Fail { proof, .. }
            | Self::Block { proof, .. }
            | Self::Release { proof, .. }
            | Self::Note { proof, .. }
            | Self::Progress { proof, .. } => proof.as_ref(),
            _ => None,
        }
    }

    /// The verb as it is typed.
    pub fn verb(&self) -> String {
        let words = self.words();
        let nested = matches!(words[0].as_str(), "task" | "criterion" | "condition");
        if let Self::Migrate { to } = self {
            return format!("move to {}", to.word());
        }
        words[..if nested { 2 } else { 1 }].join(" ")
    }

    /// Whether an answer of "done" promises that an event is there, whatever was so before.
    pub fn always_records(&self) -> bool {
        matches!(
            self,
            Self::Plan { .. }
                | Self::Add { .. }
                | Self::Claim { .. }
                | Self::Note { .. }
                | Self::Move { .. }
                | Self::Remove { .. }
                | Self::Fail { .. }
                | Self::Block { .. }
                | Self::AddCriterion { .. }
                | Self::MeetCriterion { .. }
        )
    }

    /// Whether it may ever record an event.
    pub fn records(&self) -> bool {
        !matches!(
            self,
            Self::Init
                | Self::List
                | Self::Doctor
                | Self::Migrate { .. }
                | Self::Edit { .. }
                | Self::Renew { .. }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_typed_as_documented() {
        let proof = Some(Proof { fence: 3, attempt: "u".into() });
        let done = Ask::Done { task: "task-001-002".into(), proof };
        assert_eq!(done.words().join(" "), "task done task-001-002 --fence 3 --attempt u");
        assert_eq!(done.verb(), "task done");
        let plan = Ask::Plan { title: "T".into(), tasks: vec!["a".into()] };
        assert_eq!(plan.words().join(" "), "plan T --task a");
    }
}
