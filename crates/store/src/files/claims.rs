//! Claims: who holds which task, and until when, on this host.

use milestone_domain::event::AttemptId;
use milestone_domain::ids::TaskId;
use milestone_domain::snapshot::Claim;
use serde::{Deserialize, Serialize};

use super::boot::BootTime;
use super::disk::Disk;
use crate::error::StoreError;

type Result<T> = std::result::Result<T, StoreError>;

pub const FOLDER: &str = "data/claims";

/// A claim as its file keeps it: a deadline means something only in the boot that set it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    pub task: TaskId,
    pub attempt: AttemptId,
    pub fence: u64,
    pub actor: String,
    pub boot: String,
    pub deadline_ms: u64,
    #[serde(default)]
    pub resources: Vec<String>,
}

impl Kept {
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Milliseconds until the lease is over.
    pub fn left(&self, now: &BootTime) -> u64 {
        if self.boot == now.boot { self.deadline_ms.saturating_sub(now.millis) } else { 0 }
    }

    pub fn judged(&self, now: &BootTime) -> Claim {
        let left = self.left(now);
        Claim {
            task: self.task,
            attempt: self.attempt,
            fence: self.fence,
            actor: self.actor.clone(),
            seconds_left: (left > 0).then(|| left.div_ceil(1000)),
            resources: self.resources.clone(),
        }
    }
}

pub fn place(task: TaskId) -> String {
    format!("{FOLDER}/{task}.json")
}

/// A claim's file that cannot be read is nobody's claim; `doctor` names it.
pub fn read(disk: &Disk, task: TaskId) -> Result<Option<Kept>> {
    let bytes = match disk.read(&place(task)) {
        Err(StoreError::Corrupt { .. } | StoreError::Outside { .. }) => None,
        read => read?,
    };
    let kept = bytes.and_then(|bytes| serde_json::from_slice::<Kept>(&bytes).ok());
    Ok(kept.filter(|kept| kept.task == task))
}

pub fn read_all(disk: &Disk) -> Result<Vec<Kept>> {
    let mut claims = Vec::new();
    for name in disk.names(FOLDER)? {
        let task = name.strip_suffix(".json").and_then(|name| name.parse().ok());
        if let Some(task) = task {
            claims.extend(read(disk, task)?);
        }
    }
    Ok(claims)
}
