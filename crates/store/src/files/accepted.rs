//! What this clone has accepted of each document: which text, and which history.
//!
//! Only memory: without it, the fold of the history says the same, more slowly.

use milestone_domain::event::Stream;
use milestone_domain::snapshot::Conditions;
use serde::{Deserialize, Serialize};

use super::disk::Disk;
use super::history::{Own, Sizes};
use crate::error::StoreError;

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Accepted {
    /// Fingerprint of the text.
    pub text: String,
    /// The text says exactly what the history does: nothing in it is refused or unknown.
    pub exact: bool,
    pub segments: Sizes,
    pub own: Option<Own>,
    /// The folded conditions; of the project's own stream only.
    #[serde(default)]
    pub conditions: Conditions,
}

fn place(stream: Stream) -> String {
    format!("data/accepted/{stream}.json")
}

impl Accepted {
    pub fn read(disk: &Disk, stream: Stream) -> Result<Option<Self>, StoreError> {
        // One that cannot be read is only forgotten.
        let bytes = match disk.read(&place(stream)) {
            Err(StoreError::Corrupt { .. } | StoreError::Outside { .. }) => None,
            read => read?,
        };
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    pub fn write(&self, disk: &Disk, stream: Stream) -> Result<(), StoreError> {
        disk.replace(&place(stream), &serde_json::to_vec(self).unwrap_or_default())
    }
}
